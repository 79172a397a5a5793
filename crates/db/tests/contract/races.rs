//! Writers at the same time: nothing is lost, nothing is there twice.

use std::collections::BTreeSet;

use packhouse_db::{AccountKind, DbError, accounts, blobs, collection, packages, versions};
use packhouse_names::Timestamp;
use tokio::task::JoinSet;

use crate::house::{House, NOON, new_account, new_blob, new_package, new_version};

const WRITERS: u8 = 8;

on_both!(
    increments_of_many_writers_are_all_counted,
    of_racing_inserts_of_one_version_exactly_one_wins,
    of_racing_inserts_of_one_login_exactly_one_wins,
    a_package_that_many_make_at_once_is_made_once,
    a_blob_that_many_bring_at_once_has_one_place,
    a_condemned_blob_is_revived_where_its_new_bytes_lie,
    a_duplicate_leaves_the_transaction_usable,
);

async fn increments_of_many_writers_are_all_counted(house: House) {
    const TIMES: i64 = 20;
    let owner = house.user("ann").await;
    let package = house.package(owner, "left-pad", None).await;
    let mut writers = JoinSet::new();
    for _ in 0..WRITERS {
        let (db, id) = (house.db.clone(), package.id);
        writers.spawn(async move {
            for _ in 0..TIMES {
                let (before, after) = db
                    .write(move |tx| {
                        let before = packages::lock(tx, id)?.revision;
                        Ok::<_, DbError>((before, packages::bump(tx, id, NOON)?))
                    })
                    .await
                    .unwrap();
                assert_eq!(after, before + 1);
            }
        });
    }
    writers.join_all().await;

    let total = i64::from(WRITERS) * TIMES;
    let end = house
        .read(move |conn| packages::find(conn, package.id))
        .await
        .unwrap();
    assert_eq!(end.revision, total);
    // every revision has an instant of its own, though all were made at noon
    assert_eq!(
        end.updated_at,
        Timestamp::from_micros(NOON.as_micros() + total)
    );
}

async fn of_racing_inserts_of_one_version_exactly_one_wins(house: House) {
    let owner = house.user("ann").await;
    let package = house.package(owner, "left-pad", None).await;
    let mut writers = JoinSet::new();
    for _ in 0..WRITERS {
        let (db, new) = (house.db.clone(), new_version(package.id, "1.0.0"));
        writers.spawn(async move { db.write(move |tx| versions::insert(tx, &new)).await });
    }
    let answers = writers.join_all().await;

    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    assert!(
        answers
            .iter()
            .all(|answer| matches!(answer, Ok(_) | Err(DbError::Duplicate))),
        "{answers:?}"
    );
    let listed = house
        .read(move |conn| versions::listing(conn, package.id))
        .await;
    assert_eq!(listed.len(), 1);
}

async fn of_racing_inserts_of_one_login_exactly_one_wins(house: House) {
    let mut writers = JoinSet::new();
    for index in 0..WRITERS {
        let login = if index % 2 == 0 { "Ann" } else { "aNN" };
        let (db, new) = (house.db.clone(), new_account(login, AccountKind::User));
        writers.spawn(async move { db.write(move |tx| accounts::insert(tx, &new)).await });
    }
    let answers = writers.join_all().await;

    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    assert_eq!(house.read(accounts::count).await, 1);
}

async fn a_package_that_many_make_at_once_is_made_once(house: House) {
    let owner = house.user("ann").await;
    let mut writers = JoinSet::new();
    for _ in 0..WRITERS {
        let (db, new) = (house.db.clone(), new_package(owner, "left-pad"));
        writers.spawn(async move {
            db.write(move |tx| packages::insert_or_get(tx, &new))
                .await
                .unwrap()
        });
    }
    let answers = writers.join_all().await;

    let ids: BTreeSet<_> = answers.iter().map(|(package, _)| package.id).collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(answers.iter().filter(|(_, made)| *made).count(), 1);
}

async fn a_blob_that_many_bring_at_once_has_one_place(house: House) {
    let mut writers = JoinSet::new();
    for key in 0..WRITERS {
        let (db, new) = (house.db.clone(), new_blob(7, key));
        writers.spawn(async move {
            db.write(move |tx| blobs::insert_or_get(tx, &new))
                .await
                .unwrap()
        });
    }
    let answers = writers.join_all().await;

    let keys: BTreeSet<_> = answers
        .iter()
        .map(|blob| blob.storage_key.clone())
        .collect();
    assert_eq!(keys.len(), 1);
}

async fn a_condemned_blob_is_revived_where_its_new_bytes_lie(house: House) {
    let first = new_blob(7, 1);
    let digest = first.sha256;
    let (first_key, second_key) = (first.storage_key.clone(), new_blob(7, 2).storage_key);
    house
        .write(move |tx| blobs::insert_or_get(tx, &first))
        .await;

    // while it lives, the first key stays
    let kept = house
        .write(move |tx| blobs::insert_or_get(tx, &new_blob(7, 2)))
        .await;
    assert_eq!(kept.storage_key, first_key);

    let condemn = || house.write(move |tx| collection::condemn(tx, &[digest], NOON));
    assert_eq!(condemn().await.len(), 1);
    assert_eq!(condemn().await, []);
    let revived = house
        .write(move |tx| blobs::insert_or_get(tx, &new_blob(7, 2)))
        .await;
    assert_eq!(revived.storage_key, second_key);
    assert_eq!(revived.state, packhouse_db::BlobState::Live);
    let found = house
        .read(move |conn| blobs::find(conn, &digest))
        .await
        .unwrap();
    assert_eq!(found.storage_key, second_key);
}

async fn a_duplicate_leaves_the_transaction_usable(house: House) {
    let owner = house.user("ann").await;
    let package = house.package(owner, "left-pad", None).await;
    house.version(package.id, "1.0.0").await;
    let id = package.id;
    house
        .write(move |tx| {
            let again = versions::insert(tx, &new_version(id, "1.0.0"));
            assert!(matches!(again, Err(DbError::Duplicate)), "{again:?}");
            versions::insert(tx, &new_version(id, "1.0.1"))
        })
        .await;
    let names: Vec<String> = house
        .read(move |conn| versions::listing(conn, id))
        .await
        .into_iter()
        .map(|version| version.name.to_string())
        .collect();
    assert_eq!(names, ["1.0.0", "1.0.1"]);
}
