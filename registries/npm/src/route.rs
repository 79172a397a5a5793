//! What the protocol can ask, and how a request's head says it (`spec/npm.md` 2.2, 3). Pure.

mod api;
pub(crate) mod people;

use std::borrow::Cow;

use http::Method;
use packhouse_core::fault::Thing;
use packhouse_core::model::{Namespace, PackageRef};
use packhouse_core::policy::Need;
use packhouse_core::{Call, Fault};
use packhouse_names::{Ecosystem, FileName, Login, TagName};
use packhouse_wire::{Head, Path};

use crate::Reading;
use crate::documents::Attestations;
use crate::fault::Refusal;
use crate::name::{self, NpmName};
use crate::version;

use people::{PeopleRead, PeopleWrite};

/// Every request shape, as labels for metrics and for the test of permissions.
pub(crate) const ROUTES: &[&str] = &[
    "GET /{package}",
    "GET /{package}/{version}",
    "GET /{package}/-/{file}",
    "PUT /{package}",
    "PUT /{package}/-rev/{rev}",
    "DELETE /{package}/-rev/{rev}",
    "DELETE /{package}/-/{file}/-rev/{rev}",
    "GET /-/package/{package}/dist-tags",
    "PUT /-/package/{package}/dist-tags",
    "POST /-/package/{package}/dist-tags",
    "PUT /-/package/{package}/dist-tags/{tag}",
    "DELETE /-/package/{package}/dist-tags/{tag}",
    "GET /-/ping",
    "GET /-/whoami",
    "GET /-/user/{user}",
    "PUT /-/user/{user}",
    "PUT /-/user/{user}/-rev/{rev}",
    "DELETE /-/user/token/{token}",
    "GET /-/npm/v1/keys",
    "GET /-/npm/v1/attestations/{package}@{version}",
    "GET /-/npm/v1/tokens",
    "POST /-/npm/v1/tokens",
    "DELETE /-/npm/v1/tokens/token/{key}",
    "GET /-/v1/search",
    "POST /-/npm/v1/security/advisories/bulk",
    "POST /-/npm/v1/security/audits/quick",
    "POST /-/npm/v1/security/audits",
    "POST /-/v1/login",
    "GET /-/v1/done",
    "GET /-/v1/login/{login}",
    "POST /-/v1/login/{login}",
    "GET /-/npm/v1/user",
    "POST /-/npm/v1/user",
    "GET /-/_view/starredByUser",
    "GET /-/package/{package}/visibility",
    "POST /-/package/{package}/access",
    "GET /-/package/{package}/collaborators",
    "GET /-/package/{package}/owners",
    "PUT /-/package/{package}/owners",
    "DELETE /-/package/{package}/owners/{owner}",
    "GET /-/org/{org}/package",
    "GET /-/user/{owner}/package",
    "GET /-/org/{org}/user",
    "PUT /-/org/{org}/user",
    "DELETE /-/org/{org}/user",
    "GET /-/org/{org}/team",
    "PUT /-/org/{org}/team",
    "DELETE /-/team/{org}/{team}",
    "GET /-/team/{org}/{team}/user",
    "PUT /-/team/{org}/{team}/user",
    "DELETE /-/team/{org}/{team}/user",
    "GET /-/team/{org}/{team}/package",
    "PUT /-/team/{org}/{team}/package",
    "DELETE /-/team/{org}/{team}/package",
];

/// A request that changes nothing.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Read {
    /// The package with all of its versions; the short form for those who install.
    Packument {
        abbreviated: bool,
    },
    /// One version, by its number or a tag.
    Version {
        wanted: String,
    },
    /// A version's tarball; `None` for a name that no file can have.
    Tarball {
        file: Option<FileName>,
    },
    DistTags,
    Ping,
    Whoami,
    /// What is known of a user, to themselves.
    User {
        name: String,
    },
    Tokens,
    /// Packages by words.
    Search,
    /// What verifies the registry's signatures.
    Keys,
    /// Where a version comes from.
    Attestations {
        version: String,
    },
    People(PeopleRead),
}

/// A request that changes something, or whose body is the question.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Write {
    /// A new version, or without a tarball a change of standing.
    Publish,
    /// A whole document on the revision it was read at: versions may be gone from it.
    Replace {
        rev: String,
    },
    /// The package with all of its versions.
    RemovePackage {
        rev: String,
    },
    /// The last step of removing a version, which was removed already.
    RemoveTarball,
    SetTag {
        tag: TagName,
    },
    RemoveTag {
        tag: TagName,
    },
    /// Sign in with a token in the password's place.
    SignIn {
        user: String,
        renews: bool,
    },
    SignOut {
        token: String,
    },
    CreateToken,
    RevokeToken {
        key: String,
    },
    /// Which of these are known to be vulnerable?
    Audit(Audit),
    People(PeopleWrite),
    /// No, and everybody may know.
    Refused {
        label: &'static str,
        refusal: Refusal,
    },
}

/// The ways in which clients ask for advisories.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audit {
    /// Names and versions; npm, pnpm 11, bun, newer yarn.
    Bulk,
    /// A tree; pnpm 10, older yarn, npm's fallback.
    Quick,
    /// The same by its old address.
    Full,
}

impl Read {
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Self::Packument { .. } => "GET /{package}",
            Self::Version { .. } => "GET /{package}/{version}",
            Self::Tarball { .. } => "GET /{package}/-/{file}",
            Self::DistTags => "GET /-/package/{package}/dist-tags",
            Self::Ping => "GET /-/ping",
            Self::Whoami => "GET /-/whoami",
            Self::User { .. } => "GET /-/user/{user}",
            Self::Tokens => "GET /-/npm/v1/tokens",
            Self::Search => "GET /-/v1/search",
            Self::Keys => "GET /-/npm/v1/keys",
            Self::Attestations { .. } => "GET /-/npm/v1/attestations/{package}@{version}",
            Self::People(read) => read.label(),
        }
    }
}

impl Write {
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Self::Publish => "PUT /{package}",
            Self::Replace { .. } => "PUT /{package}/-rev/{rev}",
            Self::RemovePackage { .. } => "DELETE /{package}/-rev/{rev}",
            Self::RemoveTarball => "DELETE /{package}/-/{file}/-rev/{rev}",
            Self::SetTag { .. } => "PUT /-/package/{package}/dist-tags/{tag}",
            Self::RemoveTag { .. } => "DELETE /-/package/{package}/dist-tags/{tag}",
            Self::SignIn { renews: false, .. } => "PUT /-/user/{user}",
            Self::SignIn { renews: true, .. } => "PUT /-/user/{user}/-rev/{rev}",
            Self::SignOut { .. } => "DELETE /-/user/token/{token}",
            Self::CreateToken => "POST /-/npm/v1/tokens",
            Self::RevokeToken { .. } => "DELETE /-/npm/v1/tokens/token/{key}",
            Self::Audit(Audit::Bulk) => "POST /-/npm/v1/security/advisories/bulk",
            Self::Audit(Audit::Quick) => "POST /-/npm/v1/security/audits/quick",
            Self::Audit(Audit::Full) => "POST /-/npm/v1/security/audits",
            Self::People(write) => write.label(),
            Self::Refused { label, .. } => label,
        }
    }
}

/// A request's head, decoded.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Read(Need, Read),
    Write(Need, Write),
}

impl Asked {
    pub(crate) fn into_call(self, attestations: Attestations) -> Call {
        match self {
            Self::Read(need, read) => Call::Read(need, Box::new(Reading { read, attestations })),
            Self::Write(need, write) => Call::Write(need, Box::new(write)),
        }
    }
}

/// Reads a request's head.
///
/// # Errors
/// [`Fault::NoRoute`] for what the protocol does not have or we do not, [`Fault::Invalid`] for a
/// name or a tag that npm itself rejects, [`Fault::NotFound`] for a name that no account could
/// own.
pub(crate) fn route(head: &Head, unscoped_owner: Option<&Login>) -> Result<Asked, Fault> {
    let segments = head.path.segments();
    match &*segments {
        [] => Err(Fault::NoRoute),
        ["-", rest @ ..] if !rest.is_empty() => api::api(head, rest, unscoped_owner),
        path => {
            let (name, rest) = package_name(path)?;
            package(head, &name, rest, unscoped_owner)
        }
    }
}

/// Whether clients send this to the host's root although the registry lies below a path: they
/// make the address of an absolute path (`spec/npm.md` 2.1).
pub(crate) fn is_stray(path: &Path) -> bool {
    matches!(
        &*path.segments(),
        ["-", "v1", "search"] | ["-", "npm", "v1", "oidc", ..] | ["-", "package", .., "visibility"]
    )
}

/// What follows the name below `/-/package/`.
fn of_package(
    head: &Head,
    name: &NpmName,
    rest: &[&str],
    unscoped_owner: Option<&Login>,
) -> Result<Asked, Fault> {
    let package = || package_ref(name, unscoped_owner);
    if let Some(asked) = people::of_package(&head.method, rest, package)? {
        return Ok(asked);
    }
    Ok(match (&head.method, rest) {
        (&Method::GET, ["dist-tags"]) => Asked::Read(Need::Read(package()?), Read::DistTags),
        (&Method::PUT, ["dist-tags"]) => not_allowed("PUT /-/package/{package}/dist-tags"),
        (&Method::POST, ["dist-tags"]) => not_allowed("POST /-/package/{package}/dist-tags"),
        (&Method::PUT, ["dist-tags", tag]) => {
            let tag = version::tag(tag)?;
            Asked::Write(Need::Publish(package()?), Write::SetTag { tag })
        }
        (&Method::DELETE, ["dist-tags", tag]) => {
            let tag = TagName::new(*tag)?;
            Asked::Write(Need::Publish(package()?), Write::RemoveTag { tag })
        }
        _ => return Err(Fault::NoRoute),
    })
}

fn not_allowed(label: &'static str) -> Asked {
    let refusal = Refusal::BulkTags;
    Asked::Write(Need::Greet, Write::Refused { label, refusal })
}

fn package(
    head: &Head,
    name: &NpmName,
    rest: &[&str],
    unscoped_owner: Option<&Login>,
) -> Result<Asked, Fault> {
    let package = || package_ref(name, unscoped_owner);
    Ok(match (&head.method, rest) {
        (&Method::GET, []) => {
            let abbreviated = wants_abbreviated(head);
            Asked::Read(Need::Read(package()?), Read::Packument { abbreviated })
        }
        (&Method::GET, [wanted]) => {
            let wanted = (*wanted).to_owned();
            Asked::Read(Need::Read(package()?), Read::Version { wanted })
        }
        (&Method::GET, ["-", file @ ..]) => {
            let file = file_name(name, file)?;
            Asked::Read(Need::Read(package()?), Read::Tarball { file })
        }
        (&Method::PUT, []) => {
            name.check_new()?;
            match package() {
                Ok(package) => Asked::Write(Need::Publish(package), Write::Publish),
                Err(_) if name.scope().is_none() => Asked::Write(
                    Need::Greet,
                    Write::Refused {
                        label: Write::Publish.label(),
                        refusal: Refusal::Unscoped,
                    },
                ),
                Err(fault) => return Err(fault),
            }
        }
        // only the body says whether versions are gone from the document, which needs more
        (&Method::PUT, ["-rev", rev]) => {
            let rev = (*rev).to_owned();
            Asked::Write(Need::Read(package()?), Write::Replace { rev })
        }
        (&Method::DELETE, ["-rev", rev]) => {
            let rev = (*rev).to_owned();
            Asked::Write(Need::Curate(package()?), Write::RemovePackage { rev })
        }
        (&Method::DELETE, ["-", _, "-rev", _] | ["-", _, _, "-rev", _]) => {
            Asked::Write(Need::Curate(package()?), Write::RemoveTarball)
        }
        _ => return Err(Fault::NoRoute),
    })
}

/// Takes a package's name off the front of a path: one segment, or two where the slash of a
/// scoped name came unencoded.
fn package_name<'a, 's>(path: &'a [&'s str]) -> Result<(NpmName, &'a [&'s str]), Fault> {
    let (first, rest) = path.split_first().ok_or(Fault::NoRoute)?;
    if let Some(decoded) = decoded_again(first) {
        return Ok((decoded, rest));
    }
    if first.starts_with('@') && !first.contains('/') {
        let (second, rest) = rest
            .split_first()
            .ok_or_else(|| Fault::invalid("name", "a scope is not a package name"))?;
        return Ok((NpmName::parse(&format!("{first}/{second}"))?, rest));
    }
    Ok((NpmName::parse(first)?, rest))
}

/// Undoes a second encoding by a proxy (`/@scope%252fname`), where a scoped name comes out.
fn decoded_again(segment: &str) -> Option<NpmName> {
    if !segment.contains('%') {
        return None;
    }
    let text = ["%2f", "%2F"]
        .iter()
        .fold(segment.replace("%40", "@"), |text, sign| {
            text.replace(sign, "/")
        });
    NpmName::parse(&text)
        .ok()
        .filter(|name| name.scope().is_some())
}

/// The file that a tarball's address names, `/-/file` or `/-/@scope/file`; `None` for one that
/// the package cannot have.
fn file_name(name: &NpmName, path: &[&str]) -> Result<Option<FileName>, Fault> {
    let joined: Cow<'_, str> = match path {
        [file] => Cow::Borrowed(*file),
        [scope, file] => Cow::Owned(format!("{scope}/{file}")),
        _ => return Err(Fault::NoRoute),
    };
    let (scope, file) = name::split(&joined);
    // a scope is an account's name: the case in which it is spelt says nothing
    let is_own = |scope: &str| {
        name.scope()
            .is_some_and(|own| own.eq_ignore_ascii_case(scope))
    };
    if !scope.is_none_or(is_own) {
        return Ok(None);
    }
    // a version has other files too, which are no downloads
    if !file.ends_with(".tgz") {
        return Ok(None);
    }
    Ok(FileName::new(file).ok())
}

/// Whose package it is: its scope's, or of the one account that owns the unscoped names.
pub(crate) fn package_ref(
    name: &NpmName,
    unscoped_owner: Option<&Login>,
) -> Result<PackageRef, Fault> {
    let owner = match name.scope() {
        Some(scope) => Login::new(scope).ok(),
        None => unscoped_owner.cloned(),
    };
    Ok(PackageRef {
        ecosystem: Ecosystem::Npm,
        namespace: Namespace {
            owner: owner.ok_or_else(|| Fault::not_found(Thing::Package, name.name.as_str()))?,
            repository: None,
        },
        name: name.name.clone(),
        key: name.key.clone(),
    })
}

/// Whether the short form is asked for. Everything else, `*/*` and nothing included, is the long
/// one (`spec/npm.md` 4.1).
fn wants_abbreviated(head: &Head) -> bool {
    head.headers
        .get_all(http::header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|item| {
            let mut parts = item.split(';').map(str::trim);
            let is_short = parts
                .next()
                .is_some_and(|kind| kind.eq_ignore_ascii_case(crate::documents::ABBREVIATED_TYPE));
            let is_refused = parts
                .filter_map(|parameter| parameter.strip_prefix("q="))
                .any(|q| q.parse().is_ok_and(|q: f32| q <= 0.0));
            is_short && !is_refused
        })
}

#[cfg(test)]
mod tests;
