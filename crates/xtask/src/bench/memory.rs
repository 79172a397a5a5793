//! What large transfers add to the memory of the server.

use std::fs;
use std::thread;

use anyhow::{Context as _, Result};
use packhouse_testkit::huge::{Download, HugePackage};

use super::{Bench, OWNER, resident_mib};

const UPLOAD_MIB: u64 = 1024;
const DOWNLOAD_MIB: u64 = 100;
const READERS: usize = 50;

pub(super) fn run(bench: &Bench) -> Result<()> {
    let (base, token) = (bench.server.base(), &bench.token);
    // what the server needs for any package at all, it has after a small one
    HugePackage::new(&format!("@{OWNER}/small"), 1).publish(base, token);
    println!("\n| added to what is resident | MiB |\n| --- | --- |");
    let huge = HugePackage::new(&format!("@{OWNER}/huge"), UPLOAD_MIB);
    step(bench, "a publish of 1 GiB", || huge.publish(base, token))?;
    let large = HugePackage::new(&format!("@{OWNER}/large"), DOWNLOAD_MIB);
    large.publish(base, token);
    step(bench, "50 downloads of 100 MiB at once", || {
        let downloads: Vec<Download> = (0..READERS)
            .map(|_| Download::begin(base, &large.target(), token))
            .collect();
        thread::scope(|scope| {
            for mut download in downloads {
                scope.spawn(move || download.each_piece(|_| {}));
            }
        });
    })
}

/// Does something and prints how far memory rose above what it was before.
fn step(bench: &Bench, what: &str, act: impl FnOnce()) -> Result<()> {
    let pid = bench.server.pid();
    let before = resident_mib(pid)?;
    // 5: the high-water mark begins again at what is resident now (proc(5))
    fs::write(format!("/proc/{pid}/clear_refs"), "5").context("cannot reset the mark")?;
    act();
    let peak = super::status_mib(pid, "VmHWM:")?;
    println!("| {what} | {} |", peak.saturating_sub(before));
    Ok(())
}
