//! What `Db` promises about transactions, queues, panics and lost connections.

use std::sync::mpsc;

use packhouse_db::files::NewFile;
use packhouse_db::{
    AccountKind, Db, DbError, DbResult, DbSettings, DbTarget, Tx, accounts, files, packages,
};
use packhouse_names::{AccountId, Sha256};
use tokio::sync::oneshot;

use crate::house::{House, NOON, new_account};

on_both!(
    a_failing_job_leaves_its_neighbours_alone,
    what_is_answered_ok_outlives_the_process,
    what_may_be_forgotten_is_seen_at_once,
    a_refusal_of_the_callers_own_rolls_back,
    a_statement_that_failed_unnoticed_never_counts_as_committed,
    a_reader_that_panics_is_answered,
    a_full_queue_answers_busy_at_once,
    a_closed_database_takes_no_work,
    a_snapshot_does_not_see_later_commits,
    a_snapshot_inside_a_write_belongs_to_it,
    migrating_again_and_at_once_changes_nothing,
    a_checkpoint_is_harmless,
);

fn add(tx: &mut Tx<'_>, login: &str) -> DbResult<AccountId> {
    accounts::insert(tx, &new_account(login, AccountKind::User)).map(|account| account.id)
}

async fn logins(db: &Db) -> Vec<String> {
    let accounts = db
        .read(|conn| accounts::list(conn, None, 100))
        .await
        .unwrap();
    let mut logins: Vec<String> = accounts
        .into_iter()
        .map(|account| account.login.to_string())
        .collect();
    logins.sort();
    logins
}

async fn a_failing_job_leaves_its_neighbours_alone(house: House) {
    let db = &house.db;
    let (release, held) = mpsc::channel::<()>();
    // the first job holds the writer until all the others wait, so that they share a group
    let (first, good, refused, better, panicked, best, ()) = tokio::join!(
        db.write(move |tx| {
            held.recv().unwrap();
            add(tx, "first")
        }),
        db.write(|tx| add(tx, "good")),
        db.write(|tx| {
            add(tx, "refused")?;
            Err::<(), _>(DbError::NotFound)
        }),
        db.write(|tx| add(tx, "better")),
        db.write(|tx| -> DbResult<()> {
            add(tx, "panicked")?;
            panic!("on purpose");
        }),
        db.write(|tx| add(tx, "best")),
        async move { release.send(()).unwrap() },
    );
    assert!(first.is_ok() && good.is_ok() && better.is_ok() && best.is_ok());
    assert!(matches!(refused, Err(DbError::NotFound)), "{refused:?}");
    assert!(matches!(panicked, Err(DbError::Lost)), "{panicked:?}");
    assert_eq!(logins(db).await, ["best", "better", "first", "good"]);
    // and the lane goes on
    db.write(|tx| add(tx, "after")).await.unwrap();
}

async fn what_is_answered_ok_outlives_the_process(house: House) {
    house.user("ann").await;
    house.db.clone().close().await;
    let again = Db::open(house.settings.clone()).unwrap();
    assert_eq!(logins(&again).await, ["ann"]);
}

async fn what_may_be_forgotten_is_seen_at_once(house: House) {
    let db = &house.db;
    db.write_soon(|tx| add(tx, "ann")).await.unwrap();
    assert_eq!(logins(db).await, ["ann"]);
    let (soon, synced) = tokio::join!(
        db.write_soon(|tx| add(tx, "bob")),
        db.write(|tx| add(tx, "cid")),
    );
    assert!(soon.is_ok() && synced.is_ok());
    db.clone().close().await;
    let again = Db::open(house.settings.clone()).unwrap();
    assert_eq!(logins(&again).await, ["ann", "bob", "cid"]);
}

#[derive(Debug)]
enum Own {
    Refused,
    Database(#[expect(dead_code, reason = "shown when the test fails")] DbError),
}

impl From<DbError> for Own {
    fn from(error: DbError) -> Self {
        Self::Database(error)
    }
}

async fn a_refusal_of_the_callers_own_rolls_back(house: House) {
    let answer: Result<(), Own> = house
        .db
        .write(|tx| {
            add(tx, "ann")?;
            Err(Own::Refused)
        })
        .await;
    assert!(matches!(answer, Err(Own::Refused)), "{answer:?}");
    assert_eq!(logins(&house.db).await, [""; 0]);
}

/// PostgreSQL answers COMMIT with success when it rolled back.
async fn a_statement_that_failed_unnoticed_never_counts_as_committed(house: House) {
    let owner = house.user("ann").await;
    let package = house.package(owner, "left-pad", None).await;
    let answer = house
        .db
        .write(move |tx| {
            add(tx, "bob")?;
            let dangling = files::insert(
                tx,
                &NewFile {
                    package_id: package.id,
                    version_id: None,
                    name: "no-blob.tgz".parse().unwrap(),
                    sha256: Sha256::new([9; 32]),
                    sha512: None,
                    sha1: None,
                    md5: None,
                    size_bytes: 1,
                    media_type: "application/octet-stream".to_owned(),
                    created_at: NOON,
                },
            );
            assert!(matches!(dangling, Err(DbError::Reference)), "{dangling:?}");
            Ok::<(), DbError>(())
        })
        .await;
    let is_there = logins(&house.db).await.contains(&"bob".to_owned());
    assert_eq!(answer.is_ok(), is_there, "{answer:?}");
    assert_eq!(is_there, house.is_sqlite());
    // the connection is good for the next one
    house.user("cid").await;
}

async fn a_reader_that_panics_is_answered(house: House) {
    for _ in 0..8 {
        let answer: DbResult<()> = house.db.read(|_conn| panic!("on purpose")).await;
        assert!(matches!(answer, Err(DbError::Lost)), "{answer:?}");
    }
    assert_eq!(house.read(accounts::count).await, 0);
}

async fn a_full_queue_answers_busy_at_once(house: House) {
    let db = Db::open(DbSettings {
        readers: 1,
        queue: 2,
        ..house.settings.clone()
    })
    .unwrap();
    let (started, has_started) = oneshot::channel();
    let (release, held) = mpsc::channel::<()>();
    let holder = tokio::spawn({
        let db = db.clone();
        async move {
            db.write(move |tx| {
                started.send(()).unwrap();
                held.recv().unwrap();
                add(tx, "holder")
            })
            .await
        }
    });
    has_started.await.unwrap();
    let (one, two, three) = tokio::join!(
        db.write(|tx| add(tx, "one")),
        db.write(|tx| add(tx, "two")),
        async {
            let three = db.write(|tx| add(tx, "three")).await;
            release.send(()).unwrap();
            three
        },
    );
    assert!(matches!(three, Err(DbError::Busy)), "{three:?}");
    assert!(one.is_ok() && two.is_ok() && holder.await.unwrap().is_ok());
    assert_eq!(logins(&db).await, ["holder", "one", "two"]);
}

async fn a_closed_database_takes_no_work(house: House) {
    house.db.clone().close().await;
    let answer = house.db.read(accounts::count).await;
    assert!(matches!(answer, Err(DbError::Busy)), "{answer:?}");
}

async fn a_snapshot_does_not_see_later_commits(house: House) {
    let (seen, has_seen) = oneshot::channel();
    let (release, held) = mpsc::channel::<()>();
    let reader = tokio::spawn({
        let db = house.db.clone();
        let mut seen = Some(seen);
        async move {
            db.read(move |conn| {
                conn.snapshot(|conn| {
                    let before = accounts::count(conn)?;
                    seen.take().unwrap().send(()).unwrap();
                    held.recv().unwrap();
                    Ok::<_, DbError>((before, accounts::count(conn)?))
                })
            })
            .await
        }
    });
    has_seen.await.unwrap();
    house.user("ann").await;
    release.send(()).unwrap();
    assert_eq!(reader.await.unwrap().unwrap(), (0, 0));
    assert_eq!(house.read(accounts::count).await, 1);
}

async fn a_snapshot_inside_a_write_belongs_to_it(house: House) {
    let answer: Result<(), Own> = house
        .db
        .write(|tx| {
            add(tx, "ann")?;
            assert_eq!(tx.snapshot(accounts::count)?, 1);
            add(tx, "bob")?;
            Err(Own::Refused)
        })
        .await;
    assert!(matches!(answer, Err(Own::Refused)), "{answer:?}");
    assert_eq!(logins(&house.db).await, [""; 0]);
}

async fn migrating_again_and_at_once_changes_nothing(house: House) {
    let owner = house.user("ann").await;
    let package = house.package(owner, "left-pad", None).await;
    let other = Db::open(house.settings.clone()).unwrap();
    let (one, two) = tokio::join!(house.db.migrate(), other.migrate());
    one.unwrap();
    two.unwrap();
    let found = house
        .read(move |conn| packages::find(conn, package.id))
        .await;
    assert!(found.is_some());
}

async fn a_checkpoint_is_harmless(house: House) {
    house.user("ann").await;
    house.db.checkpoint().await.unwrap();
    if let DbTarget::Sqlite(path) = &house.settings.target {
        let log = path.with_extension("db-wal");
        assert_eq!(std::fs::metadata(log).unwrap().len(), 0);
    }
    house.user("bob").await;
    assert_eq!(logins(&house.db).await, ["ann", "bob"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_start_together_migrate_once() {
    let Some(house) = House::postgres().await else {
        return;
    };
    let admin = crate::schema::client(house.url().unwrap()).await;
    admin
        .batch_execute("drop schema public cascade; create schema public")
        .await
        .unwrap();
    let servers: Vec<Db> = (0..4)
        .map(|_| Db::open(house.settings.clone()).unwrap())
        .collect();
    let (a, b, c, d) = tokio::join!(
        servers[0].migrate(),
        servers[1].migrate(),
        servers[2].migrate(),
        servers[3].migrate()
    );
    assert!(a.is_ok() && b.is_ok() && c.is_ok() && d.is_ok());
    servers[0].write(|tx| add(tx, "ann")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_the_server_ended_are_opened_again() {
    let Some(house) = House::postgres().await else {
        return;
    };
    // every lane has a connection
    for index in 0..16 {
        house.user(&format!("u{index}")).await;
        house.read(accounts::count).await;
    }
    let admin = crate::schema::client(house.url().unwrap()).await;
    admin
        .batch_execute(
            "select pg_terminate_backend(pid) from pg_stat_activity \
             where datname = current_database() and pid <> pg_backend_pid()",
        )
        .await
        .unwrap();
    for index in 16..32 {
        assert_eq!(house.read(accounts::count).await, index);
        house.user(&format!("u{index}")).await;
    }
}

#[tokio::test]
async fn a_database_that_cannot_be_opened_is_unavailable() {
    let folder = tempfile::tempdir().unwrap();
    for target in [
        DbTarget::Sqlite(folder.path().join("absent").join("house.db")),
        // nothing listens on the port that nobody may bind
        DbTarget::Postgres("postgres://nobody@127.0.0.1:1/none".to_owned()),
    ] {
        let db = Db::open(DbSettings {
            target,
            readers: 1,
            queue: 4,
        })
        .unwrap();
        let read = db.read(accounts::count).await;
        assert!(matches!(read, Err(DbError::Unavailable(_))), "{read:?}");
        let write = db.write(|tx| add(tx, "ann")).await;
        assert!(matches!(write, Err(DbError::Unavailable(_))), "{write:?}");
    }
}

#[tokio::test]
async fn tls_without_trusted_authorities_is_refused_in_clear_words() {
    let target =
        DbTarget::Postgres("postgres://u:secret@127.0.0.1:1/none?sslmode=require".to_owned());
    assert!(!format!("{target:?}").contains("secret"));
    let db = Db::open(DbSettings {
        target,
        readers: 1,
        queue: 4,
    })
    .unwrap();
    let error = db.read(accounts::count).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "database settings: sslmode=require needs sslrootcert=FILE with the trusted authorities"
    );
}
