//! Events: none is lost, none is seen twice, and settled ones keep their order.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use packhouse_db::outbox::{self, Change, Changes, Cursor, Event, NewEvent, Watermark};
use packhouse_db::{DbResult, Tx};
use packhouse_names::{EventId, PackageId};
use tokio::sync::oneshot;

use crate::house::{House, NOON};

on_both!(
    changes_are_listed_once_along_the_watermarks,
    too_many_changes_are_not_listed,
    settled_events_are_read_page_by_page,
);

fn append(tx: &mut Tx<'_>, package: i64) -> DbResult<EventId> {
    outbox::append(
        tx,
        &NewEvent {
            kind: "package.published",
            package_id: Some(PackageId::from(package)),
            account_id: None,
            repository_id: None,
            token_id: None,
            actor_id: None,
            payload: "{}",
            created_at: NOON,
        },
    )
}

async fn changes(house: &House, seen: Watermark, limit: u32) -> (Changes, Watermark) {
    house
        .read(move |conn| outbox::changes_since(conn, &seen, limit))
        .await
}

fn packages(changes: &Changes) -> Vec<i64> {
    let Changes::Listed(rows) = changes else {
        panic!("{changes:?}");
    };
    rows.iter()
        .map(|change: &Change| change.package_id.unwrap().get())
        .collect()
}

/// Reads until `count` events have settled; other databases of the server hold the line back too.
async fn settled(house: &House, count: usize) -> Vec<Event> {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let events = house
            .read(|conn| outbox::read_settled(conn, Cursor::default(), 100))
            .await;
        if events.len() >= count {
            return events;
        }
        assert!(Instant::now() < deadline, "only {} settled", events.len());
        tokio::task::yield_now().await;
    }
}

async fn changes_are_listed_once_along_the_watermarks(house: House) {
    house.write(|tx| append(tx, 1)).await;
    let start = house.read(outbox::watermark).await;
    let (none, start) = changes(&house, start, 10).await;
    assert_eq!(packages(&none), [0; 0]);

    house.write(|tx| append(tx, 2)).await;
    house.write(|tx| append(tx, 3)).await;
    let (first, next) = changes(&house, start, 10).await;
    assert_eq!(packages(&first), [2, 3]);

    house.write(|tx| append(tx, 4)).await;
    let (second, end) = changes(&house, next, 10).await;
    assert_eq!(packages(&second), [4]);
    let (third, _) = changes(&house, end, 10).await;
    assert_eq!(packages(&third), [0; 0]);
}

async fn too_many_changes_are_not_listed(house: House) {
    let start = house.read(outbox::watermark).await;
    house
        .write(|tx| {
            for package in 1..=4 {
                append(tx, package)?;
            }
            Ok(())
        })
        .await;
    let (three, _) = changes(&house, start.clone(), 4).await;
    assert_eq!(packages(&three), [1, 2, 3, 4]);
    let (flood, next) = changes(&house, start, 3).await;
    assert_eq!(flood, Changes::TooMany);
    // and all of them are behind the new watermark
    let (none, _) = changes(&house, next, 3).await;
    assert_eq!(packages(&none), [0; 0]);
}

async fn settled_events_are_read_page_by_page(house: House) {
    for package in 1..=5 {
        house.write(move |tx| append(tx, package)).await;
    }
    settled(&house, 5).await;
    let mut seen = Vec::new();
    let mut after = Cursor::default();
    loop {
        let page = house
            .read(move |conn| outbox::read_settled(conn, after, 2))
            .await;
        let Some(last) = page.last() else { break };
        let (txid, id) = last.cursor().parts();
        after = Cursor::new(txid, id);
        seen.extend(page.iter().map(|event| event.package_id.unwrap().get()));
    }
    assert_eq!(seen, [1, 2, 3, 4, 5]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_committed_late_is_neither_skipped_nor_overtaken() {
    let Some(house) = House::postgres().await else {
        return;
    };
    let start = house.read(outbox::watermark).await;
    let (began, has_begun) = oneshot::channel();
    let (release, held) = mpsc::channel::<()>();
    let slow = tokio::spawn({
        let db = house.db.clone();
        async move {
            db.write(move |tx| {
                let id = append(tx, 1)?;
                began.send(id).unwrap();
                held.recv().unwrap();
                DbResult::Ok(())
            })
            .await
        }
    });
    let early = has_begun.await.unwrap();
    let late = house.write(|tx| append(tx, 2)).await;
    assert!(early < late, "the open transaction drew the lower id");

    // the committed event is known to caches at once, and settles only after the open one
    let (visible, next) = changes(&house, start, 10).await;
    assert_eq!(packages(&visible), [2]);
    let waiting = house
        .read(|conn| outbox::read_settled(conn, Cursor::default(), 10))
        .await;
    assert!(waiting.is_empty(), "{waiting:?}");

    release.send(()).unwrap();
    slow.await.unwrap().unwrap();
    let (visible, end) = changes(&house, next, 10).await;
    assert_eq!(packages(&visible), [1]);
    let (none, _) = changes(&house, end, 10).await;
    assert_eq!(packages(&none), [0; 0]);
    let events: Vec<EventId> = settled(&house, 2).await.iter().map(|e| e.id).collect();
    assert_eq!(events, [early, late]);
}
