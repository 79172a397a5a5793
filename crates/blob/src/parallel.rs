use bytes::Bytes;

use crate::batch::Batch;
use crate::hashing::{Absorb, Identity, Others, join};
use crate::stream::{INLINE_BYTES, count};
use crate::workers::{Job, Workers};
use crate::{BlobError, Digests, Sums};

/// Hashes a body of any length from async code: sha256 on one blocking thread, everything else on
/// a second one, in steps of about 1 MiB. A body of up to [`INLINE_BYTES`] never leaves the
/// calling thread.
///
/// No thread waits for a slow sender: threads are taken for a step and given back. At most two
/// steps' bytes are in memory. If a future of it is dropped half way, what follows fails.
#[derive(Debug)]
pub struct ParallelHashing {
    workers: Workers,
    identity: Lane<Identity>,
    others: Option<Lane<Others>>,
    batch: Batch,
}

impl ParallelHashing {
    /// Begins an empty body whose hashing competes for `workers`.
    #[must_use]
    pub fn new(sums: Sums, workers: &Workers) -> Self {
        Self {
            workers: workers.clone(),
            identity: Lane::Idle(Identity::new()),
            others: (sums != Sums::NONE).then(|| Lane::Idle(Others::new(sums))),
            batch: Batch::default(),
        }
    }

    /// Appends to the body; waits while earlier steps are still being hashed.
    ///
    /// # Errors
    /// [`BlobError::Worker`].
    pub async fn update(&mut self, bytes: Bytes) -> Result<(), BlobError> {
        self.batch.push(bytes);
        if self.batch.is_full() {
            self.step().await?;
        }
        Ok(())
    }

    /// The digests of everything appended.
    ///
    /// # Errors
    /// [`BlobError::Worker`].
    pub async fn finish(mut self) -> Result<Digests, BlobError> {
        if count(self.batch.len()) > INLINE_BYTES {
            self.step().await?;
        }
        let rest = self.batch.take();
        let mut identity = self.identity.idle().await?;
        absorb(&mut identity, &rest);
        let others = match &mut self.others {
            None => Others::new(Sums::NONE),
            Some(lane) => {
                let mut others = lane.idle().await?;
                absorb(&mut others, &rest);
                others
            }
        };
        Ok(join(identity, others))
    }

    async fn step(&mut self) -> Result<(), BlobError> {
        let pieces = self.batch.take();
        if let Some(others) = &mut self.others {
            others.feed(&self.workers, pieces.clone()).await?;
        }
        self.identity.feed(&self.workers, pieces).await
    }
}

fn absorb<H: Absorb>(state: &mut H, pieces: &[Bytes]) {
    for piece in pieces {
        state.update(piece);
    }
}

/// A hash state that is here, or away on a thread.
#[derive(Debug)]
enum Lane<H> {
    Idle(H),
    Busy(Job<H>),
    Lost,
}

impl<H: Absorb> Lane<H> {
    async fn idle(&mut self) -> Result<H, BlobError> {
        match std::mem::replace(self, Self::Lost) {
            Self::Idle(state) => Ok(state),
            Self::Busy(job) => job.end().await,
            Self::Lost => Err(BlobError::Worker("the hash state is lost".into())),
        }
    }

    async fn feed(&mut self, workers: &Workers, pieces: Vec<Bytes>) -> Result<(), BlobError> {
        let mut state = self.idle().await?;
        let job = workers
            .start(move || {
                absorb(&mut state, &pieces);
                state
            })
            .await?;
        *self = Self::Busy(job);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Hashing;

    async fn in_pieces_of(piece: usize, body: &Bytes, sums: Sums) -> Digests {
        // One worker must do for both lanes, or a busy server would stand still.
        let mut hashing = ParallelHashing::new(sums, &Workers::new(1));
        for start in (0..body.len()).step_by(piece) {
            let end = body.len().min(start + piece);
            hashing.update(body.slice(start..end)).await.unwrap();
        }
        hashing.finish().await.unwrap()
    }

    #[tokio::test]
    async fn a_body_of_any_length_hashes_like_the_whole() {
        for len in [0, 1, 65_536, 65_537, 3 * 1024 * 1024 + 17] {
            let body: Bytes = (0..=250).cycle().take(len).collect::<Vec<u8>>().into();
            for sums in [Sums::NONE, Sums::SHA512 | Sums::SHA1 | Sums::MD5] {
                let whole = Hashing::digest(sums, &body);
                for piece in [8_191, 100_000, 2 * 1024 * 1024] {
                    assert_eq!(
                        in_pieces_of(piece, &body, sums).await,
                        whole,
                        "{len} {piece}"
                    );
                }
            }
        }
    }
}
