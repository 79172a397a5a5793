//! The events of every change, in the transaction of the change.
//!
//! PostgreSQL draws ids before the commit, so an event with a lower id can become visible after
//! one with a higher. Nothing here remembers a highest id there: settled events are read below
//! the oldest running transaction, and changes are told apart by the snapshot they were seen in.

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Nullable, Text};
use packhouse_names::{AccountId, EventId, PackageId, RepositoryId, Timestamp, TokenId};

use crate::DbResult;
use crate::columns::Opt;
use crate::conn::{Conn, Link, Tx, on_conn};
use crate::schema::outbox;
use crate::sql::Cached;

/// An event to be.
#[derive(Debug, Clone)]
pub struct NewEvent<'a> {
    pub kind: &'a str,
    /// What the change touched; caches drop by these.
    pub package_id: Option<PackageId>,
    pub account_id: Option<AccountId>,
    pub repository_id: Option<RepositoryId>,
    pub token_id: Option<TokenId>,
    /// Who did it.
    pub actor_id: Option<AccountId>,
    /// JSON.
    pub payload: &'a str,
    pub created_at: Timestamp,
}

/// An event, whole.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = outbox)]
pub struct Event {
    #[diesel(deserialize_as = i64)]
    pub id: EventId,
    txid: i64,
    pub kind: String,
    #[diesel(deserialize_as = Opt<i64>)]
    pub package_id: Option<PackageId>,
    #[diesel(deserialize_as = Opt<i64>)]
    pub account_id: Option<AccountId>,
    #[diesel(deserialize_as = Opt<i64>)]
    pub repository_id: Option<RepositoryId>,
    #[diesel(deserialize_as = Opt<i64>)]
    pub token_id: Option<TokenId>,
    #[diesel(deserialize_as = Opt<i64>)]
    pub actor_id: Option<AccountId>,
    pub payload: String,
    #[diesel(deserialize_as = i64)]
    pub created_at: Timestamp,
}

impl Event {
    /// The place after this event.
    #[must_use]
    pub const fn cursor(&self) -> Cursor {
        Cursor {
            txid: self.txid,
            id: self.id.get(),
        }
    }
}

/// How far a consumer has come; it is the consumer's to keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Cursor {
    txid: i64,
    id: i64,
}

impl Cursor {
    /// From the two numbers that [`Cursor::parts`] gave.
    #[must_use]
    pub const fn new(txid: i64, id: i64) -> Self {
        Self { txid, id }
    }

    /// Two numbers to store.
    #[must_use]
    pub const fn parts(self) -> (i64, i64) {
        (self.txid, self.id)
    }
}

/// What one change touched.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = outbox)]
pub struct Change {
    #[diesel(deserialize_as = i64)]
    pub id: EventId,
    pub kind: String,
    #[diesel(deserialize_as = Opt<i64>)]
    pub package_id: Option<PackageId>,
    #[diesel(deserialize_as = Opt<i64>)]
    pub account_id: Option<AccountId>,
    #[diesel(deserialize_as = Opt<i64>)]
    pub repository_id: Option<RepositoryId>,
    #[diesel(deserialize_as = Opt<i64>)]
    pub token_id: Option<TokenId>,
}

/// Which changes a cache has been told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watermark(Mark);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Mark {
    /// SQLite: every event up to this id.
    Id(i64),
    /// PostgreSQL: every event that was visible in this `pg_snapshot`.
    Snapshot(String),
}

/// What happened since a watermark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changes {
    /// Every change, each exactly once over a chain of watermarks.
    Listed(Vec<Change>),
    /// More than the limit: drop everything.
    TooMany,
}

/// Appends the event of a change to the outbox.
///
/// # Errors
/// The failure of the engine.
pub fn append(tx: &mut Tx<'_>, new: &NewEvent<'_>) -> DbResult<EventId> {
    let id: i64 = on_conn!(tx, |c| diesel::insert_into(outbox::table)
        .values((
            outbox::kind.eq(new.kind),
            outbox::package_id.eq(new.package_id.map(PackageId::get)),
            outbox::account_id.eq(new.account_id.map(AccountId::get)),
            outbox::repository_id.eq(new.repository_id.map(RepositoryId::get)),
            outbox::token_id.eq(new.token_id.map(TokenId::get)),
            outbox::actor_id.eq(new.actor_id.map(AccountId::get)),
            outbox::payload.eq(new.payload),
            outbox::created_at.eq(new.created_at.as_micros()),
        ))
        .returning(outbox::id)
        .get_result(c))?;
    Ok(EventId::from(id))
}

/// Up to `limit` events after `after`, in an order that no later commit changes: on PostgreSQL
/// those below every transaction that still runs.
///
/// # Errors
/// The failure of the engine.
pub fn read_settled(conn: &mut Conn, after: Cursor, limit: u32) -> DbResult<Vec<Event>> {
    let settled = match conn.link {
        Link::Pg(_) => "outbox.txid < pg_snapshot_xmin(pg_current_snapshot())::text::bigint",
        Link::Sqlite(_) => "true",
    };
    let found = on_conn!(conn, |c| Cached(
        outbox::table
            .filter(
                outbox::txid
                    .gt(after.txid)
                    .or(outbox::txid.eq(after.txid).and(outbox::id.gt(after.id)))
            )
            .filter(sql::<Bool>(settled))
            .order((outbox::txid, outbox::id))
            .limit(i64::from(limit))
            .select(Event::as_select())
    )
    .load(c))?;
    Ok(found)
}

/// A watermark for a cache that is empty now.
///
/// # Errors
/// The failure of the engine.
pub fn watermark(conn: &mut Conn) -> DbResult<Watermark> {
    let mark = match &mut conn.link {
        Link::Pg(c) => Mark::Snapshot(
            diesel::select(sql::<Text>("pg_current_snapshot()::text")).get_result(c)?,
        ),
        Link::Sqlite(c) => {
            let last: Option<i64> = outbox::table
                .order(outbox::id.desc())
                .select(outbox::id)
                .first(c)
                .optional()?;
            Mark::Id(last.unwrap_or(0))
        }
    };
    Ok(Watermark(mark))
}

/// The changes that became visible since `seen`, and the watermark that counts them in. More
/// than `limit` are not listed.
///
/// # Errors
/// The failure of the engine.
pub fn changes_since(
    conn: &mut Conn,
    seen: &Watermark,
    limit: u32,
) -> DbResult<(Changes, Watermark)> {
    let (mut rows, mark) = match (&mut conn.link, &seen.0) {
        (Link::Pg(c), Mark::Snapshot(snapshot)) => postgres_changes(c, snapshot, limit)?,
        (Link::Sqlite(c), Mark::Id(last)) => {
            let rows: Vec<Change> = outbox::table
                .filter(outbox::id.gt(last))
                .order(outbox::id)
                .limit(i64::from(limit) + 1)
                .select(Change::as_select())
                .load(c)?;
            let mark = rows.last().map_or(*last, |row| row.id.get());
            (rows, Mark::Id(mark))
        }
        // a mark of the other engine tells nothing
        (Link::Pg(_) | Link::Sqlite(_), _) => {
            return Ok((Changes::TooMany, watermark(conn)?));
        }
    };
    let is_too_long = u32::try_from(rows.len()).map_or(true, |count| count > limit);
    if is_too_long {
        rows.clear();
        // SQLite's mark stands at the last row that was read, and more may follow
        let mark = match mark {
            Mark::Id(_) => watermark(conn)?,
            snapshot => Watermark(snapshot),
        };
        return Ok((Changes::TooMany, mark));
    }
    rows.sort_unstable_by_key(|row| row.id);
    Ok((Changes::Listed(rows), Watermark(mark)))
}

#[derive(QueryableByName)]
struct SnapshotRow {
    #[diesel(sql_type = Text)]
    snapshot: String,
    #[diesel(sql_type = Nullable<BigInt>)]
    id: Option<i64>,
    #[diesel(sql_type = Nullable<Text>)]
    kind: Option<String>,
    #[diesel(sql_type = Nullable<BigInt>)]
    package_id: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    account_id: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    repository_id: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    token_id: Option<i64>,
}

/// The new snapshot and what it shows beyond the old one, in one statement: nothing can be
/// committed between the two.
fn postgres_changes(
    c: &mut crate::conn::PgLink,
    seen: &str,
    limit: u32,
) -> DbResult<(Vec<Change>, Mark)> {
    let rows: Vec<SnapshotRow> = Cached(
        diesel::sql_query(
            "select pg_current_snapshot()::text as snapshot, \
             o.id, o.kind, o.package_id, o.account_id, o.repository_id, o.token_id \
             from (select $1::pg_snapshot as seen) s \
             left join lateral ( \
                 select * from outbox \
                 where txid >= pg_snapshot_xmin(s.seen)::text::bigint \
                 and not pg_visible_in_snapshot(txid::text::xid8, s.seen) \
                 limit $2 \
             ) o on true",
        )
        .bind::<Text, _>(seen)
        .bind::<BigInt, _>(i64::from(limit) + 1),
    )
    .load(c)?;
    let mark = rows
        .first()
        .map_or_else(|| seen.to_owned(), |row| row.snapshot.clone());
    let changes = rows
        .into_iter()
        .filter_map(|row| {
            Some(Change {
                id: row.id?.into(),
                kind: row.kind?,
                package_id: row.package_id.map(PackageId::from),
                account_id: row.account_id.map(AccountId::from),
                repository_id: row.repository_id.map(RepositoryId::from),
                token_id: row.token_id.map(TokenId::from),
            })
        })
        .collect();
    Ok((changes, Mark::Snapshot(mark)))
}
