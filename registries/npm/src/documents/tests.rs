use packhouse_core::model::TagView;
use packhouse_names::{
    Login, NormalizedVersion, PackageName, TagName, Timestamp, VersionText, Visibility,
};

use super::*;

fn at(text: &str) -> Timestamp {
    Timestamp::from_rfc3339(text).unwrap()
}

fn version_view(id: i64, name: &str, standing: Standing) -> VersionView {
    let metadata = format!(
        r#"{{"dist":{{"integrity":"sha512-{id}==","shasum":"{id}"}},"abbreviated":{{"name":"@acme/widget","version":"{name}"}},"full":{{"name":"@acme/widget","version":"{name}","license":"MIT-{id}","main":"i.js"}}}}"#
    );
    VersionView {
        id: id.into(),
        name: VersionText::new(name).unwrap(),
        key: NormalizedVersion::new(name).unwrap(),
        metadata,
        standing,
        publisher: (id != 2).then(|| Login::new("ann").unwrap()),
        created_at: at(&format!("2026-01-0{id}T10:00:00Z")),
    }
}

fn tag_view(name: &str, version: &VersionView) -> TagView {
    TagView {
        name: TagName::new(name).unwrap(),
        version: version.name.clone(),
        version_id: version.id,
    }
}

fn package() -> PackageView {
    let versions = vec![
        version_view(1, "1.0.0", Standing::Live),
        version_view(
            2,
            "2.0.0-rc.1",
            Standing::Deprecated {
                reason: "use \"1\"".to_owned(),
            },
        ),
    ];
    PackageView {
        id: 7.into(),
        name: PackageName::new("@acme/widget").unwrap(),
        owner: Login::new("acme").unwrap(),
        visibility: Visibility::Private,
        revision: 3,
        created_at: at("2026-01-01T10:00:00Z"),
        updated_at: at("2026-01-03T10:00:00.123456Z"),
        tags: vec![
            tag_view("latest", &versions[0]),
            tag_view("next", &versions[1]),
        ],
        versions,
        maintainers: vec![Login::new("ann").unwrap(), Login::new("bob").unwrap()],
        starred_by: Vec::new(),
        readme: Some("# Widget".to_owned()),
    }
}

fn base() -> BaseUrl {
    BaseUrl::new("https://h.example/_registry/npm").unwrap()
}

fn text(bytes: Vec<u8>) -> String {
    let text = String::from_utf8(bytes).unwrap();
    serde_json::from_str::<serde_json::Value>(&text).unwrap();
    text
}

#[test]
fn the_long_form_says_everything() {
    let rev = rev(7.into(), 3);
    let expected = [
        &format!(r#"{{"_id":"@acme/widget","_rev":"{rev}","name":"@acme/widget","#),
        r#""dist-tags":{"latest":"1.0.0","next":"2.0.0-rc.1"},"versions":{"#,
        r#""1.0.0":{"name":"@acme/widget","version":"1.0.0","license":"MIT-1","main":"i.js","#,
        r#""dist":{"integrity":"sha512-1==","shasum":"1","tarball":"https://h.example/_registry/npm/@acme/widget/-/widget-1.0.0.tgz"},"#,
        r#""_npmUser":{"name":"ann","email":""},"maintainers":[{"name":"ann","email":""},{"name":"bob","email":""}]},"#,
        r#""2.0.0-rc.1":{"name":"@acme/widget","version":"2.0.0-rc.1","license":"MIT-2","main":"i.js","#,
        r#""deprecated":"use \"1\"","#,
        r#""dist":{"integrity":"sha512-2==","shasum":"2","tarball":"https://h.example/_registry/npm/@acme/widget/-/widget-2.0.0-rc.1.tgz"},"#,
        r#""maintainers":[{"name":"ann","email":""},{"name":"bob","email":""}]}},"#,
        r#""time":{"created":"2026-01-01T10:00:00.000Z","modified":"2026-01-03T10:00:00.123Z","#,
        r#""1.0.0":"2026-01-01T10:00:00.000Z","2.0.0-rc.1":"2026-01-02T10:00:00.000Z"},"#,
        r##""maintainers":[{"name":"ann","email":""},{"name":"bob","email":""}],"license":"MIT-1","readme":"# Widget","##,
        r#""_attachments":{}}"#,
    ]
    .concat();
    assert_eq!(
        text(full(&package(), &base(), Attestations::Hidden).unwrap()),
        expected
    );
}

#[test]
fn the_short_form_says_what_installing_needs() {
    let expected = [
        r#"{"name":"@acme/widget","modified":"2026-01-03T10:00:00.123Z","#,
        r#""dist-tags":{"latest":"1.0.0","next":"2.0.0-rc.1"},"versions":{"#,
        r#""1.0.0":{"name":"@acme/widget","version":"1.0.0","#,
        r#""dist":{"integrity":"sha512-1==","shasum":"1","tarball":"https://h.example/_registry/npm/@acme/widget/-/widget-1.0.0.tgz"},"_npmUser":{"name":"ann","email":""}},"#,
        r#""2.0.0-rc.1":{"name":"@acme/widget","version":"2.0.0-rc.1","deprecated":"use \"1\"","#,
        r#""dist":{"integrity":"sha512-2==","shasum":"2","tarball":"https://h.example/_registry/npm/@acme/widget/-/widget-2.0.0-rc.1.tgz"}}},"#,
        r#""time":{"created":"2026-01-01T10:00:00.000Z","modified":"2026-01-03T10:00:00.123Z","#,
        r#""1.0.0":"2026-01-01T10:00:00.000Z","2.0.0-rc.1":"2026-01-02T10:00:00.000Z"}}"#,
    ]
    .concat();
    assert_eq!(
        text(abbreviated(&package(), &base(), Attestations::Hidden).unwrap()),
        expected
    );
}

#[test]
fn one_version_is_what_the_long_form_shows_of_it() {
    let package = package();
    let whole = text(full(&package, &base(), Attestations::Hidden).unwrap());
    for view in &package.versions {
        let one = text(version(&package, view, &base(), Attestations::Hidden).unwrap());
        assert!(whole.contains(&format!("\"{}\":{one}", view.name)), "{one}");
    }
}

#[test]
fn a_version_is_found_by_text_then_tag_then_its_clean_spelling() {
    let mut package = package();
    let found = |package: &PackageView, wanted: &str| {
        find(package, wanted).map(|version| version.name.to_string())
    };
    for (wanted, expected) in [
        ("1.0.0", Some("1.0.0")),
        ("latest", Some("1.0.0")),
        ("next", Some("2.0.0-rc.1")),
        ("v1.0.0", Some("1.0.0")),
        ("=1.0.0", Some("1.0.0")),
        ("1.0.0+build", Some("1.0.0")),
        ("9.9.9", None),
        ("none", None),
    ] {
        assert_eq!(found(&package, wanted).as_deref(), expected, "{wanted}");
    }
    package.tags[1].name = TagName::new("1.0.0").unwrap();
    assert_eq!(found(&package, "1.0.0").as_deref(), Some("1.0.0"));
}

#[test]
fn without_the_tag_the_highest_release_is_the_latest() {
    let mut package = package();
    assert_eq!(latest(&package).unwrap().name.as_str(), "1.0.0");
    package.tags.clear();
    assert_eq!(latest(&package).unwrap().name.as_str(), "1.0.0");
    package.versions.remove(0);
    assert_eq!(latest(&package).unwrap().name.as_str(), "2.0.0-rc.1");
    assert_eq!(tags(&package), "{}");
}

#[test]
fn a_long_readme_is_cut_at_the_end_of_a_character() {
    let package = PackageView {
        readme: Some("é".repeat(40_000) + "x"),
        ..package()
    };
    let document: serde_json::Value =
        serde_json::from_slice(&full(&package, &base(), Attestations::Hidden).unwrap()).unwrap();
    assert_eq!(
        document["readme"].as_str().unwrap().len(),
        SHOWN_README_BYTES
    );
}

#[test]
fn a_rev_is_of_one_package_at_one_revision() {
    let rev_of_seven = rev(7.into(), 3);
    let (number, mark) = rev_of_seven.split_once('-').unwrap();
    assert_eq!(number, "3");
    assert_eq!(mark.len(), 32);
    assert!(mark.bytes().all(|b| b.is_ascii_hexdigit()));
    assert_eq!(revision_in(&rev_of_seven, 7.into()), Some(3));
    assert_eq!(revision_in(&rev_of_seven, 8.into()), None);
    for text in [
        "undefined",
        "",
        "3",
        "3-",
        "4-0123456789abcdef0123456789abcdef",
    ] {
        assert_eq!(revision_in(text, 7.into()), None, "{text}");
    }
}

#[test]
fn pieces_that_cannot_be_read_are_an_internal_fault() {
    let mut package = package();
    package.versions[0].metadata = "{}".to_owned();
    assert!(matches!(
        full(&package, &base(), Attestations::Hidden),
        Err(Fault::Internal(_))
    ));
    assert!(matches!(
        abbreviated(&package, &base(), Attestations::Hidden),
        Err(Fault::Internal(_))
    ));
}

#[test]
fn where_provenance_is_found_is_told_without_the_mount_and_only_if_wanted() {
    let mut package = package();
    let metadata = &mut package.versions[0].metadata;
    metadata.pop();
    metadata.push_str(r#","provenance":"https://slsa.dev/provenance/v1"}"#);
    let dist = |bytes: Vec<u8>, version: &str| {
        let document: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        document["versions"][version]["dist"]["attestations"].clone()
    };
    let expected = serde_json::json!({
        "url": "https://h.example/-/npm/v1/attestations/@acme%2fwidget@1.0.0",
        "provenance": {"predicateType": "https://slsa.dev/provenance/v1"},
    });
    let none = serde_json::Value::Null;
    for render in [full, abbreviated] {
        let shown = || render(&package, &base(), Attestations::Shown).unwrap();
        assert_eq!(dist(shown(), "1.0.0"), expected);
        assert_eq!(dist(shown(), "2.0.0-rc.1"), none);
        let hidden = render(&package, &base(), Attestations::Hidden).unwrap();
        assert_eq!(dist(hidden, "1.0.0"), none);
    }
}
