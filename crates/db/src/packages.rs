//! Packages, and the row lock that every read-modify-write of one begins with.

use diesel::dsl::case_when;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use packhouse_names::{
    AccountId, Ecosystem, Login, NormalizedName, PackageId, PackageName, RepoName, RepositoryId,
    Timestamp, Visibility,
};

use crate::columns::Opt;
use crate::conn::{Conn, Link, Tx, on_conn};
use crate::schema::{accounts, packages, repositories};
use crate::sql::Cached;
use crate::{AccountKind, DbError, DbResult};

diesel::alias!(accounts as repository_owners: RepositoryOwners);

/// A package, deleted or not.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = packages)]
pub struct Package {
    #[diesel(deserialize_as = i64)]
    pub id: PackageId,
    #[diesel(deserialize_as = i64)]
    pub owner_id: AccountId,
    #[diesel(deserialize_as = String)]
    pub ecosystem: Ecosystem,
    #[diesel(deserialize_as = String)]
    pub name: PackageName,
    #[diesel(deserialize_as = String)]
    pub name_key: NormalizedName,
    #[diesel(deserialize_as = Opt<i64>)]
    pub repository_id: Option<RepositoryId>,
    #[diesel(deserialize_as = String)]
    pub visibility: Visibility,
    /// Whether access comes from the linked repository instead of the package's own list.
    pub inherit_access: bool,
    /// Grows with every change that a rendered document could show.
    pub revision: i64,
    /// Versions that are not deleted; a package is listed once it has one.
    pub live_versions: i64,
    #[diesel(deserialize_as = i64)]
    pub created_at: Timestamp,
    /// Grows with every revision, by a microsecond at least.
    #[diesel(deserialize_as = i64)]
    pub updated_at: Timestamp,
    #[diesel(deserialize_as = Opt<i64>)]
    pub deleted_at: Option<Timestamp>,
}

/// A package to be.
#[derive(Debug, Clone)]
pub struct NewPackage {
    pub owner_id: AccountId,
    pub ecosystem: Ecosystem,
    pub name: PackageName,
    pub name_key: NormalizedName,
    pub repository_id: Option<RepositoryId>,
    pub visibility: Visibility,
    pub inherit_access: bool,
    pub created_at: Timestamp,
}

/// The account that owns a package.
#[derive(Debug, Clone, Queryable)]
pub struct Owner {
    #[diesel(deserialize_as = i64)]
    pub id: AccountId,
    #[diesel(deserialize_as = String)]
    pub login: Login,
    #[diesel(deserialize_as = String)]
    pub kind: AccountKind,
    #[diesel(deserialize_as = String)]
    pub default_visibility: Visibility,
}

/// The repository that a package is linked to.
#[derive(Debug, Clone, Queryable)]
pub struct LinkedRepository {
    #[diesel(deserialize_as = i64)]
    pub id: RepositoryId,
    #[diesel(deserialize_as = i64)]
    pub owner_id: AccountId,
    #[diesel(deserialize_as = String)]
    pub name: RepoName,
    #[diesel(deserialize_as = String)]
    pub visibility: Visibility,
    #[diesel(deserialize_as = String)]
    pub owner_login: Login,
}

/// What every request about a package needs before anything else.
#[derive(Debug, Clone, Queryable)]
pub struct HeadRow {
    pub package: Package,
    pub owner: Owner,
    /// `None` also when the linked repository is deleted.
    pub repository: Option<LinkedRepository>,
}

/// A package that is not deleted, with its owner and its repository, by the keys of its address.
///
/// # Errors
/// The failure of the engine.
pub fn find_head(
    conn: &mut Conn,
    owner_key: &str,
    ecosystem: Ecosystem,
    name_key: &NormalizedName,
) -> DbResult<Option<HeadRow>> {
    let found = on_conn!(conn, |c| packages::table
        .inner_join(accounts::table.on(accounts::id.eq(packages::owner_id)))
        .left_join(
            repositories::table.on(repositories::id
                .nullable()
                .eq(packages::repository_id)
                .and(repositories::deleted_at.is_null()))
        )
        .left_join(
            repository_owners.on(repository_owners
                .field(accounts::id)
                .eq(repositories::owner_id))
        )
        .filter(accounts::login_key.eq(owner_key))
        .filter(packages::ecosystem.eq(ecosystem.as_str()))
        .filter(packages::name_key.eq(name_key.as_str()))
        .filter(packages::deleted_at.is_null())
        .select((
            Package::as_select(),
            (
                accounts::id,
                accounts::login,
                accounts::kind,
                accounts::default_visibility,
            ),
            (
                repositories::id,
                repositories::owner_id,
                repositories::name,
                repositories::visibility,
                repository_owners.field(accounts::login),
            )
                .nullable(),
        ))
        .first(c)
        .optional())?;
    Ok(found)
}

/// The package with this id, deleted or not.
///
/// # Errors
/// The failure of the engine.
pub fn find(conn: &mut Conn, id: PackageId) -> DbResult<Option<Package>> {
    let found = on_conn!(conn, |c| packages::table
        .find(id.get())
        .select(Package::as_select())
        .first(c)
        .optional())?;
    Ok(found)
}

/// A package that is not deleted, by id, with its owner.
///
/// # Errors
/// The failure of the engine.
pub fn with_owner(conn: &mut Conn, id: PackageId) -> DbResult<Option<(Package, Owner)>> {
    let found = on_conn!(conn, |c| packages::table
        .inner_join(accounts::table.on(accounts::id.eq(packages::owner_id)))
        .filter(packages::id.eq(id.get()))
        .filter(packages::deleted_at.is_null())
        .select((
            Package::as_select(),
            (
                accounts::id,
                accounts::login,
                accounts::kind,
                accounts::default_visibility,
            )
        ))
        .first(c)
        .optional())?;
    Ok(found)
}

fn insert(tx: &mut Tx<'_>, new: &NewPackage) -> DbResult<Option<Package>> {
    let made = on_conn!(tx, |c| diesel::insert_into(packages::table)
        .values((
            packages::owner_id.eq(new.owner_id.get()),
            packages::ecosystem.eq(new.ecosystem.as_str()),
            packages::name.eq(new.name.as_str()),
            packages::name_key.eq(new.name_key.as_str()),
            packages::repository_id.eq(new.repository_id.map(RepositoryId::get)),
            packages::visibility.eq(new.visibility.as_str()),
            packages::inherit_access.eq(new.inherit_access),
            packages::revision.eq(0),
            packages::live_versions.eq(0),
            packages::created_at.eq(new.created_at.as_micros()),
            packages::updated_at.eq(new.created_at.as_micros()),
        ))
        .on_conflict_do_nothing()
        .returning(Package::as_returning())
        .get_result(c)
        .optional())?;
    Ok(made)
}

/// The package of this owner, ecosystem and name, made if it was not there, and whether it was
/// made. Either way its row is locked until the transaction ends.
///
/// # Errors
/// [`DbError::Reference`] when the owner or the repository is not there; [`DbError::Contended`]
/// when others keep deleting what is found here.
pub fn insert_or_get(tx: &mut Tx<'_>, new: &NewPackage) -> DbResult<(Package, bool)> {
    // Between losing the race to insert and reading the winner, the winner can be deleted.
    for _attempt in 0..3 {
        if let Some(made) = insert(tx, new)? {
            return Ok((made, true));
        }
        let standing = packages::table
            .filter(packages::owner_id.eq(new.owner_id.get()))
            .filter(packages::ecosystem.eq(new.ecosystem.as_str()))
            .filter(packages::name_key.eq(new.name_key.as_str()))
            .filter(packages::deleted_at.is_null());
        let found = match &mut tx.link {
            Link::Pg(c) => standing
                .select(Package::as_select())
                .for_no_key_update()
                .first(c)
                .optional(),
            Link::Sqlite(c) => standing.select(Package::as_select()).first(c).optional(),
        }?;
        if let Some(found) = found {
            return Ok((found, false));
        }
    }
    Err(DbError::Contended)
}

/// Locks a package's row until the transaction ends and reads it, deleted or not: the first line
/// of whatever reads in order to write. SQLite's one writer already excludes everybody else.
///
/// Rows that refer to the package may still be made meanwhile: who links a blob holds the blob
/// already, which whoever holds the package may be waiting for.
///
/// # Errors
/// [`DbError::NotFound`] when there is no such row.
pub fn lock(tx: &mut Tx<'_>, id: PackageId) -> DbResult<Package> {
    let row = packages::table.find(id.get());
    let found = match &mut tx.link {
        Link::Pg(c) => row
            .select(Package::as_select())
            .for_no_key_update()
            .first(c),
        Link::Sqlite(c) => row.select(Package::as_select()).first(c),
    }?;
    Ok(found)
}

/// Begins a new revision of a package and answers its number.
///
/// # Errors
/// [`DbError::NotFound`] when there is no such row.
pub fn bump(tx: &mut Tx<'_>, id: PackageId, at: Timestamp) -> DbResult<i64> {
    let revision = on_conn!(tx, |c| Cached(
        diesel::update(packages::table.find(id.get()))
            .set((
                packages::revision.eq(packages::revision + 1),
                packages::indexed.eq(false),
                packages::updated_at.eq(case_when(
                    packages::updated_at.lt(at.as_micros()),
                    at.as_micros().into_sql::<BigInt>()
                )
                .otherwise(packages::updated_at + 1)),
            ))
            .returning(packages::revision)
    )
    .get_result(c))?;
    Ok(revision)
}

/// Adds to the number of versions that are not deleted; negative when some were.
///
/// # Errors
/// [`DbError::Query`] when it would fall below zero.
pub fn add_live_versions(tx: &mut Tx<'_>, id: PackageId, change: i64) -> DbResult<()> {
    on_conn!(tx, |c| Cached(
        diesel::update(packages::table.find(id.get()))
            .set(packages::live_versions.eq(packages::live_versions + change))
            .returning(packages::id)
    )
    .count(c))?;
    Ok(())
}

/// Changes who may see a package without being named.
///
/// # Errors
/// The failure of the engine.
pub fn set_visibility(tx: &mut Tx<'_>, id: PackageId, visibility: Visibility) -> DbResult<()> {
    on_conn!(tx, |c| Cached(
        diesel::update(packages::table.find(id.get()))
            .set(packages::visibility.eq(visibility.as_str()))
    )
    .execute(c))?;
    Ok(())
}

/// Links a package to a repository, or unlinks it.
///
/// # Errors
/// [`DbError::Reference`] when there is no such repository.
pub fn set_repository(
    tx: &mut Tx<'_>,
    id: PackageId,
    repository: Option<RepositoryId>,
) -> DbResult<()> {
    on_conn!(tx, |c| Cached(
        diesel::update(packages::table.find(id.get()))
            .set(packages::repository_id.eq(repository.map(RepositoryId::get)))
    )
    .execute(c))?;
    Ok(())
}

/// Switches between the repository's access list and the package's own. What the own list holds
/// is for the caller to wipe ([`crate::grants::clear`]).
///
/// # Errors
/// The failure of the engine.
pub fn set_inherit(tx: &mut Tx<'_>, id: PackageId, inherit_access: bool) -> DbResult<()> {
    on_conn!(tx, |c| Cached(
        diesel::update(packages::table.find(id.get()))
            .set(packages::inherit_access.eq(inherit_access))
    )
    .execute(c))?;
    Ok(())
}

/// Deletes a package so that it can be restored; its name is free at once. Says whether it was
/// there and not deleted.
///
/// # Errors
/// The failure of the engine.
pub fn soft_delete(tx: &mut Tx<'_>, id: PackageId, at: Timestamp) -> DbResult<bool> {
    let changed = on_conn!(tx, |c| Cached(
        diesel::update(packages::table.find(id.get()))
            .filter(packages::deleted_at.is_null())
            .set(packages::deleted_at.eq(at.as_micros()))
    )
    .execute(c))?;
    Ok(changed > 0)
}

/// Undoes [`soft_delete`]; says whether the package was deleted.
///
/// # Errors
/// [`DbError::Duplicate`] when its name was taken meanwhile. On PostgreSQL the transaction is
/// then only good for rolling back.
pub fn restore(tx: &mut Tx<'_>, id: PackageId) -> DbResult<bool> {
    let changed = on_conn!(tx, |c| Cached(
        diesel::update(packages::table.find(id.get()))
            .filter(packages::deleted_at.is_not_null())
            .set(packages::deleted_at.eq(None::<i64>))
    )
    .execute(c))?;
    Ok(changed > 0)
}

/// Up to `limit` listed packages of an owner with an id above `after`, in the order of their ids;
/// of one ecosystem, or of all.
///
/// # Errors
/// The failure of the engine.
pub fn list_by_owner(
    conn: &mut Conn,
    owner: AccountId,
    ecosystem: Option<Ecosystem>,
    after: Option<PackageId>,
    limit: u32,
) -> DbResult<Vec<Package>> {
    let found = on_conn!(conn, |c| {
        let mut query = packages::table
            .filter(packages::owner_id.eq(owner.get()))
            .filter(packages::deleted_at.is_null())
            .filter(packages::live_versions.gt(0))
            .filter(packages::id.gt(after.map_or(0, PackageId::get)))
            .order(packages::id)
            .limit(i64::from(limit))
            .select(Package::as_select())
            .into_boxed();
        if let Some(ecosystem) = ecosystem {
            query = query.filter(packages::ecosystem.eq(ecosystem.as_str()));
        }
        query.load(c)
    })?;
    Ok(found)
}
