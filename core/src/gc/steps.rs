//! The steps of a collection, each bounded pieces of work one after the other.

use futures_util::TryStreamExt as _;
use packhouse_db::collection::{self, CondemnedObject};
use packhouse_db::{leases, packages};
use packhouse_names::{PackageId, Sha256, StorageKey, VersionId};
use serde_json::json;
use tracing::warn;

use super::{Collected, Turn, WALK, orphan_age};
use crate::events;
use crate::fault::Fault;
use crate::house::Done;

/// Rows looked at in one go.
const STEP: u32 = 2_000;

/// Rows changed in one transaction: nobody waits long behind it.
const BATCH: usize = 100;
const BATCH_ROWS: u32 = 100;

impl Turn {
    /// Removes for good what nobody can restore any more.
    pub(super) async fn purge(&mut self, collected: &mut Collected) -> Result<(), Fault> {
        let before = self.house.now().before(self.house.settings.restorable);
        let mut after = VersionId::from(0);
        loop {
            self.go_on().await?;
            let lost = self
                .house
                .db
                .read(move |conn| {
                    let limit = BATCH_ROWS;
                    Ok::<_, Fault>(collection::lost_versions(conn, after, before, limit)?)
                })
                .await?;
            let Some((_, last)) = lost.last() else {
                break;
            };
            after = *last;
            for (package, version) in lost {
                if collected.is_dry || self.purge_version(package, version).await? {
                    collected.purged_versions += 1;
                }
            }
        }
        let limit = if collected.is_dry {
            u32::MAX
        } else {
            BATCH_ROWS
        };
        loop {
            let lost = self
                .house
                .db
                .read(move |conn| Ok::<_, Fault>(collection::lost_packages(conn, before, limit)?))
                .await?;
            let mut purged = 0;
            for package in lost {
                if collected.is_dry || self.purge_package(package).await? {
                    purged += 1;
                }
            }
            collected.purged_packages += purged;
            if collected.is_dry || purged == 0 {
                return Ok(());
            }
        }
    }

    async fn purge_version(&self, id: PackageId, version: VersionId) -> Result<bool, Fault> {
        let before = self.house.now().before(self.house.settings.restorable);
        self.house
            .commit(move |tx| {
                let package = packages::lock(tx, id)?;
                let purged = collection::purge_version(tx, &package, version, before)?;
                let Some(key) = purged else {
                    return Ok(Done::nothing(false));
                };
                let payload = json!({ "version_id": version.get(), "version": key });
                let event = events::about_package("version.purged", id, None, &payload);
                Ok(Done {
                    answer: true,
                    events: vec![event],
                })
            })
            .await
    }

    async fn purge_package(&self, id: PackageId) -> Result<bool, Fault> {
        let before = self.house.now().before(self.house.settings.restorable);
        self.house
            .commit(move |tx| {
                if !collection::purge_package(tx, id, before)? {
                    return Ok(Done::nothing(false));
                }
                let event = events::about_package("package.purged", id, None, &json!({}));
                Ok(Done {
                    answer: true,
                    events: vec![event],
                })
            })
            .await
    }

    /// Ends uploads that were abandoned.
    pub(super) async fn uploads(&mut self, collected: &mut Collected) -> Result<(), Fault> {
        self.go_on().await?;
        let ended = if collected.is_dry {
            self.house.abandoned_uploads().await?.len()
        } else {
            self.house.sweep_uploads().await?
        };
        collected.ended_uploads = u64::try_from(ended).unwrap_or(u64::MAX);
        Ok(())
    }

    /// Takes blobs away from packages whose live versions do not name them: otherwise a deleted
    /// image could be pulled by its layers for ever.
    pub(super) async fn prune(&mut self, collected: &mut Collected) -> Result<(), Fault> {
        let at = self.house.now();
        let mut after = (0, String::new());
        loop {
            self.go_on().await?;
            let begin = after.clone();
            let (needless, end) = self
                .house
                .db
                .read(move |conn| {
                    let end = collection::link_step_end(conn, &begin, STEP)?;
                    let found = collection::needless_links(conn, &begin, end.as_ref(), at)?;
                    Ok::<_, Fault>((found, end))
                })
                .await?;
            for (package, digests) in needless {
                for digests in digests.chunks(BATCH) {
                    let count = if collected.is_dry {
                        digests.len()
                    } else {
                        self.prune_package(package, digests.to_vec()).await?
                    };
                    collected.pruned_links += u64::try_from(count).unwrap_or(u64::MAX);
                }
            }
            match end {
                Some(end) => after = end,
                None => return Ok(()),
            }
        }
    }

    async fn prune_package(&self, id: PackageId, digests: Vec<String>) -> Result<usize, Fault> {
        let at = self.house.now();
        self.house
            .commit(move |tx| {
                // who publishes here waits, and sees then what is left
                packages::lock(tx, id)?;
                let pruned = collection::prune_links(tx, id, &digests, at)?;
                if pruned.is_empty() {
                    return Ok(Done::nothing(0));
                }
                let payload = json!({ "digests": pruned });
                let event = events::about_package("blobs.pruned", id, None, &payload);
                Ok(Done {
                    answer: pruned.len(),
                    events: vec![event],
                })
            })
            .await
    }

    /// Condemns blobs that nothing holds.
    pub(super) async fn condemn(&mut self, collected: &mut Collected) -> Result<(), Fault> {
        let at = self.house.now();
        let mut after: Option<Sha256> = None;
        loop {
            self.go_on().await?;
            let begin = after;
            let (found, end) = self
                .house
                .db
                .read(move |conn| {
                    let end = collection::step_end(conn, begin, STEP)?;
                    Ok::<_, Fault>((collection::unheld(conn, begin, end, at)?, end))
                })
                .await?;
            if collected.is_dry {
                for blob in &found {
                    collected.condemned.add(blob.size_bytes);
                }
            } else {
                for batch in found.chunks(BATCH) {
                    let wanted: Vec<_> = batch.iter().map(|blob| blob.sha256).collect();
                    let condemned = self
                        .house
                        .db
                        .write(move |tx| Ok::<_, Fault>(collection::condemn(tx, &wanted, at)?))
                        .await?;
                    for object in condemned {
                        collected.condemned.add(object.size_bytes);
                    }
                }
            }
            match end {
                Some(end) => after = Some(end),
                None => return Ok(()),
            }
        }
    }

    /// Ends condemned blobs whose grace is over: the row, and then the object.
    pub(super) async fn delete(&mut self, collected: &mut Collected) -> Result<(), Fault> {
        let before = self
            .house
            .now()
            .before(self.house.settings.collection.grace);
        let mut after: Option<CondemnedObject> = None;
        loop {
            self.go_on().await?;
            let begin = after.clone();
            let due = self
                .house
                .db
                .read(move |conn| {
                    let begin = begin.as_ref();
                    Ok::<_, Fault>(collection::due(conn, before, begin, BATCH_ROWS)?)
                })
                .await?;
            let Some(last) = due.last() else {
                return Ok(());
            };
            after = Some(last.clone());
            if collected.is_dry {
                for object in &due {
                    collected.deleted.add(object.size_bytes);
                }
                continue;
            }
            self.delete_batch(due, collected).await?;
        }
    }

    async fn delete_batch(
        &self,
        due: Vec<CondemnedObject>,
        collected: &mut Collected,
    ) -> Result<(), Fault> {
        let free = self
            .house
            .db
            .write(move |tx| Ok::<_, Fault>(collection::bury(tx, &due)?))
            .await?;
        let mut gone = Vec::with_capacity(free.len());
        for object in free {
            match self.house.blobs.delete(&object.storage_key).await {
                Ok(()) => {
                    collected.deleted.add(object.size_bytes);
                    gone.push(object.storage_key);
                }
                // it stays noted, and the next pass tries again
                Err(error) => warn!(error = %error, "could not remove a condemned object"),
            }
        }
        self.house
            .db
            .write(move |tx| Ok::<_, Fault>(collection::forget(tx, &gone)?))
            .await
    }

    /// Removes objects that no row knows: what crashes left behind.
    pub(super) async fn walk(&mut self, collected: &mut Collected) -> Result<(), Fault> {
        let age = orphan_age(self.house.settings.collection.promise);
        let mut walk = self
            .house
            .blobs
            .walk()
            .try_chunks(usize::try_from(STEP).unwrap_or(1));
        while let Some(objects) = walk.try_next().await.map_err(|error| error.1)? {
            self.go_on().await?;
            let old: Vec<_> = objects
                .into_iter()
                .filter(|object| object.age >= age)
                .collect();
            let keys: Vec<StorageKey> = old.iter().map(|object| object.key.clone()).collect();
            let known = self
                .house
                .db
                .read(move |conn| Ok::<_, Fault>(collection::known_keys(conn, &keys)?))
                .await?;
            for object in old {
                if known.contains(object.key.as_str()) {
                    continue;
                }
                if !collected.is_dry {
                    self.house.blobs.delete(&object.key).await?;
                }
                collected.orphans.add(object.size);
            }
        }
        if collected.is_dry {
            return Ok(());
        }
        let at = self.house.now();
        self.house
            .db
            .write(move |tx| Ok::<_, Fault>(leases::note_done(tx, WALK, at)?))
            .await
    }
}
