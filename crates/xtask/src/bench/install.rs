//! `npm ci` of an application with many dependencies, beside a static file server.

use std::fs;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use packhouse_testkit::clients::{Client, NPM_11, NpmProject};
use serde_json::{Map, Value, json};

use super::nginx::Nginx;
use super::{Bench, MOUNT, median, publishers};

/// The owner, as npm names them.
const SCOPE: &str = "@bench";

const PACKAGES: usize = 300;
const ROUNDS: usize = 5;

pub(super) fn run(bench: &Bench) -> Result<()> {
    let npm = Client::find(&NPM_11, &bench.clients).map_err(anyhow::Error::msg)?;
    let mut dependencies = Map::new();
    for number in 0..PACKAGES {
        let name = format!("dependency-{number}");
        let payload = publishers::noise(number, 1024 + number * 7919 % 40_000);
        let full = format!("{SCOPE}/{name}");
        let body = publishers::document_with(&full, "1.0.0", &payload, &json!({}));
        bench.publish_document(&name, body)?;
        dependencies.insert(full, json!("^1.0.0"));
    }
    let manifest = json!({
        "name": "application", "version": "1.0.0", "private": true,
        "dependencies": dependencies,
    });
    let registry = format!("{}{MOUNT}", bench.server.base());
    let ours = NpmProject::new(&npm, &manifest);
    ours.use_registry(&[SCOPE], &registry, Some(&bench.token));
    let locked = ours.run(&["install", "--package-lock-only"]);
    ensure!(locked.success(), "no lock file: {locked}");
    let lock = ours.read("package-lock.json");

    let files = bench.folder.path().join("static");
    save_tarballs(bench, &lock, &registry, &files)?;
    let nginx = Nginx::start(&files, &files)?;
    let theirs = NpmProject::new(&npm, &manifest);
    theirs.use_registry(&[SCOPE], nginx.base(), None);
    theirs.write("package-lock.json", lock.replace(&registry, nginx.base()));

    let (mut own, mut other) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        own.push(install(bench, &ours, &format!("own-{round}"))?);
        other.push(install(bench, &theirs, &format!("other-{round}"))?);
    }
    let (own, other) = (median(own), median(other));
    println!(
        "\n| `npm ci`, {PACKAGES} packages, nothing cached | packhouse s | nginx s | ratio |\n\
         | --- | --- | --- | --- |\n| median of {ROUNDS} | {own:.2} | {other:.2} | {:.2} |",
        own / other
    );
    Ok(())
}

/// Lays every tarball of the lock file where nginx finds it below the same path.
fn save_tarballs(bench: &Bench, lock: &str, registry: &str, files: &std::path::Path) -> Result<()> {
    let lock: Value = serde_json::from_str(lock)?;
    let packages = lock.get("packages").and_then(Value::as_object);
    let packages = packages.context("no packages")?;
    for package in packages.values() {
        let Some(url) = package.get("resolved").and_then(Value::as_str) else {
            continue;
        };
        let path = url
            .strip_prefix(registry)
            .with_context(|| format!("not of this registry: {url}"))?;
        let answer = bench.get(&format!("{MOUNT}{path}"), "*/*")?;
        let file = files.join(path.trim_start_matches('/'));
        fs::create_dir_all(file.parent().unwrap_or(files))?;
        fs::write(file, &answer.body)?;
    }
    // what the server is known to be up by
    fs::write(files.join("0"), "")?;
    Ok(())
}

/// Seconds that one installation takes.
fn install(bench: &Bench, project: &NpmProject, cache: &str) -> Result<f64> {
    let modules = project.path().join("node_modules");
    if modules.exists() {
        fs::remove_dir_all(&modules)?;
    }
    let cache = bench.folder.path().join(cache);
    let cache = format!("--cache={}", cache.display());
    let began = Instant::now();
    let installed = project.run(&["ci", &cache]);
    let took = began.elapsed().as_secs_f64();
    ensure!(installed.success(), "npm ci failed: {installed}");
    Ok(took)
}
