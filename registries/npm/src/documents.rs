//! Index documents: a package's versions as npm's clients read them (`spec/npm.md` 6, 7).
//!
//! A version's part of a document is made when it is published and kept as its metadata. What a
//! document takes from elsewhere (address, standing, publisher) is added here, so rendering is
//! joining: no version is parsed beyond finding where its parts begin and end.

use bytes::Bytes;
use packhouse_core::Fault;
use packhouse_core::model::{PackageView, Standing, VersionView};
use packhouse_names::{Login, PackageId, Timestamp};
use packhouse_wire::BaseUrl;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::name::unscoped;

/// How much of a README a full document shows, in bytes.
const SHOWN_README_BYTES: usize = 64 * 1024;

/// What a full document repeats of its latest version.
const HOISTED: &[&str] = &[
    "description",
    "author",
    "bugs",
    "contributors",
    "homepage",
    "keywords",
    "license",
    "readmeFilename",
    "repository",
];

/// What an abbreviated document holds of a version, in this order; `dist`, `deprecated` and
/// `_npmUser` come from elsewhere (`spec/npm.md` 6.3).
pub(crate) const ABBREVIATED: &[&str] = &[
    "name",
    "version",
    "dependencies",
    "acceptDependencies",
    "optionalDependencies",
    "devDependencies",
    "bundleDependencies",
    "peerDependencies",
    "peerDependenciesMeta",
    "bin",
    "directories",
    "engines",
    "cpu",
    "os",
    "libc",
    "_hasShrinkwrap",
    "hasInstallScript",
    "funding",
];

/// A version's metadata: the parts that its documents are joined from, each a JSON object.
#[derive(Deserialize, Serialize)]
pub(crate) struct Parts<'a> {
    /// The version object without `dist`.
    #[serde(borrow)]
    full: &'a RawValue,
    /// What an abbreviated document holds of it, without `dist`.
    #[serde(borrow)]
    abbreviated: &'a RawValue,
    /// `dist` without `tarball`, whose address is the base's.
    #[serde(borrow)]
    dist: &'a RawValue,
}

/// The metadata of a version from its whole object and its `dist`.
pub(crate) fn metadata(full: &Map<String, Value>, dist: &Map<String, Value>) -> Result<String, Fault> {
    let abbreviated: Map<String, Value> = ABBREVIATED
        .iter()
        .filter_map(|field| Some(((*field).to_owned(), full.get(*field)?.clone())))
        .collect();
    let raw = |object: &Map<String, Value>| serde_json::value::to_raw_value(object);
    let (full, abbreviated, dist) = (
        raw(full).map_err(Fault::internal)?,
        raw(&abbreviated).map_err(Fault::internal)?,
        raw(dist).map_err(Fault::internal)?,
    );
    let parts = Parts { full: &full, abbreviated: &abbreviated, dist: &dist };
    serde_json::to_string(&parts).map_err(Fault::internal)
}

/// The full document, `application/json`.
pub(crate) fn full(view: &PackageView, base: &BaseUrl) -> Result<Bytes, Fault> {
    let mut out = Writer::for_package(view);
    out.raw("{");
    out.field("_id", view.name.as_str())?;
    out.next_field("_rev", &revision_text(view.id, view.revision))?;
    out.next_field("name", view.name.as_str())?;
    hoisted(&mut out, view)?;
    tags(&mut out, view)?;
    out.raw(",\"versions\":{");
    for (index, version) in view.versions.iter().enumerate() {
        out.separate(index);
        out.text(version.name.as_str())?;
        out.raw(":");
        full_version(&mut out, view, version, base)?;
    }
    out.raw("}");
    times(&mut out, view)?;
    out.raw(",\"maintainers\":");
    people(&mut out, &view.maintainers)?;
    if let Some(readme) = view.readme.as_deref() {
        out.next_field("readme", cut(readme, SHOWN_README_BYTES))?;
    }
    out.raw(",\"_attachments\":{}}");
    Ok(out.done())
}

/// The abbreviated document, `application/vnd.npm.install-v1+json`.
pub(crate) fn abbreviated(view: &PackageView, base: &BaseUrl) -> Result<Bytes, Fault> {
    let mut out = Writer::for_package(view);
    out.raw("{");
    out.field("name", view.name.as_str())?;
    out.next_field("modified", &view.updated_at.to_rfc3339_millis())?;
    tags(&mut out, view)?;
    out.raw(",\"versions\":{");
    for (index, version) in view.versions.iter().enumerate() {
        out.separate(index);
        out.text(version.name.as_str())?;
        out.raw(":");
        let parts = parts(version)?;
        out.open_object(parts.abbreviated);
        dist(&mut out, view, version, &parts, base)?;
        publisher_and_standing(&mut out, version)?;
        out.raw("}");
    }
    out.raw("}");
    times(&mut out, view)?;
    out.raw("}");
    Ok(out.done())
}

/// One version's object, as `GET /{package}/{version}` answers it.
pub(crate) fn manifest(
    view: &PackageView,
    version: &VersionView,
    base: &BaseUrl,
) -> Result<Bytes, Fault> {
    let mut out = Writer::for_package(view);
    full_version(&mut out, view, version, base)?;
    Ok(out.done())
}

/// The tags alone, as `GET /-/package/{package}/dist-tags` answers them.
pub(crate) fn tag_list(view: &PackageView) -> Result<Bytes, Fault> {
    let mut out = Writer::for_package(view);
    tag_object(&mut out, view)?;
    Ok(out.done())
}

/// `_rev`: the revision, and 32 hex digits that tell one package's from another's. Clients paste
/// it into addresses as it is.
pub(crate) fn revision_text(package: PackageId, revision: i64) -> String {
    let mix = |seed: i64| {
        let mut z = seed.cast_unsigned().wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    let high = mix(package.get());
    let low = mix(revision ^ high.cast_signed());
    format!("{revision}-{high:016x}{low:016x}")
}

/// The revision that a `_rev` names, where it is this package's.
pub(crate) fn parse_revision(package: PackageId, text: &str) -> Option<i64> {
    let revision: i64 = text.split_once('-')?.0.parse().ok()?;
    (revision_text(package, revision) == text).then_some(revision)
}

/// The name of a version's tarball: canonical, because pnpm and yarn leave it out of their lock
/// files only then.
pub(crate) fn tarball_name(package: &str, version: &str) -> String {
    format!("{}-{version}.tgz", unscoped(package))
}

fn parts(version: &VersionView) -> Result<Parts<'_>, Fault> {
    serde_json::from_str(&version.metadata).map_err(Fault::internal)
}

fn full_version(
    out: &mut Writer,
    view: &PackageView,
    version: &VersionView,
    base: &BaseUrl,
) -> Result<(), Fault> {
    let parts = parts(version)?;
    out.open_object(parts.full);
    dist(out, view, version, &parts, base)?;
    publisher_and_standing(out, version)?;
    out.raw(",\"maintainers\":");
    people(out, &view.maintainers)?;
    out.raw("}");
    Ok(())
}

fn dist(
    out: &mut Writer,
    view: &PackageView,
    version: &VersionView,
    parts: &Parts<'_>,
    base: &BaseUrl,
) -> Result<(), Fault> {
    let name = view.name.as_str();
    let file = tarball_name(name, version.name.as_str());
    out.raw(",\"dist\":");
    out.open_object(parts.dist);
    out.next_field("tarball", &format!("{base}/{name}/-/{file}"))?;
    out.raw("}");
    Ok(())
}

fn publisher_and_standing(out: &mut Writer, version: &VersionView) -> Result<(), Fault> {
    if let Some(publisher) = &version.publisher {
        out.raw(",\"_npmUser\":{");
        out.field("name", publisher.as_str())?;
        out.raw("}");
    }
    if let Standing::Deprecated { reason } = &version.standing {
        out.next_field("deprecated", reason)?;
    }
    Ok(())
}

fn hoisted(out: &mut Writer, view: &PackageView) -> Result<(), Fault> {
    let latest = view
        .tags
        .iter()
        .find(|tag| tag.name.as_str() == "latest")
        .and_then(|tag| view.versions.iter().find(|version| version.id == tag.version_id));
    let Some(latest) = latest else { return Ok(()) };
    let parts = parts(latest)?;
    let fields: Map<String, Value> =
        serde_json::from_str(parts.full.get()).map_err(Fault::internal)?;
    for field in HOISTED {
        if let Some(value) = fields.get(*field) {
            out.raw(",");
            out.text(field)?;
            out.raw(":");
            out.value(value)?;
        }
    }
    Ok(())
}

fn tags(out: &mut Writer, view: &PackageView) -> Result<(), Fault> {
    out.raw(",\"dist-tags\":");
    tag_object(out, view)
}

fn tag_object(out: &mut Writer, view: &PackageView) -> Result<(), Fault> {
    out.raw("{");
    for (index, tag) in view.tags.iter().enumerate() {
        out.separate(index);
        out.field(tag.name.as_str(), tag.version.as_str())?;
    }
    out.raw("}");
    Ok(())
}

/// Always there: pnpm's and yarn's age gates refuse versions without a time.
fn times(out: &mut Writer, view: &PackageView) -> Result<(), Fault> {
    out.raw(",\"time\":{");
    out.time("created", view.created_at)?;
    out.raw(",");
    out.time("modified", view.updated_at)?;
    for version in &view.versions {
        out.raw(",");
        out.time(version.name.as_str(), version.created_at)?;
    }
    out.raw("}");
    Ok(())
}

/// Names without addresses: no document shows anybody's e-mail.
fn people(out: &mut Writer, logins: &[Login]) -> Result<(), Fault> {
    out.raw("[");
    for (index, login) in logins.iter().enumerate() {
        out.separate(index);
        out.raw("{");
        out.field("name", login.as_str())?;
        out.raw("}");
    }
    out.raw("]");
    Ok(())
}

fn cut(text: &str, bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes)).unwrap_or(text)
}

/// JSON written by hand into one buffer.
struct Writer(Vec<u8>);

impl Writer {
    fn for_package(view: &PackageView) -> Self {
        let parts: usize = view.versions.iter().map(|version| version.metadata.len() + 256).sum();
        let readme = view.readme.as_ref().map_or(0, String::len);
        Self(Vec::with_capacity(parts + readme + 1024))
    }

    fn raw(&mut self, text: &str) {
        self.0.extend_from_slice(text.as_bytes());
    }

    fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
        serde_json::to_writer(&mut self.0, value).map_err(Fault::internal)
    }

    fn text(&mut self, text: &str) -> Result<(), Fault> {
        self.value(text)
    }

    fn field(&mut self, name: &str, text: &str) -> Result<(), Fault> {
        self.text(name)?;
        self.raw(":");
        self.text(text)
    }

    fn next_field(&mut self, name: &str, text: &str) -> Result<(), Fault> {
        self.raw(",");
        self.field(name, text)
    }

    fn time(&mut self, name: &str, at: Timestamp) -> Result<(), Fault> {
        self.field(name, &at.to_rfc3339_millis())
    }

    fn separate(&mut self, index: usize) {
        if index > 0 {
            self.raw(",");
        }
    }

    /// An object that is there already, left open for more fields; it has one at least.
    fn open_object(&mut self, object: &RawValue) {
        self.raw(object.get().trim_end().strip_suffix('}').unwrap_or_default());
    }

    fn done(self) -> Bytes {
        self.0.into()
    }
}
