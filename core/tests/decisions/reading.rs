use packhouse_core::policy::{Declared, Principal, WorkflowTies};
use packhouse_names::{RepoRole, Role};

use crate::table::{
    ANY, C, EVERY_KIND, G, GRANULAR, HIDDEN, HIDE, Internal, MEMBER, NO_SCOPE, NOBODY, OK,
    ORG_OWNER, OWNER, Private, Public, R, READ, Read, Row, STRANGER, by_workflow, check, granted,
    on_repository, role, row, site_admin, user,
};

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
