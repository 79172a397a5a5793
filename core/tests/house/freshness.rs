use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use packhouse_core::admin::Deed;
use packhouse_core::cx::DocumentKey;
use packhouse_core::policy::Need;
use packhouse_core::{Fault, House};
use packhouse_names::Visibility;
use packhouse_wire::{BaseUrl, Document};

use crate::setup::{houses, package, parcel, publish, reading, versions, whoever};

const LIST: DocumentKey = DocumentKey {
    form: "list",
    media_type: "text/plain",
    readme_of: None,
};

/// The versions as a document, and how often it was rendered.
async fn list(
    house: &Arc<House>,
    token: &str,
    name: &str,
    rendered: &Arc<AtomicU32>,
) -> Arc<Document> {
    let cx = reading(house, Some(token), &package("ann", name))
        .await
        .unwrap();
    let count = Arc::clone(rendered);
    let base = BaseUrl::new("http://127.0.0.1:8080").unwrap();
    cx.document(LIST, &base, move |view, _base| {
        count.fetch_add(1, Ordering::SeqCst);
        let names: Vec<_> = view
            .versions
            .iter()
            .map(|version| version.name.as_str())
            .collect();
        Ok(Bytes::from(names.join(" ").repeat(64)))
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn a_document_is_rendered_once_per_revision() {
    for test in houses().await {
        let token = test.full_token(&test.user("ann").await).await;
        let widget = package("ann", "widget");
        let rendered = Arc::new(AtomicU32::new(0));
        publish(&test.house, &token, &widget, parcel("1.0.0"))
            .await
            .unwrap();
        let first = list(&test.house, &token, "widget", &rendered).await;
        let again = list(&test.house, &token, "widget", &rendered).await;
        assert_eq!(rendered.load(Ordering::SeqCst), 1);
        assert_eq!(first.identity_tag, again.identity_tag);
        assert_ne!(first.identity_tag, first.gzip_tag);
        assert!(!first.gzip.is_empty());

        publish(&test.house, &token, &widget, parcel("1.1.0"))
            .await
            .unwrap();
        let later = list(&test.house, &token, "widget", &rendered).await;
        assert_eq!(rendered.load(Ordering::SeqCst), 2);
        assert!(later.identity.starts_with(b"1.0.0 1.1.0"));
        assert_ne!(first.identity_tag, later.identity_tag);
    }
}

#[tokio::test]
async fn whoever_reads_while_others_publish_never_sees_an_acknowledged_version_missing() {
    for test in houses().await {
        let token = test.full_token(&test.user("ann").await).await;
        let widget = package("ann", "widget");
        publish(&test.house, &token, &widget, parcel("1.0.0"))
            .await
            .unwrap();
        let rendered = Arc::new(AtomicU32::new(0));
        let stop = Arc::new(AtomicU32::new(0));
        let readers: Vec<_> = (0..4)
            .map(|_| {
                let (house, token) = (test.house.clone(), token.clone());
                let (rendered, stop) = (rendered.clone(), stop.clone());
                tokio::spawn(async move {
                    while stop.load(Ordering::SeqCst) == 0 {
                        list(&house, &token, "widget", &rendered).await;
                        tokio::task::yield_now().await;
                    }
                })
            })
            .collect();
        for version in [
            "1.0.1", "1.0.2", "1.0.3", "1.0.4", "1.0.5", "1.0.6", "1.0.7",
        ] {
            publish(&test.house, &token, &widget, parcel(version))
                .await
                .unwrap();
            let seen = list(&test.house, &token, "widget", &rendered).await;
            let text = String::from_utf8_lossy(&seen.identity).into_owned();
            assert!(text.contains(version), "{version} is missing");
        }
        stop.store(1, Ordering::SeqCst);
        for reader in readers {
            reader.await.unwrap();
        }
    }
}

#[tokio::test]
async fn what_one_process_changes_holds_in_another_from_the_next_request_on() {
    for test in houses().await {
        let Some(other) = test.neighbour().await else {
            continue;
        };
        let ann = test.user("ann").await;
        let token = test.full_token(&ann).await;
        let widget = package("ann", "widget");
        publish(&test.house, &token, &widget, parcel("1.0.0"))
            .await
            .unwrap();
        assert_eq!(versions(&other, &token, &widget).await, ["1.0.0"]);

        publish(&test.house, &token, &widget, parcel("1.0.1"))
            .await
            .unwrap();
        assert_eq!(versions(&other, &token, &widget).await, ["1.0.0", "1.0.1"]);
        let rendered = Arc::new(AtomicU32::new(0));
        list(&other, &token, "widget", &rendered).await;
        publish(&test.house, &token, &widget, parcel("1.0.2"))
            .await
            .unwrap();
        let seen = list(&other, &token, "widget", &rendered).await;
        assert!(seen.identity.starts_with(b"1.0.0 1.0.1 1.0.2"));

        assert!(reading(&other, None, &widget).await.is_err());
        let visibility = Visibility::Public;
        test.does(Deed::SetVisibility {
            package: widget.clone(),
            visibility,
        })
        .await;
        assert!(reading(&other, None, &widget).await.is_ok());

        assert!(whoever(&other, Some(&token), &Need::Oneself).await.is_ok());
        test.does(Deed::RevokeToken {
            token: token.clone(),
        })
        .await;
        let refused = whoever(&other, Some(&token), &Need::Oneself).await;
        assert!(matches!(refused, Err(Fault::Unauthenticated { .. })));
    }
}
