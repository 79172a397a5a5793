use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use crate::conn::{Conn, Link, POSTGRES_SETUP};
use crate::{DbError, DbResult};

const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// Any number will do, if every packhouse takes the same.
const ADVISORY_LOCK: i64 = 0x7061_636b;

/// Brings the schema up to date; on PostgreSQL, servers that start together queue here.
pub(crate) fn run(conn: &mut Conn) -> DbResult<()> {
    let batch = |conn: &mut Conn, sql: &str| {
        conn.batch(sql)
            .map_err(|error| DbError::Migration(Box::new(error)))
    };
    if !conn.is_sqlite() {
        let lock = format!("set statement_timeout = 0; select pg_advisory_lock({ADVISORY_LOCK})");
        batch(conn, &lock)?;
    }
    let done = match &mut conn.link {
        Link::Pg(c) => c.run_pending_migrations(POSTGRES).map(drop),
        Link::Sqlite(c) => c.run_pending_migrations(SQLITE).map(drop),
    };
    if !conn.is_sqlite() {
        let unlock = format!("select pg_advisory_unlock({ADVISORY_LOCK}); {POSTGRES_SETUP}");
        batch(conn, &unlock)?;
    }
    done.map_err(DbError::Migration)
}
