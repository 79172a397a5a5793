//! What an inspection finds, in words for an operator.

use std::fmt;

use packhouse_db::BlobState;
use packhouse_db::blobs::Blob;
use packhouse_db::holders::{HoldingFile, HoldingLink, HoldingPackage};
use packhouse_names::{Digest, StorageKey, Timestamp};

use crate::settings::Collection;

/// What holds a blob, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder(String);

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn package(of: &HoldingPackage) -> String {
    let deleted = deleted(of.deleted_at);
    format!("{}/{}/{}{deleted}", of.owner, of.ecosystem, of.name)
}

fn deleted(at: Option<Timestamp>) -> String {
    at.map_or_else(String::new, |at| format!(" (deleted {at})"))
}

impl Holder {
    pub(super) fn file(of: &HoldingFile) -> Self {
        let package = package(&of.package);
        Self(match &of.version {
            None => format!("file {} of package {package}", of.file),
            Some(version) => {
                let deleted = deleted(of.version_deleted_at);
                format!(
                    "file {} of version {version}{deleted} of package {package}",
                    of.file
                )
            }
        })
    }

    pub(super) fn link(of: &HoldingLink) -> Self {
        let promised = of
            .promised_until
            .map_or_else(String::new, |until| format!(", promised until {until}"));
        Self(format!(
            "link of package {} since {}{promised}",
            package(&of.package),
            of.created_at
        ))
    }

    pub(super) fn reference(
        of: &HoldingPackage,
        version: &str,
        kind: &str,
        deleted_at: Option<Timestamp>,
    ) -> Self {
        Self(format!(
            "{kind} of manifest {version}{} of package {}",
            deleted(deleted_at),
            package(of)
        ))
    }
}

/// Something that an operator should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// A blob whose bytes are not what the database says.
    Damaged {
        digest: Digest,
        key: StorageKey,
        trouble: String,
        holders: Vec<Holder>,
    },
    /// A live version names something that its package has not.
    Unmet { digest: String, holder: Holder },
    /// A blob that nothing holds: the collector's.
    Unheld { digest: Digest, size: u64 },
    /// An object that no row knows: the collector's.
    Orphan { key: StorageKey, size: u64 },
}

impl Finding {
    /// Whether something is lost, and not only left over.
    #[must_use]
    pub const fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged { .. } | Self::Unmet { .. })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged {
                digest,
                key,
                trouble,
                holders,
            } => {
                write!(f, "error: {digest} (object {key}) is {trouble}")?;
                for holder in holders {
                    write!(f, "\n  held by {holder}")?;
                }
                Ok(())
            }
            Self::Unmet { digest, holder } => write!(
                f,
                "error: {digest} is not in the package\n  held by {holder}"
            ),
            Self::Unheld { digest, size } => {
                write!(f, "info: nothing holds {digest}, {size} bytes")
            }
            Self::Orphan { key, size } => {
                write!(f, "info: nothing knows the object {key}, {size} bytes")
            }
        }
    }
}

/// What an inspection came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Inspected {
    pub blobs: u64,
    pub bytes: u64,
    /// Blobs and references with something wrong about them.
    pub damaged: u64,
    /// Blobs that nothing holds.
    pub unheld: u64,
    /// Objects that no row knows.
    pub orphans: u64,
}

impl Inspected {
    pub(super) fn count(&mut self, finding: &Finding) {
        match finding {
            Finding::Damaged { .. } | Finding::Unmet { .. } => self.damaged += 1,
            Finding::Unheld { .. } => self.unheld += 1,
            Finding::Orphan { .. } => self.orphans += 1,
        }
    }
}

impl fmt::Display for Inspected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "checked: {} blobs, {} bytes; wrong: {}; held by nothing: {} blobs; unknown: {} objects",
            self.blobs, self.bytes, self.damaged, self.unheld, self.orphans
        )
    }
}

/// Why a blob is there.
#[derive(Debug, Clone)]
pub struct Why {
    pub(super) digest: Digest,
    pub(super) blob: Option<Blob>,
    pub(super) holders: Vec<Holder>,
    pub(super) collection: Collection,
}

impl Why {
    /// Whether there is such a blob at all.
    #[must_use]
    pub const fn is_there(&self) -> bool {
        self.blob.is_some()
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.blob {
            None => write!(f, "there is no blob {}", self.digest)?,
            Some(blob) => write!(
                f,
                "{}: {} bytes since {}, object {}",
                self.digest, blob.size_bytes, blob.created_at, blob.storage_key
            )?,
        }
        for holder in &self.holders {
            write!(f, "\nheld by {holder}")?;
        }
        let Some(blob) = &self.blob else {
            return Ok(());
        };
        if let (BlobState::Condemned, Some(at)) = (blob.state, blob.condemned_at) {
            let goes_at = at.after(self.collection.grace);
            return write!(
                f,
                "\ncondemned {at}: it goes with the first collection after {goes_at}"
            );
        }
        if !self.holders.is_empty() {
            return Ok(());
        }
        match blob.promised_until {
            Some(until) => write!(
                f,
                "\nnothing holds it: the first collection after {until} condemns it"
            ),
            None => write!(f, "\nnothing holds it: the next collection condemns it"),
        }
    }
}
