//! Load runs against a release build, beside others that serve the same bytes.
//!
//! Machines differ and are noisy: quote medians, and ratios between numbers of one run.

mod containers;
mod growth;
mod install;
mod memory;
mod nginx;
mod peers;
mod publishers;
mod reads;
mod scale;
mod wrk;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use packhouse_testkit::http::{self, Request, Response};
use packhouse_testkit::server::TestServer;
use tempfile::TempDir;

use crate::command::{self, cargo, find};
use crate::workspace::Workspace;

const OWNER: &str = "bench";
const MOUNT: &str = "/_registry/npm";
const SMALL_TARBALL: usize = 4 * 1024;

/// What is run when nothing is named, in this order.
const USUAL: &[&str] = &["reads", "publishes", "memory", "install"];

/// A release build with a user who may do everything with packages.
struct Bench {
    folder: TempDir,
    clients: PathBuf,
    server: TestServer,
    token: String,
}

/// Builds for release and runs what is named: `reads`, `publishes`, `memory`, `install`, `peers`,
/// `containers` and `scale`.
pub(crate) fn run(workspace: &Workspace, names: &[&str]) -> Result<()> {
    for program in ["wrk", "nginx"] {
        if find(program).is_none() && !Path::new("/usr/sbin").join(program).is_file() {
            bail!("the load run needs {program}: apt-get install wrk nginx");
        }
    }
    command::run(&mut cargo(&["build", "--release", "--bin", "packhouse"]))?;
    let names = if names.is_empty() { USUAL } else { names };
    // one server for what is run by default: its memory at the end is a number as well
    let bench = Bench::start(workspace)?;
    println!("idle: {} MiB resident", resident_mib(bench.server.pid())?);
    for name in names {
        match *name {
            "reads" => reads::run(&bench)?,
            "publishes" => {
                publishers::table(&bench)?;
                growth::run(&bench)?;
            }
            "memory" => memory::run(&bench)?,
            "install" => install::run(&bench)?,
            "containers" => containers::run(&bench)?,
            "peers" => peers::run(&bench)?,
            "scale" => scale::run(workspace)?,
            other => bail!("no such load run: {other}"),
        }
        println!(
            "\nafter {name}: {} MiB resident",
            resident_mib(bench.server.pid())?
        );
    }
    Ok(())
}

impl Bench {
    fn start(workspace: &Workspace) -> Result<Self> {
        let folder = tempfile::tempdir_in(&workspace.target).context("a folder for the run")?;
        let server = TestServer::builder()
            .binary(workspace.target.join("release/packhouse"))
            .data_dir(folder.path().join("data"))
            .start();
        server.admin(&["create-user", OWNER]);
        let token = server.token(OWNER, "read:packages,write:packages,delete:packages");
        Ok(Self {
            folder,
            clients: workspace.target.join("clients"),
            server,
            token,
        })
    }

    /// Publishes one version of a package of the owner, and gives the answer.
    fn publish(&self, name: &str, version: &str, payload: &[u8]) -> Result<()> {
        let body = publishers::document(&format!("@{OWNER}/{name}"), version, payload);
        self.publish_document(name, body)
    }

    fn publish_document(&self, name: &str, body: Vec<u8>) -> Result<()> {
        let request = Request::put(format!("{MOUNT}/@{OWNER}%2f{name}"))
            .bearer(&self.token)
            .header("content-type", "application/json")
            .body(body);
        let answer = http::send(self.server.base(), &request)?;
        if answer.status != 201 {
            bail!("publish of {name}: {answer}");
        }
        Ok(())
    }

    /// A package of `count` versions, 1.0.0 and up.
    fn fill(&self, name: &str, count: usize) -> Result<()> {
        for patch in 0..count {
            let payload = publishers::noise(patch, SMALL_TARBALL);
            self.publish(name, &format!("1.0.{patch}"), &payload)?;
        }
        Ok(())
    }

    fn get(&self, path: &str, accept: &str) -> Result<Response> {
        let request = Request::get(path)
            .bearer(&self.token)
            .header("accept", accept);
        let answer = http::send(self.server.base(), &request)?;
        if answer.status != 200 {
            bail!("{path}: {}", answer.status);
        }
        Ok(answer)
    }
}

/// The number of an argument's environment variable, or the usual one.
fn number(variable: &str, usual: usize) -> Result<usize> {
    match std::env::var(variable) {
        Ok(text) => text
            .parse()
            .with_context(|| format!("{variable} is not a number")),
        Err(_) => Ok(usual),
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// What a process keeps in memory, in MiB.
fn resident_mib(pid: u32) -> Result<u64> {
    status_mib(pid, "VmRSS:")
}

/// A line of a process's status (`proc(5)`), in MiB.
fn status_mib(pid: u32, name: &str) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kib: u64 = line
        .and_then(|rest| rest.split_whitespace().next())
        .with_context(|| format!("no {name}"))?
        .parse()?;
    Ok(kib / 1024)
}
