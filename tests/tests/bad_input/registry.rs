//! A server with one published package, and the check that a refused request left it alone.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use packhouse_testkit::archives::npm_tarball;
use packhouse_testkit::http::{Request, Response};
use packhouse_testkit::npm::publish_document;
use packhouse_testkit::server::TestServer;
use serde_json::{Value, json};

pub(crate) const MOUNT: &str = "/_registry/npm";

/// Published before anything else, version 1.0.0.
pub(crate) const NAME: &str = "@acme/left-pad";

/// The largest tarball that the server takes.
pub(crate) const MAX_PACKAGE_BYTES: u64 = 8 << 20;

/// How long what was written for a refused request may take to be gone.
const TIDY_DEADLINE: Duration = Duration::from_secs(10);

/// What the sender of half a body is told, if it still listens.
const CUT_OFF: &str = "the request body ended early";

/// A server, and the token of somebody who may do everything to what is under `@acme`.
pub(crate) struct Registry {
    pub(crate) server: TestServer,
    pub(crate) token: String,
    pub(crate) tarball: Vec<u8>,
}

/// What can be seen of a registry, from outside and in its data folder.
#[derive(Debug, PartialEq, Eq)]
struct State {
    documents: BTreeMap<String, (u16, String)>,
    blobs: BTreeMap<PathBuf, u64>,
}

impl Registry {
    pub(crate) fn open() -> Self {
        Self::open_with_limit(MAX_PACKAGE_BYTES)
    }

    /// One that takes tarballs of so many bytes at most.
    pub(crate) fn open_with_limit(bytes: u64) -> Self {
        Self::start(&["--max-package-bytes", &bytes.to_string()])
    }

    /// One where `acme` owns the names without a scope as well.
    pub(crate) fn open_with_unscoped_names() -> Self {
        Self::start(&["--npm-unscoped-owner", "acme"])
    }

    /// One whose documents tell where provenance is.
    pub(crate) fn open_showing_attestations() -> Self {
        Self::start(&["--npm-attestations", "on"])
    }

    fn start(arguments: &[&str]) -> Self {
        let server = TestServer::builder().args(arguments).start();
        server.admin(&["create-user", "ann"]);
        server.admin(&["create-org", "acme", "--owner", "ann"]);
        let token = server.token("ann", "read:packages,write:packages,delete:packages");
        let registry = Self {
            server,
            token,
            tarball: honest(NAME, "1.0.0"),
        };
        let document = publish_document(NAME, "1.0.0", &registry.tarball);
        let _created = registry
            .send(&registry.put(NAME, &document))
            .expect_status(201);
        registry
    }

    pub(crate) fn send(&self, request: &Request) -> Response {
        self.server.send(request)
    }

    /// A request by whoever may do everything.
    pub(crate) fn request(&self, method: &str, path: &str) -> Request {
        Request::new(method, format!("{MOUNT}{path}")).bearer(&self.token)
    }

    /// A publish.
    pub(crate) fn put(&self, name: &str, document: &Value) -> Request {
        self.request("PUT", &address(name)).json(document)
    }

    /// The package as it is now.
    pub(crate) fn packument(&self, name: &str) -> Value {
        self.send(&self.request("GET", &address(name)))
            .expect_status(200)
            .json()
    }

    /// Sends what must be refused in these words, and checks that nothing came of it.
    #[track_caller]
    pub(crate) fn refuses(&self, what: &str, request: &Request, status: u16, error: &str) {
        self.refuses_around(what, status, error, || self.send(request));
    }

    /// The same for a request that is not sent the usual way.
    #[track_caller]
    pub(crate) fn refuses_around(
        &self,
        what: &str,
        status: u16,
        error: &str,
        send: impl FnOnce() -> Response,
    ) {
        let before = self.state();
        let response = send();
        assert_eq!(response.status, status, "{what}:\n{response}");
        assert_eq!(
            response.header("content-type"),
            Some("application/json"),
            "{what}:\n{response}"
        );
        let body = response.json();
        assert_eq!(body["error"], error, "{what}:\n{response}");
        let message = body["message"].as_str().unwrap_or_default();
        assert!(!message.is_empty(), "{what}: nothing is said:\n{response}");
        // bun takes any answer with `success` in it for one
        assert_eq!(body.get("success"), None, "{what}:\n{response}");
        self.is_as(&before, what);
    }

    /// Sends a body that is cut off: whether or not its sender is still told so, nothing comes
    /// of it.
    #[track_caller]
    pub(crate) fn is_dropped(&self, what: &str, request: &Request) {
        self.leaves_nothing(what, || {
            // the other side may have seen the end of the connection first
            if let Ok(answer) = packhouse_testkit::http::send(self.server.base(), request) {
                assert_eq!(answer.status, 400, "{what}:\n{answer}");
                assert_eq!(answer.json()["error"], CUT_OFF, "{what}:\n{answer}");
            }
        });
    }

    /// Does something that must leave no trace.
    #[track_caller]
    pub(crate) fn leaves_nothing(&self, what: &str, act: impl FnOnce()) {
        let before = self.state();
        act();
        self.is_as(&before, what);
    }

    /// Waits until some of a body lies in staging.
    pub(crate) fn wait_for_staging(&self) {
        let deadline = Instant::now() + TIDY_DEADLINE;
        let staging = self.server.data_dir().join("staging");
        while std::fs::read_dir(&staging).unwrap().next().is_none() {
            assert!(Instant::now() < deadline, "nothing is staged");
            std::thread::yield_now();
        }
    }

    /// Checks that nothing can be seen of a request, and that nothing of it lies about.
    #[track_caller]
    fn is_as(&self, before: &State, what: &str) {
        let deadline = Instant::now() + TIDY_DEADLINE;
        let mut after = self.state();
        while after != *before && Instant::now() < deadline {
            std::thread::yield_now();
            after = self.state();
        }
        assert_eq!(after, *before, "{what}: something is left of it");
        let ping = self.send(&Request::get(format!("{MOUNT}/-/ping")));
        assert_eq!(ping.status, 200, "{what}: afterwards {ping}");
    }

    fn state(&self) -> State {
        let documents = SEEN
            .iter()
            .map(|name| {
                let answer = self.send(&self.request("GET", &address(name)));
                ((*name).to_owned(), (answer.status, answer.text()))
            })
            .collect();
        let mut blobs = BTreeMap::new();
        for folder in ["staging", "blobs"] {
            files(&self.server.data_dir().join(folder), &mut blobs);
        }
        State { documents, blobs }
    }
}

/// Every name that a refused request could have left behind.
const SEEN: [&str; 5] = [
    NAME,
    "@acme/fresh",
    "@acme/other",
    "@other/left-pad",
    "left-pad",
];

/// A package's address below the mount, as npm writes it.
pub(crate) fn address(name: &str) -> String {
    format!("/{}", name.replace('/', "%2f"))
}

/// The tarball that `npm pack` would make.
pub(crate) fn honest(name: &str, version: &str) -> Vec<u8> {
    npm_tarball(name, version, &json!({}), &[("index.js", b"'use strict'")])
}

fn files(folder: &Path, found: &mut BTreeMap<PathBuf, u64>) {
    for entry in std::fs::read_dir(folder).expect("a folder of the blob store") {
        let path = entry.unwrap().path();
        // a file may be gone between the two calls: it was on its way out
        let Ok(data) = path.metadata() else { continue };
        if data.is_dir() {
            files(&path, found);
        } else {
            found.insert(path, data.len());
        }
    }
}
