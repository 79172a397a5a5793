//! Files of versions, as downloads look them up.

use std::sync::Arc;

use http::HeaderValue;
use moka::sync::Cache;
use packhouse_db::files::{self, FileRow};
use packhouse_names::{FileName, PackageId};

use crate::fault::{Fault, Thing};
use crate::heads::PackageHead;
use crate::hits::Hits;
use crate::house::House;
use crate::model::FileView;

/// Files kept in memory; beyond these the least used are read again.
const MAX_FILES: u64 = 50_000;

/// Files looked up before, each good for the revision it was read at.
#[derive(Debug)]
pub(crate) struct Files {
    kept: Cache<(PackageId, FileName), (i64, Arc<FileView>)>,
    hits: Hits,
}

impl Files {
    pub(crate) fn new() -> Self {
        Self {
            kept: Cache::new(MAX_FILES),
            hits: Hits::of("files"),
        }
    }
}

impl House {
    pub(crate) async fn file(
        &self,
        head: &PackageHead,
        name: &FileName,
    ) -> Result<Arc<FileView>, Fault> {
        let key = (head.id, name.clone());
        let files = &self.files;
        let current = |(revision, _): &(i64, Arc<FileView>)| *revision == head.revision;
        let kept = files.kept.get(&key).filter(current);
        if let Some((_revision, file)) = files.hits.count(kept) {
            return Ok(file);
        }
        let (package, wanted) = key.clone();
        let found = self
            .db
            .read(move |conn| Ok::<_, Fault>(files::find(conn, package, &wanted)?))
            .await?
            .filter(|row| row.version_deleted_at.is_none())
            .ok_or_else(|| Fault::not_found(Thing::File, name.as_str()))?;
        let file = Arc::new(file_view(found)?);
        self.files
            .kept
            .insert(key, (head.revision, Arc::clone(&file)));
        Ok(file)
    }
}

fn file_view(row: FileRow) -> Result<FileView, Fault> {
    let FileRow {
        file, storage_key, ..
    } = row;
    Ok(FileView {
        tag: HeaderValue::from_str(&format!("\"{}\"", file.sha256)).map_err(Fault::internal)?,
        name: file.name,
        version: file.version_id,
        sha256: file.sha256,
        sha512: file.sha512,
        size: file.size_bytes,
        media_type: HeaderValue::try_from(file.media_type).map_err(Fault::internal)?,
        storage: storage_key,
    })
}
