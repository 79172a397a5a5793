use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};

use serde::{Deserialize, Serialize};

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    #[error("{what} must not be empty")]
    Empty { what: &'static str },
    #[error("{what} is longer than {limit} bytes")]
    TooLong { what: &'static str, limit: usize },
    #[error("{what} `{text}` {rule}")]
    Rule {
        what: &'static str,
        text: String,
        rule: &'static str,
    },
}

/// Gives a checked text its accessors and conversions; the check is the only way in, serde and
/// the database included.
macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $what:literal, $limit:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Box<str>);

        impl $name {
            /// The longest accepted text, in bytes.
            pub const MAX_BYTES: usize = $limit;

            /// Checks a text and takes it as it is.
            ///
            /// # Errors
            /// [`NameError`] says which rule the text breaks.
            pub fn new(text: impl AsRef<str> + Into<Box<str>>) -> Result<Self, NameError> {
                let seen = text.as_ref();
                if seen.is_empty() {
                    return Err(NameError::Empty { what: $what });
                }
                if seen.len() > Self::MAX_BYTES {
                    return Err(NameError::TooLong { what: $what, limit: Self::MAX_BYTES });
                }
                let check: fn(&str) -> Result<(), &'static str> = $check;
                check(seen).map_err(|rule| NameError::Rule {
                    what: $what,
                    text: seen.to_owned(),
                    rule,
                })?;
                Ok(Self(text.into()))
            }

            /// The text as it was given.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(text: String) -> Result<Self, Self::Error> {
                Self::new(text)
            }
        }

        impl std::str::FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0.into()
            }
        }
    };
}

/// Equality and order by the exact bytes.
macro_rules! exact {
    ($($name:ident),+) => {$(
        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.0 == other.0
            }
        }
        impl Eq for $name {}
        impl Hash for $name {
            fn hash<H: Hasher>(&self, state: &mut H) {
                self.0.hash(state);
            }
        }
        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
                Some(self.cmp(other))
            }
        }
        impl Ord for $name {
            fn cmp(&self, other: &Self) -> std::cmp::Ordering {
                self.0.cmp(&other.0)
            }
        }
    )+};
}

/// Equality and hash without regard to ASCII case; the spelling is kept.
macro_rules! caseless {
    ($($name:ident),+) => {$(
        impl $name {
            /// The lower-case spelling that the database compares by.
            #[must_use]
            pub fn key(&self) -> Cow<'_, str> {
                if self.0.bytes().any(|b| b.is_ascii_uppercase()) {
                    Cow::Owned(self.0.to_ascii_lowercase())
                } else {
                    Cow::Borrowed(&self.0)
                }
            }
        }
        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.0.eq_ignore_ascii_case(&other.0)
            }
        }
        impl Eq for $name {}
        impl Hash for $name {
            fn hash<H: Hasher>(&self, state: &mut H) {
                for byte in self.0.bytes() {
                    state.write_u8(byte.to_ascii_lowercase());
                }
                state.write_u8(0xff);
            }
        }
    )+};
}

/// Names become parts of URLs and keys, never of paths; these are wrong in all of them.
fn is_unsafe(text: &str) -> bool {
    text.chars().any(|c| c.is_control() || c == '\\')
        || text.split('/').any(|part| part == "." || part == "..")
}

fn plain(text: &str) -> Result<(), &'static str> {
    if is_unsafe(text) {
        return Err("must not hold control characters, backslashes or dot segments");
    }
    Ok(())
}

fn one_segment(text: &str) -> Result<(), &'static str> {
    if text.contains('/') {
        return Err("must not hold a slash");
    }
    plain(text)
}

/// First segments of the server's own addresses (design.md 8): no account may be called so.
const RESERVED: &[&str] = &[
    "api", "v2", "token", "assets", "login", "logout", "settings", "search", "new", "orgs",
    "users", "healthz", "readyz", "metrics",
];

text!(
    /// The name of an account, user or organization: one namespace, without regard to case.
    Login, "login", 39, |text| {
        if !text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.')) {
            return Err("may hold letters, digits, `-`, `_` and `.` only");
        }
        if text.starts_with(['-', '_', '.']) {
            return Err("must begin with a letter or a digit");
        }
        if RESERVED.iter().any(|word| word.eq_ignore_ascii_case(text)) {
            return Err("is reserved");
        }
        one_segment(text)
    }
);

text!(
    /// The name of a repository within its owner, without regard to case.
    RepoName, "repository name", 100, |text| {
        if !text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.')) {
            return Err("may hold letters, digits, `-`, `_` and `.` only");
        }
        one_segment(text)
    }
);

text!(
    /// The slug of a team within its organization.
    TeamSlug, "team slug", 100, |text| {
        if !text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')) {
            return Err("may hold letters, digits, `-` and `_` only");
        }
        Ok(())
    }
);

text!(
    /// A package's name as it was published, slashes and scope sign included. What else is valid
    /// is the format's business.
    PackageName, "package name", 512, plain
);

text!(
    /// A package's name as look-ups compare it; only a format's `name.rs` makes one.
    NormalizedName, "package name", 512, plain
);

text!(
    /// A version as it was published.
    VersionText, "version", 512, one_segment
);

text!(
    /// A version as look-ups compare it; only a format's `version.rs` makes one.
    NormalizedVersion, "version", 512, one_segment
);

text!(
    /// The name of a file of a version: one segment.
    FileName, "file name", 512, one_segment
);

text!(
    /// A movable name for a version: an npm dist-tag, a container tag.
    TagName, "tag", 128, one_segment
);

text!(
    /// Where a blob's bytes lie in the store: random, never derived from a name or a digest.
    StorageKey, "storage key", 32, |text| {
        if text.len() != 32 || !text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Err("must be 32 lower-case hex digits");
        }
        Ok(())
    }
);

text!(
    /// An upload that goes over several requests: random, and opaque to clients.
    UploadId, "upload id", 36, |text| {
        let is_form = text.len() == 36
            && text.bytes().enumerate().all(|(at, b)| match at {
                8 | 13 | 18 | 23 => b == b'-',
                _ => matches!(b, b'0'..=b'9' | b'a'..=b'f'),
            });
        if !is_form {
            return Err("must be a UUID in lower case");
        }
        Ok(())
    }
);

exact!(
    PackageName,
    NormalizedName,
    VersionText,
    NormalizedVersion,
    FileName,
    TagName,
    StorageKey,
    UploadId
);
caseless!(Login, RepoName, TeamSlug);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_compared_without_regard_to_case() {
        let (a, b) = (Login::new("Acme").unwrap(), Login::new("aCME").unwrap());
        assert_eq!(a, b);
        assert_eq!(a.key(), "acme");
        assert_eq!(a.as_str(), "Acme");
    }

    #[test]
    fn reserved_and_malformed_logins_are_refused() {
        for text in ["api", "Token", "-x", "_x", ".x", "a/b", "", "a b", "é"] {
            assert!(Login::new(text).is_err(), "{text}");
        }
        for text in ["admin", "con", "e2e-names", "9lives", "a.b"] {
            assert!(Login::new(text).is_ok(), "{text}");
        }
        assert!(Login::new("x".repeat(40)).is_err());
    }

    #[test]
    fn a_name_never_holds_what_a_path_would_obey() {
        for text in ["..", "a/../b", "a\\b", "a\0b", "a\nb", "./a"] {
            assert!(PackageName::new(text).is_err(), "{text:?}");
            assert!(FileName::new(text).is_err(), "{text:?}");
        }
        assert!(PackageName::new("@acme/left..pad").is_ok());
        assert!(FileName::new("a/b").is_err());
    }

    #[test]
    fn deserializing_goes_through_the_same_check() {
        let quoted = serde_like::<FileName>("../x");
        assert!(quoted.is_err());
    }

    /// Stands in for a serde format without bringing one in.
    fn serde_like<T: TryFrom<String>>(text: &str) -> Result<T, T::Error> {
        T::try_from(text.to_owned())
    }
}
