//! Publishing a version: blobs durable first, then everything about them in one transaction.

use std::sync::Arc;
use std::time::Duration;

use packhouse_db::packages::Package;
use packhouse_db::{DbError, Tx, blobs, files, packages, references, tags, versions};
use packhouse_names::{
    FileName, NormalizedVersion, PackageId, StorageKey, TagName, Timestamp, VersionId, VersionText,
};
use serde_json::json;

use crate::creation::{Creating, Wishes};
use crate::events;
use crate::fault::Fault;
use crate::house::{Done, House};
use crate::kept::Kept;
use crate::model::{PackageRef, RepositoryRef};
use crate::policy::{HouseRules, Principal};
use crate::stage::Staged;

/// How long a lost answer may be asked for again (npm retries a `PUT` by itself).
const REPLAYABLE: Duration = Duration::from_secs(15 * 60);

/// A version about to be published, as a format built it.
#[derive(Debug)]
pub struct Draft {
    /// As published.
    pub version: VersionText,
    /// As look-ups compare it.
    pub key: NormalizedVersion,
    pub is_prerelease: bool,
    pub files: Vec<DraftFile>,
    /// Canonical JSON that the format alone understands.
    pub metadata: String,
    pub readme: Option<String>,
    pub license: Option<String>,
    pub description: Option<String>,
    /// What the package is called by; search finds it by these.
    pub keywords: Vec<String>,
    /// Who wrote it, by name.
    pub authors: Vec<String>,
    /// Tags to point at this version.
    pub tags: Vec<TagName>,
    /// Tags to point at this version besides, when the package has no other.
    pub tags_if_first: Vec<TagName>,
    /// The repository that the package says it comes from: linked at the first publish, where
    /// it is the owner's and the publisher may write to it.
    pub source: Option<RepositoryRef>,
    /// Whether the publisher asked for a public package: heeded at the first publish alone, and
    /// where the owner allows it.
    pub ask_public: bool,
    /// Marks one run of a client: the same bytes from the same run within a quarter of an hour
    /// are a lost answer asked again, not a second publish.
    pub replay_key: Option<String>,
    /// For a version that is named by the digest of a document: the document. Publishing the same
    /// one again is a success that moves the tags and no more.
    pub kept: Option<Kept>,
}

/// A file of a draft.
#[derive(Debug)]
pub struct DraftFile {
    pub name: FileName,
    pub media_type: &'static str,
    pub staged: Staged,
}

/// A publish that happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published {
    pub package: PackageId,
    /// The package's revision after it.
    pub revision: i64,
    /// The package did not exist before.
    pub is_first: bool,
    /// It was there already, from the same run of the same client.
    pub is_replay: bool,
}

/// A file whose bytes are durable.
struct KeptFile {
    name: FileName,
    media_type: &'static str,
    digests: packhouse_blob::Digests,
    storage: StorageKey,
}

/// What the transaction answers: besides the outcome, the objects that no row refers to.
struct Outcome {
    published: Published,
    losers: Vec<StorageKey>,
}

impl House {
    pub(crate) async fn publish(
        self: &Arc<Self>,
        package: PackageRef,
        principal: Principal,
        mut draft: Draft,
    ) -> Result<Published, Fault> {
        let mut kept = Vec::with_capacity(draft.files.len());
        for file in std::mem::take(&mut draft.files) {
            let digests = *file.staged.digests();
            let storage = self.keep(file.staged).await?;
            kept.push(KeptFile {
                name: file.name,
                media_type: file.media_type,
                digests,
                storage,
            });
        }
        let keys: Vec<_> = kept.iter().map(|file| file.storage.clone()).collect();
        let at = self.now();
        let rules = self.settings.rules();
        let is_sparse = self.settings.sparse_images;
        let restorable = self.settings.restorable;
        let done = self
            .commit(move |tx| {
                Publishing {
                    package: &package,
                    principal: &principal,
                    at,
                    rules,
                    is_sparse,
                    restorable,
                }
                .run(tx, &draft, kept)
            })
            .await;
        match done {
            Ok(outcome) => {
                for key in &outcome.losers {
                    self.discard(key).await;
                }
                Ok(outcome.published)
            }
            Err(fault) => {
                // a refusal was rolled back; after anything else a row may refer to them
                if !matches!(fault, Fault::Internal(_)) {
                    for key in &keys {
                        self.discard(key).await;
                    }
                }
                Err(fault)
            }
        }
    }
}

/// One publish inside its transaction.
struct Publishing<'a> {
    package: &'a PackageRef,
    principal: &'a Principal,
    at: Timestamp,
    rules: HouseRules,
    /// What a document names need not be there.
    is_sparse: bool,
    /// How long a deleted version keeps its number.
    restorable: Duration,
}

impl Publishing<'_> {
    fn run(
        &self,
        tx: &mut Tx<'_>,
        draft: &Draft,
        kept: Vec<KeptFile>,
    ) -> Result<Done<Outcome>, Fault> {
        let creating = Creating {
            package: self.package,
            principal: self.principal,
            at: self.at,
            rules: self.rules,
        };
        let wishes = Wishes {
            source: draft.source.as_ref(),
            ask_public: draft.ask_public,
        };
        let home = creating.package_row(tx, &wishes)?;
        let id = home.package;
        let package = packages::lock(tx, id)?;
        let is_first = package.live_versions == 0;
        if let Some(document) = &draft.kept {
            if is_first && !home.is_made {
                creating.link(tx, &package, draft.source.as_ref())?;
            }
            match versions::find(tx, id, &draft.key)? {
                Some(taken) if taken.deleted_at.is_none() => {
                    return self.tag_again(tx, &package, taken.listed.id, draft);
                }
                // its bytes are its name: the new version is all that the deleted one was
                Some(deleted) => versions::remove(tx, deleted.listed.id)?,
                None => {}
            }
            document.check(tx, id, self.is_sparse)?;
        } else if let Some(taken) = versions::find(tx, id, &draft.key)? {
            if self.is_replay(tx, draft, &kept, &taken)? {
                let published = Published {
                    package: id,
                    revision: package.revision,
                    is_first: false,
                    is_replay: true,
                };
                let losers = kept.into_iter().map(|file| file.storage).collect();
                return Ok(Done {
                    answer: Outcome { published, losers },
                    events: Vec::new(),
                });
            }
            match taken.deleted_at {
                Some(deleted_at) if deleted_at.after(self.restorable) <= self.at => {
                    versions::remove(tx, taken.listed.id)?;
                }
                _ => return Err(Fault::Conflict(draft.version.to_string())),
            }
        }
        let since = self.at.before(self.restorable);
        if draft.kept.is_none()
            && versions::is_taken_by_deleted_package(tx, &package, &draft.key, since)?
        {
            return Err(Fault::Conflict(draft.version.to_string()));
        }
        let size = kept.iter().map(|file| file.digests.size).sum::<u64>()
            + draft.kept.as_ref().map_or(0, Kept::total_size);
        let version = versions::insert(tx, &self.version_row(id, draft, size)).map_err(
            |error| match error {
                DbError::Duplicate => Fault::Conflict(draft.version.to_string()),
                other => other.into(),
            },
        )?;
        if let Some(document) = &draft.kept {
            references::insert(tx, version, &document.rows(self.is_sparse))?;
        }
        let mut losers = Vec::new();
        for file in kept {
            losers.extend(self.file_row(tx, id, version, file)?);
        }
        self.point_tags(tx, &package, version, draft)?;
        packages::add_live_versions(tx, id, 1)?;
        let revision = packages::bump(tx, id, self.at)?;
        let payload = json!({
            "version_id": version.get(),
            "version": draft.version.as_str(),
            "revision": revision,
            "first": is_first,
            "tags": draft.tags,
        });
        let actor = events::actor(self.principal);
        let event = events::about_package("package.published", id, actor, &payload);
        let published = Published {
            package: id,
            revision,
            is_first,
            is_replay: false,
        };
        Ok(Done {
            answer: Outcome { published, losers },
            events: vec![event],
        })
    }

    /// A document that is there already: what tags do not name it yet do so now.
    fn tag_again(
        &self,
        tx: &mut Tx<'_>,
        package: &Package,
        version: VersionId,
        draft: &Draft,
    ) -> Result<Done<Outcome>, Fault> {
        let mut moved = Vec::new();
        for tag in &draft.tags {
            if tags::find(tx, package.id, tag)? != Some(version) {
                tags::put(tx, package.id, tag, version, self.at)?;
                moved.push(tag.as_str());
            }
        }
        let mut published = Published {
            package: package.id,
            revision: package.revision,
            is_first: false,
            is_replay: true,
        };
        let mut events = Vec::new();
        if !moved.is_empty() {
            published.revision = packages::bump(tx, package.id, self.at)?;
            let payload = json!({
                "version_id": version.get(),
                "version": draft.version.as_str(),
                "revision": published.revision,
                "tags": moved,
            });
            let actor = events::actor(self.principal);
            let kind = "package.tagged";
            events.push(events::about_package(kind, package.id, actor, &payload));
        }
        let losers = Vec::new();
        Ok(Done {
            answer: Outcome { published, losers },
            events,
        })
    }

    fn version_row(&self, package: PackageId, draft: &Draft, size: u64) -> versions::NewVersion {
        versions::NewVersion {
            package_id: package,
            name: draft.version.clone(),
            name_key: draft.key.clone(),
            metadata: draft.metadata.clone(),
            readme: draft.readme.clone(),
            license: draft.license.clone(),
            description: draft.description.clone(),
            keywords: lines(&draft.keywords),
            authors: lines(&draft.authors),
            prerelease: draft.is_prerelease,
            standing: packhouse_db::Standing::Live,
            standing_reason: None,
            publisher_id: events::actor(self.principal),
            replay_key: draft.replay_key.clone(),
            kept: draft.kept.as_ref().map(|kept| kept.bytes.to_vec()),
            kept_media_type: draft.kept.as_ref().map(|kept| kept.media_type.clone()),
            size_bytes: size,
            created_at: self.at,
        }
    }

    /// Gives a durable object its row, or finds that its bytes have one; then the object that
    /// was just written is nobody's.
    fn file_row(
        &self,
        tx: &mut Tx<'_>,
        package: PackageId,
        version: VersionId,
        file: KeptFile,
    ) -> Result<Option<StorageKey>, Fault> {
        let blob = blobs::insert_or_get(
            tx,
            &blobs::NewBlob {
                sha256: file.digests.sha256,
                sha512: file.digests.sha512,
                storage_key: file.storage.clone(),
                size_bytes: file.digests.size,
                promised_until: None,
                created_at: self.at,
            },
        )?;
        files::insert(
            tx,
            &files::NewFile {
                package_id: package,
                version_id: Some(version),
                name: file.name,
                sha256: file.digests.sha256,
                sha512: file.digests.sha512,
                sha1: file.digests.sha1,
                md5: file.digests.md5,
                size_bytes: file.digests.size,
                media_type: file.media_type.to_owned(),
                created_at: self.at,
            },
        )?;
        Ok((blob.storage_key != file.storage).then_some(file.storage))
    }

    fn point_tags(
        &self,
        tx: &mut Tx<'_>,
        package: &Package,
        version: VersionId,
        draft: &Draft,
    ) -> Result<(), Fault> {
        let first: &[TagName] = if package.live_versions == 0 {
            &draft.tags_if_first
        } else {
            &[]
        };
        for tag in draft.tags.iter().chain(first) {
            tags::put(tx, package.id, tag, version, self.at)?;
        }
        Ok(())
    }

    /// Whether a version that is there is this very publish, asked again after a lost answer.
    fn is_replay(
        &self,
        tx: &mut Tx<'_>,
        draft: &Draft,
        kept: &[KeptFile],
        taken: &versions::Version,
    ) -> Result<bool, Fault> {
        let is_same_run = taken.deleted_at.is_none()
            && draft.replay_key.is_some()
            && draft.replay_key == taken.replay_key
            && events::actor(self.principal) == taken.listed.publisher_id
            && taken.listed.created_at.after(REPLAYABLE) > self.at;
        if !is_same_run {
            return Ok(false);
        }
        let there = files::list_of_version(tx, taken.listed.id)?;
        Ok(there.len() == kept.len()
            && kept.iter().all(|file| {
                there
                    .iter()
                    .any(|row| row.name == file.name && row.sha256 == file.digests.sha256)
            }))
    }
}

/// A list as its column holds it, one a line.
fn lines(list: &[String]) -> Option<String> {
    let lines: Vec<String> = list
        .iter()
        .map(|item| item.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|item| !item.is_empty())
        .collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}
