//! The house: everything wired together.

use std::ops::Range;
use std::sync::Arc;

use packhouse_blob::{BlobStore, BlobStream};
use packhouse_db::{Db, Tx};
use packhouse_db::{outbox, settings};
use packhouse_names::{Timestamp, VersionId};
use packhouse_wire::BlobContent;
use tracing::warn;

use crate::admission::Admission;
use crate::bearer::{self, BearerKey};
use crate::blobs::Links;
use crate::clock::Clock;
use crate::documents::Documents;
use crate::downloads::Downloads;
use crate::events::Event;
use crate::fault::Fault;
use crate::files::Files;
use crate::freshness::{Freshness, Touched};
use crate::kept::KeptVersions;
use crate::news::News;
use crate::settings::Settings;
use crate::signing::{self, PrivateKey, Signer};
use crate::workers::Workers;

/// What a house is built from.
#[derive(Debug)]
pub struct HouseParts {
    pub db: Db,
    pub blobs: Arc<dyn BlobStore>,
    pub clock: Arc<dyn Clock>,
    pub settings: Settings,
}

/// Everything wired together: what the server builds once and asks for every request.
#[derive(Debug)]
pub struct House {
    pub(crate) db: Db,
    pub(crate) blobs: Arc<dyn BlobStore>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) settings: Settings,
    /// Tells this registry from every other: part of each document's tag.
    pub(crate) instance: String,
    /// Signs for the house; its key is shared by every process.
    pub(crate) signer: Signer,
    /// What short-lived tokens are signed with, the same in every process of the house.
    pub(crate) bearer_key: BearerKey,
    pub(crate) freshness: Freshness,
    pub(crate) news: News,
    pub(crate) admission: Admission,
    pub(crate) documents: Documents,
    pub(crate) files: Files,
    pub(crate) links: Links,
    pub(crate) kept: KeptVersions,
    pub(crate) downloads: Downloads,
    pub(crate) workers: Workers,
    /// Threads that hash large bodies.
    pub(crate) hashers: packhouse_blob::Workers,
}

/// What a transaction did: an answer, and the events that say so.
pub(crate) struct Done<T> {
    pub(crate) answer: T,
    pub(crate) events: Vec<Event>,
}

impl<T> Done<T> {
    /// An answer to what changed nothing.
    pub(crate) const fn nothing(answer: T) -> Self {
        Self {
            answer,
            events: Vec::new(),
        }
    }
}

impl House {
    /// Brings the database up to date and wires the house.
    ///
    /// # Errors
    /// [`Fault::Internal`] when the database or the store cannot be used.
    pub async fn open(parts: HouseParts) -> Result<Arc<Self>, Fault> {
        let HouseParts {
            db,
            blobs,
            clock,
            settings,
        } = parts;
        db.migrate().await?;
        let (instance, key, bearer_key, seen) = db
            .write(move |tx| {
                let instance = shared(tx, "instance", || {
                    Ok(uuid::Uuid::now_v7().simple().to_string())
                })?;
                let key = shared(tx, signing::SETTING, || {
                    Ok(PrivateKey::generate()?.reveal().to_owned())
                })?;
                let bearer_key = shared(tx, "bearer-key", || Ok(bearer::fresh_key()))?;
                let key = PrivateKey::kept(key);
                Ok::<_, Fault>((instance, key, bearer_key, outbox::watermark(tx)?))
            })
            .await?;
        Ok(Arc::new(Self {
            news: News::new(&db, seen),
            admission: Admission::new(),
            documents: Documents::new(settings.document_cache_bytes),
            files: Files::new(),
            downloads: Downloads::new(),
            workers: Workers::new(settings.workers),
            hashers: packhouse_blob::Workers::new(settings.workers),
            freshness: Freshness::new(),
            signer: Signer::new(&key)?,
            bearer_key: BearerKey::read(&bearer_key)?,
            links: Links::new(),
            kept: KeptVersions::new(),
            instance,
            db,
            blobs,
            clock,
            settings,
        }))
    }

    /// Takes over from a server that was killed, and so gave nothing back: its uploads can go on at
    /// once. For a server that has the house for itself, before it answers anybody; what the dead
    /// held of a shared house ends by itself.
    ///
    /// # Errors
    /// The failure of the engine.
    pub async fn take_over(&self) -> Result<(), Fault> {
        self.db
            .write(|tx| Ok::<_, Fault>(packhouse_db::uploads::release_all(tx)?))
            .await
    }

    /// Changes the database: the closure's changes and its events in one transaction, and what
    /// they touch is dropped from every cache after the commit and before the answer.
    ///
    /// The work goes on when the caller goes away, so that a change is never committed without
    /// the drop that belongs to it.
    pub(crate) async fn commit<T, F>(self: &Arc<Self>, work: F) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx<'_>) -> Result<Done<T>, Fault> + Send + 'static,
    {
        let house = Arc::clone(self);
        let at = self.now();
        let done = tokio::spawn(async move {
            let (answer, changes) = house
                .db
                .write(move |tx| {
                    let done = work(tx)?;
                    let mut changes = Vec::with_capacity(done.events.len());
                    for event in &done.events {
                        outbox::append(tx, &event.row(at))?;
                        changes.push(event.touched());
                    }
                    Ok::<_, Fault>((done.answer, changes))
                })
                .await
                .inspect_err(|fault| {
                    // a lost connection leaves open whether the change was kept
                    if matches!(fault, Fault::Internal(_)) {
                        house.freshness.apply(Touched::default());
                    }
                })?;
            for change in changes {
                house.freshness.apply(change);
            }
            Ok(answer)
        });
        done.await.map_err(Fault::internal)?
    }

    /// Opens a blob that a reply named.
    ///
    /// # Errors
    /// [`Fault::Internal`]: a named blob must be there.
    pub async fn open_blob(
        &self,
        blob: &BlobContent,
        range: Range<u64>,
    ) -> Result<BlobStream, Fault> {
        Ok(self.blobs.open(&blob.key, Some(range)).await?)
    }

    /// Counts a download, in memory; written with the next batch.
    pub fn count_download(&self, version: VersionId) {
        self.downloads.count(version);
    }

    /// Whether database and blob store can be used.
    ///
    /// # Errors
    /// What keeps them from it.
    pub async fn ready(&self) -> Result<(), Fault> {
        self.db
            .read(|conn| Ok::<_, Fault>(settings::get(conn, "instance")?))
            .await?;
        Ok(self.blobs.probe().await?)
    }

    /// Now, by the house's clock.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Removes an object that lost its row to another one. What cannot be removed now is
    /// unreferenced, and the collector's.
    pub(crate) async fn discard(&self, key: &packhouse_names::StorageKey) {
        if let Err(error) = self.blobs.delete(key).await {
            warn!(error = %error, "could not remove an unreferenced object");
        }
    }
}

/// A setting that all processes of the house share, made by the first that needs it: the library
/// that makes keys takes a while to gather its randomness, which no later start has to wait for.
fn shared(
    tx: &mut Tx<'_>,
    name: &str,
    make: impl FnOnce() -> Result<String, Fault>,
) -> Result<String, Fault> {
    match settings::get(tx, name)? {
        Some(there) => Ok(there),
        None => Ok(settings::put_if_absent(tx, name, &make()?)?),
    }
}
