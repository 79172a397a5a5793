//! Downloads and index documents.

use http::{HeaderValue, StatusCode, header};
use packhouse_core::Fault;
use packhouse_core::cx::{DocumentKey, ReadCx};
use packhouse_core::fault::Thing;
use packhouse_names::FileName;
use packhouse_wire::{Head, Reply};

use crate::documents::{self, Attestations};

/// Kept by npm's private cache and asked for again each time. Shared caches only where everybody
/// may read.
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("private, no-cache");
const ASK_AGAIN_PUBLIC: HeaderValue = HeaderValue::from_static("public, no-cache");

/// A version's bytes never change.
const FOREVER: HeaderValue = HeaderValue::from_static("private, max-age=31536000, immutable");
const FOREVER_PUBLIC: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// The door adds the coding. Never `Authorization`: npm writes every header named here to its
/// cache on disk.
const VARY: HeaderValue = HeaderValue::from_static("Accept");

const fn full(attestations: Attestations) -> DocumentKey {
    DocumentKey {
        form: match attestations {
            Attestations::Hidden => "full",
            Attestations::Shown => "full, attested",
        },
        media_type: "application/json",
        readme_of: Some("latest"),
    }
}

const fn abbreviated(attestations: Attestations) -> DocumentKey {
    DocumentKey {
        form: match attestations {
            Attestations::Hidden => "abbreviated",
            Attestations::Shown => "abbreviated, attested",
        },
        media_type: documents::ABBREVIATED_TYPE,
        readme_of: None,
    }
}

const DIST_TAGS: DocumentKey = DocumentKey {
    form: "dist-tags",
    media_type: "application/json",
    readme_of: None,
};

/// The package, long or short.
pub(crate) async fn packument(
    cx: &ReadCx,
    head: &Head,
    is_abbreviated: bool,
    attestations: Attestations,
) -> Result<Reply, Fault> {
    let document =
        if is_abbreviated {
            cx.document(abbreviated(attestations), &head.base, move |package, base| {
            Ok(documents::abbreviated(package, base, attestations)?.into())
        })
        .await?
        } else {
            cx.document(full(attestations), &head.base, move |package, base| {
                Ok(documents::full(package, base, attestations)?.into())
            })
            .await?
        };
    Ok(revalidated(cx, Reply::document(document)))
}

/// The tags alone.
pub(crate) async fn dist_tags(cx: &ReadCx, head: &Head) -> Result<Reply, Fault> {
    let document = cx
        .document(DIST_TAGS, &head.base, |package, _| {
            Ok(documents::tags(package).into())
        })
        .await?;
    Ok(revalidated(cx, Reply::document(document)))
}

/// One version, by number or tag.
pub(crate) async fn version(
    cx: &ReadCx,
    head: &Head,
    wanted: &str,
    attestations: Attestations,
) -> Result<Reply, Fault> {
    let package = cx.package().await?;
    let Some(found) = documents::find(&package, wanted) else {
        return Err(Fault::not_found(Thing::Version, wanted));
    };
    let bytes = documents::version(&package, found, &head.base, attestations)?;
    let rev = documents::rev(package.id, package.revision);
    let form = full(attestations).form;
    let mark = documents::fingerprint(&format!("{rev}:{}:{form}:{}", found.id, head.base));
    let tag = HeaderValue::from_str(&format!("\"{mark:032x}\"")).map_err(Fault::internal)?;
    Ok(revalidated(cx, Reply::json(StatusCode::OK, bytes)).with(header::ETAG, tag))
}

/// A tarball, as it was published.
pub(crate) async fn tarball(cx: &ReadCx, file: Option<&FileName>) -> Result<Reply, Fault> {
    let file = file.ok_or_else(|| Fault::not_found(Thing::File, String::new()))?;
    let view = cx.file(file).await?;
    let caching = if cx.is_public() {
        FOREVER_PUBLIC
    } else {
        FOREVER
    };
    let reply = Reply::blob(view.content()).with(header::CACHE_CONTROL, caching);
    Ok(match view.version {
        Some(version) => reply.counting(version),
        None => reply,
    })
}

pub(crate) fn revalidated(cx: &ReadCx, reply: Reply) -> Reply {
    let caching = if cx.is_public() {
        ASK_AGAIN_PUBLIC
    } else {
        ASK_AGAIN
    };
    reply
        .with(header::CACHE_CONTROL, caching)
        .with(header::VARY, VARY)
}
