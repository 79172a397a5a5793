//! Changing what moves on a package: standing, tags, and which versions are there.

use std::collections::HashMap;
use std::sync::Arc;

use packhouse_db::{Tx, packages, tags, versions};
use packhouse_names::{NormalizedVersion, PackageId, TagName, Timestamp, VersionId};
use serde_json::{Value, json};

use crate::events::{self, Event};
use crate::fault::{Fault, Thing};
use crate::house::{Done, House};
use crate::model::Standing;
use crate::policy::Principal;

/// One change of a package, all of it or nothing.
#[derive(Debug, Clone, Default)]
pub struct Revision {
    /// The revision that the caller worked on; `None` where it does not matter.
    pub expect: Option<i64>,
    /// Which versions to delete; their tags go with them. Deleting the last one deletes the
    /// package.
    pub delete: Deletion,
    /// New standings of live versions.
    pub standings: Vec<(NormalizedVersion, Standing)>,
    /// Tags to point at live versions.
    pub tags: Vec<(TagName, NormalizedVersion)>,
    /// Tags to remove.
    pub untag: Vec<TagName>,
}

/// Which versions a revision deletes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Deletion {
    /// None: the revision needs no more than the right to publish.
    #[default]
    Nothing,
    /// These.
    Versions(Vec<NormalizedVersion>),
    /// The package with all of them.
    Package,
}

/// A change that happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revised {
    pub package: PackageId,
    /// The package's revision after it.
    pub revision: i64,
    /// The package went with its last version.
    pub package_is_gone: bool,
}

impl Revision {
    pub(crate) fn deletes(&self) -> bool {
        self.delete != Deletion::Nothing
    }
}

impl House {
    pub(crate) async fn revise(
        self: &Arc<Self>,
        package: PackageId,
        principal: Principal,
        revision: Revision,
    ) -> Result<Revised, Fault> {
        let at = self.now();
        self.commit(move |tx| {
            Revising {
                package,
                principal,
                at,
            }
            .run(tx, &revision)
        })
        .await
    }
}

/// One revision inside its transaction.
struct Revising {
    package: PackageId,
    principal: Principal,
    at: Timestamp,
}

impl Revising {
    fn run(&self, tx: &mut Tx<'_>, revision: &Revision) -> Result<Done<Revised>, Fault> {
        let package = packages::lock(tx, self.package)?;
        if package.deleted_at.is_some() {
            return Err(Fault::not_found(Thing::Package, package.name.to_string()));
        }
        if revision
            .expect
            .is_some_and(|expected| expected != package.revision)
        {
            return Err(Fault::Stale);
        }
        let mut live: HashMap<NormalizedVersion, VersionId> =
            versions::keys(tx, self.package)?.into_iter().collect();
        let doomed = doomed(&revision.delete, &live)?;
        let mut events = Vec::new();
        for (key, id) in &doomed {
            tags::remove_of_version(tx, *id)?;
            versions::soft_delete(tx, *id, self.at)?;
            live.remove(key);
            events.push((
                "version.deleted",
                json!({"version_id": id.get(), "version": key}),
            ));
        }
        let removed = i64::try_from(doomed.len()).map_err(Fault::internal)?;
        packages::add_live_versions(tx, self.package, -removed)?;
        let find = |key: &NormalizedVersion| {
            live.get(key)
                .copied()
                .ok_or_else(|| Fault::not_found(Thing::Version, key.as_str()))
        };
        for (key, standing) in &revision.standings {
            let id = find(key)?;
            let (word, reason) = stored(standing);
            versions::set_standing(tx, id, word, reason, self.at)?;
            events.push((
                "version.updated",
                json!({"version_id": id.get(), "version": key}),
            ));
        }
        for tag in &revision.untag {
            if !tags::remove(tx, self.package, tag)? {
                return Err(Fault::not_found(Thing::Tag, tag.as_str()));
            }
        }
        for (tag, key) in &revision.tags {
            tags::put(tx, self.package, tag, find(key)?, self.at)?;
        }
        if !revision.untag.is_empty() || !revision.tags.is_empty() {
            events.push(("package.tagged", json!({})));
        }
        let package_is_gone = revision.deletes() && live.is_empty();
        let number = packages::bump(tx, self.package, self.at)?;
        if package_is_gone {
            packages::soft_delete(tx, self.package, self.at)?;
            events.push(("package.deleted", json!({})));
        }
        Ok(Done {
            answer: Revised {
                package: self.package,
                revision: number,
                package_is_gone,
            },
            events: self.told(&events, number),
        })
    }

    fn told(&self, events: &[(&'static str, Value)], revision: i64) -> Vec<Event> {
        let actor = events::actor(&self.principal);
        events
            .iter()
            .map(|(kind, payload)| {
                let mut payload = payload.clone();
                if let Value::Object(fields) = &mut payload {
                    fields.insert("revision".to_owned(), revision.into());
                }
                events::about_package(kind, self.package, actor, &payload)
            })
            .collect()
    }
}

fn doomed(
    delete: &Deletion,
    live: &HashMap<NormalizedVersion, VersionId>,
) -> Result<Vec<(NormalizedVersion, VersionId)>, Fault> {
    match delete {
        Deletion::Nothing => Ok(Vec::new()),
        Deletion::Package => Ok(live.iter().map(|(key, id)| (key.clone(), *id)).collect()),
        Deletion::Versions(keys) => keys
            .iter()
            .map(|key| match live.get(key) {
                Some(id) => Ok((key.clone(), *id)),
                None => Err(Fault::not_found(Thing::Version, key.as_str())),
            })
            .collect(),
    }
}

fn stored(standing: &Standing) -> (packhouse_db::Standing, Option<&str>) {
    match standing {
        Standing::Live => (packhouse_db::Standing::Live, None),
        Standing::Deprecated { reason } => (packhouse_db::Standing::Deprecated, Some(reason)),
        Standing::Unlisted => (packhouse_db::Standing::Unlisted, None),
        Standing::Yanked => (packhouse_db::Standing::Yanked, None),
    }
}
