//! How a row is written down, and how it is held against the decision.

use std::sync::Arc;

use packhouse_core::fault::Lack;
use packhouse_core::policy::{
    AnyTies, Credential, Declared, HouseRules, Identity, Operation, PackageFacts, Principal,
    Refusal, Scopes, Ties, WorkflowIdentity, WorkflowTies, decide,
};
use packhouse_names::{
    AccountId, Login, OrgRole, RepoRole, RepositoryId, Role, TokenId, Visibility,
};

pub(crate) use Operation::{Curate, Manage, Publish, Read, Restore};
pub(crate) use Visibility::{Internal, Private, Public};

pub(crate) const OK: Result<(), Refusal> = Ok(());
pub(crate) const NOBODY: Result<(), Refusal> = Err(Refusal::Unauthenticated);
pub(crate) const NOT_PUBLIC: Result<(), Refusal> = Err(Refusal::NotPublic);
pub(crate) const HIDE: Result<(), Refusal> = Err(Refusal::Hidden);
pub(crate) const NO_ROLE: Result<(), Refusal> = Err(Refusal::Denied(Lack::Role));
pub(crate) const NO_SCOPE: Result<(), Refusal> = Err(Refusal::Denied(Lack::Scope));

/// `C`: container, `G`: npm, NuGet, RubyGems, `R`: repository-scoped.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    C,
    G,
    R,
}
pub(crate) use Kind::{C, G, R};

pub(crate) const EVERY_KIND: &[Kind] = &[C, G, R];
pub(crate) const GRANULAR: &[Kind] = &[C, G];

pub(crate) fn facts(kind: Kind, visibility: Visibility, inherits: bool) -> PackageFacts {
    PackageFacts {
        is_container: kind == C,
        is_repository_scoped: kind == R,
        inherits: inherits || kind == R,
        visibility,
        first_visibility: Private,
    }
}

pub(crate) fn credential(identity: Identity) -> Principal {
    Principal::Known(Arc::new(Credential {
        token: TokenId::from(1),
        account: AccountId::from(1),
        login: Login::new("ann").unwrap(),
        identity,
        expires_at: None,
    }))
}

pub(crate) fn user(scopes: &str) -> Principal {
    let scopes = Scopes::parse(scopes).unwrap();
    credential(Identity::User {
        scopes,
        site_admin: false,
    })
}

pub(crate) fn site_admin(scopes: &str) -> Principal {
    let scopes = Scopes::parse(scopes).unwrap();
    credential(Identity::User {
        scopes,
        site_admin: true,
    })
}

pub(crate) fn workflow(declared: Declared) -> Principal {
    credential(Identity::Workflow(WorkflowIdentity {
        repository: RepositoryId::from(1),
        owner: AccountId::from(1),
        declared,
    }))
}

pub(crate) const READ: &str = "read:packages";
pub(crate) const WRITE: &str = "read:packages,write:packages";
pub(crate) const DELETE: &str = "read:packages,delete:packages";
pub(crate) const ALL: &str = "read:packages,write:packages,delete:packages";

pub(crate) const STRANGER: Ties = Ties {
    owns: false,
    org_role: None,
    package_role: None,
    repository_role: None,
};
pub(crate) const OWNER: Ties = Ties {
    owns: true,
    ..STRANGER
};
pub(crate) const ORG_OWNER: Ties = Ties {
    org_role: Some(OrgRole::Owner),
    ..STRANGER
};
pub(crate) const MEMBER: Ties = Ties {
    org_role: Some(OrgRole::Member),
    ..STRANGER
};

/// An account with a role on the package itself.
pub(crate) const fn granted(role: Role) -> Ties {
    Ties {
        package_role: Some(role),
        ..STRANGER
    }
}

/// An account with a role on the linked repository.
pub(crate) const fn on_repository(role: RepoRole) -> Ties {
    Ties {
        repository_role: Some(role),
        ..STRANGER
    }
}

/// The role a package of this kind takes from either place, to write "role X" rows once.
pub(crate) const fn role(role: Role) -> Ties {
    let on_repository = match role {
        Role::Read => RepoRole::Read,
        Role::Write => RepoRole::Write,
        Role::Admin => RepoRole::Admin,
    };
    Ties {
        package_role: Some(role),
        repository_role: Some(on_repository),
        ..STRANGER
    }
}

pub(crate) struct Row {
    pub(crate) says: &'static str,
    pub(crate) principal: Principal,
    pub(crate) operation: Operation,
    pub(crate) kinds: &'static [Kind],
    pub(crate) visibilities: &'static [Visibility],
    pub(crate) inherits: &'static [bool],
    pub(crate) ties: AnyTies,
    pub(crate) anonymous_read: &'static [bool],
    pub(crate) expected: Result<(), Refusal>,
}

pub(crate) fn row(
    says: &'static str,
    principal: Principal,
    operation: Operation,
    kinds: &'static [Kind],
    visibilities: &'static [Visibility],
    ties: Ties,
    expected: Result<(), Refusal>,
) -> Row {
    Row {
        says,
        principal,
        operation,
        kinds,
        visibilities,
        inherits: &[false, true],
        ties: AnyTies::Account(ties),
        anonymous_read: &[false, true],
        expected,
    }
}

pub(crate) fn by_workflow(
    says: &'static str,
    declared: Declared,
    operation: Operation,
    kinds: &'static [Kind],
    visibilities: &'static [Visibility],
    ties: WorkflowTies,
    expected: Result<(), Refusal>,
) -> Row {
    Row {
        ties: AnyTies::Workflow(ties),
        ..row(
            says,
            workflow(declared),
            operation,
            kinds,
            visibilities,
            STRANGER,
            expected,
        )
    }
}

pub(crate) fn check(rows: &[Row]) {
    let mut cases = 0;
    for row in rows {
        for &kind in row.kinds {
            for &visibility in row.visibilities {
                for &inherits in row.inherits {
                    for &anonymous_read in row.anonymous_read {
                        let facts = facts(kind, visibility, inherits);
                        let rules = HouseRules { anonymous_read };
                        let answer =
                            decide(row.operation, &row.principal, &facts, &row.ties, rules);
                        assert_eq!(answer, row.expected, "{}: {facts:?} {rules:?}", row.says);
                        cases += 1;
                    }
                }
            }
        }
    }
    assert!(cases >= rows.len());
}

pub(crate) const HIDDEN: &[Visibility] = &[Private, Internal];
pub(crate) const ANY: &[Visibility] = &[Private, Internal, Public];
pub(crate) const ALL_OPERATIONS: [Operation; 5] = [Read, Publish, Curate, Restore, Manage];
