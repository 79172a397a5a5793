use packhouse_core::policy::{
    AnyTies, Creation, Declared, HouseRules, PackageFacts, Principal, decide, decide_creation,
};
use packhouse_names::{RepoRole, Visibility};

use crate::table::{
    ALL, ALL_OPERATIONS, DELETE, G, HIDE, MEMBER, NO_ROLE, NO_SCOPE, NOBODY, NOT_PUBLIC, OK,
    ORG_OWNER, OWNER, Private, Public, Publish, READ, Read, STRANGER, WRITE, facts, on_repository,
    site_admin, user, workflow,
};

const RULES: HouseRules = HouseRules {
    anonymous_read: true,
};

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
            decide_creation(Publish, &principal, &creation, &ties, RULES),
            expected,
            "{says}"
        );
    }
}

#[test]
fn an_absent_package_is_answered_like_a_hidden_one() {
    for (first_visibility, anonymous_read) in [
        (Private, true),
        (Private, false),
        (Public, true),
        (Public, false),
    ] {
        let rules = HouseRules { anonymous_read };
        hides(first_visibility, rules);
    }
}

fn hides(first_visibility: Visibility, rules: HouseRules) {
    let creation = Creation {
        owner_exists: true,
        is_repository_scoped: false,
        visibility: first_visibility,
        members_may_create: true,
    };
    let facts = PackageFacts {
        first_visibility,
        ..facts(G, Private, false)
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
                &facts,
                &AnyTies::Account(STRANGER),
                rules,
            );
            let absent = decide_creation(operation, &principal, &creation, &STRANGER, rules);
            assert_eq!(hidden, absent, "{operation:?} by {principal:?}");
            let is_nobody = matches!(principal, Principal::Anonymous);
            let is_open = rules.anonymous_read && first_visibility == Public;
            if is_nobody && operation == Read {
                let expected = if is_open { NOT_PUBLIC } else { NOBODY };
                assert_eq!(hidden, expected);
            } else if is_nobody {
                assert_eq!(hidden, NOBODY);
            }
        }
    }
}
