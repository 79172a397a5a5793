use std::fs::{self, File, OpenOptions};
use std::io::{Cursor, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use packhouse_names::StorageKey;

use super::Folders;
use super::folder::Folder;
use crate::batch::Batch;
use crate::workers::{Job, Workers};
use crate::{BlobError, BlobWriter, ReadSeek, key};

const WRITING: &str = "writing an object";

/// A file in the staging folder, removed on drop unless it was kept or suspended.
#[derive(Debug)]
pub(super) struct Staged {
    path: Option<PathBuf>,
    file: File,
    /// It was suspended before: its name is durable, and a writer that fails leaves it so.
    is_resumed: bool,
}

impl Staged {
    pub(super) fn create(path: PathBuf) -> Result<Self, BlobError> {
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(|source| BlobError::io(WRITING, source))?;
        Ok(Self {
            path: Some(path),
            file,
            is_resumed: false,
        })
    }

    /// Goes on behind the first `length` bytes.
    pub(super) fn resume(path: PathBuf, key: &StorageKey, length: u64) -> Result<Self, BlobError> {
        let failed = |source| BlobError::object(WRITING, key, source);
        let mut file = OpenOptions::new().write(true).open(&path).map_err(failed)?;
        // work of an earlier writer that was dropped half way may still run; when it is done, the
        // path may name another file or none
        file.lock().map_err(failed)?;
        let (own, named) = (file.metadata(), fs::metadata(&path));
        let (own, named) = (own.map_err(failed)?, named.map_err(failed)?);
        if own.ino() != named.ino() || own.len() < length {
            return Err(BlobError::Missing { key: key.clone() });
        }
        file.set_len(length).map_err(failed)?;
        file.seek(SeekFrom::End(0)).map_err(failed)?;
        Ok(Self {
            path: Some(path),
            file,
            is_resumed: true,
        })
    }

    /// Makes the bytes and their name durable and leaves them in the staging folder.
    fn suspend(mut self, folders: &Folders) -> Result<(), BlobError> {
        let failed = |source| BlobError::io(WRITING, source);
        self.file.sync_all().map_err(failed)?;
        if !self.is_resumed {
            folders.staging.sync().map_err(failed)?;
        }
        self.path = None;
        Ok(())
    }

    pub(super) fn append(&mut self, pieces: &[Bytes]) -> Result<(), BlobError> {
        pieces
            .iter()
            .try_for_each(|piece| self.file.write_all(piece))
            .map_err(|source| BlobError::io(WRITING, source))
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// A second handle, for reading.
    pub(super) fn reopen(&self) -> Result<File, BlobError> {
        File::open(self.path.as_deref().unwrap_or(Path::new("")))
            .map_err(|source| BlobError::io(WRITING, source))
    }

    /// Makes the bytes durable, then their name, then gives the object away.
    fn keep(mut self, folders: &Folders, key: &StorageKey) -> Result<(), BlobError> {
        let failed = |source| BlobError::io(WRITING, source);
        let folder = folders.of(key)?;
        let target = folder.path().join(key.as_str());
        self.file.sync_all().map_err(failed)?;
        if let Some(path) = &self.path {
            fs::rename(path, &target).map_err(failed)?;
        }
        // From here on a failure has to remove the object instead of the staged file.
        self.path = Some(target);
        self.is_resumed = false;
        folder.sync().map_err(failed)?;
        self.path = None;
        Ok(())
    }

    /// Makes the bytes of a file that lies in its place durable, then its name.
    fn make_durable(mut self, folder: &Folder) -> Result<(), BlobError> {
        let failed = |source| BlobError::io(WRITING, source);
        self.file.sync_all().map_err(failed)?;
        folder.sync().map_err(failed)?;
        self.path = None;
        Ok(())
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.is_resumed
            && let Some(path) = &self.path
            && let Err(error) = fs::remove_file(path)
        {
            tracing::warn!(%error, "could not remove an unfinished object; it is collected later");
        }
    }
}

/// An object whose bytes are all there goes straight to its place: nobody knows its key before it is
/// durable, and one commit of the file system takes the bytes and the name. What a crash leaves is
/// an object that no row names.
pub(super) fn put(
    folders: &Folders,
    key: StorageKey,
    pieces: &[Bytes],
) -> Result<StorageKey, BlobError> {
    let mut object = Staged::create(folders.object(&key)?)?;
    object.append(pieces)?;
    object.make_durable(folders.of(&key)?)?;
    Ok(key)
}

/// Gathers a body, and hands full batches to a thread while the next one fills. A body that never
/// fills one touches the disk once, in `finish`.
#[derive(Debug)]
pub(super) struct LocalWriter {
    folders: Arc<Folders>,
    workers: Workers,
    key: StorageKey,
    batch: Batch,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Nothing was handed to the disk yet.
    Fresh,
    Idle(Staged),
    Busy(Job<Result<Staged, BlobError>>),
    /// An earlier call failed or was given up half way.
    Lost,
}

impl LocalWriter {
    pub(super) fn new(folders: Arc<Folders>, workers: Workers) -> Self {
        Self {
            folders,
            workers,
            key: key::fresh(),
            batch: Batch::default(),
            state: State::Fresh,
        }
    }

    /// A writer behind the bytes that an earlier one left.
    pub(super) fn resumed(
        folders: Arc<Folders>,
        workers: Workers,
        key: StorageKey,
        staged: Staged,
    ) -> Self {
        Self {
            folders,
            workers,
            key,
            batch: Batch::default(),
            state: State::Idle(staged),
        }
    }

    /// The staged file, once earlier work on it is done; `None` if there is none yet.
    async fn staged(&mut self) -> Result<Option<Staged>, BlobError> {
        match std::mem::replace(&mut self.state, State::Lost) {
            State::Fresh => Ok(None),
            State::Idle(staged) => Ok(Some(staged)),
            State::Busy(job) => Ok(Some(job.end().await??)),
            State::Lost => Err(BlobError::Worker("an earlier write did not end".into())),
        }
    }

    /// The work of bringing everything that was gathered to the staged file.
    async fn flush(
        &mut self,
    ) -> Result<impl FnOnce() -> Result<Staged, BlobError> + Send + 'static, BlobError> {
        let staged = self.staged().await?;
        let pieces = self.batch.take();
        let path = self.folders.staged(&self.key);
        Ok(move || {
            let mut staged = match staged {
                Some(staged) => staged,
                None => Staged::create(path)?,
            };
            staged.append(&pieces)?;
            Ok(staged)
        })
    }
}

#[async_trait]
impl BlobWriter for LocalWriter {
    async fn write(&mut self, bytes: Bytes) -> Result<(), BlobError> {
        self.batch.push(bytes);
        if self.batch.is_full() {
            let flush = self.flush().await?;
            self.state = State::Busy(self.workers.start(flush).await?);
        }
        Ok(())
    }

    async fn reader(&mut self) -> Result<Box<dyn ReadSeek>, BlobError> {
        if matches!(self.state, State::Fresh) {
            return Ok(Box::new(Cursor::new(self.batch.copy())));
        }
        let flush = self.flush().await?;
        let (staged, reader) = self
            .workers
            .run(move || {
                let staged = flush()?;
                let reader = staged.reopen()?;
                Ok::<_, BlobError>((staged, reader))
            })
            .await??;
        self.state = State::Idle(staged);
        Ok(Box::new(reader))
    }

    async fn suspend(mut self: Box<Self>) -> Result<StorageKey, BlobError> {
        let flush = self.flush().await?;
        let (folders, key) = (Arc::clone(&self.folders), self.key.clone());
        self.workers
            .run(move || {
                flush()?.suspend(&folders)?;
                Ok(key)
            })
            .await?
    }

    async fn finish(mut self: Box<Self>) -> Result<StorageKey, BlobError> {
        let (folders, key) = (Arc::clone(&self.folders), self.key.clone());
        if matches!(self.state, State::Fresh) {
            let pieces = self.batch.take();
            return self
                .workers
                .run(move || put(&folders, key, &pieces))
                .await?;
        }
        let flush = self.flush().await?;
        self.workers
            .run(move || {
                flush()?.keep(&folders, &key)?;
                Ok(key)
            })
            .await?
    }
}

impl Drop for LocalWriter {
    fn drop(&mut self) {
        // Freeing a large file takes the file system a while; work that is still running drops
        // its file by itself.
        if let State::Idle(staged) = std::mem::replace(&mut self.state, State::Lost)
            && tokio::runtime::Handle::try_current().is_ok()
        {
            self.workers.try_start(move || drop(staged));
        }
    }
}
