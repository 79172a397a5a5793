//! What nothing holds goes by itself or when an operator says so, and the store can be asked about.

use std::path::Path;
use std::time::{Duration, Instant};

use packhouse_testkit::archives::npm_tarball;
use packhouse_testkit::http::Request;
use packhouse_testkit::npm::publish_document;
use packhouse_testkit::process::Output;
use packhouse_testkit::server::{TestServer, TestServerBuilder};
use serde_json::json;

use crate::fixture::{Answered as _, Registry, index_of, referrer, refusal, sha256};

const N: &str = "alice/app";

/// A server that collects only when it is told, and then at once.
fn when_told() -> TestServerBuilder {
    collecting("0", "0", "0")
}

pub(crate) fn collecting(interval: &str, promise: &str, grace: &str) -> TestServerBuilder {
    // in the environment, so that commands on the same house have them as well
    TestServer::builder()
        .env("PACKHOUSE_GC_INTERVAL", interval)
        .env("PACKHOUSE_GC_PROMISE", promise)
        .env("PACKHOUSE_GC_GRACE", grace)
        .env("PACKHOUSE_RESTORE_WINDOW", "0")
}

/// How many objects lie in a server's store, and how long they are together.
pub(crate) fn stored(server: &TestServer) -> (usize, u64) {
    fn count(folder: &Path) -> (usize, u64) {
        let mut sum = (0, 0);
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            match entry.metadata() {
                Ok(of) if of.is_dir() => {
                    let (objects, bytes) = count(&entry.path());
                    sum = (sum.0 + objects, sum.1 + bytes);
                }
                Ok(of) => sum = (sum.0 + 1, sum.1 + of.len()),
                // collected under our hands
                Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::NotFound),
            }
        }
        sum
    }
    count(&server.data_dir().join("blobs"))
}

#[track_caller]
pub(crate) fn run(server: &TestServer, arguments: &[&str]) -> Output {
    let output = server.try_command(arguments);
    assert!(output.success(), "{arguments:?}: {output}");
    output
}

#[test]
fn one_order_gives_the_space_back_beside_the_server() {
    let registry = Registry::over(when_told().start());
    registry.push_blob(N, b"left behind");
    registry.push_image(N, "gone", "a layer of its own");
    let kept = registry.image(N, "kept");
    registry.put_manifest(N, "kept", &kept).is(201);
    assert_eq!(stored(&registry.server).0, 5);
    let gone = registry.ask(Request::head(format!("/v2/{N}/manifests/gone")));
    let digest = gone.header("docker-content-digest").unwrap().to_owned();
    registry
        .ask(Request::delete(format!("/v2/{N}/manifests/{digest}")))
        .is(202);

    let dry = run(&registry.server, &["gc", "--dry-run"]).stdout;
    assert!(dry.contains("would have purged: 1 versions"), "{dry}");
    assert!(dry.contains("would have unlinked: 3 blobs"), "{dry}");
    assert_eq!(stored(&registry.server).0, 5);

    let (_, before) = stored(&registry.server);
    let done = run(&registry.server, &["gc"]).stdout;
    let (objects, after) = stored(&registry.server);
    assert_eq!(objects, 2, "{done}");
    let line = format!("reclaimed: {} bytes", before - after);
    assert!(done.lines().any(|found| found == line), "{done}");
    assert!(done.contains("deleted: 3 blobs"), "{done}");

    // what stays is whole, and what went is asked for in vain
    registry
        .ask(Request::head(format!("/v2/{N}/manifests/kept")))
        .is(200);
    let layer = format!("/v2/{N}/blobs/{}", sha256(b"kept"));
    let bytes = registry.ask(Request::get(&layer)).expect_status(200).body;
    assert_eq!(bytes, b"kept");
    let lost = format!("/v2/{N}/blobs/{}", sha256(b"left behind"));
    let asked = registry.ask(Request::get(&lost));
    assert_eq!(refusal(&asked), (404, "BLOB_UNKNOWN".to_owned()));
    registry.push_blob(N, b"left behind");
    registry.ask(Request::head(&lost)).is(200);

    let metrics = registry.server.send(&Request::get("/metrics")).text();
    let metric = |line: &str| assert!(metrics.lines().any(|found| found == line), "{metrics}");
    metric("packhouse_gc_blobs_deleted_total 3");
    metric("packhouse_gc_condemned_blobs 0");
    metric(&format!(
        "packhouse_gc_reclaimed_bytes_total {}",
        before - after
    ));
}

#[test]
fn space_comes_back_without_anybody_asking() {
    let registry = Registry::over(collecting("1s", "0", "0").start());
    registry.push_blob(N, b"left behind");
    let deadline = Instant::now() + Duration::from_secs(60);
    while stored(&registry.server).0 > 0 {
        assert!(Instant::now() < deadline, "{}", registry.server.logs());
        std::thread::yield_now();
    }
    run(&registry.server, &["fsck"]);
}

#[test]
fn an_npm_tarball_goes_with_its_version_and_not_before() {
    let registry = Registry::over(when_told().start());
    let name = "@alice/widget";
    let tarball = npm_tarball(name, "1.0.0", &json!({}), &[("a.js", b"1".as_slice())]);
    let target = "/_registry/npm/@alice%2fwidget";
    let document = publish_document(name, "1.0.0", &tarball);
    let publish = Request::put(target).bearer(&registry.token).json(&document);
    registry.server.send(&publish).is(201);
    run(&registry.server, &["gc"]);
    let file = Request::get("/_registry/npm/@alice/widget/-/widget-1.0.0.tgz");
    let got = registry.server.send(&file.clone().bearer(&registry.token));
    assert_eq!(got.expect_status(200).body, tarball);

    let answer = registry
        .server
        .send(&Request::get(target).bearer(&registry.token));
    let revision = answer.json()["_rev"].as_str().unwrap().to_owned();
    let unpublish = Request::delete(format!("{target}/-rev/{revision}"));
    let answer = registry.server.send(&unpublish.bearer(&registry.token));
    assert!(answer.status < 300, "{answer}");
    let done = run(&registry.server, &["gc"]).stdout;
    assert_eq!(stored(&registry.server), (0, 0), "{done}");
    registry.server.send(&file.bearer(&registry.token)).is(404);
    registry.server.send(&publish).is(201);
}

#[test]
fn an_inspection_finds_what_is_damaged_and_says_who_misses_it() {
    let mut registry = Registry::over(when_told().start());
    registry.push_image(N, "latest", "a layer");
    let clean = run(&registry.server, &["fsck"]).stdout;
    assert!(clean.contains("checked: 2 blobs"), "{clean}");
    let layer = sha256(b"a layer");
    let why = run(&registry.server, &["storage", "why", &layer]).stdout;
    assert!(why.contains("held by layer of manifest sha256:"), "{why}");
    assert!(
        why.contains("held by link of package alice/container/app"),
        "{why}"
    );
    let nothing = registry
        .server
        .try_command(&["storage", "why", &sha256(b"nothing")]);
    assert!(!nothing.success() && nothing.stderr.contains("there is no blob"));

    // with and without a server
    let key = why
        .split("object ")
        .nth(1)
        .and_then(|rest| rest.lines().next())
        .unwrap()
        .to_owned();
    let object = registry
        .server
        .data_dir()
        .join("blobs")
        .join(&key[30..])
        .join(&key);
    let inspect = |server: &TestServer, expected: &str| {
        let output = server.try_command(&["fsck"]);
        assert!(!output.success(), "{output}");
        assert!(output.stdout.contains(expected), "{output}");
        assert!(
            output.stdout.contains("held by layer of manifest"),
            "{output}"
        );
    };
    std::fs::write(&object, b"A layer").unwrap();
    inspect(&registry.server, "is damaged");
    std::fs::write(&object, b"a").unwrap();
    inspect(&registry.server, "is 1 bytes long instead of 7");
    registry.server.stop();
    std::fs::remove_file(&object).unwrap();
    inspect(&registry.server, "is missing");
    let done = run(&registry.server, &["gc"]).stdout;
    assert!(done.contains("deleted: 0 blobs"), "{done}");
}

#[test]
fn a_signature_may_be_deleted_wherever_it_is_listed_and_a_platform_may_not() {
    let registry = Registry::start();
    let image = registry.image(N, "one");
    registry.put_manifest(N, "latest", &image).is(201);
    let signature = referrer(&image.descriptor(), "a/signature", "1");
    let answer = registry.put_manifest(N, &signature.digest(), &signature);
    answer.is(201);
    let list = index_of(&[&signature]);
    let fallback = image.digest().replace(':', "-");
    registry.put_manifest(N, &fallback, &list).is(201);
    let target = format!("/v2/{N}/manifests/{}", signature.digest());

    // listed by an index that is asked for by a name of its own, it is a part like any other
    registry.put_manifest(N, "bundle", &list).is(201);
    let answer = registry.ask(Request::delete(&target));
    assert_eq!(refusal(&answer), (405, "UNSUPPORTED".to_owned()));
    registry
        .ask(Request::delete(format!("/v2/{N}/manifests/bundle")))
        .is(202);
    registry.ask(Request::delete(&target)).is(202);
    registry.ask(Request::head(&target)).is(404);
    registry
        .ask(Request::head(format!("/v2/{N}/manifests/latest")))
        .is(200);
}
