//! Members and teams of an organization: seen by its people, changed by its owners.

use std::sync::Arc;

use packhouse_db::{Tx, accounts, grants, packages, roles, teams};
use packhouse_names::{
    AccountId, Ecosystem, Login, OrgRole, PackageName, Role, TeamRole, TeamSlug,
};
use serde_json::json;

use crate::accounts::existing_user;
use crate::events;
use crate::fault::{Fault, Thing};
use crate::house::{Done, House};
use crate::policy::Principal;

/// A change of who belongs to an organization.
#[derive(Debug, Clone)]
pub enum OrganizationChange {
    /// Makes a user a member, or changes what one is.
    PutMember {
        user: Login,
        role: OrgRole,
    },
    /// Takes a member away, with their teams and their roles on the organization's packages.
    RemoveMember {
        user: Login,
    },
    CreateTeam {
        slug: TeamSlug,
        description: Option<String>,
    },
    /// Takes a team away, with what it was given.
    RemoveTeam {
        team: TeamSlug,
    },
    PutTeamMember {
        team: TeamSlug,
        user: Login,
    },
    RemoveTeamMember {
        team: TeamSlug,
        user: Login,
    },
}

impl House {
    pub(crate) async fn members(&self, org: AccountId) -> Result<Vec<(Login, OrgRole)>, Fault> {
        let found = self
            .db
            .read(move |conn| Ok::<_, Fault>(teams::members(conn, org)?))
            .await?;
        let members = found.into_iter();
        Ok(members.map(|member| (member.login, member.role)).collect())
    }

    pub(crate) async fn teams(&self, org: AccountId) -> Result<Vec<TeamSlug>, Fault> {
        let found = self
            .db
            .read(move |conn| Ok::<_, Fault>(teams::teams_of(conn, org)?))
            .await?;
        Ok(found.into_iter().map(|team| team.slug).collect())
    }

    pub(crate) async fn team_members(
        &self,
        org: AccountId,
        slug: TeamSlug,
    ) -> Result<Vec<Login>, Fault> {
        self.db
            .read(move |conn| {
                let found = teams::find_team(conn, org, &slug.key())?
                    .ok_or_else(|| Fault::not_found(Thing::Team, slug.as_str()))?;
                Ok(teams::team_members(conn, found.id)?)
            })
            .await
    }

    /// What a team was given, itself or by its parents, by name.
    pub(crate) async fn team_packages(
        &self,
        org: AccountId,
        slug: TeamSlug,
        ecosystem: Ecosystem,
    ) -> Result<Vec<(PackageName, Role)>, Fault> {
        self.db
            .read(move |conn| {
                let found = teams::find_team(conn, org, &slug.key())?
                    .ok_or_else(|| Fault::not_found(Thing::Team, slug.as_str()))?;
                let given = roles::of_team(conn, found.id)?;
                let mut ids: Vec<_> = given.keys().copied().collect();
                ids.sort_unstable();
                let rows = roles::listed(conn, &ids, ecosystem)?;
                // what is inherited from a repository does not look at the list
                Ok(rows
                    .into_iter()
                    .filter(|row| !row.inherit_access)
                    .filter_map(|row| Some((row.name, *given.get(&row.id)?)))
                    .collect())
            })
            .await
    }

    pub(crate) async fn change_organization(
        self: &Arc<Self>,
        org: AccountId,
        principal: Principal,
        change: OrganizationChange,
    ) -> Result<(), Fault> {
        let at = self.now();
        self.commit(move |tx| {
            let actor = events::actor(&principal);
            let mut events = vec![events::about_account(
                "account.changed",
                org,
                actor,
                &json!({}),
            )];
            match &change {
                OrganizationChange::PutMember { user, role } => {
                    let user = existing_user(tx, user)?;
                    if *role != OrgRole::Owner {
                        keeps_an_owner(tx, org, user.id)?;
                    }
                    teams::put_membership(tx, org, user.id, *role, at)?;
                }
                OrganizationChange::RemoveMember { user } => {
                    let user = existing_user(tx, user)?;
                    keeps_an_owner(tx, org, user.id)?;
                    if !teams::remove_membership(tx, org, user.id)? {
                        return Err(not_a_member(&user.login));
                    }
                    // a role of their own would outlive the membership
                    for id in grants::granted_in(tx, org, user.id)? {
                        packages::lock(tx, id)?;
                        grants::remove_user(tx, id, user.id)?;
                        let revision = packages::bump(tx, id, at)?;
                        let payload = json!({ "revision": revision });
                        let event = events::about_package("package.changed", id, actor, &payload);
                        events.push(event);
                    }
                }
                OrganizationChange::CreateTeam { slug, description } => {
                    if teams::find_team(tx, org, &slug.key())?.is_some() {
                        return Err(Fault::Conflict(format!("team {slug}")));
                    }
                    let new = teams::NewTeam {
                        org_id: org,
                        slug: slug.clone(),
                        name: slug.to_string(),
                        description: description.clone(),
                        parent_id: None,
                        created_at: at,
                    };
                    teams::insert_team(tx, &new)?;
                }
                OrganizationChange::RemoveTeam { team } => {
                    let team = self::team(tx, org, team)?;
                    teams::remove_team(tx, team.id)?;
                }
                OrganizationChange::PutTeamMember { team, user } => {
                    let (team, user) = (self::team(tx, org, team)?, existing_user(tx, user)?);
                    if teams::membership(tx, org, user.id)?.is_none() {
                        return Err(not_a_member(&user.login));
                    }
                    teams::put_team_member(tx, team.id, user.id, TeamRole::Member)?;
                }
                OrganizationChange::RemoveTeamMember { team, user } => {
                    let (team, user) = (self::team(tx, org, team)?, existing_user(tx, user)?);
                    if !teams::remove_team_member(tx, team.id, user.id)? {
                        return Err(not_a_member(&user.login));
                    }
                }
            }
            Ok(Done { answer: (), events })
        })
        .await
    }
}

fn not_a_member(login: &Login) -> Fault {
    Fault::invalid("user", format!("{login} is not a member"))
}

fn team(tx: &mut Tx<'_>, org: AccountId, slug: &TeamSlug) -> Result<teams::Team, Fault> {
    teams::find_team(tx, org, &slug.key())?
        .ok_or_else(|| Fault::not_found(Thing::Team, slug.as_str()))
}

/// An organization without an owner would be nobody's.
fn keeps_an_owner(tx: &mut Tx<'_>, org: AccountId, without: AccountId) -> Result<(), Fault> {
    // two owners who leave at once must not both see the other
    accounts::lock(tx, org)?;
    let members = teams::members(tx, org)?;
    let mut owners = members
        .iter()
        .filter(|member| member.role == OrgRole::Owner);
    let is_owner = members
        .iter()
        .any(|member| member.user_id == without && member.role == OrgRole::Owner);
    if is_owner && owners.all(|owner| owner.user_id == without) {
        return Err(Fault::invalid(
            "user",
            "the organization would be left without an owner",
        ));
    }
    Ok(())
}
