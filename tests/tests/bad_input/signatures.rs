//! The registry's signatures, checked the way clients check them: they hold for what was
//! published, and for nothing else.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use packhouse_testkit::http::Request;
use packhouse_testkit::npm::publish_document;
use packhouse_testkit::server::TestServer;
use serde_json::{Value, json};

use crate::registry::{MOUNT, NAME, Registry, honest};

/// What `GET /-/npm/v1/keys` answers to somebody without a token.
fn keys(server: &TestServer) -> Value {
    let answer = server.send(&Request::get(format!("{MOUNT}/-/npm/v1/keys")));
    answer.expect_status(200).json()
}

fn decoded(text: &Value) -> Vec<u8> {
    STANDARD.decode(text.as_str().unwrap()).unwrap()
}

#[test]
fn a_served_signature_holds_for_the_served_integrity_alone() {
    let registry = Registry::open();
    let second = publish_document(NAME, "2.0.0-rc.1+b", &honest(NAME, "2.0.0-rc.1"));
    let _created = registry
        .send(&registry.put(NAME, &second))
        .expect_status(201);
    let keys = keys(&registry.server);
    let [key] = &keys["keys"].as_array().unwrap()[..] else {
        panic!("not one key: {keys}");
    };
    let fields: Vec<&String> = key.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["expires", "key", "keyid", "keytype", "scheme"]);
    assert_eq!(key["expires"], Value::Null);
    assert_eq!(key["keytype"], "ecdsa-sha2-nistp256");
    assert_eq!(key["scheme"], "ecdsa-sha2-nistp256");
    let spki = decoded(&key["key"]);
    assert_eq!(spki.len(), 91);
    let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &spki);

    let packument = registry.packument(NAME);
    let versions = packument["versions"].as_object().unwrap();
    assert_eq!(versions.len(), 2);
    for (version, document) in versions {
        let dist = &document["dist"];
        let [signature] = &dist["signatures"].as_array().unwrap()[..] else {
            panic!("not one signature: {dist}");
        };
        assert_eq!(signature["keyid"], key["keyid"]);
        let der = decoded(&signature["sig"]);
        let holds = |message: String| public.verify(message.as_bytes(), &der).is_ok();
        let integrity = dist["integrity"].as_str().unwrap();
        assert!(holds(format!("{NAME}@{version}:{integrity}")));
        assert!(!holds(format!("@acme/other@{version}:{integrity}")));
        assert!(!holds(format!("{NAME}@9.9.9:{integrity}")));
        assert!(!holds(format!("{NAME}@{version}:sha512-AAAA")));
    }
}

#[test]
fn a_publisher_cannot_bring_signatures() {
    let registry = Registry::open();
    let mut document = publish_document(NAME, "1.1.0", &honest(NAME, "1.1.0"));
    let forged = json!([{"keyid": "SHA256:forged", "sig": "AA=="}]);
    document["versions"]["1.1.0"]["dist"]["signatures"] = forged;
    document["versions"]["1.1.0"]["dist"]["attestations"] = json!({"url": "https://x"});
    let _created = registry
        .send(&registry.put(NAME, &document))
        .expect_status(201);
    let dist = registry.packument(NAME)["versions"]["1.1.0"]["dist"].clone();
    let key = keys(&registry.server)["keys"][0]["keyid"].clone();
    assert_eq!(dist["signatures"].as_array().unwrap().len(), 1);
    assert_eq!(dist["signatures"][0]["keyid"], key);
    assert_eq!(dist.get("attestations"), None);
}

#[test]
fn the_key_outlives_the_process_and_each_registry_has_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let start = || TestServer::builder().data_dir(folder.path()).start();
    let mut server = start();
    let before = keys(&server);
    server.stop();
    let server = start();
    assert_eq!(keys(&server), before);
    assert_ne!(keys(&TestServer::builder().start()), before);
}
