//! Images and what surrounds them, made in memory.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256, Sha512};

use crate::http::Request;

/// The media type of an image manifest.
pub const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
/// The media type of an image index.
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// The media type of an image's configuration.
pub const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// The media type of a compressed layer.
pub const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// A manifest to push.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// What it says it is.
    pub media_type: &'static str,
    /// As it is sent.
    pub bytes: Vec<u8>,
}

impl Manifest {
    /// A manifest of this JSON.
    #[must_use]
    pub fn new(media_type: &'static str, value: &Value) -> Self {
        Self {
            media_type,
            bytes: value.to_string().into_bytes(),
        }
    }

    /// Its digest by sha256.
    #[must_use]
    pub fn digest(&self) -> String {
        sha256(&self.bytes)
    }

    /// The request that pushes it.
    #[must_use]
    pub fn put(&self, name: &str, reference: &str) -> Request {
        Request::put(format!("/v2/{name}/manifests/{reference}"))
            .header("Content-Type", self.media_type)
            .body(self.bytes.clone())
    }

    /// How an index or a referrer points at it.
    #[must_use]
    pub fn descriptor(&self) -> Value {
        json!({"mediaType": self.media_type, "digest": self.digest(), "size": self.bytes.len()})
    }
}

/// An image of one layer.
#[must_use]
pub fn image_of(config: &[u8], layer: &[u8]) -> Manifest {
    Manifest::new(
        IMAGE,
        &json!({
            "schemaVersion": 2,
            "mediaType": IMAGE,
            "config": blob(CONFIG, config),
            "layers": [blob(LAYER, layer)],
        }),
    )
}

/// An index of manifests.
#[must_use]
pub fn index_of(children: &[&Manifest]) -> Manifest {
    let children: Vec<Value> = children.iter().map(|child| child.descriptor()).collect();
    Manifest::new(
        INDEX,
        &json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": children}),
    )
}

/// An artifact about a subject; its blobs are the empty ones.
#[must_use]
pub fn referrer(subject: &Value, artifact_type: &str, note: &str) -> Manifest {
    let empty = blob("application/vnd.oci.empty.v1+json", b"{}");
    Manifest::new(
        IMAGE,
        &json!({
            "schemaVersion": 2,
            "mediaType": IMAGE,
            "artifactType": artifact_type,
            "config": empty,
            "layers": [empty],
            "subject": subject,
            "annotations": {"note": note},
        }),
    )
}

/// The descriptor of a blob.
#[must_use]
pub fn blob(media_type: &str, bytes: &[u8]) -> Value {
    json!({"mediaType": media_type, "digest": sha256(bytes), "size": bytes.len()})
}

/// The digest by sha256, with its algorithm's name.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    format!("sha256:{}", hex(&Sha256::digest(bytes)))
}

/// The digest by sha512, with its algorithm's name.
#[must_use]
pub fn sha512(bytes: &[u8]) -> String {
    format!("sha512:{}", hex(&Sha512::digest(bytes)))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
