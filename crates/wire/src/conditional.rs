use http::{HeaderMap, HeaderValue, header};
use packhouse_names::Timestamp;

/// A validator to compare a request's conditions with.
#[derive(Debug, Clone, Copy)]
pub struct ETag<'a>(pub &'a HeaderValue);

/// How the bytes of an answer are coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    Identity,
    Gzip,
}

/// Whether the client asked for gzip, by `Accept-Encoding` (RFC 9110, 12.5.3).
#[must_use]
pub fn prefers_gzip(headers: &HeaderMap) -> bool {
    let mut any = None;
    for value in headers.get_all(header::ACCEPT_ENCODING) {
        let Ok(text) = value.to_str() else { continue };
        for item in text.split(',') {
            let (coding, parameters) = item.split_once(';').unwrap_or((item, ""));
            let accepted = !is_zero(parameters);
            match coding.trim() {
                name if name.eq_ignore_ascii_case("gzip") => return accepted,
                "*" => any = Some(accepted),
                _ => {}
            }
        }
    }
    any.unwrap_or(false)
}

fn is_zero(parameters: &str) -> bool {
    parameters
        .trim()
        .strip_prefix("q=")
        .is_some_and(|q| !q.is_empty() && q.bytes().all(|b| b == b'0' || b == b'.'))
}

/// Whether the client holds the current form already: 304.
///
/// `If-None-Match` rules when it is there (weak comparison, lists, `*`); `If-Modified-Since` is
/// looked at only without it (RFC 9110, 13.2.2).
#[must_use]
pub fn is_not_modified(
    headers: &HeaderMap,
    tag: ETag<'_>,
    last_modified: Option<&HeaderValue>,
) -> bool {
    let mut asked = false;
    for value in headers.get_all(header::IF_NONE_MATCH) {
        asked = true;
        let Ok(text) = value.to_str() else { continue };
        if text.trim() == "*" || text.split(',').any(|one| opaque(one) == opaque_of(tag)) {
            return true;
        }
    }
    if asked {
        return false;
    }
    let date = |value: &HeaderValue| Timestamp::from_http_date(value.to_str().ok()?);
    // most requests carry neither: the answer's own date is read only for those that ask
    let Some(since) = headers.get(header::IF_MODIFIED_SINCE).and_then(date) else {
        return false;
    };
    last_modified
        .and_then(date)
        .is_some_and(|modified| modified <= since)
}

fn opaque(tag: &str) -> &str {
    let tag = tag.trim();
    tag.strip_prefix("W/").unwrap_or(tag)
}

fn opaque_of<'a>(tag: ETag<'a>) -> &'a str {
    opaque(tag.0.to_str().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(header::HeaderName, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.clone(), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn gzip_is_chosen_only_where_it_is_accepted() {
        for (accept, expected) in [
            ("gzip,deflate", true),
            ("gzip, deflate, br", true),
            ("zstd, GZIP;q=0.5", true),
            ("gzip;q=0", false),
            ("gzip;q=0.0, *", false),
            ("*", true),
            ("identity", false),
            ("br", false),
        ] {
            let headers = headers(&[(header::ACCEPT_ENCODING, accept)]);
            assert_eq!(prefers_gzip(&headers), expected, "{accept}");
        }
        assert!(!prefers_gzip(&HeaderMap::new()));
    }

    #[test]
    fn a_tag_that_does_not_match_silences_the_date() {
        let tag = HeaderValue::from_static("\"a\"");
        let date = HeaderValue::from_static("Sun, 01 Feb 2026 08:00:01 GMT");
        let old = [
            (header::IF_NONE_MATCH, "\"b\", W/\"c\""),
            (header::IF_MODIFIED_SINCE, "Sun, 01 Feb 2026 08:00:01 GMT"),
        ];
        assert!(!is_not_modified(&headers(&old), ETag(&tag), Some(&date)));
        for condition in ["\"a\"", "W/\"a\"", "\"x\", \"a\"", "*"] {
            let headers = headers(&[(header::IF_NONE_MATCH, condition)]);
            assert!(is_not_modified(&headers, ETag(&tag), None), "{condition}");
        }
    }

    #[test]
    fn a_date_alone_is_compared_as_an_upper_bound() {
        let tag = HeaderValue::from_static("\"a\"");
        let date = HeaderValue::from_static("Sun, 01 Feb 2026 08:00:01 GMT");
        for (since, expected) in [
            ("Sun, 01 Feb 2026 08:00:01 GMT", true),
            ("Sun, 01 Feb 2026 08:00:00 GMT", false),
            ("yesterday", false),
        ] {
            let headers = headers(&[(header::IF_MODIFIED_SINCE, since)]);
            assert_eq!(
                is_not_modified(&headers, ETag(&tag), Some(&date)),
                expected,
                "{since}"
            );
        }
    }
}
