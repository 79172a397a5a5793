//! What the clients know, to be held against what the server has.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::release::Release;

/// What is known of an attempt to publish.
#[derive(Clone, Debug)]
pub(crate) enum Fate {
    /// Acknowledged, or found whole after a crash: it must be there for ever.
    Published,
    /// Sent and never answered, with its document.
    InFlight(Bytes),
    /// Not answered, and not there after the crash: it must never appear.
    Lost,
}

#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    pub(crate) release: Release,
    pub(crate) fate: Fate,
}

impl Attempt {
    pub(crate) fn is_published(&self) -> bool {
        matches!(self.fate, Fate::Published)
    }
}

/// The attempts on one package, by version.
pub(crate) type Attempts = BTreeMap<String, Attempt>;

/// Every attempt so far.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    packages: BTreeMap<String, Attempts>,
    /// How many publishes were acknowledged.
    pub(crate) acknowledged: u64,
    /// How many were under way when the server was killed.
    pub(crate) interrupted: u64,
    /// How many of those were found whole.
    pub(crate) found: u64,
}

impl Ledger {
    pub(crate) fn enter(&mut self, attempts: Vec<Attempt>) {
        for attempt in attempts {
            match attempt.fate {
                Fate::Published => self.acknowledged += 1,
                Fate::InFlight(_) => self.interrupted += 1,
                Fate::Lost => {}
            }
            let Release {
                package, version, ..
            } = &attempt.release;
            let known = self.packages.entry(package.clone()).or_default();
            let earlier = known.insert(version.clone(), attempt);
            assert!(earlier.is_none(), "{earlier:?} was tried twice");
        }
    }

    /// The packages that somebody tried to publish to, with what is known of them.
    pub(crate) fn packages(&mut self) -> impl Iterator<Item = (&String, &mut Attempts)> {
        self.packages.iter_mut()
    }
}
