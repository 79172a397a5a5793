use std::hash::{Hash, Hasher};

use packhouse_names::{
    Ecosystem, Login, NormalizedName, PackageId, PackageName, RepoName, TagName, Timestamp,
    VersionId, VersionText, Visibility,
};

use super::VersionView;

/// Where a name lives: the owner, and for repository-scoped ecosystems the repository.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Namespace {
    /// The owning account, as the caller spelt it.
    pub owner: Login,
    /// The repository that the address names; `None` where packages belong to the account.
    pub repository: Option<RepoName>,
}

/// A package as an address names it. Two spellings of one package are equal: `name` is not
/// compared, `key` is.
#[derive(Debug, Clone)]
pub struct PackageRef {
    pub ecosystem: Ecosystem,
    pub namespace: Namespace,
    /// As the caller spelt it; answers show it.
    pub name: PackageName,
    /// Made by the format's `name.rs`; look-ups use it.
    pub key: NormalizedName,
}

impl PartialEq for PackageRef {
    fn eq(&self, other: &Self) -> bool {
        self.ecosystem == other.ecosystem
            && self.namespace == other.namespace
            && self.key == other.key
    }
}

impl Eq for PackageRef {}

impl Hash for PackageRef {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.ecosystem.hash(state);
        self.namespace.hash(state);
        self.key.hash(state);
    }
}

/// A repository by its full name, `OWNER/NAME`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositoryRef {
    pub owner: Login,
    pub name: RepoName,
}

impl std::fmt::Display for RepositoryRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

/// A package with its live versions, as index documents are rendered from.
#[derive(Debug, Clone)]
pub struct PackageView {
    pub id: PackageId,
    /// As first published.
    pub name: PackageName,
    pub owner: Login,
    pub visibility: Visibility,
    /// Counts every change of the package or a version of it.
    pub revision: i64,
    pub created_at: Timestamp,
    /// Never earlier than any version's instant; grows with every revision.
    pub updated_at: Timestamp,
    /// Live versions in the order of publication.
    pub versions: Vec<VersionView>,
    pub tags: Vec<TagView>,
    /// Users with a role of their own that lets them publish, and the owner where it is a user.
    pub maintainers: Vec<Login>,
    /// Who starred it, by login; the first thousand.
    pub starred_by: Vec<Login>,
    /// The README of the version that the asked tag names.
    pub readme: Option<String>,
}

/// A movable name and the version it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagView {
    pub name: TagName,
    pub version: VersionText,
    pub version_id: VersionId,
}
