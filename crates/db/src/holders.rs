//! What holds a blob, by name; and what a package names that it must have.

use diesel::prelude::*;
use packhouse_names::{Digest, PackageId, Sha256, Timestamp};

use crate::columns::Opt;
use crate::conn::{Conn, on_conn};
use crate::schema::{accounts, blobs, files, links, packages, version_references, versions};
use crate::{BlobState, DbResult};

/// A package, as an operator names it.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub struct HoldingPackage {
    pub owner: String,
    pub ecosystem: String,
    pub name: String,
    #[diesel(deserialize_as = Opt<i64>)]
    pub deleted_at: Option<Timestamp>,
}

/// A file whose bytes a blob is.
#[derive(Debug, Clone, Queryable)]
pub struct HoldingFile {
    pub package: HoldingPackage,
    pub file: String,
    /// `None` for a file of the package itself.
    pub version: Option<String>,
    #[diesel(deserialize_as = Opt<i64>)]
    pub version_deleted_at: Option<Timestamp>,
}

/// A package that links a blob.
#[derive(Debug, Clone, Queryable)]
pub struct HoldingLink {
    pub package: HoldingPackage,
    /// As the package names it.
    pub digest: String,
    #[diesel(deserialize_as = i64)]
    pub created_at: Timestamp,
    #[diesel(deserialize_as = Opt<i64>)]
    pub promised_until: Option<Timestamp>,
}

/// A version that names a blob.
#[derive(Debug, Clone, Queryable)]
pub struct HoldingReference {
    pub package: HoldingPackage,
    pub version: String,
    /// What it names it as.
    pub kind: String,
    #[diesel(deserialize_as = Opt<i64>)]
    pub version_deleted_at: Option<Timestamp>,
}

type Named = (
    accounts::login,
    packages::ecosystem,
    packages::name,
    packages::deleted_at,
);

const NAMED: Named = (
    accounts::login,
    packages::ecosystem,
    packages::name,
    packages::deleted_at,
);

/// Up to `limit` files whose bytes a blob is, the oldest first.
///
/// # Errors
/// The failure of the engine.
pub fn files(conn: &mut Conn, sha256: &Sha256, limit: u32) -> DbResult<Vec<HoldingFile>> {
    let found = on_conn!(conn, |c| files::table
        .inner_join(packages::table.on(packages::id.eq(files::package_id)))
        .inner_join(accounts::table.on(accounts::id.eq(packages::owner_id)))
        .left_join(versions::table.on(files::version_id.eq(versions::id.nullable())))
        .filter(files::sha256.eq(sha256.as_bytes().as_slice()))
        .order(files::id)
        .limit(i64::from(limit))
        .select((
            NAMED,
            files::name,
            versions::name.nullable(),
            versions::deleted_at.nullable(),
        ))
        .load(c))?;
    Ok(found)
}

/// Up to `limit` links to a blob, by package.
///
/// # Errors
/// The failure of the engine.
pub fn links(conn: &mut Conn, sha256: &Sha256, limit: u32) -> DbResult<Vec<HoldingLink>> {
    let found = on_conn!(conn, |c| links::table
        .inner_join(packages::table.on(packages::id.eq(links::package_id)))
        .inner_join(accounts::table.on(accounts::id.eq(packages::owner_id)))
        .filter(links::sha256.eq(sha256.as_bytes().as_slice()))
        .order((links::package_id, links::digest))
        .limit(i64::from(limit))
        .select((
            NAMED,
            links::digest,
            links::created_at,
            links::promised_until,
        ))
        .load(c))?;
    Ok(found)
}

/// Up to `limit` versions that name one of these digests, the oldest first.
///
/// # Errors
/// The failure of the engine.
pub fn references(
    conn: &mut Conn,
    digests: &[Digest],
    limit: u32,
) -> DbResult<Vec<HoldingReference>> {
    let names: Vec<String> = digests.iter().map(ToString::to_string).collect();
    let found = on_conn!(conn, |c| version_references::table
        .inner_join(versions::table.on(versions::id.eq(version_references::version_id)))
        .inner_join(packages::table.on(packages::id.eq(versions::package_id)))
        .inner_join(accounts::table.on(accounts::id.eq(packages::owner_id)))
        .filter(version_references::digest.eq_any(&names))
        .order((version_references::version_id, version_references::kind))
        .limit(i64::from(limit))
        .select((
            NAMED,
            versions::name,
            version_references::kind,
            versions::deleted_at,
        ))
        .load(c))?;
    Ok(found)
}

/// A live version that must have something, and what.
#[derive(Debug, Clone, Queryable)]
pub struct Requirement {
    pub package: HoldingPackage,
    #[diesel(deserialize_as = i64)]
    pub package_id: PackageId,
    #[diesel(deserialize_as = i64)]
    pub version_id: packhouse_names::VersionId,
    pub version: String,
    pub kind: String,
    pub digest: String,
}

/// Up to `limit` of the things that live versions must have, above a version and what it names.
///
/// # Errors
/// The failure of the engine.
pub fn requirements(
    conn: &mut Conn,
    after: &(i64, String, String),
    limit: u32,
) -> DbResult<Vec<Requirement>> {
    let (version, kind, digest) = after;
    let found = on_conn!(conn, |c| version_references::table
        .inner_join(versions::table.on(versions::id.eq(version_references::version_id)))
        .inner_join(packages::table.on(packages::id.eq(versions::package_id)))
        .inner_join(accounts::table.on(accounts::id.eq(packages::owner_id)))
        .filter(
            version_references::version_id
                .gt(version)
                .or(version_references::version_id.eq(version).and(
                    version_references::kind
                        .gt(kind)
                        .or(version_references::kind
                            .eq(kind)
                            .and(version_references::digest.gt(digest)))
                ))
        )
        .filter(version_references::required.eq(true))
        .filter(version_references::kind.ne(crate::ReferenceKind::Subject.as_str()))
        .filter(versions::deleted_at.is_null())
        .filter(packages::deleted_at.is_null())
        .order((
            version_references::version_id,
            version_references::kind,
            version_references::digest,
        ))
        .limit(i64::from(limit))
        .select((
            NAMED,
            packages::id,
            versions::id,
            versions::name,
            version_references::kind,
            version_references::digest,
        ))
        .load(c))?;
    Ok(found)
}

/// Whether a package has what a live version of it must have: a link to a live blob, or, for a
/// child, a live version.
///
/// # Errors
/// The failure of the engine.
pub fn is_met(conn: &mut Conn, package: PackageId, kind: &str, digest: &str) -> DbResult<bool> {
    let is_linked: bool = on_conn!(conn, |c| diesel::select(diesel::dsl::exists(
        links::table
            .inner_join(blobs::table.on(blobs::sha256.eq(links::sha256)))
            .filter(links::package_id.eq(package.get()))
            .filter(links::digest.eq(digest))
            .filter(blobs::state.eq(BlobState::Live.as_str()))
    ))
    .get_result(c))?;
    if is_linked || kind != crate::ReferenceKind::Child.as_str() {
        return Ok(is_linked);
    }
    let is_version: bool = on_conn!(conn, |c| diesel::select(diesel::dsl::exists(
        versions::table
            .filter(versions::package_id.eq(package.get()))
            .filter(versions::name_key.eq(digest))
            .filter(versions::deleted_at.is_null())
    ))
    .get_result(c))?;
    Ok(is_version)
}
