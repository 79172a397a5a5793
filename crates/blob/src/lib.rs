#![doc = include_str!("../README.md")]

mod batch;
mod error;
mod hashing;
mod key;
mod local;
mod memory;
mod parallel;
mod store;
mod stream;
mod workers;

pub use error::BlobError;
pub use hashing::{Digests, Hashing, Sums};
pub use local::LocalStore;
pub use memory::MemoryStore;
pub use parallel::ParallelHashing;
pub use store::{BlobStore, BlobWriter, ReadSeek, StoredObject};
pub use stream::{BlobStream, CHUNK_BYTES, INLINE_BYTES};
pub use workers::Workers;
