//! Facts about the whole house, such as its instance id.

use diesel::prelude::*;

use crate::DbResult;
use crate::conn::{Conn, Tx, on_conn};
use crate::schema::settings;
use crate::sql::Cached;

/// The value under this key.
///
/// # Errors
/// The failure of the engine.
pub fn get(conn: &mut Conn, key: &str) -> DbResult<Option<String>> {
    let found = on_conn!(conn, |c| settings::table
        .find(key)
        .select(settings::value)
        .first(c)
        .optional())?;
    Ok(found)
}

/// The value under this key, which is `value` if there was none: of several servers that start
/// together one decides.
///
/// # Errors
/// The failure of the engine.
pub fn put_if_absent(tx: &mut Tx<'_>, key: &str, value: &str) -> DbResult<String> {
    // writing the old value over itself makes the statement answer it
    let kept = on_conn!(tx, |c| Cached(
        diesel::insert_into(settings::table)
            .values((settings::key.eq(key), settings::value.eq(value)))
            .on_conflict(settings::key)
            .do_update()
            .set(settings::value.eq(settings::value))
            .returning(settings::value)
    )
    .get_result(c))?;
    Ok(kept)
}
