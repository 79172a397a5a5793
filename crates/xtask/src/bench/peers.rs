//! The same publishes at other registries: NORA and Verdaccio, where they are installed.
//!
//! `PACKHOUSE_PEERS_DIR` names the folder with `bin/nora` (`cargo install nora-registry`) and
//! `verdaccio/node_modules` (`npm install verdaccio`).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use packhouse_testkit::clients;
use packhouse_testkit::http::{self, Request};
use packhouse_testkit::{ports, process};
use serde_json::json;

use super::{Bench, MOUNT, OWNER, SMALL_TARBALL, median, publishers};

const ROUNDS: usize = 3;
const CLIENTS: usize = 8;
const EACH: usize = 150;

/// Rounds of the load generator that nothing else uses.
const FIRST_ROUND: usize = 500;

pub(super) fn run(bench: &Bench) -> Result<()> {
    let folder = named().context("PACKHOUSE_PEERS_DIR does not say where the peers are")?;
    let peers = [nora(bench, &folder)?, verdaccio(bench, &folder)?];

    let mut rows = vec![Row::new(
        "packhouse",
        bench.server.base(),
        MOUNT,
        &bench.token,
    )];
    for peer in peers.iter().flatten() {
        rows.push(Row::new(peer.name, &peer.base, peer.mount, &peer.token));
    }
    // in turn, so that a machine's bad minute is everybody's
    for round in FIRST_ROUND..FIRST_ROUND + ROUNDS {
        for row in &mut rows {
            row.measure(round)?;
        }
    }
    println!(
        "\n| publishes, {CLIENTS} clients | /s | p50 ms | p99 ms |\n| --- | --- | --- | --- |"
    );
    for row in rows {
        row.print();
    }
    Ok(())
}

/// What was measured at one registry, round by round.
struct Row<'a> {
    name: &'a str,
    base: &'a str,
    mount: &'a str,
    token: &'a str,
    rates: Vec<f64>,
    p50: Vec<f64>,
    p99: Vec<f64>,
}

impl<'a> Row<'a> {
    fn new(name: &'a str, base: &'a str, mount: &'a str, token: &'a str) -> Self {
        Self {
            name,
            base,
            mount,
            token,
            rates: Vec::new(),
            p50: Vec::new(),
            p99: Vec::new(),
        }
    }

    fn measure(&mut self, round: usize) -> Result<()> {
        let (base, mount, token) = (self.base, self.mount, self.token);
        let load = publishers::run(base, mount, token, round, CLIENTS, EACH, SMALL_TARBALL)?;
        self.rates.push(load.per_second);
        self.p50.push(load.p50_ms);
        self.p99.push(load.p99_ms);
        Ok(())
    }

    fn print(self) {
        println!(
            "| {} | {:.0} | {:.1} | {:.1} |",
            self.name,
            median(self.rates),
            median(self.p50),
            median(self.p99)
        );
    }
}

/// A registry that runs until this is dropped.
pub(super) struct Peer {
    pub(super) name: &'static str,
    child: Child,
    pub(super) base: String,
    mount: &'static str,
    token: String,
}

impl Drop for Peer {
    fn drop(&mut self) {
        let told = process::signal(self.child.id(), "TERM");
        if let Err(error) = told.and_then(|()| self.child.wait()) {
            eprintln!("{} did not end: {error}", self.name);
        }
    }
}

fn named() -> Option<PathBuf> {
    std::env::var_os("PACKHOUSE_PEERS_DIR").map(PathBuf::from)
}

/// NORA, where the peers' folder is named and has it.
pub(super) fn nora_if_named(bench: &Bench) -> Result<Option<Peer>> {
    match named() {
        Some(folder) => nora(bench, &folder),
        None => {
            eprintln!("SKIPPED: PACKHOUSE_PEERS_DIR does not say where NORA is");
            Ok(None)
        }
    }
}

/// Without authorization, which its passwords would make slower.
fn nora(bench: &Bench, folder: &Path) -> Result<Option<Peer>> {
    let program = folder.join("bin/nora");
    if !program.is_file() {
        eprintln!("SKIPPED: no {}", program.display());
        return Ok(None);
    }
    let port = ports::free();
    let data = bench.folder.path().join("nora");
    fs::create_dir_all(&data)?;
    let mut command = Command::new(program);
    command
        .arg("serve")
        .current_dir(&data)
        .env("NORA_HOST", "127.0.0.1")
        .env("NORA_PORT", port.to_string())
        .env("NORA_STORAGE_PATH", data.join("storage"))
        .env("NORA_AUTH_ENABLED", "false")
        .env("NORA_RATE_LIMIT_ENABLED", "false");
    start("NORA", command, port, "/npm", "/health").map(Some)
}

fn verdaccio(bench: &Bench, folder: &Path) -> Result<Option<Peer>> {
    let script = folder.join("verdaccio/node_modules/verdaccio/bin/verdaccio");
    let node = clients::node(&bench.clients, clients::newest_wanted());
    let (true, Some(node)) = (script.is_file(), node) else {
        eprintln!("SKIPPED: no {} or no Node", script.display());
        return Ok(None);
    };
    let port = ports::free();
    let data = bench.folder.path().join("verdaccio");
    fs::create_dir_all(&data)?;
    let config = data.join("config.yaml");
    // tokens that are signed: with its other kind every request costs a bcrypt
    fs::write(
        &config,
        "storage: ./storage\n\
         auth:\n  htpasswd:\n    file: ./htpasswd\n    rounds: 4\n\
         security:\n  api:\n    legacy: false\n    jwt:\n      sign:\n        expiresIn: 1d\n\
         packages:\n  '**':\n    access: $all\n    publish: $authenticated\n\
         max_body_size: 100mb\n\
         log: { type: stdout, format: pretty, level: fatal }\n",
    )?;
    let mut command = Command::new(node);
    command
        .arg(script)
        .arg("--config")
        .arg(&config)
        .arg("--listen")
        .arg(format!("127.0.0.1:{port}"))
        .current_dir(&data);
    let mut peer = start("Verdaccio", command, port, "", "/-/ping")?;
    let user = json!({"name": OWNER, "password": "correct horse battery"});
    let request = Request::put(format!("/-/user/org.couchdb.user:{OWNER}")).json(&user);
    let answer = http::send(&peer.base, &request)?;
    let answered = answer.json();
    let token = answered.get("token").and_then(|token| token.as_str());
    let token = token.map(str::to_owned);
    peer.token = token.with_context(|| format!("no token from Verdaccio: {answer}"))?;
    Ok(Some(peer))
}

pub(super) fn start(
    name: &'static str,
    mut command: Command,
    port: u16,
    mount: &'static str,
    probe: &str,
) -> Result<Peer> {
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot run {name}"))?;
    let peer = Peer {
        name,
        child,
        base: format!("http://127.0.0.1:{port}"),
        mount,
        token: "none".to_owned(),
    };
    let deadline = Instant::now() + Duration::from_secs(30);
    while http::send(&peer.base, &Request::get(probe)).is_err() {
        if Instant::now() > deadline {
            bail!("{name} does not answer");
        }
        std::thread::yield_now();
    }
    Ok(peer)
}
