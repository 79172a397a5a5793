use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::stream;
use moka::sync::Cache;
use packhouse_names::StorageKey;

use crate::stream::{CHUNK_BYTES, INLINE_BYTES, count, within};
use crate::workers::{Job, Workers};
use crate::{BlobError, BlobStream};

/// How many buffers of a size wait for their next stream instead of going back to the allocator: a
/// fresh one costs a page fault for each 4 KiB.
const SHELF_BUFFERS: usize = 16;

/// With so much lent to streams the next chunks are short: two MiB for each stream are fast, but
/// not for hundreds of streams.
const AMPLE_BYTES: usize = 24 * 1024 * 1024;

/// How long a chunk is then.
const SHORT_CHUNK_BYTES: usize = 128 * 1024;

/// What short objects that are read again and again may take up, their keys included.
const RECENT_BYTES: u64 = 16 * 1024 * 1024;

/// What a short object takes up besides its bytes, about.
const RECENT_OVERHEAD: usize = 256;

const READING: &str = "reading an object";

/// What streams need of their store.
#[derive(Debug, Clone)]
pub(super) struct Reads {
    pub(super) workers: Workers,
    pub(super) shelf: Shelf,
    pub(super) recent: Recent,
}

/// Short objects, whole. An object never changes, so what is here is what its file holds.
#[derive(Debug, Clone)]
pub(super) struct Recent(Cache<StorageKey, Bytes>);

impl Default for Recent {
    fn default() -> Self {
        let cache = Cache::builder()
            .max_capacity(RECENT_BYTES)
            .weigher(|_key, bytes: &Bytes| {
                u32::try_from(bytes.len() + RECENT_OVERHEAD).unwrap_or(u32::MAX)
            })
            .build();
        Self(cache)
    }
}

impl Recent {
    fn range(
        &self,
        key: &StorageKey,
        range: Option<&Range<u64>>,
    ) -> Option<Result<Bytes, BlobError>> {
        let bytes = self.0.get(key)?;
        let cut = within(range.cloned(), count(bytes.len())).map(|range| {
            let at = |at| usize::try_from(at).unwrap_or(bytes.len());
            bytes.slice(at(range.start)..at(range.end))
        });
        Some(cut)
    }

    pub(super) fn forget(&self, key: &StorageKey) {
        self.0.invalidate(key);
    }
}

/// Opens the object that `path` leads to. Opening, and reading what is short, happens right here:
/// with the file in the page cache that is quicker than going to another thread and coming back.
pub(super) fn open(
    reads: &Reads,
    path: impl FnOnce() -> Result<PathBuf, BlobError>,
    key: &StorageKey,
    range: Option<Range<u64>>,
) -> Result<BlobStream, BlobError> {
    if let Some(bytes) = reads.recent.range(key, range.as_ref()) {
        return Ok(BlobStream::whole(bytes?));
    }
    let path = path()?;
    let failed = |source| BlobError::object(READING, key, source);
    let file = File::open(path).map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len();
    let range = within(range, size)?;
    let len = range.end - range.start;
    if len <= INLINE_BYTES {
        let mut bytes = vec![0; usize::try_from(len).unwrap_or(CHUNK_BYTES)];
        file.read_exact_at(&mut bytes, range.start)
            .map_err(|source| BlobError::io(READING, source))?;
        let bytes = Bytes::from(bytes);
        if len == size {
            reads.recent.0.insert(key.clone(), bytes.clone());
        }
        return Ok(BlobStream::whole(bytes));
    }
    let reading = Reading {
        reads: reads.clone(),
        file: Arc::new(file),
        rest: range,
        ahead: None,
    };
    Ok(BlobStream::pieces(
        len,
        stream::try_unfold(reading, |mut reading| async move {
            Ok(reading.next().await?.map(|bytes| (bytes, reading)))
        }),
    ))
}

/// An object that is read in chunks, the next one while the last is being sent.
#[derive(Debug)]
struct Reading {
    reads: Reads,
    file: Arc<File>,
    rest: Range<u64>,
    ahead: Option<Job<io::Result<Bytes>>>,
}

impl Reading {
    async fn next(&mut self) -> Result<Option<Bytes>, BlobError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let job = match self.ahead.take() {
            Some(job) => job,
            None => self.reads.workers.start(self.chunk()).await?,
        };
        let bytes = job
            .end()
            .await?
            .map_err(|source| BlobError::io(READING, source))?;
        self.rest.start += count(bytes.len());
        if !self.rest.is_empty() {
            // With every thread busy there is no reading ahead; the next call waits for one.
            self.ahead = self.reads.workers.try_start(self.chunk());
        }
        Ok(Some(bytes))
    }

    /// The work of reading what comes next.
    fn chunk(&self) -> impl FnOnce() -> io::Result<Bytes> + Send + 'static {
        let file = Arc::clone(&self.file);
        let shelf = self.reads.shelf.clone();
        let at = self.rest.start;
        let left = usize::try_from(self.rest.end - at).unwrap_or(CHUNK_BYTES);
        move || {
            let mut lent = shelf.lend(left);
            file.read_exact_at(lent.as_mut(), at)?;
            Ok(Bytes::from_owner(lent))
        }
    }
}

/// Chunk buffers between two uses.
#[derive(Debug, Clone, Default)]
pub(super) struct Shelf(Arc<Mutex<Buffers>>);

#[derive(Debug, Default)]
struct Buffers {
    /// Of [`CHUNK_BYTES`].
    long: Vec<Vec<u8>>,
    /// Of [`SHORT_CHUNK_BYTES`].
    short: Vec<Vec<u8>>,
    lent_bytes: usize,
}

impl Buffers {
    fn of_size(&mut self, size: usize) -> &mut Vec<Vec<u8>> {
        if size == CHUNK_BYTES {
            &mut self.long
        } else {
            &mut self.short
        }
    }
}

impl Shelf {
    /// A buffer for up to `wanted` bytes; for fewer where much is lent.
    fn lend(&self, wanted: usize) -> Lent {
        let mut buffers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_ample = buffers.lent_bytes + CHUNK_BYTES <= AMPLE_BYTES;
        let size = if is_ample && wanted > SHORT_CHUNK_BYTES {
            CHUNK_BYTES
        } else {
            SHORT_CHUNK_BYTES
        };
        buffers.lent_bytes += size;
        let kept = buffers.of_size(size).pop();
        drop(buffers);
        Lent {
            buffer: kept.unwrap_or_else(|| vec![0; size]),
            len: wanted.min(size),
            shelf: self.clone(),
        }
    }
}

/// The first `len` bytes of a buffer that goes back to the shelf when the last view of it is
/// dropped.
#[derive(Debug)]
struct Lent {
    buffer: Vec<u8>,
    len: usize,
    shelf: Shelf,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        self.buffer.get(..self.len).unwrap_or(&self.buffer)
    }
}

impl AsMut<[u8]> for Lent {
    fn as_mut(&mut self) -> &mut [u8] {
        let len = self.len.min(self.buffer.len());
        self.buffer.split_at_mut(len).0
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let buffer = std::mem::take(&mut self.buffer);
        let size = buffer.len();
        let mut buffers = self.shelf.0.lock().unwrap_or_else(PoisonError::into_inner);
        buffers.lent_bytes = buffers.lent_bytes.saturating_sub(size);
        let kept = buffers.of_size(size);
        if kept.len() < SHELF_BUFFERS {
            kept.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_used_again_and_the_shelf_stays_small() {
        let shelf = Shelf::default();
        let kept = || shelf.0.lock().unwrap().long.len();
        let held: Vec<_> = (0..SHELF_BUFFERS + 3)
            .map(|_| shelf.lend(CHUNK_BYTES))
            .collect();
        drop(held);
        assert_eq!(kept(), SHELF_BUFFERS);

        let lent = shelf.lend(SHORT_CHUNK_BYTES + 7);
        assert_eq!(kept(), SHELF_BUFFERS - 1);
        assert_eq!(lent.as_ref().len(), SHORT_CHUNK_BYTES + 7);
    }

    #[test]
    fn many_streams_share_what_few_have_for_themselves() {
        let shelf = Shelf::default();
        let held: Vec<_> = (0..200).map(|_| shelf.lend(10 * CHUNK_BYTES)).collect();
        let bytes: usize = held.iter().map(|lent| lent.as_ref().len()).sum();
        assert_eq!(held.first().unwrap().as_ref().len(), CHUNK_BYTES);
        assert_eq!(held.last().unwrap().as_ref().len(), SHORT_CHUNK_BYTES);
        assert!(bytes <= AMPLE_BYTES + 200 * SHORT_CHUNK_BYTES);

        drop(held);
        assert_eq!(shelf.lend(10 * CHUNK_BYTES).as_ref().len(), CHUNK_BYTES);
    }
}
