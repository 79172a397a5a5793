//! The PostgreSQL server of a test run: one for all test processes.

use std::path::Path;

use packhouse_testkit::postgres::{Durability, PostgresServer};

pub(crate) use packhouse_testkit::postgres::URL_VARIABLE;

/// Where Debian puts the server programs of each major version, off `PATH`.
const DEBIAN_PROGRAMS: &str = "/usr/lib/postgresql";

/// Whether a server can be started on this machine.
pub(crate) fn is_installed() -> bool {
    let versions = std::fs::read_dir(DEBIAN_PROGRAMS).into_iter().flatten();
    versions
        .flatten()
        .any(|version| version.path().join("bin/postgres").is_file())
}

/// Starts the server; full durability, because tests about commits share it.
pub(crate) fn start() -> Option<PostgresServer> {
    PostgresServer::start(Path::new("/tmp"), Durability::Full)
}
