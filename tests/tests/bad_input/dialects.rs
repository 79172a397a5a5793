//! Publish bodies that look wrong and are some client's way: each becomes the version that was
//! meant.

use packhouse_testkit::http::Request;
use packhouse_testkit::npm::{attachment_key, integrity, publish_document, shasum};
use serde_json::{Value, json};

use crate::registry::{MOUNT, NAME, Registry, address, honest};

const VERSION: &str = "1.1.0";

fn document() -> Value {
    publish_document(NAME, VERSION, &honest(NAME, VERSION))
}

/// An honest document with something changed.
fn with(change: impl FnOnce(&mut Value)) -> Value {
    let mut document = document();
    change(&mut document);
    document
}

/// Publishes as a JSON text, and gives the version as documents show it.
fn published(registry: &Registry, address: &str, text: String) -> Value {
    let request = registry
        .request("PUT", address)
        .header("Content-Type", "application/json")
        .body(text);
    let answer = registry.send(&request).expect_status(201).json();
    // yarn parses the answer, bun looks for `success`
    assert_eq!(answer["success"], true);
    assert_eq!(answer["id"], NAME);
    let version = registry.packument(NAME)["versions"][VERSION].clone();
    let tarball = honest(NAME, VERSION);
    assert_eq!(version["dist"]["integrity"], integrity(&tarball));
    assert_eq!(version["dist"]["shasum"], shasum(&tarball));
    let file = format!("{}/-/left-pad-{VERSION}.tgz", self::address(NAME));
    let download = registry.send(&registry.request("GET", &file));
    assert!(download.body == tarball, "other bytes came back");
    version
}

#[test]
fn the_attachments_may_come_before_the_versions() {
    // yarn berry writes them second
    let registry = Registry::open();
    let mut document = document();
    let attachments = document["_attachments"].take();
    let rest = document.to_string();
    let rest = rest.replacen(r#""_attachments":null,"#, "", 1);
    let text = rest.replacen('{', &format!(r#"{{"_attachments":{attachments},"#), 1);
    assert!(text.find("_attachments") < text.find("versions"), "{text}");
    published(&registry, &address(NAME), text);
}

#[test]
fn the_slash_of_a_scope_may_come_unencoded() {
    // older bun
    let registry = Registry::open();
    published(&registry, &format!("/{NAME}"), document().to_string());
}

#[test]
fn the_attachments_name_is_not_looked_at() {
    // older bun and scripts name the local file
    for key in ["acme-left-pad-1.1.0.tgz", "package.tgz", "x", ""] {
        let registry = Registry::open();
        let document = with(|document| {
            let data = document["_attachments"][attachment_key(NAME, VERSION)].take();
            document["_attachments"] = json!({ key: data });
        });
        published(&registry, &address(NAME), document.to_string());
    }
}

#[test]
fn sums_and_length_may_be_missing() {
    let registry = Registry::open();
    // yarn 1 sends a shasum alone
    let document = with(|document| {
        let dist = document["versions"][VERSION]["dist"].as_object_mut();
        drop(dist.unwrap().remove("integrity"));
    });
    published(&registry, &address(NAME), document.to_string());

    let registry = Registry::open();
    let document = with(|document| {
        drop(
            document["versions"][VERSION]
                .as_object_mut()
                .unwrap()
                .remove("dist"),
        );
        let attachment = &mut document["_attachments"][attachment_key(NAME, VERSION)];
        attachment["length"] = Value::Null;
        drop(attachment.as_object_mut().unwrap().remove("content_type"));
    });
    published(&registry, &address(NAME), document.to_string());
}

#[test]
fn the_address_of_the_tarball_is_the_servers_to_say() {
    // older bun sends a malformed one, npm one with the wrong scheme
    for tarball in [
        json!("http://https://registry.example/@acme/left-pad/-/x.tgz"),
        json!("not an address at all"),
        json!(7),
        Value::Null,
    ] {
        let registry = Registry::open();
        let document = with(|d| d["versions"][VERSION]["dist"]["tarball"] = tarball);
        let version = published(&registry, &address(NAME), document.to_string());
        let base = registry.server.base();
        assert_eq!(
            version["dist"]["tarball"],
            format!("{base}{MOUNT}/{NAME}/-/left-pad-{VERSION}.tgz")
        );
    }
}

#[test]
fn an_almost_empty_manifest_is_filled_from_the_tarball() {
    // older bun
    let registry = Registry::open();
    let tarball = packhouse_testkit::archives::npm_tarball(
        NAME,
        VERSION,
        &json!({"dependencies": {"left": "^1.0.0"}, "bin": "cli.js", "license": "MIT"}),
        &[("cli.js", b""), ("README.md", b"# Packed")],
    );
    let document = json!({
        "_id": NAME, "name": NAME, "dist-tags": {"latest": VERSION},
        "versions": {VERSION: {"name": NAME, "version": VERSION, "_id": "@acme/left-pad@1.1.0",
            "dist": {"shasum": shasum(&tarball)}}},
        "_attachments": publish_document(NAME, VERSION, &tarball)["_attachments"],
    });
    let _created = registry
        .send(&registry.put(NAME, &document))
        .expect_status(201);
    let packument = registry.packument(NAME);
    let version = &packument["versions"][VERSION];
    assert_eq!(version["dependencies"], json!({"left": "^1.0.0"}));
    assert_eq!(version["bin"], json!({"left-pad": "cli.js"}));
    assert_eq!(packument["readme"], "# Packed");
    assert_eq!(packument["license"], "MIT");
}

#[test]
fn access_may_be_anything() {
    for (place, access) in [
        Some(json!("public")),
        Some(json!("restricted")),
        Some(Value::Null),
        None,
        Some(json!("nobody knows")),
        Some(json!(7)),
        Some(json!({"of": "a kind"})),
    ]
    .into_iter()
    .enumerate()
    {
        let registry = Registry::open();
        let name = "@ann/left-pad";
        let mut document = publish_document(name, VERSION, &honest(name, VERSION));
        let is_public = access == Some(json!("public"));
        match access {
            Some(access) => document["access"] = access,
            None => drop(document.as_object_mut().unwrap().remove("access")),
        }
        let _created = registry
            .send(&registry.put(name, &document))
            .expect_status(201);
        let target = format!("{MOUNT}{}", address(name));
        let by_nobody = registry.send(&Request::get(target));
        let expected = if is_public { 200 } else { 401 };
        assert_eq!(by_nobody.status, expected, "form {place}: {by_nobody}");
    }
}

#[test]
fn a_readme_may_stand_at_the_top() {
    // yarn 1
    let registry = Registry::open();
    let document = with(|document| document["readme"] = json!("# At the top"));
    published(&registry, &address(NAME), document.to_string());
    assert_eq!(registry.packument(NAME)["readme"], "# At the top");
}

#[test]
fn a_document_may_repeat_what_is_published_already() {
    // npm up to 9 asks again after a conflict, merges and puts everything
    let registry = Registry::open();
    let mut merged = registry.packument(NAME);
    let new = document();
    merged["versions"][VERSION] = new["versions"][VERSION].clone();
    merged["dist-tags"]["latest"] = json!(VERSION);
    merged["_attachments"] = new["_attachments"].clone();
    let before = merged["versions"]["1.0.0"]["dist"].clone();
    published(&registry, &address(NAME), merged.to_string());
    let after = registry.packument(NAME);
    assert_eq!(after["versions"]["1.0.0"]["dist"], before);
    assert_eq!(after["dist-tags"], json!({"latest": VERSION}));
    registry.refuses(
        "the same document once more",
        &registry.put(NAME, &merged),
        409,
        "Cannot publish over existing version",
    );
}

#[test]
fn a_version_is_cleaned_as_npm_cleans_it() {
    for written in ["v1.1.0", "=1.1.0", " 1.1.0 ", "= v1.1.0", "1.1.0+build.7"] {
        let registry = Registry::open();
        let tarball = honest(NAME, VERSION);
        let document = publish_document(NAME, written, &tarball);
        published(&registry, &address(NAME), document.to_string());
        assert_eq!(
            registry.packument(NAME)["dist-tags"],
            json!({"latest": VERSION})
        );
        for wanted in ["1.1.0", "v1.1.0", "=1.1.0", "latest", "1.1.0%2Bother"] {
            let path = format!("{}/{wanted}", address(NAME));
            let version = registry.send(&registry.request("GET", &path));
            assert_eq!(version.expect_status(200).json()["version"], VERSION);
        }
    }
}
