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
    Sha1::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
