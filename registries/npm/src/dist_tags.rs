//! Tags, one at a time (`spec/npm.md` 12).

use http::StatusCode;
use packhouse_core::Fault;
use packhouse_core::cx::{ReadCx, WriteCx};
use packhouse_names::TagName;
use packhouse_wire::{Body, Head, Reply};

use crate::body::malformed;
use crate::fault::Refusal;
use crate::reads;
use crate::version::NpmVersion;

/// A version in quotes is all that comes.
const MAX_BODY_BYTES: usize = 4096;

pub(crate) async fn list(cx: &ReadCx, head: &Head) -> Result<Reply, Fault> {
    reads::dist_tags(cx, head).await
}

pub(crate) async fn set(cx: &WriteCx, tag: TagName, body: Body) -> Result<Reply, Fault> {
    let text = body.read_at_most(MAX_BODY_BYTES).await?;
    let version: String =
        serde_json::from_slice(&text).map_err(|error| malformed("the version", &error))?;
    cx.retag(tag, NpmVersion::parse(&version)?.to_key()?)
        .await?;
    Ok(done())
}

pub(crate) async fn remove(cx: &WriteCx, tag: TagName) -> Result<Reply, Fault> {
    if tag.as_str() == "latest" {
        return Ok(Refusal::LatestTag.reply());
    }
    cx.untag(tag).await?;
    Ok(done())
}

fn done() -> Reply {
    Reply::json(StatusCode::OK, r#"{"ok":true}"#)
}
