//! A package of any size, made while it is sent, and a download that is looked at piece by piece:
//! neither is ever held whole, so that what a server needs for it can be seen.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "only tests link this crate: a broken expectation is a failed test"
)]

mod download;

use std::io::{self, Write};
use std::iter;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use base64::write::EncoderWriter;
use serde_json::json;
use sha2::{Digest as _, Sha512};
use tar::EntryType;

use crate::archives::{TarGz, gzip, header};
use crate::http::Connection;

pub use download::Download;

const MIB: usize = 1 << 20;
const VERSION: &str = "1.0.0";

/// Stands in the document where the archive's text goes.
const PLACE: &str = "<archive>";

/// Pieces of base64 text on their way, and of bytes before they are encoded.
const PIECE_BYTES: usize = 64 * 1024;

/// An archive with one file of noise: a gzip member for the beginning, one MiB of noise as a
/// member that comes again and again, and one for the end. No window of gzip's spans a MiB.
#[derive(Debug)]
pub struct HugePackage {
    name: String,
    beginning: Vec<u8>,
    mebibyte: Vec<u8>,
    count: usize,
    end: Vec<u8>,
    integrity: String,
}

impl HugePackage {
    /// A scoped package whose archive is about so many MiB long.
    ///
    /// # Panics
    ///
    /// For more MiB than an address space has.
    #[must_use]
    pub fn new(name: &str, mebibytes: u64) -> Self {
        let count = usize::try_from(mebibytes).unwrap();
        let manifest = json!({ "name": name, "version": VERSION }).to_string();
        let noise = header(EntryType::Regular, "package/noise.bin", count * MIB);
        let mut package = Self {
            name: name.to_owned(),
            beginning: TarGz::builder()
                .file("package/package.json", manifest)
                .raw_header(&noise)
                .build_unended(),
            mebibyte: gzip(&noise_of_one_mebibyte()),
            count,
            end: TarGz::builder().build(),
            integrity: String::new(),
        };
        let mut sha512 = Sha512::new();
        for part in package.parts() {
            sha512.update(part);
        }
        package.integrity = format!("sha512-{}", STANDARD.encode(sha512.finalize()));
        package
    }

    fn parts(&self) -> impl Iterator<Item = &[u8]> {
        iter::once(&self.beginning)
            .chain(iter::repeat_n(&self.mebibyte, self.count))
            .chain(iter::once(&self.end))
            .map(Vec::as_slice)
    }

    /// The archive's length in bytes.
    #[must_use]
    pub fn length(&self) -> u64 {
        let lengths = self.parts().map(|part| u64::try_from(part.len()).unwrap());
        lengths.sum()
    }

    /// What the registry must say of its bytes.
    #[must_use]
    pub fn integrity(&self) -> &str {
        &self.integrity
    }

    /// Where the archive is once it was published.
    #[must_use]
    pub fn target(&self) -> String {
        let (_, name) = self.name.split_once('/').unwrap();
        format!("/_registry/npm/{}/-/{name}-{VERSION}.tgz", self.name)
    }

    /// Publishes as npm does, with the archive as text in the document.
    ///
    /// # Panics
    ///
    /// When it is refused.
    pub fn publish(&self, base: &str, token: &str) {
        let document = self.document();
        let (before, after) = document.split_once(PLACE).unwrap();
        let text_length = self.length().div_ceil(3) * 4;
        let frame_length = u64::try_from(before.len() + after.len()).unwrap();
        let head = format!(
            "PUT /_registry/npm/{} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            self.name.replace('/', "%2f"),
            base.strip_prefix("http://").unwrap(),
            frame_length + text_length,
        );
        let mut connection = Connection::open(base).unwrap();
        connection.write_raw(head.as_bytes()).unwrap();
        connection.write_raw(before.as_bytes()).unwrap();
        let wire = io::BufWriter::with_capacity(PIECE_BYTES, Wire(&mut connection));
        let mut encoder = EncoderWriter::new(wire, &STANDARD);
        for part in self.parts() {
            encoder.write_all(part).unwrap();
        }
        encoder.finish().unwrap().flush().unwrap();
        drop(encoder);
        connection.write_raw(after.as_bytes()).unwrap();
        let answer = connection.read_response("PUT").unwrap();
        assert_eq!(answer.status, 201, "{answer}");
    }

    fn document(&self) -> String {
        let Self {
            name, integrity, ..
        } = self;
        let document = json!({
            "_id": name,
            "name": name,
            "dist-tags": { "latest": VERSION },
            "versions": { VERSION: {
                "_id": format!("{name}@{VERSION}"),
                "name": name,
                "version": VERSION,
                "dist": { "integrity": integrity },
            }},
            "access": null,
            "_attachments": { format!("{name}-{VERSION}.tgz"): {
                "content_type": "application/octet-stream",
                "data": PLACE,
                "length": self.length(),
            }},
        });
        document.to_string()
    }
}

struct Wire<'a>(&'a mut Connection);

impl Write for Wire<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_raw(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn noise_of_one_mebibyte() -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let words = iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.take(MIB / 8).flatten().collect()
}
