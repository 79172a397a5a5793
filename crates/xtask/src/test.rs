//! Building the server and running the tests against it.

use anyhow::{Result, bail};
use packhouse_testkit::{clients, server};

use crate::command::{self, cargo};
use crate::conformance;
use crate::postgres;
use crate::setup;
use crate::third_party;
use crate::workspace::Workspace;

/// Which tests to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tier {
    /// All of them.
    Everything,
    /// The database crate's, which must not skip PostgreSQL.
    PostgreSql,
    /// Those that drive real clients against a started server.
    Clients,
}

/// Sets up, builds the server, and runs the third-party suite alone.
pub(crate) fn third_party(workspace: &Workspace) -> Result<()> {
    let prepared = setup::prepare(workspace)?;
    command::run(&mut cargo(&["build", "--workspace", "--bin", "packhouse"]))?;
    third_party::run(workspace, &prepared.clients)
}

/// Sets up, builds the server, starts one PostgreSQL for the run, and hands over to `cargo test`;
/// then comes the third-party suite, whose summary is the end of it.
pub(crate) fn run(workspace: &Workspace, tier: Tier, arguments: &[&str]) -> Result<()> {
    let prepared = setup::prepare(workspace)?;
    if tier == Tier::PostgreSql && !prepared.postgres {
        bail!("there is no PostgreSQL server to test with");
    }
    if tier != Tier::PostgreSql {
        // With the features of the whole workspace, so that `cargo test` builds little anew.
        command::run(&mut cargo(&["build", "--workspace", "--bin", "packhouse"]))?;
    }

    let postgres = prepared.postgres.then(postgres::start).flatten();
    let mut tests = cargo(&["test", "--no-fail-fast"]);
    match tier {
        Tier::Everything => tests.arg("--workspace"),
        Tier::PostgreSql => tests.args(["--package", "packhouse-db"]),
        Tier::Clients => tests.args(["--workspace", "--test", "clients", "--test", "containers"]),
    };
    tests
        .args(arguments)
        .env(server::BINARY_VARIABLE, workspace.server())
        .env(clients::FOLDER_VARIABLE, &prepared.clients);
    match &postgres {
        Some(running) => tests.env(postgres::URL_VARIABLE, running.url()),
        None => tests.env_remove(postgres::URL_VARIABLE),
    };
    let tested = command::run(&mut tests);
    // Arguments choose among the project's own tests.
    if tier == Tier::PostgreSql || !arguments.is_empty() {
        return tested;
    }
    // what needs programs that cannot be had from a package registry comes before the suite
    // whose summary is the end of it
    let judged = match (tier, conformance::is_wanted()) {
        (Tier::Everything, true) => conformance::run(workspace),
        (Tier::Everything, false) => {
            eprintln!(
                "SKIPPED: the OCI conformance suites: {}",
                conformance::missing()
            );
            Ok(())
        }
        _ => Ok(()),
    };
    let third_party = third_party::run(workspace, &prepared.clients);
    let failures: Vec<String> = [tested, judged, third_party]
        .into_iter()
        .filter_map(Result::err)
        .map(|error| format!("{error:#}"))
        .collect();
    if !failures.is_empty() {
        bail!("{}", failures.join("; "));
    }
    Ok(())
}

/// Builds the server and runs the OCI conformance suites alone.
pub(crate) fn conformance(workspace: &Workspace) -> Result<()> {
    command::run(&mut cargo(&["build", "--workspace", "--bin", "packhouse"]))?;
    conformance::run(workspace)
}
