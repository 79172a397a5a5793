//! What the collector asks and does: blobs that nothing holds, links that nothing needs, versions
//! and packages that nobody can restore any more.
//!
//! A blob is held by a file, by a link, and by whatever a version names by its digest, deleted
//! versions and packages included for as long as their rows are there.

use std::collections::HashSet;

use diesel::dsl::exists;
use diesel::prelude::*;
use packhouse_names::{Digest, PackageId, Sha256, Sha512, StorageKey, Timestamp, VersionId};

use crate::columns::Opt;
use crate::conn::{Conn, Link, Tx, on_conn};
use crate::schema::{blobs, condemned, files, links, packages, version_references, versions};
use crate::sql::Cached;
use crate::{BlobState, DbError, DbResult};

/// A blob, as far as the collector looks at it.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = blobs)]
pub struct Candidate {
    #[diesel(deserialize_as = Vec<u8>)]
    pub sha256: Sha256,
    #[diesel(deserialize_as = Opt<Vec<u8>>)]
    pub sha512: Option<Sha512>,
    #[diesel(deserialize_as = String)]
    pub storage_key: StorageKey,
    #[diesel(deserialize_as = i64)]
    pub size_bytes: u64,
}

/// An object whose blob was condemned.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = condemned)]
pub struct CondemnedObject {
    #[diesel(deserialize_as = String)]
    pub storage_key: StorageKey,
    #[diesel(deserialize_as = Vec<u8>)]
    pub sha256: Sha256,
    #[diesel(deserialize_as = i64)]
    pub size_bytes: u64,
    #[diesel(deserialize_as = i64)]
    pub condemned_at: Timestamp,
}

/// The blobs above `after` in steps: where a step of `length` of them ends; `None` where fewer
/// are left.
///
/// # Errors
/// The failure of the engine.
pub fn step_end(conn: &mut Conn, after: Option<Sha256>, length: u32) -> DbResult<Option<Sha256>> {
    let after = after
        .map(|sha256| sha256.as_bytes().to_vec())
        .unwrap_or_default();
    let found: Option<Vec<u8>> = on_conn!(conn, |c| blobs::table
        .filter(blobs::sha256.gt(after))
        .order(blobs::sha256)
        .offset(i64::from(length.saturating_sub(1)))
        .select(blobs::sha256)
        .first(c)
        .optional())?;
    found
        .map(|bytes| Sha256::try_from(bytes).map_err(|error| DbError::Malformed(Box::new(error))))
        .transpose()
}

/// The live blobs of a step that nothing holds and whose promise is over at `at`.
///
/// # Errors
/// The failure of the engine.
pub fn unheld(
    conn: &mut Conn,
    after: Option<Sha256>,
    end: Option<Sha256>,
    at: Timestamp,
) -> DbResult<Vec<Candidate>> {
    let after = after
        .map(|sha256| sha256.as_bytes().to_vec())
        .unwrap_or_default();
    // above every digest, which is 32 bytes long
    let end = end.map_or_else(|| vec![0xff; 33], |sha256| sha256.as_bytes().to_vec());
    let found: Vec<Candidate> = on_conn!(conn, |c| blobs::table
        .filter(blobs::sha256.gt(after))
        .filter(blobs::sha256.le(end))
        .filter(blobs::state.eq(BlobState::Live.as_str()))
        .filter(
            blobs::promised_until
                .is_null()
                .or(blobs::promised_until.le(at.as_micros()))
        )
        .filter(diesel::dsl::not(exists(
            files::table.filter(files::sha256.eq(blobs::sha256))
        )))
        .filter(diesel::dsl::not(exists(
            links::table.filter(links::sha256.eq(blobs::sha256))
        )))
        .order(blobs::sha256)
        .select(Candidate::as_select())
        .load(c))?;
    let named = named(conn, &found)?;
    Ok(found
        .into_iter()
        .filter(|blob| !named.contains(&blob.sha256))
        .collect())
}

/// Condemns those of these blobs that nothing holds and whose promise is over at `at`, and answers
/// their objects. One that somebody else is about to change is left for another time.
///
/// # Errors
/// The failure of the engine.
pub fn condemn(
    tx: &mut Tx<'_>,
    wanted: &[Sha256],
    at: Timestamp,
) -> DbResult<Vec<CondemnedObject>> {
    let keys: Vec<&[u8]> = wanted
        .iter()
        .map(|sha256| sha256.as_bytes().as_slice())
        .collect();
    let rows = blobs::table
        .filter(blobs::sha256.eq_any(keys))
        .filter(blobs::state.eq(BlobState::Live.as_str()))
        .filter(
            blobs::promised_until
                .is_null()
                .or(blobs::promised_until.le(at.as_micros())),
        )
        .order(blobs::sha256);
    let locked: Vec<Candidate> = match &mut tx.link {
        Link::Pg(c) => rows
            .select(Candidate::as_select())
            .for_update()
            .skip_locked()
            .load(c),
        Link::Sqlite(c) => rows.select(Candidate::as_select()).load(c),
    }?;
    // asked only now: what was committed before the rows were locked is seen, and nothing that
    // holds one of them can be committed until we are done
    let held = held(tx, &locked)?;
    let mut doomed = Vec::new();
    for blob in locked
        .into_iter()
        .filter(|blob| !held.contains(&blob.sha256))
    {
        on_conn!(tx, |c| Cached(
            diesel::update(blobs::table.find(blob.sha256.as_bytes().as_slice())).set((
                blobs::state.eq(BlobState::Condemned.as_str()),
                blobs::condemned_at.eq(at.as_micros()),
            ))
        )
        .execute(c))?;
        on_conn!(tx, |c| Cached(
            diesel::insert_into(condemned::table)
                .values((
                    condemned::storage_key.eq(blob.storage_key.as_str()),
                    condemned::sha256.eq(blob.sha256.as_bytes().as_slice()),
                    condemned::size_bytes.eq(crate::versions::stored_size(blob.size_bytes)),
                    condemned::condemned_at.eq(at.as_micros()),
                ))
                .on_conflict(condemned::storage_key)
                .do_update()
                .set(condemned::condemned_at.eq(at.as_micros()))
        )
        .execute(c))?;
        doomed.push(CondemnedObject {
            storage_key: blob.storage_key,
            sha256: blob.sha256,
            size_bytes: blob.size_bytes,
            condemned_at: at,
        });
    }
    Ok(doomed)
}

/// Up to `limit` objects that were condemned at `before` or earlier and come after `after`, the
/// oldest first.
///
/// # Errors
/// The failure of the engine.
pub fn due(
    conn: &mut Conn,
    before: Timestamp,
    after: Option<&CondemnedObject>,
    limit: u32,
) -> DbResult<Vec<CondemnedObject>> {
    let (at, key) = after.map_or((i64::MIN, ""), |last| {
        (last.condemned_at.as_micros(), last.storage_key.as_str())
    });
    let found = on_conn!(conn, |c| condemned::table
        .filter(condemned::condemned_at.le(before.as_micros()))
        .filter(
            condemned::condemned_at.gt(at).or(condemned::condemned_at
                .eq(at)
                .and(condemned::storage_key.gt(key)))
        )
        .order((condemned::condemned_at, condemned::storage_key))
        .limit(i64::from(limit))
        .select(CondemnedObject::as_select())
        .load(c))?;
    Ok(found)
}

/// What waits for its end, and since when the oldest of it does.
///
/// # Errors
/// The failure of the engine.
pub fn waiting(conn: &mut Conn) -> DbResult<(u64, Option<Timestamp>)> {
    let (count, oldest): (i64, Option<i64>) = on_conn!(conn, |c| condemned::table
        .select((
            diesel::dsl::count_star(),
            diesel::dsl::min(condemned::condemned_at)
        ))
        .first(c))?;
    Ok((
        u64::try_from(count).unwrap_or_default(),
        oldest.map(Timestamp::from),
    ))
}

/// Removes the rows of those blobs that are still condemned and still held by nothing.
///
/// Answers which of these objects are nobody's: they may be deleted once this is committed. A blob
/// that is held after all lives on; one that came back under another key has left its object behind.
///
/// # Errors
/// The failure of the engine.
pub fn bury(tx: &mut Tx<'_>, objects: &[CondemnedObject]) -> DbResult<Vec<CondemnedObject>> {
    let keys: Vec<&[u8]> = objects
        .iter()
        .map(|object| object.sha256.as_bytes().as_slice())
        .collect();
    let rows = blobs::table
        .filter(blobs::sha256.eq_any(keys))
        .order(blobs::sha256);
    let locked: Vec<(Candidate, String)> = match &mut tx.link {
        Link::Pg(c) => rows
            .select((Candidate::as_select(), blobs::state))
            .for_update()
            .load(c),
        Link::Sqlite(c) => rows.select((Candidate::as_select(), blobs::state)).load(c),
    }?;
    let standing: Vec<Candidate> = locked.iter().map(|(blob, _)| blob.clone()).collect();
    let held = held(tx, &standing)?;
    let mut free = Vec::new();
    for object in objects {
        let own = locked
            .iter()
            .find(|(blob, _)| blob.storage_key == object.storage_key);
        let Some((blob, state)) = own else {
            free.push(object.clone());
            continue;
        };
        let sha256 = blob.sha256.as_bytes().as_slice();
        if state == BlobState::Condemned.as_str() && !held.contains(&blob.sha256) {
            on_conn!(tx, |c| diesel::delete(blobs::table.find(sha256)).execute(c))?;
            free.push(object.clone());
            continue;
        }
        on_conn!(tx, |c| Cached(
            diesel::update(blobs::table.find(sha256)).set((
                blobs::state.eq(BlobState::Live.as_str()),
                blobs::condemned_at.eq(None::<i64>),
            ))
        )
        .execute(c))?;
        forget(tx, std::slice::from_ref(&object.storage_key))?;
    }
    Ok(free)
}

/// Forgets condemned objects: the store has none of them any more.
///
/// # Errors
/// The failure of the engine.
pub fn forget(tx: &mut Tx<'_>, keys: &[StorageKey]) -> DbResult<()> {
    let keys: Vec<&str> = keys.iter().map(StorageKey::as_str).collect();
    on_conn!(tx, |c| diesel::delete(
        condemned::table.filter(condemned::storage_key.eq_any(keys))
    )
    .execute(c))?;
    Ok(())
}

/// Those of these storage keys that some row knows.
///
/// # Errors
/// The failure of the engine.
pub fn known_keys(conn: &mut Conn, keys: &[StorageKey]) -> DbResult<HashSet<String>> {
    let keys: Vec<&str> = keys.iter().map(StorageKey::as_str).collect();
    // the blobs first: a key is noted as condemned before its blob loses it
    let of_blobs: Vec<String> = on_conn!(conn, |c| blobs::table
        .filter(blobs::storage_key.eq_any(&keys))
        .select(blobs::storage_key)
        .load(c))?;
    let of_condemned: Vec<String> = on_conn!(conn, |c| condemned::table
        .filter(condemned::storage_key.eq_any(&keys))
        .select(condemned::storage_key)
        .load(c))?;
    Ok(of_blobs.into_iter().chain(of_condemned).collect())
}

/// Those of these blobs that something holds.
fn held(conn: &mut Conn, candidates: &[Candidate]) -> DbResult<HashSet<Sha256>> {
    let keys: Vec<&[u8]> = candidates
        .iter()
        .map(|blob| blob.sha256.as_bytes().as_slice())
        .collect();
    let of_files: Vec<Vec<u8>> = on_conn!(conn, |c| files::table
        .filter(files::sha256.eq_any(&keys))
        .select(files::sha256)
        .distinct()
        .load(c))?;
    let of_links: Vec<Vec<u8>> = on_conn!(conn, |c| links::table
        .filter(links::sha256.eq_any(&keys))
        .select(links::sha256)
        .distinct()
        .load(c))?;
    let mut held = named(conn, candidates)?;
    for bytes in of_files.into_iter().chain(of_links) {
        held.insert(Sha256::try_from(bytes).map_err(|error| DbError::Malformed(Box::new(error)))?);
    }
    Ok(held)
}

/// Those of these blobs that a version names by one of their digests.
fn named(conn: &mut Conn, candidates: &[Candidate]) -> DbResult<HashSet<Sha256>> {
    let names: Vec<String> = candidates
        .iter()
        .flat_map(|blob| {
            let sha512 = blob.sha512.map(|sha512| Digest::Sha512(sha512).to_string());
            std::iter::once(Digest::Sha256(blob.sha256).to_string()).chain(sha512)
        })
        .collect();
    let found: Vec<String> = on_conn!(conn, |c| version_references::table
        .filter(version_references::digest.eq_any(&names))
        .select(version_references::digest)
        .distinct()
        .load(c))?;
    let found: HashSet<String> = found.into_iter().collect();
    Ok(candidates
        .iter()
        .filter(|blob| {
            let sha512 = blob.sha512.map(|sha512| Digest::Sha512(sha512).to_string());
            found.contains(&Digest::Sha256(blob.sha256).to_string())
                || sha512.is_some_and(|name| found.contains(&name))
        })
        .map(|blob| blob.sha256)
        .collect())
}

/// Where a walk over links stands.
pub type LinkKey = (i64, String);

/// A package, and digests that it links without need.
pub type Needless = (PackageId, Vec<String>);

/// The links above `after` in steps: where a step of `length` of them ends; `None` where fewer are
/// left.
///
/// # Errors
/// The failure of the engine.
pub fn link_step_end(conn: &mut Conn, after: &LinkKey, length: u32) -> DbResult<Option<LinkKey>> {
    let found = on_conn!(conn, |c| links::table
        .filter(
            links::package_id.gt(after.0).or(links::package_id
                .eq(after.0)
                .and(links::digest.gt(&after.1)))
        )
        .order((links::package_id, links::digest))
        .offset(i64::from(length.saturating_sub(1)))
        .select((links::package_id, links::digest))
        .first(c)
        .optional())?;
    Ok(found)
}

/// The links of a step that no live version of their package needs and whose promise is over at
/// `at`, by package.
///
/// # Errors
/// The failure of the engine.
pub fn needless_links(
    conn: &mut Conn,
    after: &LinkKey,
    end: Option<&LinkKey>,
    at: Timestamp,
) -> DbResult<Vec<Needless>> {
    let last = (i64::MAX, String::new());
    let end = end.unwrap_or(&last);
    let found: Vec<LinkKey> = on_conn!(conn, |c| links::table
        .filter(
            links::package_id.gt(after.0).or(links::package_id
                .eq(after.0)
                .and(links::digest.gt(&after.1)))
        )
        .filter(
            links::package_id
                .lt(end.0)
                .or(links::package_id.eq(end.0).and(links::digest.le(&end.1)))
        )
        .filter(
            links::promised_until
                .is_null()
                .or(links::promised_until.le(at.as_micros()))
        )
        .filter(diesel::dsl::not(exists(
            version_references::table
                .inner_join(versions::table.on(versions::id.eq(version_references::version_id)))
                .filter(version_references::digest.eq(links::digest))
                .filter(versions::package_id.eq(links::package_id))
                .filter(versions::deleted_at.is_null())
        )))
        .order((links::package_id, links::digest))
        .select((links::package_id, links::digest))
        .load(c))?;
    let mut packages: Vec<Needless> = Vec::new();
    for (package, digest) in found {
        let package = PackageId::from(package);
        match packages.last_mut() {
            Some((last, digests)) if *last == package => digests.push(digest),
            _ => packages.push((package, vec![digest])),
        }
    }
    Ok(packages)
}

/// Removes those of a package's links that no live version of it needs and whose promise is over at
/// `at`; answers which. The package must be locked: who publishes to it waits.
///
/// # Errors
/// The failure of the engine.
pub fn prune_links(
    tx: &mut Tx<'_>,
    package: PackageId,
    digests: &[String],
    at: Timestamp,
) -> DbResult<Vec<String>> {
    let needed: HashSet<String> = on_conn!(tx, |c| version_references::table
        .inner_join(versions::table.on(versions::id.eq(version_references::version_id)))
        .filter(version_references::digest.eq_any(digests))
        .filter(versions::package_id.eq(package.get()))
        .filter(versions::deleted_at.is_null())
        .select(version_references::digest)
        .distinct()
        .load::<String>(c))?
    .into_iter()
    .collect();
    let mut pruned = Vec::new();
    for digest in digests.iter().filter(|digest| !needed.contains(*digest)) {
        let removed = on_conn!(tx, |c| diesel::delete(
            links::table.find((package.get(), digest)).filter(
                links::promised_until
                    .is_null()
                    .or(links::promised_until.le(at.as_micros()))
            )
        )
        .execute(c))?;
        if removed > 0 {
            pruned.push(digest.clone());
        }
    }
    Ok(pruned)
}

/// Up to `limit` versions with an id above `after` that were deleted at `before` or earlier, by
/// themselves or with their package.
///
/// # Errors
/// The failure of the engine.
pub fn lost_versions(
    conn: &mut Conn,
    after: VersionId,
    before: Timestamp,
    limit: u32,
) -> DbResult<Vec<(PackageId, VersionId)>> {
    let found: Vec<(i64, i64)> = on_conn!(conn, |c| versions::table
        .inner_join(packages::table.on(packages::id.eq(versions::package_id)))
        .filter(versions::id.gt(after.get()))
        .filter(
            versions::deleted_at
                .le(before.as_micros())
                .or(packages::deleted_at.le(before.as_micros()))
        )
        .order(versions::id)
        .limit(i64::from(limit))
        .select((versions::package_id, versions::id))
        .load(c))?;
    Ok(found
        .into_iter()
        .map(|(package, version)| (PackageId::from(package), VersionId::from(version)))
        .collect())
}

/// Removes a version for good if it was deleted at `before` or earlier, by itself or with its
/// package, and answers its key. The package must be locked: who restores it waits.
///
/// # Errors
/// The failure of the engine.
pub fn purge_version(
    tx: &mut Tx<'_>,
    package: &crate::packages::Package,
    version: VersionId,
    before: Timestamp,
) -> DbResult<Option<String>> {
    let is_lost = package.deleted_at.is_some_and(|at| at <= before);
    let found: Option<(String, Option<i64>)> = on_conn!(tx, |c| versions::table
        .find(version.get())
        .select((versions::name_key, versions::deleted_at))
        .first(c)
        .optional())?;
    let Some((key, deleted_at)) = found else {
        return Ok(None);
    };
    if !is_lost && deleted_at.is_none_or(|at| at > before.as_micros()) {
        return Ok(None);
    }
    crate::versions::remove(tx, version)?;
    Ok(Some(key))
}

/// Up to `limit` packages that were deleted at `before` or earlier and have no versions any more.
///
/// # Errors
/// The failure of the engine.
pub fn lost_packages(conn: &mut Conn, before: Timestamp, limit: u32) -> DbResult<Vec<PackageId>> {
    let found: Vec<i64> = on_conn!(conn, |c| packages::table
        .filter(packages::deleted_at.le(before.as_micros()))
        .filter(diesel::dsl::not(exists(
            versions::table.filter(versions::package_id.eq(packages::id))
        )))
        .order(packages::id)
        .limit(i64::from(limit))
        .select(packages::id)
        .load(c))?;
    Ok(found.into_iter().map(PackageId::from).collect())
}

/// Removes a package for good if it was deleted at `before` or earlier, and all that is left of
/// it; says whether it was.
///
/// # Errors
/// The failure of the engine.
pub fn purge_package(tx: &mut Tx<'_>, package: PackageId, before: Timestamp) -> DbResult<bool> {
    let removed = on_conn!(tx, |c| diesel::delete(
        packages::table
            .find(package.get())
            .filter(packages::deleted_at.le(before.as_micros()))
    )
    .execute(c))?;
    Ok(removed > 0)
}
