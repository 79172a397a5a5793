//! What other processes changed, asked for before anything kept is used.
//!
//! On SQLite one process writes, and there is nothing to ask. On PostgreSQL every request asks,
//! but together: a question that begins after a request arrived serves all that wait for it.

use std::sync::atomic::{AtomicU64, Ordering};

use packhouse_db::outbox::{self, Changes, Watermark};
use packhouse_db::{Db, DbResult};
use tokio::sync::{Mutex, MutexGuard, watch};

use crate::fault::Fault;
use crate::freshness::{Freshness, Touched};

/// Changes that are looked at one by one; more drop everything at once.
const MAX_CHANGES: u32 = 1_000;

/// The shared question for changes of other processes.
#[derive(Debug)]
pub(crate) struct News {
    /// `None` where this process is the only one that writes.
    asking: Option<Asking>,
}

#[derive(Debug)]
struct Asking {
    /// Held by whoever asks; the rest wait for it or for the answer.
    seen: Mutex<Watermark>,
    /// How many questions have begun, and how many of them are answered.
    begun: AtomicU64,
    answered: watch::Sender<u64>,
}

impl News {
    pub(crate) fn new(db: &Db, seen: Watermark) -> Self {
        let asking = db.is_shared().then(|| Asking {
            seen: Mutex::new(seen),
            begun: AtomicU64::new(0),
            answered: watch::Sender::new(0),
        });
        Self { asking }
    }

    /// Applies every change that was committed before the call.
    pub(crate) async fn catch_up(&self, db: &Db, freshness: &Freshness) -> Result<(), Fault> {
        let Some(asking) = &self.asking else {
            return Ok(());
        };
        asking.ask(db, freshness).await
    }
}

impl Asking {
    async fn ask(&self, db: &Db, freshness: &Freshness) -> Result<(), Fault> {
        // only a question that begins after this line may answer this request
        let needed = self.begun.load(Ordering::SeqCst) + 1;
        let mut answered = self.answered.subscribe();
        while *answered.borrow_and_update() < needed {
            tokio::select! {
                seen = self.seen.lock() => {
                    // whoever had the lock before may have asked for this request too
                    if *self.answered.borrow() < needed {
                        self.put(seen, db, freshness).await?;
                    }
                    return Ok(());
                }
                changed = answered.changed() => changed.map_err(Fault::internal)?,
            }
        }
        Ok(())
    }

    /// Asks once, for everybody who waits.
    async fn put(
        &self,
        mut seen: MutexGuard<'_, Watermark>,
        db: &Db,
        freshness: &Freshness,
    ) -> Result<(), Fault> {
        let number = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let from = seen.clone();
        let (changes, upto) = db
            .read(move |conn| -> DbResult<_> { outbox::changes_since(conn, &from, MAX_CHANGES) })
            .await?;
        match changes {
            Changes::Listed(changes) => {
                for change in changes {
                    let (package, token) = (change.package_id, change.token_id);
                    freshness.apply(Touched { package, token });
                }
            }
            Changes::TooMany => freshness.apply(Touched::default()),
        }
        *seen = upto;
        self.answered.send_replace(number);
        Ok(())
    }
}
