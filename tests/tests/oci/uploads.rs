//! Every way to bring a blob, in pieces of every size and order.

use packhouse_testkit::http::Request;

use crate::fixture::{Answered as _, Registry, bytes, refusal, sha256, sha512};

const N: &str = "alice/app";

#[test]
fn every_way_of_uploading_makes_the_same_blob() {
    let registry = Registry::start();
    for digest_of in [sha256, sha512] {
        for (way, len) in [
            (0, 10),
            (1, 5_000),
            (2, 100_000),
            (3, 3_000),
            (4, 2_500_000),
            (5, 7),
        ] {
            let body = bytes(len + way);
            let digest = digest_of(&body);
            let made = match way {
                // one POST
                0 => registry.ask(
                    Request::post(format!("/v2/{N}/blobs/uploads/?digest={digest}"))
                        .body(body.clone()),
                ),
                // POST, PUT
                1 => registry.finish(&registry.open(N), &digest, &body),
                // POST, streaming PATCH without a length, empty PUT
                2 => {
                    let location = registry.open(N);
                    let parts: Vec<Vec<u8>> = body.chunks(7_777).map(<[u8]>::to_vec).collect();
                    let answer = registry
                        .ask(Request::new("PATCH", &location).chunked(parts))
                        .expect_status(202);
                    let last = format!("0-{}", body.len() - 1);
                    assert_eq!(answer.header("range"), Some(&*last));
                    registry.finish(answer.header("location").unwrap(), &digest, b"")
                }
                // three chunks
                3 => {
                    let location = registry.open(N);
                    let third = body.len() / 3;
                    for (from, to) in [(0, third), (third, 2 * third), (2 * third, body.len())] {
                        let range = format!("{from}-{}", to - 1);
                        let answer = registry
                            .patch(&location, Some(&range), &body[from..to])
                            .expect_status(202);
                        let so_far = format!("0-{}", to - 1);
                        assert_eq!(answer.header("range"), Some(&*so_far));
                        assert_eq!(answer.header("content-length"), Some("0"));
                        let id = location.rsplit('/').next();
                        assert_eq!(answer.header("docker-upload-uuid"), id);
                    }
                    registry.finish(&location, &digest, b"")
                }
                // the last chunk in the PUT, the first ones without a range
                4 => {
                    let location = registry.open(N);
                    registry.patch(&location, None, &body[..1_000_000]).is(202);
                    registry
                        .patch(&location, None, &body[1_000_000..2_000_000])
                        .is(202);
                    let rest = &body[2_000_000..];
                    registry.ask(
                        Request::put(format!("{location}?digest={digest}"))
                            .header("Content-Range", &format!("2000000-{}", body.len() - 1))
                            .body(rest.to_vec()),
                    )
                }
                // an announced algorithm
                _ => {
                    let algorithm = digest.split(':').next().unwrap();
                    let target = format!("/v2/{N}/blobs/uploads/?digest-algorithm={algorithm}");
                    let opened = registry.ask(Request::post(target)).expect_status(202);
                    let location = opened.header("location").unwrap();
                    registry.patch(location, None, &body).is(202);
                    registry.finish(location, &digest, b"")
                }
            };
            let made = made.expect_status(201);
            let location = format!("/v2/{N}/blobs/{digest}");
            assert_eq!(made.header("location"), Some(&*location), "{way}");
            assert_eq!(made.header("docker-content-digest"), Some(&*digest));
            assert_eq!(made.header("content-length"), Some("0"));

            let got = registry.ask(Request::get(&location)).expect_status(200);
            assert_eq!(got.body, body, "{way}");
            assert_eq!(got.header("docker-content-digest"), Some(&*digest));
            assert_eq!(got.header("content-type"), Some("application/octet-stream"));
            let head = registry.ask(Request::head(&location)).expect_status(200);
            let length = body.len().to_string();
            assert_eq!(head.header("content-length"), Some(&*length));
            assert_eq!(head.header("docker-content-digest"), Some(&*digest));
        }
    }
}

#[test]
fn empty_and_tiny_blobs_are_blobs() {
    let registry = Registry::start();
    for body in [&b""[..], b"{}"] {
        for digest in [sha256(body), sha512(body)] {
            registry.finish(&registry.open(N), &digest, body).is(201);
            let got = registry
                .ask(Request::get(format!("/v2/{N}/blobs/{digest}")))
                .expect_status(200);
            assert_eq!(got.body, body);
            let location = registry.open(N);
            registry.patch(&location, None, body).is(202);
            registry.finish(&location, &digest, b"").is(201);
            registry
                .ask(
                    Request::post(format!("/v2/{N}/blobs/uploads/?digest={digest}"))
                        .body(body.to_vec()),
                )
                .is(201);
        }
    }
}

#[test]
fn a_chunk_out_of_order_is_refused_and_the_session_goes_on() {
    let registry = Registry::start();
    let body = bytes(3_000);
    let location = registry.open(N);
    let status = |registry: &Registry| {
        let answer = registry.ask(Request::get(&location)).expect_status(204);
        assert_eq!(answer.header("location"), Some(&*location));
        answer.header("range").unwrap().to_owned()
    };
    assert_eq!(status(&registry), "0-0");

    // before any byte
    let early = registry.patch(&location, Some("1000-1999"), &body[1000..2000]);
    assert_eq!(refusal(&early), (416, "RANGE_INVALID".to_owned()));
    assert_eq!(early.header("range"), Some("0-0"));
    assert_eq!(status(&registry), "0-0");

    registry
        .patch(&location, Some("0-999"), &body[..1000])
        .is(202);
    // an old one again, and one too far
    for (range, part) in [("0-999", 0..1000), ("2000-2999", 2000..3000)] {
        let answer = registry.patch(&location, Some(range), &body[part]);
        assert_eq!(refusal(&answer), (416, "RANGE_INVALID".to_owned()));
        assert_eq!(answer.header("location"), Some(&*location));
        assert_eq!(answer.header("range"), Some("0-999"));
        assert_eq!(status(&registry), "0-999");
    }
    let put = registry.ask(
        Request::put(format!("{location}?digest={}", sha256(&body)))
            .header("Content-Range", "2000-2999")
            .body(body[2000..].to_vec()),
    );
    assert_eq!(refusal(&put), (416, "RANGE_INVALID".to_owned()));

    registry
        .patch(&location, Some("1000-1999"), &body[1000..2000])
        .is(202);
    registry
        .finish(&location, &sha256(&body), &body[2000..])
        .is(201);
}

#[test]
fn a_wrong_digest_is_refused_by_every_way_and_leaves_nothing() {
    let registry = Registry::start();
    let body = bytes(70_000);
    for wrong in [sha256(b"something else"), sha512(b"something else")] {
        let post = registry.ask(
            Request::post(format!("/v2/{N}/blobs/uploads/?digest={wrong}")).body(body.clone()),
        );
        assert_eq!(refusal(&post), (400, "DIGEST_INVALID".to_owned()));

        let location = registry.open(N);
        let put = registry.finish(&location, &wrong, &body);
        assert_eq!(refusal(&put), (400, "DIGEST_INVALID".to_owned()));
        let gone = registry.ask(Request::get(&location));
        assert_eq!(gone.status, 404, "the session is ended");

        let location = registry.open(N);
        registry.patch(&location, None, &body).is(202);
        let put = registry.finish(&location, &wrong, b"");
        assert_eq!(refusal(&put), (400, "DIGEST_INVALID".to_owned()));
        let gone = registry.finish(&location, &sha256(&body), b"");
        assert_eq!(refusal(&gone), (404, "BLOB_UPLOAD_UNKNOWN".to_owned()));

        let answer = registry.ask(Request::get(format!("/v2/{N}/blobs/{wrong}")));
        assert_eq!(refusal(&answer), (404, "BLOB_UNKNOWN".to_owned()));
    }
    registry.staging_becomes_empty();
}

#[test]
fn a_cancelled_upload_is_gone() {
    let registry = Registry::start();
    for with_bytes in [false, true] {
        let location = registry.open(N);
        if with_bytes {
            registry.patch(&location, None, b"some").is(202);
        }
        registry.ask(Request::delete(&location)).is(204);
        for request in [
            Request::get(&location),
            Request::delete(&location),
            Request::new("PATCH", &location).body("more"),
        ] {
            let answer = registry.ask(request);
            assert_eq!(refusal(&answer), (404, "BLOB_UPLOAD_UNKNOWN".to_owned()));
        }
    }
}

#[test]
fn of_too_many_open_uploads_the_one_that_rested_longest_ends() {
    const MOST: usize = 1_000;
    let registry = Registry::start();
    let rested = registry.open(N);
    registry.patch(&rested, None, b"some").is(202);
    let others: Vec<String> = (1..MOST).map(|_| registry.open(N)).collect();
    registry.ask(Request::get(&rested)).is(204);
    let newest = registry.open(N);
    let gone = registry.ask(Request::get(&rested));
    assert_eq!(refusal(&gone), (404, "BLOB_UPLOAD_UNKNOWN".to_owned()));
    registry.staging_becomes_empty();
    for location in [&others[0], &newest] {
        registry.ask(Request::get(location)).is(204);
    }
}

#[test]
fn an_upload_belongs_to_who_opened_it_and_to_its_repository() {
    let registry = Registry::start();
    registry.server.admin(&["create-user", "bob"]);
    let location = registry.open(N);
    registry.push_image(N, "latest", "x");
    registry
        .server
        .admin(&["grant", "alice/container/app", "bob", "--role", "write"]);
    let bob = registry.server.token("bob", "read:packages,write:packages");
    let answer = registry.as_who(&bob, Request::get(&location));
    assert_eq!(refusal(&answer), (404, "BLOB_UPLOAD_UNKNOWN".to_owned()));

    registry.open("alice/other");
    let elsewhere = location.replace("/app/", "/other/");
    let answer = registry.ask(Request::get(elsewhere));
    assert_eq!(refusal(&answer), (404, "BLOB_UPLOAD_UNKNOWN".to_owned()));
    registry.ask(Request::get(&location)).is(204);
}

#[test]
fn a_known_blob_is_read_and_thrown_away_again() {
    let registry = Registry::start();
    let body = bytes(200_000);
    for _ in 0..3 {
        registry
            .finish(&registry.open(N), &sha256(&body), &body)
            .is(201);
    }
    let objects: usize = std::fs::read_dir(registry.server.data_dir().join("blobs"))
        .unwrap()
        .map(|shard| std::fs::read_dir(shard.unwrap().path()).unwrap().count())
        .sum();
    assert_eq!(objects, 1);
}
