//! A server with people on it, and images made in memory.

use std::time::{Duration, Instant};

use packhouse_testkit::http::{self, Request, Response};
pub(crate) use packhouse_testkit::images::{
    CONFIG, IMAGE, INDEX, LAYER, Manifest, blob, image_of, index_of, referrer, sha256, sha512,
};
use packhouse_testkit::server::TestServer;
use serde_json::json;

/// Everything that a pusher may be given.
pub(crate) const ALL_SCOPES: &str = "read:packages,write:packages,delete:packages";

/// A server, and alice, who owns what the tests push.
pub(crate) struct Registry {
    pub(crate) server: TestServer,
    pub(crate) token: String,
}

impl Registry {
    pub(crate) fn start() -> Self {
        Self::over(TestServer::start())
    }

    pub(crate) fn over(server: TestServer) -> Self {
        server.admin(&["create-user", "alice"]);
        let token = server.token("alice", ALL_SCOPES);
        Self { server, token }
    }

    /// A user with a token of these scopes.
    pub(crate) fn user(&self, login: &str, scopes: &str) -> String {
        self.server.admin(&["create-user", login]);
        self.server.token(login, scopes)
    }

    /// Waits until nothing lies in staging: what is thrown away is removed on a thread of its own.
    pub(crate) fn staging_becomes_empty(&self) {
        let staging = self.server.data_dir().join("staging");
        let deadline = Instant::now() + Duration::from_secs(10);
        while std::fs::read_dir(&staging).unwrap().count() > 0 {
            assert!(Instant::now() < deadline, "something is left");
            std::thread::yield_now();
        }
    }

    /// Asks as alice.
    #[track_caller]
    pub(crate) fn ask(&self, request: Request) -> Response {
        self.as_who(&self.token, request)
    }

    /// Asks with an access token, or with none where it is empty.
    #[track_caller]
    pub(crate) fn as_who(&self, token: &str, request: Request) -> Response {
        let request = match token {
            "" => request,
            token => request.basic("whoever", token),
        };
        http::send(self.server.base(), &request)
            .unwrap_or_else(|error| panic!("{error}\n{}", self.server.logs()))
    }

    /// A short-lived token for these scopes.
    #[track_caller]
    pub(crate) fn bearer(&self, access_token: &str, scopes: &[&str]) -> String {
        let scopes: Vec<String> = scopes
            .iter()
            .map(|scope| format!("&scope={}", scope.replace(':', "%3A").replace('/', "%2F")))
            .collect();
        let target = format!("/token?service=x{}", scopes.join(""));
        let answer = self
            .as_who(access_token, Request::get(target))
            .expect_status(200);
        answer.json()["token"].as_str().unwrap().to_owned()
    }

    #[track_caller]
    pub(crate) fn push_blob(&self, name: &str, bytes: &[u8]) -> String {
        let digest = sha256(bytes);
        self.ask(
            Request::post(format!("/v2/{name}/blobs/uploads/?digest={digest}"))
                .body(bytes.to_vec()),
        )
        .is(201);
        digest
    }

    #[track_caller]
    pub(crate) fn put_manifest(
        &self,
        name: &str,
        reference: &str,
        manifest: &Manifest,
    ) -> Response {
        self.ask(manifest.put(name, reference))
    }

    /// An image of one layer, pushed whole; its digest.
    #[track_caller]
    pub(crate) fn push_image(&self, name: &str, tag: &str, content: &str) -> String {
        let image = self.image(name, content);
        self.put_manifest(name, tag, &image).is(201);
        image.digest()
    }

    /// An image whose blobs are pushed and whose manifest is not.
    #[track_caller]
    pub(crate) fn image(&self, name: &str, content: &str) -> Manifest {
        let config =
            json!({"architecture": "amd64", "os": "linux", "content": content}).to_string();
        self.push_blob(name, config.as_bytes());
        self.push_blob(name, content.as_bytes());
        image_of(config.as_bytes(), content.as_bytes())
    }

    #[track_caller]
    pub(crate) fn open(&self, name: &str) -> String {
        let answer = self
            .ask(Request::post(format!("/v2/{name}/blobs/uploads/")))
            .expect_status(202);
        answer.header("location").unwrap().to_owned()
    }

    #[track_caller]
    pub(crate) fn patch(&self, location: &str, range: Option<&str>, bytes: &[u8]) -> Response {
        let request = Request::new("PATCH", location).body(bytes.to_vec());
        self.ask(match range {
            Some(range) => request.header("Content-Range", range),
            None => request,
        })
    }

    #[track_caller]
    pub(crate) fn finish(&self, location: &str, digest: &str, bytes: &[u8]) -> Response {
        self.ask(Request::put(format!("{location}?digest={digest}")).body(bytes.to_vec()))
    }
}

/// Bytes that differ from place to place.
pub(crate) fn bytes(len: usize) -> Vec<u8> {
    (0..=250).cycle().take(len).collect()
}

/// For an answer of which nothing but the status is wanted.
pub(crate) trait Answered {
    fn is(self, status: u16);
}

impl Answered for Response {
    #[track_caller]
    fn is(self, status: u16) {
        drop(self.expect_status(status));
    }
}

/// The code and status of a refusal, whose body must be a list of errors.
#[track_caller]
pub(crate) fn refusal(answer: &Response) -> (u16, String) {
    assert_eq!(
        answer.header("content-type"),
        Some("application/json"),
        "{answer}"
    );
    let version = answer.header("docker-distribution-api-version");
    assert_eq!(version, Some("registry/2.0"), "{answer}");
    let errors = answer.json();
    let code = errors["errors"][0]["code"].as_str().unwrap_or_default();
    (answer.status, code.to_owned())
}
