//! Blobs from one repository in another, for those who may read it.

use packhouse_testkit::http::{Request, Response};

use crate::fixture::{Answered as _, Registry, bytes, refusal, sha256, sha512};

const N: &str = "alice/app";

fn mount(registry: &Registry, token: &str, to: &str, digest: &str, from: &str) -> Response {
    let target = format!("/v2/{to}/blobs/uploads/?mount={digest}{from}");
    registry.as_who(token, Request::post(target))
}

#[track_caller]
fn is_mounted(answer: &Response, to: &str, digest: &str) {
    let location = format!("/v2/{to}/blobs/{digest}");
    assert_eq!(answer.status, 201, "{answer}");
    assert_eq!(answer.header("location"), Some(&*location));
    assert_eq!(answer.header("docker-content-digest"), Some(digest));
}

#[test]
fn a_blob_is_mounted_with_and_without_its_source() {
    let registry = Registry::start();
    for digest_of in [sha256, sha512] {
        let body = bytes(1000);
        let digest = digest_of(&body);
        registry
            .finish(&registry.open("alice/base"), &digest, &body)
            .is(201);
        for (to, from) in [
            ("alice/one", "&from=alice/base"),
            ("alice/two", ""),
            ("alice/three", "&from=alice/base&origin=localhost"),
        ] {
            let answer = mount(&registry, &registry.token, to, &digest, from);
            is_mounted(&answer, to, &digest);
            let got = registry
                .ask(Request::get(format!("/v2/{to}/blobs/{digest}")))
                .expect_status(200);
            assert_eq!(got.body, body);
        }
    }
}

#[test]
fn what_cannot_be_mounted_is_uploaded() {
    let registry = Registry::start();
    let digest = registry.push_blob("alice/base", b"base");
    let absent = sha256(b"other");
    for (digest, from) in [
        (&absent, "&from=alice/base"),
        (&absent, ""),
        (&digest, "&from=alice/absent"),
        (&digest, "&from=nobody/base"),
        (&digest, "&from=Not%20A%20Name"),
    ] {
        let answer = mount(&registry, &registry.token, N, digest, from).expect_status(202);
        let location = answer.header("location").unwrap();
        assert!(location.starts_with(&format!("/v2/{N}/blobs/uploads/")));
        assert_eq!(answer.header("range"), Some("0-0"));
    }
    let answer = mount(&registry, &registry.token, N, &absent, "").expect_status(202);
    let location = answer.header("location").unwrap();
    registry.finish(location, &absent, b"other").is(201);
    let malformed = mount(&registry, &registry.token, N, "nonsense", "");
    assert_eq!(refusal(&malformed), (400, "DIGEST_INVALID".to_owned()));
}

#[test]
fn nobody_learns_by_a_mount_what_they_may_not_read() {
    let registry = Registry::start();
    let bob = registry.user("bob", "read:packages,write:packages");
    let digest = registry.push_blob("alice/base", b"secret");
    registry.push_image("alice/base", "latest", "secret");
    for from in ["&from=alice/base", ""] {
        mount(&registry, &bob, "bob/app", &digest, from).is(202);
    }
    let answer = registry.as_who(&bob, Request::get(format!("/v2/bob/app/blobs/{digest}")));
    assert_eq!(refusal(&answer), (404, "BLOB_UNKNOWN".to_owned()));

    registry
        .server
        .admin(&["grant", "alice/container/base", "bob", "--role", "read"]);
    for (to, from) in [("bob/app", "&from=alice/base"), ("bob/app2", "")] {
        is_mounted(&mount(&registry, &bob, to, &digest, from), to, &digest);
    }
}

#[test]
fn the_source_is_decided_by_the_subject_not_by_the_tokens_list() {
    let registry = Registry::start();
    let digest = registry.push_blob("alice/base", b"base");
    let narrow = registry.bearer(&registry.token, &[&format!("repository:{N}:pull,push")]);
    for from in ["&from=alice/base", ""] {
        let target = format!("/v2/{N}/blobs/uploads/?mount={digest}{from}");
        let answer = registry.as_who("", Request::post(target).bearer(&narrow));
        is_mounted(&answer, N, &digest);
    }
}
