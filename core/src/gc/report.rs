//! What a collection came to: for people, and for the metrics.

use std::fmt;
use std::time::Duration;

/// How many, and how long together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    pub count: u64,
    pub bytes: u64,
}

impl Tally {
    pub(crate) fn add(&mut self, bytes: u64) {
        self.count += 1;
        self.bytes = self.bytes.saturating_add(bytes);
    }
}

/// What a collection did, or would have begun with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Collected {
    /// Nothing was done.
    pub is_dry: bool,
    /// Versions and packages that nobody could restore any more.
    pub purged_versions: u64,
    pub purged_packages: u64,
    /// Uploads that were abandoned.
    pub ended_uploads: u64,
    /// Blobs that packages linked without need.
    pub pruned_links: u64,
    /// Blobs that became invisible.
    pub condemned: Tally,
    /// Blobs whose objects are gone.
    pub deleted: Tally,
    /// Objects that no row knew.
    pub orphans: Tally,
}

impl Collected {
    /// What the store has room for again.
    #[must_use]
    pub fn reclaimed_bytes(&self) -> u64 {
        self.deleted.bytes.saturating_add(self.orphans.bytes)
    }

    pub(crate) fn is_something(&self) -> bool {
        *self
            != Self {
                is_dry: self.is_dry,
                ..Self::default()
            }
    }

    pub(crate) fn measure(&self, took: Duration, is_done: bool) {
        let outcome = if is_done { "done" } else { "failed" };
        metrics::counter!("packhouse_gc_runs_total", "outcome" => outcome).increment(1);
        metrics::histogram!("packhouse_gc_seconds").record(took);
        metrics::counter!("packhouse_gc_links_pruned_total").increment(self.pruned_links);
        metrics::counter!("packhouse_gc_blobs_condemned_total").increment(self.condemned.count);
        metrics::counter!("packhouse_gc_blobs_deleted_total").increment(self.deleted.count);
        metrics::counter!("packhouse_gc_orphans_deleted_total").increment(self.orphans.count);
        metrics::counter!("packhouse_gc_reclaimed_bytes_total").increment(self.reclaimed_bytes());
    }
}

/// Notes how many condemned objects wait for their end, and since how many microseconds the oldest
/// does.
pub(super) fn measure_waiting(count: u64, oldest_micros: i64) {
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    let oldest = u64::try_from(oldest_micros).unwrap_or_default();
    metrics::gauge!("packhouse_gc_condemned_blobs").set(f64::from(count));
    metrics::gauge!("packhouse_gc_oldest_condemned_seconds")
        .set(Duration::from_micros(oldest).as_secs_f64());
}

impl fmt::Display for Collected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let would = if self.is_dry { "would have " } else { "" };
        writeln!(
            f,
            "{would}purged: {} versions, {} packages",
            self.purged_versions, self.purged_packages
        )?;
        writeln!(f, "{would}ended: {} uploads", self.ended_uploads)?;
        writeln!(f, "{would}unlinked: {} blobs", self.pruned_links)?;
        for (deed, what, tally) in [
            ("condemned", "blobs", self.condemned),
            ("deleted", "blobs", self.deleted),
            ("removed", "objects that nothing knew", self.orphans),
        ] {
            writeln!(
                f,
                "{would}{deed}: {} {what}, {} bytes",
                tally.count, tally.bytes
            )?;
        }
        write!(f, "{would}reclaimed: {} bytes", self.reclaimed_bytes())
    }
}
