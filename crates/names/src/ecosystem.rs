use serde::{Deserialize, Serialize};

use crate::words;

/// A package ecosystem: GitHub's `package_type`. Gradle publishes as `maven`; `docker` and
/// `container` speak one wire protocol under two tenancies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Ecosystem {
    Npm,
    RubyGems,
    Maven,
    NuGet,
    Docker,
    Container,
}

words!(Ecosystem, "a package type", {
    Npm => "npm",
    RubyGems => "rubygems",
    Maven => "maven",
    NuGet => "nuget",
    Docker => "docker",
    Container => "container",
});

impl Ecosystem {
    /// Whether packages live in a repository and always have its permissions and visibility
    /// (`maven`, `docker`), instead of having a list of their own.
    #[must_use]
    pub const fn is_repository_scoped(self) -> bool {
        matches!(self, Self::Maven | Self::Docker)
    }
}

/// Who may see a package or a repository without being named anywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Visibility {
    /// Only those with a role.
    Private,
    /// Besides, every member of the owning organization.
    Internal,
    /// Everybody; whether without a token is the house's setting. There is no way back.
    Public,
}

words!(Visibility, "a visibility", {
    Private => "private",
    Internal => "internal",
    Public => "public",
});
