use std::time::Duration;

use bytes::Bytes;
use packhouse_core::Fault;
use packhouse_core::admin::Deed;
use packhouse_core::model::RepositoryRef;
use packhouse_core::policy::Need;
use packhouse_core::revise::{Deletion, Revision};
use packhouse_names::{RepoName, RepoRole, Visibility};

use crate::setup::{
    Parcel, download, houses, key, login, package, parcel, publish, reading, tag, versions, view,
    writing,
};

#[tokio::test]
async fn a_published_version_is_there_at_once_byte_for_byte() {
    for test in houses().await {
        let ann = test.user("ann").await;
        let token = test.full_token(&ann).await;
        let widget = package("ann", "widget");

        let first = publish(&test.house, &token, &widget, parcel("1.0.0"))
            .await
            .unwrap();
        assert!(first.is_first && !first.is_replay);
        assert_eq!(versions(&test.house, &token, &widget).await, ["1.0.0"]);
        let bytes = download(&test.house, Some(&token), &widget, "1.0.0.tgz")
            .await
            .unwrap();
        assert_eq!(bytes, b"the bytes of 1.0.0");

        let second = publish(&test.house, &token, &widget, parcel("1.1.0"))
            .await
            .unwrap();
        assert!(!second.is_first && second.revision > first.revision);
        let seen = view(&test.house, &token, &widget).await.unwrap();
        assert_eq!(seen.tags[0].version.as_str(), "1.1.0");
        assert_eq!(seen.maintainers, [ann]);
        assert!(seen.updated_at >= seen.versions[1].created_at);
    }
}

#[tokio::test]
async fn a_large_body_is_published_like_a_small_one() {
    for test in houses().await {
        let token = test.full_token(&test.user("ann").await).await;
        let widget = package("ann", "widget");
        let bytes = Bytes::from(vec![7_u8; 3 << 20]);
        let large = Parcel {
            bytes: bytes.clone(),
            ..parcel("1.0.0")
        };
        publish(&test.house, &token, &widget, large).await.unwrap();
        let back = download(&test.house, Some(&token), &widget, "1.0.0.tgz")
            .await
            .unwrap();
        assert_eq!(back, bytes);
    }
}

#[tokio::test]
async fn republishing_a_version_is_refused_and_changes_nothing() {
    for test in houses().await {
        let token = test.full_token(&test.user("ann").await).await;
        let widget = package("ann", "widget");
        publish(&test.house, &token, &widget, parcel("1.0.0"))
            .await
            .unwrap();
        let before = view(&test.house, &token, &widget).await.unwrap();

        let other = Parcel {
            bytes: Bytes::from_static(b"other"),
            ..parcel("1.0.0")
        };
        for again in [parcel("1.0.0"), other] {
            let refused = publish(&test.house, &token, &widget, again).await;
            assert!(matches!(refused, Err(Fault::Conflict(_))), "{refused:?}");
        }
        let after = view(&test.house, &token, &widget).await.unwrap();
        assert_eq!(after.revision, before.revision);
        let bytes = download(&test.house, Some(&token), &widget, "1.0.0.tgz")
            .await
            .unwrap();
        assert_eq!(bytes, b"the bytes of 1.0.0");
    }
}

#[tokio::test]
async fn a_lost_answer_may_be_asked_for_again_within_a_quarter_of_an_hour() {
    for test in houses().await {
        let token = test.full_token(&test.user("ann").await).await;
        let widget = package("ann", "widget");
        let run = |run: &str| Parcel {
            replay_key: Some(run.to_owned()),
            ..parcel("1.0.0")
        };
        publish(&test.house, &token, &widget, run("a"))
            .await
            .unwrap();

        let again = publish(&test.house, &token, &widget, run("a"))
            .await
            .unwrap();
        assert!(again.is_replay);
        let another = publish(&test.house, &token, &widget, run("b")).await;
        assert!(matches!(another, Err(Fault::Conflict(_))));
        let changed = Parcel {
            bytes: Bytes::from_static(b"other"),
            ..run("a")
        };
        let changed = publish(&test.house, &token, &widget, changed).await;
        assert!(matches!(changed, Err(Fault::Conflict(_))));

        test.clock.advance(Duration::from_secs(15 * 60));
        let late = publish(&test.house, &token, &widget, run("a")).await;
        assert!(matches!(late, Err(Fault::Conflict(_))));
    }
}

#[tokio::test]
async fn of_racing_publishes_of_one_version_one_wins() {
    for test in houses().await {
        let token = test.full_token(&test.user("ann").await).await;
        let widget = package("ann", "widget");
        publish(&test.house, &token, &widget, parcel("0.0.1"))
            .await
            .unwrap();
        let racing: Vec<_> = (0..8)
            .map(|number| {
                let (house, token, widget) = (test.house.clone(), token.clone(), widget.clone());
                let bytes = Bytes::from(format!("racer {number}"));
                tokio::spawn(async move {
                    publish(
                        &house,
                        &token,
                        &widget,
                        Parcel {
                            bytes,
                            ..parcel("1.0.0")
                        },
                    )
                    .await
                })
            })
            .collect();
        let mut won = 0;
        for racer in racing {
            match racer.await.unwrap() {
                Ok(_) => won += 1,
                Err(Fault::Conflict(_)) => {}
                Err(fault) => panic!("{fault:?}"),
            }
        }
        assert_eq!(won, 1);
        assert_eq!(
            versions(&test.house, &token, &widget).await,
            ["0.0.1", "1.0.0"]
        );
    }
}

#[tokio::test]
async fn racing_first_publishes_make_one_package_with_every_version() {
    for test in houses().await {
        let token = test.full_token(&test.user("ann").await).await;
        let widget = package("ann", "widget");
        let racing: Vec<_> = ["1.0.0", "1.0.1", "1.0.2", "1.0.3"]
            .into_iter()
            .map(|version| {
                let (house, token, widget) = (test.house.clone(), token.clone(), widget.clone());
                tokio::spawn(async move { publish(&house, &token, &widget, parcel(version)).await })
            })
            .collect();
        for racer in racing {
            racer.await.unwrap().unwrap();
        }
        let mut there = versions(&test.house, &token, &widget).await;
        there.sort();
        assert_eq!(there, ["1.0.0", "1.0.1", "1.0.2", "1.0.3"]);
    }
}

#[tokio::test]
async fn a_deleted_version_keeps_its_number_for_thirty_days() {
    for test in houses().await {
        let token = test.full_token(&test.user("ann").await).await;
        let widget = package("ann", "widget");
        for version in ["1.0.0", "1.1.0"] {
            publish(&test.house, &token, &widget, parcel(version))
                .await
                .unwrap();
        }
        let cx = writing(&test.house, &token, Need::Curate(widget.clone()))
            .await
            .unwrap();
        let delete = Deletion::Versions(vec![key("1.0.0")]);
        cx.revise(Revision {
            delete,
            ..Revision::default()
        })
        .await
        .unwrap();
        assert_eq!(versions(&test.house, &token, &widget).await, ["1.1.0"]);
        let gone = download(&test.house, Some(&token), &widget, "1.0.0.tgz").await;
        assert!(matches!(gone, Err(Fault::NotFound { .. })));

        test.clock.advance(Duration::from_secs(29 * 24 * 3600));
        let early = publish(&test.house, &token, &widget, parcel("1.0.0")).await;
        assert!(matches!(early, Err(Fault::Conflict(_))));
        test.clock.advance(Duration::from_secs(2 * 24 * 3600));
        publish(&test.house, &token, &widget, parcel("1.0.0"))
            .await
            .unwrap();
        assert_eq!(
            versions(&test.house, &token, &widget).await,
            ["1.1.0", "1.0.0"]
        );
    }
}

#[tokio::test]
async fn a_deleted_package_keeps_its_numbers_too() {
    for test in houses().await {
        let token = test.full_token(&test.user("ann").await).await;
        let widget = package("ann", "widget");
        publish(&test.house, &token, &widget, parcel("1.0.0"))
            .await
            .unwrap();
        let cx = writing(&test.house, &token, Need::Curate(widget.clone()))
            .await
            .unwrap();
        let all = Revision {
            delete: Deletion::Package,
            ..Revision::default()
        };
        assert!(cx.revise(all).await.unwrap().package_is_gone);
        assert!(versions(&test.house, &token, &widget).await.is_empty());

        let same = publish(&test.house, &token, &widget, parcel("1.0.0")).await;
        assert!(matches!(same, Err(Fault::Conflict(_))), "{same:?}");
        publish(&test.house, &token, &widget, parcel("1.0.1"))
            .await
            .unwrap();
        let same = publish(&test.house, &token, &widget, parcel("1.0.0")).await;
        assert!(matches!(same, Err(Fault::Conflict(_))), "{same:?}");
        test.clock.advance(Duration::from_secs(31 * 24 * 3600));
        publish(&test.house, &token, &widget, parcel("1.0.0"))
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_first_publish_is_private_unless_somebody_says_otherwise() {
    for test in houses().await {
        let ann = test.user("ann").await;
        let token = test.full_token(&ann).await;
        test.organization("acme", &ann).await;
        let default_visibility = Visibility::Public;
        test.does(Deed::CreateOrg {
            login: login("open"),
            owner: ann,
            default_visibility,
        })
        .await;

        let public = |name| Parcel {
            ask_public: true,
            ..parcel(name)
        };
        for (owner, parcel, expected) in [
            ("acme", parcel("1.0.0"), Visibility::Private),
            ("open", parcel("1.0.0"), Visibility::Public),
            ("ann", public("1.0.0"), Visibility::Public),
        ] {
            let widget = package(owner, "widget");
            publish(&test.house, &token, &widget, parcel).await.unwrap();
            let seen = view(&test.house, &token, &widget).await.unwrap();
            assert_eq!(seen.visibility, expected, "{owner}");
        }
        // asking later changes nothing
        let widget = package("acme", "widget");
        publish(&test.house, &token, &widget, public("1.1.0"))
            .await
            .unwrap();
        let seen = view(&test.house, &token, &widget).await.unwrap();
        assert_eq!(seen.visibility, Visibility::Private);
    }
}

#[tokio::test]
async fn a_package_is_linked_to_the_repository_it_names_where_its_publisher_may_write() {
    for test in houses().await {
        let (ann, bob, cat) = (
            test.user("ann").await,
            test.user("bob").await,
            test.user("cat").await,
        );
        let acme = test.organization("acme", &ann).await;
        for user in [&bob, &cat] {
            test.member(&acme, user).await;
        }
        let repository = RepositoryRef {
            owner: acme.clone(),
            name: RepoName::new("code").unwrap(),
        };
        let visibility = Visibility::Private;
        test.does(Deed::CreateRepo {
            repository: repository.clone(),
            visibility,
        })
        .await;
        test.does(Deed::AddCollaborator {
            repository: repository.clone(),
            user: bob.clone(),
            role: RepoRole::Write,
        })
        .await;
        let (bob_token, cat_token) = (test.full_token(&bob).await, test.full_token(&cat).await);

        let named = |version| Parcel {
            source: Some(repository.clone()),
            ..parcel(version)
        };
        let linked = package("acme", "linked");
        publish(&test.house, &bob_token, &linked, named("1.0.0"))
            .await
            .unwrap();
        // access is inherited: every member reads the repository by the base permission
        assert!(
            reading(&test.house, Some(&cat_token), &linked)
                .await
                .is_ok()
        );

        // a member who only reads the repository publishes unlinked, on a list of their own
        let unlinked = package("acme", "unlinked");
        publish(&test.house, &cat_token, &unlinked, named("1.0.0"))
            .await
            .unwrap();
        let hidden = reading(&test.house, Some(&bob_token), &unlinked).await;
        assert!(matches!(hidden, Err(Fault::NotFound { .. })));
    }
}

#[tokio::test]
async fn a_tag_moves_to_the_version_that_names_it_last() {
    for test in houses().await {
        let token = test.full_token(&test.user("ann").await).await;
        let widget = package("ann", "widget");
        let untagged = |version| Parcel {
            tags: vec![tag("next")],
            ..parcel(version)
        };
        publish(&test.house, &token, &widget, untagged("1.0.0"))
            .await
            .unwrap();
        publish(&test.house, &token, &widget, untagged("2.0.0"))
            .await
            .unwrap();
        let seen = view(&test.house, &token, &widget).await.unwrap();
        let tags: Vec<_> = seen
            .tags
            .iter()
            .map(|tag| (tag.name.as_str(), tag.version.as_str()))
            .collect();
        assert_eq!(tags, [("next", "2.0.0")]);
    }
}
