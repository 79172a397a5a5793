//! Uploads that go over several requests.

use diesel::prelude::*;
use packhouse_names::{AccountId, PackageId, Timestamp, TokenId};

use crate::columns::Opt;
use crate::conn::{Conn, Tx, on_conn};
use crate::schema::uploads;
use crate::sql::Cached;
use crate::versions::stored_size;
use crate::{DbError, DbResult};

/// An upload that has begun.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = uploads)]
pub struct Upload {
    pub id: String,
    #[diesel(deserialize_as = i64)]
    pub package_id: PackageId,
    #[diesel(deserialize_as = i64)]
    pub account_id: AccountId,
    #[diesel(deserialize_as = Opt<i64>)]
    pub token_id: Option<TokenId>,
    /// Where the bytes lie meanwhile, in the blob store's words.
    pub storage: String,
    /// Bytes that are safe so far.
    #[diesel(deserialize_as = i64)]
    pub length: u64,
    /// The digests' states after `length` bytes.
    pub hash_states: Option<Vec<u8>>,
    /// The request that appends right now.
    pub lease_holder: Option<String>,
    #[diesel(deserialize_as = Opt<i64>)]
    pub lease_until: Option<Timestamp>,
    #[diesel(deserialize_as = i64)]
    pub created_at: Timestamp,
    #[diesel(deserialize_as = i64)]
    pub touched_at: Timestamp,
}

/// An upload to be; it has no bytes yet.
#[derive(Debug, Clone)]
pub struct NewUpload {
    pub id: String,
    pub package_id: PackageId,
    pub account_id: AccountId,
    pub token_id: Option<TokenId>,
    pub storage: String,
    /// The digests' states after nothing, where more than the usual ones are wanted.
    pub hash_states: Option<Vec<u8>>,
    pub created_at: Timestamp,
}

/// How far an upload has come.
#[derive(Debug, Clone)]
pub struct Progress {
    pub storage: String,
    pub length: u64,
    pub hash_states: Option<Vec<u8>>,
    pub at: Timestamp,
}

/// Nobody writes to it at `at`.
#[diesel::dsl::auto_type]
fn is_free(at: i64) -> _ {
    uploads::lease_until
        .is_null()
        .or(uploads::lease_until.le(at))
}

/// Begins an upload.
///
/// # Errors
/// [`DbError::Duplicate`] when the id is taken; [`DbError::Reference`] when the package, the
/// account or the token is not there.
pub fn insert(tx: &mut Tx<'_>, new: &NewUpload) -> DbResult<()> {
    let made = on_conn!(tx, |c| diesel::insert_into(uploads::table)
        .values((
            uploads::id.eq(&new.id),
            uploads::package_id.eq(new.package_id.get()),
            uploads::account_id.eq(new.account_id.get()),
            uploads::token_id.eq(new.token_id.map(TokenId::get)),
            uploads::storage.eq(&new.storage),
            uploads::length.eq(0),
            uploads::hash_states.eq(new.hash_states.as_deref()),
            uploads::created_at.eq(new.created_at.as_micros()),
            uploads::touched_at.eq(new.created_at.as_micros()),
        ))
        .on_conflict(uploads::id)
        .do_nothing()
        .execute(c))?;
    if made == 0 {
        return Err(DbError::Duplicate);
    }
    Ok(())
}

/// The upload with this id.
///
/// # Errors
/// The failure of the engine.
pub fn find(conn: &mut Conn, id: &str) -> DbResult<Option<Upload>> {
    let found = on_conn!(conn, |c| uploads::table
        .find(id)
        .select(Upload::as_select())
        .first(c)
        .optional())?;
    Ok(found)
}

/// Takes the right to append until `until`, if nobody else holds it at `at`; the holder may
/// renew. Says whether it was taken.
///
/// # Errors
/// The failure of the engine.
pub fn lease(
    tx: &mut Tx<'_>,
    id: &str,
    holder: &str,
    at: Timestamp,
    until: Timestamp,
) -> DbResult<bool> {
    let changed = on_conn!(tx, |c| Cached(
        diesel::update(uploads::table.find(id))
            .filter(is_free(at.as_micros()).or(uploads::lease_holder.eq(holder)))
            .set((
                uploads::lease_holder.eq(holder),
                uploads::lease_until.eq(until.as_micros()),
            ))
            .returning(uploads::length)
    )
    .count(c))?;
    Ok(changed > 0)
}

/// Notes what an upload has come to and gives the lease back; says whether `holder` still had it.
///
/// # Errors
/// The failure of the engine.
pub fn touch(tx: &mut Tx<'_>, id: &str, holder: &str, progress: &Progress) -> DbResult<bool> {
    let changed = on_conn!(tx, |c| Cached(
        diesel::update(uploads::table.find(id))
            .filter(uploads::lease_holder.eq(holder))
            .set((
                uploads::storage.eq(&progress.storage),
                uploads::length.eq(stored_size(progress.length)),
                uploads::hash_states.eq(progress.hash_states.as_deref()),
                uploads::lease_holder.eq(None::<&str>),
                uploads::lease_until.eq(None::<i64>),
                uploads::touched_at.eq(progress.at.as_micros()),
            ))
            .returning(uploads::length)
    )
    .count(c))?;
    Ok(changed > 0)
}

/// Gives the right to append back without having appended; says whether `holder` still had it.
///
/// # Errors
/// The failure of the engine.
pub fn release(tx: &mut Tx<'_>, id: &str, holder: &str) -> DbResult<bool> {
    let changed = on_conn!(tx, |c| Cached(
        diesel::update(uploads::table.find(id))
            .filter(uploads::lease_holder.eq(holder))
            .set((
                uploads::lease_holder.eq(None::<&str>),
                uploads::lease_until.eq(None::<i64>),
            ))
            .returning(uploads::length)
    )
    .count(c))?;
    Ok(changed > 0)
}

/// Gives back the right to append to every upload; for when nobody who had it can be alive.
///
/// # Errors
/// The failure of the engine.
pub fn release_all(tx: &mut Tx<'_>) -> DbResult<()> {
    on_conn!(tx, |c| diesel::update(uploads::table)
        .filter(uploads::lease_until.is_not_null())
        .set((
            uploads::lease_holder.eq(None::<&str>),
            uploads::lease_until.eq(None::<i64>),
        ))
        .execute(c))?;
    Ok(())
}

/// Ends an upload; says whether it was there.
///
/// # Errors
/// The failure of the engine.
pub fn delete(tx: &mut Tx<'_>, id: &str) -> DbResult<bool> {
    let removed = on_conn!(tx, |c| diesel::delete(uploads::table.find(id)).execute(c))?;
    Ok(removed > 0)
}

/// Ends an upload that nothing was added to since `before` and that nobody writes to at `at`; says
/// whether it was one.
///
/// # Errors
/// The failure of the engine.
pub fn delete_stale(tx: &mut Tx<'_>, id: &str, before: Timestamp, at: Timestamp) -> DbResult<bool> {
    let removed = on_conn!(tx, |c| diesel::delete(
        uploads::table
            .find(id)
            .filter(uploads::touched_at.lt(before.as_micros()))
            .filter(is_free(at.as_micros()))
    )
    .execute(c))?;
    Ok(removed > 0)
}

/// Up to `limit` uploads that nothing was added to since `before` and that nobody writes to at
/// `at`, the oldest first.
///
/// # Errors
/// The failure of the engine.
pub fn stale(
    conn: &mut Conn,
    before: Timestamp,
    at: Timestamp,
    limit: u32,
) -> DbResult<Vec<Upload>> {
    let found = on_conn!(conn, |c| uploads::table
        .filter(uploads::touched_at.lt(before.as_micros()))
        .filter(is_free(at.as_micros()))
        .order(uploads::touched_at)
        .limit(i64::from(limit))
        .select(Upload::as_select())
        .load(c))?;
    Ok(found)
}

/// Up to `limit` uploads of an account beyond the `keep` that were touched last, of those that
/// nobody writes to at `at`.
///
/// # Errors
/// The failure of the engine.
pub fn surplus(
    conn: &mut Conn,
    account: AccountId,
    keep: u32,
    at: Timestamp,
    limit: u32,
) -> DbResult<Vec<Upload>> {
    let found = on_conn!(conn, |c| uploads::table
        .filter(uploads::account_id.eq(account.get()))
        .filter(is_free(at.as_micros()))
        .order(uploads::touched_at.desc())
        .offset(i64::from(keep))
        .limit(i64::from(limit))
        .select(Upload::as_select())
        .load(c))?;
    Ok(found)
}
