//! From a package to the documents that clients read (`spec/npm.md` 6, 7). Pure.
//!
//! What a version says is written once, at its publish, as three finished pieces of JSON
//! ([`Stored`]). A document is made by joining them: its cost is that of copying its bytes.

use packhouse_core::Fault;
use packhouse_core::model::{PackageView, Standing, VersionView};
use packhouse_names::{Login, PackageId, VersionText};
use packhouse_wire::BaseUrl;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::name::unscoped;
use crate::package_json::json_string;
use crate::tarball::cut;
use crate::version::highest;

/// The media type of the short form, which pnpm compares to the letter.
pub(crate) const ABBREVIATED_TYPE: &str = "application/vnd.npm.install-v1+json";

/// How much of a README a document shows, in bytes.
const SHOWN_README_BYTES: usize = 64 << 10;

/// Fields of the latest version that the long form repeats at its top.
const HOISTED: &[&str] = &[
    "author",
    "bugs",
    "contributors",
    "description",
    "homepage",
    "keywords",
    "license",
    "readmeFilename",
    "repository",
];

/// A version's metadata as the house keeps it: pieces of documents, ready to be joined.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Stored<'a> {
    /// Of `dist`, everything but the address.
    #[serde(borrow)]
    pub(crate) dist: &'a RawValue,
    /// What the short form shows, without `dist` and `deprecated`.
    #[serde(borrow)]
    pub(crate) abbreviated: &'a RawValue,
    /// What the long form shows, without `dist`, `deprecated` and what the house adds.
    #[serde(borrow)]
    pub(crate) full: &'a RawValue,
    /// The predicate type of its provenance, where it was published with one.
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(crate) provenance: Option<&'a RawValue>,
}

/// Whether `dist` tells where to find a version's provenance. Released npm before 2026 fails
/// where it does and no bundle is signed with the registry's own key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Attestations {
    Shown,
    #[default]
    Hidden,
}

impl<'a> Stored<'a> {
    /// The pieces of a version that was published.
    ///
    /// # Errors
    /// [`Fault::Internal`]: only this crate writes them.
    pub(crate) fn read(version: &'a VersionView) -> Result<Self, Fault> {
        serde_json::from_str(&version.metadata).map_err(Fault::internal)
    }
}

/// The revision that clients hand back when they change a whole document: a number that grows,
/// and 32 hex digits that tell one package's from another's.
pub(crate) fn rev(package: PackageId, revision: i64) -> String {
    let mark = fingerprint(&format!("{package}:{revision}"));
    format!("{revision}-{mark:032x}")
}

/// The revision number in what a client handed back, where it is one of this package.
pub(crate) fn revision_in(text: &str, package: PackageId) -> Option<i64> {
    let (number, _) = text.split_once('-')?;
    let revision = number.parse().ok()?;
    (rev(package, revision) == text).then_some(revision)
}

/// FNV-1a over 128 bits: marks are told apart by it, nothing is kept safe by it.
pub(crate) fn fingerprint(text: &str) -> u128 {
    const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    text.bytes().fold(OFFSET, |hash, byte| {
        (hash ^ u128::from(byte)).wrapping_mul(PRIME)
    })
}

/// The name of a version's tarball.
pub(crate) fn tarball_name(package: &str, version: &str) -> String {
    format!("{}-{version}.tgz", unscoped(package))
}

/// The version that people get who name none.
pub(crate) fn latest(package: &PackageView) -> Option<&VersionView> {
    let tagged = package
        .tags
        .iter()
        .find(|tag| tag.name.as_str() == "latest")
        .map(|tag| tag.version.as_str());
    let wanted =
        tagged.or_else(|| highest(package.versions.iter().map(|version| version.name.as_str())))?;
    package
        .versions
        .iter()
        .find(|version| version.name.as_str() == wanted)
}

/// The long form.
///
/// # Errors
/// [`Fault::Internal`] for stored pieces that cannot be read.
pub(crate) fn full(
    package: &PackageView,
    base: &BaseUrl,
    attestations: Attestations,
) -> Result<Vec<u8>, Fault> {
    let mut out = Out::for_package(package, base, attestations);
    let name = json_string(package.name.as_str());
    out.raw("{\"_id\":");
    out.raw(&name);
    out.field("_rev", &json_string(&rev(package.id, package.revision)));
    out.field("name", &name);
    out.field("dist-tags", &tags(package));
    out.raw(",\"versions\":{");
    for (index, version) in package.versions.iter().enumerate() {
        if index > 0 {
            out.raw(",");
        }
        out.string(version.name.as_str());
        out.raw(":");
        out.full_version(version)?;
    }
    out.raw("},\"time\":{\"created\":");
    out.string(&package.created_at.to_rfc3339_millis());
    out.field(
        "modified",
        &json_string(&package.updated_at.to_rfc3339_millis()),
    );
    out.times(package);
    out.raw("}");
    let maintainers = out.maintainers.clone();
    out.field("maintainers", &maintainers);
    if let Some(latest) = latest(package) {
        out.hoisted(latest)?;
    }
    if let Some(readme) = &package.readme {
        let mut shown = readme.clone();
        cut(&mut shown, SHOWN_README_BYTES);
        out.field("readme", &json_string(&shown));
    }
    if !package.starred_by.is_empty() {
        out.field("users", &users(package));
    }
    out.raw(",\"_attachments\":{}}");
    Ok(out.bytes)
}

/// The short form, for those who install.
///
/// # Errors
/// [`Fault::Internal`] for stored pieces that cannot be read.
pub(crate) fn abbreviated(
    package: &PackageView,
    base: &BaseUrl,
    attestations: Attestations,
) -> Result<Vec<u8>, Fault> {
    let mut out = Out::for_package(package, base, attestations);
    let modified = json_string(&package.updated_at.to_rfc3339_millis());
    out.raw("{\"name\":");
    out.string(package.name.as_str());
    out.field("modified", &modified);
    out.field("dist-tags", &tags(package));
    out.raw(",\"versions\":{");
    for (index, version) in package.versions.iter().enumerate() {
        if index > 0 {
            out.raw(",");
        }
        out.string(version.name.as_str());
        out.raw(":");
        out.abbreviated_version(version)?;
    }
    out.raw("},\"time\":{\"created\":");
    out.string(&package.created_at.to_rfc3339_millis());
    out.field("modified", &modified);
    out.times(package);
    out.raw("}}");
    Ok(out.bytes)
}

/// One version, as the long form shows it.
///
/// # Errors
/// [`Fault::Internal`] for stored pieces that cannot be read.
pub(crate) fn version(
    package: &PackageView,
    version: &VersionView,
    base: &BaseUrl,
    attestations: Attestations,
) -> Result<Vec<u8>, Fault> {
    let mut out = Out::new(package, base, attestations, version.metadata.len());
    out.full_version(version)?;
    Ok(out.bytes)
}

/// Who starred the package, as clients send it back.
pub(crate) fn users(package: &PackageView) -> String {
    let stars = package.starred_by.iter();
    let stars: Vec<String> = stars
        .map(|login| format!("{}:true", json_string(login.as_str())))
        .collect();
    format!("{{{}}}", stars.join(","))
}

/// The tags alone.
pub(crate) fn tags(package: &PackageView) -> String {
    let mut text = String::from("{");
    for tag in &package.tags {
        if text.len() > 1 {
            text.push(',');
        }
        text.push_str(&json_string(tag.name.as_str()));
        text.push(':');
        text.push_str(&json_string(tag.version.as_str()));
    }
    text.push('}');
    text
}

/// A version by its exact text, else by tag, else by a spelling that clients clean up.
pub(crate) fn find<'a>(package: &'a PackageView, wanted: &str) -> Option<&'a VersionView> {
    let by_text = |text: &str| {
        package
            .versions
            .iter()
            .find(|version| version.name.as_str() == text)
    };
    let by_tag = || {
        let tag = package
            .tags
            .iter()
            .find(|tag| tag.name.as_str() == wanted)?;
        by_text(VersionText::as_str(&tag.version))
    };
    by_text(wanted)
        .or_else(by_tag)
        .or_else(|| by_text(crate::version::NpmVersion::clean(wanted)?.as_str()))
}

/// A document in the making.
struct Out {
    bytes: Vec<u8>,
    /// Before a version in its tarball's address, as JSON without the closing quote.
    tarball_prefix: String,
    /// Before a version in its attestations' address, the same way; `None` where it is not told.
    attestations_prefix: Option<String>,
    /// The people who may publish, as JSON.
    maintainers: String,
}

impl Out {
    fn for_package(package: &PackageView, base: &BaseUrl, attestations: Attestations) -> Self {
        let metadata: usize = package
            .versions
            .iter()
            .map(|version| version.metadata.len() + 320)
            .sum();
        let readme = package.readme.as_deref().map_or(0, str::len);
        Self::new(
            package,
            base,
            attestations,
            metadata + readme.min(SHOWN_README_BYTES) + 1024,
        )
    }

    fn new(
        package: &PackageView,
        base: &BaseUrl,
        attestations: Attestations,
        capacity: usize,
    ) -> Self {
        let name = package.name.as_str();
        let open = |text: String| {
            let text = json_string(&text);
            text.strip_suffix('"').unwrap_or(&text).to_owned()
        };
        // clients put the registry's address before the path of this one: the mount is not in it
        let attestations_prefix = (attestations == Attestations::Shown).then(|| {
            let name = name.replace('/', "%2f");
            open(format!("{}/-/npm/v1/attestations/{name}@", base.origin()))
        });
        let maintainers: Vec<String> = package.maintainers.iter().map(person).collect();
        Self {
            bytes: Vec::with_capacity(capacity),
            tarball_prefix: open(format!("{base}/{name}/-/{}-", unscoped(name))),
            attestations_prefix,
            maintainers: format!("[{}]", maintainers.join(",")),
        }
    }

    fn raw(&mut self, text: &str) {
        self.bytes.extend_from_slice(text.as_bytes());
    }

    fn string(&mut self, text: &str) {
        self.raw(&json_string(text));
    }

    /// A field after others; `value` is JSON.
    fn field(&mut self, key: &str, value: &str) {
        self.raw(",\"");
        self.raw(key);
        self.raw("\":");
        self.raw(value);
    }

    /// A stored object without its closing brace, so that fields can follow.
    fn open(&mut self, object: &RawValue) {
        let text = object.get();
        self.raw(text.strip_suffix('}').unwrap_or(text));
    }

    fn full_version(&mut self, version: &VersionView) -> Result<(), Fault> {
        let stored = Stored::read(version)?;
        self.open(stored.full);
        self.rest_of_version(version, &stored);
        self.raw(",\"maintainers\":");
        self.bytes.extend_from_slice(self.maintainers.as_bytes());
        self.raw("}");
        Ok(())
    }

    fn abbreviated_version(&mut self, version: &VersionView) -> Result<(), Fault> {
        let stored = Stored::read(version)?;
        self.open(stored.abbreviated);
        self.rest_of_version(version, &stored);
        self.raw("}");
        Ok(())
    }

    /// What changes after a publish, or depends on the address; both forms show it.
    fn rest_of_version(&mut self, version: &VersionView, stored: &Stored<'_>) {
        if let Standing::Deprecated { reason } = &version.standing {
            self.field("deprecated", &json_string(reason));
        }
        self.raw(",\"dist\":");
        self.open(stored.dist);
        self.raw(",\"tarball\":");
        self.bytes.extend_from_slice(self.tarball_prefix.as_bytes());
        // a version's characters mean nothing to JSON
        self.raw(version.name.as_str());
        self.raw(".tgz\"");
        if let (Some(prefix), Some(kind)) = (&self.attestations_prefix, stored.provenance) {
            let attestations = format!(
                ",\"attestations\":{{\"url\":{prefix}{}\",\"provenance\":{{\"predicateType\":{}}}}}",
                version.name,
                kind.get()
            );
            self.raw(&attestations);
        }
        self.raw("}");
        if let Some(publisher) = &version.publisher {
            self.raw(",\"_npmUser\":");
            let publisher = person(publisher);
            self.raw(&publisher);
        }
    }

    fn times(&mut self, package: &PackageView) {
        for version in &package.versions {
            self.raw(",");
            self.string(version.name.as_str());
            self.raw(":\"");
            self.raw(&version.created_at.to_rfc3339_millis());
            self.raw("\"");
        }
    }

    fn hoisted(&mut self, latest: &VersionView) -> Result<(), Fault> {
        let stored = Stored::read(latest)?;
        let fields: std::collections::HashMap<&str, &RawValue> =
            serde_json::from_str(stored.full.get()).map_err(Fault::internal)?;
        for key in HOISTED {
            if let Some(value) = fields.get(key) {
                self.field(key, value.get());
            }
        }
        Ok(())
    }
}

/// Somebody, without an e-mail address: npm prints one, and would print `undefined`.
fn person(login: &Login) -> String {
    format!(
        "{{\"name\":{},\"email\":\"\"}}",
        json_string(login.as_str())
    )
}

#[cfg(test)]
mod tests;
