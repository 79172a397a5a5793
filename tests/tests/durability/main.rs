//! What a server that is killed at any moment leaves behind: every publish that was acknowledged,
//! whole, and of the others all or nothing.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "every function here is part of a test: a broken expectation fails it, and its seed \
              must be known"
)]

mod chance;
mod client;
mod images;
mod inspection;
mod ledger;
mod release;

use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use packhouse_testkit::postgres::PostgresServer;
use packhouse_testkit::server::{TestServer, TestServerBuilder};

use chance::Chance;
use client::{Client, News};
use inspection::Inspection;
use ledger::{Attempt, Ledger};

/// How often the server is killed, if not 200 times.
const KILLS_VARIABLE: &str = "PACKHOUSE_TEST_KILLS";

/// Repeats the choices of an earlier run.
const SEED_VARIABLE: &str = "PACKHOUSE_TEST_SEED";

const KILLS: u64 = 200;
const KILLS_ON_POSTGRES: u64 = 40;
const CLIENTS: usize = 8;

/// A server dies when it acknowledged fewer publishes than this, and a moment later.
const ACKNOWLEDGED_BEFORE: u32 = 8;

/// The longest such moment: about what a publish takes.
const MOMENT: Duration = Duration::from_millis(30);

/// How long the clients may need for what comes before that moment.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn two_hundred_kills_lose_nothing_that_was_acknowledged() {
    let kills = number(KILLS_VARIABLE).unwrap_or(KILLS);
    survive(TestServer::builder(), kills, || ());
}

#[test]
fn kills_lose_nothing_on_postgresql_either() {
    let Some(postgres) = PostgresServer::shared() else {
        return;
    };
    let kills = number(KILLS_VARIABLE).map_or(KILLS_ON_POSTGRES, |kills| kills.div_ceil(5));
    let database = postgres.new_database();
    let server = TestServer::builder().database_url(&database);
    survive(server, kills, || postgres.wait_until_left(&database));
}

#[test]
fn a_hundred_kills_lose_no_image_that_was_acknowledged() {
    let kills = number(KILLS_VARIABLE).unwrap_or(KILLS).div_ceil(2);
    images::survive(TestServer::builder(), kills, false, || ());
}

#[test]
fn kills_lose_no_image_on_postgresql_either() {
    let Some(postgres) = PostgresServer::shared() else {
        return;
    };
    let kills = number(KILLS_VARIABLE).map_or(KILLS_ON_POSTGRES, |kills| kills.div_ceil(5));
    let database = postgres.new_database();
    let server = TestServer::builder().database_url(&database);
    images::survive(server, kills.div_ceil(2), true, || {
        postgres.wait_until_left(&database);
    });
}

/// Kills a server again and again. `settled` returns once nothing goes on that a killed server
/// began.
fn survive(server: TestServerBuilder, kills: u64, settled: impl Fn()) {
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
        let death = Death {
            acknowledged: chance.below(ACKNOWLEDGED_BEFORE),
            moment: MOMENT.mul_f64(chance.fraction()),
        };
        ledger.enter(publish_until_killed(&mut server, clients, &death));
        settled();
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

/// When a server is killed.
struct Death {
    /// After so many publishes,
    acknowledged: u32,
    /// and so much time.
    moment: Duration,
}

/// Lets the clients publish, and kills the server under their hands.
fn publish_until_killed(
    server: &mut TestServer,
    clients: Vec<Client<'_>>,
    death: &Death,
) -> Vec<Attempt> {
    let base = server.base().to_owned();
    let (news, heard) = mpsc::sync_channel(CLIENTS);
    thread::scope(|scope| {
        let at_work: Vec<_> = clients
            .into_iter()
            .map(|client| {
                let (base, news) = (base.as_str(), news.clone());
                scope.spawn(move || client.publish_until_it_fails(base, &news))
            })
            .collect();
        for _ in 0..death.acknowledged {
            listen(&heard, Instant::now() + PATIENCE).expect("publishing goes on");
        }
        let moment = Instant::now() + death.moment;
        while listen(&heard, moment).is_some() {}
        server.kill();
        // Who has more to tell is not kept waiting.
        drop(heard);
        at_work
            .into_iter()
            .flat_map(|client| client.join().unwrap())
            .collect()
    })
}

/// Waits for the next publish that is acknowledged; `None` when the deadline comes first.
fn listen(news: &Receiver<News>, deadline: Instant) -> Option<()> {
    let left = deadline.saturating_duration_since(Instant::now());
    match news.recv_timeout(left) {
        Ok(News::Acknowledged) => Some(()),
        Ok(News::Failed(why)) => panic!("a publish failed before the kill: {why}"),
        Err(RecvTimeoutError::Timeout) => None,
        Err(RecvTimeoutError::Disconnected) => panic!("all clients gave up before the kill"),
    }
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    match text.parse() {
        Ok(number) => Some(number),
        Err(error) => panic!("{variable}={text}: {error}"),
    }
}
