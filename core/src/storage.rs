//! What lies in the store, held against what the database says: for operators, beside a running
//! server or without one. Nothing is changed.

mod finding;

use std::sync::Arc;
use std::time::Duration;

use futures_util::TryStreamExt as _;
use packhouse_blob::{BlobError, BlobStore, Digests, ParallelHashing, Sums, Workers};
use packhouse_db::blobs::{self, Blob};
use packhouse_db::collection;
use packhouse_db::holders::{self, Requirement};
use packhouse_db::{BlobState, Conn, Db};
use packhouse_names::{Digest, Sha256, StorageKey, Timestamp};

pub use finding::{Finding, Holder, Inspected, Why};

use crate::fault::Fault;
use crate::gc::orphan_age;
use crate::settings::Collection;

/// Rows looked at in one go.
const STEP: u32 = 500;

/// Holders that are named of each kind.
const MAX_HOLDERS: u32 = 1_000;

/// A database and a store that belong together.
#[derive(Debug)]
pub struct Storage {
    pub db: Db,
    pub blobs: Arc<dyn BlobStore>,
    /// When what nothing holds goes.
    pub collection: Collection,
}

impl Storage {
    /// Reads every blob that the database knows and compares it with its digests and its size,
    /// looks for what live versions must have, and lists what nothing refers to. What changes
    /// meanwhile is looked at again before it counts. Memory does not grow with the store.
    ///
    /// # Errors
    /// [`Fault::Internal`] when database or store cannot be read at all.
    pub async fn inspect(
        &self,
        now: Timestamp,
        tell: &mut (dyn FnMut(&Finding) + Send),
    ) -> Result<Inspected, Fault> {
        let mut inspected = Inspected::default();
        let mut found = |finding: Finding| {
            inspected.count(&finding);
            tell(&finding);
        };
        let (mut blobs, mut bytes) = (0_u64, 0_u64);
        let hashers = Workers::new(std::thread::available_parallelism().map_or(2, usize::from));
        let mut after: Option<Sha256> = None;
        loop {
            let begin = after;
            let rows = self
                .db
                .read(move |conn| Ok::<_, Fault>(blobs::page(conn, begin, STEP)?))
                .await?;
            let Some(last) = rows.last() else { break };
            after = Some(last.sha256);
            for blob in rows {
                if let Some(problem) = self.problem(&blob, &hashers).await? {
                    found(problem);
                }
                blobs += 1;
                bytes = bytes.saturating_add(blob.size_bytes);
            }
        }
        self.unmet(&mut found).await?;
        self.unheld(now, &mut found).await?;
        self.orphans(&mut found).await?;
        inspected.blobs = blobs;
        inspected.bytes = bytes;
        Ok(inspected)
    }

    /// What is wrong with a blob, if it is still there as it was.
    async fn problem(&self, blob: &Blob, hashers: &Workers) -> Result<Option<Finding>, Fault> {
        let digest = Digest::Sha256(blob.sha256);
        let is_condemned = blob.state == BlobState::Condemned;
        let trouble = if is_condemned {
            None
        } else {
            self.trouble(blob, hashers).await?
        };
        if trouble.is_none() && !is_condemned {
            return Ok(None);
        }
        let (sha256, sha512) = (blob.sha256, blob.sha512);
        let (again, holders) = self
            .db
            .read(move |conn| {
                conn.snapshot(|conn| {
                    let again = blobs::find(conn, &sha256)?;
                    let second = sha512.map(Digest::Sha512);
                    let digests: Vec<_> = std::iter::once(digest).chain(second).collect();
                    Ok::<_, Fault>((again, all_holders(conn, &digests)?))
                })
            })
            .await?;
        let is_same = again.is_some_and(|again| {
            again.storage_key == blob.storage_key && again.state == blob.state
        });
        if !is_same {
            return Ok(None);
        }
        Ok(match trouble {
            Some(trouble) => Some(Finding::Damaged {
                digest,
                key: blob.storage_key.clone(),
                trouble,
                holders,
            }),
            None if holders.is_empty() => None,
            None => Some(Finding::Damaged {
                digest,
                key: blob.storage_key.clone(),
                trouble: "condemned, and still held".to_owned(),
                holders,
            }),
        })
    }

    /// What is wrong with a blob's object.
    async fn trouble(&self, blob: &Blob, hashers: &Workers) -> Result<Option<String>, Fault> {
        let sums = match blob.sha512 {
            Some(_) => Sums::SHA512,
            None => Sums::NONE,
        };
        let digests = match self.digests(&blob.storage_key, sums, hashers).await {
            Ok(digests) => digests,
            Err(BlobError::Missing { .. }) => return Ok(Some("missing".to_owned())),
            Err(BlobError::Io { source, .. }) => {
                return Ok(Some(format!("unreadable: {source}")));
            }
            Err(error) => return Err(error.into()),
        };
        if digests.size != blob.size_bytes {
            return Ok(Some(format!(
                "{} bytes long instead of {}",
                digests.size, blob.size_bytes
            )));
        }
        let is_it = digests.sha256 == blob.sha256 && digests.sha512 == blob.sha512;
        Ok((!is_it).then(|| format!("damaged: its bytes are those of sha256:{}", digests.sha256)))
    }

    async fn digests(
        &self,
        key: &StorageKey,
        sums: Sums,
        hashers: &Workers,
    ) -> Result<Digests, BlobError> {
        let mut bytes = self.blobs.open(key, None).await?;
        let mut hashing = ParallelHashing::new(sums, hashers);
        while let Some(piece) = bytes.try_next().await? {
            hashing.update(piece).await?;
        }
        hashing.finish().await
    }

    /// What live versions must have and have not.
    async fn unmet(&self, found: &mut (dyn FnMut(Finding) + Send)) -> Result<(), Fault> {
        let mut after = (0, String::new(), String::new());
        loop {
            let begin = after.clone();
            let (last, unmet) = self
                .db
                .read(move |conn| {
                    // at one moment: what is deleted meanwhile needs nothing
                    conn.snapshot(|conn| {
                        let page = holders::requirements(conn, &begin, STEP)?;
                        let last = page.last().cloned();
                        let mut unmet = Vec::new();
                        for one in page {
                            if !holders::is_met(conn, one.package_id, &one.kind, &one.digest)? {
                                unmet.push(one);
                            }
                        }
                        Ok::<_, Fault>((last, unmet))
                    })
                })
                .await?;
            for Requirement {
                package,
                version,
                kind,
                digest,
                ..
            } in unmet
            {
                found(Finding::Unmet {
                    digest,
                    holder: Holder::reference(&package, &version, &kind, None),
                });
            }
            let Some(last) = last else {
                return Ok(());
            };
            after = (last.version_id.get(), last.kind, last.digest);
        }
    }

    /// Blobs that nothing holds.
    async fn unheld(
        &self,
        now: Timestamp,
        found: &mut (dyn FnMut(Finding) + Send),
    ) -> Result<(), Fault> {
        let mut after: Option<Sha256> = None;
        loop {
            let begin = after;
            let (unheld, end) = self
                .db
                .read(move |conn| {
                    let end = collection::step_end(conn, begin, STEP)?;
                    Ok::<_, Fault>((collection::unheld(conn, begin, end, now)?, end))
                })
                .await?;
            for blob in unheld {
                found(Finding::Unheld {
                    digest: Digest::Sha256(blob.sha256),
                    size: blob.size_bytes,
                });
            }
            match end {
                Some(end) => after = Some(end),
                None => return Ok(()),
            }
        }
    }

    /// Objects that no row knows, and that are too old to be about to get one.
    async fn orphans(&self, found: &mut (dyn FnMut(Finding) + Send)) -> Result<(), Fault> {
        let age: Duration = orphan_age(self.collection.promise);
        let step = usize::try_from(STEP).unwrap_or(1);
        let mut walk = self.blobs.walk().try_chunks(step);
        while let Some(objects) = walk.try_next().await.map_err(|error| error.1)? {
            let old: Vec<_> = objects
                .into_iter()
                .filter(|object| object.age >= age)
                .collect();
            let keys: Vec<StorageKey> = old.iter().map(|object| object.key.clone()).collect();
            let known = self
                .db
                .read(move |conn| Ok::<_, Fault>(collection::known_keys(conn, &keys)?))
                .await?;
            for object in old {
                if !known.contains(object.key.as_str()) {
                    found(Finding::Orphan {
                        key: object.key,
                        size: object.size,
                    });
                }
            }
        }
        Ok(())
    }

    /// What holds the bytes of a digest, and when they go if nothing does.
    ///
    /// # Errors
    /// [`Fault::Internal`].
    pub async fn why(&self, digest: Digest) -> Result<Why, Fault> {
        let (blob, holders) = self
            .db
            .read(move |conn| {
                conn.snapshot(|conn| {
                    let blob = match &digest {
                        Digest::Sha256(sha256) => blobs::find(conn, sha256)?,
                        Digest::Sha512(sha512) => blobs::find_by_sha512(conn, sha512)?,
                    };
                    let digests = match &blob {
                        None => vec![digest],
                        Some(blob) => std::iter::once(Digest::Sha256(blob.sha256))
                            .chain(blob.sha512.map(Digest::Sha512))
                            .collect(),
                    };
                    Ok::<_, Fault>((blob, all_holders(conn, &digests)?))
                })
            })
            .await?;
        Ok(Why {
            digest,
            blob,
            holders,
            collection: self.collection,
        })
    }
}

fn all_holders(conn: &mut Conn, digests: &[Digest]) -> Result<Vec<Holder>, Fault> {
    let mut found = Vec::new();
    for digest in digests {
        let Digest::Sha256(sha256) = digest else {
            continue;
        };
        let files = holders::files(conn, sha256, MAX_HOLDERS)?;
        found.extend(files.iter().map(Holder::file));
        let links = holders::links(conn, sha256, MAX_HOLDERS)?;
        found.extend(links.iter().map(Holder::link));
    }
    for one in holders::references(conn, digests, MAX_HOLDERS)? {
        found.push(Holder::reference(
            &one.package,
            &one.version,
            &one.kind,
            one.version_deleted_at,
        ));
    }
    Ok(found)
}
