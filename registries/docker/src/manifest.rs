//! What a manifest says (`spec/oci.md` 2.2, 2.3). Pure.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use packhouse_core::Fault;
use packhouse_core::kept::{Reference, ReferenceKind};
use packhouse_names::{Digest, Sha256, Sha512};
use serde::{Deserialize, Serialize};
use sha2::Digest as _;

pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// Media types of documents with layers.
const IMAGES: &[&str] = &[
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    ARTIFACT,
];

/// Withdrawn, and still copied around.
const ARTIFACT: &str = "application/vnd.oci.artifact.manifest.v1+json";

/// Media types of documents with children.
const INDEXES: &[&str] = &[
    INDEX,
    "application/vnd.docker.distribution.manifest.list.v2+json",
];

/// Configs that tell of a platform and carry labels.
const IMAGE_CONFIGS: &[&str] = &[
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
];

/// containerd does not read a longer manifest.
pub(crate) const MAX_BYTES: usize = 4 << 20;

/// More than any image has, and few enough to look up in one go.
const MAX_REFERENCES: usize = 10_000;

/// Bytes that clients name without ever having sent them: `{}` and nothing at all.
pub(crate) const WELL_KNOWN: &[&[u8]] = &[b"{}", b""];

/// A manifest, as far as this registry reads it.
#[derive(Debug)]
pub(crate) struct Manifest {
    pub(crate) references: Vec<Reference>,
    /// The digest of the config blob, where it is one that can be read.
    pub(crate) image_config: Option<Digest>,
    pub(crate) subject: Option<Digest>,
    pub(crate) children: Vec<Digest>,
    pub(crate) metadata: Metadata,
}

/// What is kept beside a manifest, for lists and pages.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Metadata {
    pub(crate) media_type: String,
    /// Length of the manifest in bytes.
    pub(crate) size: u64,
    /// Its own, or the media type of its config.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) artifact_type: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) annotations: BTreeMap<String, String>,
    /// `os/architecture[/variant]`; of an index those of its children, attestations left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) platforms: Vec<String>,
    /// Of the image's config.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) labels: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) config: Option<Named>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) layers: Vec<Named>,
}

/// A descriptor's core.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Named {
    pub(crate) media_type: String,
    pub(crate) digest: String,
    pub(crate) size: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    schema_version: Option<u64>,
    media_type: Option<String>,
    artifact_type: Option<String>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    blobs: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
    subject: Option<Descriptor>,
    annotations: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: Option<String>,
    digest: String,
    size: u64,
    urls: Option<Vec<String>>,
    data: Option<String>,
    platform: Option<Platform>,
}

#[derive(Deserialize)]
struct Platform {
    #[serde(default)]
    os: String,
    #[serde(default)]
    architecture: String,
    variant: Option<String>,
}

impl Platform {
    /// `None` for the platform of an attestation, which is nobody's.
    fn text(&self) -> Option<String> {
        if self.os.is_empty() || self.os == "unknown" {
            return None;
        }
        let mut text = format!("{}/{}", self.os, self.architecture);
        if let Some(variant) = self.variant.as_deref().filter(|text| !text.is_empty()) {
            text.push('/');
            text.push_str(variant);
        }
        Some(text)
    }
}

/// Reads a manifest of the media type that its sender says.
pub(crate) fn parse(media_type: &str, bytes: &[u8]) -> Result<Manifest, Fault> {
    let is_index = INDEXES.contains(&media_type);
    if !is_index && !IMAGES.contains(&media_type) {
        return Err(invalid(format!(
            "manifests of type `{media_type}` are not supported"
        )));
    }
    let document: Document = serde_json::from_slice(bytes)
        .map_err(|error| invalid(format!("the manifest cannot be read: {error}")))?;
    check_form(&document, media_type, is_index)?;
    let Document {
        config,
        layers,
        blobs,
        manifests,
        subject,
        artifact_type,
        annotations,
        ..
    } = document;
    let config_type = config.as_ref().and_then(|config| config.media_type.clone());
    let artifact_type = artifact_type
        .filter(|text| !text.is_empty())
        .or_else(|| config_type.clone());
    let mut metadata = Metadata {
        media_type: media_type.to_owned(),
        size: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
        artifact_type: artifact_type.clone(),
        annotations: annotations.unwrap_or_default(),
        ..Metadata::default()
    };
    let mut references = Vec::new();
    let mut image_config = None;
    let mut children = Vec::new();
    if let Some(config) = &config {
        let reference = reference(ReferenceKind::Config, config)?;
        if config_type.is_some_and(|found| IMAGE_CONFIGS.contains(&found.as_str())) {
            image_config = Some(reference.digest);
        }
        metadata.config = Some(named(config));
        references.push(reference);
    }
    for layer in layers.iter().flatten().chain(blobs.iter().flatten()) {
        references.push(reference(ReferenceKind::Layer, layer)?);
        metadata.layers.push(named(layer));
    }
    for child in manifests.iter().flatten() {
        let reference = reference(ReferenceKind::Child, child)?;
        children.push(reference.digest);
        references.push(reference);
        let platform = child.platform.as_ref().and_then(Platform::text);
        metadata
            .platforms
            .extend(platform.filter(|text| !metadata.platforms.contains(text)));
    }
    let subject = match subject {
        None => None,
        Some(subject) => {
            let mut reference = reference(ReferenceKind::Subject, &subject)?;
            reference.artifact_type = artifact_type;
            let digest = reference.digest;
            references.push(reference);
            Some(digest)
        }
    };
    if references.len() > MAX_REFERENCES {
        return Err(invalid(format!(
            "the manifest names more than {MAX_REFERENCES} things"
        )));
    }
    Ok(Manifest {
        references,
        image_config,
        subject,
        children,
        metadata,
    })
}

fn check_form(document: &Document, media_type: &str, is_index: bool) -> Result<(), Fault> {
    if let Some(own) = &document.media_type
        && own != media_type
    {
        return Err(invalid(format!(
            "the manifest says that it is `{own}`, and its Content-Type `{media_type}`"
        )));
    }
    // the withdrawn type has no such field
    if document.schema_version != Some(2) && media_type != ARTIFACT {
        return Err(invalid("schemaVersion must be 2"));
    }
    let has_layers =
        document.config.is_some() || document.layers.is_some() || document.blobs.is_some();
    // a document that two readers could read in two ways
    if has_layers && document.manifests.is_some() {
        return Err(invalid("a manifest has layers or manifests, not both"));
    }
    if is_index && has_layers {
        return Err(invalid("an index has no layers"));
    }
    if !is_index && document.manifests.is_some() {
        return Err(invalid("an image has no manifests"));
    }
    Ok(())
}

fn reference(kind: ReferenceKind, descriptor: &Descriptor) -> Result<Reference, Fault> {
    let digest: Digest = descriptor.digest.parse().map_err(|error| {
        invalid(format!(
            "the digest `{}` of a descriptor: {error}",
            descriptor.digest
        ))
    })?;
    let media_type = descriptor.media_type.clone();
    let is_foreign = media_type
        .as_deref()
        .is_some_and(|text| text.contains(".nondistributable.") || text.contains(".foreign."))
        && descriptor
            .urls
            .as_ref()
            .is_some_and(|urls| !urls.is_empty());
    Ok(Reference {
        kind,
        digest,
        size: descriptor.size,
        artifact_type: None,
        is_required: !is_foreign && !is_embedded(descriptor, &digest),
        media_type,
    })
}

/// Whether the descriptor holds the very bytes that it names.
fn is_embedded(descriptor: &Descriptor, digest: &Digest) -> bool {
    let decoded = descriptor
        .data
        .as_ref()
        .and_then(|data| STANDARD.decode(data).ok());
    decoded.is_some_and(|bytes| {
        u64::try_from(bytes.len()) == Ok(descriptor.size) && digest_like(digest, &bytes) == *digest
    })
}

fn named(descriptor: &Descriptor) -> Named {
    Named {
        media_type: descriptor.media_type.clone().unwrap_or_default(),
        digest: descriptor.digest.clone(),
        size: descriptor.size,
    }
}

/// The digest of bytes, by the algorithm of another one.
pub(crate) fn digest_like(like: &Digest, bytes: &[u8]) -> Digest {
    match like {
        Digest::Sha256(_) => sha256(bytes),
        Digest::Sha512(_) => Digest::Sha512(Sha512::new(sha2::Sha512::digest(bytes).into())),
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> Digest {
    Digest::Sha256(Sha256::new(sha2::Sha256::digest(bytes).into()))
}

fn invalid(reason: impl Into<String>) -> Fault {
    Fault::invalid("manifest", reason)
}

/// What an image's config says that pages show. Nothing of it is ever a reason to refuse.
pub(crate) fn read_config(bytes: &[u8], metadata: &mut Metadata) {
    #[derive(Deserialize)]
    struct Config {
        #[serde(flatten)]
        platform: Platform,
        config: Option<Inner>,
    }
    #[derive(Deserialize)]
    struct Inner {
        #[serde(rename = "Labels")]
        labels: Option<BTreeMap<String, String>>,
    }
    let Ok(config) = serde_json::from_slice::<Config>(bytes) else {
        return;
    };
    metadata.platforms.extend(config.platform.text());
    metadata.labels = config
        .config
        .and_then(|inner| inner.labels)
        .unwrap_or_default();
}
