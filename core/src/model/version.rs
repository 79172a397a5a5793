use packhouse_names::{Login, NormalizedVersion, Timestamp, VersionId, VersionText};

/// How a live version is offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    Live,
    /// Still offered, with a warning.
    Deprecated {
        reason: String,
    },
    /// Reachable by its exact version, listed nowhere.
    Unlisted,
    /// Out of resolution; installed lock files still find it.
    Yanked,
}

/// A live version of a package.
#[derive(Debug, Clone)]
pub struct VersionView {
    pub id: VersionId,
    /// As published.
    pub name: VersionText,
    /// As look-ups compare it.
    pub key: NormalizedVersion,
    /// Canonical JSON that the format wrote at publish and alone understands.
    pub metadata: String,
    pub standing: Standing,
    /// Who published it; `None` once that account is gone.
    pub publisher: Option<Login>,
    pub created_at: Timestamp,
}
