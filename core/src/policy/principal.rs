use std::sync::Arc;

use packhouse_names::{AccountId, Login, RepositoryId, Timestamp, TokenId};

use super::{Declared, Scopes};

/// Who asks.
#[derive(Debug, Clone)]
pub enum Principal {
    /// Nobody: no credentials came.
    Anonymous,
    /// Somebody whose token holds.
    Known(Arc<Credential>),
}

impl Principal {
    /// The token that was shown.
    #[must_use]
    pub fn credential(&self) -> Option<&Credential> {
        match self {
            Self::Anonymous => None,
            Self::Known(credential) => Some(credential),
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
