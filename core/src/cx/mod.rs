//! What a call is allowed to hold: questions for reads, deeds for writes.

mod accounts;
mod containers;
mod read;
mod write;

pub use read::{DocumentKey, ReadCx};
pub use write::WriteCx;
