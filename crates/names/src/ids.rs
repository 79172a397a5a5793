use serde::{Deserialize, Serialize};

/// A database identity of its own kind, so that one cannot be passed for another.
macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(i64);

        impl $name {
            /// The bare number, as GitHub's JSON and the database carry it.
            #[must_use]
            pub const fn get(self) -> i64 {
                self.0
            }
        }

        impl From<i64> for $name {
            fn from(id: i64) -> Self {
                Self(id)
            }
        }

        impl From<$name> for i64 {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    )+};
}

ids!(
    /// A user or an organization.
    AccountId,
    /// A team of an organization.
    TeamId,
    /// A repository: the permission holder that packages are linked to.
    RepositoryId,
    /// A package.
    PackageId,
    /// A version of a package.
    VersionId,
    /// A file of a version.
    FileId,
    /// An access token.
    TokenId,
    /// A row of the outbox.
    EventId,
);
