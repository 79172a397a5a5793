//! Manifests and blobs that are asked for again and again.

use std::fs;

use anyhow::Result;
use packhouse_testkit::images::IMAGE;

use super::{Blob, CONFIG, MIB, Registry, manifest};
use crate::bench::nginx::Nginx;
use crate::bench::wrk;
use crate::bench::{Bench, median};

const ROUNDS: usize = 5;
const REPOSITORY: &str = "bench/pulled";

/// One thing that is pulled.
struct Target {
    shown: &'static str,
    path: String,
    connections: u32,
    is_bytes: bool,
}

pub(super) fn run(bench: &Bench, registries: &[Registry]) -> Result<()> {
    let short = Blob::noise(1, MIB);
    let long = Blob::noise(2, 100 * MIB);
    let shown = manifest(&short);
    for registry in registries {
        let mut session = registry.open()?;
        session.push_blob(REPOSITORY, &Blob::new(CONFIG.to_vec()))?;
        session.push_image(REPOSITORY, "latest", &short)?;
        session.push_image(REPOSITORY, "long", &long)?;
    }
    let files = bench.folder.path().join("pulled");
    fs::create_dir_all(&files)?;
    fs::write(files.join("0"), shown)?;
    fs::write(files.join("1"), &short.bytes)?;
    fs::write(files.join("2"), &long.bytes)?;
    let nginx = Nginx::start(bench.folder.path(), &files)?;
    let targets = [
        Target {
            shown: "manifest by tag, /s",
            path: format!("/v2/{REPOSITORY}/manifests/latest"),
            connections: 16,
            is_bytes: false,
        },
        Target {
            shown: "blob of 1 MiB, MB/s",
            path: format!("/v2/{REPOSITORY}/blobs/{}", short.digest),
            connections: 16,
            is_bytes: true,
        },
        Target {
            shown: "blob of 100 MiB, MB/s",
            path: format!("/v2/{REPOSITORY}/blobs/{}", long.digest),
            connections: 4,
            is_bytes: true,
        },
    ];
    let names: Vec<_> = registries.iter().map(|registry| registry.name).collect();
    println!(
        "\n| pulls | {} | nginx | packhouse to nginx |\n|{}",
        names.join(" | "),
        " --- |".repeat(names.len() + 3)
    );
    for (number, target) in targets.iter().enumerate() {
        table_row(registries, &nginx, number, target)?;
    }
    Ok(())
}

fn table_row(registries: &[Registry], nginx: &Nginx, number: usize, target: &Target) -> Result<()> {
    let mut rates = vec![Vec::new(); registries.len()];
    let (mut static_files, mut ratios) = (Vec::new(), Vec::new());
    for _round in 0..ROUNDS {
        let measure = |url: &str, token: Option<&str>| {
            let measured = wrk::measure(url, token, IMAGE, target.connections)?;
            anyhow::Ok(if target.is_bytes {
                measured.bytes_per_second / 1e6
            } else {
                measured.requests_per_second
            })
        };
        let mut own = None;
        for (registry, rates) in registries.iter().zip(&mut rates) {
            let url = format!("{}{}", registry.base, target.path);
            let rate = measure(&url, registry.token.as_deref())?;
            own.get_or_insert(rate);
            rates.push(rate);
        }
        let files = measure(&format!("{}/{number}", nginx.base()), None)?;
        ratios.push(own.unwrap_or_default() / files);
        static_files.push(files);
    }
    let shown: Vec<_> = rates
        .into_iter()
        .map(|rates| format!("{:.0}", median(rates)))
        .collect();
    println!(
        "| {} | {} | {:.0} | {:.2} |",
        target.shown,
        shown.join(" | "),
        median(static_files),
        median(ratios)
    );
    Ok(())
}
