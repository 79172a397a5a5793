//! Images that say which repository they come from.

use packhouse_testkit::http::Request;
use serde_json::json;

use crate::fixture::{Answered as _, CONFIG, IMAGE, LAYER, Manifest, Registry, blob};

/// An image with annotations of its manifest and labels of its configuration.
fn push(
    registry: &Registry,
    name: &str,
    annotations: &serde_json::Value,
    labels: &serde_json::Value,
) {
    let config = json!({
        "architecture": "amd64", "os": "linux", "config": {"Labels": labels},
    })
    .to_string();
    registry.push_blob(name, config.as_bytes());
    registry.push_blob(name, b"layer");
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": IMAGE,
        "config": blob(CONFIG, config.as_bytes()),
        "layers": [blob(LAYER, b"layer")],
        "annotations": annotations,
    });
    registry
        .put_manifest(name, "latest", &Manifest::new(IMAGE, &manifest))
        .is(201);
}

#[test]
fn an_image_inherits_the_access_of_the_repository_that_it_names() {
    let registry = Registry::start();
    let bob = registry.user("bob", "read:packages");
    registry
        .server
        .admin(&["create-repo", "alice/app", "--visibility", "private"]);
    registry
        .server
        .admin(&["add-collaborator", "alice/app", "bob", "--role", "read"]);
    let address = format!("{}/alice/app", registry.server.base());
    let source = json!({"org.opencontainers.image.source": address});
    let elsewhere = json!({"org.opencontainers.image.source": "https://example.com/alice/app"});
    for (name, annotations, labels, is_linked) in [
        ("alice/annotated", &source, &json!({}), true),
        ("alice/labelled", &json!({}), &source, true),
        ("alice/plain", &json!({}), &json!({}), false),
        ("alice/elsewhere", &elsewhere, &elsewhere, false),
    ] {
        push(&registry, name, annotations, labels);
        let answer = registry.as_who(&bob, Request::get(format!("/v2/{name}/manifests/latest")));
        let expected = if is_linked { 200 } else { 404 };
        assert_eq!(answer.status, expected, "{name}: {answer}");
    }
    // somebody else's repository is not ours to link to
    registry.user("carol", "write:packages");
    registry
        .server
        .admin(&["create-repo", "carol/app", "--visibility", "private"]);
    registry
        .server
        .admin(&["add-collaborator", "carol/app", "bob", "--role", "read"]);
    let theirs = format!("{}/carol/app", registry.server.base());
    let theirs = json!({"org.opencontainers.image.source": theirs});
    push(&registry, "alice/borrowed", &theirs, &theirs);
    let request = Request::get("/v2/alice/borrowed/manifests/latest");
    registry.as_who(&bob, request).is(404);
}
