//! Documents without a tarball: deprecation, and versions that are gone from a document
//! (`spec/npm.md` 10, 11).

use std::collections::{HashMap, HashSet};

use http::StatusCode;
use packhouse_core::Fault;
use packhouse_core::access::{AccessChange, Holder};
use packhouse_core::cx::WriteCx;
use packhouse_core::fault::Thing;
use packhouse_core::model::{PackageRef, PackageView, Standing};
use packhouse_core::policy::Need;
use packhouse_core::revise::{Deletion, Revision};
use packhouse_names::{Login, NormalizedVersion, PackageId, Role, TagName};
use packhouse_wire::{Body, Reply};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use crate::body::{DocumentReader, malformed};
use crate::documents::{Stored, latest, revision_in};
use crate::fault::Refusal;
use crate::people::{named, starred};
use crate::publish::{MAX_DOCUMENT_BYTES, check_names, done};
use crate::submission::{Claims, KnownVersion, Submission};
use crate::version::{NpmVersion, highest};

/// `PUT /{package}` without a tarball: takes over what changed of the versions it names, and
/// never removes one, because a stale document would delete what somebody just published.
pub(crate) async fn merge(cx: &WriteCx, text: Vec<u8>) -> Result<Reply, Fault> {
    let asked = package_ref(cx)?;
    let package = match cx.package().await {
        Ok(package) => Some(package),
        Err(Fault::NotFound {
            what: Thing::Package,
            ..
        }) => None,
        Err(fault) => return Err(fault),
    };
    let (name, caller) = (asked.name.clone(), caller(cx)?);
    let plan = cx
        .compute(move || Plan::merge(&text, name.as_str(), package.as_ref(), &caller))
        .await?;
    plan.carry_out(cx, asked).await
}

/// `PUT /{package}/-rev/{rev}`: a whole document on the revision that it was read at. Versions
/// that are gone from it are removed.
pub(crate) async fn replace(cx: &WriteCx, rev: &str, body: Body) -> Result<Reply, Fault> {
    let asked = package_ref(cx)?;
    may_change(cx, asked).await?;
    let mut reader = DocumentReader::new(body, MAX_DOCUMENT_BYTES);
    if reader.next_attachment().await?.is_some() {
        return Err(Fault::invalid(
            "attachments",
            "a tarball is published to the package itself, without a revision",
        ));
    }
    let text = reader.finish()?;
    let package = cx.package().await?;
    let (name, rev, caller) = (asked.name.clone(), rev.to_owned(), caller(cx)?);
    let plan = cx
        .compute(move || Plan::replace(&text, name.as_str(), &package, &rev, &caller))
        .await?;
    let raised = cx.raise(plan.need(asked)).await?;
    plan.carry_out(&raised, asked).await
}

/// Turns away, before the body is read, who may do nothing of what it can ask.
async fn may_change(cx: &WriteCx, package: &PackageRef) -> Result<(), Fault> {
    let Err(refused) = cx.raise(Need::Curate(package.clone())).await else {
        return Ok(());
    };
    match cx.raise(Need::Publish(package.clone())).await {
        Ok(_) => Ok(()),
        // most of these documents remove versions
        Err(_) => Err(refused),
    }
}

/// `DELETE /{package}/-rev/{rev}`
pub(crate) async fn remove_package(cx: &WriteCx, rev: &str) -> Result<Reply, Fault> {
    let package = cx.package().await?;
    cx.revise(Revision {
        expect: Some(current(rev, &package)?),
        delete: Deletion::Package,
        ..Revision::default()
    })
    .await?;
    Ok(Reply::json(StatusCode::OK, r#"{"ok":"package removed"}"#))
}

/// `DELETE /{package}/-/{file}/-rev/{rev}`: the document that lacks the version removed it
/// already, tarball and all; clients mangle this address in many ways and need a yes.
pub(crate) fn remove_tarball(_granted: &WriteCx) -> Result<Reply, Fault> {
    Ok(Reply::json(
        StatusCode::CREATED,
        r#"{"ok":"tarball removed"}"#,
    ))
}

fn package_ref(cx: &WriteCx) -> Result<&PackageRef, Fault> {
    cx.need()
        .package()
        .ok_or_else(|| Fault::internal("a document without a package"))
}

/// Whose star a document can change.
fn caller(cx: &WriteCx) -> Result<Login, Fault> {
    let login = cx.caller().login().cloned();
    login.ok_or_else(|| Fault::internal("a document without a principal"))
}

/// What a document asks for.
#[derive(Debug)]
enum Plan {
    Refused(Refusal),
    /// The caller's star, to be there or not.
    Star(bool),
    /// Other owners.
    Owners(AccessChange),
    /// It says what is there already.
    Nothing {
        package: PackageId,
        revision: i64,
    },
    Change(Revision),
}

impl Plan {
    fn merge(
        text: &[u8],
        name: &str,
        package: Option<&PackageView>,
        caller: &Login,
    ) -> Result<Self, Fault> {
        let submission = Submission::parse(text)?;
        check_names(&submission, name)?;
        if !submission.has_versions() {
            if submission.maintainers.is_some() {
                return Ok(Self::Refused(Refusal::Owners));
            }
            return star(&submission, caller)?.ok_or_else(nothing_in_it);
        }
        let package = package.ok_or_else(without_tarball)?;
        if submission.bundle()?.is_some() {
            return Err(Fault::invalid(
                "attachments",
                "a provenance bundle comes with the tarball that it is about",
            ));
        }
        let standings = Diff::of(&submission, package)?.standings;
        Ok(if standings.is_empty() {
            Self::nothing(package)
        } else {
            Self::Change(Revision {
                standings,
                ..Revision::default()
            })
        })
    }

    fn replace(
        text: &[u8],
        name: &str,
        package: &PackageView,
        rev: &str,
        caller: &Login,
    ) -> Result<Self, Fault> {
        let submission = Submission::parse(text)?;
        check_names(&submission, name)?;
        if !submission.has_versions() {
            if let Some(maintainers) = submission.maintainers {
                let expect = current(rev, package)?;
                return owners(maintainers, package, expect);
            }
            return star(&submission, caller)?.ok_or_else(nothing_in_it);
        }
        let expect = current(rev, package)?;
        let diff = Diff::of(&submission, package)?;
        if diff == Diff::default() {
            // pnpm sends the whole document to change a star
            return Ok(star(&submission, caller)?.unwrap_or_else(|| Self::nothing(package)));
        }
        diff.into_revision(&submission, package, expect)
            .map(Self::Change)
    }

    fn nothing(package: &PackageView) -> Self {
        Self::Nothing {
            package: package.id,
            revision: package.revision,
        }
    }

    /// What it takes to do it, or to be told no.
    fn need(&self, package: &PackageRef) -> Need {
        match self {
            Self::Change(revision) if revision.delete != Deletion::Nothing => {
                Need::Curate(package.clone())
            }
            Self::Owners(_) => Need::Manage(package.clone()),
            Self::Refused(_) | Self::Star(_) | Self::Nothing { .. } | Self::Change(_) => {
                Need::Publish(package.clone())
            }
        }
    }

    async fn carry_out(self, cx: &WriteCx, asked: &PackageRef) -> Result<Reply, Fault> {
        let (package, revision) = match self {
            Self::Refused(refusal) => return Ok(refusal.reply()),
            Self::Star(is_starred) => {
                cx.star(is_starred).await?;
                return starred(cx).await;
            }
            Self::Owners(change) => {
                let revised = cx.change_access(change).await?;
                (revised.package, revised.revision)
            }
            Self::Nothing { package, revision } => (package, revision),
            Self::Change(revision) => {
                let revised = cx.revise(revision).await?;
                (revised.package, revised.revision)
            }
        };
        let name = asked.name.as_str();
        Ok(done(
            StatusCode::OK,
            "updated package",
            name,
            package,
            revision,
        ))
    }
}

/// The revision that a client hands back, while it is the current one.
fn current(rev: &str, package: &PackageView) -> Result<i64, Fault> {
    revision_in(rev, package.id)
        .filter(|revision| *revision == package.revision)
        .ok_or(Fault::Stale)
}

fn without_tarball() -> Fault {
    Fault::invalid("versions", "a new version needs its tarball")
}

fn nothing_in_it() -> Fault {
    Fault::invalid("versions", "the document holds no version")
}

/// What a document makes of the caller's star: of all the stars in it that is the one it can
/// change. `None` for a document that says nothing of stars.
fn star(submission: &Submission<'_>, caller: &Login) -> Result<Option<Plan>, Fault> {
    let Some(users) = submission.users else {
        return Ok(None);
    };
    let users: HashMap<String, IgnoredAny> = serde_json::from_str(users.get())
        .map_err(|error| malformed("the users of the document", &error))?;
    let is_starred = users
        .keys()
        .any(|user| user.eq_ignore_ascii_case(caller.as_str()));
    Ok(Some(Plan::Star(is_starred)))
}

/// Somebody in a list of owners; the e-mail address beside the name is not looked at.
#[derive(Deserialize)]
#[serde(expecting = "an object with a name")]
struct Owner {
    name: String,
}

/// How a list of owners differs from that of the package: whoever is new in it becomes an admin,
/// whoever is gone from it loses the role of their own.
fn owners(list: &RawValue, package: &PackageView, expect: i64) -> Result<Plan, Fault> {
    let owners: Vec<Owner> = serde_json::from_str(list.get())
        .map_err(|error| malformed("the maintainers of the document", &error))?;
    let wanted = owners
        .iter()
        .map(|owner| named(&owner.name))
        .collect::<Result<Vec<Login>, _>>()?;
    let new = wanted
        .iter()
        .filter(|login| !package.maintainers.contains(login));
    let gone = package
        .maintainers
        .iter()
        .filter(|login| !wanted.contains(login));
    let change = AccessChange {
        expect: Some(expect),
        grant: new
            .map(|login| (Holder::User(login.clone()), Role::Admin))
            .collect(),
        revoke: gone.map(|login| Holder::User(login.clone())).collect(),
    };
    Ok(if change.grant.is_empty() && change.revoke.is_empty() {
        Plan::nothing(package)
    } else {
        Plan::Owners(change)
    })
}

/// How a document differs from the package, in what a document can change.
#[derive(Debug, Default, PartialEq, Eq)]
struct Diff {
    standings: Vec<(NormalizedVersion, Standing)>,
    missing: Vec<NormalizedVersion>,
}

/// Of `dist` as it is stored.
#[derive(Deserialize)]
struct Dist {
    integrity: String,
    shasum: String,
}

impl Diff {
    fn of(submission: &Submission<'_>, package: &PackageView) -> Result<Self, Fault> {
        let mut left: HashMap<&str, _> = package
            .versions
            .iter()
            .map(|version| (version.name.as_str(), version))
            .collect();
        let mut diff = Self::default();
        for (key, value) in submission.versions() {
            let version = left.remove(key).ok_or_else(without_tarball)?;
            let said = KnownVersion::parse(value)?;
            check_claims(&said.claims(), key, &Stored::read(version)?)?;
            let reason = said.reason()?;
            let old = match &version.standing {
                Standing::Deprecated { reason } => Some(reason.as_str()),
                Standing::Live | Standing::Unlisted | Standing::Yanked => None,
            };
            if reason.as_deref() != old {
                let standing = match reason {
                    Some(reason) => Standing::Deprecated { reason },
                    None => Standing::Live,
                };
                diff.standings.push((version.key.clone(), standing));
            }
        }
        // in the order of publication
        let missing = package
            .versions
            .iter()
            .filter(|version| left.contains_key(version.name.as_str()));
        diff.missing = missing.map(|version| version.key.clone()).collect();
        Ok(diff)
    }

    /// `latest` must go on naming something: where its version goes, what the client chose of
    /// what stays, else the highest.
    fn into_revision(
        self,
        submission: &Submission<'_>,
        package: &PackageView,
        expect: i64,
    ) -> Result<Revision, Fault> {
        let gone: HashSet<&NormalizedVersion> = self.missing.iter().collect();
        let stays = |key: &NormalizedVersion| !gone.contains(key);
        let mut tags = Vec::new();
        if latest(package).is_some_and(|latest| !stays(&latest.key)) {
            let staying = || {
                let all = package.versions.iter();
                all.filter(|version| stays(&version.key))
                    .map(|version| version.name.as_str())
            };
            let chosen = submission
                .tags()
                .find(|(tag, _)| *tag == "latest")
                .map(|(_, to)| to)
                .filter(|to| staying().any(|version| version == *to));
            if let Some(next) = chosen.or_else(|| highest(staying())) {
                let key = NpmVersion::parse(next)?.to_key()?;
                tags.push((TagName::new("latest")?, key));
            }
        }
        let delete = match self.missing.len() {
            0 => Deletion::Nothing,
            count if count == package.versions.len() => Deletion::Package,
            _ => Deletion::Versions(self.missing),
        };
        Ok(Revision {
            expect: Some(expect),
            delete,
            standings: self.standings,
            tags,
            untag: Vec::new(),
        })
    }
}

/// A document may repeat what a version's tarball is, and not change it.
fn check_claims(claims: &Claims, version: &str, stored: &Stored<'_>) -> Result<(), Fault> {
    let dist: Dist = serde_json::from_str(stored.dist.get()).map_err(Fault::internal)?;
    let same = |claimed: &Option<String>, stored: &str| {
        claimed
            .as_deref()
            .is_none_or(|claimed| claimed.eq_ignore_ascii_case(stored))
    };
    // base64 tells case apart, hex does not
    let same_integrity = claims
        .integrity
        .as_deref()
        .is_none_or(|claimed| claimed == dist.integrity);
    if same_integrity && same(&claims.shasum, &dist.shasum) {
        Ok(())
    } else {
        Err(Fault::invalid(
            "versions",
            format!("the tarball of version {version} cannot be changed"),
        ))
    }
}

#[cfg(test)]
mod tests;
