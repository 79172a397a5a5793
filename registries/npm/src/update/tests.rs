use packhouse_core::model::{TagView, VersionView};
use packhouse_names::{Login, PackageName, Timestamp, VersionText, Visibility};
use serde_json::{Value, json};

use super::*;
use crate::documents::rev;

const NAME: &str = "@acme/widget";

fn package(versions: &[(&str, Option<&str>)], latest: &str) -> PackageView {
    let at = Timestamp::from_rfc3339("2026-01-01T10:00:00Z").unwrap();
    let versions: Vec<VersionView> = versions
        .iter()
        .zip(1_i64..)
        .map(|((name, reason), id)| VersionView {
            id: id.into(),
            name: VersionText::new(*name).unwrap(),
            key: key(name),
            metadata:
                r#"{"dist":{"integrity":"sha512-Ab==","shasum":"ab"},"abbreviated":{},"full":{}}"#
                    .to_owned(),
            standing: standing(*reason),
            publisher: None,
            created_at: at,
        })
        .collect();
    let tagged = versions
        .iter()
        .find(|version| version.name.as_str() == latest)
        .unwrap();
    PackageView {
        id: 7.into(),
        name: PackageName::new(NAME).unwrap(),
        owner: Login::new("acme").unwrap(),
        visibility: Visibility::Private,
        revision: 3,
        created_at: at,
        updated_at: at,
        tags: vec![TagView {
            name: TagName::new("latest").unwrap(),
            version: tagged.name.clone(),
            version_id: tagged.id,
        }],
        versions,
        starred_by: Vec::new(),
        maintainers: vec![Login::new("ann").unwrap()],
        readme: None,
    }
}

fn standing(reason: Option<&str>) -> Standing {
    match reason {
        Some(reason) => Standing::Deprecated {
            reason: reason.to_owned(),
        },
        None => Standing::Live,
    }
}

fn key(text: &str) -> NormalizedVersion {
    NormalizedVersion::new(text).unwrap()
}

/// Whoever sends the documents.
fn bob() -> Login {
    Login::new("bob").unwrap()
}

fn merged(document: &Value, package: Option<&PackageView>) -> String {
    let text = document.to_string();
    shown(Plan::merge(text.as_bytes(), NAME, package, &bob()))
}

fn replaced(document: &Value, package: &PackageView, rev: &str) -> String {
    shown(Plan::replace(
        document.to_string().as_bytes(),
        NAME,
        package,
        rev,
        &bob(),
    ))
}

fn shown(plan: Result<Plan, Fault>) -> String {
    match plan {
        Ok(Plan::Refused(refusal)) => format!("{refusal:?}"),
        Ok(Plan::Star(true)) => "star".to_owned(),
        Ok(Plan::Star(false)) => "no star".to_owned(),
        Ok(Plan::Owners(change)) => {
            let AccessChange {
                expect,
                grant,
                revoke,
            } = change;
            format!("{expect:?} {grant:?} {revoke:?}")
        }
        Ok(Plan::Nothing { revision, .. }) => format!("nothing at {revision}"),
        Ok(Plan::Change(revision)) => {
            let Revision {
                expect,
                delete,
                standings,
                tags,
                untag,
            } = revision;
            assert_eq!(untag, []);
            format!("{expect:?} {delete:?} {standings:?} {tags:?}")
        }
        Err(fault) => fault.to_string(),
    }
}

#[test]
fn a_document_without_a_tarball_changes_standings_and_nothing_else() {
    let package = package(&[("1.0.0", None), ("1.1.0", Some("old"))], "1.1.0");
    let dist = json!({"integrity": "sha512-Ab==", "shasum": "AB", "tarball": "http://elsewhere"});
    for (document, expected) in [
        // deprecate one; the other is not named, and stays as it is
        (
            json!({"_id": NAME, "name": NAME, "versions": {"1.0.0": {"deprecated": "no", "dist": dist}}}),
            r#"None Nothing [("1.0.0", Deprecated { reason: "no" })] []"#,
        ),
        // undeprecate with an empty text
        (
            json!({"versions": {"1.0.0": {}, "1.1.0": {"deprecated": ""}}}),
            r#"None Nothing [("1.1.0", Live)] []"#,
        ),
        (
            json!({"versions": {"1.0.0": {}, "1.1.0": {"deprecated": "old"}}, "users": {}}),
            "nothing at 3",
        ),
        (
            json!({"versions": {}, "maintainers": [{"name": "ann"}]}),
            "nothing at 3",
        ),
        (
            json!({"versions": {"1.0.0": {}}, "users": {"bob": true}}),
            "nothing at 3",
        ),
        (
            json!({"_id": NAME, "_rev": "3-x", "users": {"ann": true, "Bob": true}}),
            "star",
        ),
        (
            json!({"_id": NAME, "_rev": "3-x", "users": {"ann": true}}),
            "no star",
        ),
        (json!({"_id": NAME, "_rev": "3-x", "users": {}}), "no star"),
        (
            json!({"_id": NAME, "_rev": "3-x", "users": ["bob"]}),
            "invalid body: malformed JSON in the users of the document: invalid type: sequence, expected a map",
        ),
        (json!({"_id": NAME, "maintainers": []}), "Owners"),
        (
            json!({"_id": NAME}),
            "invalid versions: the document holds no version",
        ),
        (
            json!({"name": "@acme/other", "versions": {}}),
            "invalid name: package in URL does not match body",
        ),
        (
            json!({"versions": {"2.0.0": {}}}),
            "invalid versions: a new version needs its tarball",
        ),
        (
            json!({"versions": {"1.0.0": {"dist": {"integrity": "sha512-ab=="}}}}),
            "invalid versions: the tarball of version 1.0.0 cannot be changed",
        ),
        (
            json!({"versions": {"1.0.0": {"dist": {"shasum": "cd"}}}}),
            "invalid versions: the tarball of version 1.0.0 cannot be changed",
        ),
        (
            json!({"versions": {"1.0.0": 7}}),
            "invalid body: malformed JSON in a version: invalid type: integer `7`, expected an object",
        ),
    ] {
        assert_eq!(merged(&document, Some(&package)), expected, "{document}");
    }
    assert_eq!(
        merged(&json!({"versions": {"1.0.0": {}}}), None),
        "invalid versions: a new version needs its tarball"
    );
}

#[test]
fn versions_that_are_gone_from_a_current_document_are_removed() {
    let package = package(
        &[("1.0.0", None), ("1.1.0", None), ("2.0.0-rc.1", None)],
        "1.1.0",
    );
    let current = rev(package.id, 3);
    for (document, expected) in [
        // not the latest: its tag stays where it is
        (
            json!({"versions": {"1.1.0": {}, "2.0.0-rc.1": {}}}),
            r#"Some(3) Versions(["1.0.0"]) [] []"#,
        ),
        // the latest: the client's choice, or the highest that stays
        (
            json!({"versions": {"1.0.0": {}, "2.0.0-rc.1": {}}, "dist-tags": {"latest": "2.0.0-rc.1"}}),
            r#"Some(3) Versions(["1.1.0"]) [] [("latest", "2.0.0-rc.1")]"#,
        ),
        (
            json!({"versions": {"1.0.0": {}, "2.0.0-rc.1": {}}, "dist-tags": {"latest": "1.1.0"}}),
            r#"Some(3) Versions(["1.1.0"]) [] [("latest", "1.0.0")]"#,
        ),
        (
            json!({"versions": {"2.0.0-rc.1": {"deprecated": "x"}}}),
            r#"Some(3) Versions(["1.0.0", "1.1.0"]) [("2.0.0-rc.1", Deprecated { reason: "x" })] [("latest", "2.0.0-rc.1")]"#,
        ),
        (json!({"versions": {}}), "Some(3) Package [] []"),
        (
            json!({"versions": {"1.0.0": {}, "1.1.0": {}, "2.0.0-rc.1": {}}}),
            "nothing at 3",
        ),
        (
            json!({"versions": {"1.0.0": {}, "1.1.0": {}, "2.0.0-rc.1": {}}, "users": {"bob": true}}),
            "star",
        ),
        (
            json!({"versions": {"1.0.0": {}, "1.1.0": {}, "2.0.0-rc.1": {}}, "users": {}}),
            "no star",
        ),
        (
            json!({"_id": NAME, "_rev": current, "maintainers": [{"name": "ann"}]}),
            "nothing at 3",
        ),
        (
            json!({"maintainers": [{"name": "ann", "email": "x"}, {"name": "eve"}]}),
            r#"Some(3) [(User("eve"), Admin)] []"#,
        ),
        (
            json!({"maintainers": [{"name": "eve"}]}),
            r#"Some(3) [(User("eve"), Admin)] [User("ann")]"#,
        ),
        (
            json!({"maintainers": [{"name": "a b"}]}),
            "invalid user: there is no user a b",
        ),
        (
            json!({"maintainers": ["ann"]}),
            "invalid body: malformed JSON in the maintainers of the document: invalid type: string \"ann\", expected an object with a name",
        ),
    ] {
        assert_eq!(
            replaced(&document, &package, &current),
            expected,
            "{document}"
        );
    }
}

#[test]
fn a_document_that_was_read_earlier_is_stale() {
    let package = package(&[("1.0.0", None)], "1.0.0");
    for old in [
        rev(package.id, 2),
        rev(8.into(), 3),
        "undefined".to_owned(),
        "3-0".to_owned(),
    ] {
        let document = json!({"versions": {}});
        assert_eq!(
            replaced(&document, &package, &old),
            "the package has changed since it was read",
            "{old}"
        );
    }
}

#[test]
fn removing_versions_takes_more_than_changing_them() {
    let package = package(&[("1.0.0", None), ("1.1.0", None)], "1.1.0");
    let current = rev(package.id, 3);
    let asked = PackageRef {
        ecosystem: packhouse_names::Ecosystem::Npm,
        namespace: packhouse_core::model::Namespace {
            owner: Login::new("acme").unwrap(),
            repository: None,
        },
        name: PackageName::new(NAME).unwrap(),
        key: packhouse_names::NormalizedName::new(NAME).unwrap(),
    };
    for (document, needs_curate) in [
        (json!({"versions": {"1.0.0": {}}}), true),
        (json!({"versions": {}}), true),
        (
            json!({"versions": {"1.0.0": {"deprecated": "x"}, "1.1.0": {}}}),
            false,
        ),
        (json!({"versions": {"1.0.0": {}, "1.1.0": {}}}), false),
    ] {
        let text = document.to_string();
        let plan = Plan::replace(text.as_bytes(), NAME, &package, &current, &bob()).unwrap();
        let need = plan.need(&asked);
        let expected = if needs_curate {
            Need::Curate(asked.clone())
        } else {
            Need::Publish(asked.clone())
        };
        assert_eq!(need, expected, "{document}");
    }
}
