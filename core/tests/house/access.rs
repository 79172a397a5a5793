use packhouse_core::Fault;
use packhouse_core::admin::{Deed, Grantee};
use packhouse_core::fault::Lack;
use packhouse_core::model::RepositoryRef;
use packhouse_core::policy::{Need, Scopes};
use packhouse_names::{RepoName, Role, TeamSlug, Visibility};

use crate::setup::{Parcel, houses, package, parcel, publish, reading, writing};

#[tokio::test]
async fn a_grant_to_a_parent_team_reaches_the_members_of_its_children() {
    for test in houses().await {
        let (ann, bob) = (test.user("ann").await, test.user("bob").await);
        let acme = test.organization("acme", &ann).await;
        test.member(&acme, &bob).await;
        let (owner, reader) = (test.full_token(&ann).await, test.full_token(&bob).await);
        let widget = package("acme", "widget");
        publish(&test.house, &owner, &widget, parcel("1.0.0"))
            .await
            .unwrap();
        let hidden = reading(&test.house, Some(&reader), &widget).await;
        assert!(matches!(hidden, Err(Fault::NotFound { .. })));

        let team = |name: &str| TeamSlug::new(name).unwrap();
        let parent = Some(team("all"));
        test.does(Deed::CreateTeam {
            org: acme.clone(),
            slug: team("all"),
            parent: None,
        })
        .await;
        test.does(Deed::CreateTeam {
            org: acme.clone(),
            slug: team("web"),
            parent,
        })
        .await;
        let join = Deed::AddTeamMember {
            org: acme.clone(),
            team: team("web"),
            user: bob,
        };
        test.does(join).await;
        let to = Grantee::Team {
            org: acme,
            team: team("all"),
        };
        test.does(Deed::Grant {
            package: widget.clone(),
            to,
            role: Role::Read,
        })
        .await;

        assert!(reading(&test.house, Some(&reader), &widget).await.is_ok());
        let denied = writing(&test.house, &reader, Need::Publish(widget)).await;
        assert!(matches!(
            denied,
            Err(Fault::Denied {
                lack: Lack::Role,
                ..
            })
        ));
    }
}

#[tokio::test]
async fn nobody_reads_public_packages_only_and_only_once_they_are() {
    for test in houses().await {
        let token = test.full_token(&test.user("ann").await).await;
        let widget = package("ann", "widget");
        publish(&test.house, &token, &widget, parcel("1.0.0"))
            .await
            .unwrap();
        for absent in [
            &widget,
            &package("ann", "absent"),
            &package("nobody", "widget"),
        ] {
            let refused = reading(&test.house, None, absent).await;
            assert!(
                matches!(refused, Err(Fault::Unauthenticated { .. })),
                "{refused:?}"
            );
        }
        let visibility = Visibility::Public;
        test.does(Deed::SetVisibility {
            package: widget.clone(),
            visibility,
        })
        .await;
        assert!(reading(&test.house, None, &widget).await.is_ok());
        let visibility = Visibility::Private;
        test.does(Deed::SetVisibility {
            package: widget.clone(),
            visibility,
        })
        .await;
        assert!(reading(&test.house, None, &widget).await.is_err());
    }
}

#[tokio::test]
async fn a_workflow_publishes_into_its_repository_and_reads_nothing_else() {
    for test in houses().await {
        let ann = test.user("ann").await;
        let acme = test.organization("acme", &ann).await;
        let owner = test.full_token(&ann).await;
        let private = package("acme", "private");
        publish(&test.house, &owner, &private, parcel("1.0.0"))
            .await
            .unwrap();

        let repository = RepositoryRef {
            owner: acme.clone(),
            name: RepoName::new("code").unwrap(),
        };
        let visibility = Visibility::Internal;
        test.does(Deed::CreateRepo {
            repository: repository.clone(),
            visibility,
        })
        .await;
        let token = test
            .does(Deed::CreateToken {
                user: ann,
                scopes: Scopes::parse("read:packages,write:packages").unwrap(),
                note: None,
                expires_in: None,
                repository: Some(repository),
            })
            .await
            .unwrap();
        let built = package("acme", "built");
        publish(&test.house, &token, &built, parcel("1.0.0"))
            .await
            .unwrap();
        publish(&test.house, &token, &built, parcel("1.0.1"))
            .await
            .unwrap();
        // it takes the repository's visibility, and its repository is admin of it
        let cx = writing(&test.house, &token, Need::Curate(built.clone()))
            .await
            .unwrap();
        assert_eq!(cx.package().await.unwrap().visibility, Visibility::Internal);

        for refused in [
            publish(&test.house, &token, &private, parcel("1.0.1")).await,
            publish(&test.house, &token, &package("ann", "own"), parcel("1.0.0")).await,
        ] {
            assert!(
                matches!(refused, Err(Fault::NotFound { .. })),
                "{refused:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_package_made_between_admission_and_publish_is_decided_again() {
    for test in houses().await {
        let (ann, bob) = (test.user("ann").await, test.user("bob").await);
        let acme = test.organization("acme", &ann).await;
        test.member(&acme, &bob).await;
        let (hers, his) = (test.full_token(&ann).await, test.full_token(&bob).await);
        let widget = package("acme", "widget");
        // bob may create it, and is admitted while it is absent
        let cx = writing(&test.house, &his, Need::Publish(widget.clone()))
            .await
            .unwrap();
        publish(&test.house, &hers, &widget, parcel("1.0.0"))
            .await
            .unwrap();
        let body = futures_util::stream::iter([Ok(bytes::Bytes::from_static(b"his"))]);
        let staged = cx
            .stage(body, packhouse_core::Sums::NONE, 1024)
            .await
            .unwrap();
        drop(staged);
        let late = publish(&test.house, &his, &widget, Parcel { ..parcel("1.0.1") }).await;
        assert!(matches!(late, Err(Fault::NotFound { .. })), "{late:?}");
    }
}

#[tokio::test]
async fn an_organizations_hidden_package_is_granted_to_its_own_people_only() {
    for test in houses().await {
        let (ann, bob) = (test.user("ann").await, test.user("bob").await);
        let acme = test.organization("acme", &ann).await;
        let token = test.full_token(&ann).await;
        let widget = package("acme", "widget");
        publish(&test.house, &token, &widget, parcel("1.0.0"))
            .await
            .unwrap();
        let grant = || Deed::Grant {
            package: widget.clone(),
            to: Grantee::User(bob.clone()),
            role: Role::Read,
        };
        let outside = test.house.administer(grant()).await;
        assert!(matches!(outside, Err(Fault::Invalid { field: "user", .. })));
        test.member(&acme, &bob).await;
        test.does(grant()).await;
    }
}
