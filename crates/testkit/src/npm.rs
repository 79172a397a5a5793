//! The document that `npm publish` puts, built from the tarball's bytes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha1::{Digest as _, Sha1};
use sha2::Sha512;

/// What npm 7 and later send for one version: everything in it is true, and a test changes what
/// it wants to be false.
#[must_use]
pub fn publish_document(name: &str, version: &str, tarball: &[u8]) -> Value {
    let attachment = attachment_key(name, version);
    json!({
        "_id": name,
        "name": name,
        "dist-tags": { "latest": version },
        "versions": {
            version: {
                "name": name,
                "version": version,
                "_id": format!("{name}@{version}"),
                "dist": {
                    "integrity": integrity(tarball),
                    "shasum": shasum(tarball),
                    "tarball": format!("http://registry.example/{name}/-/{attachment}"),
                },
            },
        },
        "access": null,
        "_attachments": {
            attachment: {
                "content_type": "application/octet-stream",
                "data": STANDARD.encode(tarball),
                "length": tarball.len(),
            },
        },
    })
}

/// The key under which npm attaches a version's tarball, scope included.
#[must_use]
pub fn attachment_key(name: &str, version: &str) -> String {
    format!("{name}-{version}.tgz")
}

/// `sha512-…`, as `dist.integrity` has it.
#[must_use]
pub fn integrity(bytes: &[u8]) -> String {
    format!("sha512-{}", STANDARD.encode(Sha512::digest(bytes)))
}

/// The hexadecimal SHA-1, as `dist.shasum` has it.
#[must_use]
pub fn shasum(bytes: &[u8]) -> String {
    hex(&Sha1::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Attaches to a publish document the bundle that says where its tarball comes from.
#[must_use]
pub fn with_provenance(mut document: Value, name: &str, version: &str, tarball: &[u8]) -> Value {
    let bundle = provenance(name, version, tarball);
    let attachment = json!({
        "content_type": "application/vnd.dev.sigstore.bundle.v0.3+json",
        // in UTF-16 units, as JavaScript counts
        "length": bundle.encode_utf16().count(),
        "data": bundle,
    });
    let attachments = document.get_mut("_attachments");
    if let Some(attachments) = attachments.and_then(Value::as_object_mut) {
        attachments.insert(provenance_key(name, version), attachment);
    }
    document
}

/// The key under which npm attaches a version's bundle.
#[must_use]
pub fn provenance_key(name: &str, version: &str) -> String {
    format!("{name}-{version}.sigstore")
}

/// A sigstore bundle about a tarball, as a build on GitHub makes one; its signature is not real.
#[must_use]
pub fn provenance(name: &str, version: &str, tarball: &[u8]) -> String {
    let purl = format!("pkg:npm/{}@{version}", name.replacen('@', "%40", 1));
    bundle_of(&json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{ "name": purl, "digest": { "sha512": hex(&Sha512::digest(tarball)) } }],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": { "buildDefinition": { "note": "häuslich gebaut 🏠" } },
    }))
}

/// A sigstore bundle around an in-toto statement.
#[must_use]
pub fn bundle_of(statement: &Value) -> String {
    json!({
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": { "tlogEntries": [{ "integratedTime": "1767225600" }] },
        "dsseEnvelope": {
            "payload": STANDARD.encode(statement.to_string()),
            "payloadType": "application/vnd.in-toto+json",
            "signatures": [{ "sig": "bm90IHJlYWw=", "keyid": "" }],
        },
    })
    .to_string()
}
