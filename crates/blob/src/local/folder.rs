use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, PoisonError};

/// A folder of the store. Its handle stays open, so that syncing it is one call, and sees every
/// write error since the store was opened.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    handle: File,
    rounds: Rounds,
}

impl Folder {
    pub(super) fn open(path: PathBuf) -> io::Result<Self> {
        Ok(Self {
            handle: File::open(&path)?,
            path,
            rounds: Rounds::default(),
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the names that were put into the folder so far durable.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.rounds.join(|| self.handle.sync_all())
    }
}

/// Lets callers share a sync: whoever comes while one runs waits for the next, because the one
/// that runs may have passed by the caller's change already.
#[derive(Debug, Default)]
struct Rounds {
    state: Mutex<State>,
    ended: Condvar,
}

#[derive(Debug, Default)]
struct State {
    begun: u64,
    ended: u64,
    /// The latest round that failed. A failure counts for every round before it as well: the
    /// kernel reports a lost write once.
    failed: u64,
}

impl Rounds {
    fn join(&self, sync: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mine = state.begun + 1;
        while state.begun != state.ended {
            state = self
                .ended
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
            if state.ended >= mine {
                return if state.failed >= mine {
                    Err(io::Error::other("a sync shared with other writers failed"))
                } else {
                    Ok(())
                };
            }
        }
        state.begun += 1;
        let round = state.begun;
        drop(state);

        let result = sync();

        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.ended = round;
        if result.is_err() {
            state.failed = round;
        }
        drop(state);
        self.ended.notify_all();
        result
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Barrier, mpsc};
    use std::thread;

    use super::*;

    /// Runs one slow sync, lets `others` callers arrive meanwhile, and says how many syncs ran
    /// after the slow one and how many of the others were told of an error.
    fn while_one_runs(others: usize, later: fn() -> io::Result<()>) -> (usize, usize) {
        let rounds = Rounds::default();
        let (running, runs) = mpsc::channel();
        let (release, released) = mpsc::channel();
        let (later_syncs, failures) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let arrived = Barrier::new(others + 1);
        let slow = move || {
            running.send(()).unwrap();
            released.recv().map_err(io::Error::other)
        };
        let arrive = || {
            arrived.wait();
            let result = rounds.join(|| {
                later_syncs.fetch_add(1, Ordering::Relaxed);
                later()
            });
            failures.fetch_add(usize::from(result.is_err()), Ordering::Relaxed);
        };
        thread::scope(|scope| {
            scope.spawn(|| rounds.join(slow).unwrap());
            runs.recv().unwrap();
            for _ in 0..others {
                scope.spawn(arrive);
            }
            arrived.wait();
            release.send(()).unwrap();
        });
        (later_syncs.into_inner(), failures.into_inner())
    }

    #[test]
    fn a_caller_never_relies_on_a_sync_that_ran_before_it_came() {
        assert_eq!(while_one_runs(1, || Ok(())), (1, 0));
    }

    #[test]
    fn a_failed_sync_fails_everybody_who_waited_for_it() {
        let (_syncs, failures) = while_one_runs(4, || Err(io::Error::other("lost")));
        assert_eq!(failures, 4);
    }
}
