//! npm 11.

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

use packhouse_testkit::clients::{Client, NpmProject};
use packhouse_testkit::process::Output;
use packhouse_testkit::server::{TestServer, TestServerBuilder};
use serde_json::{Value, json};

const EVERYTHING: &str = "read:packages,write:packages,delete:packages";

/// A server, npm, and the user `ann` who owns the organization `acme`.
struct Stage {
    npm: Client,
    server: TestServer,
    /// ann's, and it may do everything with packages.
    token: String,
    base: String,
}

impl Stage {
    /// `None` where npm is not prepared: the test is to be skipped.
    fn set() -> Option<Self> {
        Self::set_on(TestServer::builder())
    }

    fn set_on(server: TestServerBuilder) -> Option<Self> {
        let npm = Client::npm11()?;
        let server = server.start();
        server.admin(&["create-user", "ann"]);
        server.admin(&["create-org", "acme", "--owner", "ann"]);
        let token = server.token("ann", EVERYTHING);
        let base = server.base().to_owned();
        Some(Self {
            npm,
            server,
            token,
            base,
        })
    }

    /// Uses `localhost` in the place of 127.0.0.1 from here on.
    fn on_localhost(mut self) -> Self {
        self.base = self.server.localhost();
        self
    }

    /// Where npm finds the server, with the slash at its end that npm's credentials need.
    fn registry(&self) -> String {
        format!("{}/_registry/npm/", self.base)
    }

    /// A new user with a token of these scopes.
    fn user(&self, login: &str, scopes: &str) -> String {
        self.server.admin(&["create-user", login]);
        self.server.token(login, scopes)
    }

    /// A project whose scopes `@acme` and `@ann` live on the server.
    fn project(&self, manifest: &Value, token: Option<&str>) -> NpmProject {
        let project = NpmProject::new(&self.npm, manifest);
        self.configure(&project, token);
        project
    }

    fn configure(&self, project: &NpmProject, token: Option<&str>) {
        let registry = self.registry();
        let mut settings = format!("@acme:registry={registry}\n@ann:registry={registry}\n");
        settings.push_str(&self.credentials(token));
        project.write(".npmrc", settings);
    }

    /// A project whose only registry is the server.
    fn at_home(&self, token: Option<&str>) -> NpmProject {
        let project = NpmProject::new(&self.npm, &consumer());
        let registry = format!("registry={}\n", self.registry());
        project.write(".npmrc", registry + &self.credentials(token));
        project
    }

    fn credentials(&self, token: Option<&str>) -> String {
        let registry = self.registry();
        let address = registry.strip_prefix("http:").unwrap();
        token.map_or_else(String::new, |token| {
            format!("{address}:_authToken={token}\n")
        })
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

/// A package that is only its manifest and what npm always packs.
fn package(name: &str, version: &str) -> Value {
    json!({ "name": name, "version": version, "license": "MIT" })
}

/// The project of somebody who installs.
fn consumer() -> Value {
    json!({ "name": "consumer", "version": "1.0.0", "private": true })
}

/// npm's `--json` answer.
fn answer(output: Output) -> Value {
    let output = output.expect_success();
    serde_json::from_str(&output.stdout)
        .unwrap_or_else(|error| panic!("not JSON ({error}): {output}"))
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
