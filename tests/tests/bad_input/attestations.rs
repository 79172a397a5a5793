//! Provenance: bundles that are about something else, and what a good one is kept as.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use packhouse_testkit::http::Request;
use packhouse_testkit::npm::{
    attachment_key, bundle_of, provenance, provenance_key, publish_document, with_provenance,
};
use serde_json::{Value, json};

use crate::registry::{MOUNT, NAME, Registry, address, honest};

const VERSION: &str = "1.1.0";

/// An honest document with a bundle whose data is this.
fn with_data(data: &Value) -> Value {
    let mut document = publish_document(NAME, VERSION, &honest(NAME, VERSION));
    document["_attachments"][provenance_key(NAME, VERSION)] = json!({ "data": data });
    document
}

/// An honest document whose statement is changed.
fn with_statement(change: impl FnOnce(&mut Value)) -> Value {
    let bundle: Value =
        serde_json::from_str(&provenance(NAME, VERSION, &honest(NAME, VERSION))).unwrap();
    let payload = bundle["dsseEnvelope"]["payload"].as_str().unwrap();
    let mut statement = serde_json::from_slice(&STANDARD.decode(payload).unwrap()).unwrap();
    change(&mut statement);
    with_data(&json!(bundle_of(&statement)))
}

fn good() -> Value {
    let tarball = honest(NAME, VERSION);
    with_provenance(
        publish_document(NAME, VERSION, &tarball),
        NAME,
        VERSION,
        &tarball,
    )
}

#[test]
fn a_bundle_that_is_not_about_its_tarball_is_refused() {
    let registry = Registry::open();
    let large = provenance(NAME, VERSION, b"") + &" ".repeat(1 << 20);
    let one_subject = "the provenance statement must have exactly one subject";
    for (what, document, error) in [
        (
            "no JSON",
            with_data(&json!("{")),
            "malformed JSON in the provenance bundle: EOF while parsing an object",
        ),
        (
            "nothing",
            with_data(&json!("")),
            "malformed JSON in the provenance bundle: EOF while parsing a value",
        ),
        (
            "base64, as tarballs come",
            with_data(&json!(STANDARD.encode(provenance(NAME, VERSION, b"")))),
            "the provenance bundle must be a JSON object",
        ),
        (
            "a bundle that is no text",
            with_data(&json!({"mediaType": "x"})),
            "malformed JSON in the document: invalid type: map, expected a string",
        ),
        (
            "a list",
            with_data(&json!("[]")),
            "the provenance bundle must be a JSON object",
        ),
        (
            "no envelope",
            with_data(&json!("{}")),
            "the provenance bundle holds no dsseEnvelope",
        ),
        (
            "a payload that is no base64",
            with_data(&json!(r#"{"dsseEnvelope":{"payload":"{}"}}"#)),
            "the payload of the provenance bundle is not base64",
        ),
        (
            "more than a mebibyte",
            with_data(&json!(large)),
            "the provenance bundle is larger than 1 MiB",
        ),
        (
            "no subject",
            with_statement(|s| s["subject"] = json!([])),
            one_subject,
        ),
        (
            "two subjects",
            with_statement(|s| {
                let again = s["subject"][0].clone();
                s["subject"] = json!([again, again]);
            }),
            one_subject,
        ),
        (
            "another package",
            with_statement(|s| s["subject"][0]["name"] = json!("pkg:npm/%40acme/x@1.1.0")),
            r#"the provenance is of "pkg:npm/%40acme/x@1.1.0", not of pkg:npm/%40acme/left-pad@1.1.0"#,
        ),
        (
            "another version",
            with_statement(|s| s["subject"][0]["name"] = json!("pkg:npm/%40acme/left-pad@1.0.0")),
            r#"the provenance is of "pkg:npm/%40acme/left-pad@1.0.0", not of pkg:npm/%40acme/left-pad@1.1.0"#,
        ),
        (
            "another tarball",
            with_statement(|s| s["subject"][0]["digest"]["sha512"] = json!("00".repeat(64))),
            "EINTEGRITY: the provenance is of another tarball than left-pad-1.1.0.tgz",
        ),
        (
            "two bundles",
            {
                let mut document = good();
                let again = document["_attachments"][provenance_key(NAME, VERSION)].clone();
                document["_attachments"]["another.sigstore"] = again;
                document
            },
            "a version is published with one provenance bundle at most",
        ),
        (
            "a bundle without its tarball",
            {
                let mut document = registry.packument(NAME);
                document["_attachments"] = json!({"x.sigstore": {"data": "{}"}});
                document
            },
            "a provenance bundle comes with the tarball that it is about",
        ),
    ] {
        registry.refuses(what, &registry.put(NAME, &document), 400, error);
    }
}

#[test]
fn a_bundle_is_given_back_byte_for_byte_and_is_no_download() {
    let registry = Registry::open();
    let mut document = good();
    // in UTF-16 units or nonsense: not looked at
    document["_attachments"][provenance_key(NAME, VERSION)]["length"] = json!("many");
    let put = registry
        .put(NAME, &document)
        .header("npm-session", "0123456789abcdef");
    let _created = registry.send(&put).expect_status(201);
    // an answer that got lost is asked again, bundle and all
    let _replayed = registry.send(&put).expect_status(200);

    let bundle = provenance(NAME, VERSION, &honest(NAME, VERSION));
    let expected = format!(
        r#"{{"attestations":[{{"predicateType":"https://slsa.dev/provenance/v1","bundle":{bundle}}}]}}"#
    );
    for written in ["@acme%2fleft-pad", "@acme/left-pad", "%40acme%2Fleft-pad"] {
        let path = format!("/-/npm/v1/attestations/{written}@{VERSION}");
        let answer = registry.send(&registry.request("GET", &path));
        assert_eq!(answer.status, 200, "{written}: {answer}");
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.text(), expected);
        let tag = answer.header("etag").unwrap().to_owned();
        let again = registry.request("GET", &path).header("If-None-Match", &tag);
        assert_eq!(registry.send(&again).status, 304);
    }
    let dist = registry.packument(NAME)["versions"][VERSION]["dist"].clone();
    assert_eq!(dist.get("attestations"), None, "{dist}");

    for path in [
        "/-/npm/v1/attestations/@acme%2fleft-pad@1.0.0",
        "/-/npm/v1/attestations/@acme%2fleft-pad@9.9.9",
        "/-/npm/v1/attestations/@acme%2fleft-pad@latest",
        "/-/npm/v1/attestations/@acme%2fnothing@1.0.0",
        "/-/npm/v1/attestations/left-pad@1.0.0",
        "/-/npm/v1/attestations/left-pad",
        // a file of the version, and not for download
        "/@acme%2fleft-pad/-/left-pad-1.1.0.sigstore",
        "/@acme%2fleft-pad/-/@acme/left-pad-1.1.0.sigstore",
    ] {
        registry.refuses(path, &registry.request("GET", path), 404, "Not found");
    }
    let nobody = Request::get(format!(
        "{MOUNT}/-/npm/v1/attestations/@acme%2fleft-pad@{VERSION}"
    ));
    registry.refuses("nobody", &nobody, 401, "authentication required");

    // gone with its version
    let full = registry.packument(NAME);
    let mut without = full.clone();
    drop(without["versions"].as_object_mut().unwrap().remove(VERSION));
    let rev = full["_rev"].as_str().unwrap();
    let unpublish = registry.request("PUT", &format!("{}/-rev/{rev}", address(NAME)));
    let _done = registry.send(&unpublish.json(&without)).expect_status(200);
    let path = format!("/-/npm/v1/attestations/@acme%2fleft-pad@{VERSION}");
    registry.refuses(
        "unpublished",
        &registry.request("GET", &path),
        404,
        "Not found",
    );
}

#[test]
fn a_bundle_may_come_before_the_tarball_and_a_wrong_tarball_after_it_is_refused() {
    let registry = Registry::open();
    let document = good();
    let data = |key: String| document["_attachments"][key].to_string();
    let (bundle, tarball) = (
        data(provenance_key(NAME, VERSION)),
        data(attachment_key(NAME, VERSION)),
    );
    let rest = document["versions"].to_string();
    let text = format!(
        r#"{{"_attachments":{{"{}":{bundle},"{}":{tarball}}},"versions":{rest}}}"#,
        provenance_key(NAME, VERSION),
        attachment_key(NAME, VERSION),
    );
    let put = |text: String| {
        registry
            .request("PUT", &address(NAME))
            .header("Content-Type", "application/json")
            .body(text)
    };
    let broken = text.replace(r#""length":"#, r#""length":1"#);
    registry.refuses(
        "another length",
        &put(broken),
        400,
        "EINTEGRITY: length mismatch for left-pad-1.1.0.tgz",
    );
    let _created = registry.send(&put(text)).expect_status(201);
    let path = format!("/-/npm/v1/attestations/@acme%2fleft-pad@{VERSION}");
    let _there = registry
        .send(&registry.request("GET", &path))
        .expect_status(200);
}

#[test]
fn documents_tell_where_provenance_is_if_the_operator_wants_it() {
    let registry = Registry::open_showing_attestations();
    let _created = registry
        .send(&registry.put(NAME, &good()))
        .expect_status(201);
    let expected = json!({
        "url": format!("{}/-/npm/v1/attestations/@acme%2fleft-pad@1.1.0", registry.server.base()),
        "provenance": {"predicateType": "https://slsa.dev/provenance/v1"},
    });
    let one = registry.send(&registry.request("GET", &format!("{}/{VERSION}", address(NAME))));
    assert_eq!(one.json()["dist"]["attestations"], expected);
    let packument = registry.packument(NAME);
    assert_eq!(
        packument["versions"][VERSION]["dist"]["attestations"],
        expected
    );
    let without = &packument["versions"]["1.0.0"]["dist"];
    assert_eq!(without.get("attestations"), None);
}
