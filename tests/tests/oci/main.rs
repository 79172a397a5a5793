//! The OCI registry over the wire: what the conformance suites ask, what clients rely on, and what
//! must be refused.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stderr,
    reason = "a test that cannot be set up has failed"
)]

mod auth;
mod collection;
mod deletes;
mod docker;
mod fixture;
mod linking;
mod lists;
mod manifests;
mod matrix;
mod mounts;
mod race;
mod ranges;
mod refused;
mod storm;
mod survival;
mod uploads;
