//! Bytes on their way in: hashed, bounded, not yet visible to anybody.

use std::io::Cursor;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _};
use packhouse_archive::Limits;
use packhouse_blob::{BlobWriter, Digests, Hashing, ParallelHashing, ReadSeek, Sums};
use packhouse_names::StorageKey;
use packhouse_wire::BodyError;

use crate::fault::Fault;
use crate::house::House;

/// Bodies up to this many bytes stay in memory until they are written in one go.
const IN_MEMORY: usize = 64 * 1024;

/// Bytes that arrived whole. Dropping it forgets them.
pub struct Staged {
    bytes: StagedBytes,
    digests: Digests,
}

enum StagedBytes {
    Memory(Bytes),
    Object(Box<dyn BlobWriter>),
}

impl Staged {
    /// The digests that were asked for, and the length.
    #[must_use]
    pub fn digests(&self) -> &Digests {
        &self.digests
    }
}

impl std::fmt::Debug for Staged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Staged")
            .field("digests", &self.digests)
            .finish_non_exhaustive()
    }
}

impl House {
    pub(crate) async fn stage<S>(
        &self,
        mut body: S,
        sums: Sums,
        limit: u64,
    ) -> Result<Staged, Fault>
    where
        S: Stream<Item = Result<Bytes, BodyError>> + Send + Unpin,
    {
        let mut start = BytesMut::new();
        let mut size = 0_u64;
        while let Some(piece) = body.next().await {
            let piece = piece?;
            size = grown(size, &piece, limit)?;
            if start.len() + piece.len() <= IN_MEMORY {
                start.extend_from_slice(&piece);
                continue;
            }
            // it is a large one: what came so far goes ahead of the rest
            let mut hashing = ParallelHashing::new(sums, &self.hashers);
            let mut object = self.blobs.begin().await?;
            for piece in [start.freeze(), piece] {
                hashing.update(piece.clone()).await?;
                object.write(piece).await?;
            }
            while let Some(piece) = body.next().await {
                let piece = piece?;
                size = grown(size, &piece, limit)?;
                hashing.update(piece.clone()).await?;
                object.write(piece).await?;
            }
            let digests = hashing.finish().await?;
            return Ok(Staged {
                bytes: StagedBytes::Object(object),
                digests,
            });
        }
        let digests = Hashing::digest(sums, &start);
        Ok(Staged {
            bytes: StagedBytes::Memory(start.freeze()),
            digests,
        })
    }

    pub(crate) async fn inspect<T, F>(&self, staged: &mut Staged, look: F) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: FnOnce(&mut dyn ReadSeek, Limits) -> Result<T, Fault> + Send + 'static,
    {
        let limits = self.settings.archive_limits.clone();
        let mut reader: Box<dyn ReadSeek> = match &mut staged.bytes {
            StagedBytes::Memory(bytes) => Box::new(Cursor::new(bytes.clone())),
            StagedBytes::Object(object) => object.reader().await?,
        };
        self.workers.run(move || look(&mut *reader, limits)).await?
    }

    /// Makes staged bytes durable under a key of their own.
    pub(crate) async fn keep(&self, staged: Staged) -> Result<StorageKey, Fault> {
        Ok(match staged.bytes {
            StagedBytes::Memory(bytes) => self.blobs.put(bytes).await?,
            StagedBytes::Object(object) => object.finish().await?,
        })
    }
}

fn grown(size: u64, piece: &Bytes, limit: u64) -> Result<u64, Fault> {
    let size = size.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
    if size > limit {
        Err(Fault::TooLarge { limit })
    } else {
        Ok(size)
    }
}
