//! Stars, logins that wait, and roles in bulk.

use std::time::Duration;

use packhouse_db::roles::{Source, holders};
use packhouse_db::{DbError, grants, logins, repositories, roles, stars, teams, tokens};
use packhouse_names::{AccountId, Login, OrgRole, RepoRole, Role, TeamRole, TokenKind};

use crate::house::{House, NOON};

on_both!(
    a_star_is_given_once_and_taken_back,
    a_login_is_approved_once_and_taken_once,
    who_has_a_role_on_a_package_is_listed_with_what_it_comes_from,
);

fn login(text: &str) -> Login {
    Login::new(text).unwrap()
}

async fn a_star_is_given_once_and_taken_back(house: House) {
    let (bob, ann) = (house.user("bob").await, house.user("Ann").await);
    let package = house.package(bob, "a", None).await.id;
    assert!(
        house
            .write(move |tx| stars::put(tx, package, bob, NOON))
            .await
    );
    assert!(
        !house
            .write(move |tx| stars::put(tx, package, bob, NOON))
            .await
    );
    assert!(
        house
            .write(move |tx| stars::put(tx, package, ann, NOON))
            .await
    );
    let all = house
        .read(move |conn| stars::starrers(conn, package, 9))
        .await;
    assert_eq!(all, [login("Ann"), login("bob")]);
    let one = house
        .read(move |conn| stars::starrers(conn, package, 1))
        .await;
    assert_eq!(one, [login("Ann")]);
    assert!(house.write(move |tx| stars::remove(tx, package, bob)).await);
    assert!(!house.write(move |tx| stars::remove(tx, package, bob)).await);
}

async fn token(house: &House, account: AccountId) -> packhouse_names::TokenId {
    let new = tokens::NewToken {
        hash: [7; 32],
        shown_prefix: "phk_abcd".to_owned(),
        kind: TokenKind::Classic,
        account_id: account,
        note: None,
        scopes: String::new(),
        repository_id: None,
        expires_at: None,
        created_at: NOON,
        by_login: false,
    };
    house.write(move |tx| tokens::insert(tx, &new)).await
}

async fn a_login_is_approved_once_and_taken_once(house: House) {
    let ann = house.user("ann").await;
    let token = token(&house, ann).await;
    let (key, before) = ([1; 32], packhouse_names::Timestamp::from_micros(0));
    house
        .write(move |tx| logins::insert(tx, &key, "BCDF-GHJK", NOON))
        .await;
    let taken = house
        .db
        .write(move |tx| logins::insert(tx, &key, "BCDF-GHJK", NOON))
        .await;
    assert!(matches!(taken, Err(DbError::Duplicate)), "{taken:?}");
    let found = house
        .read(move |conn| logins::find(conn, &key, before))
        .await;
    assert_eq!(found.unwrap().code, "BCDF-GHJK");
    let late = house.read(move |conn| logins::find(conn, &key, NOON)).await;
    assert!(late.is_none(), "it began no later than that");

    assert_eq!(
        house.write(move |tx| logins::take(tx, &key, before)).await,
        None
    );
    for first in [true, false] {
        let approved = house
            .write(move |tx| logins::approve(tx, &key, token, before))
            .await;
        assert_eq!(approved, first);
    }
    assert_eq!(
        house.write(move |tx| logins::take(tx, &key, before)).await,
        Some(token)
    );
    assert_eq!(
        house.write(move |tx| logins::take(tx, &key, before)).await,
        None
    );

    house
        .write(move |tx| {
            logins::insert(tx, &[2; 32], "x", NOON)?;
            logins::insert(tx, &[3; 32], "x", NOON.after(Duration::from_secs(1)))
        })
        .await;
    assert_eq!(house.write(|tx| logins::sweep(tx, NOON)).await, 1);
    assert_eq!(house.read(logins::count).await, 1);
}

async fn who_has_a_role_on_a_package_is_listed_with_what_it_comes_from(house: House) {
    let acme = house.organization("acme").await;
    let (ann, bob) = (house.user("ann").await, house.user("bob").await);
    let (eve, sam) = (house.user("eve").await, house.user("sam").await);
    let repository = house
        .write(move |tx| {
            repositories::insert(
                tx,
                &repositories::NewRepository {
                    owner_id: acme,
                    name: "site".parse().unwrap(),
                    description: None,
                    visibility: packhouse_names::Visibility::Private,
                    created_at: NOON,
                },
            )
        })
        .await
        .id;
    let package = house.package(acme, "a", Some(repository)).await.id;
    let child = house
        .write(move |tx| {
            let mut team = teams::NewTeam {
                org_id: acme,
                slug: "web".parse().unwrap(),
                name: "web".to_owned(),
                description: None,
                parent_id: None,
                created_at: NOON,
            };
            let parent = teams::insert_team(tx, &team)?.id;
            (team.slug, team.parent_id) = ("web-css".parse().unwrap(), Some(parent));
            let child = teams::insert_team(tx, &team)?.id;
            teams::put_membership(tx, acme, ann, OrgRole::Owner, NOON)?;
            teams::put_membership(tx, acme, bob, OrgRole::Member, NOON)?;
            teams::put_team_member(tx, child, bob, TeamRole::Member)?;
            grants::put_team(tx, package, parent, Role::Write)?;
            grants::put_user(tx, package, eve, Role::Read)?;
            repositories::put_collaborator(tx, repository, sam, RepoRole::Triage)?;
            Ok(child)
        })
        .await;
    let found = house.read(move |conn| holders(conn, package)).await;
    let mut found: Vec<_> = found
        .into_iter()
        .map(|holder| (holder.login.to_string(), holder.by))
        .collect();
    found.sort_by_key(|(login, by)| format!("{login} {by:?}"));
    let by = |login: &str, by| (login.to_owned(), by);
    assert_eq!(
        found,
        [
            by("ann", Source::Owner),
            by("ann", Source::Repository(RepoRole::Admin)),
            by("bob", Source::List(Role::Write)),
            by("bob", Source::Repository(RepoRole::Read)),
            by("eve", Source::List(Role::Read)),
            by("sam", Source::Repository(RepoRole::Triage)),
        ]
    );
    let of_bob = house.read(move |conn| roles::of_account(conn, bob)).await;
    assert_eq!(of_bob.get(&package), Some(&Role::Write));
    let of_child = house.read(move |conn| roles::of_team(conn, child)).await;
    assert_eq!(of_child.get(&package), Some(&Role::Write));
    let of_sam = house.read(move |conn| roles::of_account(conn, sam)).await;
    assert!(of_sam.is_empty());
    let granted = house
        .read(move |conn| grants::granted_in(conn, acme, eve))
        .await;
    assert_eq!(granted, [package]);
}
