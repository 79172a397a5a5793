//! What an operator asks of the store: `packhouse gc`, `fsck` and `storage why`.

use std::io::Write as _;

use anyhow::{Context as _, bail};
use packhouse_core::Clock as _;
use packhouse_core::storage::{Finding, Storage};
use packhouse_names::Digest;

use crate::admin::{self, Order};
use crate::clock::SystemClock;
use crate::config::{Config, DatabaseUrl};
use crate::house;

/// Collects once: through the running server of a SQLite house, with that server's settings, else
/// on the house itself. What became of it goes to stdout.
///
/// # Errors
/// What kept it from collecting, in words for the operator.
pub async fn collect(config: &Config, dry_run: bool) -> anyhow::Result<()> {
    admin::obey(config, Order::Gc { dry_run }).await
}

/// Compares the store with the database; each finding is a line on stdout, and so is the sum.
///
/// # Errors
/// When something is lost or damaged, and when the store or the database cannot be read.
pub async fn inspect(config: &Config) -> anyhow::Result<()> {
    let storage = open(config)?;
    let mut tell = |finding: &Finding| say(finding);
    let inspected = storage.inspect(SystemClock.now(), &mut tell).await;
    storage.db.close().await;
    let inspected = inspected.context("cannot inspect the store")?;
    say(&inspected);
    if inspected.damaged > 0 {
        bail!("the store is not what the database says it is");
    }
    Ok(())
}

/// Says what holds a blob.
///
/// # Errors
/// When there is no such blob, and when the database cannot be read.
pub async fn why(config: &Config, digest: Digest) -> anyhow::Result<()> {
    let storage = open(config)?;
    let why = storage.why(digest).await;
    storage.db.close().await;
    let why = why.context("cannot ask the database")?;
    if !why.is_there() {
        bail!("{why}");
    }
    say(&why);
    Ok(())
}

fn say(line: &impl std::fmt::Display) {
    // whoever closed stdout wants no more lines
    drop(writeln!(std::io::stdout().lock(), "{line}"));
}

/// Database and store as they are: a server may run beside us, so nothing is migrated or made.
fn open(config: &Config) -> anyhow::Result<Storage> {
    let storage = &config.storage;
    if let DatabaseUrl::Sqlite(path) = &storage.database
        && !path.is_file()
    {
        bail!("there is no database at {}", path.display());
    }
    if !storage.blobs.path().is_dir() {
        bail!(
            "there is no blob store at {}",
            storage.blobs.path().display()
        );
    }
    Ok(Storage {
        db: house::database(storage)?,
        blobs: house::store(storage)?,
        collection: config.collection.settings(),
    })
}
