//! Accounts, teams, grants and tokens.

use std::time::Duration;

use packhouse_db::tokens::NewToken;
use packhouse_db::{AccountKind, DbError, accounts, grants, teams, tokens};
use packhouse_names::{OrgRole, Role, TokenKind, Visibility};

use crate::house::{House, NOON, new_account};

on_both!(
    accounts_are_found_listed_and_suspended,
    grants_are_replaced_and_cleared,
    a_token_is_found_with_whom_it_speaks_for,
    members_and_teams_are_listed_by_name,
);

async fn accounts_are_found_listed_and_suspended(house: House) {
    let ann = house.account("Ann", AccountKind::User).await;
    let acme = house.account("acme", AccountKind::Organization).await;
    assert_eq!(ann.login.as_str(), "Ann");
    assert_eq!(acme.base_permission, Some(Role::Read));
    assert!(acme.create_public && acme.inherit_access_default);

    let found = house
        .read(|conn| accounts::find_by_login(conn, "ann"))
        .await
        .unwrap();
    assert_eq!(found.id, ann.id);
    let id = ann.id;
    assert!(
        house
            .write(move |tx| accounts::set_suspended(tx, id, Some(NOON)))
            .await
    );
    let found = house
        .read(move |conn| accounts::find(conn, id))
        .await
        .unwrap();
    assert_eq!(found.suspended_at, Some(NOON));

    let taken = house
        .db
        .write(|tx| accounts::insert(tx, &new_account("ANN", AccountKind::Organization)))
        .await;
    assert!(matches!(taken, Err(DbError::Duplicate)), "{taken:?}");
    let first = house.read(|conn| accounts::list(conn, None, 1)).await;
    let rest = house
        .read(move |conn| accounts::list(conn, Some(first[0].id), 5))
        .await;
    assert_eq!(rest.len(), 1);
    assert_eq!(rest[0].id, acme.id);
}

async fn grants_are_replaced_and_cleared(house: House) {
    let acme = house.organization("acme").await;
    let (bob, ann) = (house.user("Bob").await, house.user("ann").await);
    let package = house.package(acme, "a", None).await.id;
    house
        .write(move |tx| {
            let team = teams::insert_team(
                tx,
                &teams::NewTeam {
                    org_id: acme,
                    slug: "Ops".parse().unwrap(),
                    name: "Operations".to_owned(),
                    description: None,
                    parent_id: None,
                    created_at: NOON,
                },
            )?;
            grants::put_user(tx, package, bob, Role::Read)?;
            grants::put_user(tx, package, ann, Role::Read)?;
            grants::put_user(tx, package, bob, Role::Admin)?;
            grants::put_team(tx, package, team.id, Role::Write)?;
            grants::put_team(tx, package, team.id, Role::Read)
        })
        .await;
    let list = house.read(move |conn| grants::list(conn, package)).await;
    let users: Vec<_> = list
        .users
        .iter()
        .map(|u| (u.login.as_str(), u.role))
        .collect();
    assert_eq!(users, [("ann", Role::Read), ("Bob", Role::Admin)]);
    let listed: Vec<_> = list
        .teams
        .iter()
        .map(|t| (t.slug.as_str(), t.role))
        .collect();
    assert_eq!(listed, [("Ops", Role::Read)]);

    house.write(move |tx| grants::clear(tx, package)).await;
    let list = house.read(move |conn| grants::list(conn, package)).await;
    assert!(list.users.is_empty() && list.teams.is_empty());
}

async fn a_token_is_found_with_whom_it_speaks_for(house: House) {
    let ann = house.user("ann").await;
    let acme = house.organization("acme").await;
    let repository = house
        .repository(acme, "tools", Visibility::Private)
        .await
        .id;
    let new = NewToken {
        hash: [5; 32],
        shown_prefix: "phw_abcd".to_owned(),
        kind: TokenKind::Workflow,
        account_id: ann,
        note: None,
        scopes: "read:packages write:packages".to_owned(),
        repository_id: Some(repository),
        expires_at: Some(NOON.after(Duration::from_secs(3600))),
        created_at: NOON,
        by_login: false,
    };
    let again = new.clone();
    let id = house.write(move |tx| tokens::insert(tx, &new)).await;
    let taken = house.db.write(move |tx| tokens::insert(tx, &again)).await;
    assert!(matches!(taken, Err(DbError::Duplicate)), "{taken:?}");

    house
        .write(move |tx| {
            tokens::touch_used(tx, &[(id, 20)])?;
            tokens::touch_used(tx, &[(id, 19)])
        })
        .await;
    let found = house
        .read(|conn| tokens::find_by_hash(conn, &[5; 32]))
        .await
        .unwrap();
    assert_eq!(found.token.id, id);
    assert_eq!(found.token.kind, TokenKind::Workflow);
    assert_eq!(found.token.last_used_day, Some(20));
    assert_eq!(
        found.token.expires_at,
        Some(NOON.after(Duration::from_secs(3600)))
    );
    assert_eq!(found.bearer.login.as_str(), "ann");
    assert_eq!(found.repository_owner_id, Some(acme));
    assert!(
        house
            .read(|conn| tokens::find_by_hash(conn, &[6; 32]))
            .await
            .is_none()
    );

    let listed = house
        .read(move |conn| tokens::list_of(conn, ann, None, 10))
        .await;
    assert_eq!(listed.len(), 1);
    assert!(house.write(move |tx| tokens::revoke(tx, id, NOON)).await);
    assert!(!house.write(move |tx| tokens::revoke(tx, id, NOON)).await);
    let listed = house
        .read(move |conn| tokens::list_of(conn, ann, None, 10))
        .await;
    assert!(listed.is_empty());
}

async fn members_and_teams_are_listed_by_name(house: House) {
    let acme = house.organization("acme").await;
    let (bob, ann) = (house.user("Bob").await, house.user("ann").await);
    house
        .write(move |tx| {
            teams::put_membership(tx, acme, bob, OrgRole::Member, NOON)?;
            teams::put_membership(tx, acme, ann, OrgRole::Member, NOON)?;
            teams::put_membership(tx, acme, bob, OrgRole::Owner, NOON)
        })
        .await;
    let members = house.read(move |conn| teams::members(conn, acme)).await;
    let shown: Vec<_> = members.iter().map(|m| (m.login.as_str(), m.role)).collect();
    assert_eq!(shown, [("ann", OrgRole::Member), ("Bob", OrgRole::Owner)]);
    let role = house
        .read(move |conn| teams::membership(conn, acme, bob))
        .await;
    assert_eq!(role, Some(OrgRole::Owner));
    let of_bob = house
        .read(move |conn| teams::memberships_of(conn, bob))
        .await;
    assert_eq!(of_bob.len(), 1);
    assert_eq!(of_bob[0].org_login.as_str(), "acme");
    assert!(
        house
            .write(move |tx| teams::remove_membership(tx, acme, bob))
            .await
    );
    assert!(
        !house
            .write(move |tx| teams::remove_membership(tx, acme, bob))
            .await
    );
}
