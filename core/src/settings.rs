//! What an operator decides about the house.

use std::time::Duration;

use packhouse_archive::Limits;

use crate::policy::HouseRules;

/// When what nothing holds any more goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Collection {
    /// How often the house collects by itself; zero is never.
    pub every: Duration,
    /// How long a blob stays after a client was told that it is there.
    pub promise: Duration,
    /// How long an object stays after its blob became invisible: longer than reading it takes.
    pub grace: Duration,
}

impl Default for Collection {
    fn default() -> Self {
        Self {
            every: Duration::from_secs(60 * 60),
            promise: Duration::from_secs(24 * 60 * 60),
            grace: Duration::from_secs(15 * 60),
        }
    }
}

/// Settings of a house; the default is safe for a laptop.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Public packages of every ecosystem need no token; off, containers alone.
    pub anonymous_read: bool,
    /// The largest file of a package, in bytes; containers have a limit of their own.
    pub max_package_bytes: u64,
    /// The largest blob of a container image, in bytes.
    pub max_layer_bytes: u64,
    /// Whether a manifest may name children and layers that are not there.
    pub sparse_images: bool,
    /// When what nothing holds any more goes.
    pub collection: Collection,
    /// How long what was deleted can be restored, and so keeps its number and its bytes.
    pub restorable: Duration,
    /// What rendered index documents may take in memory, in bytes.
    pub document_cache_bytes: u64,
    /// How far an archive is looked into.
    pub archive_limits: Limits,
    /// Threads that render documents and look into archives.
    pub workers: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            anonymous_read: true,
            max_package_bytes: 2 << 30,
            max_layer_bytes: 10 << 30,
            sparse_images: false,
            collection: Collection::default(),
            restorable: Duration::from_secs(30 * 24 * 60 * 60),
            document_cache_bytes: 32 << 20,
            archive_limits: Limits::default(),
            workers: std::thread::available_parallelism().map_or(2, usize::from),
        }
    }
}

impl Settings {
    pub(crate) const fn rules(&self) -> HouseRules {
        HouseRules {
            anonymous_read: self.anonymous_read,
        }
    }
}
