//! Index documents, rendered once per package revision and base, kept in both codings.

use std::collections::HashMap;
use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::HeaderValue;
use moka::future::Cache;
use packhouse_db::packages::Owner;
use packhouse_db::{Conn, accounts, grants, packages, stars, tags, versions};
use packhouse_names::{AccountId, Login, PackageId, Role, TagName};
use packhouse_wire::{BaseUrl, Document};
use sha2::{Digest as _, Sha256};

use crate::cx::DocumentKey;
use crate::fault::{Fault, Thing};
use crate::heads::PackageHead;
use crate::hits::Hits;
use crate::house::House;
use crate::model::{PackageView, Standing, TagView, VersionView};

/// Part of every tag: a renderer that writes other bytes for the same package is another version.
const RENDERER: &str = "1";

/// Of those who starred a package so many are shown.
const MAX_SHOWN_STARRERS: u32 = 1_000;

/// Documents below this are sent faster than they are unpacked.
const MIN_GZIP_BYTES: usize = 256;

/// Rendered documents under a bound in bytes; the least used go first.
#[derive(Debug)]
pub(crate) struct Documents {
    kept: Cache<Rendered, Arc<Document>>,
    hits: Hits,
}

/// Which rendering: of one revision, so that a change needs no drop to be seen.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Rendered {
    package: PackageId,
    revision: i64,
    form: &'static str,
    base: BaseUrl,
}

/// The renderings of one head, to be forgotten with it.
#[derive(Debug, Default)]
pub(crate) struct Renderings(Mutex<Vec<Rendered>>);

impl Renderings {
    fn note(&self, rendered: &Rendered) {
        let mut list = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !list.contains(rendered) {
            list.push(rendered.clone());
        }
    }

    fn take(&self) -> Vec<Rendered> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Documents {
    pub(crate) fn new(max_bytes: u64) -> Self {
        let kept = Cache::builder()
            .max_capacity(max_bytes)
            .weigher(|_, document: &Arc<Document>| {
                u32::try_from(document.weight()).unwrap_or(u32::MAX)
            })
            .build();
        Self {
            kept,
            hits: Hits::of("documents"),
        }
    }

    /// Frees what a head that no longer holds was rendered to; it would never be asked for again.
    pub(crate) fn forget(&self, head: &PackageHead) {
        for rendered in head.renderings.take() {
            // invalidation is queued and never waits
            futures_util::FutureExt::now_or_never(self.kept.invalidate(&rendered));
        }
    }
}

impl House {
    pub(crate) async fn document<F>(
        self: &Arc<Self>,
        head: &Arc<PackageHead>,
        key: DocumentKey,
        base: &BaseUrl,
        render: F,
    ) -> Result<Arc<Document>, Fault>
    where
        F: FnOnce(&PackageView, &BaseUrl) -> Result<Bytes, Fault> + Send + 'static,
    {
        let rendered = Rendered {
            package: head.id,
            revision: head.revision,
            form: key.form,
            base: base.clone(),
        };
        let documents = &self.documents;
        if let Some(document) = documents.hits.count(documents.kept.get(&rendered).await) {
            return Ok(document);
        }
        head.renderings.note(&rendered);
        let filling = self.render(head.id, key, base.clone(), render);
        self.documents
            .kept
            .try_get_with(rendered, filling)
            .await
            .map_err(|fault| Arc::try_unwrap(fault).unwrap_or_else(|shared| shared.again()))
    }

    async fn render<F>(
        &self,
        package: PackageId,
        key: DocumentKey,
        base: BaseUrl,
        render: F,
    ) -> Result<Arc<Document>, Fault>
    where
        F: FnOnce(&PackageView, &BaseUrl) -> Result<Bytes, Fault> + Send + 'static,
    {
        let view = self.view(package, key.readme_of).await?;
        let instance = self.instance.clone();
        self.workers
            .run(move || {
                let identity = render(&view, &base)?;
                let tag = tag(&[
                    &instance,
                    RENDERER,
                    &view.id.to_string(),
                    &view.revision.to_string(),
                    key.form,
                    base.as_str(),
                ]);
                let modified = view.updated_at.rounded_up_to_second().to_http_date();
                Ok(Arc::new(Document {
                    media_type: HeaderValue::from_static(key.media_type),
                    gzip: gzip(&identity)?,
                    identity,
                    identity_tag: header(&format!("\"{tag}\""))?,
                    gzip_tag: header(&format!("\"{tag}-gzip\""))?,
                    last_modified: header(&modified)?,
                }))
            })
            .await?
    }

    /// A package with its live versions, in one hop.
    pub(crate) async fn view(
        &self,
        package: PackageId,
        readme_of: Option<&'static str>,
    ) -> Result<PackageView, Fault> {
        self.db
            .read(move |conn| conn.snapshot(|conn| view(conn, package, readme_of)))
            .await
    }
}

fn view(
    conn: &mut Conn,
    id: PackageId,
    readme_of: Option<&'static str>,
) -> Result<PackageView, Fault> {
    let absent = || Fault::not_found(Thing::Package, String::new());
    let (package, owner) = packages::with_owner(conn, id)?.ok_or_else(absent)?;
    let listed = versions::listing(conn, id)?;
    if listed.is_empty() {
        return Err(Fault::not_found(Thing::Package, package.name.to_string()));
    }
    let mut ids: Vec<_> = listed.iter().filter_map(|row| row.publisher_id).collect();
    ids.sort_unstable();
    ids.dedup();
    let publishers = accounts::logins(conn, &ids)?;
    let tags: Vec<TagView> = tags::list(conn, id)?
        .into_iter()
        .map(|tag| TagView {
            name: tag.name,
            version: tag.version,
            version_id: tag.version_id,
        })
        .collect();
    let readme = match readme_of.map(TagName::new).transpose()? {
        Some(wanted) => match tags.iter().find(|tag| tag.name == wanted) {
            Some(tag) => versions::readme(conn, tag.version_id)?,
            None => None,
        },
        None => None,
    };
    let maintainers = maintainers(conn, id, &owner)?;
    Ok(PackageView {
        id,
        name: package.name,
        owner: owner.login,
        visibility: package.visibility,
        revision: package.revision,
        created_at: package.created_at,
        updated_at: package.updated_at,
        versions: listed
            .into_iter()
            .map(|row| version_view(row, &publishers))
            .collect(),
        tags,
        maintainers,
        starred_by: stars::starrers(conn, id, MAX_SHOWN_STARRERS)?,
        readme,
    })
}

/// Users with a role of their own that lets them publish, and the owner where it is a user.
pub(crate) fn maintainers(
    conn: &mut Conn,
    package: PackageId,
    owner: &Owner,
) -> Result<Vec<Login>, Fault> {
    let mut maintainers: Vec<_> = grants::list(conn, package)?
        .users
        .into_iter()
        .filter(|grant| grant.role >= Role::Write)
        .map(|grant| grant.login)
        .collect();
    if owner.kind == packhouse_db::AccountKind::User && !maintainers.contains(&owner.login) {
        maintainers.insert(0, owner.login.clone());
    }
    Ok(maintainers)
}

pub(crate) fn version_view(
    row: versions::ListedVersion,
    publishers: &HashMap<AccountId, Login>,
) -> VersionView {
    VersionView {
        id: row.id,
        name: row.name,
        key: row.name_key,
        metadata: row.metadata,
        standing: match row.standing {
            packhouse_db::Standing::Live => Standing::Live,
            packhouse_db::Standing::Deprecated => Standing::Deprecated {
                reason: row.standing_reason.unwrap_or_default(),
            },
            packhouse_db::Standing::Unlisted => Standing::Unlisted,
            packhouse_db::Standing::Yanked => Standing::Yanked,
        },
        publisher: row.publisher_id.and_then(|id| publishers.get(&id).cloned()),
        created_at: row.created_at,
    }
}

fn tag(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hash.finalize()
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn header(text: &str) -> Result<HeaderValue, Fault> {
    HeaderValue::from_str(text).map_err(Fault::internal)
}

fn gzip(identity: &Bytes) -> Result<Bytes, Fault> {
    if identity.len() < MIN_GZIP_BYTES {
        return Ok(Bytes::new());
    }
    let mut encoder = GzEncoder::new(Vec::with_capacity(identity.len() / 4), Compression::new(6));
    encoder.write_all(identity).map_err(Fault::internal)?;
    let packed = encoder.finish().map_err(Fault::internal)?;
    Ok(if packed.len() < identity.len() {
        packed.into()
    } else {
        Bytes::new()
    })
}
