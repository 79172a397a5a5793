//! How often what is kept served, and how often it had to be read.

use metrics::{Counter, counter};

/// The counters of one kind of kept thing, registered once.
pub(crate) struct Hits {
    hits: Counter,
    misses: Counter,
}

impl Hits {
    /// `cache` is the label: a kind of thing, never a name of one.
    pub(crate) fn of(cache: &'static str) -> Self {
        Self {
            hits: counter!("packhouse_cache_hits_total", "cache" => cache),
            misses: counter!("packhouse_cache_misses_total", "cache" => cache),
        }
    }

    /// Counts a look-up by what it found, and hands that on.
    pub(crate) fn count<T>(&self, found: Option<T>) -> Option<T> {
        match found {
            Some(_) => self.hits.increment(1),
            None => self.misses.increment(1),
        }
        found
    }
}

impl std::fmt::Debug for Hits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hits")
    }
}
