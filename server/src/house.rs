//! Opens the house that a configuration describes.

use std::sync::Arc;

use anyhow::Context as _;
use packhouse_blob::{BlobStore, LocalStore};
use packhouse_core::{House, HouseParts};

use packhouse_core::settings::Settings;
use packhouse_db::{Db, DbSettings};

use crate::clock::SystemClock;
use crate::config::{Config, Storage};
use crate::folder::DataFolder;

/// Jobs that may wait for the database; beyond these the house says that it is busy.
const DATABASE_QUEUE: usize = 1024;

/// Opens database and blob store, migrates, and makes the site admin with its token file where
/// the database was empty.
///
/// # Errors
/// What keeps the house from opening, in words for the operator.
pub async fn open(config: &Config, folder: &DataFolder) -> anyhow::Result<Arc<House>> {
    let storage = &config.storage;
    let db = database(storage)?;
    let blobs = store(storage)?;
    let house = House::open(HouseParts {
        db,
        blobs,
        clock: Arc::new(SystemClock),
        settings: Settings {
            anonymous_read: config.access.anonymous_read,
            max_package_bytes: config.limits.max_package_bytes,
            max_layer_bytes: config.limits.max_layer_bytes,
            sparse_images: config.limits.sparse_images,
            collection: config.collection.settings(),
            restorable: config.collection.restore_window.duration(),
            ..Settings::default()
        },
    })
    .await
    .with_context(|| format!("cannot use the database {}", storage.database))?;
    if let Some(token) = house
        .first_start()
        .await
        .context("cannot make the site admin")?
    {
        let path = folder.keep_token(&token)?;
        tracing::info!(
            "made the site admin `admin`; its token is in {}. Next: \
             packhouse admin create-user LOGIN, then create-token LOGIN --scopes \
             read:packages,write:packages",
            path.display()
        );
    }
    Ok(house)
}

/// Opens the database as it is.
pub(crate) fn database(storage: &Storage) -> anyhow::Result<Db> {
    Db::open(DbSettings {
        target: storage.database.target(),
        readers: std::thread::available_parallelism()
            .map_or(4, usize::from)
            .max(4),
        queue: DATABASE_QUEUE,
    })
    .with_context(|| format!("cannot open the database {}", storage.database))
}

/// Opens the blob store.
pub(crate) fn store(storage: &Storage) -> anyhow::Result<Arc<dyn BlobStore>> {
    let store = LocalStore::open(storage.blobs.path())
        .with_context(|| format!("cannot open the blob store {}", storage.blobs))?;
    Ok(Arc::new(store))
}
