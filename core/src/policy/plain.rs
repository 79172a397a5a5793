use packhouse_names::OrgRole;

use super::{HouseRules, Identity, Principal, Refusal, Scope};
use crate::fault::Lack;

/// What a principal wants to do with an organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrganizationOperation {
    /// See who belongs to it and to its teams.
    See,
    /// Change who does.
    Manage,
}

/// Decides an operation on an organization. `role` is the caller's place in it, `None` also for
/// one that does not exist: the two are refused alike.
///
/// # Errors
/// The [`Refusal`]; a format words it.
pub fn decide_organization(
    operation: OrganizationOperation,
    principal: &Principal,
    exists: bool,
    role: Option<OrgRole>,
) -> Result<(), Refusal> {
    let Some(credential) = principal.credential() else {
        return Err(Refusal::Unauthenticated);
    };
    let Identity::User { scopes, site_admin } = &credential.identity else {
        return Err(Refusal::Hidden);
    };
    let may_change = scopes.has(Scope::WriteOrg) || scopes.has(Scope::AdminOrg);
    if !(may_change || scopes.has(Scope::ReadOrg) || scopes.reads_packages()) {
        return Err(Refusal::Denied(Lack::Scope));
    }
    let role = if *site_admin && exists {
        Some(OrgRole::Owner)
    } else {
        role
    };
    match (operation, role) {
        (_, None) => Err(Refusal::Hidden),
        (OrganizationOperation::See, Some(_)) => Ok(()),
        (OrganizationOperation::Manage, Some(OrgRole::Member)) => Err(Refusal::Denied(Lack::Role)),
        (OrganizationOperation::Manage, Some(OrgRole::Owner)) if may_change => Ok(()),
        (OrganizationOperation::Manage, Some(OrgRole::Owner)) => Err(Refusal::Denied(Lack::Scope)),
    }
}

/// Decides who may ask for lists at all; each list is then filtered to what the caller may read.
///
/// # Errors
/// The [`Refusal`]; a format words it.
pub fn decide_browsing(principal: &Principal, rules: HouseRules) -> Result<(), Refusal> {
    match principal
        .credential()
        .map(|credential| &credential.identity)
    {
        None if rules.anonymous_read => Ok(()),
        None => Err(Refusal::Unauthenticated),
        Some(Identity::User { scopes, .. }) if scopes.reads_packages() => Ok(()),
        Some(Identity::Workflow(workflow)) if workflow.declared.ceiling().is_some() => Ok(()),
        Some(_) => Err(Refusal::Denied(Lack::Scope)),
    }
}
