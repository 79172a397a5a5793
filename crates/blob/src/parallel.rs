use bytes::Bytes;

use crate::batch::Batch;
use crate::hashing::{self, Absorb, Identity, Others, join};
use crate::stream::{CHUNK_BYTES, INLINE_BYTES, count};
use crate::workers::{Job, Workers};
use crate::{BlobError, Digests, ReadSeek, Sums};

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
        let others = (sums != Sums::NONE).then(|| Others::new(sums));
        Self::with(Identity::new(), others, workers)
    }

    /// The same for a body that comes in several requests: its state can be
    /// [saved](Self::save). Of `sums` sha512 alone is looked at.
    #[must_use]
    pub fn saveable(sums: Sums, workers: &Workers) -> Self {
        let others = sums.contains(Sums::SHA512).then(|| Others::saveable(sums));
        Self::with(Identity::saveable(), others, workers)
    }

    /// Goes on where a saved state left off; `None` for one that another version wrote: then
    /// [hash again](Self::reread) what is there.
    #[must_use]
    pub fn restore(saved: &[u8], workers: &Workers) -> Option<Self> {
        let (identity, others) = hashing::restore(saved)?;
        let others = others.has_sha512().then_some(others);
        Some(Self::with(identity, others, workers))
    }

    /// Goes on behind everything that a reader gives, which is read on a blocking thread.
    ///
    /// # Errors
    /// [`BlobError::Io`] and [`BlobError::Worker`].
    pub async fn reread(
        sums: Sums,
        mut reader: Box<dyn ReadSeek>,
        workers: &Workers,
    ) -> Result<Self, BlobError> {
        let (identity, others) = workers
            .run(move || {
                let mut identity = Identity::saveable();
                let mut others = Others::saveable(sums);
                let mut buffer = vec![0; CHUNK_BYTES];
                loop {
                    let read = reader
                        .read(&mut buffer)
                        .map_err(|source| BlobError::io("hashing again", source))?;
                    let Some(bytes) = buffer.get(..read).filter(|bytes| !bytes.is_empty()) else {
                        return Ok::<_, BlobError>((identity, others));
                    };
                    identity.update(bytes);
                    others.update(bytes);
                }
            })
            .await??;
        let others = others.has_sha512().then_some(others);
        Ok(Self::with(identity, others, workers))
    }

    fn with(identity: Identity, others: Option<Others>, workers: &Workers) -> Self {
        Self {
            workers: workers.clone(),
            identity: Lane::Idle(identity),
            others: others.map(Lane::Idle),
            batch: Batch::default(),
        }
    }

    /// Whether sha512 is computed besides sha256.
    #[must_use]
    pub const fn has_others(&self) -> bool {
        self.others.is_some()
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
    pub async fn finish(self) -> Result<Digests, BlobError> {
        let (identity, others) = self.settle().await?;
        Ok(join(identity, others))
    }

    /// The state after everything appended, for [`restore`](Self::restore).
    ///
    /// # Errors
    /// [`BlobError::Worker`], also for a state that is not [saveable](Self::saveable).
    pub async fn save(self) -> Result<Vec<u8>, BlobError> {
        let (identity, others) = self.settle().await?;
        hashing::save(&identity, &others)
            .ok_or_else(|| BlobError::Worker("this hash state cannot be saved".into()))
    }

    async fn settle(mut self) -> Result<(Identity, Others), BlobError> {
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
        Ok((identity, others))
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

    #[tokio::test]
    async fn a_saved_state_goes_on_in_another_hasher() {
        let workers = Workers::new(1);
        let body: Bytes = (0..=250)
            .cycle()
            .take(3 * 1024 * 1024 + 17)
            .collect::<Vec<u8>>()
            .into();
        for sums in [Sums::NONE, Sums::SHA512] {
            for cut in [0, 1, 63, 64, 127, 70_000, body.len()] {
                let mut first = ParallelHashing::saveable(sums, &workers);
                first.update(body.slice(..cut)).await.unwrap();
                let saved = first.save().await.unwrap();
                let mut second = ParallelHashing::restore(&saved, &workers).unwrap();
                assert_eq!(second.has_others(), sums == Sums::SHA512);
                second.update(body.slice(cut..)).await.unwrap();
                assert_eq!(
                    second.finish().await.unwrap(),
                    Hashing::digest(sums, &body),
                    "{cut}"
                );
            }
        }
    }

    #[tokio::test]
    async fn what_another_version_saved_is_hashed_again() {
        let workers = Workers::new(1);
        let mut saved = ParallelHashing::saveable(Sums::SHA512, &workers)
            .save()
            .await
            .unwrap();
        assert!(ParallelHashing::restore(&saved[1..], &workers).is_none());
        assert!(ParallelHashing::restore(&[], &workers).is_none());
        saved[0] += 1;
        assert!(ParallelHashing::restore(&saved, &workers).is_none());

        let body = Bytes::from(vec![7; 3 * 1024 * 1024 + 1]);
        let reader = Box::new(std::io::Cursor::new(body.slice(..2_000_000)));
        let mut again = ParallelHashing::reread(Sums::SHA512, reader, &workers)
            .await
            .unwrap();
        again.update(body.slice(2_000_000..)).await.unwrap();
        let digests = again.finish().await.unwrap();
        assert_eq!(digests, Hashing::digest(Sums::SHA512, &body));
    }

    #[tokio::test]
    async fn a_fast_state_cannot_be_saved() {
        let fast = ParallelHashing::new(Sums::NONE, &Workers::new(1));
        assert!(fast.save().await.is_err());
    }
}
