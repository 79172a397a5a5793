//! Lists of packages, organizations and their teams: `npm access list`, `npm org`, `npm team`
//! (`spec/npm.md` 14).

use http::StatusCode;
use packhouse_core::Fault;
use packhouse_core::access::{AccessChange, Holder};
use packhouse_core::cx::{ReadCx, WriteCx};
use packhouse_core::organizations::OrganizationChange;
use packhouse_core::policy::Need;
use packhouse_names::{Ecosystem, Login, OrgRole, Role, TeamSlug};
use packhouse_wire::{Body, Reply};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::access::named;
use super::{permissions, request};
use crate::fault::Refusal;
use crate::name::NpmName;
use crate::route;
use crate::sign_in::private;

pub(super) async fn packages_of_organization(cx: &ReadCx, login: &Login) -> Result<Reply, Fault> {
    let packages = cx.packages_of_organization(login, Ecosystem::Npm).await?;
    Ok(private(StatusCode::OK, &permissions(packages)))
}

pub(super) async fn packages_of_user(cx: &ReadCx, login: &Login) -> Result<Reply, Fault> {
    let packages = cx.packages_of_user(login, Ecosystem::Npm).await?;
    Ok(private(StatusCode::OK, &permissions(packages)))
}

pub(super) async fn members(cx: &ReadCx) -> Result<Reply, Fault> {
    let members = cx.members().await?.into_iter();
    let list: Map<String, Value> = members
        .map(|(login, role)| (login.to_string(), word(role).into()))
        .collect();
    Ok(private(StatusCode::OK, &Value::Object(list)))
}

pub(super) async fn teams(cx: &ReadCx) -> Result<Reply, Fault> {
    let org = organization(cx)?;
    let teams = cx.teams().await?.into_iter();
    let list: Vec<Value> = teams.map(|slug| format!("{org}:{slug}").into()).collect();
    Ok(private(StatusCode::OK, &Value::Array(list)))
}

pub(super) async fn team_members(cx: &ReadCx, team: &TeamSlug) -> Result<Reply, Fault> {
    let members = cx.team_members(team).await?;
    let list: Vec<Value> = members.iter().map(|login| login.as_str().into()).collect();
    Ok(private(StatusCode::OK, &Value::Array(list)))
}

pub(super) async fn team_packages(cx: &ReadCx, team: &TeamSlug) -> Result<Reply, Fault> {
    let packages = cx.team_packages(team, Ecosystem::Npm).await?;
    Ok(private(StatusCode::OK, &permissions(packages)))
}

/// npm's words for a place in an organization. It has a third, `admin`, that we do not.
const fn word(role: OrgRole) -> &'static str {
    match role {
        OrgRole::Owner => "owner",
        OrgRole::Member => "developer",
    }
}

#[derive(Deserialize)]
struct Membership {
    user: String,
    role: Option<String>,
}

pub(super) async fn put_member(cx: &WriteCx, body: Body) -> Result<Reply, Fault> {
    let asked: Membership = request(body).await?;
    let role = match asked.role.as_deref() {
        None | Some("developer" | "member") => OrgRole::Member,
        Some("owner") => OrgRole::Owner,
        Some(_) => return Err(Fault::invalid("role", "role must be developer or owner")),
    };
    let user = named(&asked.user)?;
    let change = OrganizationChange::PutMember {
        user: user.clone(),
        role,
    };
    cx.change_organization(change).await?;
    let size = cx.members().await?.len();
    let answer = json!({
        "org": { "name": organization(cx)?.as_str(), "size": size },
        "user": user.as_str(),
        "role": word(role),
    });
    Ok(private(StatusCode::OK, &answer))
}

#[derive(Deserialize)]
struct Named {
    user: String,
}

pub(super) async fn remove_member(cx: &WriteCx, body: Body) -> Result<Reply, Fault> {
    let asked: Named = request(body).await?;
    let user = named(&asked.user)?;
    cx.change_organization(OrganizationChange::RemoveMember { user })
        .await?;
    Ok(gone())
}

#[derive(Deserialize)]
struct NewTeam {
    name: String,
    description: Option<String>,
}

pub(super) async fn create_team(cx: &WriteCx, body: Body) -> Result<Reply, Fault> {
    let asked: NewTeam = request(body).await?;
    let slug = TeamSlug::new(asked.name)?;
    let answer = json!({ "name": format!("{}:{slug}", organization(cx)?) });
    let change = OrganizationChange::CreateTeam {
        slug,
        description: asked.description,
    };
    match cx.change_organization(change).await {
        Ok(()) => Ok(private(StatusCode::CREATED, &answer)),
        Err(Fault::Conflict(_)) => Ok(Refusal::TeamTaken.reply()),
        Err(fault) => Err(fault),
    }
}

pub(super) async fn remove_team(cx: &WriteCx, team: TeamSlug) -> Result<Reply, Fault> {
    cx.change_organization(OrganizationChange::RemoveTeam { team })
        .await?;
    Ok(gone())
}

pub(super) async fn put_team_member(
    cx: &WriteCx,
    team: TeamSlug,
    body: Body,
) -> Result<Reply, Fault> {
    let asked: Named = request(body).await?;
    let user = named(&asked.user)?;
    cx.change_organization(OrganizationChange::PutTeamMember { team, user })
        .await?;
    Ok(private(StatusCode::OK, &json!({})))
}

pub(super) async fn remove_team_member(
    cx: &WriteCx,
    team: TeamSlug,
    body: Body,
) -> Result<Reply, Fault> {
    let asked: Named = request(body).await?;
    let user = named(&asked.user)?;
    cx.change_organization(OrganizationChange::RemoveTeamMember { team, user })
        .await?;
    Ok(gone())
}

#[derive(Deserialize)]
struct TeamPackage {
    package: String,
    permissions: Option<String>,
}

pub(super) async fn grant_team(cx: &WriteCx, team: TeamSlug, body: Body) -> Result<Reply, Fault> {
    let asked: TeamPackage = request(body).await?;
    let role = match asked.permissions.as_deref() {
        Some("read-only") => Role::Read,
        Some("read-write") => Role::Write,
        _ => {
            return Err(Fault::invalid(
                "permissions",
                "permissions must be read-only or read-write",
            ));
        }
    };
    let change = AccessChange {
        grant: vec![(Holder::Team(team), role)],
        ..AccessChange::default()
    };
    change_package(cx, &asked.package, change).await?;
    Ok(private(StatusCode::OK, &json!({})))
}

pub(super) async fn revoke_team(cx: &WriteCx, team: TeamSlug, body: Body) -> Result<Reply, Fault> {
    let asked: TeamPackage = request(body).await?;
    let change = AccessChange {
        revoke: vec![Holder::Team(team)],
        ..AccessChange::default()
    };
    change_package(cx, &asked.package, change).await?;
    Ok(gone())
}

async fn change_package(cx: &WriteCx, name: &str, change: AccessChange) -> Result<(), Fault> {
    let package = route::package_ref(&NpmName::parse(name)?, None)?;
    let managing = cx.managing(package).await?;
    managing.change_access(change).await.map(|_| ())
}

/// The organization that the need names.
fn organization(cx: &ReadCx) -> Result<&Login, Fault> {
    match cx.need() {
        Need::SeeOrganization(login) | Need::ManageOrganization(login) => Ok(login),
        _ => Err(Fault::internal("an organization without a need")),
    }
}

fn gone() -> Reply {
    Reply::empty(StatusCode::NO_CONTENT)
}
