#![doc = include_str!("../README.md")]

mod columns;
mod conn;
mod error;
mod lanes;
mod migrate;
mod queue;
mod schema;
mod sql;
mod text;
mod words;

pub mod accounts;
pub mod blobs;
pub mod collection;
pub mod downloads;
pub mod files;
pub mod grants;
pub mod holders;
pub mod jobs;
pub mod leases;
pub mod logins;
pub mod outbox;
pub mod packages;
pub mod readable;
pub mod references;
pub mod repositories;
pub mod roles;
pub mod search;
pub mod settings;
pub mod stars;
pub mod tags;
pub mod teams;
pub mod ties;
pub mod tokens;
pub mod uploads;
pub mod versions;

pub use conn::{Conn, DbTarget, Tx};
pub use error::{DbError, DbResult};
pub use lanes::{Db, DbSettings};
pub use words::{AccountKind, BlobState, ReferenceKind, Standing};
