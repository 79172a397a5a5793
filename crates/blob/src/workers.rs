use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;

use crate::BlobError;

/// A bounded share of the blocking threads of whatever runtime calls: clones share the bound.
///
/// What does not fit waits with its caller, so nothing queues without a limit.
#[derive(Debug, Clone)]
pub struct Workers {
    permits: Arc<Semaphore>,
}

impl Workers {
    /// Lets at most `threads` pieces of work run at once (one at least).
    #[must_use]
    pub fn new(threads: usize) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(threads.max(1))),
        }
    }

    /// Starts `work` once a thread is free.
    pub(crate) async fn start<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Job<T>, BlobError> {
        let permit = Arc::clone(&self.permits)
            .acquire_owned()
            .await
            .map_err(|closed| BlobError::Worker(closed.into()))?;
        Ok(Job::spawn(permit, work))
    }

    /// Starts `work` if a thread is free this very moment.
    pub(crate) fn try_start<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<Job<T>> {
        let permit = Arc::clone(&self.permits).try_acquire_owned().ok()?;
        Some(Job::spawn(permit, work))
    }

    /// Does `work` on a blocking thread and waits for it.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, BlobError> {
        self.start(work).await?.end().await
    }
}

/// Work that runs on a blocking thread; it goes on if the job is dropped.
#[derive(Debug)]
pub(crate) struct Job<T>(JoinHandle<T>);

impl<T: Send + 'static> Job<T> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place of this crate, and every caller holds a permit"
    )]
    fn spawn(permit: OwnedSemaphorePermit, work: impl FnOnce() -> T + Send + 'static) -> Self {
        Self(tokio::task::spawn_blocking(move || {
            let _until_done = permit;
            work()
        }))
    }

    /// Waits for the work.
    pub(crate) async fn end(self) -> Result<T, BlobError> {
        self.0
            .await
            .map_err(|early| BlobError::Worker(early.into()))
    }
}
