//! What goes when nothing holds it any more, what stays, and what an inspection says.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{TryStreamExt as _, stream};
use packhouse_blob::BlobStore as _;
use packhouse_core::cx::WriteCx;
use packhouse_core::fault::Thing;
use packhouse_core::gc::{Collected, Pass};
use packhouse_core::kept::{Kept, Reference, ReferenceKind};
use packhouse_core::model::PackageRef;
use packhouse_core::policy::Need;
use packhouse_core::protection::{Reason, protections};
use packhouse_core::publish::{Draft, Published};
use packhouse_core::revise::{Deletion, Revision};
use packhouse_core::settings::Collection;
use packhouse_core::storage::Storage;
use packhouse_core::{Clock as _, Fault, House, Sums};
use packhouse_db::blobs;
use packhouse_names::{
    Digest, Ecosystem, NormalizedName, NormalizedVersion, PackageName, Sha256, Timestamp,
    VersionText,
};
use sha2::Digest as _;

use crate::setup::{
    Parcel, TestHouse, download, houses, key, package, parcel, publish, reading, tag, writing,
};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// After the grace of the default settings.
const GRACE: Duration = Duration::from_secs(16 * 60);

fn digest(bytes: &[u8]) -> Digest {
    Digest::Sha256(Sha256::new(sha2::Sha256::digest(bytes).into()))
}

fn image(owner: &str, name: &str) -> PackageRef {
    PackageRef {
        ecosystem: Ecosystem::Container,
        name: PackageName::new(name).unwrap(),
        key: NormalizedName::new(name).unwrap(),
        ..package(owner, name)
    }
}

impl TestHouse {
    fn wait(&self, span: Duration) {
        self.clock.advance(span);
        self.blobs.advance(span);
    }

    async fn collect(&self) -> Collected {
        self.house.collect(Pass::Full).await.unwrap()
    }

    /// Objects in the store.
    async fn objects(&self) -> usize {
        let all: Vec<_> = self.blobs.walk().try_collect().await.unwrap();
        all.len()
    }

    fn storage(&self) -> Storage {
        Storage {
            db: self.database(),
            blobs: self.blobs.clone(),
            collection: Collection::default(),
        }
    }

    /// What an inspection finds, line by line.
    async fn inspection(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let inspected = self
            .storage()
            .inspect(self.clock.now(), &mut |finding| {
                lines.push((finding.is_damage(), finding.to_string()));
            })
            .await
            .unwrap();
        let damaged = lines.iter().filter(|(is_damage, _)| *is_damage).count();
        assert_eq!(inspected.damaged, u64::try_from(damaged).unwrap());
        lines.into_iter().map(|(_, line)| line).collect()
    }

    async fn promised_until(&self, bytes: &'static [u8]) -> Option<Timestamp> {
        let Digest::Sha256(sha256) = digest(bytes) else {
            unreachable!()
        };
        let found = self
            .database()
            .read(move |conn| Ok::<_, Fault>(blobs::find(conn, &sha256)?))
            .await;
        found.unwrap().and_then(|blob| blob.promised_until)
    }
}

async fn pushing(house: &Arc<House>, token: &str, to: &PackageRef) -> WriteCx {
    writing(house, token, Need::Publish(to.clone()))
        .await
        .unwrap()
}

async fn push_blob(cx: &WriteCx, bytes: &'static [u8]) {
    let body = stream::iter([Ok(Bytes::from_static(bytes))]);
    let staged = cx.stage(body, Sums::NONE, 1 << 20).await.unwrap();
    cx.keep(staged, digest(bytes)).await.unwrap();
}

/// A document that names these layers and these documents.
async fn push_document(
    cx: &WriteCx,
    text: &'static str,
    names: &[(ReferenceKind, &'static [u8])],
    tags: &[&str],
) -> Result<Published, Fault> {
    let name = digest(text.as_bytes()).to_string();
    cx.publish(Draft {
        version: VersionText::new(name.clone()).unwrap(),
        key: NormalizedVersion::new(name).unwrap(),
        is_prerelease: false,
        files: Vec::new(),
        metadata: "{}".to_owned(),
        readme: None,
        license: None,
        description: None,
        keywords: Vec::new(),
        authors: Vec::new(),
        tags: tags.iter().map(|text| tag(text)).collect(),
        tags_if_first: Vec::new(),
        source: None,
        ask_public: false,
        replay_key: None,
        kept: Some(Kept {
            bytes: Bytes::from_static(text.as_bytes()),
            media_type: "a/b".to_owned(),
            references: names
                .iter()
                .map(|(kind, bytes)| Reference {
                    kind: *kind,
                    digest: digest(bytes),
                    size: u64::try_from(bytes.len()).unwrap(),
                    media_type: None,
                    artifact_type: None,
                    is_required: true,
                })
                .collect(),
        }),
    })
    .await
}

async fn delete_package(test: &TestHouse, token: &str, of: &PackageRef) {
    let cx = writing(&test.house, token, Need::Curate(of.clone()))
        .await
        .unwrap();
    cx.revise(Revision {
        delete: Deletion::Package,
        ..Revision::default()
    })
    .await
    .unwrap();
}

async fn delete_document(test: &TestHouse, token: &str, of: &PackageRef, text: &str) {
    let cx = writing(&test.house, token, Need::Curate(of.clone()))
        .await
        .unwrap();
    cx.retract(key(&digest(text.as_bytes()).to_string()))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_file_stays_while_its_version_can_come_back_and_goes_then() {
    for test in houses().await {
        let token = test.full_token(&test.user("ann").await).await;
        let widget = package("ann", "widget");
        publish(&test.house, &token, &widget, parcel("1.0.0"))
            .await
            .unwrap();
        test.wait(365 * DAY);
        assert_eq!(test.collect().await, Collected::default());
        let bytes = download(&test.house, Some(&token), &widget, "1.0.0.tgz").await;
        assert_eq!(bytes.unwrap(), b"the bytes of 1.0.0");

        delete_package(&test, &token, &widget).await;
        test.wait(29 * DAY);
        assert_eq!(test.collect().await, Collected::default());
        assert_eq!(test.objects().await, 1);

        test.wait(DAY);
        let dry = test.house.collect(Pass::Dry).await.unwrap();
        assert_eq!((dry.purged_versions, dry.purged_packages), (1, 0));
        let first = test.collect().await;
        assert_eq!((first.purged_versions, first.purged_packages), (1, 1));
        assert_eq!((first.condemned.count, first.condemned.bytes), (1, 18));
        assert_eq!((first.deleted.count, test.objects().await), (0, 1));
        test.wait(GRACE);
        let second = test.collect().await;
        assert_eq!((second.deleted.bytes, second.reclaimed_bytes()), (18, 18));
        assert_eq!(test.objects().await, 0);
        assert_eq!(test.collect().await, Collected::default());
        assert!(test.inspection().await.is_empty());

        // the number is free again, and so is the name
        publish(&test.house, &token, &widget, parcel("1.0.0"))
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn what_comes_back_in_the_grace_lies_elsewhere_and_its_old_bytes_go() {
    for test in houses().await {
        let token = test.full_token(&test.user("ann").await).await;
        let (old, new) = (package("ann", "old"), package("ann", "new"));
        let same = || Parcel {
            bytes: Bytes::from_static(b"the same bytes"),
            ..parcel("1.0.0")
        };
        publish(&test.house, &token, &old, same()).await.unwrap();
        delete_package(&test, &token, &old).await;
        test.wait(30 * DAY);
        assert_eq!(test.collect().await.condemned.count, 1);
        publish(&test.house, &token, &new, same()).await.unwrap();
        assert_eq!(test.objects().await, 2);
        test.wait(GRACE);
        assert_eq!(test.collect().await.deleted.count, 1);
        assert_eq!(test.objects().await, 1);
        let bytes = download(&test.house, Some(&token), &new, "1.0.0.tgz").await;
        assert_eq!(bytes.unwrap(), b"the same bytes");
        assert!(test.inspection().await.is_empty());
    }
}

#[tokio::test]
async fn an_upload_that_no_document_names_goes_when_its_promise_is_over() {
    for test in houses().await {
        let token = test.full_token(&test.user("ann").await).await;
        let app = image("ann", "app");
        let cx = pushing(&test.house, &token, &app).await;
        push_blob(&cx, b"named").await;
        push_blob(&cx, b"left").await;
        push_document(
            &cx,
            "image",
            &[(ReferenceKind::Layer, b"named")],
            &["latest"],
        )
        .await
        .unwrap();
        test.wait(DAY - MINUTE);
        assert_eq!(test.collect().await, Collected::default());
        test.wait(2 * MINUTE);
        let first = test.collect().await;
        assert_eq!((first.pruned_links, first.condemned.count), (1, 1));

        // invisible: not there to ask for, to mount, to name
        let cx = pushing(&test.house, &token, &app).await;
        let asked = cx.blob(&digest(b"left")).await;
        assert!(matches!(asked, Err(Fault::NotFound { .. })), "{asked:?}");
        let other = pushing(&test.house, &token, &image("ann", "other")).await;
        let mounted = other.mount(digest(b"left"), Some(app.clone())).await;
        assert!(mounted.unwrap().is_none());
        let named = push_document(&cx, "second", &[(ReferenceKind::Layer, b"left")], &[]).await;
        let Err(Fault::NotFound { what, .. }) = named else {
            panic!("{named:?}");
        };
        assert_eq!(what, Thing::Reference);

        // and back as soon as somebody sends it
        push_blob(&cx, b"left").await;
        assert!(cx.blob(&digest(b"left")).await.is_ok());
        push_document(&cx, "second", &[(ReferenceKind::Layer, b"left")], &[])
            .await
            .unwrap();
        test.wait(GRACE);
        assert_eq!(test.collect().await.deleted.count, 1);
        assert_eq!(test.objects().await, 2);
        let blob = cx.blob(&digest(b"left")).await.unwrap();
        let bytes = cx.small_blob(&blob, 100).await.unwrap();
        assert_eq!(bytes.as_deref(), Some(b"left".as_slice()));
        assert!(test.inspection().await.is_empty());
    }
}

#[tokio::test]
async fn who_could_push_is_promised_what_they_ask_for() {
    for test in houses().await {
        let ann = test.user("ann").await;
        let token = test.full_token(&ann).await;
        let pulls = test.token(&ann, "read:packages").await;
        let app = image("ann", "app");
        push_blob(&pushing(&test.house, &token, &app).await, b"layer").await;
        let began = test.clock.now();
        let ask = |token: String| {
            let (house, app) = (test.house.clone(), app.clone());
            async move {
                let cx = reading(&house, Some(&token), &app).await.unwrap();
                cx.blob(&digest(b"layer")).await.map(drop)
            }
        };
        let promised = || test.promised_until(b"layer");
        let until = |at: Timestamp| Some(at.after(DAY));

        // more than half of it is left: nothing is written
        test.wait(11 * HOUR);
        ask(token.clone()).await.unwrap();
        assert_eq!(promised().await, until(began));
        // less is left, but who cannot push is promised nothing
        test.wait(2 * HOUR);
        ask(pulls.clone()).await.unwrap();
        assert_eq!(promised().await, until(began));
        ask(token.clone()).await.unwrap();
        let renewed = test.clock.now();
        assert_eq!(promised().await, until(renewed));

        test.wait(23 * HOUR);
        assert_eq!(test.collect().await, Collected::default());
        ask(pulls.clone()).await.unwrap();
        test.wait(2 * HOUR);
        assert_eq!(test.collect().await.condemned.count, 1);
        assert!(ask(token.clone()).await.is_err());
    }
}

#[tokio::test]
async fn a_deleted_image_is_not_readable_and_keeps_its_bytes_until_it_cannot_come_back() {
    for test in houses().await {
        let token = test.full_token(&test.user("ann").await).await;
        let (app, other) = (image("ann", "app"), image("ann", "other"));
        let cx = pushing(&test.house, &token, &app).await;
        push_blob(&cx, b"base").await;
        push_blob(&cx, b"own").await;
        let layers: &[(ReferenceKind, &'static [u8])] = &[
            (ReferenceKind::Layer, b"base"),
            (ReferenceKind::Layer, b"own"),
        ];
        push_document(&cx, "image", layers, &["latest"])
            .await
            .unwrap();
        let to_other = pushing(&test.house, &token, &other).await;
        assert!(
            to_other
                .mount(digest(b"base"), None)
                .await
                .unwrap()
                .is_some()
        );
        push_document(&to_other, "lean", &layers[..1], &["latest"])
            .await
            .unwrap();

        delete_document(&test, &token, &app, "image").await;
        test.wait(2 * DAY);
        let first = test.collect().await;
        assert_eq!((first.pruned_links, first.condemned.count), (2, 0));
        let cx = pushing(&test.house, &token, &app).await;
        assert!(cx.blob(&digest(b"own")).await.is_err());
        // admitted anew: there was no such package before
        let to_other = pushing(&test.house, &token, &other).await;
        assert!(to_other.blob(&digest(b"base")).await.is_ok());
        assert!(test.inspection().await.is_empty());

        test.wait(29 * DAY);
        let second = test.collect().await;
        assert_eq!((second.purged_versions, second.condemned.count), (1, 1));
        test.wait(GRACE);
        assert_eq!(test.collect().await.deleted.bytes, 3);
        assert_eq!(test.objects().await, 1);
        assert!(to_other.blob(&digest(b"base")).await.is_ok());
    }
}

#[tokio::test]
async fn what_a_crash_left_behind_is_found_once_it_is_old() {
    for test in houses().await {
        let token = test.full_token(&test.user("ann").await).await;
        publish(
            &test.house,
            &token,
            &package("ann", "widget"),
            parcel("1.0.0"),
        )
        .await
        .unwrap();
        let orphan = test.blobs.put(Bytes::from_static(b"lost")).await.unwrap();
        test.wait(47 * HOUR);
        assert_eq!(test.collect().await.orphans.count, 0);
        assert!(test.inspection().await.is_empty());
        test.wait(2 * HOUR);
        let line = format!("info: nothing knows the object {orphan}, 4 bytes");
        assert_eq!(test.inspection().await, [line]);
        let dry = test.house.collect(Pass::Dry).await.unwrap();
        assert_eq!((dry.orphans.count, test.objects().await), (1, 2));
        assert!(
            dry.to_string().contains("would have reclaimed: 4 bytes"),
            "{dry}"
        );
        assert_eq!(test.collect().await.orphans.bytes, 4);
        assert_eq!(test.objects().await, 1);
    }
}

#[tokio::test]
async fn an_inspection_names_what_is_lost_and_who_misses_it() {
    for test in houses().await {
        let token = test.full_token(&test.user("ann").await).await;
        let widget = package("ann", "widget");
        publish(&test.house, &token, &widget, parcel("1.0.0"))
            .await
            .unwrap();
        let app = image("ann", "app");
        let cx = pushing(&test.house, &token, &app).await;
        push_blob(&cx, b"layer").await;
        push_document(
            &cx,
            "image",
            &[(ReferenceKind::Layer, b"layer")],
            &["latest"],
        )
        .await
        .unwrap();
        assert!(test.inspection().await.is_empty());

        let why = test.storage().why(digest(b"layer")).await.unwrap();
        let text = why.to_string();
        let image = digest(b"image");
        assert!(
            text.contains(&format!("held by layer of manifest {image}")),
            "{text}"
        );
        assert!(
            text.contains("held by link of package ann/container/app since"),
            "{text}"
        );
        assert!(text.contains(", promised until "), "{text}");
        let why = test.storage().why(digest(b"nothing")).await.unwrap();
        assert!(!why.is_there() && why.to_string().starts_with("there is no blob sha256:"));

        for object in test.blobs.walk().try_collect::<Vec<_>>().await.unwrap() {
            test.blobs.delete(&object.key).await.unwrap();
        }
        let lines = test.inspection().await.join("\n");
        assert_eq!(lines.matches("is missing").count(), 2, "{lines}");
        let file = "held by file 1.0.0.tgz of version 1.0.0 of package ann/npm/@ann/widget";
        assert!(lines.contains(file), "{lines}");
        assert!(lines.contains("held by layer of manifest"), "{lines}");
    }
}

#[tokio::test]
async fn a_package_knows_which_of_its_documents_are_part_of_something() {
    for test in houses().await {
        let token = test.full_token(&test.user("ann").await).await;
        let app = image("ann", "app");
        let cx = pushing(&test.house, &token, &app).await;
        let fallback = format!("sha256-{}", "a".repeat(64));
        let child = |of: &'static str| (ReferenceKind::Child, of.as_bytes());
        push_document(&cx, "platform", &[], &[]).await.unwrap();
        push_document(&cx, "alone", &[], &[]).await.unwrap();
        push_document(&cx, "index", &[child("platform")], &["latest"])
            .await
            .unwrap();
        push_document(&cx, "signature", &[(ReferenceKind::Subject, b"index")], &[])
            .await
            .unwrap();
        push_document(&cx, "listed", &[], &[]).await.unwrap();
        push_document(&cx, "list", &[child("listed")], &[&fallback])
            .await
            .unwrap();

        let cx = reading(&test.house, Some(&token), &app).await.unwrap();
        let members = cx.relations().await.unwrap();
        assert_eq!(members.len(), 6);
        let reasons = protections(&members);
        let of = |text: &str| reasons.get(digest(text.as_bytes()).to_string().as_str());
        assert_eq!(of("alone"), None);
        let index = digest(b"index").to_string();
        assert_eq!(
            of("platform"),
            Some(&vec![Reason::Child { of: index.clone() }])
        );
        assert_eq!(
            of("signature"),
            Some(&vec![Reason::About { subject: index }])
        );
        let under = tag(&fallback);
        assert_eq!(of("listed"), Some(&vec![Reason::Listed { under }]));

        let curating = writing(&test.house, &token, Need::Curate(app.clone()))
            .await
            .unwrap();
        let name = |text: &str| key(&digest(text.as_bytes()).to_string());
        let held = curating.retract(name("platform")).await;
        assert!(matches!(held, Err(Fault::Held(_))), "{held:?}");
        for text in ["signature", "listed", "index", "platform"] {
            curating.retract(name(text)).await.unwrap();
        }
    }
}

#[tokio::test]
async fn two_processes_collect_one_after_the_other() {
    for test in houses().await {
        let Some(neighbour) = test.neighbour().await else {
            continue;
        };
        let token = test.full_token(&test.user("ann").await).await;
        let cx = pushing(&test.house, &token, &image("ann", "app")).await;
        push_blob(&cx, b"left").await;
        test.wait(2 * DAY);
        let (one, other) = tokio::join!(
            test.house.collect(Pass::Full),
            neighbour.collect(Pass::Full)
        );
        let condemned = one.unwrap().condemned.count + other.unwrap().condemned.count;
        assert_eq!(condemned, 1);
        // both know of it with their next request, whoever did it
        for house in [&test.house, &neighbour] {
            let cx = pushing(house, &token, &image("ann", "app")).await;
            assert!(cx.blob(&digest(b"left")).await.is_err());
        }
    }
}
