//! What versions that are documents, and blobs that packages link, are asked and done to.

use std::sync::Arc;

use bytes::Bytes;
use packhouse_blob::Sums;
use packhouse_names::{Digest, Ecosystem, NormalizedVersion, TagName, UploadId};

use super::{ReadCx, WriteCx};
use crate::admission::Granted;
use crate::bearer::Bearer;
use crate::blobs::{BlobView, Place};
use crate::fault::{Fault, Thing};
use crate::heads::PackageHead;
use crate::kept::{KeptView, Listed, Page, Which};
use crate::model::PackageRef;
use crate::policy::{Credential, Need, Principal};
use crate::protection::Member;
use crate::stage::Staged;
use crate::uploads::{Chunk, Finished, Part, UploadView, Uploader};

impl ReadCx {
    /// A short-lived token for those of `asked` that `to` holds now, good at the registry of
    /// `at` alone.
    ///
    /// # Errors
    /// [`Fault::Busy`] and [`Fault::Internal`]; what is not held is left out in silence.
    pub async fn bearer(
        &self,
        to: &Principal,
        at: Ecosystem,
        asked: Vec<Need>,
    ) -> Result<Bearer, Fault> {
        self.house.bearer(to, at, asked).await
    }

    /// Full names (`owner/name`) of listed packages that the caller may read, above `after`, in
    /// the order of their bytes; needs [`Need::Browse`] of the whole house.
    ///
    /// # Errors
    /// [`Fault::Internal`] when the need was another.
    pub async fn names(
        &self,
        of: Ecosystem,
        after: Option<String>,
        limit: u32,
    ) -> Result<Page<String>, Fault> {
        if self.need != Need::Browse(None) {
            return Err(Fault::internal("a list beyond its need"));
        }
        let principal = self.principal.clone();
        self.house.names(of, principal, after, limit).await
    }

    /// A version that is a document, by digest or tag, with its bytes.
    ///
    /// # Errors
    /// [`Fault::NotFound`] with [`Thing::Version`], [`Thing::Tag`] or [`Thing::Package`].
    pub async fn version(&self, which: &Which) -> Result<Arc<KeptView>, Fault> {
        self.house.kept_version(self.made()?, which).await
    }

    /// Names of tags above `after`, in the order of their bytes.
    ///
    /// # Errors
    /// [`Fault::NotFound`] for a package that is not there; one without versions has no tags.
    pub async fn tags(&self, after: Option<String>, limit: u32) -> Result<Page<TagName>, Fault> {
        self.house.tags(self.made()?.id, after, limit).await
    }

    /// Versions that name `subject` as what they are about, by name; of one artifact type, or of
    /// all.
    ///
    /// # Errors
    /// [`Fault::NotFound`] for a package that is not there; a subject need not be.
    pub async fn referrers(
        &self,
        subject: Digest,
        artifact_type: Option<String>,
        after: Option<NormalizedVersion>,
        limit: u32,
    ) -> Result<Page<Listed>, Fault> {
        let package = self.made()?.id;
        self.house
            .referrers(package, subject, artifact_type, after, limit)
            .await
    }

    /// The live versions of the package with what they name, for
    /// [`protections`](crate::protection::protections).
    ///
    /// # Errors
    /// [`Fault::NotFound`] for a package that is not there.
    pub async fn relations(&self) -> Result<Vec<Member>, Fault> {
        self.house.relations(self.made()?.id).await
    }

    /// A blob that the package links under this digest. Whoever could publish to the package is
    /// promised that it stays for a while (`--gc-promise`): clients ask so that they need not
    /// send it.
    ///
    /// # Errors
    /// [`Fault::NotFound`] with [`Thing::Blob`] or [`Thing::Package`].
    pub async fn blob(&self, digest: &Digest) -> Result<Arc<BlobView>, Fault> {
        let head = self.made()?;
        let linked = self.house.linked_blob(head, digest).await?;
        if self.house.needs_promise(&linked) && self.may_publish().await {
            self.house.promise(head.id, &linked).await?;
        }
        Ok(Arc::clone(&linked.view))
    }

    /// Whether the caller could publish to the package of the need with the token that was shown.
    async fn may_publish(&self) -> bool {
        let Some(package) = self.need.package() else {
            return false;
        };
        let need = Need::Publish(package.clone());
        self.need == need
            || (self.principal.credential().is_some()
                && self.principal.allows(&need)
                && self.house.grant(&self.principal, &need).await.is_ok())
    }

    /// All of a blob of at most `limit` bytes; `None` for a longer one.
    ///
    /// # Errors
    /// [`Fault::Internal`]: a linked blob must be there.
    pub async fn small_blob(&self, blob: &BlobView, limit: u64) -> Result<Option<Bytes>, Fault> {
        self.house.small_blob(blob, limit).await
    }

    /// Where an upload of the caller's to this package stands; needs [`Need::Publish`].
    ///
    /// # Errors
    /// [`Fault::NotFound`] with [`Thing::Upload`].
    pub async fn upload(&self, id: &UploadId) -> Result<UploadView, Fault> {
        self.house.upload(self.uploader(id)?, id).await
    }

    /// The package that the need is about, with or without versions.
    fn made(&self) -> Result<&Arc<PackageHead>, Fault> {
        match (&self.granted, self.need.package()) {
            (Granted::Package(head), _) => Ok(head),
            (_, Some(package)) => {
                let name = package.name.to_string();
                Err(Fault::not_found(Thing::Package, name))
            }
            (_, None) => Err(Fault::internal("a question about a package without a need")),
        }
    }

    fn uploader(&self, id: &UploadId) -> Result<Uploader, Fault> {
        let (_, credential) = self.publishing()?;
        match &self.granted {
            Granted::Package(head) => Ok(Uploader {
                package: head.id,
                account: credential.account,
            }),
            // what is not there has no uploads
            Granted::Creation | Granted::Plain | Granted::Organization(_) => {
                Err(Fault::not_found(Thing::Upload, id.as_str()))
            }
        }
    }

    /// The package that may be published to, and by whom.
    fn publishing(&self) -> Result<(&PackageRef, &Credential), Fault> {
        match (&self.need, self.principal.credential()) {
            (Need::Publish(package), Some(credential)) => Ok((package, credential)),
            _ => Err(Fault::internal("an upload beyond its need")),
        }
    }
}

impl WriteCx {
    /// The largest blob that is accepted, in bytes (`--max-layer-bytes`).
    #[must_use]
    pub fn max_layer_bytes(&self) -> u64 {
        self.house.settings.max_layer_bytes
    }

    /// Opens an upload to the package of the need, which is made if it is not there; of `sums`
    /// sha512 alone can be computed along.
    ///
    /// # Errors
    /// What a publish would be refused with.
    pub async fn open_upload(&self, sums: Sums) -> Result<UploadView, Fault> {
        let place = self.place()?;
        let (_, credential) = self.publishing()?;
        self.house
            .open_upload(place, credential.account, credential.token, sums)
            .await
    }

    /// Adds a part to an upload. Bytes, length and hash state become durable together; what a
    /// client that went away had sent stays.
    ///
    /// # Errors
    /// [`Fault::NotFound`] with [`Thing::Upload`]; [`Fault::Invalid`] for a body that is not as
    /// long as its span, [`Fault::TooLarge`], [`Fault::Busy`] while another request writes to the
    /// same upload: nothing is kept of those.
    pub async fn append(&self, id: &UploadId, part: Part) -> Result<Chunk, Fault> {
        self.house.append(self.uploader(id)?, id, part).await
    }

    /// Adds the last part, which may be all or nothing, and links the whole to the package.
    ///
    /// # Errors
    /// As [`append`](Self::append); [`Fault::Invalid`] with `digest` for bytes that are not what
    /// `expect` says, and the upload is ended then.
    pub async fn finish(
        &self,
        id: &UploadId,
        part: Part,
        expect: Digest,
    ) -> Result<Finished, Fault> {
        let who = self.uploader(id)?;
        self.house.finish(who, id, part, expect).await
    }

    /// Ends an upload; its bytes go.
    ///
    /// # Errors
    /// [`Fault::NotFound`] with [`Thing::Upload`].
    pub async fn cancel(&self, id: &UploadId) -> Result<(), Fault> {
        self.house.end_upload(self.uploader(id)?, id).await
    }

    /// The same as [`finish`](Self::finish) for a body that was staged in one go.
    ///
    /// # Errors
    /// [`Fault::Invalid`] with `digest`; what a publish would be refused with.
    pub async fn keep(&self, staged: Staged, expect: Digest) -> Result<Arc<BlobView>, Fault> {
        let place = self.place()?;
        self.house.keep_blob(place, staged, expect, None).await
    }

    /// Links a blob of `from`, or of any package of the ecosystem, that the caller may read;
    /// `None` where there is none, for whatever reason.
    ///
    /// # Errors
    /// What a publish would be refused with.
    pub async fn mount(
        &self,
        digest: Digest,
        from: Option<PackageRef>,
    ) -> Result<Option<Arc<BlobView>>, Fault> {
        let place = self.place()?;
        let (package, _) = self.publishing()?;
        let principal = self.principal.clone();
        self.house
            .mount(place, package.ecosystem, principal, digest, from)
            .await
    }

    /// Takes a blob away from the package; needs [`Need::Curate`].
    ///
    /// # Errors
    /// [`Fault::Held`] while a live version names it; [`Fault::NotFound`] with [`Thing::Blob`].
    pub async fn unlink(&self, digest: Digest) -> Result<(), Fault> {
        let package = self.curated()?;
        let principal = self.principal.clone();
        self.house.unlink(package, principal, digest).await
    }

    /// Deletes a version and its tags; the package stays, with or without others. Needs
    /// [`Need::Curate`].
    ///
    /// # Errors
    /// [`Fault::Held`] while it is [part of a live list](crate::protection); [`Fault::NotFound`] with
    /// [`Thing::Version`].
    pub async fn retract(&self, version: NormalizedVersion) -> Result<(), Fault> {
        let package = self.curated()?;
        let principal = self.principal.clone();
        self.house.retract(package, principal, version).await
    }

    fn place(&self) -> Result<Place, Fault> {
        let (package, _) = self.publishing()?;
        let rules = self.house.settings.rules();
        Ok(Place::of(&self.granted, package, &self.principal, rules))
    }

    fn curated(&self) -> Result<packhouse_names::PackageId, Fault> {
        match &self.need {
            Need::Curate(_) => Ok(self.made()?.id),
            _ => Err(Fault::internal("a deletion beyond its need")),
        }
    }
}
