//! What happened, for the outbox: one name an event, the same in every consumer.

use packhouse_db::outbox;
use packhouse_names::{AccountId, PackageId, RepositoryId, Timestamp, TokenId};
use serde_json::{Value, json};

use crate::freshness::Touched;
use crate::policy::Principal;

/// A row of the outbox to be.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) kind: &'static str,
    pub(crate) package_id: Option<PackageId>,
    pub(crate) account_id: Option<AccountId>,
    pub(crate) repository_id: Option<RepositoryId>,
    pub(crate) token_id: Option<TokenId>,
    pub(crate) actor_id: Option<AccountId>,
    pub(crate) payload: String,
}

impl Event {
    pub(crate) fn row(&self, created_at: Timestamp) -> outbox::NewEvent<'_> {
        outbox::NewEvent {
            kind: self.kind,
            package_id: self.package_id,
            account_id: self.account_id,
            repository_id: self.repository_id,
            token_id: self.token_id,
            actor_id: self.actor_id,
            payload: &self.payload,
            created_at,
        }
    }

    pub(crate) const fn touched(&self) -> Touched {
        Touched {
            package: self.package_id,
            token: self.token_id,
        }
    }
}

/// An event about a package.
pub(crate) fn about_package(
    kind: &'static str,
    package: PackageId,
    actor: Option<AccountId>,
    payload: &Value,
) -> Event {
    Event {
        package_id: Some(package),
        ..event(kind, actor, payload)
    }
}

/// An event about accounts, memberships or teams: whatever roles come from.
pub(crate) fn about_account(
    kind: &'static str,
    account: AccountId,
    actor: Option<AccountId>,
    payload: &Value,
) -> Event {
    Event {
        account_id: Some(account),
        ..event(kind, actor, payload)
    }
}

/// An event about a repository and who may use it.
pub(crate) fn about_repository(
    kind: &'static str,
    repository: RepositoryId,
    payload: &Value,
) -> Event {
    Event {
        repository_id: Some(repository),
        ..event(kind, None, payload)
    }
}

/// An event about a token.
pub(crate) fn about_token(
    kind: &'static str,
    token: TokenId,
    owner: AccountId,
    actor: Option<AccountId>,
) -> Event {
    let payload = json!({});
    Event {
        token_id: Some(token),
        account_id: Some(owner),
        ..event(kind, actor, &payload)
    }
}

fn event(kind: &'static str, actor: Option<AccountId>, payload: &Value) -> Event {
    Event {
        kind,
        package_id: None,
        account_id: None,
        repository_id: None,
        token_id: None,
        actor_id: actor,
        payload: payload.to_string(),
    }
}

/// The account behind a principal, for rows that name who did it.
pub(crate) fn actor(principal: &Principal) -> Option<AccountId> {
    principal.credential().map(|credential| credential.account)
}
