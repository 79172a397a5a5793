//! Whether a registry gets slower as it fills, and how soon a full one answers.

use std::time::Instant;

use anyhow::Result;

use super::{Bench, MOUNT, OWNER, median, number, publishers, wrk};

const NAME: &str = "measured";
const FEW: usize = 1_000;
const SOME: usize = 100_000;

const CLIENTS: usize = 16;
const EACH: usize = 250;
const ROUNDS: usize = 7;
const STARTS: usize = 5;

/// Small enough that filling is the registry's work and not the disk's.
const TARBALL: usize = 64;

pub(super) fn run(bench: &mut Bench) -> Result<()> {
    let many = number("PACKHOUSE_BENCH_VERSIONS", 1_000_000)?;
    bench.fill(NAME, 5)?;
    let mut filled = Filled::default();
    println!(
        "\n| versions in the database | packument, 5 versions, /s | start to first answer, ms |\n| --- | --- | --- |"
    );
    for versions in [FEW, SOME, many] {
        filled.up_to(bench, versions)?;
        let rates = (0..ROUNDS)
            .map(|_| {
                let url = format!("{}{MOUNT}/@{OWNER}%2f{NAME}", bench.server.base());
                wrk::requests_per_second(&url, Some(&bench.token), "*/*")
            })
            .collect::<Result<Vec<_>>>()?;
        let starts = (0..STARTS)
            .map(|_| start_ms(bench))
            .collect::<Result<Vec<_>>>()?;
        println!(
            "| {versions} | {:.0} | {:.0} |",
            median(rates),
            median(starts)
        );
    }
    Ok(())
}

/// How many versions of other packages were published.
#[derive(Default)]
struct Filled {
    versions: usize,
    rounds: usize,
}

impl Filled {
    fn up_to(&mut self, bench: &Bench, versions: usize) -> Result<()> {
        while self.versions < versions {
            let each = EACH.min((versions - self.versions).div_ceil(CLIENTS));
            let (base, token) = (bench.server.base(), &bench.token);
            publishers::run(
                base,
                MOUNT,
                token,
                1_000 + self.rounds,
                CLIENTS,
                each,
                TARBALL,
            )?;
            self.rounds += 1;
            self.versions += CLIENTS * each;
        }
        Ok(())
    }
}

/// From the start of the program to the first document, in milliseconds.
fn start_ms(bench: &mut Bench) -> Result<f64> {
    bench.server.stop();
    let began = Instant::now();
    bench.server.restart();
    bench.get(&format!("{MOUNT}/@{OWNER}%2f{NAME}"), "*/*")?;
    Ok(began.elapsed().as_secs_f64() * 1_000.0)
}
