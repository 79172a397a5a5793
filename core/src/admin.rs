//! What an operator does to the house: `packhouse admin …`, on the database or through a running
//! server. Whoever holds the data folder is the operator; no need is decided here.

use std::sync::Arc;
use std::time::Duration;

use packhouse_db::accounts::{Account, NewAccount};
use packhouse_db::packages::Package;
use packhouse_db::repositories::Repository;
use packhouse_db::{AccountKind, Tx, accounts, grants, packages, repositories, teams};
use packhouse_names::{
    Login, OrgRole, RepoRole, Role, TeamRole, TeamSlug, Timestamp, TokenKind, TokenText, Visibility,
};
use serde_json::json;

use crate::events::{self, Event};
use crate::fault::{Fault, Thing};
use crate::house::{Done, House};
use crate::model::{PackageRef, RepositoryRef};
use crate::policy::Scopes;
use crate::tokens::{self, Bearer, NewToken, Which};

/// One operator's command, names already resolved by their formats.
#[derive(Debug, Clone)]
pub enum Deed {
    CreateUser {
        login: Login,
        email: Option<String>,
        site_admin: bool,
    },
    CreateOrg {
        login: Login,
        owner: Login,
        default_visibility: Visibility,
    },
    AddMember {
        org: Login,
        user: Login,
        role: OrgRole,
    },
    CreateTeam {
        org: Login,
        slug: TeamSlug,
        parent: Option<TeamSlug>,
    },
    AddTeamMember {
        org: Login,
        team: TeamSlug,
        user: Login,
    },
    CreateRepo {
        repository: RepositoryRef,
        visibility: Visibility,
    },
    AddCollaborator {
        repository: RepositoryRef,
        user: Login,
        role: RepoRole,
    },
    SetVisibility {
        package: PackageRef,
        visibility: Visibility,
    },
    Grant {
        package: PackageRef,
        to: Grantee,
        role: Role,
    },
    Link {
        package: PackageRef,
        repository: RepositoryRef,
        inherit: Option<bool>,
    },
    CreateToken {
        user: Login,
        scopes: Scopes,
        note: Option<String>,
        /// From now; `None` never expires.
        expires_in: Option<Duration>,
        /// Makes a workflow token of this repository.
        repository: Option<RepositoryRef>,
    },
    /// By its text or its number.
    RevokeToken {
        token: String,
    },
    SuspendUser {
        login: Login,
    },
    UnsuspendUser {
        login: Login,
    },
}

/// Who gets a role on a package.
#[derive(Debug, Clone)]
pub enum Grantee {
    User(Login),
    Team { org: Login, team: TeamSlug },
}

impl House {
    /// Does an operator's deed. The answer is what belongs on the terminal: a new token's text,
    /// else nothing.
    ///
    /// # Errors
    /// [`Fault::NotFound`], [`Fault::Conflict`] and [`Fault::Invalid`], each in words for a
    /// person.
    pub async fn administer(self: &Arc<Self>, deed: Deed) -> Result<Option<String>, Fault> {
        if let Deed::RevokeToken { token } = &deed {
            return self.revoke(Which::read(token), None).await.map(|()| None);
        }
        let at = self.now();
        self.commit(move |tx| {
            let (answer, event) = Administering { at }.run(tx, &deed)?;
            Ok(Done {
                answer,
                events: vec![event],
            })
        })
        .await
    }

    /// On an empty database makes the site admin `admin` and a token for it; afterwards `None`.
    ///
    /// # Errors
    /// [`Fault::Internal`].
    pub async fn first_start(self: &Arc<Self>) -> Result<Option<TokenText>, Fault> {
        let at = self.now();
        self.commit(move |tx| {
            if accounts::count(tx)? > 0 {
                return Ok(Done {
                    answer: None,
                    events: Vec::new(),
                });
            }
            let admin = Administering { at }.user(tx, &Login::new("admin")?, None, true)?;
            let text = tokens::fresh_token(TokenKind::Classic);
            let new = NewToken {
                note: Some("made on the first start".to_owned()),
                scopes: Scopes::all(),
                expires_at: None,
            };
            let bearer = Bearer {
                account: admin.id,
                repository: None,
            };
            let token = tokens::insert(tx, &text, bearer, &new, at)?;
            let events = vec![
                events::about_account("account.created", admin.id, None, &json!({})),
                events::about_token("token.created", token, admin.id, None),
            ];
            Ok(Done {
                answer: Some(text),
                events,
            })
        })
        .await
    }
}

/// One deed inside its transaction.
struct Administering {
    at: Timestamp,
}

type Told = (Option<String>, Event);

impl Administering {
    fn run(&self, tx: &mut Tx<'_>, deed: &Deed) -> Result<Told, Fault> {
        match deed {
            Deed::CreateUser {
                login,
                email,
                site_admin,
            } => {
                let user = self.user(tx, login, email.clone(), *site_admin)?;
                Ok(told(events::about_account(
                    "account.created",
                    user.id,
                    None,
                    &json!({}),
                )))
            }
            Deed::CreateOrg {
                login,
                owner,
                default_visibility,
            } => self.create_org(tx, login, owner, *default_visibility),
            Deed::AddMember { org, user, role } => {
                let (org, user) = (organization(tx, org)?, account(tx, user)?);
                only_users(&user)?;
                teams::put_membership(tx, org.id, user.id, *role, self.at)?;
                Ok(told(changed_account(&org)))
            }
            Deed::CreateTeam { org, slug, parent } => {
                self.create_team(tx, org, slug, parent.as_ref())
            }
            Deed::AddTeamMember { org, team, user } => {
                let (org, user) = (organization(tx, org)?, account(tx, user)?);
                let found = self::team(tx, &org, team)?;
                if teams::membership(tx, org.id, user.id)?.is_none() {
                    let reason = format!("{} is not a member of {}", user.login, org.login);
                    return Err(Fault::invalid("user", reason));
                }
                teams::put_team_member(tx, found.id, user.id, TeamRole::Member)?;
                Ok(told(changed_account(&org)))
            }
            Deed::CreateRepo {
                repository,
                visibility,
            } => self.create_repo(tx, repository, *visibility),
            Deed::AddCollaborator {
                repository,
                user,
                role,
            } => {
                let (found, user) = (self::repository(tx, repository)?, account(tx, user)?);
                only_users(&user)?;
                repositories::put_collaborator(tx, found.id, user.id, *role)?;
                Ok(told(changed_repository(&found)))
            }
            Deed::SetVisibility {
                package,
                visibility,
            } => self.set_visibility(tx, package, *visibility),
            Deed::Grant { package, to, role } => self.grant(tx, package, to, *role),
            Deed::Link {
                package,
                repository,
                inherit,
            } => self.link(tx, package, repository, *inherit),
            Deed::CreateToken {
                user,
                scopes,
                note,
                expires_in,
                repository,
            } => {
                let new = NewToken {
                    note: note.clone(),
                    scopes: *scopes,
                    expires_at: expires_in.map(|span| self.at.after(span)),
                };
                self.create_token(tx, user, &new, repository.as_ref())
            }
            Deed::SuspendUser { login } => self.suspend(tx, login, Some(self.at)),
            Deed::UnsuspendUser { login } => self.suspend(tx, login, None),
            Deed::RevokeToken { .. } => Err(Fault::internal("a revocation has a way of its own")),
        }
    }

    fn user(
        &self,
        tx: &mut Tx<'_>,
        login: &Login,
        email: Option<String>,
        site_admin: bool,
    ) -> Result<Account, Fault> {
        self.new_account(
            tx,
            login,
            AccountKind::User,
            email,
            site_admin,
            Visibility::Private,
        )
    }

    fn new_account(
        &self,
        tx: &mut Tx<'_>,
        login: &Login,
        kind: AccountKind,
        email: Option<String>,
        site_admin: bool,
        default_visibility: Visibility,
    ) -> Result<Account, Fault> {
        if accounts::find_by_login(tx, &login.key())?.is_some() {
            return Err(Fault::Conflict(format!("account {login}")));
        }
        Ok(accounts::insert(
            tx,
            &NewAccount {
                login: login.clone(),
                kind,
                email,
                display_name: None,
                site_admin,
                default_visibility,
                base_permission: (kind == AccountKind::Organization).then_some(Role::Read),
                created_at: self.at,
            },
        )?)
    }

    fn create_org(
        &self,
        tx: &mut Tx<'_>,
        login: &Login,
        owner: &Login,
        default_visibility: Visibility,
    ) -> Result<Told, Fault> {
        let owner = account(tx, owner)?;
        only_users(&owner)?;
        let kind = AccountKind::Organization;
        let org = self.new_account(tx, login, kind, None, false, default_visibility)?;
        teams::put_membership(tx, org.id, owner.id, OrgRole::Owner, self.at)?;
        Ok(told(events::about_account(
            "account.created",
            org.id,
            None,
            &json!({}),
        )))
    }

    fn create_team(
        &self,
        tx: &mut Tx<'_>,
        org: &Login,
        slug: &TeamSlug,
        parent: Option<&TeamSlug>,
    ) -> Result<Told, Fault> {
        let org = organization(tx, org)?;
        let parent_id = match parent {
            Some(parent) => Some(team(tx, &org, parent)?.id),
            None => None,
        };
        if teams::find_team(tx, org.id, &slug.key())?.is_some() {
            return Err(Fault::Conflict(format!("team {}/{slug}", org.login)));
        }
        let name = slug.to_string();
        let new = teams::NewTeam {
            org_id: org.id,
            slug: slug.clone(),
            name,
            description: None,
            parent_id,
            created_at: self.at,
        };
        teams::insert_team(tx, &new)?;
        Ok(told(changed_account(&org)))
    }

    fn create_repo(
        &self,
        tx: &mut Tx<'_>,
        repository: &RepositoryRef,
        visibility: Visibility,
    ) -> Result<Told, Fault> {
        let owner = account(tx, &repository.owner)?;
        if repositories::find(tx, owner.id, &repository.name.key())?.is_some() {
            return Err(Fault::Conflict(format!("repository {repository}")));
        }
        let new = repositories::NewRepository {
            owner_id: owner.id,
            name: repository.name.clone(),
            description: None,
            visibility,
            created_at: self.at,
        };
        let made = repositories::insert(tx, &new)?;
        Ok(told(events::about_repository(
            "repository.created",
            made.id,
            &json!({}),
        )))
    }

    fn set_visibility(
        &self,
        tx: &mut Tx<'_>,
        package: &PackageRef,
        visibility: Visibility,
    ) -> Result<Told, Fault> {
        let found = self.locked(tx, package)?;
        if found.ecosystem.is_repository_scoped() {
            return Err(Fault::invalid(
                "package",
                "its visibility is its repository's",
            ));
        }
        packages::set_visibility(tx, found.id, visibility)?;
        self.changed_package(tx, &found)
    }

    fn grant(
        &self,
        tx: &mut Tx<'_>,
        package: &PackageRef,
        to: &Grantee,
        role: Role,
    ) -> Result<Told, Fault> {
        let found = self.locked(tx, package)?;
        if found.ecosystem.is_repository_scoped() || found.inherit_access {
            return Err(Fault::invalid(
                "package",
                "its access is inherited from its repository",
            ));
        }
        match to {
            Grantee::User(login) => {
                let user = account(tx, login)?;
                only_users(&user)?;
                may_be_granted(tx, &found, &user)?;
                grants::put_user(tx, found.id, user.id, role)?;
            }
            Grantee::Team { org, team } => {
                let org = organization(tx, org)?;
                if org.id != found.owner_id {
                    return Err(Fault::invalid(
                        "team",
                        "it is not a team of the package's owner",
                    ));
                }
                let team = self::team(tx, &org, team)?;
                grants::put_team(tx, found.id, team.id, role)?;
            }
        }
        self.changed_package(tx, &found)
    }

    fn link(
        &self,
        tx: &mut Tx<'_>,
        package: &PackageRef,
        repository: &RepositoryRef,
        inherit: Option<bool>,
    ) -> Result<Told, Fault> {
        let found = self.locked(tx, package)?;
        if found.ecosystem.is_repository_scoped() {
            return Err(Fault::invalid(
                "package",
                "it lies in its repository for good",
            ));
        }
        let repository = self::repository(tx, repository)?;
        packages::set_repository(tx, found.id, Some(repository.id))?;
        grants::put_actions(tx, found.id, repository.id, Role::Admin)?;
        if let Some(inherit) = inherit {
            if inherit != found.inherit_access {
                // switching the mode overwrites the list (spec/github-packages.md 6.4)
                grants::clear(tx, found.id)?;
            }
            packages::set_inherit(tx, found.id, inherit)?;
        }
        self.changed_package(tx, &found)
    }

    fn create_token(
        &self,
        tx: &mut Tx<'_>,
        user: &Login,
        new: &NewToken,
        repository: Option<&RepositoryRef>,
    ) -> Result<Told, Fault> {
        let owner = account(tx, user)?;
        only_users(&owner)?;
        let repository = match repository {
            Some(repository) => Some(self::repository(tx, repository)?.id),
            None => None,
        };
        let kind = if repository.is_some() {
            TokenKind::Workflow
        } else {
            TokenKind::Classic
        };
        let text = tokens::fresh_token(kind);
        let bearer = Bearer {
            account: owner.id,
            repository,
        };
        let id = tokens::insert(tx, &text, bearer, new, self.at)?;
        let event = events::about_token("token.created", id, owner.id, None);
        Ok((Some(text.expose().to_owned()), event))
    }

    fn suspend(
        &self,
        tx: &mut Tx<'_>,
        login: &Login,
        at: Option<Timestamp>,
    ) -> Result<Told, Fault> {
        let user = account(tx, login)?;
        only_users(&user)?;
        accounts::set_suspended(tx, user.id, at)?;
        Ok(told(changed_account(&user)))
    }

    fn locked(&self, tx: &mut Tx<'_>, package: &PackageRef) -> Result<Package, Fault> {
        let key = package.namespace.owner.key();
        let row = packages::find_head(tx, &key, package.ecosystem, &package.key)?
            .ok_or_else(|| Fault::not_found(Thing::Package, package.name.as_str()))?;
        Ok(packages::lock(tx, row.package.id)?)
    }

    fn changed_package(&self, tx: &mut Tx<'_>, package: &Package) -> Result<Told, Fault> {
        packages::bump(tx, package.id, self.at)?;
        Ok(told(events::about_package(
            "package.changed",
            package.id,
            None,
            &json!({}),
        )))
    }
}

const fn told(event: Event) -> Told {
    (None, event)
}

fn changed_account(account: &Account) -> Event {
    events::about_account("account.changed", account.id, None, &json!({}))
}

fn changed_repository(repository: &Repository) -> Event {
    events::about_repository("repository.changed", repository.id, &json!({}))
}

pub(crate) fn account(tx: &mut Tx<'_>, login: &Login) -> Result<Account, Fault> {
    accounts::find_by_login(tx, &login.key())?
        .ok_or_else(|| Fault::not_found(Thing::Account, login.as_str()))
}

fn organization(tx: &mut Tx<'_>, login: &Login) -> Result<Account, Fault> {
    let found = account(tx, login)?;
    if found.kind != AccountKind::Organization {
        return Err(Fault::invalid("organization", format!("{login} is a user")));
    }
    Ok(found)
}

pub(crate) fn only_users(account: &Account) -> Result<(), Fault> {
    if account.kind != AccountKind::User {
        return Err(Fault::invalid(
            "user",
            format!("{} is an organization", account.login),
        ));
    }
    Ok(())
}

/// An organization's private and internal packages are for its own people
/// (`spec/github-packages.md` 6.5).
pub(crate) fn may_be_granted(
    tx: &mut Tx<'_>,
    package: &Package,
    user: &Account,
) -> Result<(), Fault> {
    let owner = accounts::find(tx, package.owner_id)?
        .ok_or_else(|| Fault::internal("a package without an owner"))?;
    let is_open = owner.kind == AccountKind::User || package.visibility == Visibility::Public;
    if is_open || teams::membership(tx, owner.id, user.id)?.is_some() {
        return Ok(());
    }
    let reason = format!(
        "{} is not a member of {}, and the package is {}",
        user.login, owner.login, package.visibility
    );
    Err(Fault::invalid("user", reason))
}

pub(crate) fn team(tx: &mut Tx<'_>, org: &Account, slug: &TeamSlug) -> Result<teams::Team, Fault> {
    teams::find_team(tx, org.id, &slug.key())?
        .ok_or_else(|| Fault::not_found(Thing::Team, format!("{}/{slug}", org.login)))
}

fn repository(tx: &mut Tx<'_>, named: &RepositoryRef) -> Result<Repository, Fault> {
    let owner = account(tx, &named.owner)?;
    repositories::find(tx, owner.id, &named.name.key())?
        .ok_or_else(|| Fault::not_found(Thing::Repository, named.to_string()))
}
