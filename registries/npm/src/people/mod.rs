//! Logins by browser, profiles, stars, access to packages, organizations and their teams.

mod access;
mod login;
mod organizations;
mod page;
pub(crate) mod profile;
mod stars;

use packhouse_core::Fault;
use packhouse_core::cx::{ReadCx, WriteCx};
use packhouse_names::{PackageName, Role};
use packhouse_wire::{Body, Head, Reply};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::body::parse_object;
use crate::route::people::{PeopleRead, PeopleWrite};

pub(crate) use access::named;
pub(crate) use stars::reply as starred;

const MAX_BODY_BYTES: usize = 64 << 10;

/// Answers a question.
pub(crate) async fn read(cx: &ReadCx, head: &Head, asked: PeopleRead) -> Result<Reply, Fault> {
    match asked {
        PeopleRead::LoginPage { page } => login::page(cx, head, page).await,
        PeopleRead::Profile => profile::get(cx).await,
        PeopleRead::StarredBy => stars::of_user(cx, head).await,
        PeopleRead::PackagesOfOrganization { login } => {
            organizations::packages_of_organization(cx, &login).await
        }
        PeopleRead::PackagesOfUser { login } => organizations::packages_of_user(cx, &login).await,
        PeopleRead::Members => organizations::members(cx).await,
        PeopleRead::Teams => organizations::teams(cx).await,
        PeopleRead::TeamMembers { team } => organizations::team_members(cx, &team).await,
        PeopleRead::TeamPackages { team } => organizations::team_packages(cx, &team).await,
        PeopleRead::Visibility => access::visibility(cx),
        PeopleRead::Collaborators => access::collaborators(cx, head).await,
        PeopleRead::Owners => access::owners(cx).await,
    }
}

/// Does a deed.
pub(crate) async fn write(
    cx: &WriteCx,
    head: &Head,
    asked: PeopleWrite,
    body: Body,
) -> Result<Reply, Fault> {
    match asked {
        PeopleWrite::BeginLogin => login::begin(cx, head, body).await,
        PeopleWrite::ClaimLogin => login::claim(cx, head).await,
        PeopleWrite::ApproveLogin { page } => login::approve(cx, head, page, body).await,
        PeopleWrite::ChangeProfile => Ok(profile::change()),
        PeopleWrite::ChangeAccess => access::change(cx, body).await,
        PeopleWrite::AddOwner => access::add_owner(cx, body).await,
        PeopleWrite::RemoveOwner { login } => access::remove_owner(cx, login).await,
        PeopleWrite::PutMember => organizations::put_member(cx, body).await,
        PeopleWrite::RemoveMember => organizations::remove_member(cx, body).await,
        PeopleWrite::CreateTeam => organizations::create_team(cx, body).await,
        PeopleWrite::RemoveTeam { team } => organizations::remove_team(cx, team).await,
        PeopleWrite::PutTeamMember { team } => organizations::put_team_member(cx, team, body).await,
        PeopleWrite::RemoveTeamMember { team } => {
            organizations::remove_team_member(cx, team, body).await
        }
        PeopleWrite::GrantTeam { team } => organizations::grant_team(cx, team, body).await,
        PeopleWrite::RevokeTeam { team } => organizations::revoke_team(cx, team, body).await,
    }
}

async fn request<T: for<'a> Deserialize<'a>>(body: Body) -> Result<T, Fault> {
    let text = body.read_at_most(MAX_BODY_BYTES).await?;
    parse_object("the request", &text)
}

/// What npm calls a role: it knows two.
const fn permission(role: Role) -> &'static str {
    match role {
        Role::Read => "read",
        Role::Write | Role::Admin => "write",
    }
}

/// `{"@acme/widget":"write"}`
fn permissions(packages: Vec<(PackageName, Role)>) -> Value {
    let entries = packages.into_iter();
    Value::Object(
        entries
            .map(|(name, role)| (name.to_string(), permission(role).into()))
            .collect::<Map<_, _>>(),
    )
}
