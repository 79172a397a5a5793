//! Users and organizations.

use std::collections::HashMap;

use diesel::prelude::*;
use packhouse_names::{AccountId, Login, Role, Timestamp, Visibility};

use crate::columns::Opt;
use crate::conn::{Conn, Link, Tx, on_conn};
use crate::schema::accounts;
use crate::sql::Cached;
use crate::{AccountKind, DbError, DbResult};

/// Values of one list in a statement; the engines take 32,766 and 65,535.
const MAX_IDS: usize = 10_000;

/// A user or an organization.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = accounts)]
pub struct Account {
    #[diesel(deserialize_as = i64)]
    pub id: AccountId,
    #[diesel(deserialize_as = String)]
    pub login: Login,
    #[diesel(deserialize_as = String)]
    pub kind: AccountKind,
    pub email: Option<String>,
    pub display_name: Option<String>,
    pub site_admin: bool,
    #[diesel(deserialize_as = Opt<i64>)]
    pub suspended_at: Option<Timestamp>,
    /// Of packages first published under this account.
    #[diesel(deserialize_as = String)]
    pub default_visibility: Visibility,
    /// What every member may do with the organization's repositories.
    #[diesel(deserialize_as = Opt<String>)]
    pub base_permission: Option<Role>,
    /// Whether members may create public packages.
    pub create_public: bool,
    /// Whether members may create private packages.
    pub create_private: bool,
    /// Whether members may create internal packages.
    pub create_internal: bool,
    /// Whether a package published with a link takes its repository's access.
    pub inherit_access_default: bool,
    #[diesel(deserialize_as = i64)]
    pub created_at: Timestamp,
    #[diesel(deserialize_as = i64)]
    pub updated_at: Timestamp,
}

/// An account to be.
#[derive(Debug, Clone)]
pub struct NewAccount {
    pub login: Login,
    pub kind: AccountKind,
    pub email: Option<String>,
    pub display_name: Option<String>,
    pub site_admin: bool,
    pub default_visibility: Visibility,
    /// `None` for users, and for organizations that give their members nothing.
    pub base_permission: Option<Role>,
    pub created_at: Timestamp,
}

/// The account whose login has this key ([`Login::key`]).
///
/// # Errors
/// The failure of the engine.
pub fn find_by_login(conn: &mut Conn, login_key: &str) -> DbResult<Option<Account>> {
    let found = on_conn!(conn, |c| accounts::table
        .filter(accounts::login_key.eq(login_key))
        .select(Account::as_select())
        .first(c)
        .optional())?;
    Ok(found)
}

/// The account with this id.
///
/// # Errors
/// The failure of the engine.
pub fn find(conn: &mut Conn, id: AccountId) -> DbResult<Option<Account>> {
    let found = on_conn!(conn, |c| accounts::table
        .find(id.get())
        .select(Account::as_select())
        .first(c)
        .optional())?;
    Ok(found)
}

/// Locks an account's row until the transaction ends: the first line of whatever reads its
/// members in order to change them. SQLite's one writer already excludes everybody else.
///
/// # Errors
/// [`DbError::NotFound`] when there is no such row.
pub fn lock(tx: &mut Tx<'_>, id: AccountId) -> DbResult<()> {
    let row = accounts::table.find(id.get()).select(accounts::id);
    let _id: i64 = match &mut tx.link {
        Link::Pg(c) => row.for_update().first(c),
        Link::Sqlite(c) => row.first(c),
    }?;
    Ok(())
}

/// Makes an account. Members may create packages of every visibility, and linked packages
/// inherit, until somebody decides otherwise.
///
/// # Errors
/// [`DbError::Duplicate`] when the login is taken.
pub fn insert(tx: &mut Tx<'_>, new: &NewAccount) -> DbResult<Account> {
    let made = on_conn!(tx, |c| diesel::insert_into(accounts::table)
        .values((
            accounts::login.eq(new.login.as_str()),
            accounts::login_key.eq(&*new.login.key()),
            accounts::kind.eq(new.kind.as_str()),
            accounts::email.eq(new.email.as_deref()),
            accounts::display_name.eq(new.display_name.as_deref()),
            accounts::site_admin.eq(new.site_admin),
            accounts::default_visibility.eq(new.default_visibility.as_str()),
            accounts::base_permission.eq(new.base_permission.map(Role::as_str)),
            accounts::create_public.eq(true),
            accounts::create_private.eq(true),
            accounts::create_internal.eq(true),
            accounts::inherit_access_default.eq(true),
            accounts::created_at.eq(new.created_at.as_micros()),
            accounts::updated_at.eq(new.created_at.as_micros()),
        ))
        .on_conflict(accounts::login_key)
        .do_nothing()
        .returning(Account::as_returning())
        .get_result(c)
        .optional())?;
    made.ok_or(DbError::Duplicate)
}

/// Suspends an account, or lets it in again with `None`; says whether it exists.
///
/// # Errors
/// The failure of the engine.
pub fn set_suspended(
    tx: &mut Tx<'_>,
    id: AccountId,
    suspended_at: Option<Timestamp>,
) -> DbResult<bool> {
    let changed = on_conn!(tx, |c| Cached(
        diesel::update(accounts::table.find(id.get()))
            .set(accounts::suspended_at.eq(suspended_at.map(Timestamp::as_micros)))
    )
    .execute(c))?;
    Ok(changed > 0)
}

/// How many accounts there are.
///
/// # Errors
/// The failure of the engine.
pub fn count(conn: &mut Conn) -> DbResult<i64> {
    Ok(on_conn!(conn, |c| accounts::table.count().get_result(c))?)
}

/// Up to `limit` accounts with an id above `after`, in the order of their ids.
///
/// # Errors
/// The failure of the engine.
pub fn list(conn: &mut Conn, after: Option<AccountId>, limit: u32) -> DbResult<Vec<Account>> {
    let found = on_conn!(conn, |c| accounts::table
        .filter(accounts::id.gt(after.map_or(0, AccountId::get)))
        .order(accounts::id)
        .limit(i64::from(limit))
        .select(Account::as_select())
        .load(c))?;
    Ok(found)
}

/// The logins of these accounts; an account that is gone is left out.
///
/// # Errors
/// The failure of the engine.
pub fn logins(conn: &mut Conn, ids: &[AccountId]) -> DbResult<HashMap<AccountId, Login>> {
    let mut logins = HashMap::with_capacity(ids.len());
    for part in ids.chunks(MAX_IDS) {
        let ids = part.iter().map(|id| id.get());
        let found: Vec<(i64, String)> = on_conn!(conn, |c| accounts::table
            .filter(accounts::id.eq_any(ids))
            .select((accounts::id, accounts::login))
            .load(c))?;
        for (id, login) in found {
            let login = Login::new(login).map_err(|error| DbError::Malformed(Box::new(error)))?;
            logins.insert(AccountId::from(id), login);
        }
    }
    Ok(logins)
}

/// Changes what members may do with the organization's repositories; says whether it exists.
///
/// # Errors
/// The failure of the engine.
pub fn set_base_permission(tx: &mut Tx<'_>, id: AccountId, role: Option<Role>) -> DbResult<bool> {
    let changed = on_conn!(tx, |c| Cached(
        diesel::update(accounts::table.find(id.get()))
            .set(accounts::base_permission.eq(role.map(Role::as_str)))
    )
    .execute(c))?;
    Ok(changed > 0)
}
