//! The data folder: who may use it, and the secrets that lie in it.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use packhouse_names::TokenText;

use crate::config::{DatabaseUrl, Storage};

/// The name of the file with the site admin's first token.
pub const ADMIN_TOKEN_FILE: &str = "admin-token";

/// What a server writes into the lock, so that whoever finds it taken knows by what.
const SERVER: &str = "server";

/// The folder that everything of one house lies in, unless configured elsewhere.
#[derive(Debug, Clone)]
pub struct DataFolder(PathBuf);

/// The right to be the only process that writes to a SQLite house; dropping it gives it up.
#[derive(Debug)]
pub struct HouseLock {
    files: Vec<File>,
}

/// Who wants the lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occupant {
    Server,
    Command,
}

/// Who has the lock.
#[derive(Debug)]
pub enum Attempt {
    /// We have.
    Taken(HouseLock),
    /// A server, for as long as it runs.
    HeldByServer(PathBuf),
    /// An `admin` command, for a moment.
    HeldByCommand(PathBuf),
}

impl DataFolder {
    /// Makes the folder, readable by its owner alone, if it is not there.
    ///
    /// # Errors
    /// What the file system says.
    pub fn prepare(path: &Path) -> anyhow::Result<Self> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .with_context(|| format!("cannot make the data folder {}", path.display()))?;
        Ok(Self(path.to_owned()))
    }

    /// A file of the folder.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes the site admin's first token where only the folder's owner reads it.
    ///
    /// # Errors
    /// What the file system says; the token is then lost, and the error says how to make another.
    pub fn keep_token(&self, token: &TokenText) -> anyhow::Result<PathBuf> {
        let path = self.file(ADMIN_TOKEN_FILE);
        write_secret(&path, token.expose()).with_context(|| {
            format!(
                "cannot write the site admin's token to {}; make one with \
                 `packhouse admin create-token admin --scopes site_admin`",
                path.display()
            )
        })?;
        Ok(path)
    }
}

fn write_secret(path: &Path, secret: &str) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    writeln!(file, "{secret}")?;
    file.sync_all()
}

impl HouseLock {
    /// Takes the locks of a house, or says who has one. A PostgreSQL house is shared by design
    /// and has none.
    ///
    /// # Errors
    /// What the file system says.
    pub fn attempt(
        folder: &DataFolder,
        storage: &Storage,
        occupant: Occupant,
    ) -> anyhow::Result<Attempt> {
        let mut files = Vec::new();
        for path in lock_paths(folder, &storage.database) {
            let mut file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .open(&path)
                .with_context(|| format!("cannot open the lock {}", path.display()))?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    let mut holder = String::new();
                    // a lock that says nothing readable is a command's, which is over soon
                    if file.read_to_string(&mut holder).is_err() {
                        holder.clear();
                    }
                    return Ok(if holder.trim() == SERVER {
                        Attempt::HeldByServer(path)
                    } else {
                        Attempt::HeldByCommand(path)
                    });
                }
                Err(TryLockError::Error(error)) => {
                    bail!("cannot lock {}: {error}", path.display());
                }
            }
            note(&mut file, occupant)
                .with_context(|| format!("cannot write the lock {}", path.display()))?;
            files.push(file);
        }
        Ok(Attempt::Taken(Self { files }))
    }

    /// Whether there was anything to lock.
    #[must_use]
    pub fn is_exclusive(&self) -> bool {
        !self.files.is_empty()
    }
}

fn note(file: &mut File, occupant: Occupant) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    match occupant {
        Occupant::Server => writeln!(file, "{SERVER}"),
        Occupant::Command => Ok(()),
    }
}

/// The folder's lock, and one beside the database: two servers with folders of their own must
/// not share it either.
fn lock_paths(folder: &DataFolder, database: &DatabaseUrl) -> Vec<PathBuf> {
    let DatabaseUrl::Sqlite(path) = database else {
        return Vec::new();
    };
    let mut beside = path.clone().into_os_string();
    beside.push(".lock");
    vec![folder.file("lock"), beside.into()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::BlobLocation;
    use std::os::unix::fs::PermissionsExt as _;

    fn storage(folder: &Path, database: &Path) -> Storage {
        Storage {
            data_dir: folder.to_owned(),
            database: DatabaseUrl::Sqlite(database.to_owned()),
            blobs: BlobLocation::folder(folder.to_owned()),
        }
    }

    #[test]
    fn a_second_server_learns_who_was_first_and_a_command_does_too() {
        let scratch = tempfile::tempdir().unwrap();
        let (a, b) = (scratch.path().join("a"), scratch.path().join("b"));
        let shared = scratch.path().join("shared.db");
        let first = DataFolder::prepare(&a).unwrap();
        let second = DataFolder::prepare(&b).unwrap();
        let taken = HouseLock::attempt(&first, &storage(&a, &shared), Occupant::Server).unwrap();
        assert!(matches!(taken, Attempt::Taken(_)));
        // another folder, the same database
        for occupant in [Occupant::Server, Occupant::Command] {
            let other = HouseLock::attempt(&second, &storage(&b, &shared), occupant).unwrap();
            assert!(matches!(other, Attempt::HeldByServer(_)), "{other:?}");
        }
        drop(taken);
        let taken = HouseLock::attempt(&second, &storage(&b, &shared), Occupant::Command).unwrap();
        assert!(matches!(taken, Attempt::Taken(_)));
        let other = HouseLock::attempt(&first, &storage(&a, &shared), Occupant::Server).unwrap();
        assert!(matches!(other, Attempt::HeldByCommand(_)), "{other:?}");
    }

    #[test]
    fn folder_and_token_are_for_their_owner_alone() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("x/y");
        let folder = DataFolder::prepare(&path).unwrap();
        let token = TokenText::mint(packhouse_names::TokenKind::Classic, |_| 7);
        let file = folder.keep_token(&token).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(&file)), (0o700, 0o600));
        let kept = std::fs::read_to_string(file).unwrap();
        assert_eq!(kept.trim_end(), token.expose());
    }
}
