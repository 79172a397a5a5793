//! What the collector takes and what it leaves, with everybody at work.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use packhouse_db::collection::{self, CondemnedObject};
use packhouse_db::files::NewFile;
use packhouse_db::references::{self, NewReference};
use packhouse_db::{
    BlobState, Conn, Db, DbError, DbResult, ReferenceKind, Tx, blobs, files, holders, leases,
    packages, versions,
};
use packhouse_names::{Digest, PackageId, Sha256, Sha512, Timestamp, VersionId};
use tokio::task::JoinSet;

use crate::house::{House, NOON, new_blob, new_version};

on_both!(
    what_anything_holds_is_never_condemned,
    a_condemned_blob_ends_unless_it_came_back,
    a_link_goes_when_no_live_version_needs_it_and_its_promise_is_over,
    what_cannot_be_restored_any_more_is_removed_for_good,
    a_promise_holds_for_the_blob_and_the_link,
    a_lease_is_one_holders_at_a_time,
    publishers_and_the_collector_do_not_harm_each_other,
    documents_and_the_collector_do_not_harm_each_other,
    mounts_and_the_collector_do_not_harm_each_other,
    who_holds_a_blob_is_known_by_name,
);

fn later(seconds: i64) -> Timestamp {
    Timestamp::from_micros(NOON.as_micros() + seconds * 1_000_000)
}

fn sha256(seed: u8) -> Sha256 {
    Sha256::new([seed; 32])
}

fn file(package: PackageId, version: VersionId, seed: u8) -> NewFile {
    NewFile {
        package_id: package,
        version_id: Some(version),
        name: "a.tgz".parse().unwrap(),
        sha256: sha256(seed),
        sha512: None,
        sha1: None,
        md5: None,
        size_bytes: 5,
        media_type: "a/b".to_owned(),
        created_at: NOON,
    }
}

fn layer(digest: Digest) -> NewReference {
    NewReference {
        kind: ReferenceKind::Layer,
        digest,
        media_type: None,
        size_bytes: 5,
        artifact_type: None,
        is_required: true,
    }
}

fn unheld(conn: &mut Conn, at: Timestamp) -> DbResult<Vec<Sha256>> {
    let mut found = Vec::new();
    let mut after = None;
    loop {
        // steps of two, so that there are several
        let end = collection::step_end(conn, after, 2)?;
        let step = collection::unheld(conn, after, end, at)?;
        found.extend(step.into_iter().map(|blob| blob.sha256));
        if end.is_none() {
            return Ok(found);
        }
        after = end;
    }
}

async fn condemn(house: &House, seed: u8, at: Timestamp) -> Vec<CondemnedObject> {
    house
        .write(move |tx| collection::condemn(tx, &[sha256(seed)], at))
        .await
}

async fn what_anything_holds_is_never_condemned(house: House) {
    let ann = house.user("ann").await;
    let package = house.package(ann, "a", None).await.id;
    let version = house.version(package, "1.0.0").await;
    for seed in 1..=4 {
        house.blob(seed).await;
    }
    house
        .write(move |tx| {
            let mut promised = new_blob(5, 5);
            promised.promised_until = Some(later(10));
            blobs::insert_or_get(tx, &promised)?;
            let mut twice = new_blob(6, 6);
            twice.sha512 = Some(Sha512::new([6; 64]));
            blobs::insert_or_get(tx, &twice)?;
            files::insert(tx, &file(package, version, 1))?;
            let digest = Digest::Sha256(sha256(2));
            blobs::link(tx, package, &digest, &sha256(2), None, NOON)?;
            let named = [
                layer(Digest::Sha256(sha256(3))),
                layer(Digest::Sha512(Sha512::new([6; 64]))),
            ];
            references::insert(tx, version, &named)?;
            // a deleted version holds what it has until it is removed for good
            versions::soft_delete(tx, version, NOON)
        })
        .await;
    let found = |at| house.read(move |conn| unheld(conn, at));
    assert_eq!(found(later(1)).await, [sha256(4)]);
    assert_eq!(found(later(10)).await, [sha256(4), sha256(5)]);
    for seed in [1, 2, 3, 5, 6] {
        assert_eq!(condemn(&house, seed, later(1)).await, [], "{seed}");
    }
    assert_eq!(condemn(&house, 4, later(1)).await.len(), 1);
    assert_eq!(found(later(1)).await, []);

    house.write(move |tx| versions::remove(tx, version)).await;
    assert_eq!(
        found(later(1)).await,
        [sha256(1), sha256(3), sha256(6)],
        "its file and its references went with it"
    );
}

async fn a_condemned_blob_ends_unless_it_came_back(house: House) {
    for seed in [1, 2, 3] {
        house.blob(seed).await;
        assert_eq!(condemn(&house, seed, later(1)).await.len(), 1);
    }
    let due = |at| house.read(move |conn| collection::due(conn, at, None, 10));
    assert_eq!(due(NOON).await, []);
    let all = due(later(1)).await;
    assert_eq!(all.len(), 3);
    let page = |after: &CondemnedObject| {
        let after = after.clone();
        house.read(move |conn| collection::due(conn, later(1), Some(&after), 1))
    };
    assert_eq!(page(&all[0]).await, all[1..2]);
    assert_eq!(page(&all[2]).await, []);
    let waiting = house.read(collection::waiting).await;
    assert_eq!(waiting, (3, Some(later(1))));

    // the second comes back under another key, the third is held after all
    let ann = house.user("ann").await;
    let package = house.package(ann, "a", None).await.id;
    let version = house.version(package, "1.0.0").await;
    let free = house
        .write(move |tx| {
            blobs::insert_or_get(tx, &new_blob(2, 22))?;
            files::insert(tx, &file(package, version, 3))?;
            collection::bury(tx, &all)
        })
        .await;
    let keys: Vec<_> = free
        .iter()
        .map(|object| object.storage_key.clone())
        .collect();
    assert_eq!(
        keys,
        [new_blob(1, 1).storage_key, new_blob(2, 2).storage_key]
    );
    for (seed, key) in [(2, 22), (3, 3)] {
        let blob = house
            .read(move |conn| blobs::find(conn, &sha256(seed)))
            .await
            .unwrap();
        assert_eq!(blob.state, BlobState::Live);
        assert_eq!(blob.storage_key, new_blob(seed, key).storage_key);
    }
    let first = house.read(|conn| blobs::find(conn, &sha256(1))).await;
    assert!(first.is_none());

    // they are known until the store has none of them
    let known = |keys: Vec<packhouse_names::StorageKey>| {
        house.read(move |conn| Ok(collection::known_keys(conn, &keys)?.len()))
    };
    assert_eq!(known(keys.clone()).await, 2);
    let forgotten = keys.clone();
    house
        .write(move |tx| collection::forget(tx, &forgotten))
        .await;
    assert_eq!(known(keys).await, 0);
    assert_eq!(due(later(1)).await, []);
}

async fn a_link_goes_when_no_live_version_needs_it_and_its_promise_is_over(house: House) {
    let ann = house.user("ann").await;
    let package = house.package(ann, "a", None).await.id;
    let other = house.package(ann, "b", None).await.id;
    let version = house.version(package, "1.0.0").await;
    for seed in 1..=3 {
        house.blob(seed).await;
    }
    house
        .write(move |tx| {
            for (package, seed, until) in [
                (package, 1, None),
                (package, 2, Some(later(5))),
                (package, 3, None),
                // named by a version of another package
                (other, 1, None),
            ] {
                let digest = Digest::Sha256(sha256(seed));
                blobs::link(tx, package, &digest, &sha256(seed), until, NOON)?;
            }
            references::insert(tx, version, &[layer(Digest::Sha256(sha256(1)))])
        })
        .await;
    let needless = |at| {
        house.read(move |conn| {
            let mut found = Vec::new();
            let mut after = (0, String::new());
            loop {
                let end = collection::link_step_end(conn, &after, 1)?;
                for (package, digests) in
                    collection::needless_links(conn, &after, end.as_ref(), at)?
                {
                    found.extend(digests.into_iter().map(|digest| (package, digest)));
                }
                match end {
                    Some(end) => after = end,
                    None => return Ok(found),
                }
            }
        })
    };
    let name = |seed| Digest::Sha256(sha256(seed)).to_string();
    assert_eq!(
        needless(later(1)).await,
        [(package, name(3)), (other, name(1))]
    );
    let all = [name(1), name(2), name(3)];
    let pruned = house
        .write(move |tx| {
            packages::lock(tx, package)?;
            collection::prune_links(tx, package, &all, later(1))
        })
        .await;
    assert_eq!(pruned, [name(3)]);
    house
        .write(move |tx| versions::soft_delete(tx, version, NOON))
        .await;
    assert_eq!(
        needless(later(5)).await,
        [(package, name(1)), (package, name(2)), (other, name(1))],
        "a deleted image is not readable by its layers for ever"
    );
}

async fn what_cannot_be_restored_any_more_is_removed_for_good(house: House) {
    let ann = house.user("ann").await;
    let package = house.package(ann, "a", None).await.id;
    let gone = house.package(ann, "b", None).await.id;
    let live = house.version(package, "1.0.0").await;
    let deleted = house.version(package, "2.0.0").await;
    let of_gone = house.version(gone, "1.0.0").await;
    house
        .write(move |tx| {
            versions::soft_delete(tx, deleted, later(5))?;
            packages::soft_delete(tx, gone, later(5))
        })
        .await;
    let lost = |before| {
        house.read(move |conn| collection::lost_versions(conn, VersionId::from(0), before, 10))
    };
    assert_eq!(lost(later(4)).await, []);
    let both = [(package, deleted), (gone, of_gone)];
    assert_eq!(lost(later(5)).await, both);
    let purge = |package: PackageId, version, before| {
        house.write(move |tx| {
            let package = packages::lock(tx, package)?;
            collection::purge_version(tx, &package, version, before)
        })
    };
    assert_eq!(purge(package, live, later(9)).await, None);
    assert_eq!(purge(package, deleted, later(4)).await, None);
    assert_eq!(
        purge(package, deleted, later(5)).await.as_deref(),
        Some("2.0.0")
    );
    let packages = || house.read(|conn| collection::lost_packages(conn, later(9), 10));
    assert!(packages().await.is_empty(), "it has a version yet");
    assert!(purge(gone, of_gone, later(5)).await.is_some());
    assert_eq!(packages().await, [gone]);
    let gone_for_good = |before| house.write(move |tx| collection::purge_package(tx, gone, before));
    assert!(!gone_for_good(later(4)).await);
    assert!(gone_for_good(later(5)).await);
    assert_eq!(lost(later(9)).await, []);
}

async fn a_promise_holds_for_the_blob_and_the_link(house: House) {
    let ann = house.user("ann").await;
    let package = house.package(ann, "a", None).await.id;
    house.blob(1).await;
    let digest = Digest::Sha256(sha256(1));
    let promise = |until| house.write(move |tx| blobs::promise(tx, package, &digest, until));
    assert!(!promise(later(1)).await, "nothing is linked");
    house
        .write(move |tx| blobs::link(tx, package, &digest, &sha256(1), None, NOON))
        .await;
    for (until, expected) in [(2, 2), (1, 2), (3, 3)] {
        assert!(promise(later(until)).await);
        let linked = house
            .read(move |conn| blobs::find_linked(conn, package, &digest))
            .await
            .unwrap();
        assert_eq!(linked.promised_until, Some(later(expected)));
        assert_eq!(linked.blob.promised_until, Some(later(expected)));
    }
}

async fn a_lease_is_one_holders_at_a_time(house: House) {
    let take = |holder: &'static str, at, until| {
        house.write(move |tx| leases::take(tx, "work", holder, later(at), later(until)))
    };
    assert!(take("a", 0, 10).await);
    assert!(!take("b", 5, 15).await);
    assert!(take("a", 5, 20).await, "the holder renews");
    assert!(!take("b", 15, 25).await);
    assert!(take("b", 20, 30).await, "who died loses it");
    house
        .write(|tx| {
            leases::release(tx, "work", "a")?;
            leases::note_done(tx, "work", later(7))
        })
        .await;
    assert!(
        !take("a", 21, 30).await,
        "it was not the other's to give back"
    );
    house.write(|tx| leases::release(tx, "work", "b")).await;
    assert!(take("a", 21, 30).await);
    let done = |name: &'static str| house.read(move |conn| leases::done_at(conn, name));
    assert_eq!(done("work").await, Some(later(7)));
    assert_eq!(done("other").await, None);
}

/// Blobs that the writers of a race share.
const SHARED: u8 = 4;
const WRITERS: u8 = 6;
const ROUNDS: u32 = 30;

/// A collector that never waits, beside writers; gives how many objects it buried.
struct Collector {
    stop: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<u64>,
}

impl Collector {
    fn start(db: &Db) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (db, stopped) = (db.clone(), Arc::clone(&stop));
        let task = tokio::spawn(async move {
            let mut buried = 0;
            while !stopped.load(Ordering::SeqCst) {
                buried += Self::pass(&db).await;
            }
            buried
        });
        Self { stop, task }
    }

    async fn pass(db: &Db) -> u64 {
        let links = db
            .read(|conn| collection::needless_links(conn, &(0, String::new()), None, NOON))
            .await
            .unwrap();
        for (package, digests) in links {
            db.write(move |tx| {
                packages::lock(tx, package)?;
                collection::prune_links(tx, package, &digests, NOON)
            })
            .await
            .unwrap();
        }
        let found = db.read(|conn| unheld(conn, NOON)).await.unwrap();
        db.write(move |tx| collection::condemn(tx, &found, NOON))
            .await
            .unwrap();
        let due = db
            .read(|conn| collection::due(conn, NOON, None, 100))
            .await
            .unwrap();
        let free = db
            .write(move |tx| collection::bury(tx, &due))
            .await
            .unwrap();
        let keys: Vec<_> = free.into_iter().map(|object| object.storage_key).collect();
        let count = u64::try_from(keys.len()).unwrap();
        db.write(move |tx| collection::forget(tx, &keys))
            .await
            .unwrap();
        count
    }

    async fn stop(self) -> u64 {
        self.stop.store(true, Ordering::SeqCst);
        self.task.await.unwrap()
    }
}

/// A storage key of its own for each.
fn fresh(seed: u8, counter: &AtomicU64) -> blobs::NewBlob {
    let mut new = new_blob(seed, seed);
    let number = counter.fetch_add(1, Ordering::SeqCst);
    new.storage_key = format!("{number:032x}").parse().unwrap();
    new
}

/// Lets writers do `work` again and again beside a collector, and sees that it had work too.
async fn beside_a_collector<F>(house: &House, work: F)
where
    F: Fn(&mut Tx<'_>, u8, u32) -> DbResult<()> + Clone + Send + Sync + 'static,
{
    let collector = Collector::start(&house.db);
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let (db, work) = (house.db.clone(), work.clone());
        writers.spawn(async move {
            for round in 0..ROUNDS {
                let work = work.clone();
                db.write(move |tx| work(tx, writer, round)).await.unwrap();
            }
        });
    }
    writers.join_all().await;
    let buried = collector.stop().await;
    assert!(buried > 0, "the collector found nothing to do");
}

async fn publishers_and_the_collector_do_not_harm_each_other(house: House) {
    let ann = house.user("ann").await;
    let mut homes = Vec::new();
    for writer in 0..WRITERS {
        homes.push(house.package(ann, &format!("p{writer}"), None).await.id);
    }
    let keys = Arc::new(AtomicU64::new(1000));
    // each publishes what all share, and takes back what it published before
    beside_a_collector(&house, move |tx, writer, round| {
        let package = homes[usize::from(writer)];
        packages::lock(tx, package)?;
        let seed = u8::try_from(round % u32::from(SHARED)).unwrap();
        for (_, version) in versions::keys(tx, package)? {
            versions::remove(tx, version)?;
        }
        let version = versions::insert(tx, &new_version(package, &round.to_string()))?;
        let blob = blobs::insert_or_get(tx, &fresh(seed, &keys))?;
        assert_eq!(blob.state, BlobState::Live);
        files::insert(tx, &file(package, version, seed))?;
        Ok(())
    })
    .await;
    held_blobs_live(&house).await;
}

/// Whatever a file or a link leads to lives.
async fn held_blobs_live(house: &House) {
    for seed in 0..SHARED {
        let (blob, is_held) = house
            .read(move |conn| {
                let is_held = !holders::files(conn, &sha256(seed), 1)?.is_empty()
                    || !holders::links(conn, &sha256(seed), 1)?.is_empty();
                Ok((blobs::find(conn, &sha256(seed))?, is_held))
            })
            .await;
        if is_held {
            assert_eq!(blob.unwrap().state, BlobState::Live, "{seed}");
        }
    }
    let unmet = house
        .read(|conn| {
            let all = holders::requirements(conn, &(0, String::new(), String::new()), 1000)?;
            let mut unmet = Vec::new();
            for one in all {
                if !holders::is_met(conn, one.package_id, &one.kind, &one.digest)? {
                    unmet.push(one);
                }
            }
            Ok(unmet)
        })
        .await;
    assert!(unmet.is_empty(), "{unmet:?}");
}

async fn documents_and_the_collector_do_not_harm_each_other(house: House) {
    let ann = house.user("ann").await;
    let package = house.package(ann, "shared", None).await.id;
    let keys = Arc::new(AtomicU64::new(1000));
    let accepted = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&accepted);
    // all push to one package: upload, and in another round a document that names the upload
    beside_a_collector(&house, move |tx, writer, round| {
        let seed = u8::try_from(round / 2 % u32::from(SHARED)).unwrap();
        let digest = Digest::Sha256(sha256(seed));
        if round % 2 == 0 {
            let blob = blobs::insert_or_get(tx, &fresh(seed, &keys))?;
            return blobs::link(tx, package, &digest, &blob.sha256, Some(NOON), NOON);
        }
        packages::lock(tx, package)?;
        let mine = format!("{writer}-{seed}").parse().unwrap();
        if let Some(version) = versions::find(tx, package, &mine)? {
            return versions::remove(tx, version.listed.id);
        }
        let wanted = [digest.to_string()];
        if blobs::lock_linked(tx, package, &wanted)?.is_empty() {
            return Ok(());
        }
        let version = versions::insert(tx, &new_version(package, mine.as_str()))?;
        counted.fetch_add(1, Ordering::SeqCst);
        references::insert(tx, version, &[layer(digest)])
    })
    .await;
    assert!(accepted.load(Ordering::SeqCst) > 0);
    held_blobs_live(&house).await;
}

async fn mounts_and_the_collector_do_not_harm_each_other(house: House) {
    let ann = house.user("ann").await;
    let source = house.package(ann, "source", None).await.id;
    let target = house.package(ann, "target", None).await.id;
    let keys = Arc::new(AtomicU64::new(1000));
    beside_a_collector(&house, move |tx, writer, round| {
        let seed = u8::try_from(round % u32::from(SHARED)).unwrap();
        let digest = Digest::Sha256(sha256(seed));
        if writer % 2 == 0 {
            let blob = blobs::insert_or_get(tx, &fresh(seed, &keys))?;
            return blobs::link(tx, source, &digest, &blob.sha256, Some(NOON), NOON);
        }
        if blobs::lock_linked(tx, source, &[digest.to_string()])?.is_empty() {
            return Ok(());
        }
        // it cannot go while we have it
        let blob = blobs::find(tx, &sha256(seed))?.ok_or(DbError::NotFound)?;
        assert_eq!(blob.state, BlobState::Live);
        blobs::link(tx, target, &digest, &blob.sha256, Some(NOON), NOON)
    })
    .await;
    held_blobs_live(&house).await;
}

async fn who_holds_a_blob_is_known_by_name(house: House) {
    let ann = house.user("Ann").await;
    let package = house.package(ann, "a", None).await.id;
    let version = house.version(package, "1.0.0").await;
    house.blob(1).await;
    house
        .write(move |tx| {
            files::insert(tx, &file(package, version, 1))?;
            let digest = Digest::Sha256(sha256(1));
            blobs::link(tx, package, &digest, &sha256(1), Some(later(3)), NOON)?;
            references::insert(tx, version, &[layer(digest)])?;
            versions::soft_delete(tx, version, later(2))
        })
        .await;
    let (files, links, references) = house
        .read(|conn| {
            Ok((
                holders::files(conn, &sha256(1), 5)?,
                holders::links(conn, &sha256(1), 5)?,
                holders::references(conn, &[Digest::Sha256(sha256(1))], 5)?,
            ))
        })
        .await;
    let (file, link, reference) = (&files[0], &links[0], &references[0]);
    assert_eq!(
        (file.package.owner.as_str(), file.package.ecosystem.as_str()),
        ("Ann", "npm")
    );
    assert_eq!(
        (file.file.as_str(), file.version.as_deref()),
        ("a.tgz", Some("1.0.0"))
    );
    assert_eq!(file.version_deleted_at, Some(later(2)));
    assert_eq!(link.promised_until, Some(later(3)));
    assert_eq!(
        (reference.version.as_str(), reference.kind.as_str()),
        ("1.0.0", "layer")
    );
}
