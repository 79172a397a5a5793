//! The decision tables of GitHub's permission model (`spec/github-packages.md` 6.8), row by row,
//! over the pure functions.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot be set up has failed"
)]

use std::sync::Arc;

use packhouse_core::fault::Lack;
use packhouse_core::policy::{
    AnyTies, Creation, Credential, Declared, HouseRules, Identity, Operation, PackageFacts,
    Principal, Refusal, Scopes, Ties, WorkflowIdentity, WorkflowTies, decide, decide_creation,
};
use packhouse_names::{
    AccountId, Login, OrgRole, RepoRole, RepositoryId, Role, TokenId, Visibility,
};

use Operation::{Curate, Manage, Publish, Read, Restore};
use Visibility::{Internal, Private, Public};

const OK: Result<(), Refusal> = Ok(());
const NOBODY: Result<(), Refusal> = Err(Refusal::Unauthenticated);
const HIDE: Result<(), Refusal> = Err(Refusal::Hidden);
const NO_ROLE: Result<(), Refusal> = Err(Refusal::Denied(Lack::Role));
const NO_SCOPE: Result<(), Refusal> = Err(Refusal::Denied(Lack::Scope));

/// `C`: container, `G`: npm, NuGet, RubyGems, `R`: repository-scoped.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    C,
    G,
    R,
}
use Kind::{C, G, R};

const EVERY_KIND: &[Kind] = &[C, G, R];
const GRANULAR: &[Kind] = &[C, G];

fn facts(kind: Kind, visibility: Visibility, inherits: bool) -> PackageFacts {
    PackageFacts {
        is_container: kind == C,
        is_repository_scoped: kind == R,
        inherits: inherits || kind == R,
        visibility,
    }
}

fn credential(identity: Identity) -> Principal {
    Principal::Known(Arc::new(Credential {
        token: TokenId::from(1),
        account: AccountId::from(1),
        login: Login::new("ann").unwrap(),
        identity,
        expires_at: None,
    }))
}

fn user(scopes: &str) -> Principal {
    let scopes = Scopes::parse(scopes).unwrap();
    credential(Identity::User {
        scopes,
        site_admin: false,
    })
}

fn site_admin(scopes: &str) -> Principal {
    let scopes = Scopes::parse(scopes).unwrap();
    credential(Identity::User {
        scopes,
        site_admin: true,
    })
}

fn workflow(declared: Declared) -> Principal {
    credential(Identity::Workflow(WorkflowIdentity {
        repository: RepositoryId::from(1),
        owner: AccountId::from(1),
        declared,
    }))
}

const READ: &str = "read:packages";
const WRITE: &str = "read:packages,write:packages";
const DELETE: &str = "read:packages,delete:packages";
const ALL: &str = "read:packages,write:packages,delete:packages";

const STRANGER: Ties = Ties {
    owns: false,
    org_role: None,
    package_role: None,
    repository_role: None,
};
const OWNER: Ties = Ties {
    owns: true,
    ..STRANGER
};
const ORG_OWNER: Ties = Ties {
    org_role: Some(OrgRole::Owner),
    ..STRANGER
};
const MEMBER: Ties = Ties {
    org_role: Some(OrgRole::Member),
    ..STRANGER
};

/// An account with a role on the package itself.
const fn granted(role: Role) -> Ties {
    Ties {
        package_role: Some(role),
        ..STRANGER
    }
}

/// An account with a role on the linked repository.
const fn on_repository(role: RepoRole) -> Ties {
    Ties {
        repository_role: Some(role),
        ..STRANGER
    }
}

/// The role a package of this kind takes from either place, to write "role X" rows once.
const fn role(role: Role) -> Ties {
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

struct Row {
    says: &'static str,
    principal: Principal,
    operation: Operation,
    kinds: &'static [Kind],
    visibilities: &'static [Visibility],
    inherits: &'static [bool],
    ties: AnyTies,
    anonymous_read: &'static [bool],
    expected: Result<(), Refusal>,
}

fn row(
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

fn by_workflow(
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

fn check(rows: &[Row]) {
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

const HIDDEN: &[Visibility] = &[Private, Internal];
const ANY: &[Visibility] = &[Private, Internal, Public];
const ALL_OPERATIONS: [Operation; 5] = [Read, Publish, Curate, Restore, Manage];

#[test]
fn reading_follows_the_table() {
    let anonymous = || Principal::Anonymous;
    check(&[
        row(
            "anonymous, container, public",
            anonymous(),
            Read,
            &[C],
            &[Public],
            STRANGER,
            OK,
        ),
        Row {
            anonymous_read: &[true],
            ..row(
                "anonymous, public, on",
                anonymous(),
                Read,
                &[G, R],
                &[Public],
                STRANGER,
                OK,
            )
        },
        Row {
            anonymous_read: &[false],
            ..row(
                "anonymous, public, off",
                anonymous(),
                Read,
                &[G, R],
                &[Public],
                STRANGER,
                NOBODY,
            )
        },
        row(
            "anonymous, hidden",
            anonymous(),
            Read,
            EVERY_KIND,
            HIDDEN,
            STRANGER,
            NOBODY,
        ),
        row(
            "no package scope",
            user("repo,user"),
            Read,
            EVERY_KIND,
            ANY,
            OWNER,
            NO_SCOPE,
        ),
        row(
            "no package scope, stranger",
            user(""),
            Read,
            EVERY_KIND,
            ANY,
            STRANGER,
            NO_SCOPE,
        ),
        row(
            "delete implies no read",
            user("delete:packages"),
            Read,
            EVERY_KIND,
            ANY,
            OWNER,
            NO_SCOPE,
        ),
        row(
            "write implies read",
            user("write:packages"),
            Read,
            EVERY_KIND,
            ANY,
            OWNER,
            OK,
        ),
        row(
            "no role, public",
            user(READ),
            Read,
            EVERY_KIND,
            &[Public],
            STRANGER,
            OK,
        ),
        row(
            "member, internal",
            user(READ),
            Read,
            GRANULAR,
            &[Internal],
            MEMBER,
            OK,
        ),
        row(
            "not a member, internal",
            user(READ),
            Read,
            GRANULAR,
            &[Internal],
            STRANGER,
            HIDE,
        ),
        row(
            "no role, private",
            user(READ),
            Read,
            EVERY_KIND,
            &[Private],
            STRANGER,
            HIDE,
        ),
        row(
            "member without a role, private",
            user(READ),
            Read,
            EVERY_KIND,
            &[Private],
            MEMBER,
            HIDE,
        ),
        row(
            "role read",
            user(READ),
            Read,
            EVERY_KIND,
            ANY,
            role(Role::Read),
            OK,
        ),
        Row {
            inherits: &[true],
            ..row(
                "repository read, package inherits",
                user(READ),
                Read,
                EVERY_KIND,
                &[Private],
                on_repository(RepoRole::Read),
                OK,
            )
        },
        Row {
            inherits: &[false],
            ..row(
                "repository read, package does not inherit",
                user(READ),
                Read,
                GRANULAR,
                &[Private],
                on_repository(RepoRole::Admin),
                HIDE,
            )
        },
        Row {
            inherits: &[true],
            ..row(
                "grant on the package, access inherited",
                user(READ),
                Read,
                EVERY_KIND,
                &[Private],
                granted(Role::Admin),
                HIDE,
            )
        },
        row(
            "org owner",
            user(READ),
            Read,
            EVERY_KIND,
            ANY,
            ORG_OWNER,
            OK,
        ),
        row(
            "account owner",
            user(READ),
            Read,
            EVERY_KIND,
            ANY,
            OWNER,
            OK,
        ),
        row(
            "site admin",
            site_admin(READ),
            Read,
            EVERY_KIND,
            ANY,
            STRANGER,
            OK,
        ),
        row(
            "site admin, no scope",
            site_admin("repo"),
            Read,
            EVERY_KIND,
            ANY,
            STRANGER,
            NO_SCOPE,
        ),
    ]);
}

#[test]
fn reading_by_workflow_follows_the_table() {
    const LINKED: WorkflowTies = WorkflowTies {
        is_linked: true,
        has_same_owner: true,
        actions_role: None,
    };
    const LISTED: WorkflowTies = WorkflowTies {
        is_linked: false,
        has_same_owner: true,
        actions_role: Some(Role::Read),
    };
    const FOREIGN: WorkflowTies = WorkflowTies {
        is_linked: false,
        has_same_owner: false,
        actions_role: None,
    };
    const NEIGHBOUR: WorkflowTies = WorkflowTies {
        has_same_owner: true,
        ..FOREIGN
    };
    let read = Declared::Read;
    check(&[
        by_workflow("public", read, Read, EVERY_KIND, &[Public], FOREIGN, OK),
        by_workflow(
            "private, listed",
            read,
            Read,
            GRANULAR,
            &[Private],
            LISTED,
            OK,
        ),
        by_workflow(
            "private, in another repository",
            read,
            Read,
            &[R],
            &[Private],
            LISTED,
            HIDE,
        ),
        Row {
            inherits: &[true],
            ..by_workflow(
                "private, linked and inheriting",
                read,
                Read,
                EVERY_KIND,
                &[Private],
                LINKED,
                OK,
            )
        },
        Row {
            inherits: &[false],
            ..by_workflow(
                "private, linked only",
                read,
                Read,
                GRANULAR,
                &[Private],
                LINKED,
                HIDE,
            )
        },
        by_workflow(
            "private, package in R",
            read,
            Read,
            &[R],
            &[Private],
            LINKED,
            OK,
        ),
        by_workflow(
            "private, not listed",
            read,
            Read,
            EVERY_KIND,
            &[Private],
            NEIGHBOUR,
            HIDE,
        ),
        by_workflow(
            "internal, same owner",
            read,
            Read,
            GRANULAR,
            &[Internal],
            NEIGHBOUR,
            OK,
        ),
        by_workflow(
            "internal, another owner",
            read,
            Read,
            GRANULAR,
            &[Internal],
            FOREIGN,
            HIDE,
        ),
        by_workflow(
            "nothing declared",
            Declared::None,
            Read,
            EVERY_KIND,
            ANY,
            LINKED,
            NO_SCOPE,
        ),
    ]);
}

#[test]
fn publishing_follows_the_table() {
    let linked = WorkflowTies {
        is_linked: true,
        has_same_owner: true,
        actions_role: None,
    };
    let listed = |role| WorkflowTies {
        is_linked: false,
        has_same_owner: true,
        actions_role: Some(role),
    };
    let stranger = WorkflowTies {
        has_same_owner: true,
        ..WorkflowTies::default()
    };
    check(&[
        row(
            "role write",
            user(WRITE),
            Publish,
            EVERY_KIND,
            ANY,
            role(Role::Write),
            OK,
        ),
        row(
            "role admin",
            user(WRITE),
            Publish,
            EVERY_KIND,
            ANY,
            role(Role::Admin),
            OK,
        ),
        row(
            "write scope alone",
            user("write:packages"),
            Publish,
            EVERY_KIND,
            ANY,
            OWNER,
            OK,
        ),
        row(
            "role read",
            user(WRITE),
            Publish,
            EVERY_KIND,
            ANY,
            role(Role::Read),
            NO_ROLE,
        ),
        row(
            "no role, public",
            user(WRITE),
            Publish,
            EVERY_KIND,
            &[Public],
            STRANGER,
            NO_ROLE,
        ),
        row(
            "no role, private",
            user(WRITE),
            Publish,
            EVERY_KIND,
            &[Private],
            STRANGER,
            HIDE,
        ),
        row(
            "read scope only",
            user(READ),
            Publish,
            EVERY_KIND,
            ANY,
            role(Role::Write),
            NO_SCOPE,
        ),
        row(
            "anonymous",
            Principal::Anonymous,
            Publish,
            EVERY_KIND,
            ANY,
            STRANGER,
            NOBODY,
        ),
        Row {
            inherits: &[true],
            ..row(
                "maintain writes",
                user(WRITE),
                Publish,
                EVERY_KIND,
                ANY,
                on_repository(RepoRole::Maintain),
                OK,
            )
        },
        Row {
            inherits: &[true],
            ..row(
                "triage reads",
                user(WRITE),
                Publish,
                EVERY_KIND,
                ANY,
                on_repository(RepoRole::Triage),
                NO_ROLE,
            )
        },
        by_workflow(
            "R has write",
            Declared::Write,
            Publish,
            GRANULAR,
            ANY,
            listed(Role::Write),
            OK,
        ),
        Row {
            inherits: &[true],
            ..by_workflow(
                "R owns",
                Declared::Write,
                Publish,
                EVERY_KIND,
                ANY,
                linked,
                OK,
            )
        },
        by_workflow(
            "R has read",
            Declared::Write,
            Publish,
            GRANULAR,
            ANY,
            listed(Role::Read),
            NO_ROLE,
        ),
        by_workflow(
            "R not listed",
            Declared::Write,
            Publish,
            EVERY_KIND,
            &[Public],
            stranger,
            NO_ROLE,
        ),
        by_workflow(
            "R not listed, hidden",
            Declared::Write,
            Publish,
            EVERY_KIND,
            &[Private],
            stranger,
            HIDE,
        ),
        by_workflow(
            "read declared",
            Declared::Read,
            Publish,
            GRANULAR,
            ANY,
            listed(Role::Write),
            NO_SCOPE,
        ),
    ]);
}

#[test]
fn managing_follows_the_table() {
    let listed = |role| WorkflowTies {
        is_linked: false,
        has_same_owner: true,
        actions_role: Some(role),
    };
    check(&[
        row(
            "delete, admin",
            user(DELETE),
            Curate,
            EVERY_KIND,
            ANY,
            role(Role::Admin),
            OK,
        ),
        row(
            "delete, account owner",
            user(DELETE),
            Curate,
            EVERY_KIND,
            ANY,
            OWNER,
            OK,
        ),
        row(
            "delete, write",
            user(ALL),
            Curate,
            EVERY_KIND,
            ANY,
            role(Role::Write),
            NO_ROLE,
        ),
        row(
            "delete, read",
            user(ALL),
            Curate,
            EVERY_KIND,
            ANY,
            role(Role::Read),
            NO_ROLE,
        ),
        row(
            "delete, write scope",
            user(WRITE),
            Curate,
            EVERY_KIND,
            ANY,
            role(Role::Admin),
            NO_SCOPE,
        ),
        row(
            "delete, no role, private",
            user(DELETE),
            Curate,
            EVERY_KIND,
            &[Private],
            STRANGER,
            HIDE,
        ),
        row(
            "delete, delete scope alone",
            user("delete:packages"),
            Curate,
            EVERY_KIND,
            ANY,
            OWNER,
            NO_SCOPE,
        ),
        row(
            "restore, admin",
            user(WRITE),
            Restore,
            EVERY_KIND,
            ANY,
            role(Role::Admin),
            OK,
        ),
        row(
            "restore, write",
            user(WRITE),
            Restore,
            EVERY_KIND,
            ANY,
            role(Role::Write),
            NO_ROLE,
        ),
        row(
            "restore, read scope",
            user(READ),
            Restore,
            EVERY_KIND,
            ANY,
            role(Role::Admin),
            NO_SCOPE,
        ),
        row(
            "manage, admin",
            user(WRITE),
            Manage,
            EVERY_KIND,
            ANY,
            role(Role::Admin),
            OK,
        ),
        row(
            "manage, write",
            user(WRITE),
            Manage,
            EVERY_KIND,
            ANY,
            role(Role::Write),
            NO_ROLE,
        ),
        row(
            "manage, read scope",
            user(READ),
            Manage,
            EVERY_KIND,
            ANY,
            role(Role::Admin),
            NO_SCOPE,
        ),
        by_workflow(
            "delete, R admin",
            Declared::Write,
            Curate,
            GRANULAR,
            ANY,
            listed(Role::Admin),
            OK,
        ),
        by_workflow(
            "delete, R write",
            Declared::Write,
            Curate,
            GRANULAR,
            ANY,
            listed(Role::Write),
            NO_ROLE,
        ),
        by_workflow(
            "restore, R admin",
            Declared::Write,
            Restore,
            GRANULAR,
            ANY,
            listed(Role::Admin),
            OK,
        ),
        by_workflow(
            "delete, read declared",
            Declared::Read,
            Curate,
            GRANULAR,
            ANY,
            listed(Role::Admin),
            NO_SCOPE,
        ),
    ]);
}

#[test]
fn creating_follows_the_table() {
    let place = |is_repository_scoped, members_may_create| Creation {
        owner_exists: true,
        is_repository_scoped,
        visibility: Private,
        members_may_create,
    };
    let (granular, forbidden, scoped) =
        (place(false, true), place(false, false), place(true, false));
    let nowhere = Creation {
        owner_exists: false,
        ..granular
    };
    for (says, principal, creation, ties, expected) in [
        ("own account", user(WRITE), granular, OWNER, OK),
        (
            "own account, read scope",
            user(READ),
            granular,
            OWNER,
            NO_SCOPE,
        ),
        (
            "own account, no scope",
            user("repo"),
            granular,
            OWNER,
            NO_SCOPE,
        ),
        ("org, member", user(WRITE), granular, MEMBER, OK),
        (
            "org, member, forbidden",
            user(WRITE),
            forbidden,
            MEMBER,
            NO_ROLE,
        ),
        (
            "org, owner, members forbidden",
            user(WRITE),
            forbidden,
            ORG_OWNER,
            OK,
        ),
        ("org, stranger", user(WRITE), granular, STRANGER, HIDE),
        (
            "org, outside collaborator",
            user(WRITE),
            granular,
            on_repository(RepoRole::Admin),
            HIDE,
        ),
        (
            "another user's account",
            user(WRITE),
            granular,
            STRANGER,
            HIDE,
        ),
        ("no such account", user(WRITE), nowhere, STRANGER, HIDE),
        (
            "anonymous",
            Principal::Anonymous,
            granular,
            STRANGER,
            NOBODY,
        ),
        ("site admin", site_admin(WRITE), granular, STRANGER, OK),
        (
            "R, repository write",
            user(WRITE),
            scoped,
            on_repository(RepoRole::Write),
            OK,
        ),
        (
            "R, repository read",
            user(WRITE),
            scoped,
            on_repository(RepoRole::Read),
            NO_ROLE,
        ),
        ("R, repository hidden", user(WRITE), scoped, STRANGER, HIDE),
        (
            "R, org member, repository hidden",
            user(WRITE),
            scoped,
            MEMBER,
            HIDE,
        ),
        (
            "workflow, own namespace",
            workflow(Declared::Write),
            granular,
            OWNER,
            OK,
        ),
        (
            "workflow, other namespace",
            workflow(Declared::Write),
            granular,
            STRANGER,
            HIDE,
        ),
        (
            "workflow, read declared",
            workflow(Declared::Read),
            granular,
            OWNER,
            NO_SCOPE,
        ),
        (
            "workflow, nothing declared",
            workflow(Declared::None),
            granular,
            OWNER,
            NO_SCOPE,
        ),
    ] {
        assert_eq!(
            decide_creation(Publish, &principal, &creation, &ties),
            expected,
            "{says}"
        );
    }
}

#[test]
fn an_absent_package_is_answered_like_a_hidden_one() {
    let creation = Creation {
        owner_exists: true,
        is_repository_scoped: false,
        visibility: Private,
        members_may_create: true,
    };
    let rules = HouseRules {
        anonymous_read: true,
    };
    for principal in [
        Principal::Anonymous,
        user(""),
        user(READ),
        user(WRITE),
        user(DELETE),
        user(ALL),
    ] {
        for operation in ALL_OPERATIONS {
            let hidden = decide(
                operation,
                &principal,
                &facts(G, Private, false),
                &AnyTies::Account(STRANGER),
                rules,
            );
            let absent = decide_creation(operation, &principal, &creation, &STRANGER);
            assert_eq!(hidden, absent, "{operation:?} by {principal:?}");
        }
    }
}
