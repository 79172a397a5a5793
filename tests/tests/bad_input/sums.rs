//! Bytes that are not what the document says of them.

use packhouse_testkit::npm::{attachment_key, integrity, publish_document, shasum};
use serde_json::{Value, json};

use crate::registry::{NAME, Registry, honest};

const VERSION: &str = "1.1.0";

fn with_dist(field: &str, value: Value) -> Value {
    let mut document = publish_document(NAME, VERSION, &honest(NAME, VERSION));
    document["versions"][VERSION]["dist"][field] = value;
    document
}

#[test]
fn a_tarball_that_is_not_what_its_sums_say_is_refused() {
    let registry = Registry::open();
    let other = b"other bytes";
    for (what, document, error) in [
        (
            "another sha512",
            with_dist("integrity", json!(integrity(other))),
            "EINTEGRITY: sha512 mismatch for left-pad-1.1.0.tgz",
        ),
        (
            "an algorithm that nobody knows",
            with_dist("integrity", json!("sha3-AAAA")),
            "EINTEGRITY: no known algorithm in the integrity of left-pad-1.1.0.tgz",
        ),
        (
            "a hash that is not base64",
            with_dist("integrity", json!("sha512-!!!!")),
            "EINTEGRITY: sha512 mismatch for left-pad-1.1.0.tgz",
        ),
        (
            "an integrity that is a number",
            with_dist("integrity", json!(7)),
            "malformed JSON in a version: invalid type: integer `7`, expected a string",
        ),
        (
            "another shasum",
            with_dist("shasum", json!(shasum(other))),
            "EINTEGRITY: shasum mismatch for left-pad-1.1.0.tgz",
        ),
        (
            "a shasum that is no hash",
            with_dist("shasum", json!("left-pad")),
            "EINTEGRITY: shasum mismatch for left-pad-1.1.0.tgz",
        ),
    ] {
        registry.refuses(what, &registry.put(NAME, &document), 400, error);
    }
}

#[test]
fn a_tarball_of_another_length_is_refused() {
    let registry = Registry::open();
    let tarball = honest(NAME, VERSION);
    for (what, length) in [
        ("shorter", tarball.len() - 1),
        ("longer", tarball.len() + 1),
        ("empty", 0),
    ] {
        let mut document = publish_document(NAME, VERSION, &tarball);
        document["_attachments"][attachment_key(NAME, VERSION)]["length"] = json!(length);
        let error = "EINTEGRITY: length mismatch for left-pad-1.1.0.tgz";
        registry.refuses(what, &registry.put(NAME, &document), 400, error);
    }
}
