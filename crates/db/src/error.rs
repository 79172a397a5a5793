use std::sync::Arc;

use diesel::result::{DatabaseErrorKind, Error as DieselError};

/// What every function of this crate answers.
pub type DbResult<T> = Result<T, DbError>;

/// What went wrong in the database; the texts are safe to show, the causes are for the log.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DbError {
    /// More work waits than the queue may hold. Nothing was done.
    #[error("the database is busy")]
    Busy,
    /// A unique key is taken.
    #[error("it exists already")]
    Duplicate,
    /// A row that must be there is not.
    #[error("it does not exist")]
    NotFound,
    /// A row to be referred to is not there, or one to be removed is still referred to.
    #[error("a reference is broken")]
    Reference,
    /// The engine gave this transaction up in favour of another; trying again may help.
    #[error("another change was made at the same time")]
    Contended,
    /// The work panicked or the connection was lost under it; nothing of it was kept, unless the
    /// connection broke during the commit itself.
    #[error("the database connection was lost")]
    Lost,
    /// No connection could be opened.
    #[error("the database cannot be reached")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The transaction could not be committed; every job of a group is told the same.
    #[error("the change could not be committed")]
    Commit(#[source] Arc<DieselError>),
    /// A column holds what its type does not allow.
    #[error("a stored value is malformed")]
    Malformed(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Any other failure of a statement.
    #[error("the database failed")]
    Query(#[source] DieselError),
    /// The schema could not be brought up to date.
    #[error("the database schema could not be brought up to date")]
    Migration(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The settings do not describe a database.
    #[error("database settings: {0}")]
    Settings(
        &'static str,
        #[source] Option<Box<dyn std::error::Error + Send + Sync>>,
    ),
}

impl From<DieselError> for DbError {
    fn from(error: DieselError) -> Self {
        match error {
            DieselError::NotFound => Self::NotFound,
            DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, _) => Self::Duplicate,
            DieselError::DatabaseError(
                DatabaseErrorKind::ForeignKeyViolation | DatabaseErrorKind::RestrictViolation,
                _,
            ) => Self::Reference,
            DieselError::DatabaseError(DatabaseErrorKind::SerializationFailure, _) => {
                Self::Contended
            }
            DieselError::DatabaseError(
                DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand,
                _,
            )
            | DieselError::BrokenTransactionManager => Self::Lost,
            // SQLite's word for another process that holds the write lock
            DieselError::DatabaseError(DatabaseErrorKind::Unknown, ref info)
                if info.message() == "database is locked" =>
            {
                Self::Contended
            }
            DieselError::DeserializationError(cause) => Self::Malformed(cause),
            other => Self::Query(other),
        }
    }
}
