//! Everything that must be refused, over the wire: with which status and in which words, that
//! nothing of it can be seen afterwards, that nothing is left lying about, and that the next
//! request is answered.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that cannot be set up has failed"
)]

mod archives;
mod attestations;
mod bodies;
mod callers;
mod dialects;
mod documents;
mod names;
mod people;
mod registry;
mod requests;
mod revisions;
mod searches;
mod signatures;
mod sums;
