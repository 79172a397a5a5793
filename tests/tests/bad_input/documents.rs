//! Publish documents that contradict themselves, the address they were sent to, or JSON.

use packhouse_testkit::npm::{attachment_key, publish_document};
use serde_json::{Value, json};

use crate::registry::{NAME, Registry, address, honest};

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

fn attachment(document: &mut Value) -> &mut Value {
    &mut document["_attachments"][attachment_key(NAME, VERSION)]
}

#[test]
fn a_document_about_another_package_or_version_is_refused() {
    let registry = Registry::open();
    let other_name = "package in URL does not match body";
    for (what, document, error) in [
        (
            "another name",
            with(|d| d["name"] = json!("@acme/other")),
            other_name,
        ),
        (
            "another _id",
            with(|d| d["_id"] = json!("@acme/other")),
            other_name,
        ),
        (
            "another owner's name",
            with(|d| d["name"] = json!("@other/left-pad")),
            other_name,
        ),
        (
            "the name without its scope",
            with(|d| d["name"] = json!("left-pad")),
            other_name,
        ),
        (
            "the name in another case",
            with(|d| d["name"] = json!("@acme/Left-Pad")),
            other_name,
        ),
        (
            "another name in the version",
            with(|d| d["versions"][VERSION]["name"] = json!("@acme/other")),
            other_name,
        ),
        (
            "another version in the version",
            with(|d| d["versions"][VERSION]["version"] = json!("1.2.0")),
            r#"the version in versions["1.1.0"] is another one"#,
        ),
        (
            "a version that is no text",
            with(|d| d["versions"][VERSION]["version"] = json!(1)),
            r#"the version in versions["1.1.0"] is another one"#,
        ),
        (
            "a tag of a version that is nowhere",
            with(|d| d["dist-tags"] = json!({"latest": "7.0.0"})),
            "the tag latest points at a version that is not there",
        ),
        (
            "a whole other package",
            publish_document("@acme/other", VERSION, &honest("@acme/other", VERSION)),
            other_name,
        ),
    ] {
        registry.refuses(what, &registry.put(NAME, &document), 400, error);
    }
}

#[test]
fn a_document_without_exactly_its_tarball_is_refused() {
    let registry = Registry::open();
    let tarball = honest(NAME, VERSION);
    let second = publish_document(NAME, "1.2.0", &honest(NAME, "1.2.0"));
    for (what, document, error) in [
        (
            "a new version and no attachments",
            with(|d| d["_attachments"] = json!({})),
            "a new version needs its tarball",
        ),
        (
            "a new version and nothing of attachments",
            with(|d| drop(d.as_object_mut().unwrap().remove("_attachments"))),
            "a new version needs its tarball",
        ),
        (
            "an attachment and no version",
            with(|d| d["versions"] = json!({})),
            "the document holds no version for its tarball",
        ),
        (
            "two tarballs for one version",
            with(|d| {
                let again = attachment(d).clone();
                d["_attachments"]["another.tgz"] = again;
            }),
            "only one version can be published at a time, with one tarball",
        ),
        (
            "two versions and one tarball",
            with(|d| d["versions"]["1.2.0"] = second["versions"]["1.2.0"].clone()),
            "only one version can be published at a time, with one tarball",
        ),
        (
            "a tarball without data",
            with(|d| drop(attachment(d).as_object_mut().unwrap().remove("data"))),
            "a new version needs its tarball",
        ),
        (
            "data that is no base64",
            with(|d| attachment(d)["data"] = json!("!!!!")),
            "the request body is malformed: the data of an attachment is not base64",
        ),
        (
            "data with something after its padding",
            with(|d| attachment(d)["data"] = json!("H4sIAA==H4sI")),
            "the request body is malformed: the data of an attachment is not base64",
        ),
        (
            "data in the URL-safe alphabet",
            with(|d| attachment(d)["data"] = json!("__--")),
            "the request body is malformed: the data of an attachment is not base64",
        ),
        (
            "data that is a number",
            with(|d| attachment(d)["data"] = json!(7)),
            "malformed JSON in the document: invalid type: integer `7`, expected a string",
        ),
        (
            "data that is null",
            with(|d| attachment(d)["data"] = Value::Null),
            "a new version needs its tarball",
        ),
        (
            "a length that is a text",
            with(|d| attachment(d)["length"] = json!(tarball.len().to_string())),
            "the length of an attachment must be a whole number of bytes",
        ),
        (
            "a length below nothing",
            with(|d| attachment(d)["length"] = json!(-1)),
            "the length of an attachment must be a whole number of bytes",
        ),
        (
            "half a byte of length",
            with(|d| attachment(d)["length"] = json!(0.5)),
            "the length of an attachment must be a whole number of bytes",
        ),
    ] {
        registry.refuses(what, &registry.put(NAME, &document), 400, error);
    }
}

#[test]
fn a_document_of_another_form_is_refused() {
    let registry = Registry::open();
    for (what, document, error) in [
        (
            "an empty object",
            json!({}),
            "the document holds no version",
        ),
        ("a list", json!([]), "the document must be a JSON object"),
        (
            "a list of everything",
            json!([NAME, NAME, {}, {}, null, null, null, null, {}]),
            "the document must be a JSON object",
        ),
        ("a text", json!("{}"), "the document must be a JSON object"),
        ("a number", json!(1), "the document must be a JSON object"),
        ("null", Value::Null, "the document must be a JSON object"),
        (
            "a name that is a number",
            with(|d| d["name"] = json!(1)),
            "malformed JSON in the document: invalid type: integer `1`, expected a string",
        ),
        (
            "versions as a list",
            with(|d| d["versions"] = json!([])),
            "malformed JSON in the document: invalid type: sequence, expected an object",
        ),
        (
            "a version as a text",
            with(|d| d["versions"][VERSION] = json!("1.1.0")),
            r#"version 1.1.0: invalid type: string "1.1.0", expected an object at line 1 column 7"#,
        ),
        (
            "a version as null",
            with(|d| d["versions"][VERSION] = Value::Null),
            "version 1.1.0: invalid type: null, expected an object at line 1 column 4",
        ),
        (
            "tags as a list",
            with(|d| d["dist-tags"] = json!(["latest"])),
            "malformed JSON in the document: invalid type: sequence, expected an object",
        ),
        (
            "a tag as a number",
            with(|d| d["dist-tags"]["latest"] = json!(1)),
            "malformed JSON in the document: invalid type: integer `1`, expected a string",
        ),
        (
            "attachments as a list",
            with(|d| d["_attachments"] = json!([])),
            "malformed JSON in the document: invalid type: sequence, expected an object",
        ),
        (
            "an attachment as a text",
            with(|d| *attachment(d) = json!("H4sIAAAAAAAA")),
            r#"malformed JSON in the document: invalid type: string "H4sIAAAAAAAA", expected an object"#,
        ),
        (
            "a dist that is a text",
            with(|d| d["versions"][VERSION]["dist"] = json!("x")),
            r#"malformed JSON in a version: invalid type: string "x", expected an object"#,
        ),
    ] {
        registry.refuses(what, &registry.put(NAME, &document), 400, error);
    }
}

#[test]
fn a_body_that_is_no_json_is_refused() {
    let registry = Registry::open();
    let whole = document().to_string();
    let twice = whole.replacen('{', r#"{"name":"@acme/left-pad","#, 1);
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let in_bytes: Vec<(&str, Vec<u8>, &str)> = vec![
        ("nothing", Vec::new(), "the document ends early"),
        (
            "half of it",
            whole.as_bytes()[..whole.len() / 2].to_vec(),
            "the document ends early",
        ),
        (
            "all but the last brace",
            whole.as_bytes()[..whole.len() - 1].to_vec(),
            "the document ends early",
        ),
        (
            "something after it",
            [whole.as_bytes(), b"x"].concat(),
            "malformed JSON in the document: trailing characters",
        ),
        (
            "two of them",
            whole.repeat(2).into_bytes(),
            "only one version can be published at a time, with one tarball",
        ),
        (
            "a key that comes twice",
            twice.into_bytes(),
            "malformed JSON in the document: duplicate field `name`",
        ),
        (
            "a hundred thousand lists in one another",
            deep.into_bytes(),
            "the document is nested too deeply",
        ),
        (
            "not UTF-8",
            whole
                .replace("latest", "late\u{0}t")
                .into_bytes()
                .iter()
                .map(|b| if *b == 0 { 0xff } else { *b })
                .collect(),
            "malformed JSON in the document: invalid unicode code point",
        ),
        (
            "a form",
            b"name=%40acme%2Fleft-pad&version=1.1.0".to_vec(),
            "the document must be a JSON object",
        ),
        (
            "a tarball",
            honest(NAME, VERSION),
            "the document must be a JSON object",
        ),
    ];
    for (what, body, error) in in_bytes {
        let request = registry
            .request("PUT", &address(NAME))
            .header("Content-Type", "application/json")
            .body(body);
        registry.refuses(what, &request, 400, error);
    }
}

#[test]
fn a_change_that_invents_or_rewrites_versions_is_refused() {
    let registry = Registry::open();
    let full = registry.packument(NAME);
    let change = |change: &dyn Fn(&mut Value)| {
        let mut document = full.clone();
        change(&mut document);
        document
    };
    let rev = full["_rev"].as_str().unwrap();
    let with_rev = format!("{}/-rev/{rev}", address(NAME));
    for (what, document, error) in [
        (
            "a version that is nowhere",
            change(&|d| {
                let known = d["versions"]["1.0.0"].clone();
                d["versions"]["3.0.0"] = known;
            }),
            "a new version needs its tarball",
        ),
        (
            "another integrity",
            change(&|d| d["versions"]["1.0.0"]["dist"]["integrity"] = json!("sha512-AAAA")),
            "the tarball of version 1.0.0 cannot be changed",
        ),
        (
            "another shasum",
            change(&|d| {
                d["versions"]["1.0.0"]["dist"]["shasum"] = json!("0".repeat(40));
            }),
            "the tarball of version 1.0.0 cannot be changed",
        ),
        (
            "a reason of 1025 characters",
            change(&|d| d["versions"]["1.0.0"]["deprecated"] = json!("x".repeat(1025))),
            "a deprecation message has at most 1024 characters",
        ),
        (
            "a reason that is a list",
            change(&|d| d["versions"]["1.0.0"]["deprecated"] = json!([])),
            "malformed JSON in a version: deprecated must be a text",
        ),
    ] {
        for path in [address(NAME), with_rev.clone()] {
            let request = registry.request("PUT", &path).json(&document);
            registry.refuses(&format!("{what} at {path}"), &request, 400, error);
        }
    }
}
