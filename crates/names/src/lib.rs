#![doc = include_str!("../README.md")]

mod digest;
mod ecosystem;
mod ids;
mod names;
mod role;
mod time;
mod token;

pub use digest::{Digest, Md5, Sha1, Sha256, Sha512};
pub use ecosystem::{Ecosystem, Visibility};
pub use ids::{AccountId, EventId, FileId, PackageId, RepositoryId, TeamId, TokenId, VersionId};
pub use names::{
    FileName, Login, NameError, NormalizedName, NormalizedVersion, PackageName, RepoName,
    StorageKey, TagName, TeamSlug, UploadId, VersionText,
};
pub use role::{OrgRole, RepoRole, Role, TeamRole};
pub use time::Timestamp;
pub use token::{TokenKind, TokenText};

/// A word of a closed vocabulary was expected and something else was found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not {expected}")]
pub struct UnknownWord {
    expected: &'static str,
    found: String,
}

/// Gives a closed set of words its text form, both ways, for URLs, the database and JSON.
macro_rules! words {
    ($type:ident, $expected:literal, { $($variant:ident => $word:literal),+ $(,)? }) => {
        impl $type {
            /// Every value, in declaration order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word used in URLs, the database and JSON.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $type {
            type Err = $crate::UnknownWord;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    _ => Err($crate::UnknownWord { expected: $expected, found: text.to_owned() }),
                }
            }
        }

        impl TryFrom<String> for $type {
            type Error = $crate::UnknownWord;
            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(value: $type) -> Self {
                value.as_str().to_owned()
            }
        }
    };
}
pub(crate) use words;
