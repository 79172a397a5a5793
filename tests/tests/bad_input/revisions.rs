//! Changes to what is there that must not happen.

use packhouse_testkit::npm::publish_document;
use serde_json::json;

use crate::registry::{NAME, Registry, address, honest};

#[test]
fn a_version_is_published_once() {
    let registry = Registry::open();
    let again = publish_document(NAME, "1.0.0", &registry.tarball);
    let error = "Cannot publish over existing version";
    registry.refuses("the same bytes", &registry.put(NAME, &again), 409, error);
    let in_a_session = registry
        .put(NAME, &again)
        .header("npm-session", "of-somebody-else");
    registry.refuses("in another session", &in_a_session, 409, error);

    let files: &[(&str, &[u8])] = &[("index.js", b"other")];
    let other = packhouse_testkit::archives::npm_tarball(NAME, "1.0.0", &json!({}), files);
    let other = publish_document(NAME, "1.0.0", &other);
    registry.refuses("other bytes", &registry.put(NAME, &other), 409, error);

    for version in ["1.0.0+build.7", "v1.0.0", "=1.0.0"] {
        let document = publish_document(NAME, version, &honest(NAME, version));
        registry.refuses(version, &registry.put(NAME, &document), 409, error);
    }
    let answer = registry.send(&registry.put(NAME, &again));
    assert_eq!(
        answer.json()["message"],
        "You cannot publish over the previously published versions: 1.0.0."
    );
}

#[test]
fn a_change_of_an_outdated_document_is_refused() {
    let registry = Registry::open();
    let before = registry.packument(NAME);
    let stale = before["_rev"].as_str().unwrap().to_owned();
    let document = publish_document(NAME, "1.1.0", &honest(NAME, "1.1.0"));
    let _created = registry
        .send(&registry.put(NAME, &document))
        .expect_status(201);
    assert_ne!(registry.packument(NAME)["_rev"], json!(stale));

    let error = "Document update conflict";
    let mut without = before;
    without["versions"] = json!({});
    for rev in [stale.as_str(), "0-0", "undefined", "1", "999999-1"] {
        let path = format!("{}/-rev/{rev}", address(NAME));
        let unpublish = registry.request("PUT", &path).json(&without);
        registry.refuses(&format!("PUT {rev}"), &unpublish, 409, error);
        let remove = registry.request("DELETE", &path);
        registry.refuses(&format!("DELETE {rev}"), &remove, 409, error);
    }
}

#[test]
fn tags_point_at_what_is_there_and_latest_stays() {
    let registry = Registry::open();
    let tags = format!("/-/package{}/dist-tags", address(NAME));
    let tag = |tag: &str| format!("{tags}/{tag}");
    let put = |name: &str, body: &str| {
        registry
            .request("PUT", &tag(name))
            .header("Content-Type", "application/json")
            .body(body.to_owned())
    };

    let absent = put("next", "\"9.9.9\"");
    registry.refuses(
        "an absent version",
        &absent,
        404,
        "version not found: 9.9.9",
    );
    let a_tag = put("next", "\"latest\"");
    registry.refuses("a tag of a tag", &a_tag, 400, "invalid version: \"latest\"");
    for (body, error) in [
        ("", "EOF while parsing a value"),
        (
            "1.0.0",
            "invalid type: floating point `1.0`, expected a string",
        ),
        (
            r#"{"latest":"1.0.0"}"#,
            "invalid type: map, expected a string",
        ),
        (r#"["1.0.0"]"#, "invalid type: sequence, expected a string"),
        ("null", "invalid type: null, expected a string"),
        (r#""1.0.0"#, "EOF while parsing a string"),
    ] {
        let error = format!("malformed JSON in the version: {error}");
        registry.refuses(body, &put("next", body), 400, &error);
    }
    let long = format!("\"{}\"", "1".repeat(5000));
    registry.refuses(
        "a long version",
        &put("next", &long),
        413,
        "payload too large: limit 4096 bytes",
    );

    let latest = registry.request("DELETE", &tag("latest"));
    registry.refuses("latest", &latest, 403, "cannot delete the latest tag");
    let unknown = registry.request("DELETE", &tag("next"));
    registry.refuses("an absent tag", &unknown, 404, "Not found");

    for method in ["PUT", "POST"] {
        let bulk = registry
            .request(method, &tags)
            .json(&json!({"latest": "1.0.0"}));
        let error = "Tags are set and removed one at a time";
        registry.refuses(&format!("{method} of all tags"), &bulk, 405, error);
        let answer = registry.send(&bulk);
        assert_eq!(answer.header("allow"), Some("GET, HEAD"));
    }
}
