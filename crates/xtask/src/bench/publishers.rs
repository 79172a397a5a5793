//! Clients that publish at once, each its own packages, bodies made before the clock starts.

use std::thread;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use packhouse_testkit::archives::npm_tarball;
use packhouse_testkit::http::{Connection, Request};
use packhouse_testkit::npm;
use serde_json::{Value, json};

use super::{Bench, MOUNT, OWNER, SMALL_TARBALL};

const CLIENTS: usize = 8;
const EACH: usize = 300;

/// What a load run measured.
pub(super) struct Load {
    pub(super) per_second: f64,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
}

/// Versions of one package; a client goes to its next package after them.
const VERSIONS: usize = 10;

/// Durable publishes, three rounds.
pub(super) fn table(bench: &Bench) -> Result<()> {
    println!(
        "\n| durable publishes, {CLIENTS} clients | /s | p50 ms | p99 ms |\n| --- | --- | --- | --- |"
    );
    for round in 0..3 {
        let load = run(
            bench.server.base(),
            MOUNT,
            &bench.token,
            round,
            CLIENTS,
            EACH,
            SMALL_TARBALL,
        )?;
        println!(
            "| round {} | {:.0} | {:.1} | {:.1} |",
            round + 1,
            load.per_second,
            load.p50_ms,
            load.p99_ms
        );
    }
    Ok(())
}

/// `each` publishes by each of `clients`, over a connection of its own.
pub(super) fn run(
    base: &str,
    mount: &str,
    token: &str,
    round: usize,
    clients: usize,
    each: usize,
    tarball: usize,
) -> Result<Load> {
    let prepared: Vec<Vec<Request>> = (0..clients)
        .map(|client| {
            (0..each)
                .map(|number| request(mount, token, round, client, number, tarball))
                .collect()
        })
        .collect();
    let began = Instant::now();
    let running: Vec<_> = prepared
        .into_iter()
        .map(|requests| {
            let base = base.to_owned();
            thread::spawn(move || send(&base, &requests))
        })
        .collect();
    let mut latencies = Vec::with_capacity(clients * each);
    for client in running {
        match client.join() {
            Ok(measured) => latencies.extend(measured?),
            Err(_panic) => bail!("a client panicked"),
        }
    }
    let took = began.elapsed().as_secs_f64();
    latencies.sort_by(f64::total_cmp);
    let at = |share: usize| {
        latencies
            .get(latencies.len() * share / 100)
            .copied()
            .unwrap_or_default()
            * 1_000.0
    };
    let count = u32::try_from(latencies.len()).context("too many to count")?;
    Ok(Load {
        per_second: f64::from(count) / took,
        p50_ms: at(50),
        p99_ms: at(99),
    })
}

fn request(
    mount: &str,
    token: &str,
    round: usize,
    client: usize,
    number: usize,
    tarball: usize,
) -> Request {
    let name = format!("load-{round}-{client}-{}", number / VERSIONS);
    let version = format!("1.0.{}", number % VERSIONS);
    let payload = noise(round * 1_000_000 + client * 10_000 + number, tarball);
    Request::put(format!("{mount}/@{OWNER}%2f{name}"))
        .bearer(token)
        .header("content-type", "application/json")
        .body(document(&format!("@{OWNER}/{name}"), &version, &payload))
}

/// What npm would send for a package with `payload` as its one module.
pub(super) fn document(name: &str, version: &str, payload: &[u8]) -> Vec<u8> {
    let dependencies = json!({"left": "^1.0.0", "right": "~2.1.0"});
    document_with(name, version, payload, &dependencies)
}

/// The same with other dependencies.
pub(super) fn document_with(
    name: &str,
    version: &str,
    payload: &[u8],
    dependencies: &Value,
) -> Vec<u8> {
    let fields = json!({
        "description": "A package under load",
        "license": "MIT",
        "main": "index.js",
        "dependencies": dependencies,
    });
    let readme = format!("# {name}\n");
    let files: [(&str, &[u8]); 2] = [("README.md", readme.as_bytes()), ("index.js", payload)];
    let tarball = npm_tarball(name, version, &fields, &files);
    npm::publish_document(name, version, &tarball)
        .to_string()
        .into_bytes()
}

fn send(base: &str, requests: &[Request]) -> Result<Vec<f64>> {
    let mut connection = Connection::open(base)?;
    let mut latencies = Vec::with_capacity(requests.len());
    for request in requests {
        let began = Instant::now();
        let answer = connection.send(request)?;
        latencies.push(began.elapsed().as_secs_f64());
        if answer.status != 201 {
            bail!(
                "a publish was answered {}: {}",
                answer.status,
                answer.text()
            );
        }
    }
    Ok(latencies)
}

/// Bytes that do not compress, different for every seed.
pub(super) fn noise(seed: usize, len: usize) -> Vec<u8> {
    let mut state = u64::try_from(seed)
        .unwrap_or_default()
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        | 1;
    (0..len)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[0]
        })
        .collect()
}
