//! Versions that are documents: named by the digest of their bytes, returned as they came, naming
//! blobs and other versions by digest.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use http::HeaderValue;
use moka::sync::Cache;
use packhouse_db::references::{self, NewReference};
use packhouse_db::versions::Version;
use packhouse_db::{Tx, blobs, tags, versions};
use packhouse_names::{Digest, NormalizedVersion, PackageId, TagName, VersionId, VersionText};

use crate::fault::{Fault, Thing};
use crate::heads::PackageHead;
use crate::hits::Hits;
use crate::house::House;

/// What documents may take in memory, in bytes.
const MAX_KEPT_BYTES: u64 = 32 << 20;

/// A document that is a version, to be published.
#[derive(Debug)]
pub struct Kept {
    /// Returned exactly so.
    pub bytes: Bytes,
    pub media_type: String,
    /// What it names.
    pub references: Vec<Reference>,
}

/// Something that a document names by digest.
#[derive(Debug, Clone)]
pub struct Reference {
    pub kind: ReferenceKind,
    pub digest: Digest,
    /// As the document says; what is there must have it.
    pub size: u64,
    pub media_type: Option<String>,
    /// What the document is to the subject that it names.
    pub artifact_type: Option<String>,
    /// Whether it must be there; where bytes are fetched from elsewhere it need not.
    pub is_required: bool,
}

/// What a document names something as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReferenceKind {
    /// A blob that says how to read the others.
    Config,
    /// A blob.
    Layer,
    /// Another document, or a blob.
    Child,
    /// A document that this one is about, which need not be there.
    Subject,
}

impl From<ReferenceKind> for packhouse_db::ReferenceKind {
    fn from(kind: ReferenceKind) -> Self {
        match kind {
            ReferenceKind::Config => Self::Config,
            ReferenceKind::Layer => Self::Layer,
            ReferenceKind::Child => Self::Child,
            ReferenceKind::Subject => Self::Subject,
        }
    }
}

impl Kept {
    /// Its own bytes and those of the blobs that it names.
    pub(crate) fn total_size(&self) -> u64 {
        let own = u64::try_from(self.bytes.len()).unwrap_or(u64::MAX);
        self.references
            .iter()
            .filter(|reference| {
                matches!(reference.kind, ReferenceKind::Config | ReferenceKind::Layer)
            })
            .fold(own, |sum, reference| sum.saturating_add(reference.size))
    }

    /// What it names, as rows; where documents may be sparse, nothing of it must be there.
    pub(crate) fn rows(&self, is_sparse: bool) -> Vec<NewReference> {
        self.references
            .iter()
            .map(|reference| NewReference {
                kind: reference.kind.into(),
                digest: reference.digest,
                media_type: reference.media_type.clone(),
                size_bytes: reference.size,
                artifact_type: reference.artifact_type.clone(),
                is_required: reference.is_required && !is_sparse,
            })
            .collect()
    }

    /// Whether all that it names is there, for this package, in the size that it says.
    pub(crate) fn check(
        &self,
        tx: &mut Tx<'_>,
        package: PackageId,
        is_sparse: bool,
    ) -> Result<(), Fault> {
        let named = |kinds: &[ReferenceKind]| -> Vec<String> {
            let mut digests: Vec<_> = self
                .references
                .iter()
                .filter(|reference| kinds.contains(&reference.kind))
                .map(|reference| reference.digest.to_string())
                .collect();
            digests.sort_unstable();
            digests.dedup();
            digests
        };
        let any = named(&[
            ReferenceKind::Config,
            ReferenceKind::Layer,
            ReferenceKind::Child,
        ]);
        let linked: HashMap<_, _> = blobs::lock_linked(tx, package, &any)?.into_iter().collect();
        let children = named(&[ReferenceKind::Child]);
        let children: HashMap<_, _> = match children.is_empty() {
            true => HashMap::new(),
            false => versions::kept_sizes(tx, package, &children)?
                .into_iter()
                .collect(),
        };
        for reference in &self.references {
            let digest = reference.digest.to_string();
            let found = match reference.kind {
                ReferenceKind::Subject => continue,
                ReferenceKind::Config | ReferenceKind::Layer => linked.get(&digest),
                ReferenceKind::Child => children.get(&digest).or_else(|| linked.get(&digest)),
            };
            match found {
                None if is_sparse || !reference.is_required => {}
                None => return Err(Fault::not_found(Thing::Reference, digest)),
                Some(size) if *size != reference.size => {
                    return Err(Fault::invalid(
                        "size",
                        format!("{digest} has {size} bytes, not {}", reference.size),
                    ));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }
}

/// How a caller names a version that is a document.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Which {
    Digest(NormalizedVersion),
    Tag(TagName),
}

/// A version that is a document, with its bytes.
#[derive(Debug, Clone)]
pub struct KeptView {
    pub id: VersionId,
    /// The digest that it was published by.
    pub name: VersionText,
    pub bytes: Bytes,
    pub media_type: HeaderValue,
    /// Its strong tag, quotes included.
    pub tag: HeaderValue,
    /// Canonical JSON that the format wrote at publish.
    pub metadata: String,
}

/// A version in a list, without its bytes.
#[derive(Debug, Clone)]
pub struct Listed {
    /// As published.
    pub name: VersionText,
    /// Canonical JSON that the format wrote at publish.
    pub metadata: String,
}

/// Some of a list, in its order, and whether there is more.
#[derive(Debug, Clone)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub has_more: bool,
}

impl<T> Page<T> {
    /// Takes `limit` of what was asked one more of.
    pub(crate) fn cut(mut items: Vec<T>, limit: u32) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let has_more = items.len() > limit;
        items.truncate(limit);
        Self { items, has_more }
    }
}

/// Documents looked up before, each good for the revision it was read at.
#[derive(Debug)]
pub(crate) struct KeptVersions {
    kept: Cache<(PackageId, Which), (i64, Arc<KeptView>)>,
    hits: Hits,
}

impl KeptVersions {
    pub(crate) fn new() -> Self {
        let kept = Cache::builder()
            .max_capacity(MAX_KEPT_BYTES)
            .weigher(|_, (_, view): &(i64, Arc<KeptView>)| {
                let bytes = view.bytes.len() + view.metadata.len() + 512;
                u32::try_from(bytes).unwrap_or(u32::MAX)
            })
            .build();
        Self {
            kept,
            hits: Hits::of("documents_kept"),
        }
    }
}

impl House {
    pub(crate) async fn kept_version(
        &self,
        head: &PackageHead,
        which: &Which,
    ) -> Result<Arc<KeptView>, Fault> {
        let key = (head.id, which.clone());
        let cache = &self.kept;
        let current = |(revision, _): &(i64, Arc<KeptView>)| *revision == head.revision;
        if let Some((_revision, view)) = cache.hits.count(cache.kept.get(&key).filter(current)) {
            return Ok(view);
        }
        let (package, wanted) = key.clone();
        let found = self
            .db
            .read(move |conn| {
                Ok::<_, Fault>(match &wanted {
                    Which::Digest(digest) => versions::find(conn, package, digest)?,
                    Which::Tag(tag) => versions::find_tagged(conn, package, tag)?,
                })
            })
            .await?
            .filter(|row| row.deleted_at.is_none());
        let Some(view) = found.map(view).transpose()?.flatten() else {
            return Err(match which {
                Which::Digest(digest) => Fault::not_found(Thing::Version, digest.as_str()),
                Which::Tag(tag) => Fault::not_found(Thing::Tag, tag.as_str()),
            });
        };
        let view = Arc::new(view);
        self.kept
            .kept
            .insert(key, (head.revision, Arc::clone(&view)));
        Ok(view)
    }

    pub(crate) async fn tags(
        &self,
        package: PackageId,
        after: Option<String>,
        limit: u32,
    ) -> Result<Page<TagName>, Fault> {
        let found = self
            .db
            .read(move |conn| {
                let one_more = limit.saturating_add(1);
                Ok::<_, Fault>(tags::page(conn, package, after.as_deref(), one_more)?)
            })
            .await?;
        Ok(Page::cut(found, limit))
    }

    pub(crate) async fn referrers(
        &self,
        package: PackageId,
        subject: Digest,
        artifact_type: Option<String>,
        after: Option<NormalizedVersion>,
        limit: u32,
    ) -> Result<Page<Listed>, Fault> {
        let found = self
            .db
            .read(move |conn| {
                Ok::<_, Fault>(references::referrers(
                    conn,
                    package,
                    &subject,
                    artifact_type.as_deref(),
                    after.as_ref(),
                    limit.saturating_add(1),
                )?)
            })
            .await?;
        let listed = found.into_iter().map(|row| Listed {
            name: row.name,
            metadata: row.metadata,
        });
        Ok(Page::cut(listed.collect(), limit))
    }
}

/// `None` for a version that is no document.
fn view(row: Version) -> Result<Option<KeptView>, Fault> {
    let (Some(bytes), Some(media_type)) = (row.kept, row.listed.kept_media_type) else {
        return Ok(None);
    };
    Ok(Some(KeptView {
        id: row.listed.id,
        bytes: bytes.into(),
        media_type: HeaderValue::try_from(media_type).map_err(Fault::internal)?,
        tag: HeaderValue::try_from(format!("\"{}\"", row.listed.name)).map_err(Fault::internal)?,
        name: row.listed.name,
        metadata: row.listed.metadata,
    }))
}
