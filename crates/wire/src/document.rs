use bytes::Bytes;
use http::HeaderValue;

/// An index document, rendered once and served many times: both codings with a strong tag each.
#[derive(Debug, Clone)]
pub struct Document {
    /// `Content-Type`.
    pub media_type: HeaderValue,
    /// The bytes as they are.
    pub identity: Bytes,
    /// The same, gzipped; empty where it would not be smaller.
    pub gzip: Bytes,
    /// The strong tag of `identity`, quotes included.
    pub identity_tag: HeaderValue,
    /// The strong tag of `gzip`, quotes included.
    pub gzip_tag: HeaderValue,
    /// `Last-Modified`, rounded up so that it stays an upper bound.
    pub last_modified: HeaderValue,
}

impl Document {
    /// What keeping the document costs, in bytes.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.identity.len() + self.gzip.len() + 512
    }
}
