//! What part of a blob an answer sends.

use std::ops::Range;

use http::{HeaderMap, StatusCode};
use packhouse_wire::{BlobContent, ETag, RangeRequest, is_not_modified, requested_range};

/// How a request for a blob is answered, decided on the head alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Selection {
    /// The client has it.
    NotModified,
    Whole,
    Part(Range<u64>),
    /// 416.
    Unsatisfiable,
}

/// Decides by the conditions first, by the range second (RFC 9110, 13.2.2). HEAD is asked
/// about the whole: `Range` is defined for GET alone.
pub(crate) fn select(
    headers: &HeaderMap,
    blob: &BlobContent,
    status: StatusCode,
    is_head: bool,
) -> Selection {
    let tag = ETag(&blob.tag);
    if status != StatusCode::OK {
        return Selection::Whole;
    }
    if is_not_modified(headers, tag, None) {
        return Selection::NotModified;
    }
    if is_head {
        return Selection::Whole;
    }
    match requested_range(headers, tag, blob.size) {
        RangeRequest::Whole => Selection::Whole,
        RangeRequest::Part(range) => Selection::Part(range),
        RangeRequest::Unsatisfiable => Selection::Unsatisfiable,
    }
}

/// `Content-Range` of a part.
pub(crate) fn content_range(range: &Range<u64>, size: u64) -> String {
    // a part is never empty
    format!(
        "bytes {}-{}/{size}",
        range.start,
        range.end.saturating_sub(1)
    )
}

/// `Content-Range` of a refusal.
pub(crate) fn unsatisfied_range(size: u64) -> String {
    format!("bytes */{size}")
}
