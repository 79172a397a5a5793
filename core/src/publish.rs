//! Publishing a version: blobs durable first, then everything about them in one transaction.

use std::sync::Arc;
use std::time::Duration;

use packhouse_db::packages::{NewPackage, Package};
use packhouse_db::{
    AccountKind, DbError, Tx, accounts, blobs, files, grants, packages, repositories, tags, ties,
    versions,
};
use packhouse_names::{
    FileName, NormalizedVersion, PackageId, RepoRole, RepositoryId, Role, StorageKey, TagName,
    Timestamp, VersionText, Visibility,
};
use serde_json::json;

use crate::admission::{Asked, may_members_create, refused, resolve};
use crate::events;
use crate::fault::{Fault, Thing};
use crate::house::{Done, House};
use crate::model::{PackageRef, RepositoryRef};
use crate::policy::{HouseRules, Identity, Need, Operation, Principal, decide, decide_creation};
use crate::stage::Staged;

/// How long a deleted version can be restored, and so keeps its number.
const RESTORABLE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// How long a lost answer may be asked for again (npm retries a `PUT` by itself).
const REPLAYABLE: Duration = Duration::from_secs(15 * 60);

/// Races to make one package that a publish may lose before it is told to come back.
const MAX_RACES: u32 = 4;

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
        let done = self
            .commit(move |tx| {
                Publishing {
                    package: &package,
                    principal: &principal,
                    at,
                    rules,
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
}

impl Publishing<'_> {
    fn run(
        &self,
        tx: &mut Tx<'_>,
        draft: &Draft,
        kept: Vec<KeptFile>,
    ) -> Result<Done<Outcome>, Fault> {
        let (id, is_first) = self.package_row(tx, draft)?;
        let package = packages::lock(tx, id)?;
        if let Some(taken) = versions::find(tx, id, &draft.key)? {
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
                Some(deleted_at) if deleted_at.after(RESTORABLE) <= self.at => {
                    versions::remove(tx, taken.listed.id)?;
                }
                _ => return Err(Fault::Conflict(draft.version.to_string())),
            }
        }
        let since = self.at.before(RESTORABLE);
        if versions::is_taken_by_deleted_package(tx, &package, &draft.key, since)? {
            return Err(Fault::Conflict(draft.version.to_string()));
        }
        let size = kept.iter().map(|file| file.digests.size).sum();
        let version = versions::insert(tx, &self.version_row(id, draft, size)).map_err(
            |error| match error {
                DbError::Duplicate => Fault::Conflict(draft.version.to_string()),
                other => other.into(),
            },
        )?;
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

    /// The package to publish to; made if it is not there. Decided again on what is there now:
    /// between admission and this transaction a package can come, go or change hands.
    fn package_row(&self, tx: &mut Tx<'_>, draft: &Draft) -> Result<(PackageId, bool), Fault> {
        for _attempt in 0..MAX_RACES {
            let (row, asked) = resolve(tx, self.package, self.principal)?;
            let decision = match (&row, &asked) {
                (Some(row), Asked::Package(ties)) => {
                    let facts = crate::admission::facts(row);
                    decide(Operation::Publish, self.principal, &facts, ties, self.rules)
                }
                (_, Asked::Creation(creation, ties)) => decide_creation(
                    Operation::Publish,
                    self.principal,
                    creation,
                    ties,
                    self.rules,
                ),
                (None, Asked::Package(_)) => {
                    return Err(Fault::internal("ties to a package that is not there"));
                }
            };
            let need = || Need::Publish(self.package.clone());
            decision.map_err(|refusal| refused(refusal, &need()))?;
            if let Some(row) = row {
                return Ok((row.package.id, row.package.live_versions == 0));
            }
            if let Some(id) = self.create(tx, draft)? {
                return Ok((id, true));
            }
            // somebody was faster: decide on what they made
        }
        Err(Fault::Busy(Duration::from_secs(1)))
    }

    /// Makes the package; `None` when somebody else just did.
    fn create(&self, tx: &mut Tx<'_>, draft: &Draft) -> Result<Option<PackageId>, Fault> {
        let namespace = &self.package.namespace;
        let owner = accounts::find_by_login(tx, &namespace.owner.key())?
            .ok_or_else(|| Fault::not_found(Thing::Account, namespace.owner.as_str()))?;
        let place = self.place(tx, &owner, draft)?;
        let new = NewPackage {
            owner_id: owner.id,
            ecosystem: self.package.ecosystem,
            name: self.package.name.clone(),
            name_key: self.package.key.clone(),
            repository_id: place.repository,
            visibility: place.visibility,
            inherit_access: place.inherits,
            created_at: self.at,
        };
        let (made, is_new) = packages::insert_or_get(tx, &new)?;
        if !is_new {
            return Ok(None);
        }
        let Some(credential) = self.principal.credential() else {
            return Err(Fault::internal("a publish without a principal"));
        };
        match &credential.identity {
            Identity::Workflow(workflow) => {
                grants::put_actions(tx, made.id, workflow.repository, Role::Admin)?;
            }
            Identity::User { .. }
                if owner.kind == AccountKind::Organization
                    && !self.package.ecosystem.is_repository_scoped() =>
            {
                grants::put_user(tx, made.id, credential.account, Role::Admin)?;
            }
            Identity::User { .. } => {}
        }
        Ok(Some(made.id))
    }

    /// Where a new package comes to lie: its link, its visibility, whose list decides.
    fn place(
        &self,
        tx: &mut Tx<'_>,
        owner: &accounts::Account,
        draft: &Draft,
    ) -> Result<Place, Fault> {
        if let Some(name) = &self.package.namespace.repository {
            let repository = repositories::find(tx, owner.id, &name.key())?
                .ok_or_else(|| Fault::not_found(Thing::Repository, name.as_str()))?;
            return Ok(Place {
                repository: Some(repository.id),
                visibility: repository.visibility,
                inherits: true,
            });
        }
        let identity = self
            .principal
            .credential()
            .map(|credential| &credential.identity);
        if let Some(Identity::Workflow(workflow)) = identity {
            let repository = repositories::by_id(tx, workflow.repository)?
                .ok_or_else(|| Fault::internal("a workflow of a repository that is gone"))?;
            return Ok(Place {
                repository: Some(repository.id),
                visibility: repository.visibility,
                inherits: owner.inherit_access_default,
            });
        }
        let repository = self.linkable(tx, owner, draft)?;
        let may_be_public =
            owner.kind == AccountKind::User || may_members_create(owner, Visibility::Public);
        let visibility = if draft.ask_public && may_be_public {
            Visibility::Public
        } else {
            owner.default_visibility
        };
        Ok(Place {
            inherits: repository.is_some() && owner.inherit_access_default,
            repository,
            visibility,
        })
    }

    /// The repository that the draft names, where it is the owner's and the publisher may write
    /// to it; any other is published unlinked.
    fn linkable(
        &self,
        tx: &mut Tx<'_>,
        owner: &accounts::Account,
        draft: &Draft,
    ) -> Result<Option<RepositoryId>, Fault> {
        let (Some(source), Some(credential)) = (&draft.source, self.principal.credential()) else {
            return Ok(None);
        };
        if source.owner != owner.login {
            return Ok(None);
        }
        let Some(repository) = repositories::find(tx, owner.id, &source.name.key())? else {
            return Ok(None);
        };
        let found = ties::load_namespace(tx, credential.account, owner.id, Some(repository.id))?;
        let is_site_admin = matches!(
            credential.identity,
            Identity::User {
                site_admin: true,
                ..
            }
        );
        let writes =
            is_site_admin || found.repository_role.map(RepoRole::on_packages) >= Some(Role::Write);
        Ok(writes.then_some(repository.id))
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
            kept: None,
            kept_media_type: None,
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
        version: packhouse_names::VersionId,
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
        version: packhouse_names::VersionId,
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

/// Where a new package comes to lie.
struct Place {
    repository: Option<RepositoryId>,
    visibility: Visibility,
    inherits: bool,
}
