//! Where a package comes from: made by the first deed that was granted, placed where its owner's
//! rules put it.

use std::time::Duration;

use packhouse_db::packages::{NewPackage, Package};
use packhouse_db::{AccountKind, Tx, accounts, grants, packages, repositories, ties};
use packhouse_names::{PackageId, RepoRole, RepositoryId, Role, Timestamp, Visibility};

use crate::admission::{Asked, may_members_create, refused, resolve};
use crate::fault::{Fault, Thing};
use crate::model::{PackageRef, RepositoryRef};
use crate::policy::{HouseRules, Identity, Need, Operation, Principal, decide, decide_creation};

/// Races to make one package that a deed may lose before it is told to come back.
const MAX_RACES: u32 = 4;

/// Whoever may publish to a package, and so may make it.
pub(crate) struct Creating<'a> {
    pub(crate) package: &'a PackageRef,
    pub(crate) principal: &'a Principal,
    pub(crate) at: Timestamp,
    pub(crate) rules: HouseRules,
}

/// What a publisher wishes for a package that is made.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Wishes<'a> {
    pub(crate) source: Option<&'a RepositoryRef>,
    pub(crate) ask_public: bool,
}

/// The package of a deed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Home {
    pub(crate) package: PackageId,
    /// It was not there before.
    pub(crate) is_made: bool,
}

impl Creating<'_> {
    /// The package to publish to; made if it is not there. Decided again on what is there now:
    /// between admission and this transaction a package can come, go or change hands.
    pub(crate) fn package_row(&self, tx: &mut Tx<'_>, wishes: &Wishes<'_>) -> Result<Home, Fault> {
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
                return Ok(Home {
                    package: row.package.id,
                    is_made: false,
                });
            }
            if let Some(package) = self.create(tx, wishes)? {
                return Ok(Home {
                    package,
                    is_made: true,
                });
            }
            // somebody was faster: decide on what they made
        }
        Err(Fault::Busy(Duration::from_secs(1)))
    }

    /// Makes the package; `None` when somebody else just did.
    fn create(&self, tx: &mut Tx<'_>, wishes: &Wishes<'_>) -> Result<Option<PackageId>, Fault> {
        let namespace = &self.package.namespace;
        let owner = accounts::find_by_login(tx, &namespace.owner.key())?
            .ok_or_else(|| Fault::not_found(Thing::Account, namespace.owner.as_str()))?;
        let place = self.place(tx, &owner, wishes)?;
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
        wishes: &Wishes<'_>,
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
        let repository = self.linkable(tx, owner, wishes.source)?;
        let may_be_public =
            owner.kind == AccountKind::User || may_members_create(owner, Visibility::Public);
        let visibility = if wishes.ask_public && may_be_public {
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

    /// The repository that the publisher names, where it is the owner's and the publisher may write
    /// to it; any other is published unlinked.
    fn linkable(
        &self,
        tx: &mut Tx<'_>,
        owner: &accounts::Account,
        source: Option<&RepositoryRef>,
    ) -> Result<Option<RepositoryId>, Fault> {
        let (Some(source), Some(credential)) = (source, self.principal.credential()) else {
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

    /// Links a package that has no version yet to the repository that its first version names:
    /// a package that was made by an upload could not know.
    pub(crate) fn link(
        &self,
        tx: &mut Tx<'_>,
        package: &Package,
        source: Option<&RepositoryRef>,
    ) -> Result<(), Fault> {
        if source.is_none() || package.repository_id.is_some() {
            return Ok(());
        }
        let Some((_, owner)) = packages::with_owner(tx, package.id)? else {
            return Ok(());
        };
        let owner = accounts::find_by_login(tx, &owner.login.key())?
            .ok_or_else(|| Fault::not_found(Thing::Account, owner.login.as_str()))?;
        if let Some(repository) = self.linkable(tx, &owner, source)? {
            packages::set_repository(tx, package.id, Some(repository))?;
            packages::set_inherit(tx, package.id, owner.inherit_access_default)?;
        }
        Ok(())
    }
}

/// Where a new package comes to lie.
struct Place {
    repository: Option<RepositoryId>,
    visibility: Visibility,
    inherits: bool,
}
