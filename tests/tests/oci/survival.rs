//! Uploads that outlive what happens to their client and their server.

use std::time::{Duration, Instant};

use packhouse_testkit::http::{self, Request};

use crate::fixture::{Answered as _, Registry, bytes, refusal, sha256, sha512};

const N: &str = "alice/app";

#[test]
fn an_upload_goes_on_after_the_server_was_killed() {
    let mut registry = Registry::start();
    let body = bytes(2_600_003);
    let cut = 1_300_001;
    for digest in [sha256(&body), sha512(&body)] {
        let location = registry.open(N);
        registry
            .patch(&location, Some(&format!("0-{}", cut - 1)), &body[..cut])
            .is(202);
        registry.server.kill();
        registry.server.restart();
        let status = registry.ask(Request::get(&location)).expect_status(204);
        let range = format!("0-{}", cut - 1);
        assert_eq!(status.header("range"), Some(&*range));
        registry.patch(&location, None, &body[cut..]).is(202);
        registry.finish(&location, &digest, b"").is(201);
        let got = registry
            .ask(Request::get(format!("/v2/{N}/blobs/{digest}")))
            .expect_status(200);
        assert!(got.body == body);
    }
}

#[test]
fn what_a_client_sent_before_it_went_away_stays() {
    let registry = Registry::start();
    let body = bytes(300_000);
    let location = registry.open(N);
    let broken = Request::new("PATCH", &location)
        .basic("alice", &registry.token)
        .truncated_body(body[..200_000].to_vec(), 300_000);
    // whether an answer still comes does not matter
    drop(http::send(registry.server.base(), &broken));
    let deadline = Instant::now() + Duration::from_secs(30);
    let sent = loop {
        let status = registry.ask(Request::get(&location)).expect_status(204);
        let range = status.header("range").unwrap().to_owned();
        let last: usize = range.trim_start_matches("0-").parse().unwrap();
        // the request may still be on its way out
        assert!(Instant::now() < deadline, "nothing of it stayed");
        if last > 0 {
            break last + 1;
        }
        std::thread::yield_now();
    };
    assert!(sent <= 200_000);
    registry
        .patch(&location, Some(&format!("{sent}-299999")), &body[sent..])
        .is(202);
    registry.finish(&location, &sha256(&body), b"").is(201);
}

#[test]
fn a_manifest_survives_a_kill_once_it_was_answered() {
    let mut registry = Registry::start();
    let digest = registry.push_image(N, "latest", "one");
    registry.server.kill();
    registry.server.restart();
    let got = registry
        .ask(Request::get(format!("/v2/{N}/manifests/latest")))
        .expect_status(200);
    assert_eq!(got.header("docker-content-digest"), Some(&*digest));
    let layer = format!("/v2/{N}/blobs/{}", sha256(b"one"));
    assert_eq!(
        registry.ask(Request::get(layer)).expect_status(200).body,
        b"one"
    );
}

#[test]
fn a_token_of_one_run_is_good_in_the_next() {
    let mut registry = Registry::start();
    registry.push_image(N, "latest", "one");
    let bearer = registry.bearer(&registry.token, &[&format!("repository:{N}:pull")]);
    registry.server.restart();
    let request = Request::get(format!("/v2/{N}/manifests/latest")).bearer(&bearer);
    registry.as_who("", request).is(200);
    let forged = format!("{}x", &bearer[..bearer.len() - 2]);
    let request = Request::get(format!("/v2/{N}/manifests/latest")).bearer(&forged);
    assert_eq!(
        refusal(&registry.as_who("", request)),
        (401, "UNAUTHORIZED".to_owned())
    );
}
