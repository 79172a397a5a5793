//! Keeps prepared statements that diesel would throw away.

use diesel::backend::Backend;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::query_dsl::methods::LoadQuery;
use diesel::result::QueryResult;
use diesel::{Connection, RunQueryDsl};

/// A query whose text does not depend on its values.
///
/// Diesel prepares every `UPDATE`, every `DO UPDATE` and every query written as text anew: it
/// cannot know that their texts repeat. Ours do, and on PostgreSQL preparing costs a round trip.
/// The cache compares the text itself, so a mistake here costs memory, never a wrong statement.
///
/// Diesel's `execute` passes over this on SQLite; what runs with every request has a `RETURNING`
/// and is run by [`Cached::count`].
pub(crate) struct Cached<Q>(pub(crate) Q);

impl<Q> Cached<Q> {
    /// Runs a statement that returns a number for each row that it touched, and counts them.
    pub(crate) fn count<'query, C>(self, conn: &mut C) -> QueryResult<usize>
    where
        C: Connection,
        Self: LoadQuery<'query, C, i64>,
    {
        self.load(conn).map(|touched| touched.len())
    }
}

impl<Q, DB> QueryFragment<DB> for Cached<Q>
where
    DB: Backend,
    Q: QueryFragment<DB>,
{
    fn walk_ast<'b>(&'b self, out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        self.0.walk_ast(out)
    }

    fn is_safe_to_cache_prepared(&self, _backend: &DB) -> QueryResult<bool> {
        Ok(true)
    }
}

impl<Q> QueryId for Cached<Q> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<Q: Query> Query for Cached<Q> {
    type SqlType = Q::SqlType;
}

impl<Q, C> RunQueryDsl<C> for Cached<Q> {}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use diesel::connection::{InstrumentationEvent, SimpleConnection as _};
    use diesel::prelude::*;

    use super::*;

    diesel::table! {
        numbers (id) {
            id -> BigInt,
            number -> BigInt,
        }
    }

    #[test]
    fn a_statement_that_counts_is_prepared_once() {
        let mut conn = SqliteConnection::establish(":memory:").unwrap();
        conn.batch_execute(
            "create table numbers (id integer primary key, number integer not null); \
             insert into numbers values (1, 1), (2, 1)",
        )
        .unwrap();
        let prepared = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&prepared);
        conn.set_instrumentation(move |event: InstrumentationEvent<'_>| {
            if matches!(event, InstrumentationEvent::CacheQuery { .. }) {
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
        for number in 0..3 {
            let set = diesel::update(numbers::table)
                .set(numbers::number.eq(number))
                .returning(numbers::id);
            assert_eq!(Cached(set).count(&mut conn).unwrap(), 2);
        }
        assert_eq!(prepared.load(Ordering::Relaxed), 1);
    }
}
