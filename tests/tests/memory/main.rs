//! What a huge package costs the server in memory: no more than a small one.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "every function here is part of a test: a broken expectation fails it, and what was \
              measured is worth seeing"
)]

use std::thread;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use packhouse_testkit::huge::{Download, HugePackage};
use packhouse_testkit::server::TestServer;
use sha2::{Digest as _, Sha512};

/// Says how large the package is, if not 256 MiB.
const SIZE_VARIABLE: &str = "PACKHOUSE_TEST_HUGE_MIB";

const SIZE_MIB: u64 = 256;

/// A quarter of the package, and far more than the buffers of a transfer.
const GROWTH_MIB: u64 = 64;

const READERS: usize = 20;

/// Two chunks of a MiB for each reader, one that is sent and one that is read ahead, and again as
/// much for the allocator.
const GROWTH_BY_READERS_MIB: u64 = 80;

const MIB: u64 = 1 << 20;

#[test]
fn a_huge_package_is_never_held_in_memory() {
    let size = std::env::var(SIZE_VARIABLE).map_or(SIZE_MIB, |text| text.parse().unwrap());
    let server = TestServer::start();
    server.admin(&["create-user", "ann"]);
    let token = server.token("ann", "read:packages,write:packages");

    // What the server needs for any package at all, it has after a small one.
    let small = HugePackage::new("@ann/small", 1);
    small.publish(server.base(), &token);
    read_whole(&server, &small, &token);
    let memory = Memory::of(&server);

    let huge = HugePackage::new("@ann/huge", size);
    memory.step("a publish", GROWTH_MIB, || {
        huge.publish(server.base(), &token);
    });
    memory.step("a download", GROWTH_MIB, || {
        read_whole(&server, &huge, &token);
    });
    memory.step("downloads side by side", GROWTH_BY_READERS_MIB, || {
        read_side_by_side(&server, &huge, &token);
    });
}

fn read_whole(server: &TestServer, package: &HugePackage, token: &str) {
    let mut download = Download::begin(server.base(), &package.target(), token);
    let mut sha512 = Sha512::new();
    let length = download.each_piece(|piece| sha512.update(piece));
    assert_eq!(length, package.length());
    let integrity = format!("sha512-{}", STANDARD.encode(sha512.finalize()));
    assert_eq!(integrity, package.integrity());
}

/// Every download has begun before the first one ends.
fn read_side_by_side(server: &TestServer, package: &HugePackage, token: &str) {
    let downloads: Vec<Download> = (0..READERS)
        .map(|_| Download::begin(server.base(), &package.target(), token))
        .collect();
    thread::scope(|scope| {
        for mut download in downloads {
            scope.spawn(move || {
                assert_eq!(download.each_piece(|_| {}), package.length());
            });
        }
    });
}

/// The most memory a server ever had, step by step.
struct Memory<'a> {
    server: &'a TestServer,
    before: u64,
}

impl<'a> Memory<'a> {
    fn of(server: &'a TestServer) -> Self {
        let before = peak_bytes(server);
        Self { server, before }
    }

    /// Does something, and sees how much more memory the server ever had than before the first
    /// step.
    fn step(&self, what: &str, limit: u64, act: impl FnOnce()) {
        let began = Instant::now();
        act();
        let took = began.elapsed();
        let growth = peak_bytes(self.server).saturating_sub(self.before) / MIB;
        let before = self.before / MIB;
        eprintln!("{what}: {took:?}, {growth} MiB more than the {before} MiB before");
        assert!(growth < limit, "{what} took {growth} MiB");
    }
}

/// The high-water mark of the server's resident memory.
fn peak_bytes(server: &TestServer) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.unwrap().trim().strip_suffix(" kB").unwrap();
    kibibytes.parse::<u64>().unwrap() * 1024
}
