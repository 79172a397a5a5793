//! A store in a folder of the local file system.

mod folder;
mod read;
mod write;

use std::fs::{self, DirBuilder, File, Metadata};
use std::io::{self, Read};
use std::ops::Range;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt as _, TryStreamExt as _};
use packhouse_names::StorageKey;
use url::Url;

use crate::workers::Workers;
use crate::{BlobError, BlobStore, BlobStream, BlobWriter, StoredObject, key};
use folder::Folder;
use read::{Reads, Recent, Shelf};
use write::{LocalWriter, Staged};

/// Objects are spread over this many folders, by the last two digits of their key.
const SHARDS: usize = 256;

/// Reads and writes have threads of their own: a read never waits behind a sync.
const READ_THREADS: usize = 64;
/// Enough that the file system can commit many syncs together.
const WRITE_THREADS: usize = 32;

/// Objects in a folder: `staging/KEY` while they are written, `blobs/XX/KEY` from then on. Those that
/// come whole are written where they stay.
///
/// It needs a tokio runtime of either flavour around its futures. The folder belongs to one
/// process; whoever opens the store sees to that. Files have mode 0600, folders 0700. 257 folder
/// handles stay open.
#[derive(Debug)]
pub struct LocalStore {
    folders: Arc<Folders>,
    reads: Reads,
    writes: Workers,
}

impl LocalStore {
    /// Opens the store in the folder `root`, which is made if absent. Blocks.
    ///
    /// # Errors
    /// [`BlobError::Io`], where folders cannot be made or opened.
    pub fn open(root: impl AsRef<Path>) -> Result<Self, BlobError> {
        let folders = Folders::open(root.as_ref())
            .map_err(|source| BlobError::io("opening its folders", source))?;
        Ok(Self {
            folders: Arc::new(folders),
            reads: Reads {
                workers: Workers::new(READ_THREADS),
                shelf: Shelf::default(),
                recent: Recent::default(),
            },
            writes: Workers::new(WRITE_THREADS),
        })
    }
}

#[async_trait]
impl BlobStore for LocalStore {
    async fn put(&self, bytes: Bytes) -> Result<StorageKey, BlobError> {
        let folders = Arc::clone(&self.folders);
        self.writes
            .run(move || write::put(&folders, key::fresh(), &[bytes]))
            .await?
    }

    async fn begin(&self) -> Result<Box<dyn BlobWriter>, BlobError> {
        Ok(Box::new(LocalWriter::new(
            Arc::clone(&self.folders),
            self.writes.clone(),
        )))
    }

    async fn resume(
        &self,
        key: &StorageKey,
        length: u64,
    ) -> Result<Box<dyn BlobWriter>, BlobError> {
        let (path, wanted) = (self.folders.staged(key), key.clone());
        let staged = self
            .writes
            .run(move || Staged::resume(path, &wanted, length))
            .await??;
        Ok(Box::new(LocalWriter::resumed(
            Arc::clone(&self.folders),
            self.writes.clone(),
            key.clone(),
            staged,
        )))
    }

    async fn abandon(&self, key: &StorageKey) -> Result<(), BlobError> {
        let path = self.folders.staged(key);
        self.writes
            .run(move || remove(&path))
            .await?
            .map(drop)
            .map_err(|source| BlobError::io("removing a suspended object", source))
    }

    async fn open(
        &self,
        key: &StorageKey,
        range: Option<Range<u64>>,
    ) -> Result<BlobStream, BlobError> {
        read::open(&self.reads, || self.folders.object(key), key, range)
    }

    async fn delete(&self, key: &StorageKey) -> Result<(), BlobError> {
        let path = self.folders.object(key)?;
        let removed = self.writes.run(move || remove(&path)).await?;
        // after it, so that nobody brings it back in between
        self.reads.recent.forget(key);
        removed
            .map(drop)
            .map_err(|source| BlobError::io("removing an object", source))
    }

    async fn sweep(&self, age: Duration) -> Result<u64, BlobError> {
        let folders = Arc::clone(&self.folders);
        self.writes.run(move || folders.sweep(age)).await?
    }

    fn walk(&self) -> BoxStream<'static, Result<StoredObject, BlobError>> {
        let (folders, workers) = (Arc::clone(&self.folders), self.writes.clone());
        let began = {
            let (folders, workers) = (Arc::clone(&folders), workers.clone());
            async move { workers.run(move || folders.now()).await? }
        };
        stream::once(began)
            .map_ok(move |now| {
                let (folders, workers) = (Arc::clone(&folders), workers.clone());
                let now = changed(&now);
                stream::iter(0..SHARDS).then(move |shard| {
                    let (folders, workers) = (Arc::clone(&folders), workers.clone());
                    async move { workers.run(move || folders.list(shard, now)).await? }
                })
            })
            .try_flatten()
            .map_ok(|shard| stream::iter(shard.into_iter().map(Ok)))
            .try_flatten()
            .boxed()
    }

    async fn probe(&self) -> Result<(), BlobError> {
        let folders = Arc::clone(&self.folders);
        self.writes.run(move || folders.probe()).await?
    }

    async fn presign(
        &self,
        _key: &StorageKey,
        _expires: Duration,
    ) -> Result<Option<Url>, BlobError> {
        Ok(None)
    }
}

/// Where things lie.
#[derive(Debug)]
struct Folders {
    staging: Folder,
    shards: Vec<Folder>,
}

impl Folders {
    fn open(root: &Path) -> io::Result<Self> {
        let made = !root.exists();
        let (staging, blobs) = (root.join("staging"), root.join("blobs"));
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder.create(&staging)?;
        let mut shards = Vec::with_capacity(SHARDS);
        for shard in 0..SHARDS {
            let path = blobs.join(format!("{shard:02x}"));
            builder.create(&path)?;
            shards.push(Folder::open(path)?);
        }
        // An object is only as durable as the folders above it.
        File::open(&blobs)?.sync_all()?;
        File::open(root)?.sync_all()?;
        if made && let Some(parent) = fs::canonicalize(root)?.parent() {
            File::open(parent)?.sync_all()?;
        }
        let staging = Folder::open(staging)?;
        Ok(Self { staging, shards })
    }

    fn staged(&self, key: &StorageKey) -> PathBuf {
        self.staging.path().join(key.as_str())
    }

    fn of(&self, key: &StorageKey) -> Result<&Folder, BlobError> {
        key.as_str()
            .get(StorageKey::MAX_BYTES - 2..)
            .and_then(|digits| usize::from_str_radix(digits, 16).ok())
            .and_then(|shard| self.shards.get(shard))
            .ok_or_else(|| BlobError::Missing { key: key.clone() })
    }

    fn object(&self, key: &StorageKey) -> Result<PathBuf, BlobError> {
        Ok(self.of(key)?.path().join(key.as_str()))
    }

    /// Now, by what gives files their times: the file system may keep another time than this
    /// machine does.
    fn now(&self) -> Result<Metadata, BlobError> {
        let marker = Staged::create(self.staged(&key::fresh()))?;
        let failed = |source| BlobError::io("asking for the time", source);
        marker.file().metadata().map_err(failed)
    }

    /// The objects of one folder, with their ages at `now`. Whatever else lies there is none of
    /// ours.
    fn list(&self, shard: usize, now: Duration) -> Result<Vec<StoredObject>, BlobError> {
        let failed = |source| BlobError::io("listing objects", source);
        let Some(folder) = self.shards.get(shard) else {
            return Ok(Vec::new());
        };
        let mut found = Vec::new();
        for entry in fs::read_dir(folder.path()).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let Some(key) = entry
                .file_name()
                .to_str()
                .and_then(|name| StorageKey::new(name).ok())
            else {
                continue;
            };
            match entry.metadata() {
                // the change of its name counts, too: what was staged for long is young yet
                Ok(of) => found.push(StoredObject {
                    key,
                    size: of.len(),
                    age: now.saturating_sub(changed(&of)),
                }),
                Err(gone) if gone.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(failed(error)),
            }
        }
        Ok(found)
    }

    fn sweep(&self, age: Duration) -> Result<u64, BlobError> {
        let failed = |source| BlobError::io("sweeping the staging folder", source);
        let now = self.now()?.modified().map_err(failed)?;
        let mut removed = 0;
        for entry in fs::read_dir(self.staging.path()).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let written = match entry.metadata().and_then(|of| of.modified()) {
                Ok(written) => written,
                // Finished or given up since the folder was listed.
                Err(gone) if gone.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(failed(error)),
            };
            let old = now.duration_since(written).is_ok_and(|span| span > age);
            if old && remove(&entry.path()).map_err(failed)? {
                removed += 1;
            }
        }
        Ok(removed)
    }

    fn probe(&self) -> Result<(), BlobError> {
        const PROBE: &[u8] = b"probe";
        let mut staged = Staged::create(self.staged(&key::fresh()))?;
        staged.append(&[Bytes::from_static(PROBE)])?;
        let mut seen = Vec::new();
        staged
            .reopen()?
            .take(64)
            .read_to_end(&mut seen)
            .and_then(|_bytes| staged.file().sync_all())
            .map_err(|source| BlobError::io("probing", source))?;
        if seen == PROBE {
            return Ok(());
        }
        Err(BlobError::io(
            "probing",
            io::Error::other("what was written is not what was read"),
        ))
    }
}

/// When a file, or its name, was last changed; since 1970.
fn changed(of: &Metadata) -> Duration {
    let seconds = u64::try_from(of.ctime()).unwrap_or_default();
    let nanos = u32::try_from(of.ctime_nsec()).unwrap_or_default();
    Duration::new(seconds, nanos)
}

/// Removes a file; says whether it was there.
fn remove(path: &Path) -> io::Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(absent) if absent.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
