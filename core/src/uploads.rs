//! Uploads that go over several requests, resumable on another process: bytes, length and hash
//! state become durable together, under a lease on the session.

mod lease;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use packhouse_blob::{BlobError, BlobWriter, Digests, ParallelHashing, Sums};
use packhouse_db::Tx;
use packhouse_db::uploads::{self, NewUpload, Upload};
use packhouse_names::{AccountId, Digest, PackageId, StorageKey, Timestamp, TokenId, UploadId};
use packhouse_wire::{Body, BodyError};
use tracing::{info, warn};

use crate::blobs::{BlobView, Place, verify};
use crate::fault::{Fault, Thing};
use crate::house::{Done, House};
use lease::Lease;

/// Sessions that nobody wrote to for so long are ended.
const UPLOAD_TTL: Duration = Duration::from_secs(24 * 60 * 60);

/// Sessions that one sweep ends.
const SWEEP_STEP: u32 = 1_000;

/// Sessions that an account may have: beyond these, the ones that nobody wrote to for longest end.
const MAX_OPEN: u32 = 1_000;

/// How many of them one that is opened ends at most.
const SURPLUS_STEP: u32 = 10;

/// Where an upload stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadView {
    pub id: UploadId,
    /// Bytes that are safe.
    pub length: u64,
}

/// What became of a part of an upload.
#[derive(Debug)]
pub enum Chunk {
    /// It is safe.
    Appended(UploadView),
    /// It does not belong where the upload stands; nothing was written.
    Misplaced(UploadView),
}

/// What became of the last part of an upload.
#[derive(Debug)]
pub enum Finished {
    /// The upload is a blob.
    Blob(Arc<BlobView>),
    /// The part does not belong where the upload stands; nothing was written.
    Misplaced(UploadView),
}

/// Who may touch an upload: whoever opened it, through the package that they opened it for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Uploader {
    pub(crate) package: PackageId,
    pub(crate) account: AccountId,
}

/// A part of an upload, as it comes.
#[derive(Debug)]
pub struct Part {
    /// Where the client says that it belongs; `None` is where the upload stands.
    pub span: Option<Range<u64>>,
    pub body: Body,
    /// The largest blob, in bytes.
    pub limit: u64,
}

impl Part {
    /// Whether `came` bytes are what the span promised. Old regclient counts one too many.
    fn is_length(&self, came: u64) -> bool {
        self.span.as_ref().is_none_or(|span| {
            let promised = span.end.saturating_sub(span.start);
            came == promised || came.saturating_add(1) == promised
        })
    }

    fn begins_at(&self, length: u64) -> bool {
        self.span.as_ref().is_none_or(|span| span.start == length)
    }
}

/// Why a part ended early.
enum Stopped {
    /// The client went away: what came is worth keeping.
    Cut(BodyError),
    /// Nothing of it is kept.
    Refused(Fault),
}

impl<E: Into<Fault>> From<E> for Stopped {
    fn from(error: E) -> Self {
        Self::Refused(error.into())
    }
}

impl House {
    pub(crate) async fn open_upload(
        self: &Arc<Self>,
        place: Place,
        account: AccountId,
        token: TokenId,
        sums: Sums,
    ) -> Result<UploadView, Fault> {
        let text = uuid::Uuid::now_v7().hyphenated().to_string();
        let id = UploadId::new(text).map_err(Fault::internal)?;
        // a state that says more than the usual one has to be noted
        let hash_states = match sums.contains(Sums::SHA512) {
            true => Some(
                ParallelHashing::saveable(sums, &self.hashers)
                    .save()
                    .await?,
            ),
            false => None,
        };
        let (at, key) = (self.now(), id.to_string());
        let insert = move |tx: &mut Tx<'_>, package_id| {
            let new = NewUpload {
                id: key,
                package_id,
                account_id: account,
                token_id: Some(token),
                storage: String::new(),
                hash_states,
                created_at: at,
            };
            uploads::insert(tx, &new)?;
            end_surplus(tx, account, at)
        };
        let ended = match place {
            // nothing was sent yet that could be lost with it
            Place::There(package) => {
                let work = move |tx: &mut Tx<'_>| insert(tx, package);
                self.db.write_soon(work).await?
            }
            place @ Place::Made(..) => {
                self.commit(move |tx| {
                    let (package, events) = place.row(tx, at)?;
                    let answer = insert(tx, package)?;
                    Ok(Done { answer, events })
                })
                .await?
            }
        };
        for row in &ended {
            self.abandon(row).await;
        }
        Ok(UploadView { id, length: 0 })
    }

    pub(crate) async fn upload(&self, who: Uploader, id: &UploadId) -> Result<UploadView, Fault> {
        let row = self.own_upload(who, id).await?;
        Ok(UploadView {
            id: id.clone(),
            length: row.length,
        })
    }

    /// Adds a part. What a client that went away had sent stays.
    pub(crate) async fn append(
        self: &Arc<Self>,
        who: Uploader,
        id: &UploadId,
        mut part: Part,
    ) -> Result<Chunk, Fault> {
        let mut lease = self.lease(who, id).await?;
        if !part.begins_at(lease.row.length) {
            let view = lease.view();
            lease.release().await?;
            return Ok(Chunk::Misplaced(view));
        }
        let mut writing = self.go_on(&lease.row).await?;
        let before = writing.length;
        match writing.take(&mut part, &mut lease).await {
            Ok(()) if part.is_length(writing.length - before) => {}
            Ok(()) => {
                lease.release().await?;
                return Err(wrong_length());
            }
            Err(Stopped::Cut(error)) => {
                lease.suspend(writing).await?;
                return Err(error.into());
            }
            Err(Stopped::Refused(fault)) => {
                lease.release().await?;
                return Err(fault);
            }
        }
        let view = UploadView {
            id: id.clone(),
            length: writing.length,
        };
        if writing.length == before {
            lease.release().await?;
        } else {
            lease.suspend(writing).await?;
        }
        Ok(Chunk::Appended(view))
    }

    /// Adds the last part and makes the whole a blob, if it is what `expect` says. If it is not,
    /// the upload ends.
    pub(crate) async fn finish(
        self: &Arc<Self>,
        who: Uploader,
        id: &UploadId,
        part: Part,
        expect: Digest,
    ) -> Result<Finished, Fault> {
        let row = self.own_upload(who, id).await?;
        if row.storage.is_empty() {
            self.finish_at_once(who, id, part, expect).await
        } else {
            self.finish_suspended(who, id, part, expect).await
        }
    }

    /// All of the blob in one request: no lease, for nobody else's bytes are touched. Of two that
    /// try, the one that ends first ends the upload.
    async fn finish_at_once(
        self: &Arc<Self>,
        who: Uploader,
        id: &UploadId,
        mut part: Part,
        expect: Digest,
    ) -> Result<Finished, Fault> {
        let body = std::mem::replace(&mut part.body, Body::empty());
        let staged = self.stage(body, sums_for(&expect), part.limit).await?;
        let size = staged.digests().size;
        if size > 0 {
            if !part.begins_at(0) {
                let id = id.clone();
                return Ok(Finished::Misplaced(UploadView { id, length: 0 }));
            }
            if !part.is_length(size) {
                return Err(wrong_length());
            }
        }
        if let Err(fault) = verify(staged.digests(), &expect) {
            self.end_upload(who, id).await?;
            return Err(fault);
        }
        let place = Place::There(who.package);
        let ended = Some(id.clone());
        let blob = self.keep_blob(place, staged, expect, ended).await?;
        Ok(Finished::Blob(blob))
    }

    async fn finish_suspended(
        self: &Arc<Self>,
        who: Uploader,
        id: &UploadId,
        mut part: Part,
        expect: Digest,
    ) -> Result<Finished, Fault> {
        let mut lease = self.lease(who, id).await?;
        let mut writing = self.go_on(&lease.row).await?;
        let before = writing.length;
        // without a body there is nothing that could be misplaced
        let first = part.body.next().await;
        if first.is_some() && !part.begins_at(before) {
            let view = lease.view();
            lease.release().await?;
            return Ok(Finished::Misplaced(view));
        }
        let rest = std::mem::replace(&mut part.body, Body::empty());
        part.body = Body::new(futures_util::stream::iter(first).chain(rest));
        match writing.take(&mut part, &mut lease).await {
            Ok(()) => {
                let came = writing.length - before;
                if came > 0 && !part.is_length(came) {
                    lease.release().await?;
                    return Err(wrong_length());
                }
            }
            Err(Stopped::Cut(error)) => {
                lease.suspend(writing).await?;
                return Err(error.into());
            }
            Err(Stopped::Refused(fault)) => {
                lease.release().await?;
                return Err(fault);
            }
        }
        let (writer, digests) = writing.digests(self, &expect).await?;
        if let Err(fault) = verify(&digests, &expect) {
            drop(writer);
            lease.keep();
            self.end_upload(who, id).await?;
            return Err(fault);
        }
        lease.renew(self.now()).await?;
        // from here on the object has another name: the session could not go on
        lease.keep();
        let storage = writer.finish().await?;
        let place = Place::There(who.package);
        let blob = self
            .link_blob(place, storage, digests, expect, Some(id.clone()))
            .await?;
        Ok(Finished::Blob(blob))
    }

    /// Ends an upload; its bytes go.
    pub(crate) async fn end_upload(
        self: &Arc<Self>,
        who: Uploader,
        id: &UploadId,
    ) -> Result<(), Fault> {
        let row = self.own_upload(who, id).await?;
        let key = id.clone();
        self.commit(move |tx| {
            if !uploads::delete(tx, key.as_str())? {
                return Err(Fault::not_found(Thing::Upload, key.as_str()));
            }
            let events = Vec::new();
            Ok(Done { answer: (), events })
        })
        .await?;
        self.abandon(&row).await;
        Ok(())
    }

    /// Uploads that nobody wrote to for long: up to a number of them.
    pub(crate) async fn abandoned_uploads(&self) -> Result<Vec<Upload>, Fault> {
        let at = self.now();
        let before = at.before(UPLOAD_TTL);
        self.db
            .read(move |conn| Ok::<_, Fault>(uploads::stale(conn, before, at, SWEEP_STEP)?))
            .await
    }

    /// Ends what was abandoned; says how many there were.
    pub(crate) async fn sweep_uploads(self: &Arc<Self>) -> Result<usize, Fault> {
        let stale = self.abandoned_uploads().await?;
        if stale.is_empty() {
            return Ok(0);
        }
        let at = self.now();
        let ended = self
            .commit(move |tx| {
                let mut ended = Vec::new();
                for row in stale {
                    // somebody may have come back meanwhile
                    if uploads::delete_stale(tx, &row.id, at.before(UPLOAD_TTL), at)? {
                        ended.push(row);
                    }
                }
                Ok(Done::nothing(ended))
            })
            .await?;
        for row in &ended {
            self.abandon(row).await;
        }
        info!(uploads.count = ended.len(), "ended abandoned uploads");
        Ok(ended.len())
    }

    /// Removes an upload's bytes; what cannot be removed now is the sweep's.
    async fn abandon(&self, row: &Upload) {
        let Ok(key) = StorageKey::new(row.storage.as_str()) else {
            return;
        };
        if let Err(error) = self.blobs.abandon(&key).await {
            warn!(error = %error, "could not remove an ended upload; the sweep will");
        }
    }

    async fn own_upload(&self, who: Uploader, id: &UploadId) -> Result<Upload, Fault> {
        let wanted = id.clone();
        self.db
            .read(move |conn| Ok::<_, Fault>(uploads::find(conn, wanted.as_str())?))
            .await?
            .filter(|row| who.owns(row))
            .ok_or_else(|| Fault::not_found(Thing::Upload, id.as_str()))
    }

    /// The writer and the hash state behind what a session has.
    async fn go_on(&self, row: &Upload) -> Result<Writing, Fault> {
        let lost = |_missing: BlobError| Fault::not_found(Thing::Upload, row.id.clone());
        let mut writer = if row.storage.is_empty() {
            self.blobs.begin().await?
        } else {
            let key = StorageKey::new(row.storage.as_str()).map_err(Fault::internal)?;
            match self.blobs.resume(&key, row.length).await {
                Err(missing @ BlobError::Missing { .. }) => return Err(lost(missing)),
                other => other?,
            }
        };
        let saved = row.hash_states.as_deref();
        let hashing = match saved.and_then(|saved| ParallelHashing::restore(saved, &self.hashers)) {
            Some(hashing) => hashing,
            None if row.length == 0 => ParallelHashing::saveable(Sums::NONE, &self.hashers),
            None => {
                let reader = writer.reader().await?;
                ParallelHashing::reread(Sums::NONE, reader, &self.hashers).await?
            }
        };
        Ok(Writing {
            writer,
            hashing,
            length: row.length,
        })
    }
}

impl Uploader {
    fn owns(self, row: &Upload) -> bool {
        row.package_id == self.package && row.account_id == self.account
    }
}

/// An upload being written.
struct Writing {
    writer: Box<dyn BlobWriter>,
    hashing: ParallelHashing,
    length: u64,
}

impl Writing {
    async fn take(&mut self, part: &mut Part, lease: &mut Lease) -> Result<(), Stopped> {
        let start = self.length;
        while let Some(piece) = part.body.next().await {
            let piece = match piece {
                Ok(piece) => piece,
                Err(error @ (BodyError::Truncated | BodyError::Stalled)) => {
                    return Err(Stopped::Cut(error));
                }
                Err(error) => return Err(error.into()),
            };
            let more = u64::try_from(piece.len()).unwrap_or(u64::MAX);
            let length = self.length.saturating_add(more);
            if length > part.limit {
                let limit = part.limit;
                return Err(Stopped::Refused(Fault::TooLarge { limit }));
            }
            let promised = part.span.as_ref().map(|span| span.end - span.start);
            if promised.is_some_and(|promised| length - start > promised) {
                return Err(Stopped::Refused(wrong_length()));
            }
            lease.renew_if_due().await?;
            self.hashing.update(piece.clone()).await?;
            self.writer.write(piece).await?;
            self.length = length;
        }
        Ok(())
    }

    /// What was written hashes to; read again where the digest asked for was not computed.
    async fn digests(
        self,
        house: &House,
        expect: &Digest,
    ) -> Result<(Box<dyn BlobWriter>, Digests), Fault> {
        let mut writer = self.writer;
        let sums = sums_for(expect);
        let hashing = if sums == Sums::NONE || self.hashing.has_others() {
            self.hashing
        } else {
            let reader = writer.reader().await?;
            ParallelHashing::reread(sums, reader, &house.hashers).await?
        };
        Ok((writer, hashing.finish().await?))
    }
}

/// Ends what an account has open beyond what it may; says what that was.
fn end_surplus(tx: &mut Tx<'_>, account: AccountId, at: Timestamp) -> Result<Vec<Upload>, Fault> {
    let mut ended = Vec::new();
    for row in uploads::surplus(tx, account, MAX_OPEN, at, SURPLUS_STEP)? {
        // on PostgreSQL somebody may have come back meanwhile
        if uploads::delete_stale(tx, &row.id, at, at)? {
            ended.push(row);
        }
    }
    Ok(ended)
}

fn wrong_length() -> Fault {
    Fault::invalid("size", "the body is not as long as Content-Range says")
}

/// What must be computed to verify a digest.
fn sums_for(expect: &Digest) -> Sums {
    match expect {
        Digest::Sha256(_) => Sums::NONE,
        Digest::Sha512(_) => Sums::SHA512,
    }
}
