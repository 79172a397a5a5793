//! Tags, referrers and the catalog, whole and in pages.

use packhouse_testkit::http::{Request, Response};
use serde_json::{Value, json};

use crate::fixture::{Answered as _, INDEX, Manifest, Registry, image_of, referrer, refusal};

const N: &str = "alice/app";

/// Where a list goes on, below the server's address.
fn next(answer: &Response) -> Option<String> {
    let link = answer.header("link")?;
    let (address, relation) = link.split_once('>').unwrap();
    assert_eq!(relation, "; rel=\"next\"");
    Some(address.trim_start_matches('<').to_owned())
}

#[test]
fn tags_are_listed_in_the_order_of_their_bytes_and_in_pages() {
    let registry = Registry::start();
    let image = registry.image(N, "one");
    for tag in ["b", "a", "B", "1.10", "1.9", "_x", "a-b", "a.b"] {
        registry.put_manifest(N, tag, &image).is(201);
    }
    let list = |query: &str| registry.ask(Request::get(format!("/v2/{N}/tags/list{query}")));
    let tags = |answer: &Response| answer.json()["tags"].clone();
    let all = json!(["1.10", "1.9", "B", "_x", "a", "a-b", "a.b", "b"]);
    let whole = list("").expect_status(200);
    assert_eq!(whole.json(), json!({"name": N, "tags": all}));
    assert_eq!(next(&whole), None);

    let mut seen = Vec::new();
    let mut target = Some(format!("/v2/{N}/tags/list?n=3"));
    while let Some(asked) = target {
        let page = registry.ask(Request::get(asked)).expect_status(200);
        seen.extend(tags(&page).as_array().unwrap().clone());
        target = next(&page);
    }
    assert_eq!(Value::Array(seen), all);

    assert_eq!(tags(&list("?n=0")), json!([]));
    assert_eq!(next(&list("?n=0")), None);
    assert_eq!(tags(&list("?last=a")), json!(["a-b", "a.b", "b"]));
    assert_eq!(tags(&list("?n=2&last=a-")), json!(["a-b", "a.b"]));
    assert_eq!(tags(&list("?n=8")), all);
    assert_eq!(next(&list("?n=8")), None);
    assert_eq!(tags(&list("?n=99999999999")), all);
    assert_eq!(tags(&list("?last=zzz")), json!([]));
    for bad in ["?n=-1", "?n=x", "?n="] {
        let answer = list(bad);
        assert_eq!(
            refusal(&answer),
            (400, "PAGINATION_NUMBER_INVALID".to_owned())
        );
    }
}

#[test]
fn a_repository_without_a_manifest_has_no_tags() {
    let registry = Registry::start();
    registry.push_blob(N, b"one");
    let answer = registry
        .ask(Request::get(format!("/v2/{N}/tags/list")))
        .expect_status(200);
    assert_eq!(answer.json(), json!({"name": N, "tags": []}));
}

#[test]
fn referrers_are_listed_filtered_and_in_pages() {
    let registry = Registry::start();
    let subject = image_of(b"nobody", b"pushed this").descriptor();
    let digest = subject["digest"].as_str().unwrap();
    let list = |query: &str| {
        let target = format!("/v2/{N}/referrers/{digest}{query}");
        registry.ask(Request::get(target)).expect_status(200)
    };
    // not even the repository is there
    let none = list("");
    assert_eq!(none.header("content-type"), Some(INDEX));
    assert_eq!(
        none.json(),
        json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": []})
    );

    let sign = "application/vnd.example.signature.v1+json";
    let mut pushed: Vec<Manifest> = Vec::new();
    for (kind, note) in [(sign, "one"), (sign, "two"), ("a/b", "three")] {
        let manifest = referrer(&subject, kind, note);
        registry
            .put_manifest(N, &manifest.digest(), &manifest)
            .is(201);
        pushed.push(manifest);
    }
    let plain =
        json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [], "subject": subject});
    let plain = Manifest::new(INDEX, &plain);
    registry.put_manifest(N, "plain", &plain).is(201);

    let answer = list("");
    let listed = answer.json()["manifests"].as_array().unwrap().clone();
    assert_eq!(listed.len(), 4);
    assert!(answer.header("oci-filters-applied").is_none());
    for (manifest, kind, note) in [
        (&pushed[0], sign, "one"),
        (&pushed[1], sign, "two"),
        (&pushed[2], "a/b", "three"),
    ] {
        let mut expected = manifest.descriptor();
        expected["artifactType"] = json!(kind);
        expected["annotations"] = json!({"note": note});
        assert!(listed.contains(&expected), "{expected} in {listed:?}");
    }
    assert!(listed.contains(&plain.descriptor()));

    for spelling in [sign.replace('+', "%2B"), sign.to_owned()] {
        let filtered = list(&format!("?artifactType={spelling}"));
        assert_eq!(filtered.header("oci-filters-applied"), Some("artifactType"));
        assert_eq!(filtered.json()["manifests"].as_array().unwrap().len(), 2);
    }
    assert_eq!(
        list("?artifactType=none/such").json()["manifests"],
        json!([])
    );

    let mut seen = Vec::new();
    let mut target = Some(format!("/v2/{N}/referrers/{digest}?n=3"));
    while let Some(asked) = target {
        let page = registry.ask(Request::get(asked)).expect_status(200);
        seen.extend(page.json()["manifests"].as_array().unwrap().clone());
        target = next(&page);
    }
    assert_eq!(seen, listed);

    let target = format!("/v2/{N}/manifests/{}", pushed[0].digest());
    registry.ask(Request::delete(target)).is(202);
    assert_eq!(list("").json()["manifests"].as_array().unwrap().len(), 3);
    let malformed = registry.ask(Request::get(format!("/v2/{N}/referrers/nonsense")));
    assert_eq!(refusal(&malformed), (400, "DIGEST_INVALID".to_owned()));
}

#[test]
fn fallback_tags_are_tags_like_any_other() {
    let registry = Registry::start();
    let image = registry.push_image(N, "latest", "one");
    let tag = image.replace(':', "-");
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": []});
    registry
        .put_manifest(N, &tag, &Manifest::new(INDEX, &index))
        .is(201);
    let target = format!("/v2/{N}/manifests/{tag}");
    registry.ask(Request::get(&target)).is(200);
    registry.ask(Request::delete(&target)).is(202);
    registry.ask(Request::get(&target)).is(404);
}

#[test]
fn the_catalog_shows_what_the_caller_may_read() {
    let registry = Registry::start();
    let bob = registry.user("bob", "read:packages,write:packages");
    for name in ["alice/b", "alice/a/x", "alice/a-b"] {
        registry.push_image(name, "latest", name);
    }
    registry.push_blob("alice/without-a-manifest", b"x");
    let public = "alice/b";
    registry
        .server
        .admin(&["set-visibility", "alice/container/b", "public"]);
    let names = |token: &str, query: &str| {
        let request = Request::get(format!("/v2/_catalog{query}"));
        registry.as_who(token, request).expect_status(200).json()["repositories"].clone()
    };
    assert_eq!(
        names(&registry.token, ""),
        json!(["alice/a-b", "alice/a/x", public])
    );
    assert_eq!(names(&bob, ""), json!([public]));
    assert_eq!(
        names(&registry.token, "?last=alice/a-b"),
        json!(["alice/a/x", public])
    );

    let mut seen = Vec::new();
    let mut target = Some("/v2/_catalog?n=1".to_owned());
    while let Some(asked) = target {
        let page = registry.ask(Request::get(asked)).expect_status(200);
        seen.extend(page.json()["repositories"].as_array().unwrap().clone());
        target = next(&page);
    }
    assert_eq!(seen.len(), 3);

    // nobody is asked who they are first, and may then be nobody
    let challenged = registry.as_who("", Request::get("/v2/_catalog"));
    assert_eq!(refusal(&challenged), (401, "UNAUTHORIZED".to_owned()));
    let challenge = challenged.header("www-authenticate").unwrap();
    assert!(
        challenge.ends_with(",scope=\"registry:catalog:*\""),
        "{challenge}"
    );
    let nobody = registry.bearer("", &["registry:catalog:*"]);
    let answer = registry.as_who("", Request::get("/v2/_catalog").bearer(&nobody));
    assert_eq!(
        answer.expect_status(200).json()["repositories"],
        json!([public])
    );
}
