//! Real package clients doing their job against a started server.
//!
//! Each test is a story with a server, a home and a cache of its own. What the client prints is
//! part of the story: a refusal that its user cannot read is a fault.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "every function here is part of a test: a broken expectation fails it"
)]

mod family;
mod npm;
mod stage;
