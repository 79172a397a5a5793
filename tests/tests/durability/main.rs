//! What a server that is killed at any moment leaves behind: every publish that was acknowledged,
//! whole, and of the others all or nothing.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "every function here is part of a test: a broken expectation fails it, and its seed \
              must be known"
)]

mod chance;
mod client;
mod inspection;
mod ledger;
mod release;

use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use packhouse_testkit::postgres::PostgresServer;
use packhouse_testkit::server::{TestServer, TestServerBuilder};

use chance::Chance;
use client::Client;
use inspection::Inspection;
use ledger::{Attempt, Ledger};

/// How often the server is killed, if not 200 times.
const KILLS_VARIABLE: &str = "PACKHOUSE_TEST_KILLS";

/// Repeats the choices of an earlier run.
const SEED_VARIABLE: &str = "PACKHOUSE_TEST_SEED";

const KILLS: u64 = 200;
const KILLS_ON_POSTGRES: u64 = 40;
const CLIENTS: usize = 8;

/// The longest that a server lives once it was found to be in order.
const LIFE: Duration = Duration::from_millis(120);

#[test]
fn two_hundred_kills_lose_nothing_that_was_acknowledged() {
    let kills = number(KILLS_VARIABLE).unwrap_or(KILLS);
    survive(TestServer::builder(), kills);
}

#[test]
fn kills_lose_nothing_on_postgresql_either() {
    let Some(postgres) = PostgresServer::shared() else {
        return;
    };
    let kills = number(KILLS_VARIABLE).map_or(KILLS_ON_POSTGRES, |kills| kills.div_ceil(5));
    survive(
        TestServer::builder().database_url(postgres.new_database()),
        kills,
    );
}

fn survive(server: TestServerBuilder, kills: u64) {
    let seed = number(SEED_VARIABLE).unwrap_or_else(chance::any_seed);
    eprintln!("{SEED_VARIABLE}={seed}");
    let mut chance = Chance::new(seed);
    let began = Instant::now();

    let mut server = server.start();
    server.admin(&["create-user", "ann"]);
    server.admin(&["create-org", "acme", "--owner", "ann"]);
    let token = server.token("ann", "read:packages,write:packages");
    let mut ledger = Ledger::default();
    for round in 0..kills {
        let clients: Vec<Client<'_>> = (0..CLIENTS)
            .map(|number| Client::new(number, round, &token, chance.branch()))
            .collect();
        let moment = LIFE.mul_f64(chance.fraction());
        ledger.enter(publish_until_killed(&mut server, clients, moment));
        server.restart();
        Inspection::open(&server, &token).of_round(round, &mut ledger, &mut chance);
    }
    Inspection::open(&server, &token).of_everything(&mut ledger);

    let Ledger {
        acknowledged,
        interrupted,
        found,
        ..
    } = ledger;
    eprintln!(
        "{kills} kills in {:?}: {acknowledged} publishes acknowledged, {interrupted} interrupted, \
         {found} of those found whole",
        began.elapsed()
    );
    assert!(acknowledged >= kills, "publishing did not go on");
    assert!(
        interrupted >= kills,
        "the kills came when nothing was under way"
    );
}

/// Lets the clients publish until the moment comes, and kills the server under their hands.
fn publish_until_killed(
    server: &mut TestServer,
    clients: Vec<Client<'_>>,
    moment: Duration,
) -> Vec<Attempt> {
    let base = server.base().to_owned();
    let (trouble, troubles) = mpsc::sync_channel(CLIENTS);
    thread::scope(|scope| {
        let at_work: Vec<_> = clients
            .into_iter()
            .map(|client| {
                let (base, trouble) = (base.as_str(), trouble.clone());
                scope.spawn(move || client.publish_until_it_fails(base, &trouble))
            })
            .collect();
        match troubles.recv_timeout(moment) {
            Err(RecvTimeoutError::Timeout) => {}
            early => panic!("a publish failed before the kill: {early:?}"),
        }
        server.kill();
        at_work
            .into_iter()
            .flat_map(|client| client.join().unwrap())
            .collect()
    })
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    match text.parse() {
        Ok(number) => Some(number),
        Err(error) => panic!("{variable}={text}: {error}"),
    }
}
