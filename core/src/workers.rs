//! Threads for work that blocks or computes: rendering documents, looking into archives.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::fault::Fault;

/// A bounded number of blocking jobs at once; the rest wait their turn.
#[derive(Debug, Clone)]
pub(crate) struct Workers {
    places: Arc<Semaphore>,
}

impl Workers {
    pub(crate) fn new(places: usize) -> Self {
        Self {
            places: Arc::new(Semaphore::new(places.max(1))),
        }
    }

    /// Runs `job` off the async threads. A job that panics is an internal fault.
    pub(crate) async fn run<T, F>(&self, job: F) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let place = Arc::clone(&self.places)
            .acquire_owned()
            .await
            .map_err(Fault::internal)?;
        #[expect(
            clippy::disallowed_methods,
            reason = "the one place: bounded by `places`"
        )]
        let done = tokio::task::spawn_blocking(move || {
            let out = job();
            drop(place);
            out
        });
        done.await.map_err(Fault::internal)
    }
}
