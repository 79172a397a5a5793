use packhouse_names::{OrgRole, RepoRole, Role, Visibility};

use super::{Identity, Principal, Scope, Scopes, WorkflowIdentity};
use crate::fault::Lack;

/// What a principal wants to do with a package that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    Read,
    Publish,
    Curate,
    Restore,
    Manage,
}

impl Operation {
    /// The least role that may.
    #[must_use]
    pub const fn role(self) -> Role {
        match self {
            Self::Read => Role::Read,
            Self::Publish => Role::Write,
            Self::Curate | Self::Restore | Self::Manage => Role::Admin,
        }
    }

    /// Whether a classic token's scopes suffice (`spec/github-packages.md` 6.1, 6.8).
    const fn is_in_scope(self, scopes: Scopes) -> bool {
        match self {
            Self::Read => scopes.reads_packages(),
            Self::Publish | Self::Restore | Self::Manage => scopes.has(Scope::WritePackages),
            Self::Curate => scopes.has(Scope::DeletePackages) && scopes.reads_packages(),
        }
    }
}

/// The house's own settings that a decision depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HouseRules {
    /// `--anonymous-read`: whether public packages need no token. Containers never need one.
    pub anonymous_read: bool,
}

/// What a decision has to know of the package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackageFacts {
    pub is_container: bool,
    /// Maven and docker: permissions and visibility are always the repository's.
    pub is_repository_scoped: bool,
    /// Access comes from the linked repository instead of the package's own list.
    pub inherits: bool,
    /// The effective one: the repository's for a repository-scoped package.
    pub visibility: Visibility,
    /// The one that a package has at first where this one lies.
    pub first_visibility: Visibility,
}

/// What ties an account to a package, or to the namespace it would lie in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ties {
    /// The account owns it.
    pub owns: bool,
    /// Its place in the owning organization.
    pub org_role: Option<OrgRole>,
    /// The highest grant on the package: its own, its teams', their parents'.
    pub package_role: Option<Role>,
    /// The highest role on the linked (or named) repository, whatever it comes from.
    pub repository_role: Option<RepoRole>,
}

/// What ties a workflow's repository to a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WorkflowTies {
    /// The package is linked to the workflow's repository.
    pub is_linked: bool,
    /// The package belongs to the account that owns the workflow's repository.
    pub has_same_owner: bool,
    /// The role that the package's Actions access list gives the repository.
    pub actions_role: Option<Role>,
}

/// Why a decision is no.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Nobody asked for what only somebody may have; said of absent things too.
    Unauthenticated,
    /// Nobody asked to read what is not public, where packages are public at first; said of absent
    /// things too.
    NotPublic,
    /// The principal may not know that it exists; said of absent things too.
    Hidden,
    /// The principal may see it, but not do this; or its token has no package scope at all.
    Denied(Lack),
}

/// The role that an account has on a package, from all it comes from, its token's scopes not
/// yet looked at (`spec/github-packages.md` 6.5).
#[must_use]
pub fn effective_role(facts: &PackageFacts, ties: &Ties, site_admin: bool) -> Option<Role> {
    if site_admin || ties.owns || ties.org_role == Some(OrgRole::Owner) {
        return Some(Role::Admin);
    }
    let granted = if facts.is_repository_scoped || facts.inherits {
        ties.repository_role.map(RepoRole::on_packages)
    } else {
        ties.package_role
    };
    let everybody = match facts.visibility {
        Visibility::Public => Some(Role::Read),
        Visibility::Internal if ties.org_role.is_some() => Some(Role::Read),
        Visibility::Internal | Visibility::Private => None,
    };
    granted.max(everybody)
}

fn workflow_role(facts: &PackageFacts, ties: &WorkflowTies) -> Option<Role> {
    // a linked repository whose access is inherited is admin of the package (6.6)
    let inherited =
        (ties.is_linked && (facts.inherits || facts.is_repository_scoped)).then_some(Role::Admin);
    // repository-scoped packages have no access list: the owning repository only (6.3)
    let listed = if facts.is_repository_scoped {
        None
    } else {
        ties.actions_role
    };
    let everybody = match facts.visibility {
        Visibility::Public => Some(Role::Read),
        Visibility::Internal if ties.has_same_owner => Some(Role::Read),
        Visibility::Internal | Visibility::Private => None,
    };
    inherited.max(listed).max(everybody)
}

/// What ties whoever asks to the package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnyTies {
    Account(Ties),
    Workflow(WorkflowTies),
}

/// Decides one operation on a package that exists.
///
/// # Errors
/// The [`Refusal`]; a format words it.
pub fn decide(
    operation: Operation,
    principal: &Principal,
    facts: &PackageFacts,
    ties: &AnyTies,
    rules: HouseRules,
) -> Result<(), Refusal> {
    let Some(credential) = principal.credential() else {
        let open = rules.anonymous_read || facts.is_container;
        let readable = operation == Operation::Read && facts.visibility == Visibility::Public;
        return if open && readable {
            Ok(())
        } else {
            Err(unproven(operation, facts.first_visibility, rules))
        };
    };
    let (role, in_scope) = match (&credential.identity, ties) {
        (Identity::User { scopes, site_admin }, AnyTies::Account(ties)) => {
            // a token without a package scope learns nothing, not even what is absent
            if !scopes.reads_packages() {
                return Err(Refusal::Denied(Lack::Scope));
            }
            (
                effective_role(facts, ties, *site_admin),
                operation.is_in_scope(*scopes),
            )
        }
        (Identity::Workflow(workflow), AnyTies::Workflow(ties)) => {
            let Some(ceiling) = workflow.declared.ceiling() else {
                return Err(Refusal::Denied(Lack::Scope));
            };
            let role = workflow_role(facts, ties);
            (role, operation.role() <= ceiling)
        }
        // ties are loaded for the principal they are asked for
        _ => return Err(Refusal::Hidden),
    };
    match role {
        None => Err(Refusal::Hidden),
        Some(role) if role < operation.role() => Err(Refusal::Denied(Lack::Role)),
        Some(_) if !in_scope => Err(Refusal::Denied(Lack::Scope)),
        Some(_) => Ok(()),
    }
}

/// The role that a list shows a principal on a package; its scopes are not looked at, what a
/// workflow declared is.
#[must_use]
pub fn role_of(principal: &Principal, facts: &PackageFacts, ties: &AnyTies) -> Option<Role> {
    let identity = principal
        .credential()
        .map(|credential| &credential.identity);
    match (identity, ties) {
        (Some(Identity::User { site_admin, .. }), AnyTies::Account(ties)) => {
            effective_role(facts, ties, *site_admin)
        }
        (Some(Identity::Workflow(workflow)), AnyTies::Workflow(ties)) => {
            let ceiling = workflow.declared.ceiling()?;
            Some(workflow_role(facts, ties)?.min(ceiling))
        }
        (None, _) if facts.visibility == Visibility::Public => Some(Role::Read),
        _ => None,
    }
}

/// What nobody is told. Where packages are public at first, one that nobody can read is as good as
/// absent; elsewhere somebody is asked for.
fn unproven(operation: Operation, first_visibility: Visibility, rules: HouseRules) -> Refusal {
    let is_open = rules.anonymous_read && first_visibility == Visibility::Public;
    if is_open && operation == Operation::Read {
        Refusal::NotPublic
    } else {
        Refusal::Unauthenticated
    }
}

/// A package that does not exist, and where it would.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Creation {
    /// The owning account exists.
    pub owner_exists: bool,
    /// Maven and docker: the address names a repository.
    pub is_repository_scoped: bool,
    /// The visibility that the package would get.
    pub visibility: Visibility,
    /// Whether members of the organization may create packages of that visibility.
    pub members_may_create: bool,
}

/// Decides an operation on a package that does not exist: only `Publish` can be granted, and
/// makes it. Everything else is answered as a package that is hidden.
///
/// # Errors
/// The [`Refusal`]; a format words it.
pub fn decide_creation(
    operation: Operation,
    principal: &Principal,
    creation: &Creation,
    ties: &Ties,
    rules: HouseRules,
) -> Result<(), Refusal> {
    let Some(credential) = principal.credential() else {
        return Err(unproven(operation, creation.visibility, rules));
    };
    match &credential.identity {
        Identity::User { scopes, site_admin } => {
            if !scopes.reads_packages() {
                return Err(Refusal::Denied(Lack::Scope));
            }
            if operation != Operation::Publish || !creation.owner_exists {
                return Err(Refusal::Hidden);
            }
            may_create(creation, ties, *site_admin)?;
            if scopes.has(Scope::WritePackages) {
                Ok(())
            } else {
                Err(Refusal::Denied(Lack::Scope))
            }
        }
        Identity::Workflow(workflow) => workflow_may_create(operation, workflow, creation, ties),
    }
}

fn may_create(creation: &Creation, ties: &Ties, site_admin: bool) -> Result<(), Refusal> {
    if site_admin || ties.owns || ties.org_role == Some(OrgRole::Owner) {
        return Ok(());
    }
    if creation.is_repository_scoped {
        return match ties.repository_role.map(RepoRole::on_packages) {
            Some(role) if role >= Role::Write => Ok(()),
            Some(_) => Err(Refusal::Denied(Lack::Role)),
            None => Err(Refusal::Hidden),
        };
    }
    match ties.org_role {
        Some(_) if creation.members_may_create => Ok(()),
        Some(_) => Err(Refusal::Denied(Lack::Role)),
        // somebody without a place in the namespace learns nothing: a hidden package and an
        // absent one are refused alike
        None => Err(Refusal::Hidden),
    }
}

/// A workflow creates in its own owner's namespace, and repository-scoped packages in its own
/// repository alone; there `owns` says that the address names that place.
fn workflow_may_create(
    operation: Operation,
    workflow: &WorkflowIdentity,
    creation: &Creation,
    ties: &Ties,
) -> Result<(), Refusal> {
    let Some(ceiling) = workflow.declared.ceiling() else {
        return Err(Refusal::Denied(Lack::Scope));
    };
    if operation != Operation::Publish || !creation.owner_exists || !ties.owns {
        return Err(Refusal::Hidden);
    }
    if ceiling < Role::Write {
        return Err(Refusal::Denied(Lack::Scope));
    }
    Ok(())
}
