use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use packhouse_names::{Role, TokenText};
use sha2::{Digest as _, Sha256};

/// A classic token's scope, in GitHub's words (`spec/github-packages.md` 6.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    ReadPackages,
    WritePackages,
    DeletePackages,
    Repo,
    PublicRepo,
    DeleteRepo,
    User,
    AdminOrg,
    WriteOrg,
    ReadOrg,
    AdminRepoHook,
    WriteRepoHook,
    ReadRepoHook,
    AdminOrgHook,
    SiteAdmin,
}

impl Scope {
    /// Every scope there is.
    pub const ALL: &'static [(Self, &'static str)] = &[
        (Self::ReadPackages, "read:packages"),
        (Self::WritePackages, "write:packages"),
        (Self::DeletePackages, "delete:packages"),
        (Self::Repo, "repo"),
        (Self::PublicRepo, "public_repo"),
        (Self::DeleteRepo, "delete_repo"),
        (Self::User, "user"),
        (Self::AdminOrg, "admin:org"),
        (Self::WriteOrg, "write:org"),
        (Self::ReadOrg, "read:org"),
        (Self::AdminRepoHook, "admin:repo_hook"),
        (Self::WriteRepoHook, "write:repo_hook"),
        (Self::ReadRepoHook, "read:repo_hook"),
        (Self::AdminOrgHook, "admin:org_hook"),
        (Self::SiteAdmin, "site_admin"),
    ];

    const fn bit(self) -> u32 {
        match self {
            Self::ReadPackages => 1,
            Self::WritePackages => 1 << 1,
            Self::DeletePackages => 1 << 2,
            Self::Repo => 1 << 3,
            Self::PublicRepo => 1 << 4,
            Self::DeleteRepo => 1 << 5,
            Self::User => 1 << 6,
            Self::AdminOrg => 1 << 7,
            Self::WriteOrg => 1 << 8,
            Self::ReadOrg => 1 << 9,
            Self::AdminRepoHook => 1 << 10,
            Self::WriteRepoHook => 1 << 11,
            Self::ReadRepoHook => 1 << 12,
            Self::AdminOrgHook => 1 << 13,
            Self::SiteAdmin => 1 << 14,
        }
    }
}

/// The scopes of a classic token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scopes(u32);

/// A word that is not a scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a scope")]
pub struct UnknownScope(String);

impl Scopes {
    /// No scope at all: such a token says who its owner is, and no more.
    pub const NONE: Self = Self(0);

    /// Every scope there is, for the site admin's first token.
    #[must_use]
    pub fn all() -> Self {
        Scope::ALL.iter().map(|(scope, _)| *scope).collect()
    }

    /// Reads a list separated by commas or white space.
    ///
    /// # Errors
    /// [`UnknownScope`] for the first word that is none.
    pub fn parse(text: &str) -> Result<Self, UnknownScope> {
        text.split([',', ' '])
            .filter(|word| !word.is_empty())
            .map(|word| {
                Scope::ALL
                    .iter()
                    .find(|(_, name)| *name == word)
                    .map(|(scope, _)| *scope)
                    .ok_or_else(|| UnknownScope(word.to_owned()))
            })
            .collect()
    }

    /// Whether the token was given this scope itself.
    #[must_use]
    pub const fn has(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    /// May read packages: `write:packages` implies it, `delete:packages` does not.
    #[must_use]
    pub const fn reads_packages(self) -> bool {
        self.has(Scope::ReadPackages) || self.has(Scope::WritePackages)
    }

    /// Of these what lets a token do something with packages.
    #[must_use]
    pub fn of_packages(self) -> Self {
        let scopes = [
            Scope::ReadPackages,
            Scope::WritePackages,
            Scope::DeletePackages,
        ];
        scopes
            .into_iter()
            .filter(|scope| self.has(*scope))
            .collect()
    }

    /// Whether every scope of `other` is among these: a token never makes a wider one.
    #[must_use]
    pub const fn includes(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |bits, scope| bits | scope.bit()))
    }
}

/// Comma separated, as `X-OAuth-Scopes` and `create-token --scopes` have them.
impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut first = true;
        for (scope, name) in Scope::ALL {
            if self.has(*scope) {
                if !first {
                    f.write_str(",")?;
                }
                f.write_str(name)?;
                first = false;
            }
        }
        Ok(())
    }
}

/// What a workflow declared for packages: `permissions: packages: …`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Declared {
    None,
    Read,
    Write,
}

impl Declared {
    /// The most that the token may do with any package. Deleting needs `Write` declared and the
    /// admin role besides, so `Write` caps nothing.
    #[must_use]
    pub const fn ceiling(self) -> Option<Role> {
        match self {
            Self::None => None,
            Self::Read => Some(Role::Read),
            Self::Write => Some(Role::Admin),
        }
    }

    /// What a workflow token's package scopes declare.
    #[must_use]
    pub const fn from_scopes(scopes: Scopes) -> Self {
        if scopes.has(Scope::WritePackages) {
            Self::Write
        } else if scopes.has(Scope::ReadPackages) {
            Self::Read
        } else {
            Self::None
        }
    }
}

/// The sha256 of a token: what the database keeps and compares instead of the secret. The
/// secret has about 238 random bits, so no slow hash is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// Hashes a token.
    #[must_use]
    pub fn of(token: &TokenText) -> Self {
        Self(Sha256::digest(token.expose().as_bytes()).into())
    }

    /// The bytes, for the database.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// The `user:password` of a Basic header.
pub(crate) fn decode_basic(text: &str) -> Option<String> {
    String::from_utf8(STANDARD.decode(text).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_read_and_printed_in_githubs_words() {
        let scopes = Scopes::parse("write:packages, read:packages").unwrap();
        assert_eq!(scopes.to_string(), "read:packages,write:packages");
        assert_eq!(
            Scopes::parse("packages").unwrap_err().to_string(),
            "`packages` is not a scope"
        );
        assert_eq!(Scopes::parse("").unwrap(), Scopes::NONE);
        assert_eq!(
            Scopes::parse(&Scopes::all().to_string()).unwrap(),
            Scopes::all()
        );
    }

    #[test]
    fn writing_implies_reading_and_deleting_implies_neither() {
        assert!(Scopes::parse("write:packages").unwrap().reads_packages());
        assert!(!Scopes::parse("delete:packages").unwrap().reads_packages());
        assert!(Scopes::all().includes(Scopes::parse("repo,user").unwrap()));
        assert!(
            !Scopes::parse("repo")
                .unwrap()
                .includes(Scopes::parse("user").unwrap())
        );
    }
}
