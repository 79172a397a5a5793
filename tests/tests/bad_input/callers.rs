//! Requests by those who may not: in which words each is told.

use packhouse_testkit::http::Request;
use packhouse_testkit::npm::publish_document;

use crate::registry::{MOUNT, NAME, Registry, address, honest};

#[test]
fn who_is_not_known_is_challenged() {
    let registry = Registry::open();
    let target = format!("{MOUNT}{}", address(NAME));
    let invalid = r#"Bearer realm="packhouse", error="invalid_token""#;
    for (what, request, challenge, error) in [
        (
            "nobody",
            Request::get(&target),
            r#"Bearer realm="packhouse""#,
            "authentication required",
        ),
        (
            "a token of nobody",
            Request::get(&target).bearer("phk_nobody"),
            invalid,
            "Bad credentials",
        ),
        (
            "a password",
            Request::get(&target).basic("ann", "hunter2"),
            r#"Basic realm="packhouse""#,
            "Bad credentials",
        ),
        (
            "nobody who publishes",
            Request::put(&target).json(&publish_document(NAME, "1.1.0", &honest(NAME, "1.1.0"))),
            r#"Bearer realm="packhouse""#,
            "authentication required",
        ),
        (
            "nobody, of what is not there",
            Request::get(format!("{MOUNT}/@acme%2fnothing")),
            r#"Bearer realm="packhouse""#,
            "authentication required",
        ),
    ] {
        registry.refuses(what, &request, 401, error);
        let answer = registry.send(&request);
        assert_eq!(
            answer.header("www-authenticate"),
            Some(challenge),
            "{what}: {answer}"
        );
        assert!(answer.header("npm-notice").is_some(), "{what}: {answer}");
    }
}

#[test]
fn who_is_known_is_told_what_is_lacking() {
    let registry = Registry::open();
    registry.server.admin(&["create-user", "bob"]);
    let reader = registry.server.token("ann", "read:packages");
    let writer = registry.server.token("ann", "write:packages");
    let bob = registry
        .server
        .token("bob", "read:packages,write:packages,delete:packages");
    let target = format!("{MOUNT}{}", address(NAME));
    let publish = |name: &str, token: &str| {
        Request::put(format!("{MOUNT}{}", address(name)))
            .bearer(token)
            .json(&publish_document(name, "1.1.0", &honest(name, "1.1.0")))
    };
    let remove = |token: &str| Request::delete(format!("{target}/-rev/0-0")).bearer(token);
    let denied = |what: &str| format!("Permission permission_denied: {what}");
    for (what, request, status, error) in [
        (
            "a token that may not publish",
            publish(NAME, &reader),
            403,
            denied("write_package"),
        ),
        (
            "a token that may not delete",
            remove(&writer),
            403,
            denied("delete_package"),
        ),
        (
            "somebody else, who publishes",
            publish(NAME, &bob),
            403,
            denied("create_package"),
        ),
        (
            "somebody else, who deletes",
            remove(&bob),
            403,
            denied("delete_package"),
        ),
        (
            "somebody else, who makes a package",
            publish("@acme/fresh", &bob),
            403,
            denied("create_package"),
        ),
        (
            "a package of nobody's",
            publish("@other/left-pad", &bob),
            403,
            denied("create_package"),
        ),
        (
            "somebody else, who reads",
            Request::get(&target).bearer(&bob),
            404,
            "Not found".to_owned(),
        ),
    ] {
        registry.refuses(what, &request, status, &error);
    }
}
