//! Versions of packages.

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use packhouse_names::{
    AccountId, NormalizedVersion, PackageId, TagName, Timestamp, VersionId, VersionText,
};

use crate::columns::Opt;
use crate::conn::{Conn, Tx, on_conn};
use crate::packages::Package;
use crate::schema::{packages, tags, versions};
use crate::sql::Cached;
use crate::{DbError, DbResult, Standing};

/// A version without its long texts: what lists and index documents are made of.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = versions)]
pub struct ListedVersion {
    #[diesel(deserialize_as = i64)]
    pub id: VersionId,
    /// As it was published.
    #[diesel(deserialize_as = String)]
    pub name: VersionText,
    #[diesel(deserialize_as = String)]
    pub name_key: NormalizedVersion,
    /// JSON that belongs to the format.
    pub metadata: String,
    pub license: Option<String>,
    pub description: Option<String>,
    /// One a line.
    pub keywords: Option<String>,
    /// One a line.
    pub authors: Option<String>,
    pub prerelease: bool,
    #[diesel(deserialize_as = String)]
    pub standing: Standing,
    pub standing_reason: Option<String>,
    #[diesel(deserialize_as = Opt<i64>)]
    pub publisher_id: Option<AccountId>,
    pub kept_media_type: Option<String>,
    /// The sum over its files.
    #[diesel(deserialize_as = i64)]
    pub size_bytes: u64,
    #[diesel(deserialize_as = i64)]
    pub created_at: Timestamp,
    #[diesel(deserialize_as = i64)]
    pub updated_at: Timestamp,
}

/// A version with everything the row holds.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = versions)]
pub struct Version {
    #[diesel(embed)]
    pub listed: ListedVersion,
    #[diesel(deserialize_as = i64)]
    pub package_id: PackageId,
    pub readme: Option<String>,
    /// Tells a repeated publish from a second one.
    pub replay_key: Option<String>,
    /// Bytes that are given back exactly as they came.
    pub kept: Option<Vec<u8>>,
    #[diesel(deserialize_as = Opt<i64>)]
    pub deleted_at: Option<Timestamp>,
}

/// A version to be.
#[derive(Debug, Clone)]
pub struct NewVersion {
    pub package_id: PackageId,
    pub name: VersionText,
    pub name_key: NormalizedVersion,
    pub metadata: String,
    pub readme: Option<String>,
    pub license: Option<String>,
    pub description: Option<String>,
    /// What its publisher calls it by, one a line.
    pub keywords: Option<String>,
    /// Who wrote it, one a line, without addresses.
    pub authors: Option<String>,
    pub prerelease: bool,
    pub standing: Standing,
    pub standing_reason: Option<String>,
    pub publisher_id: Option<AccountId>,
    pub replay_key: Option<String>,
    /// At most 4 MiB.
    pub kept: Option<Vec<u8>>,
    pub kept_media_type: Option<String>,
    pub size_bytes: u64,
    pub created_at: Timestamp,
}

/// Makes a version.
///
/// # Errors
/// [`DbError::Duplicate`] when the package has this version, deleted or not;
/// [`DbError::Reference`] when there is no such package.
pub fn insert(tx: &mut Tx<'_>, new: &NewVersion) -> DbResult<VersionId> {
    let made: Option<i64> = on_conn!(tx, |c| diesel::insert_into(versions::table)
        .values((
            versions::package_id.eq(new.package_id.get()),
            versions::name.eq(new.name.as_str()),
            versions::name_key.eq(new.name_key.as_str()),
            versions::metadata.eq(&new.metadata),
            versions::readme.eq(new.readme.as_deref()),
            versions::license.eq(new.license.as_deref()),
            versions::description.eq(new.description.as_deref()),
            versions::keywords.eq(new.keywords.as_deref()),
            versions::authors.eq(new.authors.as_deref()),
            versions::prerelease.eq(new.prerelease),
            versions::standing.eq(new.standing.as_str()),
            versions::standing_reason.eq(new.standing_reason.as_deref()),
            versions::publisher_id.eq(new.publisher_id.map(AccountId::get)),
            versions::replay_key.eq(new.replay_key.as_deref()),
            versions::kept.eq(new.kept.as_deref()),
            versions::kept_media_type.eq(new.kept_media_type.as_deref()),
            versions::size_bytes.eq(stored_size(new.size_bytes)),
            versions::created_at.eq(new.created_at.as_micros()),
            versions::updated_at.eq(new.created_at.as_micros()),
        ))
        .on_conflict((versions::package_id, versions::name_key))
        .do_nothing()
        .returning(versions::id)
        .get_result(c)
        .optional())?;
    made.map(VersionId::from).ok_or(DbError::Duplicate)
}

/// No object reaches eight exbibytes, so nothing is lost.
pub(crate) fn stored_size(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// All versions of a package that are not deleted, in the order of their ids, without the long
/// texts.
///
/// # Errors
/// The failure of the engine.
pub fn listing(conn: &mut Conn, package: PackageId) -> DbResult<Vec<ListedVersion>> {
    let found = on_conn!(conn, |c| versions::table
        .filter(versions::package_id.eq(package.get()))
        .filter(versions::deleted_at.is_null())
        .order(versions::id)
        .select(ListedVersion::as_select())
        .load(c))?;
    Ok(found)
}

/// Up to `limit` whole versions of a package that are not deleted, with an id above `after`, in
/// the order of their ids. A row can hold megabytes.
///
/// # Errors
/// The failure of the engine.
pub fn list(
    conn: &mut Conn,
    package: PackageId,
    after: Option<VersionId>,
    limit: u32,
) -> DbResult<Vec<Version>> {
    let found = on_conn!(conn, |c| versions::table
        .filter(versions::package_id.eq(package.get()))
        .filter(versions::deleted_at.is_null())
        .filter(versions::id.gt(after.map_or(0, VersionId::get)))
        .order(versions::id)
        .limit(i64::from(limit))
        .select(Version::as_select())
        .load(c))?;
    Ok(found)
}

/// The version of a package with this key, deleted or not.
///
/// # Errors
/// The failure of the engine.
pub fn find(
    conn: &mut Conn,
    package: PackageId,
    name_key: &NormalizedVersion,
) -> DbResult<Option<Version>> {
    let found = on_conn!(conn, |c| versions::table
        .filter(versions::package_id.eq(package.get()))
        .filter(versions::name_key.eq(name_key.as_str()))
        .select(Version::as_select())
        .first(c)
        .optional())?;
    Ok(found)
}

/// These versions, deleted ones left out, in the order of their ids.
///
/// # Errors
/// The failure of the engine.
pub fn get_all(conn: &mut Conn, ids: &[VersionId]) -> DbResult<Vec<ListedVersion>> {
    let ids: Vec<i64> = ids.iter().map(|id| id.get()).collect();
    let found = on_conn!(conn, |c| versions::table
        .filter(versions::id.eq_any(&ids))
        .filter(versions::deleted_at.is_null())
        .order(versions::id)
        .select(ListedVersion::as_select())
        .load(c))?;
    Ok(found)
}

/// The version of a package that people see who name none: the one that this tag names, else the
/// newest that is no prerelease, else the newest.
///
/// # Errors
/// The failure of the engine.
pub fn shown(conn: &mut Conn, package: PackageId, tag: &str) -> DbResult<Option<ListedVersion>> {
    let tagged = on_conn!(conn, |c| versions::table
        .inner_join(tags::table.on(tags::version_id.eq(versions::id)))
        .filter(tags::package_id.eq(package.get()))
        .filter(tags::name.eq(tag))
        .filter(versions::deleted_at.is_null())
        .select(ListedVersion::as_select())
        .first(c)
        .optional())?;
    if tagged.is_some() {
        return Ok(tagged);
    }
    let newest = on_conn!(conn, |c| versions::table
        .filter(versions::package_id.eq(package.get()))
        .filter(versions::deleted_at.is_null())
        .order((versions::prerelease, versions::id.desc()))
        .select(ListedVersion::as_select())
        .first(c)
        .optional())?;
    Ok(newest)
}

/// The live version of a package that a tag names.
///
/// # Errors
/// The failure of the engine.
pub fn find_tagged(
    conn: &mut Conn,
    package: PackageId,
    tag: &TagName,
) -> DbResult<Option<Version>> {
    let found = on_conn!(conn, |c| tags::table
        .inner_join(versions::table.on(versions::id.eq(tags::version_id)))
        .filter(tags::package_id.eq(package.get()))
        .filter(tags::name.eq(tag.as_str()))
        .filter(versions::deleted_at.is_null())
        .select(Version::as_select())
        .first(c)
        .optional())?;
    Ok(found)
}

/// The live versions of a package among `wanted`, with the lengths of the bytes kept of them.
///
/// # Errors
/// The failure of the engine.
pub fn kept_sizes(
    conn: &mut Conn,
    package: PackageId,
    wanted: &[String],
) -> DbResult<Vec<(String, u64)>> {
    let found: Vec<(String, i64)> = on_conn!(conn, |c| versions::table
        .filter(versions::package_id.eq(package.get()))
        .filter(versions::name_key.eq_any(wanted))
        .filter(versions::deleted_at.is_null())
        .filter(versions::kept.is_not_null())
        .select((
            versions::name_key,
            sql::<BigInt>("cast(length(kept) as bigint)")
        ))
        .load(c))?;
    Ok(found
        .into_iter()
        .map(|(key, size)| (key, u64::try_from(size).unwrap_or_default()))
        .collect())
}

/// The README of a version, if it has one.
///
/// # Errors
/// The failure of the engine.
pub fn readme(conn: &mut Conn, id: VersionId) -> DbResult<Option<String>> {
    let found: Option<Option<String>> = on_conn!(conn, |c| versions::table
        .find(id.get())
        .select(versions::readme)
        .first(c)
        .optional())?;
    Ok(found.flatten())
}

/// Changes how a version stands; says whether it exists.
///
/// # Errors
/// The failure of the engine.
pub fn set_standing(
    tx: &mut Tx<'_>,
    id: VersionId,
    standing: Standing,
    reason: Option<&str>,
    at: Timestamp,
) -> DbResult<bool> {
    let changed = on_conn!(tx, |c| Cached(
        diesel::update(versions::table.find(id.get())).set((
            versions::standing.eq(standing.as_str()),
            versions::standing_reason.eq(reason),
            versions::updated_at.eq(at.as_micros()),
        ))
    )
    .execute(c))?;
    Ok(changed > 0)
}

/// Changes what a format keeps of a version; says whether it exists.
///
/// # Errors
/// The failure of the engine.
pub fn set_metadata(
    tx: &mut Tx<'_>,
    id: VersionId,
    metadata: &str,
    at: Timestamp,
) -> DbResult<bool> {
    let changed = on_conn!(tx, |c| Cached(
        diesel::update(versions::table.find(id.get())).set((
            versions::metadata.eq(metadata),
            versions::updated_at.eq(at.as_micros()),
        ))
    )
    .execute(c))?;
    Ok(changed > 0)
}

/// Deletes a version so that it can be restored; its number stays taken. Says whether it was
/// there and not deleted.
///
/// # Errors
/// The failure of the engine.
pub fn soft_delete(tx: &mut Tx<'_>, id: VersionId, at: Timestamp) -> DbResult<bool> {
    let changed = on_conn!(tx, |c| Cached(
        diesel::update(versions::table.find(id.get()))
            .filter(versions::deleted_at.is_null())
            .set(versions::deleted_at.eq(at.as_micros()))
    )
    .execute(c))?;
    Ok(changed > 0)
}

/// Undoes [`soft_delete`]; says whether the version was deleted.
///
/// # Errors
/// The failure of the engine.
pub fn restore(tx: &mut Tx<'_>, id: VersionId) -> DbResult<bool> {
    let changed = on_conn!(tx, |c| Cached(
        diesel::update(versions::table.find(id.get()))
            .filter(versions::deleted_at.is_not_null())
            .set(versions::deleted_at.eq(None::<i64>))
    )
    .execute(c))?;
    Ok(changed > 0)
}

/// The live versions of a package by their keys, in the order of publication.
///
/// # Errors
/// The failure of the engine.
pub fn keys(conn: &mut Conn, package: PackageId) -> DbResult<Vec<(NormalizedVersion, VersionId)>> {
    let found: Vec<(String, i64)> = on_conn!(conn, |c| versions::table
        .filter(versions::package_id.eq(package.get()))
        .filter(versions::deleted_at.is_null())
        .order(versions::id)
        .select((versions::name_key, versions::id))
        .load(c))?;
    found
        .into_iter()
        .map(|(key, id)| {
            let key =
                NormalizedVersion::new(key).map_err(|error| DbError::Malformed(Box::new(error)))?;
            Ok((key, VersionId::from(id)))
        })
        .collect()
}

/// Whether a deleted package of the same name has this version and may still be restored: it
/// was deleted after `since`.
///
/// # Errors
/// The failure of the engine.
pub fn is_taken_by_deleted_package(
    conn: &mut Conn,
    package: &Package,
    name_key: &NormalizedVersion,
    since: Timestamp,
) -> DbResult<bool> {
    let taken = on_conn!(conn, |c| diesel::select(diesel::dsl::exists(
        versions::table
            .inner_join(packages::table.on(packages::id.eq(versions::package_id)))
            .filter(packages::owner_id.eq(package.owner_id.get()))
            .filter(packages::ecosystem.eq(package.ecosystem.as_str()))
            .filter(packages::name_key.eq(package.name_key.as_str()))
            .filter(packages::deleted_at.gt(since.as_micros()))
            .filter(versions::name_key.eq(name_key.as_str()))
    ))
    .get_result(c))?;
    Ok(taken)
}

/// Removes a deleted version for good, its files with it; their blobs are the collector's.
///
/// # Errors
/// The failure of the engine.
pub fn remove(tx: &mut Tx<'_>, id: VersionId) -> DbResult<()> {
    on_conn!(tx, |c| diesel::delete(versions::table.find(id.get()))
        .execute(c))?;
    Ok(())
}
