//! Logins by browser that wait for somebody to say yes, known by the hash of their key.
//!
//! What is kept lets nobody in: the token that a login ends in is made when it is taken.

use diesel::prelude::*;
use packhouse_names::{Timestamp, TokenId};

use crate::DbResult;
use crate::columns::Opt;
use crate::conn::{Conn, Tx, on_conn};
use crate::schema::logins;
use crate::sql::Cached;

/// A login that waits.
#[derive(Debug, Clone, Queryable)]
pub struct Login {
    /// Shown in the terminal and on the page, for a person to compare.
    pub code: String,
    /// The token by which somebody said yes.
    #[diesel(deserialize_as = Opt<i64>)]
    pub token_id: Option<TokenId>,
}

/// Notes a login that waits.
///
/// # Errors
/// [`DbError::Duplicate`](crate::DbError::Duplicate) when there is one of this key.
pub fn insert(
    tx: &mut Tx<'_>,
    key_hash: &[u8; 32],
    code: &str,
    created_at: Timestamp,
) -> DbResult<()> {
    on_conn!(tx, |c| diesel::insert_into(logins::table)
        .values((
            logins::key_hash.eq(key_hash.as_slice()),
            logins::code.eq(code),
            logins::created_at.eq(created_at.as_micros()),
        ))
        .execute(c))?;
    Ok(())
}

/// A login that began after `since`.
///
/// # Errors
/// The failure of the engine.
pub fn find(conn: &mut Conn, key_hash: &[u8; 32], since: Timestamp) -> DbResult<Option<Login>> {
    let found = on_conn!(conn, |c| logins::table
        .find(key_hash.as_slice())
        .filter(logins::created_at.gt(since.as_micros()))
        .select((logins::code, logins::token_id))
        .first(c)
        .optional())?;
    Ok(found)
}

/// Says yes to a login that began after `since`, by this token; says whether it waited for that.
///
/// # Errors
/// [`DbError::Reference`](crate::DbError::Reference) when there is no such token.
pub fn approve(
    tx: &mut Tx<'_>,
    key_hash: &[u8; 32],
    token: TokenId,
    since: Timestamp,
) -> DbResult<bool> {
    let changed = on_conn!(tx, |c| Cached(
        diesel::update(logins::table.find(key_hash.as_slice()))
            .filter(logins::created_at.gt(since.as_micros()))
            .filter(logins::token_id.is_null())
            .set(logins::token_id.eq(token.get()))
    )
    .execute(c))?;
    Ok(changed > 0)
}

/// Takes a login away that began after `since` and that somebody said yes to; of several who try
/// at once one gets it.
///
/// # Errors
/// The failure of the engine.
pub fn take(tx: &mut Tx<'_>, key_hash: &[u8; 32], since: Timestamp) -> DbResult<Option<TokenId>> {
    let taken: Option<Option<i64>> = on_conn!(tx, |c| diesel::delete(
        logins::table
            .find(key_hash.as_slice())
            .filter(logins::created_at.gt(since.as_micros()))
            .filter(logins::token_id.is_not_null())
    )
    .returning(logins::token_id)
    .get_result(c)
    .optional())?;
    Ok(taken.flatten().map(TokenId::from))
}

/// How many logins there are.
///
/// # Errors
/// The failure of the engine.
pub fn count(conn: &mut Conn) -> DbResult<i64> {
    Ok(on_conn!(conn, |c| logins::table.count().get_result(c))?)
}

/// Removes the logins that began at `until` or before; says how many.
///
/// # Errors
/// The failure of the engine.
pub fn sweep(tx: &mut Tx<'_>, until: Timestamp) -> DbResult<usize> {
    Ok(on_conn!(tx, |c| diesel::delete(
        logins::table.filter(logins::created_at.le(until.as_micros()))
    )
    .execute(c))?)
}
