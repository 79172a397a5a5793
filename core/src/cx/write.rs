use std::ops::Deref;

use bytes::Bytes;
use futures_util::Stream;
use packhouse_archive::Limits;
use packhouse_blob::{ReadSeek, Sums};
use packhouse_names::{NormalizedVersion, TagName};
use packhouse_wire::BodyError;

use super::ReadCx;
use crate::fault::Fault;
use crate::policy::{Need, Principal};
use crate::publish::{Draft, Published};
use crate::registry::Credentials;
use crate::revise::{Revised, Revision};
use crate::stage::Staged;
use crate::tokens::{NewToken, TokenView};

/// A granted need to change something: the deeds that a format may do. Derefs to the questions,
/// never the other way.
#[derive(Debug, Clone)]
pub struct WriteCx(pub(crate) ReadCx);

impl Deref for WriteCx {
    type Target = ReadCx;
    fn deref(&self) -> &ReadCx {
        &self.0
    }
}

impl WriteCx {
    /// Asks for more on the same package, where only the body names the deed (npm's `PUT`): the
    /// same decision on the same object. The deed is done with what comes back.
    ///
    /// # Errors
    /// What a route that returned this need would have been refused with.
    pub async fn raise(&self, need: Need) -> Result<Self, Fault> {
        if need.package() != self.need.package() {
            return Err(Fault::internal("a need raised on another package"));
        }
        self.house.admit_write(self.principal.clone(), need).await
    }

    /// The largest file that this ecosystem accepts, in bytes (`--max-package-bytes`).
    #[must_use]
    pub fn max_package_bytes(&self) -> u64 {
        self.house.settings.max_package_bytes
    }

    /// Streams bytes into staging, hashing as they pass: sha256 always, `sums` besides.
    ///
    /// # Errors
    /// [`Fault::TooLarge`] past `limit` bytes; [`Fault::Busy`] when the store is full; what the
    /// body reports.
    pub async fn stage<S>(&self, body: S, sums: Sums, limit: u64) -> Result<Staged, Fault>
    where
        S: Stream<Item = Result<Bytes, BodyError>> + Send + Unpin,
    {
        self.house.stage(body, sums, limit).await
    }

    /// Looks inside staged bytes, off the async threads.
    ///
    /// # Errors
    /// What `look` says.
    pub async fn inspect<T, F>(&self, staged: &mut Staged, look: F) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: FnOnce(&mut dyn ReadSeek, Limits) -> Result<T, Fault> + Send + 'static,
    {
        self.house.inspect(staged, look).await
    }

    /// Publishes a version of the package of the need: blobs durable first, then version, files,
    /// tags, revision and event in one transaction.
    ///
    /// # Errors
    /// [`Fault::Conflict`] for a version that is there or was deleted less than 30 days ago.
    pub async fn publish(&self, draft: Draft) -> Result<Published, Fault> {
        match &self.need {
            Need::Publish(package) => {
                self.house
                    .publish(package.clone(), self.principal.clone(), draft)
                    .await
            }
            _ => Err(Fault::internal("a publish beyond its need")),
        }
    }

    /// Changes what moves on the package of the need: standing of versions, tags, and with
    /// [`Need::Curate`] which versions are there. All of it or nothing.
    ///
    /// # Errors
    /// [`Fault::Stale`] when `revision.expect` is no longer current; [`Fault::NotFound`] for a
    /// version or a tag that is not there; [`Fault::Internal`] for what the need does not cover.
    pub async fn revise(&self, revision: Revision) -> Result<Revised, Fault> {
        let covered = match &self.need {
            Need::Curate(_) => true,
            Need::Publish(_) => !revision.deletes(),
            _ => false,
        };
        if !covered {
            return Err(Fault::internal("a revision beyond its need"));
        }
        let head = self.head()?;
        self.house
            .revise(head.id, self.principal.clone(), revision)
            .await
    }

    /// Points a tag at a live version.
    ///
    /// # Errors
    /// [`Fault::NotFound`] for the version.
    pub async fn retag(&self, tag: TagName, to: NormalizedVersion) -> Result<(), Fault> {
        self.revise(Revision {
            tags: vec![(tag, to)],
            ..Revision::default()
        })
        .await
        .map(|_| ())
    }

    /// Removes a tag; the version stays.
    ///
    /// # Errors
    /// [`Fault::NotFound`] for the tag.
    pub async fn untag(&self, tag: TagName) -> Result<(), Fault> {
        self.revise(Revision {
            untag: vec![tag],
            ..Revision::default()
        })
        .await
        .map(|_| ())
    }

    /// Checks credentials that came in the body, like a header's; needs [`Need::SignIn`].
    ///
    /// # Errors
    /// [`Fault::Unauthenticated`] when they do not hold.
    pub async fn sign_in(&self, with: &Credentials) -> Result<Principal, Fault> {
        if self.need != Need::SignIn {
            return Err(Fault::internal("a sign-in beyond its need"));
        }
        self.house
            .prove(with, &self.need)
            .await
            .map(Principal::Known)
    }

    /// Makes a token for the caller, never wider and never longer than the one it was asked
    /// with. The secret is in the answer and nowhere else.
    ///
    /// # Errors
    /// [`Fault::Denied`] for wider scopes; [`Fault::Internal`] when the need was not
    /// [`Need::Tokens`].
    pub async fn create_token(&self, new: NewToken) -> Result<(TokenView, String), Fault> {
        let credential = self.credential_for(&Need::Tokens)?;
        self.house.create_token(credential, new).await
    }

    /// Revokes one of the caller's own tokens, by id or by its text; at once, in every process.
    ///
    /// # Errors
    /// [`Fault::NotFound`] for a token that is not the caller's.
    pub async fn revoke_token(&self, which: &str) -> Result<(), Fault> {
        let credential = self.credential_for(&Need::Tokens)?;
        self.house.revoke_own_token(credential.account, which).await
    }
}
