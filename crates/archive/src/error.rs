use std::fmt;
use std::io;
use std::time::Duration;

/// Why an archive is refused. The text is fit for whoever sent it.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// [`Limits::members`](crate::Limits::members)
    #[error("the archive has more than {limit} members")]
    TooManyMembers {
        /// The limit.
        limit: u64,
    },
    /// [`Limits::unpacked_bytes`](crate::Limits::unpacked_bytes)
    #[error("the archive unpacks to more than {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: u64,
    },
    /// [`Limits::ratio`](crate::Limits::ratio)
    #[error("the archive unpacks to more than {limit} times its size")]
    TooDense {
        /// The limit.
        limit: u64,
    },
    /// [`Limits::time`](crate::Limits::time)
    #[error("reading the archive took longer than {limit:?}")]
    TooSlow {
        /// The limit.
        limit: Duration,
    },
    /// A member is larger than what its reader wanted to hold.
    #[error("`{path}` is larger than {limit} bytes")]
    MemberTooLarge {
        /// The member.
        path: String,
        /// The limit.
        limit: u64,
    },
    /// [`Limits::member_path_bytes`](crate::Limits::member_path_bytes)
    #[error("a member's path is longer than {limit} bytes")]
    PathTooLong {
        /// The limit.
        limit: usize,
    },
    /// [`Limits::header_block_bytes`](crate::Limits::header_block_bytes)
    #[error("an extension header is longer than {limit} bytes")]
    HeaderTooLong {
        /// The limit.
        limit: u64,
    },
    /// A path that leads out of the package, or that readers understand in different ways.
    #[error("the path `{path}` {why}")]
    UnsafePath {
        /// The path, unprintable characters escaped.
        path: String,
        /// The rest of the sentence.
        why: &'static str,
    },
    /// A member that is neither a regular file nor a folder.
    #[error("`{path}` is {kind}, which a package must not hold")]
    Forbidden {
        /// What it is.
        kind: Kind,
        /// The path, unprintable characters escaped.
        path: String,
    },
    /// Not a gzip file, by its first bytes.
    #[error("this is not a gzip archive")]
    NotGzip,
    /// The archive ends before its end.
    #[error("the archive is truncated")]
    Truncated,
    /// A checksum or a structure is wrong.
    #[error("the archive is damaged: {0}")]
    Corrupt(&'static str),
    /// Something besides zero bytes follows the end.
    #[error("the archive goes on after its end")]
    TrailingData,
    /// An extension header contradicts the header it extends.
    #[error("the headers of `{path}` disagree about its {field}")]
    HeaderMismatch {
        /// The path that the extension header gives, unprintable characters escaped.
        path: String,
        /// `path` or `size`.
        field: &'static str,
    },
    /// The bytes could not be read.
    #[error("the archive could not be read")]
    Io(#[source] io::Error),
}

/// What a forbidden member is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A symbolic link, or the long target of one.
    Symlink,
    /// A second name for another member.
    HardLink,
    /// A character or block device.
    Device,
    /// A named pipe.
    Fifo,
    /// A file with holes, whose bytes are not where its size says.
    Sparse,
    /// Anything else, by its type letter.
    Other(u8),
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Symlink => f.write_str("a symbolic link"),
            Self::HardLink => f.write_str("a hard link"),
            Self::Device => f.write_str("a device"),
            Self::Fifo => f.write_str("a named pipe"),
            Self::Sparse => f.write_str("a sparse file"),
            Self::Other(letter) => write!(f, "a member of type `{}`", letter.escape_ascii()),
        }
    }
}

/// Readers below a decompressor can only fail with an I/O error; what we put into one comes out
/// again here.
impl From<io::Error> for ArchiveError {
    fn from(error: io::Error) -> Self {
        error.downcast::<Self>().unwrap_or_else(Self::Io)
    }
}

impl From<ArchiveError> for io::Error {
    fn from(error: ArchiveError) -> Self {
        Self::other(error)
    }
}

/// Bytes from an archive as a text that is safe to show.
pub(crate) fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).escape_debug().to_string()
}
