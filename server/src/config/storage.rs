use std::path::PathBuf;

use super::{BlobLocation, DatabaseUrl, Layers};

/// Where the house keeps what it has.
#[derive(Debug, Clone)]
pub struct Storage {
    pub data_dir: PathBuf,
    pub database: DatabaseUrl,
    pub blobs: BlobLocation,
}

impl Storage {
    pub(super) fn resolve(layers: &mut Layers) -> Self {
        let data_dir = layers.required(
            "data-dir",
            |layer| &layer.data_dir,
            PathBuf::from("./packhouse-data"),
        );
        let database = layers.required(
            "database-url",
            |layer| &layer.database_url,
            DatabaseUrl::Sqlite(data_dir.join("packhouse.db")),
        );
        let blobs = layers.required(
            "blob-store",
            |layer| &layer.blob_store,
            BlobLocation::folder(data_dir.clone()),
        );
        Self {
            data_dir,
            database,
            blobs,
        }
    }
}
