//! npm in its own words: 10, 11 and 12 tell the same stories.

mod access;
mod accounts;
mod changes;
mod dialogue;
mod install;
mod limits;
mod people;
mod publish;
mod signatures;
mod web_login;

use packhouse_testkit::clients::{NPM_11, NpmProject};
use packhouse_testkit::process::Output;
use packhouse_testkit::server::{TestServer, TestServerBuilder};
use serde_json::Value;

use crate::stage::{EVERYTHING, Stage, consumer, package};

/// Makes each story a test of each npm.
macro_rules! told_by_each_npm {
    ($($story:ident),+ $(,)?) => {
        $(
            mod $story {
                use packhouse_testkit::clients::{NPM_10, NPM_11, NPM_12};

                #[test]
                fn npm_10() {
                    super::$story(&NPM_10);
                }

                #[test]
                fn npm_11() {
                    super::$story(&NPM_11);
                }

                #[test]
                fn npm_12() {
                    super::$story(&NPM_12);
                }
            }
        )+
    };
}
use told_by_each_npm;

impl Stage {
    /// The stage with npm 11, for stories that one npm tells for all.
    fn set() -> Option<Self> {
        Self::set_on(TestServer::builder())
    }

    fn set_on(server: TestServerBuilder) -> Option<Self> {
        Self::on(&NPM_11, server)
    }

    /// Publishes as ann, and leaves the project for more.
    fn publish(&self, manifest: &Value) -> NpmProject {
        let project = self.project(manifest, Some(&self.token));
        run(&project, &["publish"]);
        project
    }

    /// The first two lines of npm's error: its code, and what the server said.
    fn refusal(&self, output: &Output) -> [String; 2] {
        assert!(!output.success(), "not refused: {output}");
        let mut lines = output
            .stderr
            .lines()
            .filter_map(|line| line.strip_prefix("npm error "))
            .map(|line| line.replace(&self.registry(), "REGISTRY/"));
        [lines.next(), lines.next()].map(Option::unwrap_or_default)
    }
}

/// npm's `--json` answer.
fn answer(output: Output) -> Value {
    let output = output.expect_success();
    serde_json::from_str(&output.stdout)
        .unwrap_or_else(|error| panic!("not JSON ({error}): {output}"))
}

/// What `npm view` says of one version. From 12 on it is a list even so.
fn viewed(project: &NpmProject, package: &str) -> Value {
    match answer(project.run(&["view", package, "--json"])) {
        Value::Array(versions) if versions.len() == 1 => versions[0].clone(),
        one => one,
    }
}

/// npm's lines about what happened, without their prefix.
fn notices<'a>(output: &'a Output, kind: &str) -> Vec<&'a str> {
    let prefix = format!("npm {kind} ");
    let lines = output.stderr.lines();
    lines
        .filter_map(|line| line.strip_prefix(prefix.as_str()))
        .collect()
}

/// Runs npm to a good end and gives what it printed, without the white space around it.
fn run(project: &NpmProject, arguments: &[&str]) -> String {
    let output = project.run(arguments).expect_success();
    output.stdout.trim().to_owned()
}
