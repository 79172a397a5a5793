//! `PUT /{package}`: a document with a tarball in it becomes a version (`spec/npm.md` 9).

use std::collections::HashSet;
use std::io::Read;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{StatusCode, header};
use packhouse_archive::Limits;
use packhouse_core::cx::WriteCx;
use packhouse_core::fault::Thing;
use packhouse_core::publish::{Draft, DraftFile};
use packhouse_core::signing::Signer;
use packhouse_core::stage::Staged;
use packhouse_core::{Digests, Fault, Sums};
use packhouse_names::{FileName, Login, PackageId, TagName};
use packhouse_wire::{Body, Head, Reply};
use serde_json::{Value, json};

use crate::attestations::{self, Bundle};
use crate::body::DocumentReader;
use crate::documents::{rev, tarball_name};
use crate::integrity;
use crate::package_json::{Manifest, json_string};
use crate::signatures;
use crate::source;
use crate::submission::{Claims, KnownVersion, Submission, as_text};
use crate::tarball::{self, Contents, MAX_README_BYTES, cut};
use crate::update;
use crate::version::{self, NpmVersion};

/// The largest document, its tarball's data not counted.
pub(crate) const MAX_DOCUMENT_BYTES: usize = 64 << 20;

/// A larger document is sure to speak of more than one version.
const MAX_ONE_VERSION_BYTES: usize = 256 << 10;

/// What npm's clients verify.
const SUMS: Sums = Sums::SHA512.and(Sums::SHA1);

/// What clients send for a package without a README.
const NO_README: &str = "ERROR: No README data found!";

/// Tags that one publish may move; clients send one.
const MAX_TAGS: usize = 100;

/// The most that is kept of a version's metadata, in bytes; every document repeats it.
const MAX_METADATA_BYTES: usize = 8 << 20;

/// The longest licence and description that are kept beside the metadata, in bytes.
const MAX_LICENSE_BYTES: usize = 1024;
const MAX_DESCRIPTION_BYTES: usize = 4096;

/// The longest mark of a client's run; npm's has 16 characters.
const MAX_REPLAY_KEY_BYTES: usize = 128;

/// The script that npm adds at publish to what has a `*.gyp` and no script of its own.
const GYP_BUILD: &str = "node-gyp rebuild";

/// What installing depends on: the tarball says it, the document is not asked.
const TARBALL_SAYS: &[&str] = &[
    "acceptDependencies",
    "bin",
    "bundleDependencies",
    "cpu",
    "dependencies",
    "devDependencies",
    "directories",
    "engines",
    "libc",
    "optionalDependencies",
    "os",
    "peerDependencies",
    "peerDependenciesMeta",
    "scripts",
];

/// What the short form shows of a version, besides what changes.
const ABBREVIATED: &[&str] = &[
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

/// Publishes a version, or without a tarball changes what is there.
pub(crate) async fn put(cx: &WriteCx, head: &Head, body: Body) -> Result<Reply, Fault> {
    check_length(head, cx.max_package_bytes())?;
    let mut reader = DocumentReader::new(body, MAX_DOCUMENT_BYTES);
    let mut received: Option<(String, Staged)> = None;
    while let Some(data) = reader.next_attachment().await? {
        if received.is_some() {
            return Err(one_at_a_time());
        }
        let key = data.key().to_owned();
        let staged = cx.stage(data, SUMS, cx.max_package_bytes()).await?;
        received = Some((key, staged));
    }
    let text = reader.finish()?;
    match received {
        Some((attachment, staged)) => publish(cx, head, text, attachment, staged).await,
        None => update::merge(cx, text).await,
    }
}

async fn publish(
    cx: &WriteCx,
    head: &Head,
    text: Vec<u8>,
    attachment: String,
    mut staged: Staged,
) -> Result<Reply, Fault> {
    let package = cx
        .need()
        .package()
        .ok_or_else(|| Fault::internal("a publish without a package"))?;
    let known = if text.len() > MAX_ONE_VERSION_BYTES || speaks_of_others(&text)? {
        known_versions(cx).await?
    } else {
        HashSet::new()
    };
    let name = package.name.as_str();
    let received = Received {
        text,
        attachment,
        known,
        digests: *staged.digests(),
        signer: cx.signer().clone(),
        place: Place {
            name: name.to_owned(),
            host: head.base.authority().to_owned(),
            owner: package.namespace.owner.clone(),
        },
    };
    let (draft, bundle) = cx
        .inspect(&mut staged, move |archive, limits| {
            received.draft(archive, &limits)
        })
        .await?;
    let version = draft.version.as_str();
    let mut files = vec![DraftFile {
        name: FileName::new(tarball_name(name, version))?,
        media_type: "application/octet-stream",
        staged,
    }];
    if let Some(bundle) = bundle {
        let text = Body::from_bytes(bundle.text.into());
        files.push(DraftFile {
            name: attestations::file_name(name, version)?,
            media_type: attestations::MEDIA_TYPE,
            staged: cx.stage(text, Sums::NONE, u64::MAX).await?,
        });
    }
    let published = cx
        .publish(Draft {
            files,
            replay_key: replay_key(head),
            ..draft
        })
        .await?;
    let (status, ok) = match (published.is_replay, published.is_first) {
        (true, _) => (StatusCode::OK, "already published"),
        (false, true) => (StatusCode::CREATED, "created new package"),
        (false, false) => (StatusCode::CREATED, "created new version"),
    };
    Ok(done(
        status,
        ok,
        name,
        published.package,
        published.revision,
    ))
}

/// Refuses by its declared length a body that cannot be within the limits, before a byte of it is
/// read. Base64 takes a third more than the bytes, and some encoders escape its slashes.
fn check_length(head: &Head, max_package_bytes: u64) -> Result<(), Fault> {
    let document = u64::try_from(MAX_DOCUMENT_BYTES).unwrap_or(u64::MAX);
    let most = max_package_bytes.saturating_mul(2).saturating_add(document);
    if head.content_length().is_some_and(|length| length > most) {
        return Err(Fault::TooLarge {
            limit: max_package_bytes,
        });
    }
    Ok(())
}

/// The answer to a change: yarn parses it, and bun believes its `success`.
pub(crate) fn done(
    status: StatusCode,
    ok: &str,
    name: &str,
    package: PackageId,
    revision: i64,
) -> Reply {
    let rev = rev(package, revision);
    Reply::json(
        status,
        json!({ "ok": ok, "id": name, "rev": rev, "success": true }).to_string(),
    )
}

/// Whether the body says that it is JSON; a body that says nothing is taken at its word.
pub(crate) fn is_json(head: &Head) -> bool {
    head.header(&header::CONTENT_TYPE).is_none_or(|value| {
        let kind = value.split(';').next().unwrap_or_default().trim();
        kind.eq_ignore_ascii_case("application/json")
    })
}

fn one_at_a_time() -> Fault {
    Fault::invalid(
        "versions",
        "only one version can be published at a time, with one tarball",
    )
}

fn replay_key(head: &Head) -> Option<String> {
    head.header(&header::HeaderName::from_static("npm-session"))
        .filter(|key| !key.is_empty() && key.len() <= MAX_REPLAY_KEY_BYTES)
        .map(str::to_owned)
}

/// The package's name, wherever the document says it, is the one in the URL.
pub(crate) fn check_names(submission: &Submission<'_>, package: &str) -> Result<(), Fault> {
    if submission.names().any(|name| name != package) {
        return Err(Fault::invalid("name", "package in URL does not match body"));
    }
    Ok(())
}

/// Whether the document speaks of more than one version, as npm 9 does after a conflict.
fn speaks_of_others(text: &[u8]) -> Result<bool, Fault> {
    let submission = Submission::parse(text)?;
    let versions: Vec<&str> = submission.versions().map(|(key, _)| key).collect();
    let mut targets = submission.tags().map(|(_, to)| to);
    Ok(versions.len() > 1 || targets.any(|to| !versions.contains(&to)))
}

async fn known_versions(cx: &WriteCx) -> Result<HashSet<String>, Fault> {
    match cx.package().await {
        Ok(package) => Ok(package
            .versions
            .iter()
            .map(|version| version.name.to_string())
            .collect()),
        Err(Fault::NotFound {
            what: Thing::Package,
            ..
        }) => Ok(HashSet::new()),
        Err(fault) => Err(fault),
    }
}

/// A document and its tarball, with all that is needed to make a version of them.
#[derive(Debug)]
struct Received {
    text: Vec<u8>,
    attachment: String,
    /// The versions that are there, where the document speaks of more than one.
    known: HashSet<String>,
    digests: Digests,
    signer: Signer,
    place: Place,
}

impl Received {
    /// Checks everything that does not depend on the house; the files are still to come.
    fn draft(self, archive: impl Read, limits: &Limits) -> Result<(Draft, Option<Bundle>), Fault> {
        let package = self.place.name.as_str();
        let submission = Submission::parse(&self.text)?;
        check_names(&submission, package)?;
        let chosen = Chosen::from(&submission, package, &self.attachment, &self.known)?;
        let file = tarball_name(package, chosen.version.as_str());
        integrity::check(&chosen.claims, chosen.length, &self.digests, &file)?;
        let unhashed = || Fault::internal("a tarball was staged without its sums");
        let sha512 = self.digests.sha512.ok_or_else(unhashed)?;
        let bundle = submission
            .bundle()?
            .map(|text| Bundle::check(text, package, chosen.version.as_str(), &sha512))
            .transpose()?;
        let contents = tarball::inspect(archive, limits)?;
        let integrity = format!("sha512-{}", STANDARD.encode(sha512.as_bytes()));
        let signatures =
            signatures::sign(&self.signer, package, chosen.version.as_str(), &integrity)?;
        let dist = json!({
            "integrity": integrity,
            "shasum": self.digests.sha1.ok_or_else(unhashed)?.to_string(),
            "fileCount": contents.file_count,
            "unpackedSize": contents.unpacked_size,
            "signatures": signatures,
        });
        let provenance = bundle.as_ref().map(|bundle| bundle.predicate_type.as_str());
        let draft = assemble(chosen, contents, &Served { dist, provenance }, &self.place)?;
        Ok((draft, bundle))
    }
}

/// The version of a document that is to be published.
#[derive(Debug)]
struct Chosen {
    version: NpmVersion,
    manifest: Manifest,
    claims: Claims,
    length: Option<u64>,
    readme: Option<String>,
    tags: Vec<TagName>,
    asks_public: bool,
}

impl Chosen {
    fn from(
        submission: &Submission<'_>,
        package: &str,
        attachment: &str,
        known: &HashSet<String>,
    ) -> Result<Self, Fault> {
        let (key, value) = pick(submission, package, attachment, known)?;
        let version = NpmVersion::parse(key)?;
        let manifest = Manifest::parse(value.get())
            .map_err(|why| Fault::invalid("versions", format!("version {version}: {why}")))?;
        if manifest.text("name").as_deref() != Some(package) {
            return Err(Fault::invalid("name", "package in URL does not match body"));
        }
        let said = manifest.text("version");
        let said = said.as_deref().and_then(NpmVersion::clean);
        if said.as_ref() != Some(&version) {
            return Err(Fault::invalid(
                "version",
                format!("the version in versions[\"{version}\"] is another one"),
            ));
        }
        let readme = [manifest.text("readme"), submission.readme.and_then(as_text)]
            .into_iter()
            .flatten()
            .find(|text| is_readme(text));
        Ok(Self {
            tags: tags(submission, &version, known)?,
            claims: KnownVersion::parse(value)?.claims(),
            length: submission.length_of(attachment)?,
            asks_public: submission.asks_public(),
            version,
            manifest,
            readme,
        })
    }
}

/// Which version of the document the tarball is for.
fn pick<'a>(
    submission: &'a Submission<'_>,
    package: &str,
    attachment: &str,
    known: &HashSet<String>,
) -> Result<(&'a str, &'a serde_json::value::RawValue), Fault> {
    let all = || submission.versions();
    if let (Some(only), None) = (all().next(), all().nth(1)) {
        return Ok(only);
    }
    let mut fresh = all().filter(|(key, _)| !known.contains(*key));
    match (fresh.next(), fresh.next()) {
        (Some((key, value)), None) => Ok((key, value)),
        (Some(_), Some(_)) => Err(one_at_a_time()),
        (None, _) => {
            let is_named = |key: &str| {
                attachment == format!("{package}-{key}.tgz")
                    || attachment == tarball_name(package, key)
            };
            let taken = all().map(|(key, _)| key).find(|key| is_named(key));
            match taken.or_else(|| all().map(|(key, _)| key).last()) {
                Some(key) => Err(Fault::Conflict(key.to_owned())),
                None => Err(Fault::invalid(
                    "versions",
                    "the document holds no version for its tarball",
                )),
            }
        }
    }
}

/// The tags that the document points at the version; others may only point where they can.
fn tags(
    submission: &Submission<'_>,
    version: &NpmVersion,
    known: &HashSet<String>,
) -> Result<Vec<TagName>, Fault> {
    let mut tags = Vec::new();
    for (tag, to) in submission.tags() {
        if NpmVersion::clean(to).as_ref() == Some(version) {
            tags.push(version::tag(tag)?);
            if tags.len() > MAX_TAGS {
                let why = format!("a version is published with at most {MAX_TAGS} tags");
                return Err(Fault::invalid("dist-tags", why));
            }
        } else if !known.contains(to) {
            return Err(Fault::invalid(
                "dist-tags",
                format!("the tag {tag} points at a version that is not there"),
            ));
        }
    }
    Ok(tags)
}

fn is_readme(text: &str) -> bool {
    !text.trim().is_empty() && text.trim() != NO_README
}

/// Where a version is published.
#[derive(Debug)]
struct Place {
    name: String,
    host: String,
    owner: Login,
}

/// What documents say of a version's bytes, besides their address.
#[derive(Debug)]
struct Served<'a> {
    dist: Value,
    /// The predicate type of its provenance.
    provenance: Option<&'a str>,
}

/// Joins what the document says and what the tarball says; where both speak, the tarball rules.
/// The files are still to come.
fn assemble(
    chosen: Chosen,
    contents: Contents,
    served: &Served<'_>,
    place: &Place,
) -> Result<Draft, Fault> {
    let Chosen {
        version,
        manifest: mut claimed,
        readme,
        tags,
        asks_public,
        ..
    } = chosen;
    let package = place.name.as_str();
    let mut manifest = contents.manifest;
    check_identity(&manifest, package, &version)?;
    let source = manifest
        .get("repository")
        .or_else(|| claimed.get("repository"))
        .and_then(|field| source::repository(&field, &place.host, &place.owner));
    let builds_itself = manifest.get("gypfile") != Some(Value::Bool(false));
    claimed.normalize(package);
    manifest.normalize(package);
    let has_own_build = manifest.has_script("install") || manifest.has_script("preinstall");
    if contents.has_gyp && !has_own_build {
        add_gyp_build(&mut manifest, &claimed);
    }
    manifest.fill_from(&claimed, |key| !TARBALL_SAYS.contains(&key));
    let has_install_script = ["preinstall", "install", "postinstall"]
        .iter()
        .any(|script| manifest.has_script(script))
        || (contents.has_gyp && builds_itself && !has_own_build);
    let readme = readme.or_else(|| {
        let found = contents.readme.filter(|found| is_readme(&found.text))?;
        if !manifest.has("readmeFilename") {
            manifest.set("readmeFilename", &json!(found.file));
        }
        Some(found.text)
    });
    manifest.set("name", &json!(package));
    manifest.set("version", &json!(version.as_str()));
    manifest.set("_id", &json!(format!("{package}@{}", version.as_str())));
    manifest.set("_hasShrinkwrap", &json!(contents.has_shrinkwrap));
    if has_install_script {
        manifest.set("hasInstallScript", &json!(true));
    }
    let abbreviated = manifest.to_json(|key| {
        ABBREVIATED.contains(&key) && (key != "_hasShrinkwrap" || contents.has_shrinkwrap)
    });
    let full = manifest.to_json(|_| true);
    let dist = &served.dist;
    let provenance = served.provenance.map_or_else(String::new, |kind| {
        format!(r#","provenance":{}"#, json_string(kind))
    });
    let metadata =
        format!(r#"{{"dist":{dist},"abbreviated":{abbreviated},"full":{full}{provenance}}}"#);
    if metadata.len() > MAX_METADATA_BYTES {
        return Err(Fault::invalid(
            "versions",
            "the metadata of the version is larger than 8 MiB",
        ));
    }
    Ok(Draft {
        version: version.to_text()?,
        key: version.to_key()?,
        is_prerelease: version.is_prerelease(),
        files: Vec::new(),
        metadata,
        readme: readme.map(|text| shortened(text, MAX_README_BYTES)),
        license: license(&manifest),
        description: manifest
            .text("description")
            .map(|text| shortened(text, MAX_DESCRIPTION_BYTES)),
        keywords: manifest.keywords(),
        authors: manifest.authors(),
        tags,
        // installing without a version needs this tag, whatever the first one was published with
        tags_if_first: vec![TagName::new("latest")?],
        kept: None,
        source,
        ask_public: asks_public,
        replay_key: None,
    })
}

fn check_identity(manifest: &Manifest, package: &str, version: &NpmVersion) -> Result<(), Fault> {
    let (Some(name), Some(said)) = (manifest.text("name"), manifest.text("version")) else {
        return Err(Fault::invalid(
            "tarball",
            "package.json in the tarball is invalid: a package must have name and version",
        ));
    };
    if name == package && NpmVersion::clean(&said).as_ref() == Some(version) {
        return Ok(());
    }
    let found = json_string(&format!("{name}@{said}"));
    Err(Fault::invalid(
        "tarball",
        format!("package.json in the tarball is of {found}, not of {package}@{version}"),
    ))
}

fn add_gyp_build(manifest: &mut Manifest, claimed: &Manifest) {
    let claims_build = claimed
        .get("scripts")
        .is_some_and(|scripts| scripts.get("install").and_then(Value::as_str) == Some(GYP_BUILD));
    if claims_build {
        let mut scripts = match manifest.get("scripts") {
            Some(Value::Object(scripts)) => scripts,
            _ => serde_json::Map::new(),
        };
        scripts.insert("install".to_owned(), GYP_BUILD.into());
        manifest.set("scripts", &Value::Object(scripts));
    }
}

/// The licence as people search for it: SPDX's own spelling where it is an expression of SPDX.
fn license(manifest: &Manifest) -> Option<String> {
    let text = manifest.license()?;
    let canonical = match spdx::Expression::canonicalize(&text) {
        Ok(Some(canonical)) => canonical,
        Ok(None) | Err(_) => text,
    };
    Some(shortened(canonical, MAX_LICENSE_BYTES))
}

fn shortened(mut text: String, max_bytes: usize) -> String {
    cut(&mut text, max_bytes);
    text
}

#[cfg(test)]
mod tests;
