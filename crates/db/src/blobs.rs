//! Blobs, which every ecosystem shares, and the links through which a package reads one.

use std::collections::HashMap;

use diesel::dsl::case_when;
use diesel::prelude::*;
use diesel::upsert::excluded;
use packhouse_names::{Digest, Ecosystem, PackageId, Sha256, Sha512, StorageKey, Timestamp};

use crate::columns::Opt;
use crate::conn::{Conn, Link, Tx, on_conn};
use crate::schema::{accounts, blobs, links, packages};
use crate::sql::Cached;
use crate::versions::stored_size;
use crate::{BlobState, DbResult};

/// A blob.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = blobs)]
pub struct Blob {
    #[diesel(deserialize_as = Vec<u8>)]
    pub sha256: Sha256,
    #[diesel(deserialize_as = Opt<Vec<u8>>)]
    pub sha512: Option<Sha512>,
    /// Where its bytes lie.
    #[diesel(deserialize_as = String)]
    pub storage_key: StorageKey,
    #[diesel(deserialize_as = i64)]
    pub size_bytes: u64,
    #[diesel(deserialize_as = String)]
    pub state: BlobState,
    /// Since when, where it is condemned.
    #[diesel(deserialize_as = Opt<i64>)]
    pub condemned_at: Option<Timestamp>,
    /// The collector leaves it alone until then, referred to or not.
    #[diesel(deserialize_as = Opt<i64>)]
    pub promised_until: Option<Timestamp>,
    #[diesel(deserialize_as = i64)]
    pub created_at: Timestamp,
}

/// A blob to be; its bytes must be durable under `storage_key` already.
#[derive(Debug, Clone)]
pub struct NewBlob {
    pub sha256: Sha256,
    pub sha512: Option<Sha512>,
    pub storage_key: StorageKey,
    pub size_bytes: u64,
    pub promised_until: Option<Timestamp>,
    pub created_at: Timestamp,
}

/// A blob by its digest, whatever its state.
///
/// # Errors
/// The failure of the engine.
pub fn find(conn: &mut Conn, sha256: &Sha256) -> DbResult<Option<Blob>> {
    let found = on_conn!(conn, |c| blobs::table
        .find(sha256.as_bytes().as_slice())
        .select(Blob::as_select())
        .first(c)
        .optional())?;
    Ok(found)
}

/// A blob by its second digest, whatever its state; known only where it was computed.
///
/// # Errors
/// The failure of the engine.
pub fn find_by_sha512(conn: &mut Conn, sha512: &Sha512) -> DbResult<Option<Blob>> {
    let found = on_conn!(conn, |c| blobs::table
        .filter(blobs::sha512.eq(sha512.as_bytes().as_slice()))
        .select(Blob::as_select())
        .first(c)
        .optional())?;
    Ok(found)
}

/// Up to `limit` blobs above `after`, in the order of their digests, whatever their state.
///
/// # Errors
/// The failure of the engine.
pub fn page(conn: &mut Conn, after: Option<Sha256>, limit: u32) -> DbResult<Vec<Blob>> {
    let after = after
        .map(|sha256| sha256.as_bytes().to_vec())
        .unwrap_or_default();
    let found = on_conn!(conn, |c| blobs::table
        .filter(blobs::sha256.gt(after))
        .order(blobs::sha256)
        .limit(i64::from(limit))
        .select(Blob::as_select())
        .load(c))?;
    Ok(found)
}

/// The live blob of this digest, made or revived if need be.
///
/// A live one stays as it is; a condemned one comes back under the new storage key, for its old
/// bytes may be gone any moment. If another key than the given one is answered, the caller's
/// object lost and is to be dropped.
///
/// The row is locked until the transaction ends, so that nothing condemns it under the caller. A
/// later promise extends an earlier one.
///
/// # Errors
/// [`crate::DbError::Duplicate`] when the storage key is taken.
pub fn insert_or_get(tx: &mut Tx<'_>, new: &NewBlob) -> DbResult<Blob> {
    let is_condemned = || blobs::state.eq(BlobState::Condemned.as_str());
    let blob = on_conn!(tx, |c| Cached(
        diesel::insert_into(blobs::table)
            .values((
                blobs::sha256.eq(new.sha256.as_bytes().as_slice()),
                blobs::sha512.eq(new.sha512.as_ref().map(|sum| sum.as_bytes().as_slice())),
                blobs::storage_key.eq(new.storage_key.as_str()),
                blobs::size_bytes.eq(stored_size(new.size_bytes)),
                blobs::state.eq(BlobState::Live.as_str()),
                blobs::promised_until.eq(new.promised_until.map(Timestamp::as_micros)),
                blobs::created_at.eq(new.created_at.as_micros()),
            ))
            .on_conflict(blobs::sha256)
            .do_update()
            .set((
                blobs::storage_key.eq(case_when(is_condemned(), excluded(blobs::storage_key))
                    .otherwise(blobs::storage_key)),
                blobs::sha512.eq(case_when(blobs::sha512.is_null(), excluded(blobs::sha512))
                    .otherwise(blobs::sha512)),
                blobs::promised_until.eq(case_when(
                    blobs::promised_until
                        .is_null()
                        .or(excluded(blobs::promised_until).gt(blobs::promised_until)),
                    excluded(blobs::promised_until)
                )
                .otherwise(blobs::promised_until)),
                blobs::state.eq(excluded(blobs::state)),
                blobs::condemned_at.eq(None::<i64>),
            ))
            .returning(Blob::as_returning())
    )
    .get_result(c))?;
    Ok(blob)
}

/// Lets a package read a blob under the digest that its client used. A later promise extends an
/// earlier one.
///
/// # Errors
/// [`crate::DbError::Reference`] when the package or the blob is not there.
pub fn link(
    tx: &mut Tx<'_>,
    package: PackageId,
    digest: &Digest,
    sha256: &Sha256,
    promised_until: Option<Timestamp>,
    at: Timestamp,
) -> DbResult<()> {
    on_conn!(tx, |c| Cached(
        diesel::insert_into(links::table)
            .values((
                links::package_id.eq(package.get()),
                links::digest.eq(digest.to_string()),
                links::sha256.eq(sha256.as_bytes().as_slice()),
                links::promised_until.eq(promised_until.map(Timestamp::as_micros)),
                links::created_at.eq(at.as_micros()),
            ))
            .on_conflict((links::package_id, links::digest))
            .do_update()
            .set(
                links::promised_until.eq(case_when(
                    links::promised_until
                        .is_null()
                        .or(excluded(links::promised_until).gt(links::promised_until)),
                    excluded(links::promised_until)
                )
                .otherwise(links::promised_until))
            )
            .returning(links::package_id)
    )
    .count(c))?;
    Ok(())
}

/// A blob as a package links it.
#[derive(Debug, Clone, Queryable)]
pub struct LinkedBlob {
    pub blob: Blob,
    /// The collector leaves the link alone until then.
    #[diesel(deserialize_as = Opt<i64>)]
    pub promised_until: Option<Timestamp>,
}

/// The blob that a package links under this digest.
///
/// # Errors
/// The failure of the engine.
pub fn find_linked(
    conn: &mut Conn,
    package: PackageId,
    digest: &Digest,
) -> DbResult<Option<LinkedBlob>> {
    let found = on_conn!(conn, |c| links::table
        .inner_join(blobs::table.on(blobs::sha256.eq(links::sha256)))
        .filter(links::package_id.eq(package.get()))
        .filter(links::digest.eq(digest.to_string()))
        .select((Blob::as_select(), links::promised_until))
        .first(c)
        .optional())?;
    Ok(found)
}

/// Promises that a blob and a package's link to it stay until `until` at least; says whether they
/// are there.
///
/// # Errors
/// The failure of the engine.
pub fn promise(
    tx: &mut Tx<'_>,
    package: PackageId,
    digest: &Digest,
    until: Timestamp,
) -> DbResult<bool> {
    let Some(LinkedBlob { blob, .. }) = find_linked(tx, package, digest)? else {
        return Ok(false);
    };
    let until = until.as_micros();
    // the blob before the link, as whoever uploads does: two orders could wait for each other
    let is_live = on_conn!(tx, |c| Cached(
        diesel::update(blobs::table.find(blob.sha256.as_bytes().as_slice()))
            .filter(blobs::state.eq(BlobState::Live.as_str()))
            .set(blobs::promised_until.eq(
                case_when(blobs::promised_until.gt(until), blobs::promised_until).otherwise(until)
            ))
            .returning(blobs::size_bytes)
    )
    .count(c))?;
    let is_linked = on_conn!(tx, |c| Cached(
        diesel::update(links::table.find((package.get(), digest.to_string())))
            .set(links::promised_until.eq(
                case_when(links::promised_until.gt(until), links::promised_until).otherwise(until)
            ))
            .returning(links::package_id)
    )
    .count(c))?;
    Ok(is_live > 0 && is_linked > 0)
}

/// Images of up to this many blobs have their statements kept.
const COMMON_BLOBS: usize = 16;

/// The digests among `wanted` that a package links to live blobs, with the blobs' sizes. The blobs'
/// rows are locked until the transaction ends, so that nothing condemns them under the caller.
///
/// # Errors
/// The failure of the engine.
pub fn lock_linked(
    tx: &mut Tx<'_>,
    package: PackageId,
    wanted: &[String],
) -> DbResult<Vec<(String, u64)>> {
    // a statement for each number of blobs; those of common images are worth keeping
    let is_common = wanted.len() <= COMMON_BLOBS;
    let names = links::table
        .filter(links::package_id.eq(package.get()))
        .filter(links::digest.eq_any(wanted))
        .select((links::digest, links::sha256));
    let named: Vec<(String, Vec<u8>)> = on_conn!(tx, |c| match is_common {
        true => Cached(names).load(c),
        false => names.load(c),
    })?;
    let keys: Vec<&[u8]> = named.iter().map(|(_, sha256)| sha256.as_slice()).collect();
    // the blobs alone, always in one order: whoever uploads one of them holds it and comes to the
    // link next
    let rows = blobs::table
        .filter(blobs::sha256.eq_any(keys))
        .filter(blobs::state.eq(BlobState::Live.as_str()))
        .order(blobs::sha256)
        .select((blobs::sha256, blobs::size_bytes));
    let found: Vec<(Vec<u8>, i64)> = match &mut tx.link {
        Link::Pg(c) => rows.for_share().load(c),
        Link::Sqlite(c) if is_common => Cached(rows).load(c),
        Link::Sqlite(c) => rows.load(c),
    }?;
    let sizes: HashMap<Vec<u8>, i64> = found.into_iter().collect();
    Ok(named
        .into_iter()
        .filter_map(|(digest, sha256)| {
            let size = *sizes.get(&sha256)?;
            Some((digest, u64::try_from(size).unwrap_or_default()))
        })
        .collect())
}

/// Up to `limit` packages of an ecosystem, not deleted, that link a live blob under this digest,
/// as the keys of their owners and names.
///
/// # Errors
/// The failure of the engine.
pub fn linking_packages(
    conn: &mut Conn,
    ecosystem: Ecosystem,
    digest: &Digest,
    limit: u32,
) -> DbResult<Vec<(String, String)>> {
    let name = digest.to_string();
    // through the blob's own key, which has an index: the digest as named has none across packages
    let sha256 = match digest {
        Digest::Sha256(sha256) => Some(*sha256),
        Digest::Sha512(sha512) => find_by_sha512(conn, sha512)?.map(|blob| blob.sha256),
    };
    let Some(sha256) = sha256 else {
        return Ok(Vec::new());
    };
    let found = on_conn!(conn, |c| links::table
        .inner_join(blobs::table.on(blobs::sha256.eq(links::sha256)))
        .inner_join(packages::table.on(packages::id.eq(links::package_id)))
        .inner_join(accounts::table.on(accounts::id.eq(packages::owner_id)))
        .filter(links::sha256.eq(sha256.as_bytes().as_slice()))
        .filter(links::digest.eq(&name))
        .filter(blobs::state.eq(BlobState::Live.as_str()))
        .filter(packages::ecosystem.eq(ecosystem.as_str()))
        .filter(packages::deleted_at.is_null())
        .order(packages::id)
        .limit(i64::from(limit))
        .select((accounts::login_key, packages::name_key))
        .load(c))?;
    Ok(found)
}

/// Takes a blob away from a package; says whether it had it. The blob stays.
///
/// # Errors
/// The failure of the engine.
pub fn unlink(tx: &mut Tx<'_>, package: PackageId, digest: &Digest) -> DbResult<bool> {
    let removed = on_conn!(tx, |c| diesel::delete(
        links::table.find((package.get(), digest.to_string()))
    )
    .execute(c))?;
    Ok(removed > 0)
}
