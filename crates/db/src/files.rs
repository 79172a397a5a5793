//! Files of versions, and of packages where a client uploads their index.

use diesel::prelude::*;
use packhouse_names::{
    FileId, FileName, Md5, PackageId, Sha1, Sha256, Sha512, StorageKey, Timestamp, VersionId,
};

use crate::columns::Opt;
use crate::conn::{Conn, Tx, on_conn};
use crate::schema::{blobs, files, versions};
use crate::versions::stored_size;
use crate::{DbError, DbResult};

/// A file of a version, or of a package.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = files)]
pub struct File {
    #[diesel(deserialize_as = i64)]
    pub id: FileId,
    #[diesel(deserialize_as = Opt<i64>)]
    pub version_id: Option<VersionId>,
    #[diesel(deserialize_as = String)]
    pub name: FileName,
    #[diesel(deserialize_as = Vec<u8>)]
    pub sha256: Sha256,
    #[diesel(deserialize_as = Opt<Vec<u8>>)]
    pub sha512: Option<Sha512>,
    #[diesel(deserialize_as = Opt<Vec<u8>>)]
    pub sha1: Option<Sha1>,
    #[diesel(deserialize_as = Opt<Vec<u8>>)]
    pub md5: Option<Md5>,
    #[diesel(deserialize_as = i64)]
    pub size_bytes: u64,
    pub media_type: String,
    #[diesel(deserialize_as = i64)]
    pub created_at: Timestamp,
}

/// A file to be; its blob must be there.
#[derive(Debug, Clone)]
pub struct NewFile {
    pub package_id: PackageId,
    /// `None` for a file of the package itself.
    pub version_id: Option<VersionId>,
    pub name: FileName,
    pub sha256: Sha256,
    pub sha512: Option<Sha512>,
    pub sha1: Option<Sha1>,
    pub md5: Option<Md5>,
    pub size_bytes: u64,
    pub media_type: String,
    pub created_at: Timestamp,
}

/// What a download needs: the file, where its bytes lie, and whether its version is deleted.
#[derive(Debug, Clone, Queryable)]
pub struct FileRow {
    pub file: File,
    #[diesel(deserialize_as = String)]
    pub storage_key: StorageKey,
    #[diesel(deserialize_as = Opt<i64>)]
    pub version_deleted_at: Option<Timestamp>,
}

/// Makes a file.
///
/// # Errors
/// [`DbError::Duplicate`] when the version, or the package, has a file of this name;
/// [`DbError::Reference`] when its blob, its version or its package is not there.
pub fn insert(tx: &mut Tx<'_>, new: &NewFile) -> DbResult<FileId> {
    let made: Option<i64> = on_conn!(tx, |c| diesel::insert_into(files::table)
        .values((
            files::package_id.eq(new.package_id.get()),
            files::version_id.eq(new.version_id.map(VersionId::get)),
            files::name.eq(new.name.as_str()),
            files::sha256.eq(new.sha256.as_bytes().as_slice()),
            files::sha512.eq(new.sha512.as_ref().map(|sum| sum.as_bytes().as_slice())),
            files::sha1.eq(new.sha1.as_ref().map(|sum| sum.as_bytes().as_slice())),
            files::md5.eq(new.md5.as_ref().map(|sum| sum.as_bytes().as_slice())),
            files::size_bytes.eq(stored_size(new.size_bytes)),
            files::media_type.eq(&new.media_type),
            files::created_at.eq(new.created_at.as_micros()),
        ))
        .on_conflict_do_nothing()
        .returning(files::id)
        .get_result(c)
        .optional())?;
    made.map(FileId::from).ok_or(DbError::Duplicate)
}

/// All files of a package's versions that are not deleted, by version and then by id. Files of
/// the package itself are not among them.
///
/// # Errors
/// The failure of the engine.
pub fn list(conn: &mut Conn, package: PackageId) -> DbResult<Vec<File>> {
    let found = on_conn!(conn, |c| files::table
        .inner_join(versions::table.on(files::version_id.eq(versions::id.nullable())))
        .filter(versions::package_id.eq(package.get()))
        .filter(versions::deleted_at.is_null())
        .order((versions::id, files::id))
        .select(File::as_select())
        .load(c))?;
    Ok(found)
}

/// The files of one version, by id.
///
/// # Errors
/// The failure of the engine.
pub fn list_of_version(conn: &mut Conn, version: VersionId) -> DbResult<Vec<File>> {
    let found = on_conn!(conn, |c| files::table
        .filter(files::version_id.eq(version.get()))
        .order(files::id)
        .select(File::as_select())
        .load(c))?;
    Ok(found)
}

/// The file of this name, whichever version of the package has it. Where several have, as where
/// names do not hold the version, the newest answers; see [`find_in_version`].
///
/// # Errors
/// The failure of the engine.
pub fn find(conn: &mut Conn, package: PackageId, name: &FileName) -> DbResult<Option<FileRow>> {
    let found = on_conn!(conn, |c| files::table
        .inner_join(blobs::table.on(blobs::sha256.eq(files::sha256)))
        .left_join(versions::table.on(files::version_id.eq(versions::id.nullable())))
        .filter(files::package_id.eq(package.get()))
        .filter(files::name.eq(name.as_str()))
        .order(files::id.desc())
        .select((
            File::as_select(),
            blobs::storage_key,
            versions::deleted_at.nullable(),
        ))
        .first(c)
        .optional())?;
    Ok(found)
}

/// The file of this name of one version.
///
/// # Errors
/// The failure of the engine.
pub fn find_in_version(
    conn: &mut Conn,
    version: VersionId,
    name: &FileName,
) -> DbResult<Option<FileRow>> {
    let found = on_conn!(conn, |c| files::table
        .inner_join(blobs::table.on(blobs::sha256.eq(files::sha256)))
        .left_join(versions::table.on(files::version_id.eq(versions::id.nullable())))
        .filter(files::version_id.eq(version.get()))
        .filter(files::name.eq(name.as_str()))
        .select((
            File::as_select(),
            blobs::storage_key,
            versions::deleted_at.nullable(),
        ))
        .first(c)
        .optional())?;
    Ok(found)
}
