//! Real container clients doing their job against a started server.
//!
//! Each test is a story with a server, a home and, where the client wants one, an engine of its
//! own. What the client prints is part of the story: a refusal that its user cannot read is a
//! fault. Images are made here; nothing is pulled from anywhere else.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "every function here is part of a test: a broken expectation fails it"
)]

mod cosign;
mod crane;
mod ctr;
mod docker;
mod helm;
mod oras;
mod podman;
mod regctl;
mod skopeo;
mod stage;
