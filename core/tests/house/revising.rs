use packhouse_core::Fault;
use packhouse_core::model::Standing;
use packhouse_core::policy::Need;
use packhouse_core::revise::{Deletion, Revision};

use crate::setup::{houses, key, package, parcel, publish, tag, view, writing};

#[tokio::test]
async fn a_revision_on_a_stale_state_is_refused_whole() {
    for test in houses().await {
        let token = test.full_token(&test.user("ann").await).await;
        let widget = package("ann", "widget");
        let first = publish(&test.house, &token, &widget, parcel("1.0.0"))
            .await
            .unwrap();
        publish(&test.house, &token, &widget, parcel("1.1.0"))
            .await
            .unwrap();
        let cx = writing(&test.house, &token, Need::Curate(widget.clone()))
            .await
            .unwrap();
        let stale = Revision {
            expect: Some(first.revision),
            delete: Deletion::Versions(vec![key("1.0.0")]),
            ..Revision::default()
        };
        assert!(matches!(cx.revise(stale).await, Err(Fault::Stale)));
        assert_eq!(
            view(&test.house, &token, &widget)
                .await
                .unwrap()
                .versions
                .len(),
            2
        );
    }
}

#[tokio::test]
async fn a_revision_is_all_or_nothing() {
    for test in houses().await {
        let token = test.full_token(&test.user("ann").await).await;
        let widget = package("ann", "widget");
        publish(&test.house, &token, &widget, parcel("1.0.0"))
            .await
            .unwrap();
        let cx = writing(&test.house, &token, Need::Publish(widget.clone()))
            .await
            .unwrap();
        let before = view(&test.house, &token, &widget).await.unwrap().revision;
        let half = Revision {
            standings: vec![(
                key("1.0.0"),
                Standing::Deprecated {
                    reason: "old".to_owned(),
                },
            )],
            tags: vec![(tag("next"), key("9.9.9"))],
            ..Revision::default()
        };
        assert!(matches!(cx.revise(half).await, Err(Fault::NotFound { .. })));
        let after = view(&test.house, &token, &widget).await.unwrap();
        assert_eq!(after.revision, before);
        assert_eq!(after.versions[0].standing, Standing::Live);
    }
}

#[tokio::test]
async fn deprecating_and_tagging_show_at_once() {
    for test in houses().await {
        let token = test.full_token(&test.user("ann").await).await;
        let widget = package("ann", "widget");
        for version in ["1.0.0", "1.1.0"] {
            publish(&test.house, &token, &widget, parcel(version))
                .await
                .unwrap();
        }
        let cx = writing(&test.house, &token, Need::Publish(widget.clone()))
            .await
            .unwrap();
        let old = Standing::Deprecated {
            reason: "use 1.1".to_owned(),
        };
        let standings = vec![(key("1.0.0"), old.clone())];
        cx.revise(Revision {
            standings,
            ..Revision::default()
        })
        .await
        .unwrap();
        cx.retag(tag("stable"), key("1.0.0")).await.unwrap();
        let seen = view(&test.house, &token, &widget).await.unwrap();
        assert_eq!(seen.versions[0].standing, old);
        assert_eq!(seen.tags.len(), 2);

        cx.untag(tag("stable")).await.unwrap();
        assert!(matches!(
            cx.untag(tag("stable")).await,
            Err(Fault::NotFound { .. })
        ));
        assert_eq!(
            view(&test.house, &token, &widget).await.unwrap().tags.len(),
            1
        );
    }
}

#[tokio::test]
async fn deleting_a_version_takes_its_tags_and_needs_the_right_to() {
    for test in houses().await {
        let token = test.full_token(&test.user("ann").await).await;
        let widget = package("ann", "widget");
        for version in ["1.0.0", "1.1.0"] {
            publish(&test.house, &token, &widget, parcel(version))
                .await
                .unwrap();
        }
        let delete = || Revision {
            delete: Deletion::Versions(vec![key("1.1.0")]),
            ..Revision::default()
        };
        let publisher = writing(&test.house, &token, Need::Publish(widget.clone()))
            .await
            .unwrap();
        assert!(matches!(
            publisher.revise(delete()).await,
            Err(Fault::Internal(_))
        ));
        let curator = publisher.raise(Need::Curate(widget.clone())).await.unwrap();
        curator.revise(delete()).await.unwrap();
        let seen = view(&test.house, &token, &widget).await.unwrap();
        assert_eq!(seen.versions.len(), 1);
        assert!(seen.tags.is_empty());
    }
}

#[tokio::test]
async fn a_need_is_never_raised_onto_another_package() {
    for test in houses().await {
        let token = test.full_token(&test.user("ann").await).await;
        let (widget, gadget) = (package("ann", "widget"), package("ann", "gadget"));
        for one in [&widget, &gadget] {
            publish(&test.house, &token, one, parcel("1.0.0"))
                .await
                .unwrap();
        }
        let cx = writing(&test.house, &token, Need::Publish(widget))
            .await
            .unwrap();
        let raised = cx.raise(Need::Curate(gadget)).await;
        assert!(matches!(raised, Err(Fault::Internal(_))));
    }
}
