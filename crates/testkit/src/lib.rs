//! What the tests stand on: a started server, a raw HTTP client, and the real package clients.
//!
//! Everything here panics with an explanation when an expectation fails, because only tests
//! and developer tasks link this crate. It knows packhouse by its command line and its sockets
//! alone: it never links the model, the database or the blob store.

pub mod archives;
pub mod clients;
pub mod http;
pub mod huge;
pub mod images;
pub mod npm;
pub mod ports;
pub mod postgres;
pub mod process;
pub mod server;
