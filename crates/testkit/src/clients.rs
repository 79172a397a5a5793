//! The real package clients, prepared once by `cargo xtask setup` and run in isolation.
//!
//! A client lives in a cache folder under a name with its exact version. Each test runs it with
//! a home, a cache and a configuration of its own, and with a default registry that nobody
//! listens on, so that a test can never reach a public one.

#![expect(
    clippy::panic,
    reason = "only tests link this crate: a broken expectation is a failed test"
)]

mod client;
pub mod containers;
mod node;
mod packages;
mod project;

use std::io::Write;
use std::path::{Path, PathBuf};

pub use client::Client;
pub use node::{NodeVersion, newest_wanted, node};
pub use packages::{
    BUN, DENO, NODE_22, NPM_10, NPM_11, NPM_12, NPM_PACKAGES, NpmPackage, PNPM_10, PNPM_11,
    PNPM_12, RunsOn, Settings, VERDACCIO_E2E, YARN_1, YARN_4,
};
pub use project::{NOWHERE, NpmProject};

/// Names the folder of prepared clients when it is not `clients` in the target folder.
pub const FOLDER_VARIABLE: &str = "PACKHOUSE_CLIENTS_DIR";

/// The folder of prepared clients: [`FOLDER_VARIABLE`], or `clients` in the target folder.
#[must_use]
pub fn folder() -> PathBuf {
    if let Some(path) = std::env::var_os(FOLDER_VARIABLE) {
        return PathBuf::from(path);
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let target = target.or_else(|| {
        // target/PROFILE/deps/TEST
        let test = std::env::current_exe().ok()?;
        test.ancestors().nth(3).map(Path::to_owned)
    });
    target.unwrap_or_default().join("clients")
}

/// Whether nothing may be skipped: `CI` is `true` or `1`.
#[must_use]
pub fn in_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| value == "true" || value == "1")
}

#[track_caller]
fn skip(missing: &str) {
    assert!(
        !in_ci(),
        "{missing}: run `cargo xtask setup`; nothing is skipped in CI"
    );
    note(&format!("{missing}; run `cargo xtask setup`"));
}

/// Says what a test leaves out.
fn note(what: &str) {
    let test = std::thread::current().name().unwrap_or("test").to_owned();
    // Written past the test runner's capture, which hides what a passing test prints.
    let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {what}");
}

#[cfg(test)]
mod tests;
