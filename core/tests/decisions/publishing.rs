use packhouse_core::policy::{Declared, Principal, WorkflowTies};
use packhouse_names::{RepoRole, Role};

use crate::table::{
    ANY, EVERY_KIND, GRANULAR, HIDE, NO_ROLE, NO_SCOPE, NOBODY, OK, OWNER, Private, Public,
    Publish, READ, Row, STRANGER, WRITE, by_workflow, check, on_repository, role, row, user,
};

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
