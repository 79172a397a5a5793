//! What ties an account to a package.

use packhouse_db::teams::NewTeam;
use packhouse_db::ties::{self, Ties, WorkflowTies};
use packhouse_db::{grants, repositories, teams};
use packhouse_names::{AccountId, OrgRole, RepoRole, Role, TeamId, TeamRole, Visibility};

use crate::house::{House, NOON};

on_both!(
    the_ties_of_everybody_who_could_have_one,
    the_ties_of_a_package_in_a_users_namespace,
    visibility_of_the_repository_counts_for_those_it_names,
    the_ties_of_workflows,
);

async fn team(house: &House, org: AccountId, slug: &str, parent: Option<TeamId>) -> TeamId {
    let new = NewTeam {
        org_id: org,
        slug: slug.parse().unwrap(),
        name: slug.to_owned(),
        description: None,
        parent_id: parent,
        created_at: NOON,
    };
    house.write(move |tx| teams::insert_team(tx, &new)).await.id
}

async fn the_ties_of_everybody_who_could_have_one(house: House) {
    let acme = house.organization("acme").await;
    let repository = house
        .repository(acme, "tools", Visibility::Private)
        .await
        .id;
    let package = house.package(acme, "@acme/a", Some(repository)).await.id;
    let other = house.package(acme, "@acme/b", None).await.id;

    let [owner, member, granted, child, collaborator, outsider] = {
        let mut ids = [owner_id(); 6];
        let logins = ["owner", "member", "granted", "child", "collab", "outsider"];
        for (id, login) in ids.iter_mut().zip(logins) {
            *id = house.user(login).await;
        }
        ids
    };
    let parent_team = team(&house, acme, "all", None).await;
    let child_team = team(&house, acme, "some", Some(parent_team)).await;
    let grandchild_team = team(&house, acme, "few", Some(child_team)).await;
    house
        .write(move |tx| {
            teams::put_membership(tx, acme, owner, OrgRole::Owner, NOON)?;
            teams::put_membership(tx, acme, member, OrgRole::Member, NOON)?;
            teams::put_membership(tx, acme, child, OrgRole::Member, NOON)?;
            teams::put_team_member(tx, grandchild_team, child, TeamRole::Member)?;
            grants::put_user(tx, package, granted, Role::Write)?;
            grants::put_team(tx, package, parent_team, Role::Admin)?;
            grants::put_team(tx, package, grandchild_team, Role::Read)?;
            repositories::put_team_repository(tx, child_team, repository, RepoRole::Maintain)?;
            repositories::put_collaborator(tx, repository, collaborator, RepoRole::Triage)
        })
        .await;

    let expected = [
        (owner, Some(OrgRole::Owner), None, Some(RepoRole::Admin)),
        (member, Some(OrgRole::Member), None, Some(RepoRole::Read)),
        (granted, None, Some(Role::Write), None),
        (
            child,
            Some(OrgRole::Member),
            Some(Role::Admin),
            Some(RepoRole::Maintain),
        ),
        (collaborator, None, None, Some(RepoRole::Triage)),
        (outsider, None, None, None),
    ];
    for (account, org_role, package_role, repository_role) in expected {
        let found = house
            .read(move |conn| ties::load(conn, account, package))
            .await;
        assert_eq!(
            found,
            Ties {
                owns: false,
                org_role,
                package_role,
                repository_role
            },
            "{account}"
        );
        // another package has no list and no repository
        let found = house
            .read(move |conn| ties::load(conn, account, other))
            .await;
        let bare = Ties {
            org_role,
            ..Ties::default()
        };
        assert_eq!(found, bare, "{account}");
        // before the package is there
        let found = house
            .read(move |conn| ties::load_namespace(conn, account, acme, Some(repository)))
            .await;
        let namespace = Ties {
            org_role,
            repository_role,
            ..Ties::default()
        };
        assert_eq!(found, namespace, "{account}");
    }

    // what is taken away is gone
    house
        .write(move |tx| {
            assert!(teams::remove_membership(tx, acme, child)?);
            assert!(grants::remove_user(tx, package, granted)?);
            assert!(repositories::remove_collaborator(
                tx,
                repository,
                collaborator
            )?);
            Ok(())
        })
        .await;
    for account in [child, granted, collaborator] {
        let found = house
            .read(move |conn| ties::load(conn, account, package))
            .await;
        assert_eq!(found, Ties::default(), "{account}");
    }
}

fn owner_id() -> AccountId {
    AccountId::from(0)
}

async fn the_ties_of_a_package_in_a_users_namespace(house: House) {
    let ann = house.user("ann").await;
    let bob = house.user("bob").await;
    let repository = house.repository(ann, "tools", Visibility::Private).await.id;
    let package = house.package(ann, "@ann/a", Some(repository)).await.id;
    let own = house.read(move |conn| ties::load(conn, ann, package)).await;
    assert_eq!(
        own,
        Ties {
            owns: true,
            repository_role: Some(RepoRole::Admin),
            ..Ties::default()
        }
    );
    let others = house.read(move |conn| ties::load(conn, bob, package)).await;
    assert_eq!(others, Ties::default());
    let absent = house
        .read(move |conn| ties::load(conn, ann, 999.into()))
        .await;
    assert_eq!(absent, Ties::default());
}

async fn visibility_of_the_repository_counts_for_those_it_names(house: House) {
    let acme = house.organization("acme").await;
    let member = house.user("member").await;
    let stranger = house.user("stranger").await;
    // without a base permission only visibility is left
    house
        .write(move |tx| {
            packhouse_db::accounts::set_base_permission(tx, acme, None)?;
            teams::put_membership(tx, acme, member, OrgRole::Member, NOON)
        })
        .await;
    let repository = house
        .repository(acme, "tools", Visibility::Private)
        .await
        .id;
    let read = Some(RepoRole::Read);
    for (visibility, of_member, of_stranger) in [
        (Visibility::Private, None, None),
        (Visibility::Internal, read, None),
        (Visibility::Public, read, read),
    ] {
        house
            .write(move |tx| repositories::set_visibility(tx, repository, visibility, NOON))
            .await;
        for (account, expected) in [(member, of_member), (stranger, of_stranger)] {
            let found = house
                .read(move |conn| ties::load_namespace(conn, account, acme, Some(repository)))
                .await;
            assert_eq!(found.repository_role, expected, "{visibility} {account}");
        }
    }
}

async fn the_ties_of_workflows(house: House) {
    let acme = house.organization("acme").await;
    let linked = house
        .repository(acme, "linked", Visibility::Private)
        .await
        .id;
    let listed = house
        .repository(acme, "listed", Visibility::Private)
        .await
        .id;
    let package = house.package(acme, "@acme/a", Some(linked)).await.id;
    house
        .write(move |tx| {
            grants::put_actions(tx, package, listed, Role::Read)?;
            grants::put_actions(tx, package, listed, Role::Write)
        })
        .await;
    for (repository, is_linked, actions_role) in
        [(linked, true, None), (listed, false, Some(Role::Write))]
    {
        let found = house
            .read(move |conn| ties::load_workflow(conn, repository, package))
            .await;
        assert_eq!(
            found,
            WorkflowTies {
                is_linked,
                actions_role
            }
        );
    }
    let list = house
        .read(move |conn| grants::list_actions(conn, package))
        .await;
    assert_eq!(list.len(), 1);
    assert_eq!(list[0].name.as_str(), "listed");
}
