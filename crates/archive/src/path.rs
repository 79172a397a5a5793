use std::fmt;

use crate::error::shown;
use crate::{ArchiveError, Limits};

/// The path of a member: relative, with `/` between its segments, without `..`, empty segments,
/// NUL, backslashes and drive letters, in UTF-8. The first segment may be `.`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MemberPath(Box<str>);

impl MemberPath {
    /// The whole path.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The segments, at least one.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }

    /// The path within its outermost folder, whatever that is called; `None` for a member that
    /// lies in no folder.
    #[must_use]
    pub fn below_first(&self) -> Option<&str> {
        self.0.split_once('/').map(|(_folder, rest)| rest)
    }

    pub(crate) fn new(bytes: &[u8], limits: &Limits) -> Result<Self, ArchiveError> {
        if bytes.len() > limits.member_path_bytes {
            return Err(ArchiveError::PathTooLong {
                limit: limits.member_path_bytes,
            });
        }
        match check(bytes) {
            Ok(text) => Ok(Self(text.into())),
            Err(why) => Err(ArchiveError::UnsafePath {
                path: shown(bytes),
                why,
            }),
        }
    }
}

impl fmt::Display for MemberPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn check(bytes: &[u8]) -> Result<&str, &'static str> {
    let Ok(text) = str::from_utf8(bytes) else {
        return Err("is not UTF-8");
    };
    if text.contains('\0') {
        return Err("holds a NUL");
    }
    if text.contains('\\') {
        return Err("holds a backslash");
    }
    if text.starts_with('/') {
        return Err("is absolute");
    }
    for (place, segment) in text.split('/').enumerate() {
        match segment.as_bytes() {
            [] => return Err("has an empty segment"),
            b".." => return Err("leads upward"),
            // `tar c .` puts it first, and installers strip the first segment, whatever it is.
            b"." if place > 0 => return Err("has a dot segment"),
            // In every segment: the first one is gone when the package is installed.
            [letter, b':', ..] if letter.is_ascii_alphabetic() => {
                return Err("begins with a drive letter");
            }
            _ => {}
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_paths_are_taken_as_they_are() {
        for text in [
            "package/package.json",
            "./a",
            "a",
            "x/..y/z..",
            "p/Icon\r",
            "p/é",
            "p/ab:c",
        ] {
            let path = MemberPath::new(text.as_bytes(), &Limits::default()).unwrap();
            assert_eq!(path.as_str(), text);
        }
    }

    #[test]
    fn paths_that_lead_out_or_mislead_are_refused() {
        let bad: [&[u8]; 14] = [
            b"",
            b"/etc/passwd",
            b"..",
            b"p/../x",
            b"p/..",
            b"p//x",
            b"p/./x",
            b"p/",
            b"p\\x",
            b"c:/x",
            b"p/C:x",
            b"p/a\0b",
            b"p/\xff",
            b"//x",
        ];
        for bytes in bad {
            let refused = MemberPath::new(bytes, &Limits::default());
            assert!(
                matches!(refused, Err(ArchiveError::UnsafePath { .. })),
                "{}",
                shown(bytes)
            );
        }
    }

    #[test]
    fn the_outermost_folder_can_be_taken_off() {
        let path = |text: &str| MemberPath::new(text.as_bytes(), &Limits::default()).unwrap();
        assert_eq!(path("a/b/c").below_first(), Some("b/c"));
        assert_eq!(path("./b").below_first(), Some("b"));
        assert_eq!(path("a").below_first(), None);
    }
}
