use std::fmt;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::Stream;

use crate::BlobError;

/// Up to this many bytes come as one piece that is read when the stream is opened.
pub const INLINE_BYTES: u64 = 64 * 1024;

/// Longer streams come in pieces of at most this size.
pub const CHUNK_BYTES: usize = 1024 * 1024;

type Pieces = Pin<Box<dyn Stream<Item = Result<Bytes, BlobError>> + Send>>;

/// The bytes of an object or of a range of it.
pub struct BlobStream {
    len: u64,
    pieces: Source,
}

enum Source {
    /// Everything, read already; `None` once it was given out.
    Whole(Option<Bytes>),
    Pieces(Pieces),
}

impl BlobStream {
    pub(crate) fn whole(bytes: Bytes) -> Self {
        Self {
            len: count(bytes.len()),
            pieces: Source::Whole((!bytes.is_empty()).then_some(bytes)),
        }
    }

    pub(crate) fn pieces(
        len: u64,
        pieces: impl Stream<Item = Result<Bytes, BlobError>> + Send + 'static,
    ) -> Self {
        Self {
            len,
            pieces: Source::Pieces(Box::pin(pieces)),
        }
    }

    /// How many bytes the stream gives from beginning to end.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Whether the stream gives nothing at all.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Everything at once if it is in memory already (up to [`INLINE_BYTES`]), so that an answer
    /// can be sent without streaming; otherwise the stream comes back.
    ///
    /// # Errors
    /// The unchanged stream, where it is read piece by piece.
    pub fn into_bytes(self) -> Result<Bytes, Self> {
        match self.pieces {
            Source::Whole(bytes) => Ok(bytes.unwrap_or_default()),
            Source::Pieces(_) => Err(self),
        }
    }
}

impl Stream for BlobStream {
    type Item = Result<Bytes, BlobError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match &mut self.pieces {
            Source::Whole(bytes) => Poll::Ready(bytes.take().map(Ok)),
            Source::Pieces(pieces) => pieces.as_mut().poll_next(cx),
        }
    }
}

impl fmt::Debug for BlobStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlobStream")
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}

/// The range asked for, once it is known to lie within the object of that size.
pub(crate) fn within(range: Option<Range<u64>>, size: u64) -> Result<Range<u64>, BlobError> {
    let range = range.unwrap_or(0..size);
    if range.start > range.end || range.end > size {
        return Err(BlobError::OutOfRange { size });
    }
    Ok(range)
}

/// A length in memory as a length in a store.
pub(crate) fn count(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
