//! The right to write to an upload, which one request has at a time.

use std::sync::Arc;
use std::time::Duration;

use packhouse_db::uploads::{self, Progress, Upload};
use packhouse_names::{Timestamp, UploadId};
use tracing::warn;

use super::{UploadView, Uploader, Writing};
use crate::fault::{Fault, Thing};
use crate::house::House;

/// How long a session is somebody's who does not say that they still write.
const LEASE: Duration = Duration::from_secs(30);

/// When whoever writes says so again.
const RENEW_AFTER: Duration = Duration::from_secs(10);

/// How long a request waits for another one that writes to the same session.
const LEASE_PATIENCE: Duration = Duration::from_secs(5);
const LEASE_POLL: Duration = Duration::from_millis(50);

impl House {
    /// Takes the right to write to a session, waiting a little for whoever has it.
    pub(super) async fn lease(
        self: &Arc<Self>,
        who: Uploader,
        id: &UploadId,
    ) -> Result<Lease, Fault> {
        let holder = uuid::Uuid::now_v7().simple().to_string();
        let mut waited = Duration::ZERO;
        loop {
            let at = self.now();
            let (wanted, by) = (id.clone(), holder.clone());
            let row = self
                .db
                .write(move |tx| {
                    let absent = || Fault::not_found(Thing::Upload, wanted.as_str());
                    let own = |row: &Upload| who.owns(row);
                    uploads::find(tx, wanted.as_str())?
                        .filter(own)
                        .ok_or_else(absent)?;
                    if !uploads::lease(tx, wanted.as_str(), &by, at, at.after(LEASE))? {
                        return Ok(None);
                    }
                    // as it is now that nobody else writes
                    let row = uploads::find(tx, wanted.as_str())?;
                    row.map(Some).ok_or_else(absent)
                })
                .await?;
            if let Some(row) = row {
                return Ok(Lease {
                    house: Arc::clone(self),
                    id: id.clone(),
                    holder: Some(holder),
                    row,
                    renewed: at,
                });
            }
            if waited >= LEASE_PATIENCE {
                return Err(Fault::Busy(LEASE_PATIENCE));
            }
            tokio::time::sleep(LEASE_POLL).await;
            waited += LEASE_POLL;
        }
    }
}

/// The right to write to a session. Dropping it gives the right back, so that whoever was cut
/// off may go on at once.
pub(super) struct Lease {
    house: Arc<House>,
    id: UploadId,
    /// `None` once it was given back or may not be.
    holder: Option<String>,
    pub(super) row: Upload,
    renewed: Timestamp,
}

impl Lease {
    pub(super) fn view(&self) -> UploadView {
        UploadView {
            id: self.id.clone(),
            length: self.row.length,
        }
    }

    pub(super) async fn renew_if_due(&mut self) -> Result<(), Fault> {
        let now = self.house.now();
        if now < self.renewed.after(RENEW_AFTER) {
            return Ok(());
        }
        self.renew(now).await
    }

    pub(super) async fn renew(&mut self, now: Timestamp) -> Result<(), Fault> {
        let Some(holder) = self.holder.clone() else {
            return Err(Fault::internal("a lease that was given back"));
        };
        let id = self.id.clone();
        let house = Arc::clone(&self.house);
        let is_held = house
            .db
            .write(move |tx| {
                let until = now.after(LEASE);
                Ok::<_, Fault>(uploads::lease(tx, id.as_str(), &holder, now, until)?)
            })
            .await?;
        if !is_held {
            self.keep();
            return Err(Fault::not_found(Thing::Upload, self.id.as_str()));
        }
        self.renewed = now;
        Ok(())
    }

    /// Makes what was written durable, notes it, and gives the right back.
    pub(super) async fn suspend(mut self, writing: Writing) -> Result<(), Fault> {
        let Some(holder) = self.holder.clone() else {
            return Err(Fault::internal("a lease that was given back"));
        };
        if writing.length == self.row.length {
            return self.release().await;
        }
        let hash_states = writing.hashing.save().await?;
        let storage = writing.writer.suspend().await?;
        let progress = Progress {
            storage: storage.to_string(),
            length: writing.length,
            hash_states: Some(hash_states),
            at: self.house.now(),
        };
        let id = self.id.clone();
        let house = Arc::clone(&self.house);
        let is_held = house
            .db
            .write(move |tx| Ok::<_, Fault>(uploads::touch(tx, id.as_str(), &holder, &progress)?))
            .await?;
        self.keep();
        if is_held {
            return Ok(());
        }
        // ended meanwhile, or somebody else has it: these bytes are nobody's
        if self.row.storage.is_empty()
            && let Err(error) = house.blobs.abandon(&storage).await
        {
            warn!(error = %error, "could not remove an ended upload; the sweep will");
        }
        Err(Fault::not_found(Thing::Upload, self.id.as_str()))
    }

    /// Gives the right back; the session stays as it was.
    pub(super) async fn release(mut self) -> Result<(), Fault> {
        let Some(holder) = self.holder.take() else {
            return Ok(());
        };
        let id = self.id.clone();
        let house = Arc::clone(&self.house);
        house
            .db
            .write(move |tx| Ok::<_, Fault>(uploads::release(tx, id.as_str(), &holder)?))
            .await?;
        Ok(())
    }

    /// Gives nothing back: the session ends, or is somebody else's.
    pub(super) fn keep(&mut self) {
        self.holder = None;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let (Some(holder), Ok(runtime)) =
            (self.holder.take(), tokio::runtime::Handle::try_current())
        else {
            return;
        };
        let (house, id) = (Arc::clone(&self.house), self.id.clone());
        // what fails here ends by itself when the lease does
        runtime.spawn(async move {
            let released = house
                .db
                .write(move |tx| Ok::<_, Fault>(uploads::release(tx, id.as_str(), &holder)?));
            if let Err(error) = released.await {
                warn!(error = %error, "could not give an upload's lease back");
            }
        });
    }
}
