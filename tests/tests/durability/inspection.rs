//! Holding a server that came back against what its clients know.

use std::collections::BTreeMap;

use packhouse_testkit::http::{Connection, Request, Response};
use packhouse_testkit::npm::integrity;
use packhouse_testkit::server::TestServer;
use serde_json::{Map, Value};

use crate::chance::Chance;
use crate::ledger::{Attempt, Attempts, Fate, Ledger};
use crate::release::{Release, document_target, tags_target};

const ABBREVIATED: &str = "application/vnd.npm.install-v1+json";

/// A look at a server by somebody who may read and write everything.
pub(crate) struct Inspection<'a> {
    base: &'a str,
    token: &'a str,
    connection: Connection,
}

impl<'a> Inspection<'a> {
    pub(crate) fn open(server: &'a TestServer, token: &'a str) -> Self {
        Self {
            base: server.base(),
            token,
            connection: Connection::open(server.base()).unwrap(),
        }
    }

    /// Inspects the packages of a round and the bytes of its versions. Some of what was lost is
    /// published again, as its client would: nothing half done may be in the way.
    pub(crate) fn of_round(mut self, round: u64, ledger: &mut Ledger, chance: &mut Chance) {
        let mut found = 0;
        for (package, attempts) in ledger.packages() {
            let is_of_round = |attempt: &Attempt| attempt.release.order.0 == round;
            if !attempts.values().any(is_of_round) {
                continue;
            }
            let listed = self.document(package);
            found += settle(attempts, &listed);
            self.tags(package, attempts, &listed);
            for attempt in attempts.values_mut().filter(|attempt| is_of_round(attempt)) {
                self.bytes(attempt);
                self.try_again(attempt, chance);
            }
        }
        ledger.found += found;
    }

    /// Inspects every package and every byte.
    pub(crate) fn of_everything(mut self, ledger: &mut Ledger) {
        for (package, attempts) in ledger.packages() {
            let listed = self.document(package);
            assert_eq!(settle(attempts, &listed), 0, "all is settled already");
            self.tags(package, attempts, &listed);
            for attempt in attempts.values() {
                self.bytes(attempt);
            }
        }
    }

    /// The package's document, the same in both forms; empty if there is no such package.
    fn document(&mut self, package: &str) -> Map<String, Value> {
        let target = document_target(package);
        let full = self.get(&target, "application/json");
        let short = self.get(&target, ABBREVIATED);
        assert_eq!(full.status, short.status, "{package}");
        if full.status == 404 {
            return Map::new();
        }
        let full = full.expect_status(200).json();
        let short = short.expect_status(200).json();
        let (versions, times) = (&full["versions"], &full["time"]);
        for (version, manifest) in versions.as_object().unwrap() {
            assert_eq!(manifest["version"], *version);
            assert!(times[version].is_string(), "{package}: {times}");
            assert_eq!(manifest["dist"], short["versions"][version]["dist"]);
        }
        let count = |document: &Value| document["versions"].as_object().map(Map::len);
        assert_eq!(count(&full), count(&short), "{package}");
        assert_eq!(full["dist-tags"], short["dist-tags"], "{package}");
        let Value::Object(full) = full else {
            panic!("{package}: {full}");
        };
        full
    }

    /// Every tag names a version that is there, and a client's own tag the last it published.
    fn tags(&mut self, package: &str, attempts: &Attempts, document: &Map<String, Value>) {
        let Some(Value::Object(tags)) = document.get("dist-tags") else {
            assert!(document.is_empty(), "{package} has no tags");
            return;
        };
        let asked = self.get(&tags_target(package), "application/json");
        assert_eq!(
            asked.expect_status(200).json().as_object(),
            Some(tags),
            "{package}"
        );
        assert!(
            attempts.contains_key(tags["latest"].as_str().unwrap()),
            "{package}: {tags:?}"
        );
        let mut last: BTreeMap<&str, &Release> = BTreeMap::new();
        for attempt in attempts.values().filter(|attempt| attempt.is_published()) {
            let release = &attempt.release;
            let known = last.entry(&release.tag).or_insert(release);
            if known.order < release.order {
                *known = release;
            }
        }
        let own_tags = tags.iter().filter(|(tag, _)| *tag != "latest");
        let own_tags: Vec<(&str, &str)> = own_tags
            .map(|(tag, version)| (tag.as_str(), version.as_str().unwrap()))
            .collect();
        let expected: Vec<(&str, &str)> = last
            .into_iter()
            .map(|(tag, release)| (tag, release.version.as_str()))
            .collect();
        assert_eq!(own_tags, expected, "{package}");
    }

    /// The version's bytes are those that were sent, or there are none.
    fn bytes(&mut self, attempt: &Attempt) {
        let answer = self.get(&attempt.release.tarball_target(), "*/*");
        match attempt.fate {
            Fate::Published => {
                let bytes = answer.expect_status(200).body;
                assert_eq!(integrity(&bytes), attempt.release.integrity, "{attempt:?}");
            }
            Fate::InFlight(_) | Fate::Lost => {
                let _ = answer.expect_status(404);
            }
        }
    }

    /// Publishes again what is not there, or leaves it: half of it each.
    fn try_again(&mut self, attempt: &mut Attempt, chance: &mut Chance) {
        let Fate::InFlight(document) = &attempt.fate else {
            return;
        };
        if chance.below(2) == 0 {
            attempt.fate = Fate::Lost;
            return;
        }
        let request = attempt.release.request(document, self.token);
        let _ = self.send(&request).expect_status(201);
        attempt.fate = Fate::Published;
        self.bytes(attempt);
    }

    fn get(&mut self, target: &str, accept: &str) -> Response {
        let request = Request::get(target).bearer(self.token);
        self.send(&request.header("Accept", accept))
    }

    fn send(&mut self, request: &Request) -> Response {
        if !self.connection.is_open() {
            self.connection = Connection::open(self.base).unwrap();
        }
        match self.connection.send(request) {
            Ok(answer) => answer,
            Err(error) => panic!("{request:?}: {error}"),
        }
    }
}

/// Compares a document's versions with the attempts. What was in flight and is there counts as
/// published from now on; gives how many did so.
fn settle(attempts: &mut Attempts, document: &Map<String, Value>) -> u64 {
    let none = Map::new();
    let listed = document
        .get("versions")
        .and_then(Value::as_object)
        .unwrap_or(&none);
    for version in listed.keys() {
        assert!(
            attempts.contains_key(version),
            "nobody published {version}: {document:?}"
        );
    }
    let mut found = 0;
    for (version, attempt) in attempts {
        match (listed.get(version), &attempt.fate) {
            (Some(manifest), Fate::Published | Fate::InFlight(_)) => {
                assert_eq!(manifest["dist"]["integrity"], attempt.release.integrity);
                found += u64::from(!attempt.is_published());
                attempt.fate = Fate::Published;
            }
            (None, Fate::Lost | Fate::InFlight(_)) => {}
            (None, Fate::Published) => panic!("{attempt:?} was acknowledged and is gone"),
            (Some(_), Fate::Lost) => panic!("{attempt:?} was not there and is there now"),
        }
    }
    found
}
