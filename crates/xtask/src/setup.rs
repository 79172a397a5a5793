//! What the tests need besides Rust and a C compiler: PostgreSQL and the package clients.

mod containers;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use packhouse_testkit::clients::{self, NODE_22, NPM_PACKAGES, NpmPackage};

use crate::command::{find, run, skip};
use crate::postgres;
use crate::workspace::Workspace;

/// What is there after setting up.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// Whether a PostgreSQL server can be started.
    pub(crate) postgres: bool,
    /// Where the package clients are.
    pub(crate) clients: PathBuf,
}

/// Fetches what is missing. What cannot be had is skipped with a line that says so, or, in CI,
/// an error.
pub(crate) fn prepare(workspace: &Workspace) -> Result<Prepared> {
    if !postgres::is_installed() {
        install_from_debian(&["postgresql"])?;
    }
    let postgres = postgres::is_installed();
    if !postgres {
        skip(
            "no PostgreSQL server: tests that need one are left out; install it (Debian: postgresql)",
        )?;
    }
    let clients = workspace.clients();
    prepare_npm_clients(&clients)?;
    containers::prepare(&clients)?;
    Ok(Prepared { postgres, clients })
}

fn prepare_npm_clients(folder: &Path) -> Result<()> {
    let missing = missing_clients(folder);
    if missing.is_empty() {
        return Ok(());
    }
    if find("npm").is_none() {
        install_from_debian(&["npm"])?;
    }
    if find("npm").is_none() {
        let names: Vec<String> = missing.iter().map(shown).collect();
        return skip(&format!(
            "no npm to fetch {} with: tests with real clients are left out; install Node {} or newer",
            names.join(", "),
            clients::newest_wanted(),
        ));
    }
    for package in missing {
        fetch(&package, folder)
            .with_context(|| format!("cannot fetch {}", shown(&package)))
            .or_else(|error| skip(&format!("{error:#}")))?;
    }
    Ok(())
}

fn missing_clients(folder: &Path) -> Vec<NpmPackage> {
    let clients = NPM_PACKAGES.iter().copied();
    let mut missing: Vec<NpmPackage> = clients
        .filter(|package| !package.path(folder).is_file())
        .collect();
    if clients::node(folder, clients::newest_wanted()).is_none() {
        missing.push(NODE_22);
    }
    missing
}

/// Installs a package beside its final place first: a folder with the final name is complete.
fn fetch(package: &NpmPackage, folder: &Path) -> Result<()> {
    let place = package.folder(folder);
    let staging = place.with_extension("partial");
    for leftover in [&place, &staging] {
        if leftover.exists() {
            std::fs::remove_dir_all(leftover)
                .with_context(|| format!("cannot remove {}", leftover.display()))?;
        }
    }
    std::fs::create_dir_all(&staging)
        .with_context(|| format!("cannot make {}", staging.display()))?;
    let mut npm = Command::new("npm");
    npm.args(["install", "--no-audit", "--no-fund", "--ignore-scripts"])
        .args(["--no-update-notifier", "--loglevel=error", "--prefix"])
        .arg(&staging)
        .arg(shown(package))
        .current_dir(&staging);
    run(&mut npm)?;
    std::fs::rename(&staging, &place).with_context(|| format!("cannot make {}", place.display()))
}

fn shown(package: &NpmPackage) -> String {
    format!("{}@{}", package.name, package.version)
}

/// Does nothing where there is no apt, or no right to use it: the caller looks at the result.
fn install_from_debian(packages: &[&str]) -> Result<()> {
    let root = Command::new("id").arg("-u").output();
    let is_root = root.is_ok_and(|output| output.stdout.trim_ascii() == b"0");
    if !is_root || find("apt-get").is_none() {
        return Ok(());
    }
    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        command
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdin(std::process::Stdio::null());
        run(&mut command)
    };
    apt(&["update", "-q"])
        .and_then(|()| {
            let install = ["install", "-q", "-y", "--no-install-recommends"];
            apt(&[&install, packages].concat())
        })
        .or_else(|error| skip(&format!("{error:#}")))
}
