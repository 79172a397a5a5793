use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use packhouse_core::House;
use tracing::warn;

use super::causes;

/// How long a good answer is good for: a probe writes to the disk, and anybody may ask.
const FRESH: Duration = Duration::from_secs(1);

/// Longer than this and whoever asked has given up.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whether requests should be sent here.
#[derive(Debug)]
pub struct Readiness {
    house: Arc<House>,
    draining: AtomicBool,
    started: Instant,
    /// Milliseconds from `started` to the last good answer, plus one; 0 before the first.
    good_at: AtomicU64,
}

impl Readiness {
    /// Watches a house.
    #[must_use]
    pub fn new(house: Arc<House>) -> Self {
        Self {
            house,
            draining: AtomicBool::new(false),
            started: Instant::now(),
            good_at: AtomicU64::new(0),
        }
    }

    /// From now on the answer is no: the server is about to go.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Whether database and blob store answer, and the server is not about to go.
    pub async fn check(&self) -> bool {
        if self.draining.load(Ordering::Relaxed) {
            return false;
        }
        let good_at = self.good_at.load(Ordering::Relaxed);
        if good_at != 0 && self.elapsed() < good_at + milliseconds(FRESH) {
            return true;
        }
        match tokio::time::timeout(PATIENCE, self.house.ready()).await {
            Ok(Ok(())) => {
                self.good_at.store(self.elapsed() + 1, Ordering::Relaxed);
                true
            }
            Ok(Err(fault)) => {
                warn!(error = %causes(&fault), "not ready");
                false
            }
            Err(_late) => {
                warn!("not ready: database or blob store did not answer in time");
                false
            }
        }
    }

    fn elapsed(&self) -> u64 {
        milliseconds(self.started.elapsed())
    }
}

fn milliseconds(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
