//! The door: from the framework's requests to core's calls, and back. Nothing behind it knows
//! that there is a framework.

mod bridge;
mod connection;
mod enter;
mod house_routes;
mod mounts;
mod ranges;
mod render;
mod request_id;
mod service;

use std::sync::Arc;
use std::time::Duration;

use packhouse_core::House;

use crate::compose::Registries;
use crate::observe::health::Readiness;
use crate::observe::metrics::{Exposition, HttpMetrics};

pub(crate) use connection::Connection;
pub use mounts::{Addresses, MountError, Mounts};
pub(crate) use service::DoorFactory;

/// What the door does for every request, shared by all workers.
#[derive(Debug)]
pub struct Door {
    house: Arc<House>,
    registries: Registries,
    mounts: Mounts,
    metrics: HttpMetrics,
    exposition: Exposition,
    readiness: Arc<Readiness>,
    patience: Patience,
}

/// How long, and how much, the door bears with a slow or refused sender.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// A body of which less than `window_bytes` arrive while `window` is spent waiting for it has
    /// stalled.
    pub window: Duration,
    /// See `window`.
    pub window_bytes: u64,
    /// A refused body up to this many bytes is read and thrown away, and the connection kept.
    /// The connection of a larger one is closed once the client had time to read the answer.
    pub drain_bytes: u64,
    /// How long to wait for those bytes.
    pub drain_time: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            window: Duration::from_secs(30),
            window_bytes: 4 * 1024,
            drain_bytes: 64 * 1024,
            drain_time: Duration::from_secs(2),
        }
    }
}

impl Door {
    /// Puts a door in front of a house.
    #[must_use]
    pub fn new(
        house: Arc<House>,
        registries: Registries,
        mounts: Mounts,
        exposition: Exposition,
        readiness: Arc<Readiness>,
        patience: Patience,
    ) -> Self {
        let metrics = HttpMetrics::register(&registries, house_routes::LABELS);
        Self {
            house,
            registries,
            mounts,
            metrics,
            exposition,
            readiness,
            patience,
        }
    }
}
