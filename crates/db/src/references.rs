//! What versions name by digest: a manifest's config, layers, children and subject.

use diesel::prelude::*;
use packhouse_names::{Digest, NormalizedVersion, PackageId, VersionId, VersionText};

use crate::conn::{Conn, Tx, on_conn};
use crate::schema::{version_references, versions};
use crate::versions::{ListedVersion, stored_size};
use crate::{DbError, DbResult, ReferenceKind};

/// A reference to be.
#[derive(Debug, Clone)]
pub struct NewReference {
    pub kind: ReferenceKind,
    pub digest: Digest,
    pub media_type: Option<String>,
    pub size_bytes: u64,
    /// What the version is to the subject that it names.
    pub artifact_type: Option<String>,
    /// Whether it must be there.
    pub is_required: bool,
}

/// Notes what a version names; naming a thing twice is naming it once.
///
/// # Errors
/// [`DbError::Reference`] when the version is not there.
pub fn insert(tx: &mut Tx<'_>, version: VersionId, new: &[NewReference]) -> DbResult<()> {
    for reference in new {
        on_conn!(tx, |c| diesel::insert_into(version_references::table)
            .values((
                version_references::version_id.eq(version.get()),
                version_references::kind.eq(reference.kind.as_str()),
                version_references::digest.eq(reference.digest.to_string()),
                version_references::media_type.eq(reference.media_type.as_deref()),
                version_references::size_bytes.eq(stored_size(reference.size_bytes)),
                version_references::artifact_type.eq(reference.artifact_type.as_deref()),
                version_references::required.eq(reference.is_required),
            ))
            .on_conflict_do_nothing()
            .execute(c))?;
    }
    Ok(())
}

/// What a live version names as its child or its subject.
#[derive(Debug, Clone, Queryable)]
pub struct Relation {
    #[diesel(deserialize_as = i64)]
    pub version_id: VersionId,
    /// The version's own key.
    pub version: String,
    pub kind: String,
    pub digest: String,
}

/// What live versions of a package name as their children and subjects; with `of`, those alone
/// that name this digest.
///
/// # Errors
/// The failure of the engine.
pub fn relations(conn: &mut Conn, package: PackageId, of: Option<&str>) -> DbResult<Vec<Relation>> {
    let kinds = [
        ReferenceKind::Child.as_str(),
        ReferenceKind::Subject.as_str(),
    ];
    let found = on_conn!(conn, |c| {
        let mut query = version_references::table
            .inner_join(versions::table.on(versions::id.eq(version_references::version_id)))
            .filter(version_references::kind.eq_any(kinds))
            .filter(versions::package_id.eq(package.get()))
            .filter(versions::deleted_at.is_null())
            .order(versions::id)
            .select((
                versions::id,
                versions::name_key,
                version_references::kind,
                version_references::digest,
            ))
            .into_boxed();
        if let Some(of) = of {
            query = query.filter(version_references::digest.eq(of));
        }
        query.load(c)
    })?;
    Ok(found)
}

/// A live version of a package that names this digest as one of `kinds`, if there is one.
///
/// # Errors
/// The failure of the engine.
pub fn find_holder(
    conn: &mut Conn,
    package: PackageId,
    digest: &str,
    kinds: &[ReferenceKind],
) -> DbResult<Option<VersionText>> {
    let kinds: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
    let found: Option<String> = on_conn!(conn, |c| version_references::table
        .inner_join(versions::table.on(versions::id.eq(version_references::version_id)))
        .filter(version_references::digest.eq(digest))
        .filter(version_references::kind.eq_any(&kinds))
        .filter(versions::package_id.eq(package.get()))
        .filter(versions::deleted_at.is_null())
        .order(versions::id)
        .select(versions::name)
        .first(c)
        .optional())?;
    found
        .map(|name| VersionText::new(name).map_err(|error| DbError::Malformed(Box::new(error))))
        .transpose()
}

/// Up to `limit` live versions of a package that name this digest as their subject, with a key
/// above `after`, in the order of their keys; of one artifact type, or of all.
///
/// # Errors
/// The failure of the engine.
pub fn referrers(
    conn: &mut Conn,
    package: PackageId,
    subject: &Digest,
    artifact_type: Option<&str>,
    after: Option<&NormalizedVersion>,
    limit: u32,
) -> DbResult<Vec<ListedVersion>> {
    let found = on_conn!(conn, |c| {
        let mut query = version_references::table
            .inner_join(versions::table.on(versions::id.eq(version_references::version_id)))
            .filter(version_references::digest.eq(subject.to_string()))
            .filter(version_references::kind.eq(ReferenceKind::Subject.as_str()))
            .filter(versions::package_id.eq(package.get()))
            .filter(versions::deleted_at.is_null())
            .order(versions::name_key)
            .limit(i64::from(limit))
            .select(ListedVersion::as_select())
            .into_boxed();
        if let Some(artifact_type) = artifact_type {
            query = query.filter(version_references::artifact_type.eq(artifact_type));
        }
        if let Some(after) = after {
            query = query.filter(versions::name_key.gt(after.as_str()));
        }
        query.load(c)
    })?;
    Ok(found)
}
