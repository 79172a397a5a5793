//! Movable names for versions: npm dist-tags, container tags.

use diesel::prelude::*;
use diesel::upsert::excluded;
use packhouse_names::{PackageId, TagName, Timestamp, VersionId, VersionText};

use crate::conn::{Conn, Tx, on_conn};
use crate::schema::{tags, versions};
use crate::sql::Cached;
use crate::{DbError, DbResult};

/// A tag and the version it points at.
#[derive(Debug, Clone, Queryable)]
pub struct Tag {
    #[diesel(deserialize_as = String)]
    pub name: TagName,
    #[diesel(deserialize_as = i64)]
    pub version_id: VersionId,
    /// As the version was published.
    #[diesel(deserialize_as = String)]
    pub version: VersionText,
    #[diesel(deserialize_as = i64)]
    pub updated_at: Timestamp,
}

/// The tags of a package that point at versions that are not deleted, by name.
///
/// # Errors
/// The failure of the engine.
pub fn list(conn: &mut Conn, package: PackageId) -> DbResult<Vec<Tag>> {
    let found = on_conn!(conn, |c| tags::table
        .inner_join(versions::table.on(versions::id.eq(tags::version_id)))
        .filter(tags::package_id.eq(package.get()))
        .filter(versions::deleted_at.is_null())
        .order(tags::name)
        .select((tags::name, versions::id, versions::name, tags::updated_at))
        .load(c))?;
    Ok(found)
}

/// The version that a tag points at, deleted or not.
///
/// # Errors
/// The failure of the engine.
pub fn find(conn: &mut Conn, package: PackageId, tag: &TagName) -> DbResult<Option<VersionId>> {
    let found: Option<i64> = on_conn!(conn, |c| tags::table
        .find((package.get(), tag.as_str()))
        .select(tags::version_id)
        .first(c)
        .optional())?;
    Ok(found.map(VersionId::from))
}

/// Up to `limit` names of tags of a package above `after`, in the order of their bytes.
///
/// # Errors
/// The failure of the engine.
pub fn page(
    conn: &mut Conn,
    package: PackageId,
    after: Option<&str>,
    limit: u32,
) -> DbResult<Vec<TagName>> {
    let found: Vec<String> = on_conn!(conn, |c| tags::table
        .inner_join(versions::table.on(versions::id.eq(tags::version_id)))
        .filter(tags::package_id.eq(package.get()))
        .filter(tags::name.gt(after.unwrap_or_default()))
        .filter(versions::deleted_at.is_null())
        .order(tags::name)
        .limit(i64::from(limit))
        .select(tags::name)
        .load(c))?;
    found
        .into_iter()
        .map(|name| TagName::new(name).map_err(|error| DbError::Malformed(Box::new(error))))
        .collect()
}

/// The tags that point at these versions.
///
/// # Errors
/// The failure of the engine.
pub fn of_versions(conn: &mut Conn, versions: &[VersionId]) -> DbResult<Vec<(VersionId, TagName)>> {
    let ids: Vec<i64> = versions.iter().map(|id| id.get()).collect();
    let found: Vec<(i64, String)> = on_conn!(conn, |c| tags::table
        .filter(tags::version_id.eq_any(&ids))
        .order(tags::name)
        .select((tags::version_id, tags::name))
        .load(c))?;
    found
        .into_iter()
        .map(|(id, name)| {
            let name = TagName::new(name).map_err(|error| DbError::Malformed(Box::new(error)))?;
            Ok((VersionId::from(id), name))
        })
        .collect()
}

/// Points a tag at a version, whatever it pointed at.
///
/// # Errors
/// [`crate::DbError::Reference`] when the package or the version is not there.
pub fn put(
    tx: &mut Tx<'_>,
    package: PackageId,
    tag: &TagName,
    version: VersionId,
    at: Timestamp,
) -> DbResult<()> {
    on_conn!(tx, |c| Cached(
        diesel::insert_into(tags::table)
            .values((
                tags::package_id.eq(package.get()),
                tags::name.eq(tag.as_str()),
                tags::version_id.eq(version.get()),
                tags::updated_at.eq(at.as_micros()),
            ))
            .on_conflict((tags::package_id, tags::name))
            .do_update()
            .set((
                tags::version_id.eq(excluded(tags::version_id)),
                tags::updated_at.eq(excluded(tags::updated_at)),
            ))
            .returning(tags::version_id)
    )
    .count(c))?;
    Ok(())
}

/// Removes a tag; says whether there was one.
///
/// # Errors
/// The failure of the engine.
pub fn remove(tx: &mut Tx<'_>, package: PackageId, tag: &TagName) -> DbResult<bool> {
    let removed = on_conn!(tx, |c| diesel::delete(
        tags::table.find((package.get(), tag.as_str()))
    )
    .execute(c))?;
    Ok(removed > 0)
}

/// Removes every tag that points at a version and says how many there were.
///
/// # Errors
/// The failure of the engine.
pub fn remove_of_version(tx: &mut Tx<'_>, version: VersionId) -> DbResult<usize> {
    Ok(on_conn!(tx, |c| diesel::delete(
        tags::table.filter(tags::version_id.eq(version.get()))
    )
    .execute(c))?)
}
