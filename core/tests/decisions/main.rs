//! The decision tables of GitHub's permission model (`spec/github-packages.md` 6.8), row by row,
//! over the pure functions.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot be set up has failed"
)]

mod creating;
mod managing;
mod publishing;
mod reading;
mod table;
