use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::{Subcommand, builder::TypedValueParser};
use packhouse_core::policy::Scopes;
use packhouse_names::{Ecosystem, Login, OrgRole, RepoName, RepoRole, Role, TeamSlug, Visibility};
use serde::{Deserialize, Serialize};

use crate::config::Switch;

/// What an operator asks for. The same type is the command line and, as JSON, the request on a
/// running server's socket.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AdminCommand {
    /// Make a user
    CreateUser {
        login: Login,
        #[arg(long)]
        email: Option<String>,
        /// May administer everything
        #[arg(long)]
        site_admin: bool,
    },
    /// Make an organization
    CreateOrg {
        login: Login,
        /// The user who owns it
        #[arg(long)]
        owner: Login,
        /// Visibility of packages first published under it
        #[arg(long, default_value = "private", value_parser = words::<Visibility>(VISIBILITIES))]
        default_visibility: Visibility,
    },
    /// Put a user into an organization
    AddMember {
        org: Login,
        user: Login,
        #[arg(long, default_value = "member", value_parser = words::<OrgRole>(&["member", "owner"]))]
        role: OrgRole,
    },
    /// Make a team of an organization
    CreateTeam {
        org: Login,
        slug: TeamSlug,
        /// The team above it
        #[arg(long)]
        parent: Option<TeamSlug>,
    },
    /// Put a member of an organization into a team
    AddTeamMember {
        #[arg(value_name = "ORG/SLUG")]
        team: TeamAddress,
        user: Login,
    },
    /// Make a repository, which packages can be linked to
    CreateRepo {
        #[arg(value_name = "OWNER/NAME")]
        repository: RepositoryAddress,
        #[arg(long, default_value = "private", value_parser = words::<Visibility>(VISIBILITIES))]
        visibility: Visibility,
    },
    /// Give a user a role on a repository
    AddCollaborator {
        #[arg(value_name = "OWNER/REPO")]
        repository: RepositoryAddress,
        user: Login,
        #[arg(long, value_parser = words::<RepoRole>(REPO_ROLES))]
        role: RepoRole,
    },
    /// Change who may see a package
    SetVisibility {
        #[arg(value_name = "OWNER/ECOSYSTEM/NAME")]
        package: PackageAddress,
        #[arg(value_parser = words::<Visibility>(VISIBILITIES))]
        visibility: Visibility,
    },
    /// Give a user or a team a role on a package
    Grant {
        #[arg(value_name = "OWNER/ECOSYSTEM/NAME")]
        package: PackageAddress,
        #[arg(value_name = "USER|ORG/TEAM")]
        to: GranteeAddress,
        #[arg(long, value_parser = words::<Role>(&["read", "write", "admin"]))]
        role: Role,
    },
    /// Link a package to a repository
    Link {
        #[arg(value_name = "OWNER/ECOSYSTEM/NAME")]
        package: PackageAddress,
        #[arg(value_name = "OWNER/REPO")]
        repository: RepositoryAddress,
        /// Whether the repository's roles hold for the package
        #[arg(long, value_name = "on|off")]
        inherit: Option<Switch>,
    },
    /// Make an access token and print it, alone, on stdout
    CreateToken {
        user: Login,
        /// Comma separated: read:packages,write:packages,delete:packages,…
        #[arg(long, value_parser = scopes)]
        scopes: String,
        #[arg(long)]
        note: Option<String>,
        /// A span such as 12h, 30d or 1y; without it the token does not expire
        #[arg(long, value_name = "SPAN")]
        expires: Option<Span>,
        /// Make a workflow token, bound to this repository
        #[arg(long, value_name = "OWNER/NAME")]
        repository: Option<RepositoryAddress>,
    },
    /// Revoke a token, by its id or its text
    RevokeToken { token: String },
    /// Refuse everything to a user, tokens included
    SuspendUser { login: Login },
    /// Undo suspend-user
    UnsuspendUser { login: Login },
}

const VISIBILITIES: &[&str] = &["private", "internal", "public"];
const REPO_ROLES: &[&str] = &["read", "triage", "write", "maintain", "admin"];

/// A closed vocabulary, whose words `--help` lists.
fn words<T>(list: &'static [&'static str]) -> impl TypedValueParser<Value = T>
where
    T: FromStr<Err: std::error::Error + Send + Sync + 'static> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(list).try_map(|word| word.parse::<T>())
}

fn scopes(text: &str) -> Result<String, String> {
    match Scopes::parse(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Why a text is not an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct AddressError(String);

fn part<T: FromStr<Err: fmt::Display>>(text: &str) -> Result<T, AddressError> {
    text.parse()
        .map_err(|error: T::Err| AddressError(error.to_string()))
}

/// Gives an address its JSON form: its text.
macro_rules! as_text {
    ($($type:ident),+) => {$(
        impl TryFrom<String> for $type {
            type Error = AddressError;
            fn try_from(text: String) -> Result<Self, AddressError> {
                text.parse()
            }
        }
        impl From<$type> for String {
            fn from(address: $type) -> Self {
                address.to_string()
            }
        }
    )+};
}

as_text!(
    PackageAddress,
    RepositoryAddress,
    TeamAddress,
    GranteeAddress
);

/// `OWNER/NAME`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RepositoryAddress {
    pub owner: Login,
    pub name: RepoName,
}

impl FromStr for RepositoryAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let Some((owner, name)) = text.split_once('/') else {
            return Err(AddressError("OWNER/NAME is expected".to_owned()));
        };
        Ok(Self {
            owner: part(owner)?,
            name: part(name)?,
        })
    }
}

impl fmt::Display for RepositoryAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

/// `ORG/SLUG`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TeamAddress {
    pub org: Login,
    pub slug: TeamSlug,
}

impl FromStr for TeamAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let Some((org, slug)) = text.split_once('/') else {
            return Err(AddressError("ORG/SLUG is expected".to_owned()));
        };
        Ok(Self {
            org: part(org)?,
            slug: part(slug)?,
        })
    }
}

impl fmt::Display for TeamAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.org, self.slug)
    }
}

/// `USER` or `ORG/TEAM`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum GranteeAddress {
    User(Login),
    Team(TeamAddress),
}

impl FromStr for GranteeAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if text.contains('/') {
            return Ok(Self::Team(text.parse()?));
        }
        Ok(Self::User(part(text)?))
    }
}

impl fmt::Display for GranteeAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(login) => login.fmt(f),
            Self::Team(team) => team.fmt(f),
        }
    }
}

/// `OWNER/ECOSYSTEM/NAME`; the name may hold slashes and is checked by its format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PackageAddress {
    pub owner: Login,
    pub ecosystem: Ecosystem,
    pub name: String,
}

impl FromStr for PackageAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let mut parts = text.splitn(3, '/');
        let (Some(owner), Some(ecosystem), Some(name)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(AddressError(
                "OWNER/ECOSYSTEM/NAME is expected, such as acme/npm/@acme/left-pad".to_owned(),
            ));
        };
        Ok(Self {
            owner: part(owner)?,
            ecosystem: part(ecosystem)?,
            name: name.to_owned(),
        })
    }
}

impl fmt::Display for PackageAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.owner, self.ecosystem, self.name)
    }
}

/// A span of time: a number with `s`, `m`, `h`, `d`, `w` or `y` after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Span {
    seconds: u64,
}

impl Span {
    /// The span as a duration.
    #[must_use]
    pub const fn duration(self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}

impl FromStr for Span {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let span: crate::config::Span = part(text)?;
        match span.duration().as_secs() {
            0 => Err(AddressError("the span is empty".to_owned())),
            seconds => Ok(Self { seconds }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(subcommand)]
        command: AdminCommand,
    }

    fn parse(line: &str) -> Result<AdminCommand, clap::Error> {
        Line::try_parse_from(std::iter::once("admin").chain(line.split(' ')))
            .map(|line| line.command)
    }

    #[test]
    fn every_command_of_the_design_is_read_and_survives_the_socket() {
        for line in [
            "create-user ann --email ann@example.com --site-admin",
            "create-org acme --owner ann --default-visibility public",
            "add-member acme bob --role owner",
            "create-team acme core --parent all",
            "add-team-member acme/core bob",
            "create-repo acme/site --visibility internal",
            "add-collaborator acme/site bob --role maintain",
            "set-visibility acme/npm/@acme/left-pad public",
            "grant acme/npm/@acme/left-pad acme/core --role write",
            "grant acme/npm/@acme/left-pad bob --role admin",
            "link acme/npm/@acme/left-pad acme/site --inherit off",
            "create-token ann --scopes read:packages,write:packages --note ci --expires 30d",
            "create-token ann --scopes write:packages --repository acme/site",
            "revoke-token 17",
            "suspend-user bob",
            "unsuspend-user bob",
        ] {
            let command = parse(line).unwrap_or_else(|error| panic!("{line}: {error}"));
            let json = serde_json::to_string(&command).unwrap();
            assert_eq!(
                serde_json::from_str::<AdminCommand>(&json).unwrap(),
                command,
                "{line}"
            );
        }
    }

    #[test]
    fn what_is_no_command_is_refused_before_anything_is_opened() {
        for line in [
            "create-user -x",
            "create-user api",
            "create-org acme",
            "add-collaborator acme/site bob",
            "set-visibility acme/left-pad public",
            "set-visibility acme/cargo/left-pad public",
            "set-visibility acme/npm/left-pad secret",
            "create-token ann --scopes everything",
            "create-token ann --scopes user --expires soon",
            "create-token ann --scopes user --expires 0d",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn a_span_counts_in_the_unit_it_names() {
        for (text, seconds) in [
            ("90s", 90),
            ("15m", 900),
            ("12h", 43_200),
            ("30d", 2_592_000),
        ] {
            assert_eq!(text.parse::<Span>().unwrap().duration().as_secs(), seconds);
        }
        for text in [
            "",
            "d",
            "30",
            "-1d",
            "1 d",
            "99999999999999999999y",
            "5000y",
        ] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }
}
