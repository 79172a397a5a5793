//! Downloads, counted in memory and written in batches: a read never waits for a write.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use packhouse_names::VersionId;

const SHARDS: usize = 16;

/// Counts since the last flush, spread so that workers do not wait for each other.
#[derive(Debug)]
pub(crate) struct Downloads {
    shards: Box<[Mutex<HashMap<VersionId, u64>>]>,
}

impl Downloads {
    pub(crate) fn new() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
        }
    }

    /// One more download of a version.
    pub(crate) fn count(&self, version: VersionId) {
        self.add(version, 1);
    }

    fn add(&self, version: VersionId, count: u64) {
        let index = usize::try_from(version.get().unsigned_abs()).unwrap_or_default() % SHARDS;
        if let Some(shard) = self.shards.get(index) {
            let mut counts = shard.lock().unwrap_or_else(PoisonError::into_inner);
            *counts.entry(version).or_default() += count;
        }
    }

    /// Everything counted since the last call.
    pub(crate) fn take(&self) -> Vec<(VersionId, u64)> {
        self.shards
            .iter()
            .flat_map(|shard| {
                std::mem::take(&mut *shard.lock().unwrap_or_else(PoisonError::into_inner))
            })
            .collect()
    }

    /// Puts back what could not be written.
    pub(crate) fn put_back(&self, counts: Vec<(VersionId, u64)>) {
        for (version, count) in counts {
            self.add(version, count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_survive_a_flush_that_failed() {
        let downloads = Downloads::new();
        let version = VersionId::from(3);
        downloads.count(version);
        downloads.count(version);
        let taken = downloads.take();
        assert_eq!(taken, [(version, 2)]);
        assert!(downloads.take().is_empty());
        downloads.put_back(taken);
        downloads.count(version);
        assert_eq!(downloads.take(), [(version, 3)]);
    }
}
