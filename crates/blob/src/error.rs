use std::io;

use packhouse_names::StorageKey;

/// What can go wrong between a caller and the place where bytes lie.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// No object has this key: it never had, or it vanished.
    #[error("the stored object is missing")]
    Missing {
        /// The key that was asked for.
        key: StorageKey,
    },
    /// The range is reversed or reaches beyond the object's end.
    #[error("the range does not lie within the object's {size} bytes")]
    OutOfRange {
        /// How long the object is.
        size: u64,
    },
    /// The disk, or the quota on it, is used up.
    #[error("the blob store is full")]
    Full(#[source] io::Error),
    /// The store could not do its work.
    #[error("the blob store failed while {doing}")]
    Io {
        /// What was being done, as the end of the sentence.
        doing: &'static str,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// Work on a blocking thread did not come to its end: it panicked, or the runtime stopped.
    #[error("a worker of the blob store ended early")]
    Worker(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl BlobError {
    /// Sorts an I/O error met while `doing`; a full disk has its own variant.
    pub(crate) fn io(doing: &'static str, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full(source),
            _ => Self::Io { doing, source },
        }
    }

    /// As [`BlobError::io`], for the object `key`, whose absence has its own variant.
    pub(crate) fn object(doing: &'static str, key: &StorageKey, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::NotFound => Self::Missing { key: key.clone() },
            _ => Self::io(doing, source),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_from_a_broken_one() {
        const ENOSPC: i32 = 28;
        const EIO: i32 = 5;
        let of = |code| BlobError::io("writing", io::Error::from_raw_os_error(code));
        assert!(matches!(of(ENOSPC), BlobError::Full(_)));
        assert!(matches!(of(EIO), BlobError::Io { .. }));
    }
}
