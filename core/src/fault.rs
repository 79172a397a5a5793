use std::time::Duration;

use packhouse_archive::ArchiveError;
use packhouse_blob::BlobError;
use packhouse_db::DbError;
use packhouse_names::NameError;
use packhouse_wire::BodyError;

use crate::policy::Need;

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// The one error vocabulary that crosses the seam.
///
/// `Display` is always safe to send; a cause sits in `source`, and only the log walks it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The protocol has no such request.
    #[error("no such route")]
    NoRoute,
    /// Absent, or hidden from the caller: the two look the same.
    #[error("{what} `{id}` not found")]
    NotFound {
        /// What kind of thing.
        what: Thing,
        /// Its name, as the caller spelt it.
        id: String,
    },
    /// Nobody asked, or somebody whose credentials do not hold.
    #[error("authentication required")]
    Unauthenticated {
        /// What would have to be granted.
        need: Box<Need>,
        /// Why it was not.
        why: Unproven,
    },
    /// Somebody known, who may see the thing but not do this to it.
    #[error("not permitted")]
    Denied {
        /// What would have to be granted.
        need: Box<Need>,
        /// What is lacking.
        lack: Lack,
    },
    /// A delete that something alive, or a rule, stands against.
    #[error("{0} cannot be deleted")]
    Held(String),
    /// It follows from something else and is not changed here; the text says from what.
    #[error("{0}")]
    Fixed(String),
    /// It is there already and does not change.
    #[error("{0} already exists and cannot be replaced")]
    Conflict(String),
    /// The caller worked on a revision that is no longer the current one.
    #[error("the package has changed since it was read")]
    Stale,
    /// What was sent is wrong.
    #[error("invalid {field}: {reason}")]
    Invalid {
        /// Which part of the request.
        field: &'static str,
        /// What is wrong with it, in words for the sender.
        reason: String,
    },
    /// What was sent is too much.
    #[error("larger than {limit} bytes")]
    TooLarge {
        /// The limit that was passed, in bytes.
        limit: u64,
    },
    /// The house cannot take it now.
    #[error("try again in {} s", .0.as_secs())]
    Busy(Duration),
    /// Something that is nobody's business but the operator's.
    #[error("internal error")]
    Internal(#[source] Cause),
}

/// What was not found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Thing {
    Account,
    Repository,
    Team,
    Package,
    Version,
    File,
    Tag,
    Token,
    Login,
    /// Bytes that a package links by their digest.
    Blob,
    /// An upload that goes over several requests.
    Upload,
    /// Something that what was sent names, and that must be there first.
    Reference,
}

impl std::fmt::Display for Thing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Account => "account",
            Self::Repository => "repository",
            Self::Team => "team",
            Self::Package => "package",
            Self::Version => "version",
            Self::File => "file",
            Self::Tag => "tag",
            Self::Token => "token",
            Self::Login => "login",
            Self::Blob => "blob",
            Self::Upload => "upload",
            Self::Reference => "reference",
        })
    }
}

/// Why somebody is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unproven {
    /// No credentials came.
    Missing,
    /// None came either, and packages are public at first where this one would lie: a format may
    /// call what nobody can read there absent.
    NotPublic,
    /// They are wrong, expired, revoked, or their owner is suspended.
    Invalid(crate::registry::Scheme),
    /// They hold, and their owner may do it; but the short-lived token does not list it. A wider
    /// one would do.
    TooNarrow,
}

/// What somebody who is known lacks; clients word the two differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lack {
    /// A role on the object.
    Role,
    /// A scope of the token.
    Scope,
}

impl Fault {
    /// A wrong part of the request, in words for the sender.
    pub fn invalid(field: &'static str, reason: impl Into<String>) -> Self {
        Self::Invalid {
            field,
            reason: reason.into(),
        }
    }

    /// Something absent or hidden.
    pub fn not_found(what: Thing, id: impl Into<String>) -> Self {
        Self::NotFound {
            what,
            id: id.into(),
        }
    }

    /// Something for the operator; the cause goes to the log alone.
    pub fn internal(cause: impl Into<Cause>) -> Self {
        Self::Internal(cause.into())
    }
}

impl From<NameError> for Fault {
    fn from(error: NameError) -> Self {
        Self::invalid("name", error.to_string())
    }
}

/// How long a client is asked to wait when the house is full: long enough to matter, short
/// enough that nobody gives up.
const RETRY_AFTER: Duration = Duration::from_secs(2);

impl From<DbError> for Fault {
    fn from(error: DbError) -> Self {
        match error {
            DbError::Busy | DbError::Contended => Self::Busy(RETRY_AFTER),
            DbError::Duplicate => Self::Conflict("it".to_owned()),
            other => Self::Internal(Box::new(other)),
        }
    }
}

impl From<BlobError> for Fault {
    fn from(error: BlobError) -> Self {
        match error {
            BlobError::Full(_) => Self::Busy(RETRY_AFTER),
            other => Self::Internal(Box::new(other)),
        }
    }
}

impl From<BodyError> for Fault {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge { limit } => Self::TooLarge { limit },
            BodyError::Truncated | BodyError::Stalled | BodyError::Malformed(_) => {
                Self::invalid("body", error.to_string())
            }
        }
    }
}

impl From<ArchiveError> for Fault {
    fn from(error: ArchiveError) -> Self {
        match error {
            ArchiveError::Io(cause) => Self::Internal(Box::new(cause)),
            other => Self::invalid("archive", other.to_string()),
        }
    }
}

impl Fault {
    /// The same fault for another caller that waited for the same work; a cause stays with the
    /// first.
    pub(crate) fn again(&self) -> Self {
        match self {
            Self::NoRoute => Self::NoRoute,
            Self::NotFound { what, id } => Self::NotFound {
                what: *what,
                id: id.clone(),
            },
            Self::Unauthenticated { need, why } => Self::Unauthenticated {
                need: need.clone(),
                why: *why,
            },
            Self::Denied { need, lack } => Self::Denied {
                need: need.clone(),
                lack: *lack,
            },
            Self::Held(what) => Self::Held(what.clone()),
            Self::Fixed(text) => Self::Fixed(text.clone()),
            Self::Conflict(what) => Self::Conflict(what.clone()),
            Self::Stale => Self::Stale,
            Self::Invalid { field, reason } => Self::Invalid {
                field,
                reason: reason.clone(),
            },
            Self::TooLarge { limit } => Self::TooLarge { limit: *limit },
            Self::Busy(after) => Self::Busy(*after),
            Self::Internal(cause) => Self::internal(cause.to_string()),
        }
    }
}
