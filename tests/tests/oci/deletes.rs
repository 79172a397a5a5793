//! What can be deleted, what stands against it, and what is left.

use packhouse_testkit::http::Request;

use crate::fixture::{Answered as _, Registry, index_of, refusal};

const N: &str = "alice/app";

#[test]
fn a_tag_goes_alone_and_a_manifest_with_its_tags() {
    let registry = Registry::start();
    let image = registry.image(N, "one");
    let digest = image.digest();
    for tag in ["a", "b", "c"] {
        registry.put_manifest(N, tag, &image).is(201);
    }
    let at = |reference: &str| format!("/v2/{N}/manifests/{reference}");
    let status = |reference: &str| registry.ask(Request::head(at(reference))).status;

    registry.ask(Request::delete(at("a"))).is(202);
    assert_eq!((status("a"), status("b"), status(&digest)), (404, 200, 200));
    let again = registry.ask(Request::delete(at("a")));
    assert_eq!(refusal(&again), (404, "MANIFEST_UNKNOWN".to_owned()));

    registry.ask(Request::delete(at(&digest))).is(202);
    assert_eq!((status("b"), status("c"), status(&digest)), (404, 404, 404));
    let again = registry.ask(Request::delete(at(&digest)));
    assert_eq!(refusal(&again), (404, "MANIFEST_UNKNOWN".to_owned()));
    let again = registry.ask(Request::delete(at("b")));
    assert_eq!(refusal(&again), (404, "MANIFEST_UNKNOWN".to_owned()));

    // the emptied package is there, is not listed, and takes the same image again
    let tags = registry
        .ask(Request::get(format!("/v2/{N}/tags/list")))
        .expect_status(200);
    assert_eq!(tags.json()["tags"], serde_json::json!([]));
    let catalog = registry
        .ask(Request::get("/v2/_catalog"))
        .expect_status(200);
    assert_eq!(catalog.json()["repositories"], serde_json::json!([]));
    registry.put_manifest(N, "again", &image).is(201);
    assert_eq!((status("again"), status(&digest)), (200, 200));
}

#[test]
fn what_is_part_of_something_stays() {
    let registry = Registry::start();
    let image = registry.image(N, "one");
    registry.put_manifest(N, &image.digest(), &image).is(201);
    let index = index_of(&[&image]);
    registry.put_manifest(N, "latest", &index).is(201);
    let child = format!("/v2/{N}/manifests/{}", image.digest());
    let layer = format!("/v2/{N}/blobs/{}", crate::fixture::sha256(b"one"));
    for target in [&child, &layer] {
        let answer = registry.ask(Request::delete(target));
        assert_eq!(
            refusal(&answer),
            (405, "UNSUPPORTED".to_owned()),
            "{target}"
        );
        registry.ask(Request::head(target)).is(200);
    }
    let root = format!("/v2/{N}/manifests/{}", index.digest());
    for target in [&root, &child, &layer] {
        registry.ask(Request::delete(target)).is(202);
        registry.ask(Request::head(target)).is(404);
    }
    let again = registry.ask(Request::delete(&layer));
    assert_eq!(refusal(&again), (404, "BLOB_UNKNOWN".to_owned()));
}

#[test]
fn a_blob_is_taken_from_one_repository_and_stays_in_the_other() {
    let registry = Registry::start();
    let digest = registry.push_blob(N, b"shared");
    registry.push_blob("alice/other", b"shared");
    registry
        .ask(Request::delete(format!("/v2/{N}/blobs/{digest}")))
        .is(202);
    registry
        .ask(Request::head(format!("/v2/{N}/blobs/{digest}")))
        .is(404);
    let other = format!("/v2/alice/other/blobs/{digest}");
    assert_eq!(
        registry.ask(Request::get(other)).expect_status(200).body,
        b"shared"
    );
    registry.push_blob(N, b"shared");
    registry
        .ask(Request::head(format!("/v2/{N}/blobs/{digest}")))
        .is(200);
}
