use std::ops::Range;

use http::{HeaderMap, header};

use crate::ETag;

/// What a `Range` header asks of an object whose length is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RangeRequest {
    /// No range, several ranges, or one we do not read: answer the whole.
    Whole,
    /// One satisfiable range: 206.
    Part(Range<u64>),
    /// A range past the end, or a reversed one: 416.
    Unsatisfiable,
}

/// Reads `Range`, and `If-Range` where it is there, against an object of `length` bytes.
#[must_use]
pub fn requested_range(headers: &HeaderMap, tag: ETag<'_>, length: u64) -> RangeRequest {
    let Some(text) = headers
        .get(header::RANGE)
        .and_then(|value| value.to_str().ok())
    else {
        return RangeRequest::Whole;
    };
    if let Some(condition) = headers.get(header::IF_RANGE) {
        // a strong tag must match to the letter; dates are not offered as validators here
        if condition != tag.0 {
            return RangeRequest::Whole;
        }
    }
    let Some(list) = text.trim().strip_prefix("bytes=") else {
        return RangeRequest::Whole;
    };
    if list.contains(',') {
        return RangeRequest::Whole;
    }
    let Some((from, to)) = list.trim().split_once('-') else {
        return RangeRequest::Whole;
    };
    match (digits(from), digits(to)) {
        (Some(None), Some(Some(suffix))) => {
            if suffix == 0 || length == 0 {
                return RangeRequest::Unsatisfiable;
            }
            RangeRequest::Part(length.saturating_sub(suffix)..length)
        }
        (Some(Some(from)), Some(to)) => {
            let end = to.map_or(length, |last| last.saturating_add(1).min(length));
            if from >= length || to.is_some_and(|last| last < from) {
                return RangeRequest::Unsatisfiable;
            }
            RangeRequest::Part(from..end)
        }
        _ => RangeRequest::Whole,
    }
}

/// `Some(None)` for nothing at all, `None` for what is not a number.
fn digits(text: &str) -> Option<Option<u64>> {
    let text = text.trim();
    if text.is_empty() {
        return Some(None);
    }
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some(Some(text.parse().unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn every_shape_of_range_has_its_answer() {
        let tag = HeaderValue::from_static("\"t\"");
        for (range, expected) in [
            ("bytes=0-0", RangeRequest::Part(0..1)),
            ("bytes=0-9", RangeRequest::Part(0..10)),
            ("bytes=5-", RangeRequest::Part(5..10)),
            ("bytes=5-99", RangeRequest::Part(5..10)),
            ("bytes=-3", RangeRequest::Part(7..10)),
            ("bytes=-99", RangeRequest::Part(0..10)),
            ("bytes=10-", RangeRequest::Unsatisfiable),
            ("bytes=10-12", RangeRequest::Unsatisfiable),
            ("bytes=5-4", RangeRequest::Unsatisfiable),
            ("bytes=-0", RangeRequest::Unsatisfiable),
            ("bytes=99999999999999999999-", RangeRequest::Unsatisfiable),
            ("bytes=0-1,3-4", RangeRequest::Whole),
            ("bytes=x-4", RangeRequest::Whole),
            ("bytes=-", RangeRequest::Whole),
            ("items=0-1", RangeRequest::Whole),
        ] {
            let headers = HeaderMap::from_iter([(header::RANGE, range.parse().unwrap())]);
            assert_eq!(
                requested_range(&headers, ETag(&tag), 10),
                expected,
                "{range}"
            );
        }
    }

    #[test]
    fn a_range_of_another_form_is_the_whole() {
        let tag = HeaderValue::from_static("\"t\"");
        for (condition, expected) in [
            ("\"t\"", RangeRequest::Part(0..1)),
            ("\"u\"", RangeRequest::Whole),
        ] {
            let headers = HeaderMap::from_iter([
                (header::RANGE, "bytes=0-0".parse().unwrap()),
                (header::IF_RANGE, condition.parse().unwrap()),
            ]);
            assert_eq!(requested_range(&headers, ETag(&tag), 10), expected);
        }
    }
}
