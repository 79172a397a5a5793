//! Work that one process at a time does.

use diesel::prelude::*;
use diesel::upsert::excluded;
use packhouse_names::Timestamp;

use crate::DbResult;
use crate::conn::{Conn, Tx, on_conn};
use crate::schema::leases;
use crate::sql::Cached;

/// Takes the right to do a piece of work until `until`, if nobody else holds it at `at`; the holder
/// may renew. Says whether it was taken.
///
/// # Errors
/// The failure of the engine.
pub fn take(
    tx: &mut Tx<'_>,
    name: &str,
    holder: &str,
    at: Timestamp,
    until: Timestamp,
) -> DbResult<bool> {
    on_conn!(tx, |c| diesel::insert_into(leases::table)
        .values(leases::name.eq(name))
        .on_conflict_do_nothing()
        .execute(c))?;
    let changed = on_conn!(tx, |c| Cached(
        diesel::update(leases::table.find(name))
            .filter(
                leases::held_until
                    .is_null()
                    .or(leases::held_until.le(at.as_micros()))
                    .or(leases::holder.eq(holder))
            )
            .set((
                leases::holder.eq(holder),
                leases::held_until.eq(until.as_micros()),
            ))
    )
    .execute(c))?;
    Ok(changed > 0)
}

/// Gives the right back, if `holder` has it.
///
/// # Errors
/// The failure of the engine.
pub fn release(tx: &mut Tx<'_>, name: &str, holder: &str) -> DbResult<()> {
    on_conn!(tx, |c| Cached(
        diesel::update(leases::table.find(name))
            .filter(leases::holder.eq(holder))
            .set((
                leases::holder.eq(None::<&str>),
                leases::held_until.eq(None::<i64>),
            ))
    )
    .execute(c))?;
    Ok(())
}

/// Notes that a piece of work was brought to its end.
///
/// # Errors
/// The failure of the engine.
pub fn note_done(tx: &mut Tx<'_>, name: &str, at: Timestamp) -> DbResult<()> {
    on_conn!(tx, |c| Cached(
        diesel::insert_into(leases::table)
            .values((leases::name.eq(name), leases::done_at.eq(at.as_micros())))
            .on_conflict(leases::name)
            .do_update()
            .set(leases::done_at.eq(excluded(leases::done_at)))
    )
    .execute(c))?;
    Ok(())
}

/// When a piece of work was last brought to its end.
///
/// # Errors
/// The failure of the engine.
pub fn done_at(conn: &mut Conn, name: &str) -> DbResult<Option<Timestamp>> {
    let found: Option<Option<i64>> = on_conn!(conn, |c| leases::table
        .find(name)
        .select(leases::done_at)
        .first(c)
        .optional())?;
    Ok(found.flatten().map(Timestamp::from))
}
