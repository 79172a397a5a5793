//! What a server printed, kept while it is read.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};
use std::sync::mpsc;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

/// Enough to see what led to a failure.
const LOG_LINES: usize = 2000;

/// The line that says requests are answered, before the address.
const LISTENING: &str = "listening on ";

/// The last lines a server printed.
#[derive(Clone, Debug, Default)]
pub(super) struct Log(Arc<Lines>);

#[derive(Debug, Default)]
struct Lines {
    kept: Mutex<VecDeque<String>>,
    added: Condvar,
}

impl Log {
    /// Keeps what `stream` says and passes on the addresses in `listening on` lines.
    pub(super) fn follow(
        &self,
        stream: impl Read + Send + 'static,
        listening: Option<mpsc::SyncSender<String>>,
    ) -> JoinHandle<()> {
        let log = self.clone();
        thread::spawn(move || {
            for line in BufReader::new(stream).lines() {
                let Ok(line) = line else { break };
                if let (Some(sender), Some(base)) = (&listening, line.strip_prefix(LISTENING)) {
                    // Nobody waits for a further listener once all are there.
                    let _ = sender.try_send(base.trim_end_matches('/').to_owned());
                }
                log.push(line);
            }
        })
    }

    fn push(&self, line: String) {
        let mut lines = self.lock();
        if lines.len() == LOG_LINES {
            lines.pop_front();
        }
        lines.push_back(line);
        self.0.added.notify_all();
    }

    pub(super) fn wait_for(&self, text: &str, deadline: Instant) -> Option<String> {
        let left = deadline.saturating_duration_since(Instant::now());
        let absent = |lines: &mut VecDeque<String>| !lines.iter().any(|line| line.contains(text));
        let waited = self.0.added.wait_timeout_while(self.lock(), left, absent);
        let (lines, _) = waited.unwrap_or_else(PoisonError::into_inner);
        lines.iter().find(|line| line.contains(text)).cloned()
    }

    pub(super) fn text(&self) -> String {
        self.lock().make_contiguous().join("\n")
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<String>> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
