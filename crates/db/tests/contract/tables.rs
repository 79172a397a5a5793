//! The functions of each table, as their callers use them.

use packhouse_db::files::NewFile;
use packhouse_db::jobs::NewJob;
use packhouse_db::uploads::{NewUpload, Progress};
use packhouse_db::{
    AccountKind, DbError, Standing, blobs, downloads, files, jobs, packages, repositories,
    settings, tags, uploads, versions,
};
use packhouse_names::{Digest, Ecosystem, Sha256, Sha512, Timestamp, Visibility};
use std::time::Duration;

use crate::house::{House, NOON, new_blob, new_package, new_version};

const HOUR: Duration = Duration::from_secs(3600);

on_both!(
    a_head_holds_the_owner_and_the_linked_repository,
    a_deleted_packages_name_is_free_and_comes_back_only_if_it_still_is,
    packages_are_listed_once_they_have_a_version,
    a_deleted_version_keeps_its_number,
    versions_are_listed_without_their_long_texts,
    a_file_is_found_with_its_place_and_its_versions_state,
    tags_move_and_go,
    a_blob_is_read_through_a_link_and_promises_only_grow,
    an_upload_has_one_appender_at_a_time,
    a_job_is_held_by_one_worker_and_comes_back_after_its_lease,
    downloads_add_up,
    the_first_value_of_a_setting_stays,
);

fn later(hours: u32) -> Timestamp {
    NOON.after(HOUR * hours)
}

async fn a_head_holds_the_owner_and_the_linked_repository(house: House) {
    let acme = house.organization("Acme").await;
    let ann = house.user("ann").await;
    let repository = house.repository(ann, "Tools", Visibility::Internal).await;
    let package = house.package(acme, "@acme/Left", None).await;
    let head = |key: &str| {
        let key = key.parse().unwrap();
        house.read(move |conn| packages::find_head(conn, "acme", Ecosystem::Npm, &key))
    };
    let found = head("@acme/left").await.unwrap();
    assert_eq!(found.package.id, package.id);
    assert_eq!(found.package.name.as_str(), "@acme/Left");
    assert_eq!(found.owner.login.as_str(), "Acme");
    assert_eq!(found.owner.kind, AccountKind::Organization);
    assert!(found.repository.is_none());

    let (id, linked) = (package.id, repository.id);
    house
        .write(move |tx| packages::set_repository(tx, id, Some(linked)))
        .await;
    let found = head("@acme/left").await.unwrap().repository.unwrap();
    assert_eq!(found.id, repository.id);
    assert_eq!(found.name.as_str(), "Tools");
    assert_eq!(found.owner_login.as_str(), "ann");
    assert_eq!(found.visibility, Visibility::Internal);

    assert!(head("@acme/other").await.is_none());
    house
        .write(move |tx| packages::soft_delete(tx, id, NOON))
        .await;
    assert!(head("@acme/left").await.is_none());

    let by_name = house
        .read(move |conn| repositories::find(conn, ann, "tools"))
        .await;
    assert_eq!(by_name.unwrap().id, repository.id);
    let by_id = house
        .read(move |conn| repositories::by_id(conn, linked))
        .await;
    assert_eq!(by_id.unwrap().owner_id, ann);
}

async fn a_deleted_packages_name_is_free_and_comes_back_only_if_it_still_is(house: House) {
    let ann = house.user("ann").await;
    let first = house.package(ann, "a", None).await.id;
    assert!(
        house
            .write(move |tx| packages::soft_delete(tx, first, NOON))
            .await
    );
    assert!(
        !house
            .write(move |tx| packages::soft_delete(tx, first, NOON))
            .await
    );
    let second = house.package(ann, "a", None).await.id;
    assert_ne!(first, second);
    let answer = house.db.write(move |tx| packages::restore(tx, first)).await;
    assert!(matches!(answer, Err(DbError::Duplicate)), "{answer:?}");
    house
        .write(move |tx| packages::soft_delete(tx, second, NOON))
        .await;
    assert!(house.write(move |tx| packages::restore(tx, first)).await);
    let found = house
        .read(move |conn| packages::find(conn, first))
        .await
        .unwrap();
    assert_eq!(found.deleted_at, None);
}

async fn packages_are_listed_once_they_have_a_version(house: House) {
    let ann = house.user("ann").await;
    let mut ids = Vec::new();
    for name in ["a", "b", "c"] {
        ids.push(house.package(ann, name, None).await.id);
    }
    let gem = house
        .write(move |tx| {
            let mut new = new_package(ann, "a");
            new.ecosystem = Ecosystem::RubyGems;
            packages::insert_or_get(tx, &new)
        })
        .await
        .0;
    let counted = [ids[0], ids[2], gem.id];
    house
        .write(move |tx| {
            for id in counted {
                packages::add_live_versions(tx, id, 1)?;
                packages::set_visibility(tx, id, Visibility::Public)?;
                packages::set_inherit(tx, id, true)?;
            }
            Ok(())
        })
        .await;
    let npm = house
        .read(move |conn| packages::list_by_owner(conn, ann, Some(Ecosystem::Npm), None, 10))
        .await;
    assert_eq!(
        npm.iter().map(|p| p.id).collect::<Vec<_>>(),
        [ids[0], ids[2]]
    );
    assert!(
        npm.iter()
            .all(|p| p.inherit_access && p.visibility == Visibility::Public)
    );
    let after = ids[0];
    let all = house
        .read(move |conn| packages::list_by_owner(conn, ann, None, Some(after), 10))
        .await;
    assert_eq!(
        all.iter().map(|p| p.id).collect::<Vec<_>>(),
        [ids[2], gem.id]
    );
    let below_zero = house
        .db
        .write(move |tx| packages::add_live_versions(tx, after, -2))
        .await;
    assert!(below_zero.is_err());
}

async fn a_deleted_version_keeps_its_number(house: House) {
    let ann = house.user("ann").await;
    let package = house.package(ann, "a", None).await.id;
    let id = house.version(package, "1.0.0").await;
    assert!(
        house
            .write(move |tx| versions::soft_delete(tx, id, NOON))
            .await
    );
    assert!(
        !house
            .write(move |tx| versions::soft_delete(tx, id, NOON))
            .await
    );
    let again = house
        .db
        .write(move |tx| versions::insert(tx, &new_version(package, "1.0.0")))
        .await;
    assert!(matches!(again, Err(DbError::Duplicate)), "{again:?}");
    let listing = move |house: &House| {
        let db = house.db.clone();
        async move {
            db.read(move |conn| versions::listing(conn, package))
                .await
                .unwrap()
        }
    };
    assert!(listing(&house).await.is_empty());
    let found = house
        .read(move |conn| versions::find(conn, package, &"1.0.0".parse().unwrap()))
        .await
        .unwrap();
    assert_eq!((found.listed.id, found.deleted_at), (id, Some(NOON)));
    assert!(house.write(move |tx| versions::restore(tx, id)).await);
    assert_eq!(listing(&house).await.len(), 1);
}

async fn versions_are_listed_without_their_long_texts(house: House) {
    let ann = house.user("ann").await;
    let package = house.package(ann, "a", None).await.id;
    let first = house.version(package, "1.0.0").await;
    let second = house.version(package, "2.0.0").await;
    house
        .write(move |tx| {
            versions::set_metadata(tx, first, r#"{"x":1}"#, later(1))?;
            versions::set_standing(tx, first, Standing::Deprecated, Some("old"), later(2))
        })
        .await;
    let listed = house
        .read(move |conn| versions::listing(conn, package))
        .await;
    assert_eq!(
        listed.iter().map(|v| v.id).collect::<Vec<_>>(),
        [first, second]
    );
    assert_eq!(listed[0].metadata, r#"{"x":1}"#);
    assert_eq!(listed[0].standing, Standing::Deprecated);
    assert_eq!(listed[0].standing_reason.as_deref(), Some("old"));
    assert_eq!(listed[0].updated_at, later(2));
    assert_eq!(listed[1].size_bytes, 5);

    let whole = house
        .read(move |conn| versions::list(conn, package, Some(first), 10))
        .await;
    assert_eq!(whole.len(), 1);
    assert_eq!(whole[0].kept.as_deref(), Some([0, 255].as_slice()));
    let readme = house.read(move |conn| versions::readme(conn, first)).await;
    assert_eq!(readme.as_deref(), Some("# readme"));
}

fn new_file(package: packhouse_names::PackageId, name: &str, blob: &blobs::Blob) -> NewFile {
    NewFile {
        package_id: package,
        version_id: None,
        name: name.parse().unwrap(),
        sha256: blob.sha256,
        sha512: Some(Sha512::new([1; 64])),
        sha1: None,
        md5: None,
        size_bytes: blob.size_bytes,
        media_type: "application/octet-stream".to_owned(),
        created_at: NOON,
    }
}

async fn a_file_is_found_with_its_place_and_its_versions_state(house: House) {
    let ann = house.user("ann").await;
    let package = house.package(ann, "a", None).await.id;
    let version = house.version(package, "1.0.0").await;
    let blob = house.blob(7).await;
    let of_version = NewFile {
        version_id: Some(version),
        ..new_file(package, "a-1.0.0.tgz", &blob)
    };
    let of_package = new_file(package, "index.xml", &blob);
    let again = [of_version.clone(), of_package.clone()];
    house
        .write(move |tx| {
            files::insert(tx, &of_version)?;
            files::insert(tx, &of_package)
        })
        .await;
    for new in again {
        let taken = house.db.write(move |tx| files::insert(tx, &new)).await;
        assert!(matches!(taken, Err(DbError::Duplicate)), "{taken:?}");
    }

    let find = |name: &str| {
        let name = name.parse().unwrap();
        house.read(move |conn| files::find(conn, package, &name))
    };
    let found = find("a-1.0.0.tgz").await.unwrap();
    assert_eq!(found.storage_key, blob.storage_key);
    assert_eq!(found.file.version_id, Some(version));
    assert_eq!(found.file.sha512, Some(Sha512::new([1; 64])));
    assert_eq!(found.version_deleted_at, None);
    assert_eq!(find("index.xml").await.unwrap().file.version_id, None);
    assert!(find("other").await.is_none());

    let listed = house.read(move |conn| files::list(conn, package)).await;
    assert_eq!(listed.len(), 1, "the package's own file is not a version's");
    house
        .write(move |tx| versions::soft_delete(tx, version, NOON))
        .await;
    assert!(
        house
            .read(move |conn| files::list(conn, package))
            .await
            .is_empty()
    );
    let of_version = house
        .read(move |conn| files::list_of_version(conn, version))
        .await;
    assert_eq!(of_version.len(), 1);
    let in_version = house
        .read(move |conn| files::find_in_version(conn, version, &"a-1.0.0.tgz".parse().unwrap()))
        .await;
    assert_eq!(in_version.unwrap().version_deleted_at, Some(NOON));
}

async fn tags_move_and_go(house: House) {
    let ann = house.user("ann").await;
    let package = house.package(ann, "a", None).await.id;
    let first = house.version(package, "1.0.0").await;
    let second = house.version(package, "2.0.0").await;
    house
        .write(move |tx| {
            tags::put(tx, package, &"latest".parse().unwrap(), first, NOON)?;
            tags::put(tx, package, &"Beta".parse().unwrap(), second, NOON)?;
            tags::put(tx, package, &"latest".parse().unwrap(), second, later(1))
        })
        .await;
    let list = house.read(move |conn| tags::list(conn, package)).await;
    let shown: Vec<_> = list
        .iter()
        .map(|tag| (tag.name.as_str(), tag.version.as_str(), tag.updated_at))
        .collect();
    // upper case first: both engines sort names by their bytes
    assert_eq!(
        shown,
        [("Beta", "2.0.0", NOON), ("latest", "2.0.0", later(1))]
    );
    let removed = house
        .write(move |tx| {
            assert!(tags::remove(tx, package, &"Beta".parse().unwrap())?);
            assert!(!tags::remove(tx, package, &"Beta".parse().unwrap())?);
            tags::remove_of_version(tx, second)
        })
        .await;
    assert_eq!(removed, 1);
    assert!(
        house
            .read(move |conn| tags::list(conn, package))
            .await
            .is_empty()
    );
}

async fn a_blob_is_read_through_a_link_and_promises_only_grow(house: House) {
    let ann = house.user("ann").await;
    let package = house.package(ann, "a", None).await.id;
    let other = house.package(ann, "b", None).await.id;
    let promise = |until| {
        let mut new = new_blob(7, 7);
        new.promised_until = until;
        house.write(move |tx| blobs::insert_or_get(tx, &new))
    };
    assert_eq!(promise(None).await.promised_until, None);
    assert_eq!(promise(Some(later(2))).await.promised_until, Some(later(2)));
    assert_eq!(promise(Some(later(1))).await.promised_until, Some(later(2)));
    assert_eq!(promise(None).await.promised_until, Some(later(2)));
    assert_eq!(promise(Some(later(3))).await.promised_until, Some(later(3)));

    let sha256 = Sha256::new([7; 32]);
    let mut hashed_twice = new_blob(7, 7);
    hashed_twice.sha512 = Some(Sha512::new([8; 64]));
    house
        .write(move |tx| blobs::insert_or_get(tx, &hashed_twice))
        .await;
    let by_second = house
        .read(|conn| blobs::find_by_sha512(conn, &Sha512::new([8; 64])))
        .await;
    assert_eq!(by_second.unwrap().sha256, sha256);

    let digest = Digest::Sha256(sha256);
    house
        .write(move |tx| {
            blobs::link(tx, package, &digest, &sha256, None, NOON)?;
            blobs::link(tx, package, &digest, &sha256, Some(later(1)), NOON)
        })
        .await;
    let linked = house
        .read(move |conn| blobs::find_linked(conn, package, &digest))
        .await;
    let linked = linked.unwrap();
    assert_eq!(linked.blob.sha256, sha256);
    assert_eq!(linked.promised_until, Some(later(1)));
    let elsewhere = house
        .read(move |conn| blobs::find_linked(conn, other, &digest))
        .await;
    assert!(elsewhere.is_none());
}

async fn an_upload_has_one_appender_at_a_time(house: House) {
    let ann = house.user("ann").await;
    let package = house.package(ann, "a", None).await.id;
    let new = NewUpload {
        id: "u1".to_owned(),
        package_id: package,
        account_id: ann,
        token_id: None,
        storage: "staging/u1".to_owned(),
        hash_states: None,
        created_at: NOON,
    };
    house.write(move |tx| uploads::insert(tx, &new)).await;
    let progress = Progress {
        storage: "staging/u1".to_owned(),
        length: 10,
        hash_states: Some(vec![1, 2]),
        at: later(1),
    };
    house
        .write(move |tx| {
            assert!(uploads::lease(tx, "u1", "one", NOON, later(1))?);
            assert!(!uploads::lease(tx, "u1", "two", NOON, later(1))?);
            // a lease that ran out is anybody's, and its holder's work no longer counts
            assert!(uploads::lease(tx, "u1", "two", later(1), later(2))?);
            assert!(!uploads::touch(tx, "u1", "one", &progress)?);
            assert!(uploads::touch(tx, "u1", "two", &progress)?);
            assert!(uploads::lease(tx, "u1", "three", later(1), later(2))?);
            Ok(())
        })
        .await;
    let found = house.read(|conn| uploads::find(conn, "u1")).await.unwrap();
    assert_eq!((found.length, found.hash_states), (10, Some(vec![1, 2])));
    assert!(
        house
            .read(|conn| uploads::stale(conn, later(1), later(5), 5))
            .await
            .is_empty()
    );
    let stale = house
        .read(|conn| uploads::stale(conn, later(2), later(5), 5))
        .await;
    assert_eq!(stale.len(), 1);
    assert!(house.write(|tx| uploads::delete(tx, "u1")).await);
    assert!(house.read(|conn| uploads::find(conn, "u1")).await.is_none());
}

async fn a_job_is_held_by_one_worker_and_comes_back_after_its_lease(house: House) {
    let new = |key: Option<&'static str>| NewJob {
        kind: "sweep",
        unique_key: key,
        payload: "{}",
        run_at: NOON,
        created_at: NOON,
    };
    house
        .write(move |tx| {
            assert!(jobs::enqueue(tx, &new(Some("daily")))?);
            assert!(!jobs::enqueue(tx, &new(Some("daily")))?);
            Ok(())
        })
        .await;
    let claim = |at: Timestamp| house.write(move |tx| jobs::claim(tx, at, at.after(HOUR)));
    assert!(claim(NOON.before(HOUR)).await.is_none(), "not due yet");
    let first = claim(NOON).await.unwrap();
    assert!(claim(NOON).await.is_none(), "held");
    let second = claim(later(1)).await.unwrap();
    assert_eq!((first.attempts, second.attempts), (1, 2));

    // the first worker came too late
    assert!(!house.write(move |tx| jobs::finish(tx, &first)).await);
    let failed = second.clone();
    assert!(
        house
            .write(move |tx| jobs::fail(tx, &failed, "no disk", later(5)))
            .await
    );
    assert!(claim(later(4)).await.is_none());
    let third = claim(later(5)).await.unwrap();
    assert!(house.write(move |tx| jobs::finish(tx, &third)).await);
    assert!(claim(later(9)).await.is_none());
}

async fn downloads_add_up(house: House) {
    let ann = house.user("ann").await;
    let package = house.package(ann, "a", None).await.id;
    let first = house.version(package, "1.0.0").await;
    let second = house.version(package, "2.0.0").await;
    house
        .write(move |tx| {
            downloads::add(
                tx,
                1,
                &[(second, 1), (first, 2), (999.into(), 7), (first, 3)],
            )?;
            downloads::add(tx, 1, &[(first, 10)])?;
            downloads::add(tx, 2, &[(first, 100)])
        })
        .await;
    let totals = house
        .read(move |conn| downloads::totals(conn, &[first, second, 999.into()]))
        .await;
    assert_eq!(totals, [(first, 115), (second, 1)]);
}

async fn the_first_value_of_a_setting_stays(house: House) {
    assert_eq!(house.read(|conn| settings::get(conn, "id")).await, None);
    for value in ["one", "two"] {
        let kept = house
            .write(move |tx| settings::put_if_absent(tx, "id", value))
            .await;
        assert_eq!(kept, "one");
    }
    let found = house.read(|conn| settings::get(conn, "id")).await;
    assert_eq!(found.as_deref(), Some("one"));
}
