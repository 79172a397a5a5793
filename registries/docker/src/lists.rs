//! Tags, referrers, and the catalog, in pages (`spec/oci.md` 3.8, 3.9, 3.11).

use http::{HeaderName, HeaderValue, StatusCode, header};
use packhouse_core::Fault;
use packhouse_core::cx::ReadCx;
use packhouse_core::policy::Need;
use packhouse_names::{Digest, NormalizedVersion, TagName};
use packhouse_wire::{Head, Reply};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::blobs::value;
use crate::manifest::INDEX;
use crate::{Tenancy, manifests, token};

/// The most that one answer lists; there is a link to the rest.
const MAX_PAGE: u32 = 10_000;
const CATALOG_PAGE: u32 = 1_000;
const REFERRERS_PAGE: u32 = 1_000;

/// Clients do not read a longer index.
const MAX_INDEX_BYTES: usize = 4 << 20;

const FILTERS_APPLIED: HeaderName = HeaderName::from_static("oci-filters-applied");

/// What a query value may hold as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b':');

pub(crate) async fn tags(cx: &ReadCx, head: &Head, name: &str) -> Result<Reply, Fault> {
    let asked = page_size(head)?;
    let limit = asked.unwrap_or(MAX_PAGE).min(MAX_PAGE);
    let page = cx.tags(head.query_value("last"), limit).await?;
    let names: Vec<&str> = page.items.iter().map(TagName::as_str).collect();
    let text = json!({ "name": name, "tags": names });
    let reply = Reply::json(StatusCode::OK, text.to_string());
    match names.last() {
        Some(last) if page.has_more => {
            let path = format!("/v2/{name}/tags/list");
            linked(reply, &path, &[("n", &limit.to_string()), ("last", last)])
        }
        _ => Ok(reply),
    }
}

pub(crate) async fn catalog(cx: &ReadCx, head: &Head, tenancy: Tenancy) -> Result<Reply, Fault> {
    // clients that read a challenge off each answer would never say who they are
    token::insist(head, &Need::Browse(None))?;
    let asked = page_size(head)?;
    let limit = asked.unwrap_or(CATALOG_PAGE).min(CATALOG_PAGE);
    let last = head.query_value("last");
    let page = cx.names(tenancy.ecosystem(), last, limit).await?;
    let text = json!({ "repositories": page.items });
    let reply = Reply::json(StatusCode::OK, text.to_string());
    match page.items.last() {
        Some(last) if page.has_more => {
            let pairs = [("n", limit.to_string()), ("last", last.clone())];
            let pairs = pairs.each_ref().map(|(key, value)| (*key, value.as_str()));
            linked(reply, "/v2/_catalog", &pairs)
        }
        _ => Ok(reply),
    }
}

pub(crate) async fn referrers(
    cx: &ReadCx,
    head: &Head,
    name: &str,
    subject: Digest,
) -> Result<Reply, Fault> {
    // a `+` that was not encoded arrives as a space, which no media type holds
    let artifact_type = head
        .query_value("artifactType")
        .map(|text| text.replace(' ', "+"))
        .filter(|text| !text.is_empty());
    let limit = page_size(head)?
        .unwrap_or(REFERRERS_PAGE)
        .min(REFERRERS_PAGE);
    let after = head
        .query_value("last")
        .map(NormalizedVersion::new)
        .transpose()?;
    let page = cx
        .referrers(subject, artifact_type.clone(), after, limit)
        .await?;
    let mut descriptors: Vec<Box<RawValue>> = Vec::with_capacity(page.items.len());
    let mut bytes = 0;
    let mut last = None;
    let mut has_more = page.has_more;
    for listed in &page.items {
        let descriptor = manifests::descriptor(listed)?;
        bytes += descriptor.get().len() + 1;
        if bytes > MAX_INDEX_BYTES && last.is_some() {
            has_more = true;
            break;
        }
        descriptors.push(descriptor);
        last = Some(listed.name.as_str());
    }
    let mut reply = index(&descriptors)?;
    if artifact_type.is_some() {
        let applied = HeaderValue::from_static("artifactType");
        reply = reply.with(FILTERS_APPLIED, applied);
    }
    match last {
        Some(last) if has_more => {
            let path = format!("/v2/{name}/referrers/{subject}");
            let limit = limit.to_string();
            let mut pairs = vec![("n", limit.as_str()), ("last", last)];
            if let Some(artifact_type) = &artifact_type {
                pairs.push(("artifactType", artifact_type));
            }
            linked(reply, &path, &pairs)
        }
        _ => Ok(reply),
    }
}

/// The answer about a repository that is not there, or hidden: nothing refers to anything in it.
pub(crate) fn no_referrers() -> Reply {
    let text = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": Value::Array(vec![]) });
    Reply::bytes(StatusCode::OK, INDEX, text.to_string())
}

fn index(descriptors: &[Box<RawValue>]) -> Result<Reply, Fault> {
    #[derive(serde::Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Index<'a> {
        schema_version: u8,
        media_type: &'static str,
        manifests: &'a [Box<RawValue>],
    }
    let text = serde_json::to_string(&Index {
        schema_version: 2,
        media_type: INDEX,
        manifests: descriptors,
    })
    .map_err(Fault::internal)?;
    Ok(Reply::bytes(StatusCode::OK, INDEX, text))
}

/// `n`; `None` where it was not given.
fn page_size(head: &Head) -> Result<Option<u32>, Fault> {
    head.query_value("n")
        .map(|text| {
            let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            if !is_number {
                return Err(Fault::invalid(
                    "page",
                    format!("`{text}` is no number of results requested"),
                ));
            }
            // more than there can be is all there is
            Ok(text.parse().unwrap_or(u32::MAX))
        })
        .transpose()
}

/// Adds where the list goes on: relative, for crane takes no other host and podman only the path.
fn linked(reply: Reply, path: &str, pairs: &[(&str, &str)]) -> Result<Reply, Fault> {
    let query: Vec<String> = pairs
        .iter()
        .map(|(key, value)| format!("{key}={}", utf8_percent_encode(value, PLAIN)))
        .collect();
    let link = format!("<{path}?{}>; rel=\"next\"", query.join("&"));
    Ok(reply.with(header::LINK, value(&link)?))
}
