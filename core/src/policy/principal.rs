use std::sync::Arc;

use packhouse_names::{AccountId, Login, RepositoryId, Timestamp, TokenId};

use super::{Access, Declared, Need, Scopes};

/// Who asks.
#[derive(Debug, Clone)]
pub enum Principal {
    /// Nobody: no credentials came.
    Anonymous,
    /// Somebody whose token holds.
    Known(Arc<Credential>),
    /// The same by a short-lived token that was made from it and allows no more than it lists.
    Narrowed(Arc<Credential>, Arc<Access>),
}

impl Principal {
    /// The token that was shown.
    #[must_use]
    pub fn credential(&self) -> Option<&Credential> {
        match self {
            Self::Anonymous => None,
            Self::Known(credential) | Self::Narrowed(credential, _) => Some(credential),
        }
    }

    /// Whether the token that was shown lists a need; one that is no list allows everything that
    /// its owner may do.
    #[must_use]
    pub fn allows(&self, need: &Need) -> bool {
        match self {
            Self::Anonymous | Self::Known(_) => true,
            Self::Narrowed(_, access) => access.covers(need),
        }
    }

    /// The login to greet by: a protocol may greet by it, it never decides by it.
    #[must_use]
    pub fn login(&self) -> Option<&Login> {
        self.credential().map(|credential| &credential.login)
    }
}

/// A token that holds, with what is known of its owner.
#[derive(Debug, Clone)]
pub struct Credential {
    pub token: TokenId,
    /// The owner; for a workflow token who made it.
    pub account: AccountId,
    pub login: Login,
    pub identity: Identity,
    pub expires_at: Option<Timestamp>,
}

/// What a token speaks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// A person, narrowed by classic scopes.
    User {
        scopes: Scopes,
        /// Admin of everything in the house.
        site_admin: bool,
    },
    /// A workflow of one repository.
    Workflow(WorkflowIdentity),
}

/// A machine's identity: one repository, and what its workflow declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkflowIdentity {
    pub repository: RepositoryId,
    /// The account that owns the repository.
    pub owner: AccountId,
    pub declared: Declared,
}
