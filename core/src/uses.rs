//! When tokens were last used: to the day, in memory, written in batches.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use packhouse_names::TokenId;

/// First uses of a day that are not written yet.
#[derive(Debug, Default)]
pub(crate) struct Uses(Mutex<HashMap<TokenId, i64>>);

impl Uses {
    pub(crate) fn note(&self, token: TokenId, day: i64) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(token, day);
    }

    pub(crate) fn take(&self) -> Vec<(TokenId, i64)> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
            .into_iter()
            .collect()
    }
}
