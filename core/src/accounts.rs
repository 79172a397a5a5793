//! What is known of a user.

use packhouse_db::accounts::Account;
use packhouse_db::{AccountKind, Tx, accounts};
use packhouse_names::{Login, Timestamp};

use crate::fault::{Fault, Thing};
use crate::house::House;
use crate::policy::{Credential, Identity};

/// A user, as somebody who is signed in sees them.
#[derive(Debug, Clone)]
pub struct UserView {
    pub login: Login,
    /// Told to themselves alone, never to a workflow of theirs.
    pub email: Option<String>,
    pub display_name: Option<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl House {
    pub(crate) async fn user(&self, caller: &Credential, login: Login) -> Result<UserView, Fault> {
        let is_person = matches!(caller.identity, Identity::User { .. });
        let (caller, absent) = (
            caller.account,
            Fault::not_found(Thing::Account, login.as_str()),
        );
        let found = self
            .db
            .read(move |conn| Ok::<_, Fault>(accounts::find_by_login(conn, &login.key())?))
            .await?;
        let user = found
            .filter(|account| account.kind == AccountKind::User)
            .ok_or(absent)?;
        Ok(UserView {
            email: user.email.filter(|_| is_person && caller == user.id),
            login: user.login,
            display_name: user.display_name,
            created_at: user.created_at,
            updated_at: user.updated_at,
        })
    }
}

/// The user whom a change names.
///
/// # Errors
/// [`Fault::Invalid`], in words, for somebody who does not exist or is an organization.
pub(crate) fn existing_user(tx: &mut Tx<'_>, login: &Login) -> Result<Account, Fault> {
    accounts::find_by_login(tx, &login.key())?
        .filter(|account| account.kind == AccountKind::User)
        .ok_or_else(|| Fault::invalid("user", format!("there is no user {login}")))
}
