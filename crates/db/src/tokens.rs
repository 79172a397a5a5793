//! Access tokens, known by the hash of their secret.

use diesel::prelude::*;
use packhouse_names::{AccountId, Login, RepositoryId, Timestamp, TokenId, TokenKind};

use crate::columns::Opt;
use crate::conn::{Conn, Tx, on_conn};
use crate::schema::{accounts, repositories, tokens};
use crate::sql::Cached;
use crate::{DbError, DbResult};

/// A token, without its hash.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = tokens)]
pub struct Token {
    #[diesel(deserialize_as = i64)]
    pub id: TokenId,
    /// The first characters, for people to recognise it by.
    pub shown_prefix: String,
    #[diesel(deserialize_as = String)]
    pub kind: TokenKind,
    #[diesel(deserialize_as = i64)]
    pub account_id: AccountId,
    pub note: Option<String>,
    /// Separated by single spaces.
    pub scopes: String,
    /// The one repository that a workflow token is bound to.
    #[diesel(deserialize_as = Opt<i64>)]
    pub repository_id: Option<RepositoryId>,
    #[diesel(deserialize_as = Opt<i64>)]
    pub expires_at: Option<Timestamp>,
    /// Days since 1970-01-01.
    pub last_used_day: Option<i64>,
    #[diesel(deserialize_as = Opt<i64>)]
    pub revoked_at: Option<Timestamp>,
    #[diesel(deserialize_as = i64)]
    pub created_at: Timestamp,
    /// Made by a login, and to end with it.
    pub by_login: bool,
}

/// A token to be.
#[derive(Clone)]
pub struct NewToken {
    pub hash: [u8; 32],
    pub shown_prefix: String,
    pub kind: TokenKind,
    pub account_id: AccountId,
    pub note: Option<String>,
    pub scopes: String,
    pub repository_id: Option<RepositoryId>,
    pub expires_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub by_login: bool,
}

impl std::fmt::Debug for NewToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NewToken({}…)", self.shown_prefix)
    }
}

/// The account that a token speaks for.
#[derive(Debug, Clone, Queryable)]
pub struct Bearer {
    #[diesel(deserialize_as = String)]
    pub login: Login,
    pub site_admin: bool,
    #[diesel(deserialize_as = Opt<i64>)]
    pub suspended_at: Option<Timestamp>,
}

/// What a request's token turns into.
#[derive(Debug, Clone, Queryable)]
pub struct TokenRow {
    pub token: Token,
    pub bearer: Bearer,
    /// Who owns the repository of a workflow token; `None` also when that repository is deleted.
    #[diesel(deserialize_as = Opt<i64>)]
    pub repository_owner_id: Option<AccountId>,
}

/// Tokens with whom they speak for, by a condition.
macro_rules! row_query {
    ($condition:expr) => {
        tokens::table
            .inner_join(accounts::table.on(accounts::id.eq(tokens::account_id)))
            .left_join(
                repositories::table.on(repositories::id
                    .nullable()
                    .eq(tokens::repository_id)
                    .and(repositories::deleted_at.is_null())),
            )
            .filter($condition)
            .select((
                Token::as_select(),
                (
                    accounts::login,
                    accounts::site_admin,
                    accounts::suspended_at,
                ),
                repositories::owner_id.nullable(),
            ))
    };
}

/// Makes a token.
///
/// # Errors
/// [`DbError::Duplicate`] when the hash is taken; [`DbError::Reference`] when the account or the
/// repository is not there.
pub fn insert(tx: &mut Tx<'_>, new: &NewToken) -> DbResult<TokenId> {
    let made: Option<i64> = on_conn!(tx, |c| diesel::insert_into(tokens::table)
        .values((
            tokens::hash.eq(new.hash.as_slice()),
            tokens::shown_prefix.eq(&new.shown_prefix),
            tokens::kind.eq(new.kind.as_str()),
            tokens::account_id.eq(new.account_id.get()),
            tokens::note.eq(new.note.as_deref()),
            tokens::scopes.eq(&new.scopes),
            tokens::repository_id.eq(new.repository_id.map(RepositoryId::get)),
            tokens::expires_at.eq(new.expires_at.map(Timestamp::as_micros)),
            tokens::created_at.eq(new.created_at.as_micros()),
            tokens::by_login.eq(new.by_login),
        ))
        .on_conflict(tokens::hash)
        .do_nothing()
        .returning(tokens::id)
        .get_result(c)
        .optional())?;
    made.map(TokenId::from).ok_or(DbError::Duplicate)
}

/// The token with this hash and whom it speaks for; expired, revoked and suspended ones too.
///
/// # Errors
/// The failure of the engine.
pub fn find_by_hash(conn: &mut Conn, hash: &[u8; 32]) -> DbResult<Option<TokenRow>> {
    let found = on_conn!(conn, |c| row_query!(tokens::hash.eq(hash.as_slice()))
        .first(c)
        .optional())?;
    Ok(found)
}

/// The token with this id and whom it speaks for; expired, revoked and suspended ones too.
///
/// # Errors
/// The failure of the engine.
pub fn find_row(conn: &mut Conn, id: TokenId) -> DbResult<Option<TokenRow>> {
    let found = on_conn!(conn, |c| row_query!(tokens::id.eq(id.get()))
        .first(c)
        .optional())?;
    Ok(found)
}

/// Revokes a token; says whether it was there and not revoked.
///
/// # Errors
/// The failure of the engine.
pub fn revoke(tx: &mut Tx<'_>, id: TokenId, at: Timestamp) -> DbResult<bool> {
    let changed = on_conn!(tx, |c| Cached(
        diesel::update(tokens::table.find(id.get()))
            .filter(tokens::revoked_at.is_null())
            .set(tokens::revoked_at.eq(at.as_micros()))
    )
    .execute(c))?;
    Ok(changed > 0)
}

/// Up to `limit` tokens of an account that are not revoked, with an id above `after`, in the
/// order of their ids.
///
/// # Errors
/// The failure of the engine.
pub fn list_of(
    conn: &mut Conn,
    account: AccountId,
    after: Option<TokenId>,
    limit: u32,
) -> DbResult<Vec<Token>> {
    let found = on_conn!(conn, |c| tokens::table
        .filter(tokens::account_id.eq(account.get()))
        .filter(tokens::revoked_at.is_null())
        .filter(tokens::id.gt(after.map_or(0, TokenId::get)))
        .order(tokens::id)
        .limit(i64::from(limit))
        .select(Token::as_select())
        .load(c))?;
    Ok(found)
}

/// Notes the days (since 1970-01-01) on which tokens were used; a day never goes back.
///
/// # Errors
/// The failure of the engine.
pub fn touch_used(tx: &mut Tx<'_>, used: &[(TokenId, i64)]) -> DbResult<()> {
    // in the order of the ids, so that two servers that flush at once cannot lock crosswise
    let mut used = used.to_vec();
    used.sort_unstable();
    for (id, day) in used {
        on_conn!(tx, |c| Cached(
            diesel::update(tokens::table.find(id.get()))
                .filter(
                    tokens::last_used_day
                        .is_null()
                        .or(tokens::last_used_day.lt(day))
                )
                .set(tokens::last_used_day.eq(day))
        )
        .execute(c))?;
    }
    Ok(())
}

/// A token by its number.
///
/// # Errors
/// The failure of the engine.
pub fn find(conn: &mut Conn, id: TokenId) -> DbResult<Option<Token>> {
    let found = on_conn!(conn, |c| tokens::table
        .find(id.get())
        .select(Token::as_select())
        .first(c)
        .optional())?;
    Ok(found)
}

/// A page of an account's tokens that hold at `now`, newest first; `page` counts from 0.
///
/// # Errors
/// The failure of the engine.
pub fn page_of(
    conn: &mut Conn,
    account: AccountId,
    now: Timestamp,
    page: u32,
    per_page: u32,
) -> DbResult<Vec<Token>> {
    let found = on_conn!(conn, |c| tokens::table
        .filter(tokens::account_id.eq(account.get()))
        .filter(tokens::revoked_at.is_null())
        .filter(
            tokens::expires_at
                .is_null()
                .or(tokens::expires_at.gt(now.as_micros()))
        )
        .order(tokens::id.desc())
        .offset(i64::from(page) * i64::from(per_page))
        .limit(i64::from(per_page))
        .select(Token::as_select())
        .load(c))?;
    Ok(found)
}

/// How many tokens of an account hold at `now`.
///
/// # Errors
/// The failure of the engine.
pub fn count_of(conn: &mut Conn, account: AccountId, now: Timestamp) -> DbResult<u64> {
    let count: i64 = on_conn!(conn, |c| tokens::table
        .filter(tokens::account_id.eq(account.get()))
        .filter(tokens::revoked_at.is_null())
        .filter(
            tokens::expires_at
                .is_null()
                .or(tokens::expires_at.gt(now.as_micros()))
        )
        .count()
        .get_result(c))?;
    Ok(u64::try_from(count).unwrap_or_default())
}
