//! Downloads per version and day.

use std::collections::{BTreeMap, HashMap};

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel::upsert::excluded;
use packhouse_names::{PackageId, VersionId};

use crate::conn::{Conn, Link, Tx, on_conn};
use crate::schema::{downloads, versions};
use crate::sql::Cached;
use crate::versions::stored_size;
use crate::{DbError, DbResult};

/// Adds downloads of one day (since 1970-01-01). Versions that are gone are passed over.
///
/// # Errors
/// The failure of the engine.
pub fn add(tx: &mut Tx<'_>, day: i64, counts: &[(VersionId, u64)]) -> DbResult<()> {
    // in the order of the ids, so that two servers that flush at once cannot lock crosswise
    let mut sums = BTreeMap::<VersionId, u64>::new();
    for &(version, count) in counts {
        *sums.entry(version).or_default() += count;
    }
    for (version, count) in sums {
        let row = versions::table.find(version.get()).select(versions::id);
        let found: Option<i64> = match &mut tx.link {
            // held, or it could be purged before the count below refers to it
            Link::Pg(c) => row.for_key_share().first(c).optional(),
            Link::Sqlite(c) => row.first(c).optional(),
        }?;
        if found.is_none() {
            continue;
        }
        on_conn!(tx, |c| Cached(
            diesel::insert_into(downloads::table)
                .values((
                    downloads::version_id.eq(version.get()),
                    downloads::day.eq(day),
                    downloads::count.eq(stored_size(count)),
                ))
                .on_conflict((downloads::version_id, downloads::day))
                .do_update()
                .set(downloads::count.eq(downloads::count + excluded(downloads::count)))
        )
        .execute(c))?;
    }
    Ok(())
}

/// All downloads of each of these versions; those without any are left out.
///
/// # Errors
/// [`DbError::Malformed`] for a sum that is no number of downloads.
pub fn totals(conn: &mut Conn, versions: &[VersionId]) -> DbResult<Vec<(VersionId, u64)>> {
    let mut totals = Vec::with_capacity(versions.len());
    // a sum of bigints is a numeric on PostgreSQL, so the days are summed here
    for part in versions.chunks(MAX_BINDS) {
        let ids: Vec<i64> = part.iter().map(|id| id.get()).collect();
        let rows: Vec<(i64, i64)> = on_conn!(conn, |c| downloads::table
            .filter(downloads::version_id.eq_any(&ids))
            .select((downloads::version_id, downloads::count))
            .order(downloads::version_id)
            .load(c))?;
        for (id, count) in rows {
            let count =
                u64::try_from(count).map_err(|error| DbError::Malformed(Box::new(error)))?;
            match totals.last_mut() {
                Some((last, total)) if *last == VersionId::from(id) => *total += count,
                _ => totals.push((VersionId::from(id), count)),
            }
        }
    }
    Ok(totals)
}

/// The downloads of each of these packages since a day; those without any are left out.
///
/// # Errors
/// [`DbError::Malformed`] for a sum that is no number of downloads.
pub fn of_packages(
    conn: &mut Conn,
    packages: &[PackageId],
    since_day: i64,
) -> DbResult<HashMap<PackageId, u64>> {
    let mut sums = HashMap::new();
    for part in packages.chunks(MAX_BINDS) {
        let ids: Vec<i64> = part.iter().map(|id| id.get()).collect();
        let rows: Vec<(i64, i64)> = on_conn!(conn, |c| downloads::table
            .inner_join(versions::table.on(versions::id.eq(downloads::version_id)))
            .filter(versions::package_id.eq_any(&ids))
            .filter(downloads::day.ge(since_day))
            .group_by(versions::package_id)
            .select((
                versions::package_id,
                sql::<BigInt>("cast(sum(downloads.count) as bigint)")
            ))
            .load(c))?;
        for (id, count) in rows {
            let count =
                u64::try_from(count).map_err(|error| DbError::Malformed(Box::new(error)))?;
            sums.insert(PackageId::from(id), count);
        }
    }
    Ok(sums)
}

/// Both engines take more values than this in one statement.
const MAX_BINDS: usize = 10_000;
