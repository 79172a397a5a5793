//! The scene of every story: a server, a client, and who may publish.

use packhouse_testkit::clients::{Client, NpmPackage, NpmProject};
use packhouse_testkit::server::{TestServer, TestServerBuilder};
use serde_json::{Value, json};

pub(crate) const EVERYTHING: &str = "read:packages,write:packages,delete:packages";

/// A server, a client, and the user `ann` who owns the organization `acme`.
pub(crate) struct Stage {
    pub(crate) client: Client,
    pub(crate) server: TestServer,
    /// ann's, and it may do everything with packages.
    pub(crate) token: String,
    base: String,
}

impl Stage {
    /// `None` where the client is not prepared: the test is to be skipped.
    pub(crate) fn of(client: &NpmPackage) -> Option<Self> {
        Self::on(client, TestServer::builder())
    }

    pub(crate) fn on(client: &NpmPackage, server: TestServerBuilder) -> Option<Self> {
        let client = Client::prepared(client)?;
        let server = server.start();
        server.admin(&["create-user", "ann"]);
        server.admin(&["create-org", "acme", "--owner", "ann"]);
        let token = server.token("ann", EVERYTHING);
        let base = server.base().to_owned();
        Some(Self {
            client,
            server,
            token,
            base,
        })
    }

    /// Uses `localhost` in the place of 127.0.0.1 from here on.
    pub(crate) fn on_localhost(mut self) -> Self {
        self.base = self.server.localhost();
        self
    }

    /// Where clients find the server, with the slash at its end that npm's credentials need.
    pub(crate) fn registry(&self) -> String {
        format!("{}/_registry/npm/", self.base)
    }

    /// A new user with a token of these scopes.
    pub(crate) fn user(&self, login: &str, scopes: &str) -> String {
        self.server.admin(&["create-user", login]);
        self.server.token(login, scopes)
    }

    /// A project whose scopes `@acme` and `@ann` live on the server.
    pub(crate) fn project(&self, manifest: &Value, token: Option<&str>) -> NpmProject {
        let project = NpmProject::new(&self.client, manifest);
        self.configure(&project, token);
        project
    }

    pub(crate) fn configure(&self, project: &NpmProject, token: Option<&str>) {
        project.use_registry(&["@acme", "@ann"], &self.registry(), token);
    }

    /// A project whose only registry is the server.
    pub(crate) fn at_home(&self, token: Option<&str>) -> NpmProject {
        let project = NpmProject::new(&self.client, &consumer());
        project.use_registry(&[], &self.registry(), token);
        project
    }
}

/// A package that is only its manifest and what clients always pack.
pub(crate) fn package(name: &str, version: &str) -> Value {
    json!({ "name": name, "version": version, "license": "MIT" })
}

/// The project of somebody who installs.
pub(crate) fn consumer() -> Value {
    json!({ "name": "consumer", "version": "1.0.0", "private": true })
}
