//! What a publish costs in a package that has many versions already.

use std::time::Instant;

use anyhow::Result;

use super::{Bench, MOUNT, OWNER, SMALL_TARBALL, median, number, publishers};

const NAME: &str = "growing";
const EARLY: usize = 100;

/// Publishes that are measured, one after the other: a median needs some.
const MEASURED: usize = 60;

pub(super) fn run(bench: &Bench) -> Result<()> {
    let late = number("PACKHOUSE_BENCH_VERSIONS", 10_000)?;
    publish(bench, 0, EARLY)?;
    let early_ms = publish(bench, EARLY, MEASURED)?;
    publish(bench, EARLY + MEASURED, late - EARLY - MEASURED)?;
    let late_ms = publish(bench, late, MEASURED)?;
    println!(
        "\n| one publish, one client | version {} | version {} | ratio |\n\
         | --- | --- | --- | --- |\n\
         | median ms | {early_ms:.2} | {late_ms:.2} | {:.2} |",
        EARLY + 1,
        late + 1,
        late_ms / early_ms
    );
    for form in ["*/*", "application/vnd.npm.install-v1+json"] {
        let began = Instant::now();
        let answer = bench.get(&format!("{MOUNT}/@{OWNER}%2f{NAME}"), form)?;
        println!(
            "first read of {late} versions as {form}: {:.0} ms, {} KiB",
            began.elapsed().as_secs_f64() * 1_000.0,
            answer.body.len() / 1024
        );
    }
    Ok(())
}

/// Publishes `count` versions from `first`, and gives the median of what one took, in
/// milliseconds.
fn publish(bench: &Bench, first: usize, count: usize) -> Result<f64> {
    let mut took = Vec::with_capacity(count);
    for number in first..first + count {
        let payload = publishers::noise(number, SMALL_TARBALL);
        let began = Instant::now();
        bench.publish(
            NAME,
            &format!("1.{}.{}", number / 100, number % 100),
            &payload,
        )?;
        took.push(began.elapsed().as_secs_f64() * 1_000.0);
    }
    Ok(median(took))
}
