use std::fmt;
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use diesel::connection::SimpleConnection;
use diesel::result::{ConnectionError, QueryResult};
use diesel::{Connection, SqliteConnection};
use diesel_async::AsyncPgConnection;
use diesel_async::async_connection_wrapper::{AsyncConnectionWrapper, BlockOn};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::{DbError, DbResult};

/// Which database to open.
#[derive(Clone)]
pub enum DbTarget {
    /// A file, made if it is not there. Never on a network file system.
    Sqlite(PathBuf),
    /// A `postgres://` address, password included. `sslmode=require` wants `sslrootcert=FILE`
    /// with the authorities (PEM) that may have signed the server's certificate.
    Postgres(String),
}

impl fmt::Debug for DbTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => f.debug_tuple("Sqlite").field(path).finish(),
            Self::Postgres(_) => f.write_str("Postgres(…)"),
        }
    }
}

thread_local! {
    /// Drives the sockets of this lane, and only while the lane waits for an answer: the
    /// protocol never speaks first, and no other thread has to be woken for a query.
    static NETWORK: Runtime = {
        #[expect(
            clippy::expect_used,
            reason = "diesel-async's trait cannot report it, and the lane catches the panic"
        )]
        Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime for this database lane")
    };
}

pub(crate) struct OnLane;

impl BlockOn for OnLane {
    fn block_on<F: Future>(&self, f: F) -> F::Output {
        NETWORK.with(|network| network.block_on(f))
    }

    fn get_runtime() -> Self {
        Self
    }
}

pub(crate) type PgLink = AsyncConnectionWrapper<AsyncPgConnection, OnLane>;

#[expect(
    clippy::large_enum_variant,
    reason = "a handful exist, one per lane, and they never move"
)]
pub(crate) enum Link {
    Pg(PgLink),
    Sqlite(SqliteConnection),
}

/// A connection to either engine, lent to the closures of [`Db::read`](crate::Db::read).
pub struct Conn {
    pub(crate) link: Link,
    /// A transaction is open that its statements belong to.
    is_in_transaction: bool,
}

impl fmt::Debug for Conn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.link {
            Link::Pg(_) => "Conn(PostgreSQL)",
            Link::Sqlite(_) => "Conn(SQLite)",
        })
    }
}

/// Expands one query for both engines, so that each is type-checked on every build.
macro_rules! on_conn {
    ($conn:expr, |$c:ident| $query:expr) => {
        match &mut $conn.link {
            crate::conn::Link::Pg($c) => $query,
            crate::conn::Link::Sqlite($c) => $query,
        }
    };
}
pub(crate) use on_conn;

/// A connection inside a write transaction. Only [`Db::write`](crate::Db::write) makes one.
#[derive(Debug)]
pub struct Tx<'a>(&'a mut Conn);

impl<'a> Tx<'a> {
    pub(crate) fn new(conn: &'a mut Conn) -> Self {
        conn.is_in_transaction = true;
        Self(conn)
    }
}

impl Drop for Tx<'_> {
    fn drop(&mut self) {
        self.0.is_in_transaction = false;
    }
}

impl Deref for Tx<'_> {
    type Target = Conn;
    fn deref(&self) -> &Conn {
        self.0
    }
}

impl DerefMut for Tx<'_> {
    fn deref_mut(&mut self) -> &mut Conn {
        self.0
    }
}

/// The cache is per connection and a few readers run: 4 MiB each, beside one shared mapping.
/// The log is cut back to 64 MiB after a checkpoint that followed a burst.
const SQLITE_SETUP: &str = "\
    pragma busy_timeout = 5000; \
    pragma journal_mode = wal; \
    pragma synchronous = full; \
    pragma foreign_keys = on; \
    pragma trusted_schema = off; \
    pragma temp_store = memory; \
    pragma cache_size = -4096; \
    pragma mmap_size = 134217728; \
    pragma journal_size_limit = 67108864;";

/// A statement that takes longer than this is a mistake; migrations alone are exempt.
pub(crate) const POSTGRES_SETUP: &str = "set statement_timeout = '60s'";

impl Conn {
    pub(crate) fn open(target: &DbTarget) -> DbResult<Self> {
        let link = match target {
            DbTarget::Sqlite(path) => Link::Sqlite(open_sqlite(path)?),
            DbTarget::Postgres(url) => Link::Pg(open_postgres(url)?),
        };
        Ok(Self {
            link,
            is_in_transaction: false,
        })
    }

    pub(crate) const fn is_sqlite(&self) -> bool {
        matches!(self.link, Link::Sqlite(_))
    }

    pub(crate) fn batch(&mut self, sql: &str) -> QueryResult<()> {
        on_conn!(self, |c| c.batch_execute(sql))
    }

    /// Whether the other end still answers. SQLite has no other end.
    pub(crate) fn answers(&mut self) -> bool {
        match &mut self.link {
            Link::Pg(c) => c.batch_execute("select 1").is_ok(),
            Link::Sqlite(_) => true,
        }
    }

    /// Runs several reads that see one state of the database, whatever is committed meanwhile.
    /// Inside a transaction they are simply part of it.
    ///
    /// # Errors
    /// What `reads` answers, or the failure to begin.
    pub fn snapshot<T, E: From<DbError>>(
        &mut self,
        reads: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        if self.is_in_transaction {
            return reads(self);
        }
        self.batch(match self.link {
            Link::Pg(_) => "begin isolation level repeatable read, read only",
            Link::Sqlite(_) => "begin",
        })
        .map_err(DbError::from)?;
        self.is_in_transaction = true;
        let out = reads(self);
        self.is_in_transaction = false;
        let end = self.batch("rollback").map_err(DbError::from);
        if out.is_ok() {
            end?;
        }
        out
    }
}

fn open_sqlite(path: &Path) -> DbResult<SqliteConnection> {
    // SQLite gives `:memory:` and `file:` a meaning of their own; a path with a folder has none
    let path = Path::new(".").join(path);
    let text = path
        .to_str()
        .ok_or(DbError::Settings("the path is not UTF-8", None))?;
    let mut link = SqliteConnection::establish(text).map_err(unavailable)?;
    link.batch_execute(SQLITE_SETUP)
        .map_err(|error| DbError::Unavailable(Box::new(error)))?;
    Ok(link)
}

fn unavailable(error: ConnectionError) -> DbError {
    DbError::Unavailable(Box::new(error))
}

/// A PostgreSQL address in its parts: what the driver takes, and the certificate that it does not.
struct PostgresAddress {
    config: tokio_postgres::Config,
    roots: Option<PathBuf>,
}

impl PostgresAddress {
    fn parse(url: &str) -> DbResult<Self> {
        let (address, query) = url.split_once('?').unwrap_or((url, ""));
        let mut roots = None;
        let mut kept = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("sslrootcert", file)) if file.contains('%') => {
                    return Err(DbError::Settings(
                        "sslrootcert is taken literally and must not hold `%`",
                        None,
                    ));
                }
                Some(("sslrootcert", file)) => roots = Some(PathBuf::from(file)),
                _ => kept.push(pair),
            }
        }
        let address = match kept.as_slice() {
            [] => address.to_owned(),
            kept => format!("{address}?{}", kept.join("&")),
        };
        let mut config: tokio_postgres::Config = address.parse().map_err(|error| {
            DbError::Settings("not a PostgreSQL address", Some(Box::new(error)))
        })?;
        if config.get_application_name().is_none() {
            config.application_name("packhouse");
        }
        if roots.is_some() {
            config.ssl_mode(SslMode::Require);
        }
        Ok(Self { config, roots })
    }

    fn tls(&self) -> DbResult<Option<MakeRustlsConnect>> {
        let roots = match (&self.roots, self.config.get_ssl_mode()) {
            (Some(roots), _) => roots,
            (None, SslMode::Disable | SslMode::Prefer) => return Ok(None),
            (None, _) => {
                return Err(DbError::Settings(
                    "sslmode=require needs sslrootcert=FILE with the trusted authorities",
                    None,
                ));
            }
        };
        let unreadable = |error: Box<dyn std::error::Error + Send + Sync>| {
            DbError::Settings("sslrootcert cannot be used", Some(error))
        };
        let mut store = rustls::RootCertStore::empty();
        for root in CertificateDer::pem_file_iter(roots).map_err(|e| unreadable(Box::new(e)))? {
            let root = root.map_err(|e| unreadable(Box::new(e)))?;
            store.add(root).map_err(|e| unreadable(Box::new(e)))?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| unreadable(Box::new(e)))?
            .with_root_certificates(store)
            .with_no_client_auth();
        Ok(Some(MakeRustlsConnect::new(tls)))
    }
}

fn open_postgres(url: &str) -> DbResult<PgLink> {
    let address = PostgresAddress::parse(url)?;
    let tls = address.tls()?;
    let config = &address.config;
    let link = OnLane.block_on(async {
        let failed = |error| ConnectionError::BadConnection(describe(&error));
        match tls {
            Some(tls) => {
                let (client, line) = config.connect(tls).await.map_err(failed)?;
                AsyncPgConnection::try_from_client_and_connection(client, line).await
            }
            None => {
                let (client, line) = config
                    .connect(tokio_postgres::NoTls)
                    .await
                    .map_err(failed)?;
                AsyncPgConnection::try_from_client_and_connection(client, line).await
            }
        }
    });
    let mut link = PgLink::from(link.map_err(unavailable)?);
    link.batch_execute(POSTGRES_SETUP)
        .map_err(|error| DbError::Unavailable(Box::new(error)))?;
    Ok(link)
}

/// The driver's own text leaves out the reason, which is in the source.
fn describe(error: &tokio_postgres::Error) -> String {
    std::error::Error::source(error)
        .map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}
