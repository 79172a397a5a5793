//! Collecting what nothing holds any more, of every ecosystem, while everybody goes on writing.
//!
//! A blob goes in two steps. It is condemned when nothing holds it and nobody was promised that it
//! stays: from then on it is invisible, and whoever uploads the same bytes brings it back under
//! another key. After a grace, longer than anybody still reads it, its row goes, and then its
//! object. Each step looks again, in one transaction, with the rows locked that anybody would have
//! to lock who comes to hold it.

mod report;
mod steps;

use std::sync::Arc;
use std::time::{Duration, Instant};

use packhouse_db::{collection, leases};
use packhouse_names::Timestamp;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{info, warn};

pub use report::{Collected, Tally};

use crate::fault::Fault;
use crate::house::House;

/// The work that one process at a time does, and the walk over the store, as leases name them.
const LEASE: &str = "gc";
const WALK: &str = "gc-walk";

/// How long the work is somebody's who does not say that they still do it, and how often they say.
const LEASE_SPAN: Duration = Duration::from_secs(60);
const RENEW_AFTER: Duration = Duration::from_secs(15);

/// How long an order waits for a collection that runs, or for the lease of one that died.
const PATIENCE: Duration = Duration::from_secs(90);
const PAUSE: Duration = Duration::from_millis(100);

/// How often the house looks for objects that no row knows: what crashes leave behind.
const WALK_EVERY: Duration = Duration::from_secs(24 * 60 * 60);

/// Objects that are younger are never taken for left behind: their rows may be about to come.
const MIN_ORPHAN_AGE: Duration = Duration::from_secs(60 * 60);

/// What a collection is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// What is due.
    Due,
    /// Everything, the walk over the store included.
    Full,
    /// Nothing, but say what a full pass would begin with.
    Dry,
}

/// How old an object that no row knows must be to be taken for left behind.
#[must_use]
pub fn orphan_age(promise: Duration) -> Duration {
    (promise * 2).max(MIN_ORPHAN_AGE)
}

impl House {
    /// Collects as often as the settings say, until `stop` changes.
    pub async fn keep_collecting(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let every = self.settings.collection.every;
        if every.is_zero() {
            return;
        }
        let mut due = interval(every);
        due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = due.tick() => {}
                _ = stop.changed() => return,
            }
            // every step ends by itself, and a pass that is dropped between two loses nothing
            let pass = tokio::select! {
                pass = self.collect_when_due() => pass,
                _ = stop.changed() => return,
            };
            if let Err(error) = pass {
                warn!(error = %error, "could not collect what nothing holds; trying again later");
            }
        }
    }

    /// One pass of the house itself, unless one was made lately, before a restart or by another
    /// process, or is being made now.
    async fn collect_when_due(self: &Arc<Self>) -> Result<(), Fault> {
        let now = self.now();
        let last = self
            .db
            .read(|conn| Ok::<_, Fault>(leases::done_at(conn, LEASE)?))
            .await?;
        let every = self.settings.collection.every;
        if last.is_some_and(|last| last.after(every / 2) > now) {
            return Ok(());
        }
        if let Some(turn) = Turn::take(self).await? {
            turn.run(Pass::Due).await?;
        }
        Ok(())
    }

    /// One pass now; waits a little for one that runs.
    ///
    /// # Errors
    /// [`Fault::Busy`] while another pass goes on; [`Fault::Internal`].
    pub async fn collect(self: &Arc<Self>, pass: Pass) -> Result<Collected, Fault> {
        let began = Instant::now();
        loop {
            if let Some(turn) = Turn::take(self).await? {
                return turn.run(pass).await;
            }
            if began.elapsed() >= PATIENCE {
                return Err(Fault::Busy(PATIENCE));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// The right to collect. Dropping it gives it back, so that the next one need not wait.
struct Turn {
    house: Arc<House>,
    holder: String,
    renewed: Timestamp,
    is_held: bool,
}

impl Drop for Turn {
    fn drop(&mut self) {
        let (true, Ok(runtime)) = (self.is_held, tokio::runtime::Handle::try_current()) else {
            return;
        };
        let (house, holder) = (Arc::clone(&self.house), self.holder.clone());
        // what fails here ends by itself when the lease does
        runtime.spawn(async move {
            let released = house
                .db
                .write(move |tx| Ok::<_, Fault>(leases::release(tx, LEASE, &holder)?));
            if let Err(error) = released.await {
                warn!(error = %error, "could not give the collector's lease back");
            }
        });
    }
}

impl Turn {
    /// `None` while somebody else collects.
    async fn take(house: &Arc<House>) -> Result<Option<Self>, Fault> {
        let mut turn = Self {
            house: Arc::clone(house),
            holder: uuid::Uuid::now_v7().simple().to_string(),
            renewed: house.now(),
            is_held: false,
        };
        turn.is_held = turn.renew().await?;
        Ok(turn.is_held.then_some(turn))
    }

    /// Says that the work goes on; answers whether it is still ours to do.
    async fn renew(&mut self) -> Result<bool, Fault> {
        let (holder, now) = (self.holder.clone(), self.house.now());
        self.renewed = now;
        self.house
            .db
            .write(move |tx| {
                let until = now.after(LEASE_SPAN);
                Ok::<_, Fault>(leases::take(tx, LEASE, &holder, now, until)?)
            })
            .await
    }

    /// Between two pieces of work. Two that collect at once would do no harm; they would only be
    /// in each other's way.
    async fn go_on(&mut self) -> Result<(), Fault> {
        if self.house.now() < self.renewed.after(RENEW_AFTER) || self.renew().await? {
            return Ok(());
        }
        Err(Fault::internal("another process took the collection over"))
    }

    async fn run(mut self, pass: Pass) -> Result<Collected, Fault> {
        let began = Instant::now();
        let mut collected = Collected {
            is_dry: pass == Pass::Dry,
            ..Collected::default()
        };
        let outcome = self.steps(pass, &mut collected).await;
        let (holder, at, is_done) = (self.holder.clone(), self.house.now(), outcome.is_ok());
        let released = self.house.db.write(move |tx| {
            leases::release(tx, LEASE, &holder)?;
            if is_done && pass != Pass::Dry {
                leases::note_done(tx, LEASE, at)?;
            }
            Ok::<_, Fault>(())
        });
        let ended = released.await;
        self.is_held = ended.is_err();
        if pass != Pass::Dry {
            collected.measure(began.elapsed(), is_done);
            self.measure_waiting().await?;
        }
        outcome.and(ended)?;
        if pass != Pass::Dry && collected.is_something() {
            info!(
                blobs.condemned = collected.condemned.count,
                blobs.deleted = collected.deleted.count,
                bytes.reclaimed = collected.reclaimed_bytes(),
                "collected what nothing holds"
            );
        }
        Ok(collected)
    }

    async fn steps(&mut self, pass: Pass, collected: &mut Collected) -> Result<(), Fault> {
        self.purge(collected).await?;
        self.uploads(collected).await?;
        self.prune(collected).await?;
        self.condemn(collected).await?;
        self.delete(collected).await?;
        if self.is_walk_due(pass).await? {
            self.walk(collected).await?;
        }
        Ok(())
    }

    async fn is_walk_due(&self, pass: Pass) -> Result<bool, Fault> {
        if pass != Pass::Due {
            return Ok(true);
        }
        let last = self
            .house
            .db
            .read(|conn| Ok::<_, Fault>(leases::done_at(conn, WALK)?))
            .await?;
        Ok(last.is_none_or(|last| last.after(WALK_EVERY) <= self.house.now()))
    }

    async fn measure_waiting(&self) -> Result<(), Fault> {
        let now = self.house.now();
        let (count, oldest) = self
            .house
            .db
            .read(|conn| Ok::<_, Fault>(collection::waiting(conn)?))
            .await?;
        let age = oldest.map_or(0, |oldest| now.as_micros() - oldest.as_micros());
        report::measure_waiting(count, age);
        Ok(())
    }
}
