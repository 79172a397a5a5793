//! Blobs and their uploads (`spec/oci.md` 3.3, 3.5, 3.6).

use std::ops::Range;

use http::{HeaderName, HeaderValue, StatusCode, header};
use packhouse_core::blobs::BlobView;
use packhouse_core::cx::{ReadCx, WriteCx};
use packhouse_core::uploads::{Chunk, Finished, Part, UploadView};
use packhouse_core::{Fault, Sums};
use packhouse_names::{Digest, UploadId};
use packhouse_wire::{Body, Head, Reply};

use crate::route::{Opening, Source};
use crate::{CONTENT_DIGEST, fault};

const UPLOAD_ID: HeaderName = HeaderName::from_static("docker-upload-uuid");
const OCTETS: HeaderValue = HeaderValue::from_static("application/octet-stream");

/// Bytes that have a digest never change. Shared caches only where everybody may read.
const FOREVER: HeaderValue = HeaderValue::from_static("private, max-age=31536000");
const FOREVER_PUBLIC: HeaderValue = HeaderValue::from_static("max-age=31536000");

pub(crate) fn forever(cx: &ReadCx) -> HeaderValue {
    if cx.is_public() {
        FOREVER_PUBLIC
    } else {
        FOREVER
    }
}

pub(crate) async fn get(cx: &ReadCx, digest: &Digest) -> Result<Reply, Fault> {
    let blob = cx.blob(digest).await?;
    Ok(Reply::blob(blob.content(OCTETS))
        .with(CONTENT_DIGEST, value(&blob.digest.to_string())?)
        .with(header::CACHE_CONTROL, forever(cx)))
}

pub(crate) async fn delete(cx: &WriteCx, digest: Digest) -> Result<Reply, Fault> {
    cx.unlink(digest).await?;
    Ok(Reply::empty(StatusCode::ACCEPTED))
}

pub(crate) async fn open(
    cx: &WriteCx,
    name: &str,
    how: Opening,
    body: Body,
) -> Result<Reply, Fault> {
    let sums = match how {
        Opening::Session { sums } => sums,
        Opening::Whole { digest } => {
            let staged = cx.stage(body, sums(&digest), cx.max_layer_bytes()).await?;
            return created(name, &*cx.keep(staged, digest).await?);
        }
        Opening::Mount { digest, from } => {
            let mounted = match from {
                Source::Anywhere => cx.mount(digest, None).await?,
                Source::Package(from) => cx.mount(digest, Some(*from)).await?,
                Source::Nowhere => None,
            };
            if let Some(blob) = mounted {
                return created(name, &blob);
            }
            // what is not to be had is uploaded
            sums(&digest)
        }
    };
    let upload = cx.open_upload(sums).await?;
    progress(StatusCode::ACCEPTED, name, &upload)
}

pub(crate) async fn status(cx: &ReadCx, name: &str, id: &UploadId) -> Result<Reply, Fault> {
    progress(StatusCode::NO_CONTENT, name, &cx.upload(id).await?)
}

pub(crate) async fn append(
    cx: &WriteCx,
    head: &Head,
    name: &str,
    id: &UploadId,
    body: Body,
) -> Result<Reply, Fault> {
    let part = part(cx, head, body)?;
    match cx.append(id, part).await? {
        Chunk::Appended(upload) => progress(StatusCode::ACCEPTED, name, &upload),
        Chunk::Misplaced(upload) => misplaced(name, &upload),
    }
}

pub(crate) async fn finish(
    cx: &WriteCx,
    head: &Head,
    name: &str,
    id: &UploadId,
    digest: Digest,
    body: Body,
) -> Result<Reply, Fault> {
    let part = part(cx, head, body)?;
    match cx.finish(id, part, digest).await? {
        Finished::Blob(blob) => created(name, &blob),
        Finished::Misplaced(upload) => misplaced(name, &upload),
    }
}

pub(crate) async fn cancel(cx: &WriteCx, id: &UploadId) -> Result<Reply, Fault> {
    cx.cancel(id).await?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

fn part(cx: &WriteCx, head: &Head, body: Body) -> Result<Part, Fault> {
    // clients send any range they like with an empty body, and mean nothing by it
    let span = match head.content_length() {
        Some(0) => None,
        _ => head.header(&header::CONTENT_RANGE).map(span).transpose()?,
    };
    Ok(Part {
        span,
        body,
        limit: cx.max_layer_bytes(),
    })
}

/// `FIRST-LAST`, as this protocol writes it; `bytes ` before it and `/…` behind it are passed over.
fn span(text: &str) -> Result<Range<u64>, Fault> {
    let malformed = || Fault::invalid("upload", format!("`{text}` is no Content-Range"));
    let range = text.trim();
    let range = range.strip_prefix("bytes ").unwrap_or(range);
    let range = range.split('/').next().unwrap_or(range);
    let (first, last) = range.split_once('-').ok_or_else(malformed)?;
    let number = |digits: &str| -> Option<u64> {
        let is_plain = digits.bytes().all(|b| b.is_ascii_digit());
        digits.parse().ok().filter(|_| is_plain)
    };
    let first = number(first).ok_or_else(malformed)?;
    let end = number(last).and_then(|last| last.checked_add(1));
    match end {
        Some(end) if end > first => Ok(first..end),
        _ => Err(malformed()),
    }
}

/// Where an upload stands. The range of nothing is that of one byte: clients cannot read another.
fn progress(status: StatusCode, name: &str, upload: &UploadView) -> Result<Reply, Fault> {
    let last = upload.length.saturating_sub(1);
    Ok(Reply::empty(status)
        .with(
            header::LOCATION,
            value(&format!("/v2/{name}/blobs/uploads/{}", upload.id))?,
        )
        .with(header::RANGE, value(&format!("0-{last}"))?)
        .with(UPLOAD_ID, value(upload.id.as_str())?))
}

fn misplaced(name: &str, upload: &UploadView) -> Result<Reply, Fault> {
    let status = StatusCode::RANGE_NOT_SATISFIABLE;
    let mut reply = fault::error(
        status,
        "RANGE_INVALID",
        "the chunk does not begin where the upload stands",
    );
    reply
        .headers
        .extend(progress(status, name, upload)?.headers);
    Ok(reply)
}

fn created(name: &str, blob: &BlobView) -> Result<Reply, Fault> {
    let digest = blob.digest.to_string();
    Ok(Reply::empty(StatusCode::CREATED)
        .with(
            header::LOCATION,
            value(&format!("/v2/{name}/blobs/{digest}"))?,
        )
        .with(CONTENT_DIGEST, value(&digest)?))
}

fn sums(digest: &Digest) -> Sums {
    match digest {
        Digest::Sha256(_) => Sums::NONE,
        Digest::Sha512(_) => Sums::SHA512,
    }
}

pub(crate) fn value(text: &str) -> Result<HeaderValue, Fault> {
    HeaderValue::from_str(text).map_err(Fault::internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_leniently_but_not_guessed() {
        assert_eq!(span("0-1023").unwrap(), 0..1024);
        assert_eq!(span("bytes 5-5").unwrap(), 5..6);
        assert_eq!(span("bytes 0-9/100").unwrap(), 0..10);
        for bad in [
            "",
            "5",
            "a-b",
            "9-5",
            "-5",
            "5-",
            "+1-2",
            "0-18446744073709551615",
        ] {
            assert!(span(bad).is_err(), "{bad}");
        }
    }
}
