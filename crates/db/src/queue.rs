//! A bounded queue that several threads take from.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

struct State<T> {
    waiting: VecDeque<T>,
    is_open: bool,
}

/// Holds at most `capacity` items; pushing never waits, taking does.
pub(crate) struct Queue<T> {
    state: Mutex<State<T>>,
    arrived: Condvar,
    capacity: usize,
}

impl<T> Queue<T> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            state: Mutex::new(State {
                waiting: VecDeque::new(),
                is_open: true,
            }),
            arrived: Condvar::new(),
            capacity,
        }
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        // nothing that can panic runs under the lock
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an item and says how many wait; `None` when the queue is full or closed.
    pub(crate) fn push(&self, item: T) -> Option<usize> {
        let mut state = self.state();
        if !state.is_open || state.waiting.len() >= self.capacity {
            return None;
        }
        state.waiting.push_back(item);
        let waiting = state.waiting.len();
        drop(state);
        self.arrived.notify_one();
        Some(waiting)
    }

    /// Waits for work, then takes up to `limit` items and says how many are left; `None` once the
    /// queue is closed and empty.
    pub(crate) fn take(&self, limit: usize) -> Option<(Vec<T>, usize)> {
        let mut state = self.state();
        while state.waiting.is_empty() {
            if !state.is_open {
                return None;
            }
            state = self
                .arrived
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        let count = state.waiting.len().min(limit);
        let taken = state.waiting.drain(..count).collect();
        Some((taken, state.waiting.len()))
    }

    /// Refuses new items; what waits is still taken.
    pub(crate) fn close(&self) {
        self.state().is_open = false;
        self.arrived.notify_all();
    }
}
