//! Blobs that packages link by digest: looked up, mounted from one package to another, unlinked.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt as _;
use http::HeaderValue;
use moka::sync::Cache;
use packhouse_blob::Digests;
use packhouse_db::blobs::{self, Blob, LinkedBlob, NewBlob};
use packhouse_db::{BlobState, Conn, ReferenceKind, Tx, packages, references, uploads};
use packhouse_names::{
    Digest, Ecosystem, NormalizedName, PackageId, StorageKey, Timestamp, UploadId,
};
use packhouse_wire::BlobContent;
use serde_json::json;

use crate::admission::{Granted, may_read};
use crate::creation::{Creating, Home, Wishes};
use crate::events::{self, Event};
use crate::fault::{Fault, Thing};
use crate::freshness::Moment;
use crate::heads::PackageHead;
use crate::hits::Hits;
use crate::house::{Done, House};
use crate::kept::Page;
use crate::model::PackageRef;
use crate::policy::{HouseRules, Principal};
use crate::stage::Staged;

/// Links kept in memory; beyond these the least used are read again.
const MAX_LINKS: u64 = 50_000;

/// Packages that are asked for a blob when the client does not say which one has it.
const MAX_SOURCES: u32 = 50;

/// Packages looked at in one go for a list of those that the caller may read.
const CATALOG_STEP: u32 = 500;

/// A blob as a package links it.
#[derive(Debug, Clone)]
pub struct BlobView {
    /// As the package names it.
    pub digest: Digest,
    pub size: u64,
    /// The strong tag that downloads carry, quotes included.
    pub tag: HeaderValue,
    storage: StorageKey,
}

impl BlobView {
    fn new(blob: &Blob, digest: Digest) -> Result<Self, Fault> {
        Ok(Self {
            size: blob.size_bytes,
            tag: HeaderValue::try_from(format!("\"{digest}\"")).map_err(Fault::internal)?,
            storage: blob.storage_key.clone(),
            digest,
        })
    }

    /// What a reply names to send this blob.
    #[must_use]
    pub fn content(&self, media_type: HeaderValue) -> BlobContent {
        BlobContent {
            key: self.storage.clone(),
            size: self.size,
            media_type,
            tag: self.tag.clone(),
        }
    }
}

/// A link, and how long it is promised to stay.
#[derive(Debug)]
pub(crate) struct Linked {
    pub(crate) view: Arc<BlobView>,
    promised_until: AtomicI64,
}

impl Linked {
    fn promised_until(&self) -> Timestamp {
        Timestamp::from_micros(self.promised_until.load(Ordering::Relaxed))
    }
}

/// Links looked up before.
#[derive(Debug)]
pub(crate) struct Links {
    kept: Cache<(PackageId, Digest), (Moment, Arc<Linked>)>,
    hits: Hits,
}

impl Links {
    pub(crate) fn new() -> Self {
        Self {
            kept: Cache::new(MAX_LINKS),
            hits: Hits::of("links"),
        }
    }
}

/// The package that a deed is about: there, or made by it.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    There(PackageId),
    Made(PackageRef, Principal, HouseRules),
}

impl Place {
    pub(crate) fn of(
        granted: &Granted,
        package: &PackageRef,
        principal: &Principal,
        rules: HouseRules,
    ) -> Self {
        match granted {
            Granted::Package(head) => Self::There(head.id),
            Granted::Creation | Granted::Plain | Granted::Organization(_) => {
                Self::Made(package.clone(), principal.clone(), rules)
            }
        }
    }

    /// The package's row, made if need be, and the event that says so.
    pub(crate) fn row(
        &self,
        tx: &mut Tx<'_>,
        at: Timestamp,
    ) -> Result<(PackageId, Vec<Event>), Fault> {
        match self {
            Self::There(id) => Ok((*id, Vec::new())),
            Self::Made(package, principal, rules) => {
                let creating = Creating {
                    package,
                    principal,
                    at,
                    rules: *rules,
                };
                let Home { package, is_made } = creating.package_row(tx, &Wishes::default())?;
                let event = || {
                    let actor = events::actor(principal);
                    events::about_package("package.created", package, actor, &json!({}))
                };
                Ok((package, is_made.then(event).into_iter().collect()))
            }
        }
    }
}

impl House {
    pub(crate) async fn linked_blob(
        &self,
        head: &PackageHead,
        digest: &Digest,
    ) -> Result<Arc<Linked>, Fault> {
        let key = (head.id, *digest);
        let links = &self.links;
        let kept = links.kept.get(&key);
        let kept = kept.filter(|(read_at, _)| self.freshness.holds_package(head.id, *read_at));
        if let Some((_read_at, linked)) = links.hits.count(kept) {
            return Ok(linked);
        }
        let read_at = self.freshness.moment();
        let (package, wanted) = key;
        let LinkedBlob {
            blob,
            promised_until,
        } = self
            .db
            .read(move |conn| Ok::<_, Fault>(blobs::find_linked(conn, package, &wanted)?))
            .await?
            .filter(|linked| linked.blob.state == BlobState::Live)
            .ok_or_else(|| Fault::not_found(Thing::Blob, digest.to_string()))?;
        let promised_until = promised_until.map_or(i64::MIN, Timestamp::as_micros);
        let linked = Arc::new(Linked {
            view: Arc::new(BlobView::new(&blob, *digest)?),
            promised_until: AtomicI64::new(promised_until),
        });
        self.links.kept.insert(key, (read_at, Arc::clone(&linked)));
        Ok(linked)
    }

    /// Whether telling a client that pushes that this is there needs a new promise. A promise is
    /// renewed when less than half of it is left, so that hardly any question costs a write.
    pub(crate) fn needs_promise(&self, linked: &Linked) -> bool {
        let promise = self.settings.collection.promise;
        !promise.is_zero() && linked.promised_until() < self.now().after(promise / 2)
    }

    /// Promises that a linked blob stays; what is gone meanwhile is not found.
    pub(crate) async fn promise(&self, package: PackageId, linked: &Linked) -> Result<(), Fault> {
        let until = self.now().after(self.settings.collection.promise);
        let digest = linked.view.digest;
        let is_there = self
            .db
            .write(move |tx| Ok::<_, Fault>(blobs::promise(tx, package, &digest, until)?))
            .await?;
        if !is_there {
            self.links.kept.invalidate(&(package, digest));
            return Err(Fault::not_found(Thing::Blob, digest.to_string()));
        }
        linked
            .promised_until
            .fetch_max(until.as_micros(), Ordering::Relaxed);
        Ok(())
    }

    /// All of a blob that is at most `limit` bytes long.
    pub(crate) async fn small_blob(
        &self,
        blob: &BlobView,
        limit: u64,
    ) -> Result<Option<Bytes>, Fault> {
        if blob.size > limit {
            return Ok(None);
        }
        let pieces = self.blobs.open(&blob.storage, None).await?;
        let whole: BytesMut = pieces
            .try_fold(BytesMut::new(), |mut whole, piece| async move {
                whole.extend_from_slice(&piece);
                Ok(whole)
            })
            .await?;
        Ok(Some(whole.freeze()))
    }

    /// Makes staged bytes a blob of a package, if they are what `expect` says.
    pub(crate) async fn keep_blob(
        self: &Arc<Self>,
        place: Place,
        staged: Staged,
        expect: Digest,
        ended: Option<UploadId>,
    ) -> Result<Arc<BlobView>, Fault> {
        verify(staged.digests(), &expect)?;
        let digests = *staged.digests();
        let storage = self.keep(staged).await?;
        self.link_blob(place, storage, digests, expect, ended).await
    }

    /// Gives a durable object its row and links it to a package; the upload that brought it ends.
    pub(crate) async fn link_blob(
        self: &Arc<Self>,
        place: Place,
        storage: StorageKey,
        digests: Digests,
        named: Digest,
        ended: Option<UploadId>,
    ) -> Result<Arc<BlobView>, Fault> {
        let at = self.now();
        let promised = at.after(self.settings.collection.promise);
        let written = storage.clone();
        let done = self
            .commit(move |tx| {
                let (package, events) = place.row(tx, at)?;
                let blob = blobs::insert_or_get(
                    tx,
                    &NewBlob {
                        sha256: digests.sha256,
                        sha512: digests.sha512,
                        storage_key: written,
                        size_bytes: digests.size,
                        promised_until: Some(promised),
                        created_at: at,
                    },
                )?;
                blobs::link(tx, package, &named, &blob.sha256, Some(promised), at)?;
                if let Some(id) = ended
                    && !uploads::delete(tx, id.as_str())?
                {
                    return Err(Fault::not_found(Thing::Upload, id.as_str()));
                }
                Ok(Done {
                    answer: blob,
                    events,
                })
            })
            .await;
        match done {
            Ok(blob) => {
                if blob.storage_key != storage {
                    self.discard(&storage).await;
                }
                Ok(Arc::new(BlobView::new(&blob, named)?))
            }
            Err(fault) => {
                // a refusal was rolled back; after anything else a row may refer to it
                if !matches!(fault, Fault::Internal(_)) {
                    self.discard(&storage).await;
                }
                Err(fault)
            }
        }
    }

    /// Links a blob that another package links, which the principal may read: that one, or any
    /// of the ecosystem. What the principal's short-lived token lists does not matter here.
    pub(crate) async fn mount(
        self: &Arc<Self>,
        place: Place,
        ecosystem: Ecosystem,
        principal: Principal,
        digest: Digest,
        from: Option<PackageRef>,
    ) -> Result<Option<Arc<BlobView>>, Fault> {
        let at = self.now();
        let promised = at.after(self.settings.collection.promise);
        let rules = self.settings.rules();
        let reader = principal.clone();
        // most clients ask for every layer of every push: what is nowhere costs no transaction
        let source = self
            .db
            .read(move |conn| match &from {
                Some(from) => readable_in(conn, &reader, from, &digest, rules),
                None => readable_anywhere(conn, &reader, ecosystem, &digest, rules),
            })
            .await?;
        let Some(source) = source else {
            return Ok(None);
        };
        self.commit(move |tx| {
            // locked, so that nothing condemns it under us; gone since, it is not there
            let name = digest.to_string();
            if blobs::lock_linked(tx, source, std::slice::from_ref(&name))?.is_empty() {
                let events = Vec::new();
                let answer = None;
                return Ok(Done { answer, events });
            }
            let Some(LinkedBlob { blob, .. }) = blobs::find_linked(tx, source, &digest)? else {
                return Err(Fault::internal("a locked link that is not there"));
            };
            let (package, events) = place.row(tx, at)?;
            blobs::link(tx, package, &digest, &blob.sha256, Some(promised), at)?;
            Ok(Done {
                answer: Some(Arc::new(BlobView::new(&blob, digest)?)),
                events,
            })
        })
        .await
    }

    /// Takes a blob away from a package, unless a live version of it names the blob.
    pub(crate) async fn unlink(
        self: &Arc<Self>,
        package: PackageId,
        principal: Principal,
        digest: Digest,
    ) -> Result<(), Fault> {
        self.commit(move |tx| {
            packages::lock(tx, package)?;
            let name = digest.to_string();
            let kinds = [
                ReferenceKind::Config,
                ReferenceKind::Layer,
                ReferenceKind::Child,
            ];
            if references::find_holder(tx, package, &name, &kinds)?.is_some() {
                return Err(Fault::Held(name));
            }
            if !blobs::unlink(tx, package, &digest)? {
                return Err(Fault::not_found(Thing::Blob, name));
            }
            let payload = json!({ "digest": name });
            let actor = events::actor(&principal);
            let event = events::about_package("blob.unlinked", package, actor, &payload);
            Ok(Done {
                answer: (),
                events: vec![event],
            })
        })
        .await
    }

    /// Full names of listed packages of an ecosystem that the principal may read, in the order
    /// of their bytes.
    pub(crate) async fn names(
        &self,
        ecosystem: Ecosystem,
        principal: Principal,
        after: Option<String>,
        limit: u32,
    ) -> Result<Page<String>, Fault> {
        let rules = self.settings.rules();
        let wanted = usize::try_from(limit)
            .unwrap_or(usize::MAX)
            .saturating_add(1);
        let found = self
            .db
            .read(move |conn| {
                let mut after = after.clone();
                let mut found = Vec::new();
                loop {
                    let step =
                        packages::by_full_name(conn, ecosystem, after.as_deref(), CATALOG_STEP)?;
                    let Some((owner, name)) = step.last() else {
                        return Ok::<_, Fault>(found);
                    };
                    after = Some(format!("{owner}/{name}"));
                    for (owner, name) in step {
                        if find_readable(conn, &principal, ecosystem, &owner, &name, rules)?
                            .is_some()
                        {
                            found.push(format!("{owner}/{name}"));
                        }
                        if found.len() >= wanted {
                            return Ok(found);
                        }
                    }
                }
            })
            .await?;
        Ok(Page::cut(found, limit))
    }
}

/// Whether bytes are what their name says.
pub(crate) fn verify(digests: &Digests, expect: &Digest) -> Result<(), Fault> {
    let is_it = match expect {
        Digest::Sha256(sha256) => digests.sha256 == *sha256,
        Digest::Sha512(sha512) => digests.sha512 == Some(*sha512),
    };
    if is_it {
        Ok(())
    } else {
        Err(Fault::invalid(
            "digest",
            "the bytes do not have the digest that was given",
        ))
    }
}

fn readable_in(
    conn: &mut Conn,
    principal: &Principal,
    from: &PackageRef,
    digest: &Digest,
    rules: HouseRules,
) -> Result<Option<PackageId>, Fault> {
    let owner = from.namespace.owner.key();
    let key = from.key.as_str();
    let found = find_readable(conn, principal, from.ecosystem, &owner, key, rules)?;
    let Some(package) = found else {
        return Ok(None);
    };
    let linked = blobs::find_linked(conn, package, digest)?;
    let is_live = linked.is_some_and(|linked| linked.blob.state == BlobState::Live);
    Ok(is_live.then_some(package))
}

fn readable_anywhere(
    conn: &mut Conn,
    principal: &Principal,
    ecosystem: Ecosystem,
    digest: &Digest,
    rules: HouseRules,
) -> Result<Option<PackageId>, Fault> {
    for (owner, name) in blobs::linking_packages(conn, ecosystem, digest, MAX_SOURCES)? {
        let found = find_readable(conn, principal, ecosystem, &owner, &name, rules)?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

fn find_readable(
    conn: &mut Conn,
    principal: &Principal,
    ecosystem: Ecosystem,
    owner_key: &str,
    name_key: &str,
    rules: HouseRules,
) -> Result<Option<PackageId>, Fault> {
    let key = NormalizedName::new(name_key).map_err(Fault::internal)?;
    let Some(row) = packages::find_head(conn, owner_key, ecosystem, &key)? else {
        return Ok(None);
    };
    let is_readable = may_read(conn, principal, &row, rules)?;
    Ok(is_readable.then_some(row.package.id))
}
