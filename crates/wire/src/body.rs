use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt, stream};

/// Why a body ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The client went away, sent less than it declared, or broke its framing.
    #[error("the request body ended early")]
    Truncated,
    /// Nothing came for too long.
    #[error("the request body stalled")]
    Stalled,
    /// More came than the reader accepts.
    #[error("the request body is larger than {limit} bytes")]
    TooLarge {
        /// The limit that was passed, in bytes.
        limit: u64,
    },
    /// The bytes are not what their encoding promises (base64, gzip).
    #[error("the request body is malformed: {0}")]
    Malformed(String),
}

/// A request body: a stream of pieces that whoever reads it bounds.
pub struct Body(Pin<Box<dyn Stream<Item = Result<Bytes, BodyError>> + Send>>);

impl Body {
    /// Wraps a stream of pieces.
    pub fn new(pieces: impl Stream<Item = Result<Bytes, BodyError>> + Send + 'static) -> Self {
        Self(Box::pin(pieces))
    }

    /// A body without a byte.
    #[must_use]
    pub fn empty() -> Self {
        Self::new(stream::empty())
    }

    /// A body that is here already.
    #[must_use]
    pub fn from_bytes(bytes: Bytes) -> Self {
        Self::new(stream::iter([Ok(bytes)]))
    }

    /// Reads everything into memory, for documents that are known to be small.
    ///
    /// # Errors
    /// [`BodyError::TooLarge`] past `limit` bytes, else what the stream reports.
    pub async fn read_at_most(mut self, limit: usize) -> Result<Bytes, BodyError> {
        let mut whole = BytesMut::new();
        while let Some(piece) = self.next().await {
            let piece = piece?;
            if whole.len() + piece.len() > limit {
                return Err(BodyError::TooLarge {
                    limit: u64::try_from(limit).unwrap_or(u64::MAX),
                });
            }
            if whole.is_empty() {
                whole = BytesMut::from(piece);
            } else {
                whole.extend_from_slice(&piece);
            }
        }
        Ok(whole.freeze())
    }
}

impl Stream for Body {
    type Item = Result<Bytes, BodyError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(cx)
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Body")
    }
}
