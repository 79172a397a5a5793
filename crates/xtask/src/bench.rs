//! Load runs against a release build, beside a static file server with the same bytes.
//!
//! Machines differ and are noisy: quote medians, and ratios between numbers of one run.

mod nginx;
mod publishers;
mod wrk;

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use packhouse_testkit::http::{self, Request};
use packhouse_testkit::server::TestServer;

use crate::command::{self, cargo, find};
use crate::workspace::Workspace;
use nginx::Nginx;

const OWNER: &str = "bench";
const MOUNT: &str = "/_registry/npm";
/// A row is the median of so many rounds, packhouse and nginx in turn.
const ROUNDS: usize = 5;
const SMALL_TARBALL: usize = 4 * 1024;
const ABBREVIATED: &str = "application/vnd.npm.install-v1+json";

/// One thing that is asked for again and again.
struct Target {
    shown: &'static str,
    path: String,
    accept: &'static str,
}

/// Builds for release, fills a server, and prints a table.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    for program in ["wrk", "nginx"] {
        if find(program).is_none() && !Path::new("/usr/sbin").join(program).is_file() {
            bail!("the load run needs {program}: apt-get install wrk nginx");
        }
    }
    command::run(&mut cargo(&["build", "--release", "--bin", "packhouse"]))?;
    let folder = tempfile::tempdir_in(&workspace.target).context("a folder for the run")?;
    let server = TestServer::builder()
        .binary(workspace.target.join("release/packhouse"))
        .data_dir(folder.path().join("data"))
        .start();
    server.admin(&["create-user", OWNER]);
    let token = server.token(OWNER, "read:packages,write:packages,delete:packages");
    println!("idle: {} MiB resident", resident_mib(server.pid())?);

    fill(&server, &token, "five", 5)?;
    fill(&server, &token, "hundred", 100)?;
    let targets = targets();
    let files = folder.path().join("files");
    for (number, target) in targets.iter().enumerate() {
        let request = Request::get(&target.path)
            .bearer(&token)
            .header("accept", target.accept);
        let answer = http::send(server.base(), &request)?;
        if answer.status != 200 {
            bail!("{}: {}", target.path, answer.status);
        }
        fs::create_dir_all(&files)?;
        fs::write(files.join(number.to_string()), &answer.body)?;
    }
    let nginx = Nginx::start(folder.path(), &files)?;

    println!(
        "\n| warm, `wrk -t1 -c16` | packhouse /s | nginx /s | ratio |\n| --- | --- | --- | --- |"
    );
    for (number, target) in targets.iter().enumerate() {
        let (mut ours, mut theirs, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for _round in 0..ROUNDS {
            let url = format!("{}{}", server.base(), target.path);
            let own = wrk::requests_per_second(&url, Some(&token), target.accept)?;
            let url = format!("{}/{number}", nginx.base());
            let other = wrk::requests_per_second(&url, None, target.accept)?;
            ours.push(own);
            theirs.push(other);
            ratios.push(own / other);
        }
        println!(
            "| {} | {:.0} | {:.0} | {:.2} |",
            target.shown,
            median(ours),
            median(theirs),
            median(ratios)
        );
    }

    println!(
        "\n| durable publishes, 8 clients | /s | p50 ms | p99 ms |\n| --- | --- | --- | --- |"
    );
    for round in 0..3 {
        let load = publishers::run(server.base(), &token, round, 8, 300)?;
        println!(
            "| round {} | {:.0} | {:.1} | {:.1} |",
            round + 1,
            load.per_second,
            load.p50_ms,
            load.p99_ms
        );
    }
    println!(
        "\nafter all of it: {} MiB resident",
        resident_mib(server.pid())?
    );
    Ok(())
}

fn targets() -> Vec<Target> {
    let document = |name: &str| format!("{MOUNT}/@{OWNER}%2f{name}");
    vec![
        Target {
            shown: "packument, 5 versions",
            path: document("five"),
            accept: "*/*",
        },
        Target {
            shown: "abbreviated, 5 versions",
            path: document("five"),
            accept: ABBREVIATED,
        },
        Target {
            shown: "packument, 100 versions",
            path: document("hundred"),
            accept: "*/*",
        },
        Target {
            shown: "abbreviated, 100 versions",
            path: document("hundred"),
            accept: ABBREVIATED,
        },
        Target {
            shown: "tarball, 4 KiB",
            path: format!("{MOUNT}/@{OWNER}/five/-/five-1.0.0.tgz"),
            accept: "*/*",
        },
    ]
}

fn fill(server: &TestServer, token: &str, name: &str, versions: usize) -> Result<()> {
    let full = format!("@{OWNER}/{name}");
    for patch in 0..versions {
        let payload = publishers::noise(patch, SMALL_TARBALL);
        let body = publishers::document(&full, &format!("1.0.{patch}"), &payload);
        let request = Request::put(format!("{MOUNT}/@{OWNER}%2f{name}"))
            .bearer(token)
            .header("content-type", "application/json")
            .body(body);
        let answer = http::send(server.base(), &request)?;
        if answer.status != 201 {
            bail!(
                "publish of {full} 1.0.{patch}: {} {}",
                answer.status,
                answer.text()
            );
        }
    }
    Ok(())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// What a process keeps in memory, in MiB.
fn resident_mib(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: u64 = line
        .and_then(|rest| rest.split_whitespace().next())
        .context("no VmRSS")?
        .parse()?;
    Ok(kib / 1024)
}
