//! A package's access list and visibility, changed by whoever may manage it.

use std::collections::BTreeMap;
use std::sync::Arc;

use packhouse_db::roles::{Source, holders};
use packhouse_db::{AccountKind, Tx, accounts, grants, packages, teams};
use packhouse_names::{Login, OrgRole, PackageId, Role, TeamSlug, Visibility};
use serde_json::json;

use crate::accounts::existing_user;
use crate::admin;
use crate::admission::may_members_create;
use crate::events;
use crate::fault::{Fault, Lack, Thing};
use crate::house::{Done, House};
use crate::policy::{Identity, Need, Principal};
use crate::revise::Revised;

/// One change of an access list, all of it or nothing.
#[derive(Debug, Clone, Default)]
pub struct AccessChange {
    /// The revision that the caller worked on; `None` where it does not matter.
    pub expect: Option<i64>,
    /// Roles to give, or to change.
    pub grant: Vec<(Holder, Role)>,
    /// Whose roles to take away.
    pub revoke: Vec<Holder>,
}

/// Who has a role on a package by its own list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holder {
    User(Login),
    /// A team of the organization that owns the package.
    Team(TeamSlug),
}

impl House {
    /// Everybody who has a role by something else than the visibility, by login.
    pub(crate) async fn collaborators(
        &self,
        package: PackageId,
        inherits: bool,
    ) -> Result<Vec<(Login, Role)>, Fault> {
        let found = self
            .db
            .read(move |conn| Ok::<_, Fault>(holders(conn, package)?))
            .await?;
        let mut roles: BTreeMap<String, (Login, Role)> = BTreeMap::new();
        for holder in found {
            let role = match holder.by {
                Source::Owner => Role::Admin,
                Source::List(role) if !inherits => role,
                Source::Repository(role) if inherits => role.on_packages(),
                Source::List(_) | Source::Repository(_) => continue,
            };
            let known = roles
                .entry(holder.login.key().into_owned())
                .or_insert((holder.login, role));
            known.1 = known.1.max(role);
        }
        Ok(roles.into_values().collect())
    }

    /// Makes a package public, for good; one that is already stays so.
    pub(crate) async fn make_public(
        self: &Arc<Self>,
        package: PackageId,
        principal: Principal,
        need: Need,
    ) -> Result<(), Fault> {
        let at = self.now();
        self.commit(move |tx| {
            let found = live(tx, package)?;
            if found.visibility == Visibility::Public {
                return Ok(Done::nothing(()));
            }
            let owner = accounts::find(tx, found.owner_id)?
                .ok_or_else(|| Fault::internal("a package without an owner"))?;
            if !may_publish_to_all(tx, &owner, &principal)? {
                return Err(Fault::Denied {
                    need: Box::new(need),
                    lack: Lack::Role,
                });
            }
            packages::set_visibility(tx, package, Visibility::Public)?;
            let revision = packages::bump(tx, package, at)?;
            Ok(Done {
                answer: (),
                events: vec![changed(package, &principal, revision)],
            })
        })
        .await
    }

    pub(crate) async fn change_access(
        self: &Arc<Self>,
        package: PackageId,
        principal: Principal,
        change: AccessChange,
    ) -> Result<Revised, Fault> {
        let at = self.now();
        self.commit(move |tx| {
            let found = live(tx, package)?;
            if change
                .expect
                .is_some_and(|expected| expected != found.revision)
            {
                return Err(Fault::Stale);
            }
            if found.ecosystem.is_repository_scoped() || found.inherit_access {
                return Err(Fault::Fixed(
                    "access to this package is inherited from its repository: change it there"
                        .to_owned(),
                ));
            }
            for holder in &change.revoke {
                revoke(tx, &found, holder)?;
            }
            for (holder, role) in &change.grant {
                grant(tx, &found, holder, *role)?;
            }
            let revision = packages::bump(tx, package, at)?;
            Ok(Done {
                answer: Revised {
                    package,
                    revision,
                    package_is_gone: false,
                },
                events: vec![changed(package, &principal, revision)],
            })
        })
        .await
    }
}

fn live(tx: &mut Tx<'_>, package: PackageId) -> Result<packages::Package, Fault> {
    let found = packages::lock(tx, package)?;
    if found.deleted_at.is_some() {
        return Err(Fault::not_found(Thing::Package, found.name.to_string()));
    }
    Ok(found)
}

fn changed(package: PackageId, principal: &Principal, revision: i64) -> events::Event {
    let payload = json!({ "revision": revision });
    events::about_package(
        "package.changed",
        package,
        events::actor(principal),
        &payload,
    )
}

/// Whether the owner lets this caller make packages public.
fn may_publish_to_all(
    tx: &mut Tx<'_>,
    owner: &accounts::Account,
    principal: &Principal,
) -> Result<bool, Fault> {
    if owner.kind == AccountKind::User || may_members_create(owner, Visibility::Public) {
        return Ok(true);
    }
    let Some(credential) = principal.credential() else {
        return Ok(false);
    };
    Ok(match credential.identity {
        Identity::User {
            site_admin: true, ..
        } => true,
        Identity::User { .. } => {
            teams::membership(tx, owner.id, credential.account)? == Some(OrgRole::Owner)
        }
        Identity::Workflow(_) => false,
    })
}

fn team(
    tx: &mut Tx<'_>,
    package: &packages::Package,
    slug: &TeamSlug,
) -> Result<teams::Team, Fault> {
    teams::find_team(tx, package.owner_id, &slug.key())?
        .ok_or_else(|| Fault::not_found(Thing::Team, slug.as_str()))
}

fn grant(
    tx: &mut Tx<'_>,
    package: &packages::Package,
    holder: &Holder,
    role: Role,
) -> Result<(), Fault> {
    match holder {
        Holder::User(login) => {
            let user = existing_user(tx, login)?;
            admin::may_be_granted(tx, package, &user)?;
            grants::put_user(tx, package.id, user.id, role)?;
        }
        Holder::Team(slug) => {
            let team = team(tx, package, slug)?;
            grants::put_team(tx, package.id, team.id, role)?;
        }
    }
    Ok(())
}

fn revoke(tx: &mut Tx<'_>, package: &packages::Package, holder: &Holder) -> Result<(), Fault> {
    match holder {
        Holder::User(login) => {
            let user = existing_user(tx, login)?;
            if !grants::remove_user(tx, package.id, user.id)? {
                return Err(Fault::Fixed(format!(
                    "{} has no role of their own on this package: what they may do comes from \
                     being its owner, from an organization or from a team",
                    user.login
                )));
            }
        }
        Holder::Team(slug) => {
            let team = team(tx, package, slug)?;
            if !grants::remove_team(tx, package.id, team.id)? {
                return Err(Fault::not_found(Thing::Team, slug.as_str()));
            }
        }
    }
    Ok(())
}
