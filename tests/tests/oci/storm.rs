//! Pushes, moved tags, deletions and pulls at once, while the collector hardly rests: whatever was
//! acknowledged and not taken back can be pulled, and all space comes back in the end.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use packhouse_testkit::http::{Connection, Request, Response};
use packhouse_testkit::postgres::PostgresServer;
use serde_json::json;

use crate::collection::{collecting, run, stored};
use crate::fixture::{Manifest, Registry, image_of, index_of, sha256};

/// How long a storm lasts, in seconds, if not 20.
const SECONDS_VARIABLE: &str = "PACKHOUSE_TEST_STORM_SECONDS";
const SECONDS: u64 = 20;

const REPOSITORIES: [&str; 3] = ["alice/one", "alice/two", "alice/three"];
const PUSHERS: u64 = 4;
const TAGS: u64 = 4;
const LAYERS: u64 = 10;

/// How often a push is tried again whose blobs went under its hands.
const TRIES: u32 = 50;

#[test]
fn nothing_that_was_acknowledged_is_collected() {
    let registry = Registry::over(collecting("1s", "1s", "1s").start());
    Storm::new(&registry).rage(&registry);
}

#[test]
fn nothing_that_was_acknowledged_is_collected_on_postgresql_without_promises() {
    let Some(postgres) = PostgresServer::shared() else {
        return;
    };
    let server = collecting("1s", "0", "1s").database_url(postgres.new_database());
    let registry = Registry::over(server.start());
    Storm::new(&registry).rage(&registry);
}

/// An image that a tag names, with all that belongs to it.
#[derive(Clone)]
struct Pushed {
    root: Manifest,
    children: Vec<Manifest>,
    blobs: Vec<Vec<u8>>,
}

/// What a tag was last known to name. `None` while its owner is changing it, and when it is gone.
#[derive(Clone, Default)]
struct Entry {
    pushed: Option<Pushed>,
    generation: u64,
}

type Place = (&'static str, String);

#[derive(Default)]
struct Counts {
    pushes: AtomicU64,
    retries: AtomicU64,
    skipped: AtomicU64,
    deletes: AtomicU64,
    pulls: AtomicU64,
}

struct Storm {
    base: String,
    token: String,
    ledger: Mutex<BTreeMap<Place, Entry>>,
    layers: Vec<Vec<u8>>,
    over: AtomicBool,
    counts: Counts,
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// A generator of choices (xorshift).
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) % end
    }
}

impl Storm {
    fn new(registry: &Registry) -> Self {
        // some are kept in memory by the server, some are not
        let layers = (0..LAYERS)
            .map(|number| {
                let length = if number % 2 == 0 { 2_000 } else { 90_000 };
                format!("layer {number} ").into_bytes().repeat(length / 8)
            })
            .collect();
        Self {
            base: registry.server.base().to_owned(),
            token: registry.token.clone(),
            ledger: Mutex::default(),
            layers,
            over: AtomicBool::new(false),
            counts: Counts::default(),
        }
    }

    fn rage(&self, registry: &Registry) {
        let seconds = std::env::var(SECONDS_VARIABLE)
            .ok()
            .map_or(SECONDS, |text| text.parse().unwrap());
        thread::scope(|scope| {
            for number in 0..PUSHERS {
                scope.spawn(move || Client::of(self).push_and_delete(number));
            }
            scope.spawn(|| {
                let mut client = Client::of(self);
                while !self.is_over() {
                    client.check();
                }
            });
            let end = Instant::now() + Duration::from_secs(seconds);
            let mut client = Client::of(self);
            while Instant::now() < end && !self.is_over() {
                client.check();
            }
            self.over.store(true, Ordering::SeqCst);
        });
        Client::of(self).check();
        let inspected = run(&registry.server, &["fsck"]);
        let metrics = registry.server.send(&Request::get("/metrics")).text();
        let metric = |name: &str| -> u64 {
            let line = metrics.lines().find_map(|line| line.strip_prefix(name));
            line.map_or(0, |value| value.trim().parse().unwrap())
        };
        let collected = metric("packhouse_gc_blobs_deleted_total ");
        let Counts {
            pushes,
            retries,
            skipped,
            deletes,
            pulls,
        } = &self.counts;
        eprintln!(
            "{seconds} s: {pushes:?} pushes ({retries:?} tried again, {skipped:?} blobs not sent), \
             {deletes:?} deletions, {pulls:?} pulls; {} blobs condemned, {collected} deleted, \
             {} bytes reclaimed\n{}",
            metric("packhouse_gc_blobs_condemned_total "),
            metric("packhouse_gc_reclaimed_bytes_total "),
            inspected.stdout
        );
        assert!(collected > 0, "the collector had nothing to do");
        assert!(pulls.load(Ordering::Relaxed) > 0 && deletes.load(Ordering::Relaxed) > 0);
        self.all_space_comes_back(registry);
    }

    fn all_space_comes_back(&self, registry: &Registry) {
        let mut client = Client::of(self);
        let places: Vec<Place> = self.ledger().keys().cloned().collect();
        for (repository, tag) in places {
            client.delete(repository, &tag);
        }
        let deadline = Instant::now() + Duration::from_secs(60);
        while stored(&registry.server).0 > 0 {
            assert!(
                Instant::now() < deadline,
                "{:?} left",
                stored(&registry.server)
            );
            thread::yield_now();
        }
        let inspected = run(&registry.server, &["fsck"]).stdout;
        assert!(inspected.contains("checked: 0 blobs"), "{inspected}");
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    fn ledger(&self) -> std::sync::MutexGuard<'_, BTreeMap<Place, Entry>> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, place: Place, pushed: Option<Pushed>) -> Option<Pushed> {
        let mut ledger = self.ledger();
        let entry = ledger.entry(place).or_default();
        entry.generation += 1;
        std::mem::replace(&mut entry.pushed, pushed)
    }

    fn entry(&self, place: &Place) -> Entry {
        self.ledger().get(place).cloned().unwrap_or_default()
    }
}

/// Ends the storm when whoever holds it fails: the others need not go on.
impl Drop for Client<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.storm.over.store(true, Ordering::SeqCst);
        }
    }
}

struct Client<'a> {
    storm: &'a Storm,
    connection: Connection,
}

impl<'a> Client<'a> {
    fn of(storm: &'a Storm) -> Self {
        Self {
            storm,
            connection: Connection::open(&storm.base).unwrap(),
        }
    }

    fn ask(&mut self, request: Request) -> Response {
        if !self.connection.is_open() {
            self.connection = Connection::open(&self.storm.base).unwrap();
        }
        let request = request.basic("alice", &self.storm.token);
        let answer = self.connection.send(&request).unwrap();
        assert!(answer.status < 500, "{request:?}: {answer}");
        answer
    }

    fn push_and_delete(&mut self, number: u64) {
        let mut chance = Chance(0x9e37_79b9_7f4a_7c15 ^ (number + 1));
        let mut serial = 0;
        while !self.storm.is_over() {
            let index = usize::try_from(chance.below(3)).unwrap();
            let repository = REPOSITORIES[index];
            let tag = format!("tag-{number}-{}", chance.below(TAGS));
            if chance.below(4) == 0 {
                self.delete(repository, &tag);
                continue;
            }
            serial += 1;
            let name = format!("{number}-{serial}");
            self.push(repository, &tag, &name, &mut chance);
        }
    }

    /// Pushes an image, or a list of two, and lets the tag that it had go on being tagged or not.
    fn push(&mut self, repository: &'static str, tag: &str, name: &str, chance: &mut Chance) {
        let images = 1 + usize::from(chance.below(3) == 0);
        let mut blobs = Vec::new();
        let mut manifests = Vec::new();
        for image in 0..images {
            let layer = self.storm.layers[usize::try_from(chance.below(LAYERS)).unwrap()].clone();
            let config = json!({"os": "linux", "image": format!("{name}-{image}")}).to_string();
            manifests.push(image_of(config.as_bytes(), &layer));
            blobs.push(config.into_bytes());
            blobs.push(layer);
        }
        let pushed = match manifests.as_slice() {
            [root] => Pushed {
                root: root.clone(),
                children: Vec::new(),
                blobs,
            },
            children => Pushed {
                root: index_of(&children.iter().collect::<Vec<_>>()),
                children: manifests.clone(),
                blobs,
            },
        };
        let place = (repository, tag.to_owned());
        let before = self.storm.enter(place.clone(), None);
        for attempt in 0.. {
            assert!(attempt < TRIES, "{name} cannot be pushed");
            if self.try_push(repository, tag, &pushed, chance) {
                break;
            }
            count(&self.storm.counts.retries);
        }
        self.storm.enter(place, Some(pushed));
        count(&self.storm.counts.pushes);
        // what the tag named has no name any more; without this it would stay for ever
        if let Some(before) = before {
            self.delete_manifests(repository, &before);
        }
    }

    fn try_push(
        &mut self,
        repository: &str,
        tag: &str,
        pushed: &Pushed,
        chance: &mut Chance,
    ) -> bool {
        for blob in &pushed.blobs {
            self.push_blob(repository, blob, chance);
        }
        let children = pushed.children.iter();
        let documents = children
            .map(|child| (child, child.digest()))
            .chain([(&pushed.root, tag.to_owned())]);
        for (manifest, reference) in documents {
            let answer = self.ask(manifest.put(repository, &reference));
            if answer.status == 400 {
                assert!(answer.text().contains("MANIFEST_BLOB_UNKNOWN"), "{answer}");
                return false;
            }
            assert_eq!(answer.status, 201, "{answer}");
        }
        true
    }

    fn push_blob(&mut self, repository: &str, blob: &[u8], chance: &mut Chance) {
        let digest = sha256(blob);
        let there = self.ask(Request::head(format!("/v2/{repository}/blobs/{digest}")));
        if there.status == 200 {
            count(&self.storm.counts.skipped);
            return;
        }
        let uploads = format!("/v2/{repository}/blobs/uploads/");
        let location = match chance.below(3) {
            0 => {
                let whole = Request::post(format!("{uploads}?digest={digest}"));
                let answer = self.ask(whole.body(blob.to_vec()));
                assert_eq!(answer.status, 201, "{answer}");
                return;
            }
            1 => {
                let answer = self.ask(Request::post(format!("{uploads}?mount={digest}")));
                if answer.status == 201 {
                    count(&self.storm.counts.skipped);
                    return;
                }
                answer
            }
            _ => self.ask(Request::post(uploads)),
        }
        .expect_status(202)
        .header("location")
        .unwrap()
        .to_owned();
        let half = blob.len() / 2;
        let patch = Request::new("PATCH", &location).body(blob[..half].to_vec());
        assert_eq!(self.ask(patch).status, 202);
        let put = Request::put(format!("{location}?digest={digest}")).body(blob[half..].to_vec());
        let answer = self.ask(put);
        assert_eq!(answer.status, 201, "{answer}");
    }

    fn delete(&mut self, repository: &'static str, tag: &str) {
        let place = (repository, tag.to_owned());
        if let Some(pushed) = self.storm.enter(place, None) {
            self.delete_manifests(repository, &pushed);
            count(&self.storm.counts.deletes);
        }
    }

    /// The list first: its children stay for as long as it does.
    fn delete_manifests(&mut self, repository: &str, pushed: &Pushed) {
        for manifest in std::iter::once(&pushed.root).chain(&pushed.children) {
            let target = format!("/v2/{repository}/manifests/{}", manifest.digest());
            let answer = self.ask(Request::delete(target));
            assert_eq!(answer.status, 202, "{answer}");
        }
    }

    /// Pulls whatever was acknowledged.
    fn check(&mut self) {
        let places: Vec<Place> = self.storm.ledger().keys().cloned().collect();
        for place in places {
            let entry = self.storm.entry(&place);
            let Some(pushed) = &entry.pushed else {
                continue;
            };
            if let Err(problem) = self.pull(place.0, &place.1, pushed) {
                let now = self.storm.entry(&place).generation;
                assert_ne!(now, entry.generation, "{place:?}: {problem}");
            }
            count(&self.storm.counts.pulls);
        }
        thread::yield_now();
    }

    fn pull(&mut self, repository: &str, tag: &str, pushed: &Pushed) -> Result<(), String> {
        let mut get = |kind: &str, reference: &str, expected: &[u8]| {
            let target = format!("/v2/{repository}/{kind}/{reference}");
            let answer = self.ask(Request::get(&target));
            if answer.status == 200 && answer.body == expected {
                return Ok(());
            }
            Err(format!("{target}: {}", answer.status))
        };
        get("manifests", tag, &pushed.root.bytes)?;
        for child in &pushed.children {
            get("manifests", &child.digest(), &child.bytes)?;
        }
        for blob in &pushed.blobs {
            get("blobs", &sha256(blob), blob)?;
        }
        Ok(())
    }
}
