//! What only a store on disk can show: what lies where, and when.

#![cfg(test)]

use std::fs::{self, File, FileTimes};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::TryStreamExt;
use packhouse_blob::{BlobError, BlobStore, LocalStore};
use packhouse_names::StorageKey;
use tempfile::TempDir;

const MIB: usize = 1 << 20;

struct Fixture {
    folder: TempDir,
    store: LocalStore,
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = LocalStore::open(folder.path().join("store")).unwrap();
        Self { folder, store }
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    fn staged(&self) -> Vec<PathBuf> {
        files(&self.root().join("staging"))
    }

    fn kept(&self) -> Vec<PathBuf> {
        files(&self.root().join("blobs"))
    }

    fn object(&self, key: &StorageKey) -> PathBuf {
        let shard = &key.as_str().as_bytes()[30..];
        let shard = std::str::from_utf8(shard).unwrap();
        self.root().join("blobs").join(shard).join(key.as_str())
    }

    /// Removal happens on a thread of its own.
    async fn staging_becomes_empty(&self) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while !self.staged().is_empty() {
            assert!(Instant::now() < deadline, "{:?}", self.staged());
            tokio::task::yield_now().await;
        }
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn body(len: usize) -> Bytes {
    vec![7; len].into()
}

#[tokio::test]
async fn an_object_lies_under_its_key_alone_and_belongs_to_one_user() {
    let fixture = Fixture::new();
    let key = fixture.store.put(body(10)).await.unwrap();
    let path = fixture.object(&key);
    assert_eq!(fixture.kept(), std::slice::from_ref(&path));
    assert_eq!(fs::read(&path).unwrap(), body(10));
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    assert_eq!(mode(&fixture.root()), 0o700);
    assert!(fixture.staged().is_empty());
}

#[tokio::test]
async fn nothing_is_visible_before_finish() {
    let fixture = Fixture::new();
    let mut writer = fixture.store.begin().await.unwrap();
    writer.write(body(3 * MIB)).await.unwrap();
    writer.reader().await.unwrap();
    assert_eq!(fixture.staged().len(), 1);
    assert!(fixture.kept().is_empty());

    let key = writer.finish().await.unwrap();

    assert!(fixture.staged().is_empty());
    assert_eq!(fixture.kept(), [fixture.object(&key)]);
}

#[tokio::test]
async fn a_small_body_touches_the_disk_in_finish_only() {
    let fixture = Fixture::new();
    let mut writer = fixture.store.begin().await.unwrap();
    writer.write(body(1000)).await.unwrap();
    writer.reader().await.unwrap();
    assert!(fixture.staged().is_empty());
    writer.finish().await.unwrap();
    assert_eq!(fixture.kept().len(), 1);
}

#[tokio::test]
async fn a_dropped_writer_leaves_nothing() {
    let fixture = Fixture::new();

    let mut idle = fixture.store.begin().await.unwrap();
    idle.write(body(2 * MIB)).await.unwrap();
    idle.reader().await.unwrap();
    assert_eq!(fixture.staged().len(), 1);
    drop(idle);
    fixture.staging_becomes_empty().await;

    let mut busy = fixture.store.begin().await.unwrap();
    busy.write(body(2 * MIB)).await.unwrap();
    // Waits for the first write, so that there is a file, and leaves the second one running.
    busy.write(body(2 * MIB)).await.unwrap();
    assert_eq!(fixture.staged().len(), 1);
    drop(busy);
    fixture.staging_becomes_empty().await;

    assert!(fixture.kept().is_empty());
}

#[test]
fn a_writer_may_be_dropped_outside_of_any_runtime() {
    let fixture = Fixture::new();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let writer = runtime.block_on(async {
        let mut writer = fixture.store.begin().await.unwrap();
        writer.write(body(2 * MIB)).await.unwrap();
        writer.reader().await.unwrap();
        writer
    });
    assert_eq!(fixture.staged().len(), 1);
    drop(runtime);
    drop(writer);
    assert!(fixture.staged().is_empty());
}

#[tokio::test]
async fn objects_survive_a_new_start() {
    let fixture = Fixture::new();
    let key = fixture.store.put(body(10)).await.unwrap();
    let again = LocalStore::open(fixture.root()).unwrap();
    drop(fixture.store);
    let stream = again.open(&key, None).await.unwrap();
    assert_eq!(stream.into_bytes().unwrap(), body(10));
}

#[tokio::test]
async fn a_sweep_takes_what_is_older_than_the_age_and_nothing_else() {
    let fixture = Fixture::new();
    let kept = fixture.store.put(body(10)).await.unwrap();
    let staging = fixture.root().join("staging");
    let made = |name: &str| File::create(staging.join(name)).unwrap();
    let now = made("fresh").metadata().unwrap().modified().unwrap();
    let hour = Duration::from_secs(3600);
    for (name, age) in [
        ("old", 25 * hour),
        ("older", 300 * hour),
        ("young", 23 * hour),
    ] {
        let times = FileTimes::new().set_modified(now - age);
        made(name).set_times(times).unwrap();
    }
    let long_ago = FileTimes::new().set_modified(now - 300 * hour);
    let object = File::options().append(true).open(fixture.object(&kept));
    object.unwrap().set_times(long_ago).unwrap();

    assert_eq!(fixture.store.sweep(24 * hour).await.unwrap(), 2);

    let mut left = fixture.staged();
    left.sort();
    assert_eq!(left, [staging.join("fresh"), staging.join("young")]);
    assert_eq!(fixture.kept().len(), 1);
    assert_eq!(fixture.store.sweep(24 * hour).await.unwrap(), 0);
}

#[tokio::test]
async fn an_object_is_as_old_as_its_name_and_strange_files_are_no_objects() {
    let fixture = Fixture::new();
    let mut writer = fixture.store.begin().await.unwrap();
    writer.write(body(2 * MIB)).await.unwrap();
    let staged = writer.suspend().await.unwrap();
    // as one that waited for long in staging
    let file = File::options()
        .append(true)
        .open(fixture.root().join("staging").join(staged.as_str()))
        .unwrap();
    let now = file.metadata().unwrap().modified().unwrap();
    let long_ago = FileTimes::new().set_modified(now - Duration::from_secs(300 * 3600));
    file.set_times(long_ago).unwrap();
    let length = u64::try_from(2 * MIB).unwrap();
    let writer = fixture.store.resume(&staged, length).await.unwrap();
    let key = writer.finish().await.unwrap();
    let beside = fixture.object(&key).parent().unwrap().join("notes.txt");
    File::create(beside).unwrap();

    let walked: Vec<_> = fixture.store.walk().try_collect().await.unwrap();
    assert_eq!(walked.len(), 1, "{walked:?}");
    let object = walked.first().unwrap();
    assert_eq!((&object.key, object.size), (&key, length));
    assert!(object.age < Duration::from_secs(3600), "{object:?}");
}

#[tokio::test]
async fn an_object_that_was_cut_short_fails_instead_of_ending_early() {
    let fixture = Fixture::new();
    let key = fixture.store.put(body(4 * MIB)).await.unwrap();
    let stream = fixture.store.open(&key, None).await.unwrap();
    let object = File::options().write(true).open(fixture.object(&key));
    object.unwrap().set_len(1000).unwrap();
    let read: Result<Vec<Bytes>, BlobError> = stream.try_collect().await;
    assert!(matches!(read, Err(BlobError::Io { .. })));
}

#[tokio::test]
async fn a_store_whose_folder_is_gone_is_not_ready() {
    let fixture = Fixture::new();
    fixture.store.probe().await.unwrap();
    fs::remove_dir_all(fixture.root()).unwrap();
    assert!(fixture.store.probe().await.is_err());
    assert!(fixture.store.put(body(10)).await.is_err());
}

#[tokio::test]
async fn an_object_that_cannot_be_moved_into_place_leaves_nothing() {
    let fixture = Fixture::new();
    fs::remove_dir_all(fixture.root().join("blobs")).unwrap();
    assert!(matches!(
        fixture.store.put(body(10)).await,
        Err(BlobError::Io { .. })
    ));
    assert!(fixture.staged().is_empty());
}
