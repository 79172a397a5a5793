//! Who marked which package as a favourite.

use diesel::prelude::*;
use packhouse_names::{AccountId, Ecosystem, Login, PackageId, Timestamp};

use crate::conn::{Conn, Tx, on_conn};
use crate::packages::Package;
use crate::schema::{accounts, packages, stars};
use crate::{DbError, DbResult};

/// Gives a package an account's star; says whether it had none.
///
/// # Errors
/// [`DbError::Reference`] when the package or the account is not there.
pub fn put(
    tx: &mut Tx<'_>,
    package: PackageId,
    account: AccountId,
    at: Timestamp,
) -> DbResult<bool> {
    let made = on_conn!(tx, |c| diesel::insert_into(stars::table)
        .values((
            stars::package_id.eq(package.get()),
            stars::account_id.eq(account.get()),
            stars::created_at.eq(at.as_micros()),
        ))
        .on_conflict_do_nothing()
        .execute(c))?;
    Ok(made > 0)
}

/// Takes an account's star away; says whether there was one.
///
/// # Errors
/// The failure of the engine.
pub fn remove(tx: &mut Tx<'_>, package: PackageId, account: AccountId) -> DbResult<bool> {
    let removed = on_conn!(tx, |c| diesel::delete(
        stars::table.find((package.get(), account.get()))
    )
    .execute(c))?;
    Ok(removed > 0)
}

/// The first `limit` of those who starred a package, by login.
///
/// # Errors
/// The failure of the engine; [`DbError::Malformed`] for a login that is none.
pub fn starrers(conn: &mut Conn, package: PackageId, limit: u32) -> DbResult<Vec<Login>> {
    let found: Vec<String> = on_conn!(conn, |c| stars::table
        .inner_join(accounts::table.on(accounts::id.eq(stars::account_id)))
        .filter(stars::package_id.eq(package.get()))
        .order(accounts::login_key)
        .limit(i64::from(limit))
        .select(accounts::login)
        .load(c))?;
    let logins = found.into_iter().map(Login::new);
    logins
        .collect::<Result<_, _>>()
        .map_err(|error| DbError::Malformed(Box::new(error)))
}

/// The first `limit` listed packages of an ecosystem that an account starred, by name.
///
/// # Errors
/// The failure of the engine.
pub fn starred(
    conn: &mut Conn,
    account: AccountId,
    ecosystem: Ecosystem,
    limit: u32,
) -> DbResult<Vec<Package>> {
    let found = on_conn!(conn, |c| stars::table
        .inner_join(packages::table.on(packages::id.eq(stars::package_id)))
        .filter(stars::account_id.eq(account.get()))
        .filter(packages::ecosystem.eq(ecosystem.as_str()))
        .filter(packages::deleted_at.is_null())
        .filter(packages::live_versions.gt(0))
        .order((packages::name_key, packages::id))
        .limit(i64::from(limit))
        .select(Package::as_select())
        .load(c))?;
    Ok(found)
}
