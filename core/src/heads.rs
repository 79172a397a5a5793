//! Packages as decisions and look-ups need them, kept while they hold.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use packhouse_names::{AccountId, PackageId, RepositoryId, Visibility};

use crate::documents::Renderings;
use crate::freshness::Moment;
use crate::policy::{AnyTies, PackageFacts};

/// Accounts remembered per package before all are forgotten and read again.
const MAX_TIES: usize = 1024;

/// What is known of a package without its versions.
#[derive(Debug)]
pub(crate) struct PackageHead {
    pub(crate) id: PackageId,
    /// Of the package; every index document is made for one revision.
    pub(crate) revision: i64,
    pub(crate) facts: PackageFacts,
    pub(crate) has_versions: bool,
    /// When its reading began.
    pub(crate) read_at: Moment,
    pub(crate) renderings: Renderings,
    ties: RwLock<HashMap<Asker, AnyTies>>,
}

/// Whose ties are remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Asker {
    Account(AccountId),
    Repository(RepositoryId),
}

impl PackageHead {
    pub(crate) fn new(
        id: PackageId,
        revision: i64,
        facts: PackageFacts,
        has_versions: bool,
        read_at: Moment,
    ) -> Self {
        Self {
            id,
            revision,
            facts,
            has_versions,
            read_at,
            renderings: Renderings::default(),
            ties: RwLock::default(),
        }
    }

    pub(crate) fn is_public(&self) -> bool {
        self.facts.visibility == Visibility::Public
    }

    /// What was read of an asker's ties since this head was.
    pub(crate) fn ties(&self, asker: Asker) -> Option<AnyTies> {
        self.ties
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&asker)
            .copied()
    }

    pub(crate) fn remember(&self, asker: Asker, found: AnyTies) {
        let mut ties = self.ties.write().unwrap_or_else(PoisonError::into_inner);
        if ties.len() >= MAX_TIES {
            ties.clear();
        }
        ties.insert(asker, found);
    }
}
