use percent_encoding::percent_decode_str;

/// Why a request target is not a path we read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    #[error("the path is not valid UTF-8 after decoding")]
    Encoding,
    #[error("the path holds a control character, a backslash or a dot segment")]
    Unsafe,
    #[error("the path is longer than {} bytes", Path::MAX_BYTES)]
    TooLong,
}

/// A request path, split on `/` **before** each segment is percent-decoded once, so that an
/// encoded slash stays inside its segment (npm's `/@scope%2fname`, npm/cli 10 to 12).
///
/// Empty segments are dropped: npm's provenance probe sends `//-/package/…`. A trailing slash
/// therefore does not show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    decoded: String,
    ends: Vec<usize>,
    skipped: usize,
}

impl Path {
    /// The longest raw path that is read, in bytes.
    pub const MAX_BYTES: usize = 8 * 1024;

    /// Splits and decodes the raw path of a request target, without its query.
    ///
    /// # Errors
    /// [`PathError`] for what no name may hold: control characters, backslashes, dot segments,
    /// encoded or not, and bytes that are not UTF-8.
    pub fn parse(raw: &str) -> Result<Self, PathError> {
        if raw.len() > Self::MAX_BYTES {
            return Err(PathError::TooLong);
        }
        let mut decoded = String::with_capacity(raw.len());
        let mut ends = Vec::with_capacity(8);
        for segment in raw.split('/').filter(|segment| !segment.is_empty()) {
            let start = decoded.len();
            if segment.contains('%') {
                let text = percent_decode_str(segment)
                    .decode_utf8()
                    .map_err(|_not_utf8| PathError::Encoding)?;
                decoded.push_str(&text);
            } else {
                decoded.push_str(segment);
            }
            let text = decoded.get(start..).unwrap_or_default();
            if is_unsafe(text) {
                return Err(PathError::Unsafe);
            }
            ends.push(decoded.len());
        }
        Ok(Self {
            decoded,
            ends,
            skipped: 0,
        })
    }

    /// The decoded segments that are left after what was skipped.
    #[must_use]
    pub fn segments(&self) -> Segments<'_> {
        Segments(self.iter().collect())
    }

    /// The segments one by one, without collecting them.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let mut start = 0;
        self.ends
            .iter()
            .map(move |&end| {
                let segment = self.decoded.get(start..end).unwrap_or_default();
                start = end;
                segment
            })
            .skip(self.skipped)
    }

    /// Skips a mount's prefix when the path begins with it; says whether it did.
    pub fn skip_prefix<'a>(&mut self, prefix: impl IntoIterator<Item = &'a str>) -> bool {
        let mut skipped = self.skipped;
        {
            let mut segments = self.iter();
            for part in prefix {
                if segments.next() != Some(part) {
                    return false;
                }
                skipped += 1;
            }
        }
        self.skipped = skipped;
        true
    }
}

fn is_unsafe(text: &str) -> bool {
    text.bytes().any(|b| b < 0x20 || b == 0x7f || b == b'\\')
        || text.split('/').any(|part| part == "." || part == "..")
}

/// The decoded segments of a path, for matching as a slice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segments<'a>(Vec<&'a str>);

impl<'a> std::ops::Deref for Segments<'a> {
    type Target = [&'a str];
    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segments(raw: &str) -> Vec<String> {
        Path::parse(raw)
            .unwrap()
            .iter()
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn an_encoded_slash_stays_inside_its_segment() {
        assert_eq!(
            segments("/@s%2fn/-/n-1.0.0.tgz"),
            ["@s/n", "-", "n-1.0.0.tgz"]
        );
        assert_eq!(segments("/%40s%2Fn"), ["@s/n"]);
        assert_eq!(segments("/@s%252fn"), ["@s%2fn"]);
        assert_eq!(segments("//a//b/"), ["a", "b"]);
        assert!(segments("/").is_empty());
    }

    #[test]
    fn what_a_file_system_would_obey_is_refused_encoded_or_not() {
        for raw in [
            "/../x",
            "/a/..",
            "/%2e%2e/x",
            "/a%2f..%2fb",
            "/a%5cb",
            "/a\\b",
            "/a%00b",
            "/.",
        ] {
            assert_eq!(Path::parse(raw), Err(PathError::Unsafe), "{raw}");
        }
        assert_eq!(Path::parse("/%ff"), Err(PathError::Encoding));
        assert_eq!(Path::parse(&"/a".repeat(5000)), Err(PathError::TooLong));
    }

    #[test]
    fn a_prefix_is_skipped_only_when_it_is_there() {
        let mut path = Path::parse("/_registry/npm/x").unwrap();
        assert!(!path.skip_prefix(["_registry", "maven"]));
        assert!(path.skip_prefix(["_registry", "npm"]));
        assert_eq!(path.segments().to_vec(), ["x"]);
    }
}
