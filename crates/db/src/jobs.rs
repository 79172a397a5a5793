//! Work to be done later, at least once.

use diesel::prelude::*;
use packhouse_names::Timestamp;

use crate::DbResult;
use crate::conn::{Link, Tx, on_conn};
use crate::schema::jobs;
use crate::sql::Cached;

/// A job to be.
#[derive(Debug, Clone)]
pub struct NewJob<'a> {
    pub kind: &'a str,
    /// At most one job of a kind waits under one key.
    pub unique_key: Option<&'a str>,
    pub payload: &'a str,
    pub run_at: Timestamp,
    pub created_at: Timestamp,
}

/// A job that this caller holds until its lease ends.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = jobs)]
pub struct Job {
    pub id: i64,
    pub kind: String,
    pub unique_key: Option<String>,
    pub payload: String,
    /// How often it was begun, this time included.
    pub attempts: i64,
}

/// Adds a job; says whether it was added or one of its key waits already.
///
/// # Errors
/// The failure of the engine.
pub fn enqueue(tx: &mut Tx<'_>, new: &NewJob<'_>) -> DbResult<bool> {
    let made = on_conn!(tx, |c| diesel::insert_into(jobs::table)
        .values((
            jobs::kind.eq(new.kind),
            jobs::unique_key.eq(new.unique_key),
            jobs::payload.eq(new.payload),
            jobs::run_at.eq(new.run_at.as_micros()),
            jobs::attempts.eq(0),
            jobs::created_at.eq(new.created_at.as_micros()),
        ))
        .on_conflict_do_nothing()
        .execute(c))?;
    Ok(made > 0)
}

/// Takes the job that is due longest, if any, for as long as `lease_until`. Who dies with a job
/// loses it then.
///
/// # Errors
/// The failure of the engine.
pub fn claim(tx: &mut Tx<'_>, at: Timestamp, lease_until: Timestamp) -> DbResult<Option<Job>> {
    let due = jobs::table
        .filter(jobs::run_at.le(at.as_micros()))
        .filter(
            jobs::lease_until
                .is_null()
                .or(jobs::lease_until.le(at.as_micros())),
        )
        .order((jobs::run_at, jobs::id))
        .select(jobs::id)
        .limit(1);
    let id: Option<i64> = match &mut tx.link {
        Link::Pg(c) => due.for_update().skip_locked().first(c).optional(),
        Link::Sqlite(c) => due.first(c).optional(),
    }?;
    let Some(id) = id else { return Ok(None) };
    let job = on_conn!(tx, |c| Cached(
        diesel::update(jobs::table.find(id))
            .set((
                jobs::lease_until.eq(lease_until.as_micros()),
                jobs::attempts.eq(jobs::attempts + 1),
            ))
            .returning(Job::as_returning())
    )
    .get_result(c))?;
    Ok(Some(job))
}

/// Removes a job that is done; says whether it was still there, in the state it was claimed in.
///
/// # Errors
/// The failure of the engine.
pub fn finish(tx: &mut Tx<'_>, job: &Job) -> DbResult<bool> {
    let removed = on_conn!(tx, |c| diesel::delete(
        jobs::table
            .find(job.id)
            .filter(jobs::attempts.eq(job.attempts))
    )
    .execute(c))?;
    Ok(removed > 0)
}

/// Gives a failed job back, to be run again at `retry_at`; says whether this caller still held it.
///
/// # Errors
/// The failure of the engine.
pub fn fail(tx: &mut Tx<'_>, job: &Job, error: &str, retry_at: Timestamp) -> DbResult<bool> {
    let changed = on_conn!(tx, |c| Cached(
        diesel::update(jobs::table.find(job.id))
            .filter(jobs::attempts.eq(job.attempts))
            .set((
                jobs::run_at.eq(retry_at.as_micros()),
                jobs::lease_until.eq(None::<i64>),
                jobs::last_error.eq(error),
            ))
    )
    .execute(c))?;
    Ok(changed > 0)
}
