//! What every blob store keeps to, run over each of them and over both kinds of runtime.

#![cfg(test)]

use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::try_join_all;
use futures_util::{StreamExt, TryStreamExt};
use packhouse_blob::{BlobError, BlobStore, CHUNK_BYTES, INLINE_BYTES, LocalStore, MemoryStore};
use packhouse_names::StorageKey;

/// Runs every case over every store.
macro_rules! contract {
    ($($case:ident),+ $(,)?) => {
        mod memory {
            $(#[tokio::test]
            async fn $case() {
                super::$case(super::MemoryStore::new()).await;
            })+
        }

        mod local {
            $(#[tokio::test]
            async fn $case() {
                let folder = tempfile::tempdir().unwrap();
                super::$case(super::LocalStore::open(folder.path()).unwrap()).await;
            })+
        }

        mod local_from_many_threads {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let folder = tempfile::tempdir().unwrap();
                super::$case(super::LocalStore::open(folder.path()).unwrap()).await;
            })+
        }
    };
}

contract!(
    what_was_put_is_read_back,
    a_range_gives_just_its_bytes,
    a_range_beyond_the_end_is_refused,
    a_long_object_comes_in_chunks_of_one_size,
    a_written_object_is_what_was_written,
    a_writer_can_be_looked_into_before_it_is_finished,
    a_suspended_object_goes_on_where_it_was_left,
    a_suspended_object_is_cut_to_the_length_asked_for,
    a_dropped_writer_leaves_a_suspended_object_as_it_was,
    an_abandoned_object_cannot_be_resumed,
    an_object_that_never_was_is_missing,
    a_deleted_object_is_missing_and_may_be_deleted_again,
    a_stream_goes_on_when_its_object_is_deleted,
    many_puts_at_once_get_keys_of_their_own,
    a_fresh_store_is_ready_and_has_nothing_to_sweep,
    a_walk_finds_every_object_and_nothing_that_cannot_be_opened,
    nothing_is_signed,
);

/// Bytes that differ from place to place.
fn body(len: usize) -> Bytes {
    (0..=250).cycle().take(len).collect::<Vec<u8>>().into()
}

fn absent() -> StorageKey {
    StorageKey::new("0123456789abcdef0123456789abcdef").unwrap()
}

fn inline() -> usize {
    usize::try_from(INLINE_BYTES).unwrap()
}

async fn read(
    store: &dyn BlobStore,
    key: &StorageKey,
    range: Option<Range<u64>>,
) -> Result<Bytes, BlobError> {
    let stream = store.open(key, range).await?;
    let (len, empty) = (stream.len(), stream.is_empty());
    let pieces: Vec<Bytes> = stream.try_collect().await?;
    let bytes = Bytes::from(pieces.concat());
    assert_eq!(u64::try_from(bytes.len()).unwrap(), len);
    assert_eq!(bytes.is_empty(), empty);
    Ok(bytes)
}

async fn what_was_put_is_read_back(store: impl BlobStore) {
    for len in [0, 1, 4096, inline(), inline() + 1, 3 * CHUNK_BYTES + 5] {
        let key = store.put(body(len)).await.unwrap();
        assert_eq!(read(&store, &key, None).await.unwrap(), body(len), "{len}");
        let at_once = store.open(&key, None).await.unwrap().into_bytes();
        assert_eq!(at_once.is_ok(), len <= inline(), "{len}");
    }
}

async fn a_range_gives_just_its_bytes(store: impl BlobStore) {
    let len = 2 * CHUNK_BYTES + 100;
    let whole = body(len);
    let key = store.put(whole.clone()).await.unwrap();
    for (start, end) in [
        (0, 0),
        (0, 1),
        (0, len),
        (len - 1, len),
        (len, len),
        (77, 77 + inline()),
        (77, 78 + inline()),
        (CHUNK_BYTES - 1, 2 * CHUNK_BYTES + 1),
    ] {
        let range = u64::try_from(start).unwrap()..u64::try_from(end).unwrap();
        let part = read(&store, &key, Some(range)).await.unwrap();
        assert_eq!(part, whole.slice(start..end), "{start}..{end}");
    }
}

async fn a_range_beyond_the_end_is_refused(store: impl BlobStore) {
    let key = store.put(body(10)).await.unwrap();
    let reversed = Range { start: 5, end: 4 };
    for range in [0..11, 10..11, 11..11, 11..12, 0..u64::MAX, reversed] {
        let refused = store.open(&key, Some(range.clone())).await;
        assert!(
            matches!(refused, Err(BlobError::OutOfRange { size: 10 })),
            "{range:?}"
        );
    }
}

async fn a_long_object_comes_in_chunks_of_one_size(store: impl BlobStore) {
    let key = store.put(body(5 * CHUNK_BYTES + 7)).await.unwrap();
    let mut stream = store.open(&key, None).await.unwrap();
    let mut sizes = Vec::new();
    while let Some(piece) = stream.next().await {
        sizes.push(piece.unwrap().len());
    }
    let mut expected = vec![CHUNK_BYTES; 5];
    expected.push(7);
    assert_eq!(sizes, expected);
}

async fn a_written_object_is_what_was_written(store: impl BlobStore) {
    for (len, piece) in [(0, 1), (10, 3), (100_000, 4096), (3_000_000, 20_000)] {
        let whole = body(len);
        let mut writer = store.begin().await.unwrap();
        for start in (0..len).step_by(piece) {
            let bytes = whole.slice(start..len.min(start + piece));
            writer.write(bytes).await.unwrap();
        }
        let key = writer.finish().await.unwrap();
        assert_eq!(read(&store, &key, None).await.unwrap(), whole, "{len}");
    }
    let mut writer = store.begin().await.unwrap();
    let whole = body(4 * CHUNK_BYTES);
    writer.write(whole.clone()).await.unwrap();
    let key = writer.finish().await.unwrap();
    assert_eq!(read(&store, &key, None).await.unwrap(), whole);
}

async fn a_writer_can_be_looked_into_before_it_is_finished(store: impl BlobStore) {
    for len in [10, 3 * CHUNK_BYTES + 10] {
        let whole = body(2 * len);
        let mut writer = store.begin().await.unwrap();
        writer.write(whole.slice(..len)).await.unwrap();

        let mut reader = writer.reader().await.unwrap();
        let mut seen = Vec::new();
        reader.read_to_end(&mut seen).unwrap();
        assert_eq!(seen, whole.slice(..len));
        let mut again = [0; 3];
        reader.seek(SeekFrom::Start(5)).unwrap();
        reader.read_exact(&mut again).unwrap();
        assert_eq!(again, [5, 6, 7]);

        writer.write(whole.slice(len..)).await.unwrap();
        let key = writer.finish().await.unwrap();
        assert_eq!(read(&store, &key, None).await.unwrap(), whole);
    }
}

async fn a_suspended_object_goes_on_where_it_was_left(store: impl BlobStore) {
    let whole = body(3 * CHUNK_BYTES);
    let mut writer = store.begin().await.unwrap();
    let mut key = None;
    for cut in [0, 10, 2 * CHUNK_BYTES + 7] {
        let length = u64::try_from(cut).unwrap();
        if let Some(key) = &key {
            writer = store.resume(key, length).await.unwrap();
        }
        let end = match cut {
            0 => 10,
            10 => 2 * CHUNK_BYTES + 7,
            _ => whole.len(),
        };
        writer.write(whole.slice(cut..end)).await.unwrap();
        let named = writer.suspend().await.unwrap();
        assert!(key.is_none_or(|key| key == named));
        assert!(matches!(
            store.open(&named, None).await,
            Err(BlobError::Missing { .. })
        ));
        key = Some(named);
        writer = store.begin().await.unwrap();
    }
    let key = key.unwrap();
    let length = u64::try_from(whole.len()).unwrap();
    let writer = store.resume(&key, length).await.unwrap();
    let finished = writer.finish().await.unwrap();
    assert_eq!(read(&store, &finished, None).await.unwrap(), whole);
    assert!(matches!(
        store.resume(&key, 0).await,
        Err(BlobError::Missing { .. })
    ));
}

async fn suspended(store: &impl BlobStore, bytes: Bytes) -> StorageKey {
    let mut writer = store.begin().await.unwrap();
    writer.write(bytes).await.unwrap();
    writer.suspend().await.unwrap()
}

async fn a_suspended_object_is_cut_to_the_length_asked_for(store: impl BlobStore) {
    let key = suspended(&store, body(100)).await;
    assert!(matches!(
        store.resume(&key, 101).await,
        Err(BlobError::Missing { .. })
    ));
    let mut writer = store.resume(&key, 40).await.unwrap();
    writer.write(Bytes::from_static(b"end")).await.unwrap();
    let mut seen = Vec::new();
    let mut reader = writer.reader().await.unwrap();
    reader.read_to_end(&mut seen).unwrap();
    assert_eq!(seen, [&body(40)[..], b"end"].concat());
    let key = writer.finish().await.unwrap();
    assert_eq!(read(&store, &key, None).await.unwrap(), seen);
}

async fn a_dropped_writer_leaves_a_suspended_object_as_it_was(store: impl BlobStore) {
    let key = suspended(&store, body(100)).await;
    let mut writer = store.resume(&key, 100).await.unwrap();
    writer.write(body(2 * CHUNK_BYTES)).await.unwrap();
    drop(writer);
    let writer = store.resume(&key, 100).await.unwrap();
    let key = writer.finish().await.unwrap();
    assert_eq!(read(&store, &key, None).await.unwrap(), body(100));
}

async fn an_abandoned_object_cannot_be_resumed(store: impl BlobStore) {
    let key = suspended(&store, body(100)).await;
    store.abandon(&key).await.unwrap();
    store.abandon(&key).await.unwrap();
    assert!(matches!(
        store.resume(&key, 100).await,
        Err(BlobError::Missing { .. })
    ));
}

async fn an_object_that_never_was_is_missing(store: impl BlobStore) {
    for range in [None, Some(0..0), Some(0..1)] {
        match store.open(&absent(), range).await {
            Err(BlobError::Missing { key }) => assert_eq!(key, absent()),
            other => panic!("{other:?}"),
        }
    }
}

async fn a_deleted_object_is_missing_and_may_be_deleted_again(store: impl BlobStore) {
    let (key, other) = (
        store.put(body(10)).await.unwrap(),
        store.put(body(10)).await.unwrap(),
    );
    // what is read again and again is no longer read from its place
    assert_eq!(read(&store, &key, None).await.unwrap(), body(10));
    assert_eq!(
        read(&store, &key, Some(2..7)).await.unwrap(),
        body(10)[2..7]
    );
    let opened = store.open(&key, Some(2..11)).await;
    assert!(matches!(opened, Err(BlobError::OutOfRange { .. })));
    store.delete(&key).await.unwrap();
    let opened = store.open(&key, None).await;
    assert!(matches!(opened, Err(BlobError::Missing { .. })));
    store.delete(&key).await.unwrap();
    store.delete(&absent()).await.unwrap();
    assert_eq!(read(&store, &other, None).await.unwrap(), body(10));
}

async fn a_stream_goes_on_when_its_object_is_deleted(store: impl BlobStore) {
    let whole = body(4 * CHUNK_BYTES);
    let key = store.put(whole.clone()).await.unwrap();
    let stream = store.open(&key, None).await.unwrap();
    store.delete(&key).await.unwrap();
    let pieces: Vec<Bytes> = stream.try_collect().await.unwrap();
    assert_eq!(pieces.concat(), whole);
}

async fn many_puts_at_once_get_keys_of_their_own(store: impl BlobStore) {
    let store = Arc::new(store);
    // More than there are threads to write with.
    let puts = (0..150_usize).map(|len| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { (len, store.put(body(len)).await.unwrap()) })
    });
    let mut stored = try_join_all(puts).await.unwrap();
    for (len, key) in &stored {
        assert_eq!(read(&*store, key, None).await.unwrap(), body(*len));
    }
    stored.sort_by(|(_, one), (_, other)| one.cmp(other));
    stored.dedup_by(|(_, one), (_, other)| one == other);
    assert_eq!(stored.len(), 150);
}

async fn a_fresh_store_is_ready_and_has_nothing_to_sweep(store: impl BlobStore) {
    store.probe().await.unwrap();
    store.put(body(10)).await.unwrap();
    assert_eq!(store.sweep(Duration::ZERO).await.unwrap(), 0);
}

async fn a_walk_finds_every_object_and_nothing_that_cannot_be_opened(store: impl BlobStore) {
    let mut expected = Vec::new();
    for len in 0..300 {
        expected.push((
            store.put(body(len)).await.unwrap(),
            u64::try_from(len).unwrap(),
        ));
    }
    let gone = expected.pop().unwrap().0;
    store.delete(&gone).await.unwrap();
    suspended(&store, body(10)).await;
    let mut writer = store.begin().await.unwrap();
    writer.write(body(3 * CHUNK_BYTES)).await.unwrap();

    let walked: Vec<_> = store.walk().try_collect().await.unwrap();
    assert!(
        walked
            .iter()
            .all(|object| object.age < Duration::from_secs(600)),
        "{walked:?}"
    );
    let mut found: Vec<_> = walked
        .into_iter()
        .map(|object| (object.key, object.size))
        .collect();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
}

async fn nothing_is_signed(store: impl BlobStore) {
    let key = store.put(body(10)).await.unwrap();
    let link = store.presign(&key, Duration::from_secs(60)).await.unwrap();
    assert_eq!(link, None);
}
