use packhouse_core::Fault;
use packhouse_core::access::{AccessChange, Holder};
use packhouse_core::model::Namespace;
use packhouse_core::organizations::OrganizationChange;
use packhouse_core::policy::Need;
use packhouse_names::{Ecosystem, OrgRole, Role};

use crate::setup::{houses, login, package, parcel, publish, view, writing};

#[tokio::test]
async fn a_star_is_seen_at_once_and_begins_a_revision() {
    for test in houses().await {
        let ann = test.user("ann").await;
        let token = test.full_token(&ann).await;
        let pad = package("ann", "pad");
        publish(&test.house, &token, &pad, parcel("1.0.0"))
            .await
            .unwrap();
        let before = view(&test.house, &token, &pad).await.unwrap();
        let cx = writing(&test.house, &token, Need::Publish(pad.clone()))
            .await
            .unwrap();
        cx.star(true).await.unwrap();
        let starred = view(&test.house, &token, &pad).await.unwrap();
        assert_eq!(starred.starred_by, std::slice::from_ref(&ann));
        assert_eq!(starred.revision, before.revision + 1);
        cx.star(true).await.unwrap();
        let again = view(&test.house, &token, &pad).await.unwrap();
        assert_eq!(again.revision, starred.revision, "nothing changed");
        let lists = writing(&test.house, &token, Need::Browse(None))
            .await
            .unwrap();
        let names = lists.starred_by(&ann, Ecosystem::Npm).await.unwrap();
        assert_eq!(names, std::slice::from_ref(&pad.name));
        cx.star(false).await.unwrap();
        let names = lists.starred_by(&ann, Ecosystem::Npm).await.unwrap();
        assert_eq!(names, []);
    }
}

#[tokio::test]
async fn who_leaves_an_organization_loses_every_role_in_it() {
    for test in houses().await {
        let (ann, bob) = (test.user("ann").await, test.user("bob").await);
        let acme = test.organization("acme", &ann).await;
        let token = test.token(&ann, "write:packages,admin:org").await;
        let bobs = test.full_token(&bob).await;
        let pad = package("acme", "pad");
        publish(&test.house, &token, &pad, parcel("1.0.0"))
            .await
            .unwrap();
        let owner = writing(&test.house, &token, Need::ManageOrganization(acme.clone()))
            .await
            .unwrap();
        let join = OrganizationChange::PutMember {
            user: bob.clone(),
            role: OrgRole::Member,
        };
        owner.change_organization(join).await.unwrap();
        let managing = writing(&test.house, &token, Need::Manage(pad.clone()))
            .await
            .unwrap();
        let grant = AccessChange {
            grant: vec![(Holder::User(bob.clone()), Role::Admin)],
            ..AccessChange::default()
        };
        managing.change_access(grant).await.unwrap();
        let seen = view(&test.house, &bobs, &pad).await.unwrap();
        assert_eq!(seen.maintainers, [ann.clone(), bob.clone()]);

        let leave = OrganizationChange::RemoveMember { user: bob.clone() };
        owner.change_organization(leave).await.unwrap();
        let hidden = view(&test.house, &bobs, &pad).await;
        assert!(matches!(hidden, Err(Fault::NotFound { .. })));
        let seen = view(&test.house, &token, &pad).await.unwrap();
        assert_eq!(seen.maintainers, std::slice::from_ref(&ann));

        let alone = OrganizationChange::RemoveMember { user: ann.clone() };
        let alone = owner.change_organization(alone).await;
        assert!(matches!(alone, Err(Fault::Invalid { .. })), "{alone:?}");
    }
}

#[tokio::test]
async fn a_list_shows_what_its_reader_may_read_and_no_account_that_has_nothing_for_them() {
    for test in houses().await {
        let (ann, eve) = (test.user("ann").await, test.user("eve").await);
        let acme = test.organization("acme", &ann).await;
        let token = test.full_token(&ann).await;
        let eves = test.full_token(&eve).await;
        let pad = package("acme", "pad");
        publish(&test.house, &token, &pad, parcel("1.0.0"))
            .await
            .unwrap();
        let need = || {
            Need::Browse(Some(Namespace {
                owner: login("acme"),
                repository: None,
            }))
        };
        let cx = writing(&test.house, &token, need()).await.unwrap();
        let listed = cx.packages_of_organization(&acme, Ecosystem::Npm).await;
        assert_eq!(listed.unwrap(), [(pad.name.clone(), Role::Admin)]);
        let own = cx.packages_of_user(&ann, Ecosystem::Npm).await;
        assert_eq!(own.unwrap(), [(pad.name.clone(), Role::Admin)]);
        let cx = writing(&test.house, &eves, need()).await.unwrap();
        let hidden = cx.packages_of_organization(&acme, Ecosystem::Npm).await;
        assert!(matches!(hidden, Err(Fault::NotFound { .. })));

        let managing = writing(&test.house, &token, Need::Manage(pad.clone()))
            .await
            .unwrap();
        managing.make_public().await.unwrap();
        let shown = cx.packages_of_organization(&acme, Ecosystem::Npm).await;
        assert_eq!(shown.unwrap(), [(pad.name.clone(), Role::Read)]);
    }
}
