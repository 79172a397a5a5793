use std::collections::HashMap;
use std::io::Cursor;
use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use packhouse_names::StorageKey;
use url::Url;

use crate::stream::{CHUNK_BYTES, INLINE_BYTES, count, within};
use crate::{BlobError, BlobStore, BlobStream, BlobWriter, ReadSeek, StoredObject, key};

type Objects = Arc<RwLock<HashMap<StorageKey, Object>>>;

#[derive(Debug, Clone)]
struct Object {
    bytes: Bytes,
    /// By the store's clock.
    made_at: Duration,
}

/// Objects in memory, for tests. It behaves as a store on disk does, durability aside. Its clock
/// stands until it is told.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore {
    objects: Objects,
    suspended: Objects,
    clock: Arc<RwLock<Duration>>,
}

impl MemoryStore {
    /// An empty store; clones share it.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes every object older.
    pub fn advance(&self, span: Duration) {
        *self.clock.write().unwrap_or_else(PoisonError::into_inner) += span;
    }

    fn now(&self) -> Duration {
        *self.clock.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn insert(&self, objects: &Objects, key: StorageKey, bytes: Bytes) -> StorageKey {
        let made_at = self.now();
        objects
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(key.clone(), Object { bytes, made_at });
        key
    }
}

fn get(objects: &Objects, key: &StorageKey) -> Option<Bytes> {
    let objects = objects.read().unwrap_or_else(PoisonError::into_inner);
    objects.get(key).map(|object| object.bytes.clone())
}

fn remove(objects: &Objects, key: &StorageKey) {
    objects
        .write()
        .unwrap_or_else(PoisonError::into_inner)
        .remove(key);
}

#[async_trait]
impl BlobStore for MemoryStore {
    async fn put(&self, bytes: Bytes) -> Result<StorageKey, BlobError> {
        Ok(self.insert(&self.objects, key::fresh(), bytes))
    }

    async fn begin(&self) -> Result<Box<dyn BlobWriter>, BlobError> {
        Ok(Box::new(MemoryWriter {
            key: key::fresh(),
            store: self.clone(),
            written: BytesMut::new(),
        }))
    }

    async fn resume(
        &self,
        key: &StorageKey,
        length: u64,
    ) -> Result<Box<dyn BlobWriter>, BlobError> {
        let missing = || BlobError::Missing { key: key.clone() };
        let suspended = get(&self.suspended, key).ok_or_else(missing)?;
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let written = suspended.get(..length).ok_or_else(missing)?;
        Ok(Box::new(MemoryWriter {
            key: key.clone(),
            store: self.clone(),
            written: written.into(),
        }))
    }

    async fn abandon(&self, key: &StorageKey) -> Result<(), BlobError> {
        remove(&self.suspended, key);
        Ok(())
    }

    async fn open(
        &self,
        key: &StorageKey,
        range: Option<Range<u64>>,
    ) -> Result<BlobStream, BlobError> {
        let object =
            get(&self.objects, key).ok_or_else(|| BlobError::Missing { key: key.clone() })?;
        let size = count(object.len());
        let range = within(range, size)?;
        let out_of_range = |_too_large| BlobError::OutOfRange { size };
        let start = usize::try_from(range.start).map_err(out_of_range)?;
        let end = usize::try_from(range.end).map_err(out_of_range)?;
        let mut rest = object.slice(start..end);
        let len = count(rest.len());
        if len <= INLINE_BYTES {
            return Ok(BlobStream::whole(rest));
        }
        let pieces = std::iter::from_fn(move || {
            let piece = rest.split_to(rest.len().min(CHUNK_BYTES));
            (!piece.is_empty()).then_some(Ok(piece))
        });
        Ok(BlobStream::pieces(len, stream::iter(pieces)))
    }

    async fn delete(&self, key: &StorageKey) -> Result<(), BlobError> {
        remove(&self.objects, key);
        Ok(())
    }

    async fn sweep(&self, _age: Duration) -> Result<u64, BlobError> {
        Ok(0)
    }

    fn walk(&self) -> BoxStream<'static, Result<StoredObject, BlobError>> {
        let now = self.now();
        let objects = self.objects.read().unwrap_or_else(PoisonError::into_inner);
        let found: Vec<_> = objects
            .iter()
            .map(|(key, object)| {
                Ok(StoredObject {
                    key: key.clone(),
                    size: count(object.bytes.len()),
                    age: now.saturating_sub(object.made_at),
                })
            })
            .collect();
        stream::iter(found).boxed()
    }

    async fn probe(&self) -> Result<(), BlobError> {
        Ok(())
    }

    async fn presign(
        &self,
        _key: &StorageKey,
        _expires: Duration,
    ) -> Result<Option<Url>, BlobError> {
        Ok(None)
    }
}

#[derive(Debug)]
struct MemoryWriter {
    key: StorageKey,
    store: MemoryStore,
    written: BytesMut,
}

#[async_trait]
impl BlobWriter for MemoryWriter {
    async fn write(&mut self, bytes: Bytes) -> Result<(), BlobError> {
        self.written.extend_from_slice(&bytes);
        Ok(())
    }

    async fn reader(&mut self) -> Result<Box<dyn ReadSeek>, BlobError> {
        Ok(Box::new(Cursor::new(self.written.clone().freeze())))
    }

    async fn suspend(self: Box<Self>) -> Result<StorageKey, BlobError> {
        let written = self.written.freeze();
        Ok(self.store.insert(&self.store.suspended, self.key, written))
    }

    async fn finish(self: Box<Self>) -> Result<StorageKey, BlobError> {
        remove(&self.store.suspended, &self.key);
        let store = &self.store;
        Ok(store.insert(&store.objects, self.key.clone(), self.written.freeze()))
    }
}
