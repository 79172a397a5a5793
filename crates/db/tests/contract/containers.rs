//! Versions that are documents, what they name, and the lists that are made of them.

use packhouse_db::references::{self, NewReference};
use packhouse_db::tokens::NewToken;
use packhouse_db::uploads::{NewUpload, Progress};
use packhouse_db::{ReferenceKind, blobs, packages, readable, tags, tokens, uploads, versions};
use packhouse_names::{
    Digest, Ecosystem, PackageId, Sha256, Sha512, TagName, TokenKind, VersionId,
};

use crate::house::{House, NOON, new_blob, new_version};

on_both!(
    what_a_version_names_is_found_from_either_end,
    referrers_are_listed_by_name_by_type_and_in_pages,
    tags_and_full_names_are_listed_by_bytes,
    kept_bytes_are_measured_and_found_by_tag,
    a_linked_blob_is_locked_found_elsewhere_and_unlinked,
    a_lease_is_given_back,
    beyond_a_number_the_uploads_that_rested_longest_are_surplus,
    a_token_is_found_by_its_id,
);

fn digest(byte: u8) -> Digest {
    Digest::Sha256(Sha256::new([byte; 32]))
}

fn tag(name: &str) -> TagName {
    TagName::new(name).unwrap()
}

async fn document(house: &House, package: PackageId, name: &str, bytes: &[u8]) -> VersionId {
    let mut new = new_version(package, name);
    new.kept = Some(bytes.to_vec());
    new.kept_media_type = Some("a/b".to_owned());
    house.write(move |tx| versions::insert(tx, &new)).await
}

fn reference(kind: ReferenceKind, of: Digest, artifact_type: Option<&str>) -> NewReference {
    NewReference {
        kind,
        digest: of,
        media_type: None,
        size_bytes: 7,
        artifact_type: artifact_type.map(str::to_owned),
        is_required: true,
    }
}

async fn what_a_version_names_is_found_from_either_end(house: House) {
    let ann = house.user("ann").await;
    let package = house.package(ann, "a", None).await.id;
    let other = house.package(ann, "b", None).await.id;
    let version = document(&house, package, "one", b"one").await;
    house
        .write(move |tx| {
            let layer = reference(ReferenceKind::Layer, digest(1), None);
            // named twice is named once
            references::insert(tx, version, &[layer.clone(), layer])
        })
        .await;
    let holder = |package, kinds: &'static [ReferenceKind]| {
        house
            .read(move |conn| references::find_holder(conn, package, &digest(1).to_string(), kinds))
    };
    let layers = &[ReferenceKind::Config, ReferenceKind::Layer];
    let found = holder(package, layers).await.unwrap();
    assert_eq!(found.as_str(), "one");
    assert!(holder(package, &[ReferenceKind::Child]).await.is_none());
    assert!(holder(other, layers).await.is_none());
    house
        .write(move |tx| versions::soft_delete(tx, version, NOON))
        .await;
    assert!(holder(package, layers).await.is_none());
}

async fn referrers_are_listed_by_name_by_type_and_in_pages(house: House) {
    let ann = house.user("ann").await;
    let package = house.package(ann, "a", None).await.id;
    for (name, kind) in [("c", Some("x/y")), ("a", None), ("b", Some("x/y"))] {
        let version = document(&house, package, name, b"").await;
        house
            .write(move |tx| {
                let subject = reference(ReferenceKind::Subject, digest(1), kind);
                references::insert(tx, version, &[subject])
            })
            .await;
    }
    let list = |kind: Option<&'static str>, after: Option<&'static str>, limit| {
        let after = after.map(|text| text.parse().unwrap());
        let found = house.read(move |conn| {
            references::referrers(conn, package, &digest(1), kind, after.as_ref(), limit)
        });
        async move {
            let names = found.await.into_iter().map(|row| row.name.to_string());
            names.collect::<Vec<_>>().join(" ")
        }
    };
    assert_eq!(list(None, None, 10).await, "a b c");
    assert_eq!(list(None, None, 2).await, "a b");
    assert_eq!(list(None, Some("a"), 10).await, "b c");
    assert_eq!(list(Some("x/y"), None, 10).await, "b c");
    assert_eq!(list(Some("x/y"), Some("b"), 10).await, "c");
    assert_eq!(list(Some("none"), None, 10).await, "");
}

async fn tags_and_full_names_are_listed_by_bytes(house: House) {
    let (ann, ann_b) = (house.user("ann").await, house.user("ann-b").await);
    let package = house.package(ann, "x", None).await.id;
    let second = house.package(ann_b, "x", None).await.id;
    for package in [package, second] {
        let version = document(&house, package, "one", b"").await;
        house
            .write(move |tx| {
                for name in ["b", "B", "a-b", "a.b", "a"] {
                    tags::put(tx, package, &tag(name), version, NOON)?;
                }
                packages::add_live_versions(tx, package, 1)
            })
            .await;
    }
    let page = |after: Option<&'static str>, limit| {
        let found = house.read(move |conn| tags::page(conn, package, after, limit));
        async move {
            let names = found.await.into_iter().map(|name| name.to_string());
            names.collect::<Vec<_>>().join(" ")
        }
    };
    assert_eq!(page(None, 10).await, "B a a-b a.b b");
    assert_eq!(page(Some("a"), 2).await, "a-b a.b");
    let names = |after: Option<&'static str>| {
        let reader = readable::Reader::SiteAdmin;
        house.read(move |conn| readable::names(conn, reader, Ecosystem::Npm, after, 10))
    };
    // a minus comes before a slash
    assert_eq!(names(None).await, ["ann-b/x", "ann/x"]);
    for after in ["ann-b/x", "ann-b/x/y", "ann-c", "ann/", "ann/w/z"] {
        assert_eq!(names(Some(after)).await, ["ann/x"], "{after}");
    }
    assert_eq!(names(Some("ann-b")).await, ["ann-b/x", "ann/x"]);
    assert_eq!(names(Some("ann/x")).await, [""; 0]);
    let (limited, reader) = (1, readable::Reader::Account(ann));
    let own = house
        .read(move |conn| readable::names(conn, reader, Ecosystem::Npm, None, limited))
        .await;
    assert_eq!(own, ["ann/x"]);
}

async fn kept_bytes_are_measured_and_found_by_tag(house: House) {
    let ann = house.user("ann").await;
    let package = house.package(ann, "a", None).await.id;
    let one = document(&house, package, "one", b"12345").await;
    let mut plain = new_version(package, "plain");
    plain.kept = None;
    house.write(move |tx| versions::insert(tx, &plain)).await;
    let wanted = ["one", "plain", "absent"].map(str::to_owned);
    let sizes = house
        .read(move |conn| versions::kept_sizes(conn, package, &wanted))
        .await;
    assert_eq!(sizes, [("one".to_owned(), 5)]);

    house
        .write(move |tx| tags::put(tx, package, &tag("t"), one, NOON))
        .await;
    let found = |name: &'static str| {
        house.read(move |conn| versions::find_tagged(conn, package, &tag(name)))
    };
    assert_eq!(found("t").await.unwrap().kept.unwrap(), b"12345");
    assert!(found("other").await.is_none());
    let id = house
        .read(move |conn| tags::find(conn, package, &tag("t")))
        .await;
    assert_eq!(id, Some(one));
}

async fn a_linked_blob_is_locked_found_elsewhere_and_unlinked(house: House) {
    let ann = house.user("ann").await;
    let package = house.package(ann, "a", None).await.id;
    let mut new = new_blob(7, 7);
    new.sha512 = Some(Sha512::new([8; 64]));
    let (sha256, length) = (new.sha256, new.size_bytes);
    let named = [Digest::Sha256(sha256), Digest::Sha512(Sha512::new([8; 64]))];
    house
        .write(move |tx| {
            blobs::insert_or_get(tx, &new)?;
            named
                .iter()
                .try_for_each(|name| blobs::link(tx, package, name, &sha256, None, NOON))
        })
        .await;
    let linked = house
        .write(move |tx| {
            let mut wanted: Vec<_> = named.iter().map(ToString::to_string).collect();
            wanted.push(digest(9).to_string());
            blobs::lock_linked(tx, package, &wanted)
        })
        .await;
    assert_eq!(linked.len(), 2);
    assert!(linked.iter().all(|(_, size)| *size == length));
    for name in named {
        let find =
            |ecosystem| house.read(move |conn| blobs::linking_packages(conn, ecosystem, &name, 10));
        let keys = ("ann".to_owned(), "a".to_owned());
        assert_eq!(find(Ecosystem::Npm).await, [keys]);
        assert!(find(Ecosystem::Container).await.is_empty());
        let unlink = || house.write(move |tx| blobs::unlink(tx, package, &name));
        assert!(unlink().await);
        assert!(!unlink().await);
        assert!(find(Ecosystem::Npm).await.is_empty());
    }
}

async fn a_lease_is_given_back(house: House) {
    let ann = house.user("ann").await;
    let package = house.package(ann, "a", None).await.id;
    let new = NewUpload {
        id: "u1".to_owned(),
        package_id: package,
        account_id: ann,
        token_id: None,
        storage: String::new(),
        hash_states: Some(vec![1]),
        created_at: NOON,
    };
    let later = NOON.after(std::time::Duration::from_secs(60));
    house
        .write(move |tx| {
            uploads::insert(tx, &new)?;
            assert!(uploads::lease(tx, "u1", "one", NOON, later)?);
            assert!(!uploads::release(tx, "u1", "two")?);
            assert!(uploads::release(tx, "u1", "one")?);
            assert!(uploads::lease(tx, "u1", "two", NOON, later)?);
            let progress = Progress {
                storage: "x".to_owned(),
                length: 3,
                hash_states: None,
                at: NOON,
            };
            assert!(!uploads::touch(tx, "u1", "one", &progress)?);
            uploads::touch(tx, "u1", "two", &progress)
        })
        .await;
    let found = house.read(|conn| uploads::find(conn, "u1")).await.unwrap();
    assert_eq!((found.length, found.hash_states), (3, None));
}

async fn beyond_a_number_the_uploads_that_rested_longest_are_surplus(house: House) {
    let ann = house.user("ann").await;
    let bob = house.user("bob").await;
    let package = house.package(ann, "a", None).await.id;
    let after = |seconds| NOON.after(std::time::Duration::from_secs(seconds));
    let new = move |id: &str, account_id, created_at| NewUpload {
        id: id.to_owned(),
        package_id: package,
        account_id,
        token_id: None,
        storage: String::new(),
        hash_states: None,
        created_at,
    };
    house
        .write(move |tx| {
            for (id, seconds) in [("first", 1), ("leased", 2), ("third", 3), ("fourth", 4)] {
                uploads::insert(tx, &new(id, ann, after(seconds)))?;
            }
            uploads::insert(tx, &new("bobs", bob, after(0)))?;
            uploads::lease(tx, "leased", "one", after(5), after(60))
        })
        .await;
    let surplus = |keep, limit| {
        let found = house.read(move |conn| uploads::surplus(conn, ann, keep, after(5), limit));
        async move {
            let ids = found.await.into_iter().map(|row| row.id);
            ids.collect::<Vec<_>>()
        }
    };
    assert_eq!(surplus(1, 10).await, ["third", "first"]);
    assert_eq!(surplus(1, 1).await, ["third"]);
    assert!(surplus(3, 10).await.is_empty());
}

async fn a_token_is_found_by_its_id(house: House) {
    let ann = house.user("ann").await;
    let new = NewToken {
        hash: [5; 32],
        shown_prefix: "phk_abcd".to_owned(),
        kind: TokenKind::Classic,
        account_id: ann,
        note: None,
        scopes: "read:packages".to_owned(),
        repository_id: None,
        expires_at: None,
        created_at: NOON,
        by_login: false,
    };
    let id = house.write(move |tx| tokens::insert(tx, &new)).await;
    let row = house.read(move |conn| tokens::find_row(conn, id)).await;
    assert_eq!(row.unwrap().bearer.login.as_str(), "ann");
    let none = house.read(|conn| tokens::find_row(conn, 999.into())).await;
    assert!(none.is_none());
}
