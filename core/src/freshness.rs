//! Nothing stale: what a process keeps is dropped by changes, never by time.
//!
//! Every change that a process learns of (its own commits before they are answered, other
//! processes' from the outbox) gets the next number of one sequence. What is kept remembers the
//! number at which its reading began; it holds only while nothing it depends on was changed
//! later. So dropping is a store into an array, a fill that began before a drop is never used,
//! and no lock is taken on either side.

use std::sync::atomic::{AtomicU64, Ordering};

use packhouse_names::{PackageId, TokenId};

const SLOTS: usize = 1024;

/// The number of the last change known when a reading began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(u64);

/// What a change touched: a package, a token, or else whatever roles come from.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Touched {
    pub(crate) package: Option<PackageId>,
    pub(crate) token: Option<TokenId>,
}

/// When each kept thing was last changed. Ids share slots: a neighbour's change costs a reading,
/// never a wrong answer.
#[derive(Debug)]
pub(crate) struct Freshness {
    sequence: AtomicU64,
    /// Accounts, memberships, teams, repositories: whatever roles come from.
    access: AtomicU64,
    packages: Box<[AtomicU64]>,
    tokens: Box<[AtomicU64]>,
}

impl Freshness {
    pub(crate) fn new() -> Self {
        let slots = || (0..SLOTS).map(|_| AtomicU64::new(0)).collect();
        Self {
            sequence: AtomicU64::new(0),
            access: AtomicU64::new(0),
            packages: slots(),
            tokens: slots(),
        }
    }

    /// Taken before reading what is to be kept.
    pub(crate) fn moment(&self) -> Moment {
        Moment(self.sequence.load(Ordering::SeqCst))
    }

    /// Whether a package that was read at `then` is still as it was.
    pub(crate) fn holds_package(&self, id: PackageId, then: Moment) -> bool {
        holds(&self.access, then) && slot(&self.packages, id.get()).is_some_and(|s| holds(s, then))
    }

    /// Whether a token that was read at `then` is still as it was.
    pub(crate) fn holds_token(&self, id: TokenId, then: Moment) -> bool {
        holds(&self.access, then) && slot(&self.tokens, id.get()).is_some_and(|s| holds(s, then))
    }

    /// Drops what a change touched.
    pub(crate) fn apply(&self, change: Touched) {
        let now = self.sequence.fetch_add(1, Ordering::SeqCst) + 1;
        if let Some(id) = change.package {
            raise(slot(&self.packages, id.get()), now);
        } else if let Some(id) = change.token {
            raise(slot(&self.tokens, id.get()), now);
        } else {
            raise(Some(&self.access), now);
        }
    }
}

fn slot(slots: &[AtomicU64], id: i64) -> Option<&AtomicU64> {
    let index = usize::try_from(id.unsigned_abs()).unwrap_or_default() % SLOTS;
    slots.get(index)
}

fn holds(last: &AtomicU64, then: Moment) -> bool {
    last.load(Ordering::SeqCst) <= then.0
}

fn raise(last: Option<&AtomicU64>, now: u64) {
    if let Some(last) = last {
        last.fetch_max(now, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(package: Option<i64>, token: Option<i64>) -> Touched {
        Touched {
            package: package.map(PackageId::from),
            token: token.map(TokenId::from),
        }
    }

    #[test]
    fn a_change_drops_what_was_read_before_it_and_nothing_else() {
        let freshness = Freshness::new();
        let before = freshness.moment();
        freshness.apply(change(Some(7), None));
        let after = freshness.moment();
        assert!(!freshness.holds_package(PackageId::from(7), before));
        assert!(freshness.holds_package(PackageId::from(7), after));
        assert!(freshness.holds_package(PackageId::from(8), before));
        assert!(freshness.holds_token(TokenId::from(7), before));
    }

    #[test]
    fn a_change_of_access_drops_every_decision() {
        let freshness = Freshness::new();
        let before = freshness.moment();
        freshness.apply(change(None, None));
        assert!(!freshness.holds_package(PackageId::from(1), before));
        assert!(!freshness.holds_token(TokenId::from(1), before));
        assert!(freshness.holds_package(PackageId::from(1), freshness.moment()));
    }
}
