use packhouse_names::{Sha1, Sha256, Sha512};
use packhouse_testkit::archives::npm_tarball;

use super::*;

const NAME: &str = "@acme/widget";
const ATTACHMENT: &str = "@acme/widget-1.1.0.tgz";

/// What npm 11 sends, the data taken out.
fn document() -> Value {
    json!({
        "_id": NAME, "name": NAME, "description": "top",
        "dist-tags": {"latest": "1.1.0"},
        "versions": {"1.1.0": {
            "name": NAME, "version": "1.1.0", "description": "said",
            "readme": "# Said", "readmeFilename": "README.md", "gitHead": "abc",
            "_id": "@acme/widget@1.1.0", "_nodeVersion": "22.12.0", "_npmVersion": "11.6.0",
            "dist": {"integrity": "sha512-BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQ==",
                     "shasum": "01".repeat(20),
                     "tarball": "http://https://npm.example/@acme/widget/-/@acme/widget-1.1.0.tgz"},
        }},
        "access": null,
        "_attachments": {ATTACHMENT: {"content_type": "application/octet-stream", "data": "", "length": 7}},
    })
}

fn digests() -> Digests {
    Digests {
        sha256: Sha256::new([2; 32]),
        sha512: Some(Sha512::new([5; 64])),
        sha1: Some(Sha1::new([1; 20])),
        md5: None,
        size: 7,
    }
}

fn drafted_with(document: &Value, tarball: &[u8], known: &[&str]) -> Result<Draft, Fault> {
    Received {
        text: document.to_string().into_bytes(),
        attachment: ATTACHMENT.to_owned(),
        known: known.iter().map(|text| (*text).to_owned()).collect(),
        digests: digests(),
        signer: Signer::ephemeral().unwrap(),
        place: Place {
            name: NAME.to_owned(),
            host: "npm.example".to_owned(),
            owner: Login::new("acme").unwrap(),
        },
    }
    .draft(tarball, &Limits::default())
    .map(|(draft, _bundle)| draft)
}

fn drafted(document: &Value, extra: &Value, files: &[(&str, &[u8])]) -> Draft {
    drafted_with(document, &npm_tarball(NAME, "1.1.0", extra, files), &[]).unwrap()
}

fn refusal(document: &Value) -> String {
    let tarball = npm_tarball(NAME, "1.1.0", &json!({}), &[]);
    drafted_with(document, &tarball, &[])
        .unwrap_err()
        .to_string()
}

/// The document with one change.
fn with(change: impl FnOnce(&mut Value)) -> Value {
    let mut document = document();
    change(&mut document);
    document
}

fn full(draft: &Draft) -> Value {
    let metadata: Value = serde_json::from_str(&draft.metadata).unwrap();
    metadata["full"].clone()
}

#[test]
fn a_document_and_its_tarball_become_a_draft() {
    let extra = json!({
        "description": "packed", "license": "mit", "bin": "cli.js", "main": "i.js",
        "dependencies": {"left": "^1.0.0"}, "repository": "acme/widget",
        "scripts": {"postinstall": "x"},
    });
    let draft = drafted(&document(), &extra, &[("README.md", b"# Packed")]);
    let dist = r#""dist":{"fileCount":2,"integrity":"sha512-BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQ==","shasum":"0101010101010101010101010101010101010101","signatures":[],"unpackedSize":263}"#;
    let abbreviated = r#""abbreviated":{"bin":{"widget":"cli.js"},"dependencies":{"left":"^1.0.0"},"name":"@acme/widget","version":"1.1.0","hasInstallScript":true}"#;
    let full = [
        r#""full":{"bin":{"widget":"cli.js"},"dependencies":{"left":"^1.0.0"},"description":"packed","license":"mit","main":"i.js","name":"@acme/widget","#,
        r#""repository":{"type":"git","url":"git+https://github.com/acme/widget.git"},"scripts":{"postinstall":"x"},"version":"1.1.0","#,
        r#""_nodeVersion":"22.12.0","_npmVersion":"11.6.0","gitHead":"abc","readmeFilename":"README.md","_id":"@acme/widget@1.1.0","_hasShrinkwrap":false,"hasInstallScript":true}"#,
    ]
    .concat();
    let (before, signed) = draft.metadata.split_once("[{\"keyid\":\"SHA256:").unwrap();
    let (_signature, after) = signed.split_once("}]").unwrap();
    assert_eq!(
        format!("{before}[]{after}"),
        format!("{{{dist},{abbreviated},{full}}}")
    );
    assert_eq!(draft.version.as_str(), "1.1.0");
    assert_eq!(draft.key.as_str(), "1.1.0");
    assert!(!draft.is_prerelease && !draft.ask_public);
    assert_eq!(draft.readme.as_deref(), Some("# Said"));
    assert_eq!(draft.license.as_deref(), Some("MIT"));
    assert_eq!(draft.description.as_deref(), Some("packed"));
    assert_eq!(draft.tags, [TagName::new("latest").unwrap()]);
    assert_eq!(draft.tags_if_first, [TagName::new("latest").unwrap()]);
    assert_eq!(draft.source.unwrap().to_string(), "acme/widget");
    let stored: crate::documents::Stored<'_> = serde_json::from_str(&draft.metadata).unwrap();
    assert!(stored.dist.get().starts_with("{\"fileCount\""));
}

#[test]
fn the_tarball_rules_what_installing_depends_on() {
    let document = with(|document| {
        let version = &mut document["versions"]["1.1.0"];
        version["dependencies"] = json!({"evil": "1"});
        version["bin"] = json!({"sudo": "x"});
        version["scripts"] = json!({"postinstall": "evil"});
        version["bundledDependencies"] = json!(["evil"]);
        version["hasInstallScript"] = json!(false);
        version["main"] = json!("claimed.js");
        version["homepage"] = json!("https://claimed.example");
        version["_hasShrinkwrap"] = json!(true);
    });
    let draft = drafted(
        &document,
        &json!({"main": "packed.js", "scripts": {"install": "y"}}),
        &[],
    );
    assert_eq!(
        full(&draft),
        json!({
            "name": NAME, "version": "1.1.0", "_id": "@acme/widget@1.1.0",
            "description": "said", "main": "packed.js", "homepage": "https://claimed.example",
            "readmeFilename": "README.md", "gitHead": "abc",
            "_nodeVersion": "22.12.0", "_npmVersion": "11.6.0",
            "scripts": {"install": "y"}, "hasInstallScript": true, "_hasShrinkwrap": false,
        })
    );
}

#[test]
fn an_almost_empty_document_is_filled_from_the_tarball() {
    let document = json!({
        "_id": NAME, "name": NAME, "dist-tags": {},
        "versions": {"1.1.0": {"name": NAME, "version": "1.1.0", "_id": "x", "dist": {"shasum": "01".repeat(20)}}},
        "_attachments": {"acme-widget-1.1.0.tgz": {"data": ""}},
    });
    let draft = drafted(
        &document,
        &json!({"dependencies": {"a": "1"}}),
        &[("readme.md", b"# Packed"), ("npm-shrinkwrap.json", b"{}")],
    );
    assert_eq!(
        full(&draft),
        json!({
            "name": NAME, "version": "1.1.0", "_id": "@acme/widget@1.1.0",
            "dependencies": {"a": "1"}, "readmeFilename": "readme.md", "_hasShrinkwrap": true,
        })
    );
    assert_eq!(draft.readme.as_deref(), Some("# Packed"));
    assert_eq!(draft.tags, []);
}

#[test]
fn a_build_that_npm_adds_is_kept_where_the_tarball_has_none() {
    let claims = with(|document| {
        document["versions"]["1.1.0"]["scripts"] = json!({"install": "node-gyp rebuild", "x": "y"});
        document["versions"]["1.1.0"]["gypfile"] = json!(true);
    });
    let gyp: &[(&str, &[u8])] = &[("binding.gyp", b"{}")];
    let scripts = |draft: &Draft| full(draft)["scripts"].clone();
    let is_built = |draft: &Draft| full(draft)["hasInstallScript"] == json!(true);

    let draft = drafted(&claims, &json!({"scripts": {"test": "t"}}), gyp);
    assert_eq!(
        scripts(&draft),
        json!({"install": "node-gyp rebuild", "test": "t"})
    );
    assert!(is_built(&draft));

    let draft = drafted(&claims, &json!({"scripts": {"preinstall": "p"}}), gyp);
    assert_eq!(scripts(&draft), json!({"preinstall": "p"}));

    let draft = drafted(&claims, &json!({}), &[]);
    assert!(scripts(&draft).is_null() && !is_built(&draft));

    assert!(is_built(&drafted(&document(), &json!({}), gyp)));
    assert!(!is_built(&drafted(
        &document(),
        &json!({"gypfile": false}),
        gyp
    )));
    assert!(!is_built(&drafted(
        &document(),
        &json!({}),
        &[("lib/a.gyp", b"{}")]
    )));
}

#[test]
fn a_readme_is_the_versions_then_the_documents_then_the_tarballs() {
    let packed: &[(&str, &[u8])] = &[("README", b"packed")];
    let said = |version: Value, top: Value, files: &[(&str, &[u8])]| {
        let document = with(|document| {
            document["versions"]["1.1.0"]["readme"] = version;
            document["readme"] = top;
        });
        drafted(&document, &json!({}), files).readme
    };
    let none = json!("ERROR: No README data found!");
    assert_eq!(said(json!("v"), json!("t"), packed).as_deref(), Some("v"));
    assert_eq!(said(none.clone(), json!("t"), packed).as_deref(), Some("t"));
    assert_eq!(
        said(json!(7), none.clone(), packed).as_deref(),
        Some("packed")
    );
    assert_eq!(said(json!(" "), Value::Null, &[]), None);
    let long = "é".repeat(MAX_README_BYTES);
    let kept = said(json!(long), Value::Null, &[]).unwrap();
    assert_eq!(kept.len(), MAX_README_BYTES);
}

#[test]
fn build_metadata_is_dropped_and_a_prerelease_is_one() {
    let document = with(|document| {
        let mut version = document["versions"]["1.1.0"].take();
        version["version"] = json!("v1.1.0-rc.1+build.5");
        document["versions"] = json!({"1.1.0-rc.1+build.5": version});
        document["dist-tags"] = json!({"next": "1.1.0-rc.1+build.5"});
    });
    let tarball = npm_tarball(NAME, "1.1.0-rc.1+other", &json!({}), &[]);
    let draft = drafted_with(&document, &tarball, &[]).unwrap();
    assert_eq!(draft.version.as_str(), "1.1.0-rc.1");
    assert!(draft.is_prerelease);
    assert_eq!(draft.tags, [TagName::new("next").unwrap()]);
    assert_eq!(full(&draft)["version"], json!("1.1.0-rc.1"));
}

#[test]
fn what_does_not_fit_together_is_refused_in_words() {
    let mismatch = "invalid name: package in URL does not match body";
    for (document, expected) in [
        (with(|d| d["name"] = json!("@acme/other")), mismatch),
        (with(|d| d["_id"] = json!("widget")), mismatch),
        (
            with(|d| d["versions"]["1.1.0"]["name"] = json!("@acme/x")),
            mismatch,
        ),
        (
            with(|d| d["versions"]["1.1.0"]["name"] = Value::Null),
            mismatch,
        ),
        (
            with(|d| d["versions"]["1.1.0"]["version"] = json!("1.1.1")),
            "invalid version: the version in versions[\"1.1.0\"] is another one",
        ),
        (
            with(|d| {
                let version = d["versions"]["1.1.0"].take();
                d["versions"] = json!({"1.1": version});
            }),
            "invalid version: invalid version: \"1.1\"",
        ),
        (
            with(|d| d["versions"] = json!({})),
            "invalid versions: the document holds no version for its tarball",
        ),
        (
            with(|d| d["versions"]["1.1.0"] = json!([])),
            "invalid versions: version 1.1.0: invalid type: sequence, expected an object at line 1 column 0",
        ),
        (
            with(|d| d["dist-tags"] = json!({"1.x": "1.1.0"})),
            "invalid tag: Tag name must not be a valid SemVer range: 1.x",
        ),
        (
            with(|d| d["dist-tags"] = json!({"latest": "9.9.9"})),
            "invalid dist-tags: the tag latest points at a version that is not there",
        ),
        (
            with(|d| d["_attachments"][ATTACHMENT]["length"] = json!(8)),
            "invalid integrity: EINTEGRITY: length mismatch for widget-1.1.0.tgz",
        ),
        (
            with(|d| d["versions"]["1.1.0"]["dist"]["shasum"] = json!("02".repeat(20))),
            "invalid integrity: EINTEGRITY: shasum mismatch for widget-1.1.0.tgz",
        ),
        (
            with(|d| d["versions"]["1.1.0"]["dist"]["integrity"] = json!("sha512-AAAA")),
            "invalid integrity: EINTEGRITY: sha512 mismatch for widget-1.1.0.tgz",
        ),
        (
            with(|d| d["versions"]["1.1.0"]["x"] = json!("x".repeat(MAX_METADATA_BYTES))),
            "invalid versions: the metadata of the version is larger than 8 MiB",
        ),
        (
            with(|d| {
                let tags = (0..=MAX_TAGS).map(|n| (format!("t{n}"), json!("1.1.0")));
                d["dist-tags"] = Value::Object(tags.collect());
            }),
            "invalid dist-tags: a version is published with at most 100 tags",
        ),
        (
            with(|d| d["versions"]["1.1.1"] = json!({})),
            "invalid versions: only one version can be published at a time, with one tarball",
        ),
    ] {
        assert_eq!(refusal(&document), expected);
    }
    let other = npm_tarball(NAME, "1.1.1", &json!({}), &[]);
    assert_eq!(
        drafted_with(&document(), &other, &[])
            .unwrap_err()
            .to_string(),
        "invalid tarball: package.json in the tarball is of \"@acme/widget@1.1.1\", not of @acme/widget@1.1.0"
    );
}

#[test]
fn a_document_that_repeats_what_is_there_publishes_the_one_new_version() {
    let document = with(|document| {
        document["versions"]["1.0.0"] =
            json!({"name": NAME, "version": "1.0.0", "deprecated": "x"});
        document["dist-tags"] = json!({"latest": "1.1.0", "old": "1.0.0"});
    });
    assert!(speaks_of_others(document.to_string().as_bytes()).unwrap());
    assert!(!speaks_of_others(self::document().to_string().as_bytes()).unwrap());
    let tarball = npm_tarball(NAME, "1.1.0", &json!({}), &[]);
    let draft = drafted_with(&document, &tarball, &["1.0.0"]).unwrap();
    assert_eq!(draft.version.as_str(), "1.1.0");
    assert_eq!(draft.tags, [TagName::new("latest").unwrap()]);
    assert!(matches!(
        drafted_with(&document, &tarball, &["1.0.0", "1.1.0"]),
        Err(Fault::Conflict(version)) if version == "1.1.0"
    ));
}

#[test]
fn a_body_says_that_it_is_json_or_nothing() {
    let mut head = Head {
        method: http::Method::PUT,
        path: packhouse_wire::Path::parse("/x").unwrap(),
        query: String::new(),
        headers: http::HeaderMap::new(),
        base: packhouse_wire::BaseUrl::new("https://npm.example").unwrap(),
    };
    assert!(is_json(&head));
    for (value, expected) in [
        ("application/json", true),
        ("Application/JSON; charset=utf-8", true),
        ("text/plain", false),
        ("application/x-www-form-urlencoded", false),
    ] {
        head.headers
            .insert(header::CONTENT_TYPE, value.parse().unwrap());
        assert_eq!(is_json(&head), expected, "{value}");
    }
    assert_eq!(replay_key(&head), None);
    head.headers
        .insert("npm-session", "0123abcd".parse().unwrap());
    assert_eq!(replay_key(&head).as_deref(), Some("0123abcd"));
}
