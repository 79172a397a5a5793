use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use packhouse_names::{StorageKey, VersionId};

use crate::Document;

/// An answer as a value. It names a blob, it does not open one: ranges, conditions, HEAD and
/// redirects are the door's, written once for all formats.
#[derive(Debug)]
pub struct Reply {
    /// The status, before conditions and ranges are looked at.
    pub status: StatusCode,
    /// Headers besides those that the content brings.
    pub headers: HeaderMap,
    /// What is sent.
    pub content: Content,
    /// The version whose download this is, counted when a GET of it is answered.
    pub counts: Option<VersionId>,
}

/// What an answer sends.
#[derive(Debug)]
pub enum Content {
    /// Nothing.
    Empty,
    /// Bytes that are here; the media type is in the reply's headers.
    Bytes(Bytes),
    /// A rendered index document, in the coding that the client accepts.
    Document(Arc<Document>),
    /// A stored blob.
    Blob(BlobContent),
}

/// Enough of a stored blob to answer for it without opening it.
#[derive(Debug, Clone)]
pub struct BlobContent {
    /// Where its bytes lie.
    pub key: StorageKey,
    /// Its length in bytes.
    pub size: u64,
    /// `Content-Type`.
    pub media_type: HeaderValue,
    /// Its strong tag, quotes included.
    pub tag: HeaderValue,
}

impl Reply {
    /// An answer without a body.
    #[must_use]
    pub fn empty(status: StatusCode) -> Self {
        Self {
            status,
            headers: HeaderMap::new(),
            content: Content::Empty,
            counts: None,
        }
    }

    /// An answer whose bytes are here.
    #[must_use]
    pub fn bytes(status: StatusCode, media_type: &'static str, bytes: impl Into<Bytes>) -> Self {
        Self {
            content: Content::Bytes(bytes.into()),
            ..Self::empty(status).with(header::CONTENT_TYPE, HeaderValue::from_static(media_type))
        }
    }

    /// `application/json`.
    #[must_use]
    pub fn json(status: StatusCode, text: impl Into<Bytes>) -> Self {
        Self::bytes(status, "application/json", text)
    }

    /// A rendered index document.
    #[must_use]
    pub fn document(document: Arc<Document>) -> Self {
        Self {
            content: Content::Document(document),
            ..Self::empty(StatusCode::OK)
        }
    }

    /// A stored blob.
    #[must_use]
    pub fn blob(blob: BlobContent) -> Self {
        Self {
            content: Content::Blob(blob),
            ..Self::empty(StatusCode::OK)
        }
    }

    /// Adds a header, replacing one of the same name.
    #[must_use]
    pub fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// Says whose download this is.
    #[must_use]
    pub fn counting(mut self, version: VersionId) -> Self {
        self.counts = Some(version);
        self
    }
}
