//! What an npm client sends: publish documents, built without the client.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::archives::npm_tarball;

/// The body of a `PUT /{name}` that publishes a package with `payload` as its one file, as npm 11
/// sends it but for the sums, which the server computes.
#[must_use]
pub fn publish_document(name: &str, version: &str, payload: &[u8]) -> Vec<u8> {
    let fields = json!({
        "description": "A package for tests",
        "license": "MIT",
        "main": "index.js",
        "dependencies": {"left": "^1.0.0", "right": "~2.1.0"},
    });
    let readme = format!("# {name}\n");
    let files: [(&str, &[u8]); 2] = [("README.md", readme.as_bytes()), ("index.js", payload)];
    let tarball = npm_tarball(name, version, &fields, &files);
    document(name, version, &fields, &tarball)
        .to_string()
        .into_bytes()
}

/// A publish document around a tarball that is there already, honest or not.
#[must_use]
pub fn document(name: &str, version: &str, fields: &Value, tarball: &[u8]) -> Value {
    let mut manifest = json!({
        "name": name,
        "version": version,
        "_id": format!("{name}@{version}"),
        "readme": format!("# {name}"),
        "dist": {"tarball": format!("http://registry/{name}/-/{name}-{version}.tgz")},
    });
    if let (Value::Object(manifest), Value::Object(fields)) = (&mut manifest, fields) {
        manifest.extend(fields.clone());
    }
    let file = format!("{name}-{version}.tgz");
    json!({
        "_id": name,
        "name": name,
        "dist-tags": {"latest": version},
        "versions": {version: manifest},
        "access": null,
        "_attachments": {file: {
            "content_type": "application/octet-stream",
            "data": STANDARD.encode(tarball),
            "length": tarball.len(),
        }},
    })
}
