//! Whole use cases with no socket: a house over a real database and a store in memory.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot be set up has failed"
)]

mod access;
mod collecting;
mod downloads;
mod freshness;
mod logins;
mod people;
mod publishing;
mod revising;
mod searching;
mod setup;
mod tokens;
