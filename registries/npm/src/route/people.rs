//! The addresses about people: logins by browser, profiles, access to packages, organizations
//! and their teams (`spec/npm.md` 13.2, 13.5, 14).

use http::Method;
use packhouse_core::Fault;
use packhouse_core::logins::PageKey;
use packhouse_core::model::{Namespace, PackageRef};
use packhouse_core::policy::Need;
use packhouse_names::{Login, TeamSlug};
use packhouse_wire::Head;

use super::{Asked, Read, Write};

/// A question about people.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum PeopleRead {
    /// The page on which somebody says yes to a login; `None` for an address that none has.
    LoginPage {
        page: Option<PageKey>,
    },
    Profile,
    StarredBy,
    PackagesOfOrganization {
        login: Login,
    },
    PackagesOfUser {
        login: Login,
    },
    Members,
    Teams,
    TeamMembers {
        team: TeamSlug,
    },
    TeamPackages {
        team: TeamSlug,
    },
    Visibility,
    Collaborators,
    Owners,
}

/// A deed about people.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum PeopleWrite {
    BeginLogin,
    /// Asked again and again by the terminal; the answer takes the token away.
    ClaimLogin,
    ApproveLogin {
        page: Option<PageKey>,
    },
    ChangeProfile,
    ChangeAccess,
    AddOwner,
    RemoveOwner {
        login: Login,
    },
    PutMember,
    RemoveMember,
    CreateTeam,
    RemoveTeam {
        team: TeamSlug,
    },
    PutTeamMember {
        team: TeamSlug,
    },
    RemoveTeamMember {
        team: TeamSlug,
    },
    GrantTeam {
        team: TeamSlug,
    },
    RevokeTeam {
        team: TeamSlug,
    },
}

impl PeopleRead {
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Self::LoginPage { .. } => "GET /-/v1/login/{login}",
            Self::Profile => "GET /-/npm/v1/user",
            Self::StarredBy => "GET /-/_view/starredByUser",
            Self::PackagesOfOrganization { .. } => "GET /-/org/{org}/package",
            Self::PackagesOfUser { .. } => "GET /-/user/{owner}/package",
            Self::Members => "GET /-/org/{org}/user",
            Self::Teams => "GET /-/org/{org}/team",
            Self::TeamMembers { .. } => "GET /-/team/{org}/{team}/user",
            Self::TeamPackages { .. } => "GET /-/team/{org}/{team}/package",
            Self::Visibility => "GET /-/package/{package}/visibility",
            Self::Collaborators => "GET /-/package/{package}/collaborators",
            Self::Owners => "GET /-/package/{package}/owners",
        }
    }
}

impl PeopleWrite {
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Self::BeginLogin => "POST /-/v1/login",
            Self::ClaimLogin => "GET /-/v1/done",
            Self::ApproveLogin { .. } => "POST /-/v1/login/{login}",
            Self::ChangeProfile => "POST /-/npm/v1/user",
            Self::ChangeAccess => "POST /-/package/{package}/access",
            Self::AddOwner => "PUT /-/package/{package}/owners",
            Self::RemoveOwner { .. } => "DELETE /-/package/{package}/owners/{owner}",
            Self::PutMember => "PUT /-/org/{org}/user",
            Self::RemoveMember => "DELETE /-/org/{org}/user",
            Self::CreateTeam => "PUT /-/org/{org}/team",
            Self::RemoveTeam { .. } => "DELETE /-/team/{org}/{team}",
            Self::PutTeamMember { .. } => "PUT /-/team/{org}/{team}/user",
            Self::RemoveTeamMember { .. } => "DELETE /-/team/{org}/{team}/user",
            Self::GrantTeam { .. } => "PUT /-/team/{org}/{team}/package",
            Self::RevokeTeam { .. } => "DELETE /-/team/{org}/{team}/package",
        }
    }
}

fn read(need: Need, read: PeopleRead) -> Asked {
    Asked::Read(need, Read::People(read))
}

fn write(need: Need, write: PeopleWrite) -> Asked {
    Asked::Write(need, Write::People(write))
}

/// A name that no account or team can have is that of nothing.
fn login(text: &str) -> Result<Login, Fault> {
    Login::new(text).map_err(|_not_a_login| Fault::NoRoute)
}

fn slug(text: &str) -> Result<TeamSlug, Fault> {
    TeamSlug::new(text).map_err(|_not_a_slug| Fault::NoRoute)
}

/// Below `/-/`, what is not about one package; `None` for what is not about people.
pub(super) fn about_people(head: &Head, path: &[&str]) -> Result<Option<Asked>, Fault> {
    let asked = match (head.method.as_str(), path) {
        ("POST", ["v1", "login"]) => write(Need::SignIn, PeopleWrite::BeginLogin),
        ("GET", ["v1", "login", key]) => {
            let page = PageKey::parse(key);
            read(Need::SignIn, PeopleRead::LoginPage { page })
        }
        ("POST", ["v1", "login", key]) => {
            let page = PageKey::parse(key);
            write(Need::SignIn, PeopleWrite::ApproveLogin { page })
        }
        ("GET", ["v1", "done"]) => write(Need::SignIn, PeopleWrite::ClaimLogin),
        ("GET", ["npm", "v1", "user"]) => read(Need::Oneself, PeopleRead::Profile),
        ("POST", ["npm", "v1", "user"]) => write(Need::Oneself, PeopleWrite::ChangeProfile),
        ("GET", ["_view", "starredByUser"]) => read(Need::Browse(None), PeopleRead::StarredBy),
        ("GET", ["user", user, "package"]) => {
            let login = login(user)?;
            read(browse(&login), PeopleRead::PackagesOfUser { login })
        }
        ("GET", ["org", org, "package"]) => {
            let login = login(org)?;
            read(browse(&login), PeopleRead::PackagesOfOrganization { login })
        }
        (method, ["org", org, what]) => {
            let org = login(org)?;
            let see = Need::SeeOrganization(org.clone());
            let manage = Need::ManageOrganization(org);
            match (method, *what) {
                ("GET", "user") => read(see, PeopleRead::Members),
                ("PUT", "user") => write(manage, PeopleWrite::PutMember),
                ("DELETE", "user") => write(manage, PeopleWrite::RemoveMember),
                ("GET", "team") => read(see, PeopleRead::Teams),
                ("PUT", "team") => write(manage, PeopleWrite::CreateTeam),
                _ => return Ok(None),
            }
        }
        (method, ["team", org, team, rest @ ..]) => {
            return of_team(method, login(org)?, slug(team)?, rest);
        }
        _ => return Ok(None),
    };
    Ok(Some(asked))
}

fn browse(owner: &Login) -> Need {
    Need::Browse(Some(Namespace {
        owner: owner.clone(),
        repository: None,
    }))
}

fn of_team(
    method: &str,
    org: Login,
    team: TeamSlug,
    rest: &[&str],
) -> Result<Option<Asked>, Fault> {
    let see = Need::SeeOrganization(org.clone());
    let manage = Need::ManageOrganization(org);
    let asked = match (method, rest) {
        ("DELETE", []) => write(manage, PeopleWrite::RemoveTeam { team }),
        ("GET", ["user"]) => read(see, PeopleRead::TeamMembers { team }),
        ("PUT", ["user"]) => write(manage, PeopleWrite::PutTeamMember { team }),
        ("DELETE", ["user"]) => write(manage, PeopleWrite::RemoveTeamMember { team }),
        ("GET", ["package"]) => read(see, PeopleRead::TeamPackages { team }),
        // the package that must be managed is named in the body
        ("PUT", ["package"]) => write(see, PeopleWrite::GrantTeam { team }),
        ("DELETE", ["package"]) => write(see, PeopleWrite::RevokeTeam { team }),
        _ => return Ok(None),
    };
    Ok(Some(asked))
}

/// Below `/-/package/{package}/`; `None` for what is not about people.
pub(super) fn of_package(
    method: &Method,
    rest: &[&str],
    package: impl FnOnce() -> Result<PackageRef, Fault>,
) -> Result<Option<Asked>, Fault> {
    Ok(Some(match (method.as_str(), rest) {
        ("GET", ["visibility"]) => read(Need::Read(package()?), PeopleRead::Visibility),
        ("POST", ["access"]) => write(Need::Manage(package()?), PeopleWrite::ChangeAccess),
        // who may do what with a package is for those who work on it
        ("GET", ["collaborators"]) => read(Need::Publish(package()?), PeopleRead::Collaborators),
        ("GET", ["owners"]) => read(Need::Read(package()?), PeopleRead::Owners),
        ("PUT", ["owners"]) => write(Need::Manage(package()?), PeopleWrite::AddOwner),
        ("DELETE", ["owners", owner]) => {
            let login = login(owner)?;
            write(Need::Manage(package()?), PeopleWrite::RemoveOwner { login })
        }
        _ => return Ok(None),
    }))
}
