//! Whether a registry gets slower as it fills, and how soon a full one answers.
//!
//! Two servers stand beside each other and are asked in turn: one with a thousand versions, one
//! whose database was filled. Publishing a million versions would take a quarter of an hour, so
//! a thousand are published and their rows multiplied, under new names, with the server stopped.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};

use super::{Bench, MOUNT, OWNER, median, number, publishers, wrk};
use crate::workspace::Workspace;

const NAME: &str = "measured";

/// Versions that are published.
const SEED: usize = 1_000;
const SOME: usize = 100_000;

const CLIENTS: usize = 8;
const ROUNDS: usize = 7;
const STARTS: usize = 5;
const TARBALL: usize = 64;

/// What the keys of two copies of a row are apart.
const STRIDE: usize = 1_000_000;

pub(super) fn run(workspace: &Workspace) -> Result<()> {
    let most = number("PACKHOUSE_BENCH_VERSIONS", 1_000_000)?;
    let few = seeded(workspace)?;
    println!(
        "\n| versions in the database | packument, 5 versions, /s | beside it with {SEED} | ratio | start to first answer, ms |\n\
         | --- | --- | --- | --- | --- |"
    );
    for versions in [SOME, most] {
        let mut many = seeded(workspace)?;
        many.server.stop();
        multiply(&many, versions / SEED)?;
        many.server.restart();
        let starts = (0..STARTS)
            .map(|_| start_ms(&mut many))
            .collect::<Result<Vec<_>>>()?;
        let (mut filled, mut beside, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for _round in 0..ROUNDS {
            let (full, small) = (rate(&many)?, rate(&few)?);
            filled.push(full);
            beside.push(small);
            ratios.push(full / small);
        }
        println!(
            "| {versions} | {:.0} | {:.0} | {:.2} | {:.0} |",
            median(filled),
            median(beside),
            median(ratios),
            median(starts)
        );
    }
    Ok(())
}

/// A server with the package that is measured, and [`SEED`] versions of others.
fn seeded(workspace: &Workspace) -> Result<Bench> {
    let bench = Bench::start(workspace)?;
    bench.fill(NAME, 5)?;
    publishers::run(
        bench.server.base(),
        MOUNT,
        &bench.token,
        0,
        CLIENTS,
        SEED / CLIENTS,
        TARBALL,
    )?;
    Ok(bench)
}

/// Packuments a second.
fn rate(bench: &Bench) -> Result<f64> {
    let url = format!("{}{MOUNT}/@{OWNER}%2f{NAME}", bench.server.base());
    wrk::requests_per_second(&url, Some(&bench.token), "*/*")
}

/// Copies the rows of every published package, but the measured one, until there are `times` of
/// each.
fn multiply(bench: &Bench, times: usize) -> Result<()> {
    let copies = times.saturating_sub(1);
    let sql = format!(
        "pragma foreign_keys = off;
         begin;
         create temp table copies as
           with recursive n (k) as (select 1 union all select k + 1 from n where k < {copies})
           select k, k * {STRIDE} as offset from n;
         create temp table seeds as select * from packages where name <> '{NAME}';
         insert into packages (id, owner_id, ecosystem, name, name_key, visibility,
             inherit_access, revision, live_versions, created_at, updated_at, indexed)
           select id + offset, owner_id, ecosystem, name || '-' || k, name_key || '-' || k,
             visibility, inherit_access, revision, live_versions, created_at, updated_at, 1
           from seeds, copies;
         insert into versions (id, package_id, name, name_key, metadata, readme, license,
             description, prerelease, publisher_id, replay_key, size_bytes, created_at, updated_at)
           select v.id + offset, v.package_id + offset, v.name, v.name_key, v.metadata, v.readme,
             v.license, v.description, v.prerelease, v.publisher_id, v.replay_key, v.size_bytes,
             v.created_at, v.updated_at
           from seeds join versions v on v.package_id = seeds.id, copies;
         insert into files (id, package_id, version_id, name, sha256, sha512, sha1, md5,
             size_bytes, media_type, created_at)
           select f.id + offset, f.package_id + offset, f.version_id + offset, f.name, f.sha256,
             f.sha512, f.sha1, f.md5, f.size_bytes, f.media_type, f.created_at
           from seeds join files f on f.package_id = seeds.id, copies;
         insert into tags (package_id, name, version_id, updated_at)
           select t.package_id + offset, t.name, t.version_id + offset, t.updated_at
           from seeds join tags t on t.package_id = seeds.id, copies;
         commit;
         select count(*) from versions;"
    );
    let mut sqlite = Command::new("sqlite3")
        .arg("-bail")
        .arg(bench.server.data_dir().join("packhouse.db"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("the load run needs sqlite3: apt-get install sqlite3")?;
    sqlite
        .stdin
        .take()
        .context("no way to tell it")?
        .write_all(sql.as_bytes())?;
    let told = sqlite.wait_with_output()?;
    if !told.status.success() {
        bail!("sqlite3 could not fill the database");
    }
    let versions: usize = String::from_utf8_lossy(&told.stdout).trim().parse()?;
    ensure!(versions >= times * SEED, "only {versions} versions");
    Ok(())
}

/// From the start of the program to the first document, in milliseconds.
fn start_ms(bench: &mut Bench) -> Result<f64> {
    bench.server.stop();
    let began = Instant::now();
    bench.server.restart();
    bench.get(&format!("{MOUNT}/@{OWNER}%2f{NAME}"), "*/*")?;
    Ok(began.elapsed().as_secs_f64() * 1_000.0)
}
