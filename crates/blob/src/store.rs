use std::fmt::Debug;
use std::io::{Read, Seek};
use std::ops::Range;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use packhouse_names::StorageKey;
use url::Url;

use crate::{BlobError, BlobStream};

/// An object, as a walk over its store finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredObject {
    pub key: StorageKey,
    pub size: u64,
    /// How long it has been there, by the store's own time.
    pub age: Duration,
}

/// A place where immutable objects lie under random keys.
///
/// Whoever knows an object's key finds it whole: keys are told when the object is durable, and
/// nothing of it changes afterwards. A crash, or a future that is dropped half way, may leave an
/// object or a part of one that nobody knows; it is garbage, never damage.
#[async_trait]
pub trait BlobStore: Send + Sync + Debug + 'static {
    /// Makes a small body durable in one hop and names it. Before `Ok` the bytes, the object's
    /// name and the folder that holds it have reached the disk.
    ///
    /// # Errors
    /// [`BlobError::Full`] and [`BlobError::Io`]; the object is absent then.
    async fn put(&self, bytes: Bytes) -> Result<StorageKey, BlobError>;

    /// Starts an object of unknown length; nothing of it can be opened until
    /// [`BlobWriter::finish`].
    ///
    /// # Errors
    /// [`BlobError::Full`] and [`BlobError::Io`].
    async fn begin(&self) -> Result<Box<dyn BlobWriter>, BlobError>;

    /// Goes on with an object that [`BlobWriter::suspend`] left, behind its first `length` bytes;
    /// whatever was written beyond them is forgotten. One writer at a time: that is the caller's
    /// to see to. Dropping the writer leaves the object suspended.
    ///
    /// # Errors
    /// [`BlobError::Missing`] for an object that was swept, finished or never suspended, or has
    /// fewer bytes; [`BlobError::Io`].
    async fn resume(&self, key: &StorageKey, length: u64)
    -> Result<Box<dyn BlobWriter>, BlobError>;

    /// Removes a suspended object; one that is absent already is fine.
    ///
    /// # Errors
    /// [`BlobError::Io`].
    async fn abandon(&self, key: &StorageKey) -> Result<(), BlobError>;

    /// Reads a range of an object, the whole of it when `range` is `None`. An empty range within
    /// the object gives an empty stream.
    ///
    /// # Errors
    /// [`BlobError::Missing`], [`BlobError::OutOfRange`] and [`BlobError::Io`]. The stream
    /// itself can fail later, but never ends early without an error.
    async fn open(
        &self,
        key: &StorageKey,
        range: Option<Range<u64>>,
    ) -> Result<BlobStream, BlobError>;

    /// Removes an object; one that is absent already is fine. Open streams of it stay readable.
    ///
    /// # Errors
    /// [`BlobError::Io`].
    async fn delete(&self, key: &StorageKey) -> Result<(), BlobError>;

    /// Removes what unfinished writers of dead processes left behind, if nothing was written to
    /// it for longer than `age`; says how many were removed.
    ///
    /// # Errors
    /// [`BlobError::Io`].
    async fn sweep(&self, age: Duration) -> Result<u64, BlobError>;

    /// Every object that can be opened, in no order. What comes or goes meanwhile may be among
    /// them or not. Memory does not grow with the store.
    fn walk(&self) -> BoxStream<'static, Result<StoredObject, BlobError>>;

    /// Writes, reads back and removes something small: the readiness check.
    ///
    /// # Errors
    /// Whatever keeps the store from doing that.
    async fn probe(&self) -> Result<(), BlobError>;

    /// A link by which a client fetches the object directly for the span `expires`; `None` where
    /// the store cannot sign one. Does not ask whether the object is there.
    ///
    /// # Errors
    /// [`BlobError::Io`].
    async fn presign(&self, key: &StorageKey, expires: Duration) -> Result<Option<Url>, BlobError>;
}

/// An object being written. Dropping it without [`finish`](BlobWriter::finish) removes what was
/// written, as far as possible; [`BlobStore::sweep`] finds the rest.
#[async_trait]
pub trait BlobWriter: Send + Debug {
    /// Appends. Small pieces are gathered, large ones kept without a copy; at most about 2 MiB
    /// of a writer are in memory.
    ///
    /// # Errors
    /// [`BlobError::Full`] and [`BlobError::Io`], possibly for an earlier piece.
    async fn write(&mut self, bytes: Bytes) -> Result<(), BlobError>;

    /// A view of what was written so far, for looking inside an archive before it is kept. It
    /// blocks: use it on a thread that may.
    ///
    /// # Errors
    /// [`BlobError::Full`] and [`BlobError::Io`].
    async fn reader(&mut self) -> Result<Box<dyn ReadSeek>, BlobError>;

    /// Makes what was written so far durable without ending the object, and names it for
    /// [`BlobStore::resume`], in this process or another one. Nothing of it can be opened.
    ///
    /// # Errors
    /// [`BlobError::Full`] and [`BlobError::Io`]; what was durable before still is.
    async fn suspend(self: Box<Self>) -> Result<StorageKey, BlobError>;

    /// Makes the object durable, as [`BlobStore::put`] does, and names it.
    ///
    /// # Errors
    /// [`BlobError::Full`] and [`BlobError::Io`]; the object is absent then.
    async fn finish(self: Box<Self>) -> Result<StorageKey, BlobError>;
}

/// Bytes that can be read from any position.
pub trait ReadSeek: Read + Seek + Send {}

impl<T: Read + Seek + Send> ReadSeek for T {}
