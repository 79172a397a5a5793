//! One version to publish, and the document that publishes it.

use bytes::Bytes;
use packhouse_testkit::archives::npm_tarball;
use packhouse_testkit::http::Request;
use packhouse_testkit::npm::{integrity, publish_document};
use serde_json::json;

use crate::chance::Chance;

/// From well below to well above the 64 KiB up to which bytes are not staged in a file.
const SIZES: [usize; 4] = [40, 4_000, 60_000, 150_000];

/// How many packages there are at a time.
const PACKAGES: u32 = 4;

/// How many rounds publish into the same packages: the first publishes make them.
const ROUNDS: u64 = 10;

/// What is known of a version that somebody tried to publish.
#[derive(Clone, Debug)]
pub(crate) struct Release {
    pub(crate) package: String,
    pub(crate) version: String,
    /// Moved by every publish of the same client.
    pub(crate) tag: String,
    /// What a client published later is larger.
    pub(crate) order: (u64, u64),
    pub(crate) integrity: String,
}

impl Release {
    /// Makes the `number`th version of a client in a round, and the document that publishes it.
    pub(crate) fn make(
        client: usize,
        round: u64,
        number: u64,
        chance: &mut Chance,
    ) -> (Self, Bytes) {
        let package = format!("@acme/crash-{}-{}", round / ROUNDS, chance.below(PACKAGES));
        let version = format!("{round}.{client}.{number}");
        let size = SIZES[usize::try_from(chance.below(4)).unwrap()];
        let noise = chance.bytes(size);
        let files: [(&str, &[u8]); 1] = [("noise.bin", &noise)];
        let tarball = npm_tarball(&package, &version, &json!({}), &files);
        let release = Self {
            integrity: integrity(&tarball),
            tag: format!("client-{client}"),
            order: (round, number),
            package,
            version,
        };
        let document = release.document(&tarball);
        (release, document)
    }

    fn document(&self, tarball: &[u8]) -> Bytes {
        let mut document = publish_document(&self.package, &self.version, tarball);
        document["dist-tags"][&self.tag] = json!(self.version);
        document.to_string().into()
    }

    /// The request that publishes the document.
    pub(crate) fn request(&self, document: &Bytes, token: &str) -> Request {
        Request::put(document_target(&self.package))
            .bearer(token)
            .header("Content-Type", "application/json")
            .body(document.clone())
    }

    /// Where the version's bytes are.
    pub(crate) fn tarball_target(&self) -> String {
        let (_, name) = self.package.split_once('/').unwrap();
        format!(
            "/_registry/npm/{}/-/{name}-{}.tgz",
            self.package, self.version
        )
    }
}

/// Where a package's document is.
pub(crate) fn document_target(package: &str) -> String {
    format!("/_registry/npm/{}", package.replace('/', "%2f"))
}

/// Where a package's tags are.
pub(crate) fn tags_target(package: &str) -> String {
    format!(
        "/_registry/npm/-/package/{}/dist-tags",
        package.replace('/', "%2f")
    )
}
