//! What a house does by itself: writing what was counted, sweeping what was left behind.

use std::sync::Arc;
use std::time::Duration;

use packhouse_db::{downloads, tokens};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{info, warn};

use crate::fault::Fault;
use crate::house::House;

const FLUSH_EVERY: Duration = Duration::from_secs(5);
const SWEEP_EVERY: Duration = Duration::from_secs(60 * 60);
/// Uploads that nobody wrote to for so long are abandoned.
const STAGING_TTL: Duration = Duration::from_secs(24 * 60 * 60);

impl House {
    /// Does the chores until `stop` changes.
    pub async fn tend(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let mut flush = interval(FLUSH_EVERY);
        let mut sweep = interval(SWEEP_EVERY);
        flush.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = flush.tick() => {
                    self.flush().await;
                    self.keep_indexed().await;
                }
                _ = sweep.tick() => self.sweep().await,
                _ = stop.changed() => return,
            }
        }
    }

    /// Writes what is counted in memory; the last call before the house is dropped.
    pub async fn close(&self) {
        self.flush().await;
    }

    async fn flush(&self) {
        let day = self.now().day();
        let counts = self.downloads.take();
        if !counts.is_empty() {
            let rows = counts.clone();
            let written = self
                .db
                .write(move |tx| Ok::<_, Fault>(downloads::add(tx, day, &rows)?))
                .await;
            if let Err(fault) = written {
                warn!(error = %fault, "could not write download counts, trying again later");
                self.downloads.put_back(counts);
            }
        }
        let uses = self.admission.uses().take();
        if !uses.is_empty() {
            let written = self
                .db
                .write(move |tx| Ok::<_, Fault>(tokens::touch_used(tx, &uses)?))
                .await;
            if let Err(fault) = written {
                warn!(error = %fault, "could not write when tokens were used");
            }
        }
    }

    async fn sweep(self: &Arc<Self>) {
        if let Err(error) = self.sweep_uploads().await {
            warn!(error = %error, "could not end abandoned uploads");
        }
        match self.blobs.sweep(STAGING_TTL).await {
            Ok(0) => {}
            Ok(count) => info!(staged.count = count, "swept abandoned uploads"),
            Err(error) => warn!(error = %error, "could not sweep abandoned uploads"),
        }
        if let Err(fault) = self.sweep_logins().await {
            warn!(error = %fault, "could not sweep logins that nobody answered");
        }
        if let Err(error) = self.db.checkpoint().await {
            warn!(error = %error, "could not checkpoint the database");
        }
    }
}
