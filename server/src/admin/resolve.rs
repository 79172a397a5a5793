use packhouse_core::admin::{Deed, Grantee};
use packhouse_core::fault::Fault;
use packhouse_core::model::{Namespace, PackageRef, RepositoryRef};
use packhouse_core::policy::Scopes;

use super::command::{AdminCommand, GranteeAddress, PackageAddress, RepositoryAddress, Span};
use crate::compose::Registries;
use crate::config::Switch;

/// Turns a command into a deed: package names become keys in their own formats.
///
/// # Errors
/// [`Fault::Invalid`] for a name that its format refuses, or an ecosystem without a registry.
pub fn resolve(command: AdminCommand, registries: &Registries) -> Result<Deed, Fault> {
    Ok(match command {
        AdminCommand::CreateUser {
            login,
            email,
            site_admin,
        } => Deed::CreateUser {
            login,
            email,
            site_admin,
        },
        AdminCommand::CreateOrg {
            login,
            owner,
            default_visibility,
        } => Deed::CreateOrg {
            login,
            owner,
            default_visibility,
        },
        AdminCommand::AddMember { org, user, role } => Deed::AddMember { org, user, role },
        AdminCommand::CreateTeam { org, slug, parent } => Deed::CreateTeam { org, slug, parent },
        AdminCommand::AddTeamMember { team, user } => Deed::AddTeamMember {
            org: team.org,
            team: team.slug,
            user,
        },
        AdminCommand::CreateRepo {
            repository,
            visibility,
        } => Deed::CreateRepo {
            repository: repository_ref(repository),
            visibility,
        },
        AdminCommand::AddCollaborator {
            repository,
            user,
            role,
        } => Deed::AddCollaborator {
            repository: repository_ref(repository),
            user,
            role,
        },
        AdminCommand::SetVisibility {
            package,
            visibility,
        } => Deed::SetVisibility {
            package: package_ref(package, registries)?,
            visibility,
        },
        AdminCommand::Grant { package, to, role } => Deed::Grant {
            package: package_ref(package, registries)?,
            to: match to {
                GranteeAddress::User(login) => Grantee::User(login),
                GranteeAddress::Team(team) => Grantee::Team {
                    org: team.org,
                    team: team.slug,
                },
            },
            role,
        },
        AdminCommand::Link {
            package,
            repository,
            inherit,
        } => Deed::Link {
            package: package_ref(package, registries)?,
            repository: repository_ref(repository),
            inherit: inherit.map(Switch::is_on),
        },
        AdminCommand::CreateToken {
            user,
            scopes,
            note,
            expires,
            repository,
        } => Deed::CreateToken {
            user,
            scopes: Scopes::parse(&scopes)
                .map_err(|error| Fault::invalid("scopes", error.to_string()))?,
            note,
            expires_in: expires.map(Span::duration),
            repository: repository.map(repository_ref),
        },
        AdminCommand::RevokeToken { token } => Deed::RevokeToken { token },
        AdminCommand::SuspendUser { login } => Deed::SuspendUser { login },
        AdminCommand::UnsuspendUser { login } => Deed::UnsuspendUser { login },
    })
}

fn repository_ref(address: RepositoryAddress) -> RepositoryRef {
    RepositoryRef {
        owner: address.owner,
        name: address.name,
    }
}

fn package_ref(address: PackageAddress, registries: &Registries) -> Result<PackageRef, Fault> {
    let PackageAddress {
        owner,
        ecosystem,
        name,
    } = address;
    let Some(registry) = registries.find(ecosystem) else {
        return Err(Fault::invalid(
            "ecosystem",
            format!("this server has no {ecosystem} registry"),
        ));
    };
    let (name, key) = registry.name(&name)?;
    Ok(PackageRef {
        ecosystem,
        namespace: Namespace {
            owner,
            repository: None,
        },
        name,
        key,
    })
}
