use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use packhouse_names::{FileName, Timestamp};
use packhouse_wire::{BaseUrl, Document};

use crate::admission::Granted;
use crate::fault::{Fault, Thing};
use crate::heads::PackageHead;
use crate::house::House;
use crate::model::{FileView, PackageView};
use crate::policy::{Credential, Need, Principal};
use crate::search::{Found, Query};
use crate::signing::Signer;
use crate::tokens::TokenView;

/// A granted need to read: the questions that a format may ask about it.
///
/// Only [`House::admit_read`] makes one.
#[derive(Debug, Clone)]
pub struct ReadCx {
    pub(crate) house: Arc<House>,
    pub(crate) need: Need,
    pub(crate) principal: Principal,
    pub(crate) granted: Granted,
}

/// Which of a package's index documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DocumentKey {
    /// The form's name within its ecosystem (`full`, `abbreviated`).
    pub form: &'static str,
    /// `Content-Type`.
    pub media_type: &'static str,
    /// The tag whose version's README the document shows, where it shows one.
    pub readme_of: Option<&'static str>,
}

impl ReadCx {
    /// Who asks. A protocol may greet by it, it never decides by it.
    #[must_use]
    pub fn caller(&self) -> &Principal {
        &self.principal
    }

    /// What was granted.
    #[must_use]
    pub fn need(&self) -> &Need {
        &self.need
    }

    /// Now, by the house's clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.house.now()
    }

    /// Signs for the house, and shows what verifies it; never the key.
    #[must_use]
    pub fn signer(&self) -> &Signer {
        &self.house.signer
    }

    /// Does work that computes for long (a document of many megabytes) off the async threads.
    ///
    /// # Errors
    /// What `work` says.
    pub async fn compute<T, F>(&self, work: F) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: FnOnce() -> Result<T, Fault> + Send + 'static,
    {
        self.house.workers.run(work).await?
    }

    /// Whether everybody may read the package: shared caches may keep its answers.
    #[must_use]
    pub fn is_public(&self) -> bool {
        matches!(&self.granted, Granted::Package(head) if head.is_public())
    }

    /// The package of the need with its live versions.
    ///
    /// # Errors
    /// [`Fault::NotFound`] for a package that has no live version.
    pub async fn package(&self) -> Result<PackageView, Fault> {
        let head = self.head()?;
        self.house.view(head.id, None).await
    }

    /// A file of a live version of the package of the need.
    ///
    /// # Errors
    /// [`Fault::NotFound`] with [`Thing::File`].
    pub async fn file(&self, name: &FileName) -> Result<Arc<FileView>, Fault> {
        let head = self.head()?;
        self.house.file(head, name).await
    }

    /// The bytes of a file that is known to be small.
    ///
    /// # Errors
    /// [`Fault::TooLarge`] past `limit` bytes.
    pub async fn read_file(&self, file: &FileView, limit: u64) -> Result<Bytes, Fault> {
        if file.size > limit {
            return Err(Fault::TooLarge { limit });
        }
        let stream = self.house.open_blob(&file.content(), 0..file.size).await?;
        let mut whole = BytesMut::new();
        let mut pieces = match stream.into_bytes() {
            Ok(bytes) => return Ok(bytes),
            Err(pieces) => pieces,
        };
        while let Some(piece) = pieces.next().await {
            whole.extend_from_slice(&piece?);
        }
        Ok(whole.freeze())
    }

    /// An index document of the package: rendered once per revision and base, then kept in both
    /// codings. `render` runs off the async threads and must be a function of its arguments
    /// alone.
    ///
    /// # Errors
    /// As [`package`](Self::package), and what `render` says.
    pub async fn document<F>(
        &self,
        key: DocumentKey,
        base: &BaseUrl,
        render: F,
    ) -> Result<Arc<Document>, Fault>
    where
        F: FnOnce(&PackageView, &BaseUrl) -> Result<Bytes, Fault> + Send + 'static,
    {
        let head = self.head()?;
        self.house.document(head, key, base, render).await
    }

    /// Packages by words, the best first: those that the caller may read, and no other is
    /// counted. Needs [`Need::Browse`].
    ///
    /// # Errors
    /// [`Fault::Internal`] when the need was another.
    pub async fn search(&self, query: Query) -> Result<Found, Fault> {
        let Need::Browse(namespace) = &self.need else {
            return Err(Fault::internal("a search beyond its need"));
        };
        self.house
            .search(&self.principal, namespace.as_ref(), query)
            .await
    }

    /// The caller's own tokens that hold, newest first, and how many there are; needs
    /// [`Need::Tokens`]. `page` counts from 0.
    ///
    /// # Errors
    /// [`Fault::Internal`] when the need was another.
    pub async fn tokens(&self, page: u32, per_page: u32) -> Result<(Vec<TokenView>, u64), Fault> {
        let credential = self.credential_for(&Need::Tokens)?;
        self.house
            .tokens_of(credential.account, page, per_page)
            .await
    }

    /// The package that the need is about, where it has a live version.
    pub(crate) fn head(&self) -> Result<&Arc<PackageHead>, Fault> {
        match &self.granted {
            Granted::Package(head) if head.has_versions => Ok(head),
            Granted::Package(_) | Granted::Creation => Err(Fault::not_found(
                Thing::Package,
                self.need
                    .package()
                    .map(|package| package.name.to_string())
                    .unwrap_or_default(),
            )),
            Granted::Plain | Granted::Organization(_) => {
                Err(Fault::internal("a question about a package without a need"))
            }
        }
    }

    /// Whoever asks, where the need is `expected`.
    pub(crate) fn credential_for(&self, expected: &Need) -> Result<&Credential, Fault> {
        if self.need != *expected {
            return Err(Fault::internal("a deed beyond its need"));
        }
        self.principal
            .credential()
            .ok_or_else(|| Fault::internal("a deed without a principal"))
    }
}
