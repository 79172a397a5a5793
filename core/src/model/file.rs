use http::HeaderValue;
use packhouse_names::{FileName, Sha256, Sha512, StorageKey, VersionId};
use packhouse_wire::BlobContent;

/// A file of a live version, enough to answer a download.
#[derive(Debug, Clone)]
pub struct FileView {
    pub name: FileName,
    /// The version that a download of it counts for; `None` for an index a client uploaded.
    pub version: Option<VersionId>,
    pub sha256: Sha256,
    pub sha512: Option<Sha512>,
    pub size: u64,
    pub media_type: HeaderValue,
    /// The strong tag that downloads carry, quotes included.
    pub tag: HeaderValue,
    pub(crate) storage: StorageKey,
}

impl FileView {
    /// What a reply names to send this file.
    #[must_use]
    pub fn content(&self) -> BlobContent {
        BlobContent {
            key: self.storage.clone(),
            size: self.size,
            media_type: self.media_type.clone(),
            tag: self.tag.clone(),
        }
    }
}
