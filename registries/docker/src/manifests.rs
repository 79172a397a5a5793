//! Manifests: got, put, deleted (`spec/oci.md` 3.4, 3.7, 3.10, 8.3).

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, header};
use packhouse_core::cx::{ReadCx, WriteCx};
use packhouse_core::fault::Thing;
use packhouse_core::kept::{Kept, KeptView, Listed, Which};
use packhouse_core::model::RepositoryRef;
use packhouse_core::publish::Draft;
use packhouse_core::{Fault, Sums, source};
use packhouse_names::{Digest, NormalizedVersion, TagName, VersionText};
use packhouse_wire::{Body, ETag, Head, Reply, is_not_modified};
use serde_json::value::RawValue;

use crate::blobs::{forever, value};
use crate::manifest::{self, Manifest, Metadata};
use crate::name::{self, Reference};
use crate::{CONTENT_DIGEST, fault};

const OCI_SUBJECT: HeaderName = HeaderName::from_static("oci-subject");
const OCI_TAG: HeaderName = HeaderName::from_static("oci-tag");

/// A tag moves: ask again.
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("no-cache");

/// An image's config that is longer is not looked into.
const MAX_CONFIG_BYTES: u64 = 4 << 20;

/// Tags that one request may set.
const MAX_TAGS: usize = 100;

/// Children of an index that are looked at for labels.
const LABELLED_CHILDREN: usize = 4;

/// What pages show of a description and a licence, in characters.
const MAX_DESCRIPTION: usize = 512;
const MAX_LICENSES: usize = 256;

const SOURCE: &str = "org.opencontainers.image.source";
const DESCRIPTION: &str = "org.opencontainers.image.description";
const LICENSES: &str = "org.opencontainers.image.licenses";

pub(crate) async fn get(cx: &ReadCx, head: &Head, which: &Which) -> Result<Reply, Fault> {
    let found = cx.version(which).await?;
    let caching = match which {
        Which::Digest(_) => forever(cx),
        Which::Tag(_) => ASK_AGAIN,
    };
    let reply = if is_known(head, &found) {
        Reply::empty(StatusCode::NOT_MODIFIED)
    } else {
        let mut reply = Reply::bytes(StatusCode::OK, "", found.bytes.clone());
        let media_type = found.media_type.clone();
        reply.headers.insert(header::CONTENT_TYPE, media_type);
        reply.counting(found.id)
    };
    Ok(reply
        .with(CONTENT_DIGEST, value(found.name.as_str())?)
        .with(header::ETAG, found.tag.clone())
        .with(header::CACHE_CONTROL, caching))
}

/// By the tag with its quotes, or by the bare digest, which some clients send.
fn is_known(head: &Head, found: &KeptView) -> bool {
    is_not_modified(&head.headers, ETag(&found.tag), None)
        || head.header(&header::IF_NONE_MATCH).map(str::trim) == Some(found.name.as_str())
}

pub(crate) async fn put(
    cx: &WriteCx,
    head: &Head,
    name: &str,
    reference: Reference,
    body: Body,
) -> Result<Reply, Fault> {
    let media_type = media_type(head)?;
    let tags = match tags(head, &reference)? {
        Ok(tags) => tags,
        Err(refusal) => return Ok(refusal),
    };
    let bytes = body.read_at_most(manifest::MAX_BYTES).await?;
    let read = {
        let (media_type, bytes) = (media_type.clone(), bytes.clone());
        cx.compute(move || {
            let digest = match &reference {
                Reference::Digest(expect) => {
                    let digest = manifest::digest_like(expect, &bytes);
                    if digest != *expect {
                        return Err(Fault::invalid(
                            "digest",
                            "the manifest does not have the digest that was given",
                        ));
                    }
                    digest
                }
                Reference::Tag(_) => manifest::sha256(&bytes),
            };
            Ok((manifest::parse(&media_type, &bytes)?, digest))
        })
    };
    let (manifest, digest) = read.await?;
    supply_well_known(cx, &manifest).await?;
    let subject = manifest.subject;
    let draft = draft(
        cx,
        head,
        manifest,
        Document {
            bytes,
            media_type,
            digest,
        },
        &tags,
    )
    .await?;
    cx.publish(draft).await?;
    let location = value(&format!("/v2/{name}/manifests/{digest}"))?;
    let mut reply = Reply::empty(StatusCode::CREATED)
        .with(header::LOCATION, location)
        .with(CONTENT_DIGEST, value(&digest.to_string())?);
    if let Some(subject) = subject {
        reply = reply.with(OCI_SUBJECT, value(&subject.to_string())?);
    }
    if head.query_value("tag").is_some() {
        let names: Vec<&str> = tags.iter().map(TagName::as_str).collect();
        reply = reply.with(OCI_TAG, value(&names.join(", "))?);
    }
    Ok(reply)
}

pub(crate) async fn delete(cx: &WriteCx, which: Which) -> Result<Reply, Fault> {
    match which {
        Which::Digest(digest) => cx.retract(digest).await?,
        Which::Tag(tag) => match cx.untag(tag.clone()).await {
            // a package without versions has no tags
            Err(Fault::NotFound {
                what: Thing::Package,
                ..
            }) => return Err(Fault::not_found(Thing::Tag, tag.as_str())),
            other => other?,
        },
    }
    Ok(Reply::empty(StatusCode::ACCEPTED))
}

/// A referrer as a list shows it.
pub(crate) fn descriptor(listed: &Listed) -> Result<Box<RawValue>, Fault> {
    #[derive(serde::Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Descriptor<'a> {
        media_type: &'a str,
        size: u64,
        digest: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        artifact_type: Option<&'a str>,
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        annotations: &'a BTreeMap<String, String>,
    }
    let metadata: Metadata = serde_json::from_str(&listed.metadata).map_err(Fault::internal)?;
    serde_json::value::to_raw_value(&Descriptor {
        media_type: &metadata.media_type,
        size: metadata.size,
        digest: listed.name.as_str(),
        artifact_type: metadata.artifact_type.as_deref(),
        annotations: &metadata.annotations,
    })
    .map_err(Fault::internal)
}

/// `Content-Type` without its parameters.
fn media_type(head: &Head) -> Result<String, Fault> {
    let text = head
        .header(&header::CONTENT_TYPE)
        .map_or("", |text| text.split(';').next().unwrap_or(text).trim());
    if text.is_empty() {
        return Err(Fault::invalid(
            "manifest",
            "a manifest is sent with its media type as Content-Type",
        ));
    }
    Ok(text.to_owned())
}

/// The tags to set; a refusal for more than one request may.
fn tags(head: &Head, reference: &Reference) -> Result<Result<Vec<TagName>, Reply>, Fault> {
    let mut tags: Vec<TagName> = match reference {
        Reference::Tag(tag) => vec![tag.clone()],
        Reference::Digest(_) => head
            .query_values("tag")
            .take(MAX_TAGS + 1)
            .map(|text| name::tag(&text))
            .collect::<Result<_, _>>()?,
    };
    if tags.len() > MAX_TAGS {
        let text = format!("one request sets at most {MAX_TAGS} tags");
        return Ok(Err(fault::error(
            StatusCode::URI_TOO_LONG,
            "TAG_INVALID",
            &text,
        )));
    }
    let mut seen = Vec::with_capacity(tags.len());
    tags.retain(|tag| {
        let is_new = !seen.contains(tag);
        if is_new {
            seen.push(tag.clone());
        }
        is_new
    });
    Ok(Ok(tags))
}

/// Gives the package the bytes that clients name without sending them.
async fn supply_well_known(cx: &WriteCx, manifest: &Manifest) -> Result<(), Fault> {
    for bytes in manifest::WELL_KNOWN {
        let digest = manifest::sha256(bytes);
        let is_named = manifest
            .references
            .iter()
            .any(|reference| reference.is_required && reference.digest == digest);
        if !is_named {
            continue;
        }
        match cx.blob(&digest).await {
            Err(Fault::NotFound { .. }) => {}
            other => {
                other?;
                continue;
            }
        }
        let body = Body::from_bytes(Bytes::from_static(bytes));
        let staged = cx.stage(body, Sums::NONE, 64).await?;
        cx.keep(staged, digest).await?;
    }
    Ok(())
}

/// A manifest's bytes, and what they are.
struct Document {
    bytes: Bytes,
    media_type: String,
    digest: Digest,
}

async fn draft(
    cx: &WriteCx,
    head: &Head,
    manifest: Manifest,
    document: Document,
    tags: &[TagName],
) -> Result<Draft, Fault> {
    let is_index = !manifest.children.is_empty();
    let mut metadata = manifest.metadata;
    if let Some(config) = &manifest.image_config {
        read_labels(cx, config, &mut metadata).await?;
    }
    let label = |name: &str| -> Option<String> {
        let annotation = metadata.annotations.get(name);
        annotation.or_else(|| metadata.labels.get(name)).cloned()
    };
    let mut source = label(SOURCE);
    if source.is_none() && is_index {
        source = label_of_children(cx, &manifest.children, SOURCE).await;
    }
    let text = document.digest.to_string();
    Ok(Draft {
        version: VersionText::new(text.clone())?,
        key: NormalizedVersion::new(text)?,
        is_prerelease: false,
        files: Vec::new(),
        readme: None,
        license: label(LICENSES).map(|text| cut(&text, MAX_LICENSES)),
        description: label(DESCRIPTION).map(|text| cut(&text, MAX_DESCRIPTION)),
        metadata: serde_json::to_string(&metadata).map_err(Fault::internal)?,
        keywords: Vec::new(),
        authors: Vec::new(),
        tags: tags.to_vec(),
        tags_if_first: Vec::new(),
        source: source.and_then(|text| repository(cx, head, &text)),
        ask_public: false,
        replay_key: None,
        kept: Some(Kept {
            bytes: document.bytes,
            media_type: document.media_type,
            references: manifest.references,
        }),
    })
}

/// What an image's config says, where it is there and short enough.
async fn read_labels(cx: &WriteCx, config: &Digest, metadata: &mut Metadata) -> Result<(), Fault> {
    let blob = match cx.blob(config).await {
        // whether it must be there is decided later
        Err(Fault::NotFound { .. }) => return Ok(()),
        other => other?,
    };
    if let Some(bytes) = cx.small_blob(&blob, MAX_CONFIG_BYTES).await? {
        manifest::read_config(&bytes, metadata);
    }
    Ok(())
}

async fn label_of_children(cx: &WriteCx, children: &[Digest], name: &str) -> Option<String> {
    for child in children.iter().take(LABELLED_CHILDREN) {
        let which = Which::Digest(NormalizedVersion::new(child.to_string()).ok()?);
        let Ok(found) = cx.version(&which).await else {
            continue;
        };
        let metadata: Metadata = serde_json::from_str(&found.metadata).ok()?;
        if let Some(value) = metadata.labels.get(name) {
            return Some(value.clone());
        }
    }
    None
}

fn repository(cx: &WriteCx, head: &Head, text: &str) -> Option<RepositoryRef> {
    let owner = &cx.need().package()?.namespace.owner;
    source::repository(text, head.base.authority(), owner)
}

fn cut(text: &str, characters: usize) -> String {
    text.chars().take(characters).collect()
}
