//! Dist-tags (`spec/npm.md` 12, 21.2).

use http::StatusCode;
use packhouse_core::Fault;
use packhouse_core::cx::{ReadCx, WriteCx};
use packhouse_core::fault::Thing;
use packhouse_names::TagName;
use packhouse_wire::{Body, Reply};
use serde_json::json;

use crate::name::is_url_friendly;
use crate::{documents, fault, version};

/// A version in quotes.
const MAX_BODY_BYTES: usize = 1024;

/// The tag that every package keeps.
pub(crate) const LATEST: &str = "latest";

/// A tag that npm accepts: it must not be taken for a version or a range.
///
/// # Errors
/// [`Fault::Invalid`] with the rule that it breaks.
pub(crate) fn tag_name(text: &str) -> Result<TagName, Fault> {
    if !is_url_friendly(text) {
        let reason = format!("the tag `{text}` holds characters that need escaping in a URL");
        return Err(Fault::invalid("tag", reason));
    }
    if version::is_range(text) {
        let reason = format!("the tag `{text}` must not be a version or a range of versions");
        return Err(Fault::invalid("tag", reason));
    }
    TagName::new(text).map_err(|error| Fault::invalid("tag", error.to_string()))
}

/// `GET /-/package/{package}/dist-tags`
pub(crate) async fn list(cx: &ReadCx) -> Result<Reply, Fault> {
    let view = cx.package().await?;
    Ok(Reply::json(StatusCode::OK, documents::tag_list(&view)?))
}

/// `PUT /-/package/{package}/dist-tags/{tag}` with the version as a JSON string.
pub(crate) async fn put(cx: &WriteCx, tag: &str, body: Body) -> Result<Reply, Fault> {
    let tag = tag_name(tag)?;
    let text = body.read_at_most(MAX_BODY_BYTES).await?;
    let wanted: String = serde_json::from_slice(&text)
        .map_err(|_error| Fault::invalid("body", "the body must be a version in quotes"))?;
    let key = version::NpmVersion::parse(&wanted)
        .map_err(|_fault| Fault::not_found(Thing::Version, wanted.clone()))?
        .key;
    cx.retag(tag, key).await?;
    Ok(done())
}

/// `DELETE /-/package/{package}/dist-tags/{tag}`
pub(crate) async fn remove(cx: &WriteCx, tag: &str) -> Result<Reply, Fault> {
    if tag == LATEST {
        return Ok(fault::forbidden("cannot delete the latest tag"));
    }
    cx.untag(tag_name(tag)?).await?;
    Ok(done())
}

fn done() -> Reply {
    Reply::json(StatusCode::OK, json!({"ok": true}).to_string())
}
