use serde::{Deserialize, Serialize};

use crate::words;

/// What somebody may do with a package; each role includes the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Role {
    /// Download, read metadata.
    Read,
    /// Upload, write metadata.
    Write,
    /// Delete, restore, grant, change visibility and link.
    Admin,
}

words!(Role, "a package role", { Read => "read", Write => "write", Admin => "admin" });

/// What somebody may do with a repository; each role includes the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum RepoRole {
    Read,
    Triage,
    Write,
    Maintain,
    Admin,
}

words!(RepoRole, "a repository role", {
    Read => "read",
    Triage => "triage",
    Write => "write",
    Maintain => "maintain",
    Admin => "admin",
});

impl RepoRole {
    /// The package role that a repository role turns into where access is inherited:
    /// triage reads, maintain writes (`spec/github-packages.md` 6.4).
    #[must_use]
    pub const fn on_packages(self) -> Role {
        match self {
            Self::Read | Self::Triage => Role::Read,
            Self::Write | Self::Maintain => Role::Write,
            Self::Admin => Role::Admin,
        }
    }
}

/// Somebody's place in an organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum OrgRole {
    Member,
    Owner,
}

words!(OrgRole, "an organization role", { Member => "member", Owner => "owner" });

/// Somebody's place in a team.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum TeamRole {
    Member,
    Maintainer,
}

words!(TeamRole, "a team role", { Member => "member", Maintainer => "maintainer" });
