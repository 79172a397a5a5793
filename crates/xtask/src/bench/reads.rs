//! Documents and tarballs that are asked for again and again, beside nginx with the same bytes.

use std::fs;

use anyhow::Result;

use super::nginx::Nginx;
use super::{Bench, MOUNT, OWNER, median, wrk};

/// A row is the median of so many rounds, packhouse and nginx in turn.
const ROUNDS: usize = 5;
const ABBREVIATED: &str = "application/vnd.npm.install-v1+json";

/// One thing that is asked for again and again.
struct Target {
    shown: &'static str,
    path: String,
    accept: &'static str,
}

pub(super) fn run(bench: &Bench) -> Result<()> {
    bench.fill("five", 5)?;
    bench.fill("hundred", 100)?;
    let targets = targets();
    let files = bench.folder.path().join("files");
    fs::create_dir_all(&files)?;
    for (number, target) in targets.iter().enumerate() {
        let answer = bench.get(&target.path, target.accept)?;
        fs::write(files.join(number.to_string()), &answer.body)?;
    }
    let nginx = Nginx::start(bench.folder.path(), &files)?;

    println!(
        "\n| warm, `wrk -t1 -c16` | packhouse /s | nginx /s | ratio |\n| --- | --- | --- | --- |"
    );
    for (number, target) in targets.iter().enumerate() {
        let (mut ours, mut theirs, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for _round in 0..ROUNDS {
            let url = format!("{}{}", bench.server.base(), target.path);
            let own = wrk::requests_per_second(&url, Some(&bench.token), target.accept)?;
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
