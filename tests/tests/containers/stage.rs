//! The scene of every story: a server with one of its two container registries, its people, and a
//! folder for the clients.

use std::path::{Path, PathBuf};

use packhouse_testkit::clients::containers::{Image, Kit, Layout, Tool};
use packhouse_testkit::http::Request;
use packhouse_testkit::process::Output;
use packhouse_testkit::server::TestServer;

const EVERYTHING: &str = "read:packages,write:packages,delete:packages";

/// Which of the two registries a story plays at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tenancy {
    /// `OWNER/IMAGE` on the main listener.
    Container,
    /// `OWNER/REPOSITORY/IMAGE` on the listener of `--docker-listen`.
    Docker,
}

/// Makes each story a test at each registry.
macro_rules! at_both_registries {
    ($($story:ident),+ $(,)?) => {
        $(
            mod $story {
                use crate::stage::Tenancy;

                #[test]
                fn container() {
                    super::$story(Tenancy::Container);
                }

                #[test]
                fn docker() {
                    super::$story(Tenancy::Docker);
                }
            }
        )+
    };
}
pub(crate) use at_both_registries;

/// A server, and the user `alice` who owns what is pushed.
pub(crate) struct Stage {
    pub(crate) server: TestServer,
    pub(crate) kit: Kit,
    /// alice's, and it may do everything with packages.
    pub(crate) token: String,
    tenancy: Tenancy,
}

impl Stage {
    /// What is pushed is private.
    pub(crate) fn of(tenancy: Tenancy) -> Self {
        Self::with(tenancy, "private")
    }

    /// What is pushed is public once [`Stage::show`] was called for it.
    pub(crate) fn in_public(tenancy: Tenancy) -> Self {
        Self::with(tenancy, "public")
    }

    fn with(tenancy: Tenancy, visibility: &str) -> Self {
        let server = TestServer::builder().docker_listener().start();
        server.admin(&["create-user", "alice"]);
        server.admin(&["create-repo", "alice/tools", "--visibility", visibility]);
        let token = server.token("alice", EVERYTHING);
        Self {
            server,
            kit: Kit::new(),
            token,
            tenancy,
        }
    }

    /// The registry's host and port, without a scheme.
    pub(crate) fn host(&self) -> &str {
        let [main, docker] = self.server.bases() else {
            panic!("two listeners: {:?}", self.server.bases());
        };
        let base = match self.tenancy {
            Tenancy::Container => main,
            Tenancy::Docker => docker,
        };
        base.trim_start_matches("http://")
    }

    /// An image's name at the registry.
    pub(crate) fn name(&self, image: &str) -> String {
        match self.tenancy {
            Tenancy::Container => format!("alice/{image}"),
            Tenancy::Docker => format!("alice/tools/{image}"),
        }
    }

    /// An image's name as clients write it: the host before it, and whatever tag is behind it.
    pub(crate) fn reference(&self, image: &str) -> String {
        format!("{}/{}", self.host(), self.name(image))
    }

    /// Makes an image public. Those of the other registry are as their repository is.
    pub(crate) fn show(&self, image: &str) {
        if self.tenancy == Tenancy::Container {
            let package = format!("alice/container/{image}");
            self.server.admin(&["set-visibility", &package, "public"]);
        }
    }

    /// A token that can only read, of alice.
    pub(crate) fn reader(&self) -> String {
        self.server.token("alice", "read:packages")
    }

    /// The token of bob, who has nothing to do with alice.
    pub(crate) fn stranger(&self) -> String {
        self.server.admin(&["create-user", "bob"]);
        self.server.token("bob", EVERYTHING)
    }

    /// An image of two layers in the kit's folder of this name.
    pub(crate) fn image(&self, folder: &str) -> Layout {
        let image = Image::of(&[("base", "what all have\n"), ("name", folder)]);
        Layout::image(&self.work(folder), &image)
    }

    /// An index of two images, for two architectures, which share a layer.
    pub(crate) fn index(&self, folder: &str) -> Layout {
        let images = ["amd64", "arm64"].map(|architecture| {
            Image::of(&[("base", "what all have\n"), ("name", architecture)]).on(architecture)
        });
        Layout::index(&self.work(folder), &images)
    }

    /// A path in the folder that clients run in.
    pub(crate) fn work(&self, file: &str) -> PathBuf {
        self.kit.path("work").join(file)
    }

    /// What clients have sent so far.
    pub(crate) fn traffic(&self) -> Traffic {
        let metrics = self
            .server
            .send(&Request::get("/metrics"))
            .expect_status(200);
        let metrics = metrics.text();
        Traffic {
            uploaded: answers(&metrics, "PUT /v2/{name}/blobs/uploads/{id}", 201),
            mounted: answers(&metrics, "POST /v2/{name}/blobs/uploads/", 201),
        }
    }

    /// What clients sent while something was done.
    pub(crate) fn traffic_of(&self, act: impl FnOnce()) -> Traffic {
        let before = self.traffic();
        act();
        let after = self.traffic();
        Traffic {
            uploaded: after.uploaded - before.uploaded,
            mounted: after.mounted - before.mounted,
        }
    }
}

/// A program on a stage; each client's own words are built on it.
pub(crate) struct Cli<'a> {
    pub(crate) program: PathBuf,
    pub(crate) stage: &'a Stage,
}

impl<'a> Cli<'a> {
    /// `None` where it is not prepared: the test is to be skipped.
    pub(crate) fn on(stage: &'a Stage, tool: &Tool) -> Option<Self> {
        let program = tool.prepared()?;
        Some(Self { program, stage })
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.stage.kit.run(&self.program, arguments)
    }

    /// Runs it to a good end, and gives what it printed.
    #[track_caller]
    pub(crate) fn do_well(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments).expect_success();
        output.stdout.trim().to_owned()
    }

    /// Logs in by these words, in the place of whoever was.
    pub(crate) fn try_log_in(&self, login: &[&str], token: &str) -> Output {
        let who = ["-u", "somebody", "-p", token, self.stage.host()];
        self.run(&[login, &who].concat())
    }
}

/// How blobs came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Traffic {
    /// With all their bytes.
    pub(crate) uploaded: u64,
    /// By their digest, from another image.
    pub(crate) mounted: u64,
}

impl Traffic {
    pub(crate) const NONE: Self = Self {
        uploaded: 0,
        mounted: 0,
    };
}

fn answers(metrics: &str, route: &str, status: u16) -> u64 {
    let labels = format!("route=\"{route}\",status=\"{status}\"}} ");
    metrics
        .lines()
        .filter(|line| line.starts_with("packhouse_http_requests_total{"))
        .filter_map(|line| line.split_once(&labels)?.1.parse::<u64>().ok())
        .sum()
}

/// Fails unless two layouts hold the same blobs.
#[track_caller]
pub(crate) fn assert_same_blobs(one: &Path, other: &Path) {
    assert_eq!(Layout::blobs(one), Layout::blobs(other));
}

/// Fails unless the client ended badly and `words` are among what it printed.
#[track_caller]
pub(crate) fn assert_refused(output: &Output, words: &str) {
    assert!(!output.success(), "not refused: {output}");
    assert_said(output, words);
}

/// Fails unless the client ended well.
#[track_caller]
pub(crate) fn assert_succeeded(output: &Output) {
    assert!(output.success(), "the client failed: {output}");
}

/// Fails unless `words` are among what the client printed.
#[track_caller]
pub(crate) fn assert_said(output: &Output, words: &str) {
    let said = format!("{}\n{}", output.stdout, output.stderr);
    assert!(said.contains(words), "no {words:?} in: {output}");
}
