//! Manifests of every kind: kept byte for byte, checked against what they name.

use packhouse_testkit::http::Request;
use packhouse_testkit::server::TestServer;
use serde_json::{Value, json};

use crate::fixture::{
    Answered as _, CONFIG, IMAGE, INDEX, LAYER, Manifest, Registry, blob, image_of, index_of,
    referrer, refusal, sha256, sha512,
};

const N: &str = "alice/app";

/// Pushed by tag and digest, got back as it was.
#[track_caller]
fn round_trip(registry: &Registry, manifest: &Manifest, tag: &str) {
    let digest = manifest.digest();
    let put = registry.put_manifest(N, tag, manifest).expect_status(201);
    let location = format!("/v2/{N}/manifests/{digest}");
    assert_eq!(put.header("location"), Some(&*location));
    assert_eq!(put.header("docker-content-digest"), Some(&*digest));
    registry.put_manifest(N, &digest, manifest).is(201);
    for reference in [tag, &digest] {
        let target = format!("/v2/{N}/manifests/{reference}");
        let request = Request::get(&target)
            .header("Accept", INDEX)
            .header("Accept", IMAGE);
        let got = registry.ask(request).expect_status(200);
        assert_eq!(got.body, manifest.bytes);
        let head = registry.ask(Request::head(&target)).expect_status(200);
        assert!(head.body.is_empty());
        for answer in [&got, &head] {
            assert_eq!(answer.header("content-type"), Some(manifest.media_type));
            assert_eq!(answer.header("docker-content-digest"), Some(&*digest));
            let length = manifest.bytes.len().to_string();
            assert_eq!(answer.header("content-length"), Some(&*length));
        }
    }
}

#[test]
fn manifests_of_every_kind_come_back_byte_for_byte() {
    let registry = Registry::start();
    let image = registry.image(N, "one");
    round_trip(&registry, &image, "image");

    // white space, order and unknown fields are the sender's
    let config = json!({"architecture": "amd64", "os": "linux", "content": "one"}).to_string();
    let mut odd = image_of(config.as_bytes(), b"one");
    let value: Value = serde_json::from_slice(&odd.bytes).unwrap();
    let mut value = value;
    value["newUnspecifiedField"] = json!({"a": [1, 2]});
    value["config"]["more"] = json!(true);
    value.as_object_mut().unwrap().remove("mediaType");
    odd.bytes = serde_json::to_vec_pretty(&value).unwrap();
    round_trip(&registry, &odd, "odd");

    let docker = "application/vnd.docker.distribution.manifest.v2+json";
    value["mediaType"] = json!(docker);
    round_trip(&registry, &Manifest::new(docker, &value), "docker");

    let index = index_of(&[&image, &odd]);
    round_trip(&registry, &index, "index");
    round_trip(&registry, &index_of(&[&index]), "nested");
    round_trip(&registry, &index_of(&[]), "empty-index");

    let list = "application/vnd.docker.distribution.manifest.list.v2+json";
    let children = [image.descriptor()];
    let value = json!({"schemaVersion": 2, "mediaType": list, "manifests": children});
    round_trip(&registry, &Manifest::new(list, &value), "list");

    // no layers, an artifact, and one that nobody pushed the empty blob of
    let no_layers =
        json!({"schemaVersion": 2, "config": blob(CONFIG, config.as_bytes()), "layers": []});
    round_trip(&registry, &Manifest::new(IMAGE, &no_layers), "no-layers");
    let artifact = json!({
        "schemaVersion": 2,
        "artifactType": "application/vnd.example+json",
        "config": blob("application/vnd.oci.empty.v1+json", b"{}"),
    });
    round_trip(&registry, &Manifest::new(IMAGE, &artifact), "artifact");
    let empty = registry.ask(Request::get(format!("/v2/{N}/blobs/{}", sha256(b"{}"))));
    assert_eq!(empty.expect_status(200).body, b"{}");

    let withdrawn = "application/vnd.oci.artifact.manifest.v1+json";
    let value =
        json!({"mediaType": withdrawn, "artifactType": "a/b", "blobs": [blob(LAYER, b"one")]});
    round_trip(&registry, &Manifest::new(withdrawn, &value), "withdrawn");

    // 3.9 MB of annotations
    let annotations: serde_json::Map<String, Value> = (0..390)
        .map(|number| (format!("a{number}"), json!("x".repeat(10_000))))
        .collect();
    let mut large: Value = serde_json::from_slice(&image.bytes).unwrap();
    large["annotations"] = annotations.into();
    round_trip(&registry, &Manifest::new(IMAGE, &large), "large");
}

#[test]
fn what_need_not_be_there_need_not_be_there() {
    let registry = Registry::start();
    let image = registry.image(N, "one");
    let mut value: Value = serde_json::from_slice(&image.bytes).unwrap();
    // its bytes are in the descriptor
    let mut embedded = blob("text/plain", b"hello");
    embedded["data"] = json!("aGVsbG8=");
    // its bytes are elsewhere
    let mut foreign = blob(
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        b"far",
    );
    foreign["urls"] = json!(["https://example.com/far"]);
    value["layers"] = json!([embedded, foreign]);
    round_trip(&registry, &Manifest::new(IMAGE, &value), "partly");

    // neither helps where it is not true
    let mut wrong = blob("text/plain", b"hello");
    wrong["data"] = json!("Z29vZGJ5ZQ==");
    let mut bare = blob(
        "application/vnd.docker.image.rootfs.foreign.diff.tar",
        b"far",
    );
    bare["urls"] = json!([]);
    for layer in [wrong, bare] {
        let digest = layer["digest"].clone();
        value["layers"] = json!([layer]);
        let answer = registry.put_manifest(N, "bad", &Manifest::new(IMAGE, &value));
        assert_eq!(refusal(&answer), (400, "MANIFEST_BLOB_UNKNOWN".to_owned()));
        assert_eq!(answer.json()["errors"][0]["detail"], digest);
    }
}

#[test]
fn what_a_manifest_names_must_be_in_this_repository() {
    let registry = Registry::start();
    let image = registry.image(N, "one");
    let elsewhere = registry.put_manifest("alice/other", "latest", &image);
    assert_eq!(
        refusal(&elsewhere),
        (400, "MANIFEST_BLOB_UNKNOWN".to_owned())
    );
    let index = registry.put_manifest(N, "latest", &index_of(&[&image]));
    assert_eq!(refusal(&index), (400, "MANIFEST_BLOB_UNKNOWN".to_owned()));
    let tags = registry
        .ask(Request::get(format!("/v2/{N}/tags/list")))
        .expect_status(200);
    assert_eq!(tags.json()["tags"], json!([]), "nothing of it can be seen");

    // an index of layers, as BuildKit's cache has it
    let cache = json!({
        "schemaVersion": 2,
        "mediaType": INDEX,
        "manifests": [blob(LAYER, b"one")],
    });
    registry
        .put_manifest(N, "cache", &Manifest::new(INDEX, &cache))
        .is(201);

    let mut value: Value = serde_json::from_slice(&image.bytes).unwrap();
    value["layers"][0]["size"] = json!(4);
    let answer = registry.put_manifest(N, "bad", &Manifest::new(IMAGE, &value));
    assert_eq!(refusal(&answer), (400, "SIZE_INVALID".to_owned()));
}

#[test]
fn sparse_images_are_accepted_where_the_operator_says_so() {
    let server = TestServer::builder()
        .args(["--sparse-images", "on"])
        .start();
    let registry = Registry::over(server);
    let image = image_of(b"absent", b"absent, too");
    registry.put_manifest(N, "sparse", &image).is(201);
    let index = index_of(&[&image_of(b"nor", b"this")]);
    registry.put_manifest(N, "sparse-index", &index).is(201);
}

#[test]
fn a_manifest_by_sha512_is_found_by_it() {
    let registry = Registry::start();
    let config = b"{}";
    let layer = b"layer";
    for body in [&config[..], layer] {
        registry
            .finish(&registry.open(N), &sha512(body), body)
            .is(201);
    }
    let descriptor = |media_type: &str, bytes: &[u8]| json!({"mediaType": media_type, "digest": sha512(bytes), "size": bytes.len()});
    let image = Manifest::new(
        IMAGE,
        &json!({
            "schemaVersion": 2,
            "config": descriptor(CONFIG, config),
            "layers": [descriptor(LAYER, layer)],
        }),
    );
    let digest = sha512(&image.bytes);
    let put = registry
        .ask(
            Request::put(format!("/v2/{N}/manifests/{digest}?tag=a&tag=b"))
                .header("Content-Type", IMAGE)
                .body(image.bytes.clone()),
        )
        .expect_status(201);
    assert_eq!(put.header("docker-content-digest"), Some(&*digest));
    assert_eq!(put.header("oci-tag"), Some("a, b"));
    for reference in [&*digest, "a", "b"] {
        let got = registry
            .ask(Request::get(format!("/v2/{N}/manifests/{reference}")))
            .expect_status(200);
        assert_eq!(got.body, image.bytes);
        assert_eq!(got.header("docker-content-digest"), Some(&*digest));
    }
}

#[test]
fn tags_come_with_the_manifest_and_move() {
    let registry = Registry::start();
    let one = registry.image(N, "one");
    let two = registry.image(N, "two");
    let names: Vec<String> = (0..12).map(|number| format!("t{number}")).collect();
    let query: Vec<String> = names.iter().map(|name| format!("tag={name}")).collect();
    let target = format!("{}?{}", one.digest(), query.join("&"));
    let put = registry.ask(one.put(N, &target)).expect_status(201);
    assert_eq!(put.header("oci-tag"), Some(&*names.join(", ")));

    registry.put_manifest(N, "t3", &two).is(201);
    let digest_of = |tag: &str| {
        let answer = registry.ask(Request::head(format!("/v2/{N}/manifests/{tag}")));
        answer
            .expect_status(200)
            .header("docker-content-digest")
            .unwrap()
            .to_owned()
    };
    assert_eq!(digest_of("t3"), two.digest());
    assert_eq!(digest_of("t4"), one.digest());
    // the same again is a success, and the old one stays
    registry.put_manifest(N, "t3", &two).is(201);
    assert_eq!(digest_of(&one.digest()), one.digest());

    let many: Vec<String> = (0..101).map(|number| format!("tag=m{number}")).collect();
    let target = format!("{}?{}", one.digest(), many.join("&"));
    assert_eq!(refusal(&registry.ask(one.put(N, &target))).0, 414);
}

#[test]
fn a_known_manifest_is_not_sent_again() {
    let registry = Registry::start();
    let digest = registry.push_image(N, "latest", "one");
    for condition in [format!("\"{digest}\""), digest.clone()] {
        for reference in ["latest", &digest] {
            let request = Request::get(format!("/v2/{N}/manifests/{reference}"))
                .header("If-None-Match", &condition);
            let answer = registry.ask(request).expect_status(304);
            assert_eq!(answer.header("docker-content-digest"), Some(&*digest));
        }
    }
}

#[test]
fn a_subject_is_confirmed_and_need_not_be_there() {
    let registry = Registry::start();
    let subject = image_of(b"nobody", b"pushed this").descriptor();
    for manifest in [referrer(&subject, "a/b", "x"), {
        let value =
            json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [], "subject": subject});
        Manifest::new(INDEX, &value)
    }] {
        let put = registry
            .put_manifest(N, &manifest.digest(), &manifest)
            .expect_status(201);
        assert_eq!(put.header("oci-subject"), subject["digest"].as_str());
    }
}

#[test]
fn bad_manifests_are_refused_in_the_protocols_words() {
    let registry = Registry::start();
    let image = registry.image(N, "one");
    let value: Value = serde_json::from_slice(&image.bytes).unwrap();
    let with = |field: &str, new: Value| {
        let mut value = value.clone();
        value[field] = new;
        Manifest::new(IMAGE, &value)
    };
    let schema1 = "application/vnd.docker.distribution.manifest.v1+prettyjws";
    for (bad, code) in [
        (
            Manifest {
                media_type: IMAGE,
                bytes: b"{".to_vec(),
            },
            "MANIFEST_INVALID",
        ),
        (
            Manifest {
                media_type: IMAGE,
                bytes: b"[]".to_vec(),
            },
            "MANIFEST_INVALID",
        ),
        (
            Manifest {
                media_type: schema1,
                bytes: image.bytes.clone(),
            },
            "MANIFEST_INVALID",
        ),
        (
            Manifest {
                media_type: "text/plain",
                bytes: image.bytes.clone(),
            },
            "MANIFEST_INVALID",
        ),
        (
            Manifest {
                media_type: INDEX,
                bytes: image.bytes.clone(),
            },
            "MANIFEST_INVALID",
        ),
        (with("schemaVersion", json!(1)), "MANIFEST_INVALID"),
        (with("mediaType", json!(INDEX)), "MANIFEST_INVALID"),
        (with("manifests", json!([])), "MANIFEST_INVALID"),
        (
            with("layers", json!([{"digest": "sha256:short", "size": 1}])),
            "MANIFEST_INVALID",
        ),
        (
            with("layers", json!([{"digest": sha256(b"one"), "size": -1}])),
            "MANIFEST_INVALID",
        ),
        (
            with("subject", json!({"digest": "nonsense", "size": 1})),
            "MANIFEST_INVALID",
        ),
    ] {
        let answer = registry.put_manifest(N, "bad", &bad);
        let text = String::from_utf8_lossy(&bad.bytes);
        assert_eq!(refusal(&answer), (400, code.to_owned()), "{text}");
    }
    let untyped = Request::put(format!("/v2/{N}/manifests/bad")).body(image.bytes.clone());
    assert_eq!(
        refusal(&registry.ask(untyped)),
        (400, "MANIFEST_INVALID".to_owned())
    );

    // the digest of other bytes, one that is none, a tag that is none
    let mut spaced = image.clone();
    spaced.bytes.push(b' ');
    for (reference, code) in [
        (&*image.digest(), "DIGEST_INVALID"),
        ("sha256:baddigeststring", "DIGEST_INVALID"),
        (".bad", "TAG_INVALID"),
    ] {
        let answer = registry.put_manifest(N, reference, &spaced);
        assert_eq!(refusal(&answer), (400, code.to_owned()), "{reference}");
    }

    let mut huge = image;
    huge.bytes.resize((4 << 20) + 1, b' ');
    let answer = registry.put_manifest(N, "huge", &huge);
    assert_eq!(refusal(&answer), (413, "SIZE_INVALID".to_owned()));
    huge.bytes.truncate(4 << 20);
    registry.put_manifest(N, "large", &huge).is(201);
}

#[test]
fn what_is_not_there_is_not_found() {
    let registry = Registry::start();
    registry.push_image(N, "latest", "one");
    let zeros = format!("sha256:{}", "0".repeat(64));
    for (target, status, code) in [
        (format!("/v2/{N}/manifests/absent"), 404, "MANIFEST_UNKNOWN"),
        (
            format!("/v2/{N}/manifests/{zeros}"),
            404,
            "MANIFEST_UNKNOWN",
        ),
        (
            format!("/v2/{N}/manifests/.INVALID_MANIFEST_NAME"),
            404,
            "MANIFEST_UNKNOWN",
        ),
        (
            format!("/v2/{N}/manifests/sha256:totallywrong"),
            400,
            "DIGEST_INVALID",
        ),
        (format!("/v2/{N}/blobs/{zeros}"), 404, "BLOB_UNKNOWN"),
        (
            format!("/v2/{N}/blobs/sha256:totallywrong"),
            400,
            "DIGEST_INVALID",
        ),
        (
            "/v2/alice/absent/manifests/latest".to_owned(),
            404,
            "NAME_UNKNOWN",
        ),
        ("/v2/alice/absent/tags/list".to_owned(), 404, "NAME_UNKNOWN"),
        (
            format!("/v2/alice/absent/blobs/{zeros}"),
            404,
            "NAME_UNKNOWN",
        ),
        (
            "/v2/nobody/absent/manifests/latest".to_owned(),
            404,
            "NAME_UNKNOWN",
        ),
        ("/v2/app/manifests/latest".to_owned(), 404, "NAME_UNKNOWN"),
        (
            "/v2/alice/App/manifests/latest".to_owned(),
            404,
            "NAME_UNKNOWN",
        ),
        (
            "/v2/alice%2Fapp/manifests/latest".to_owned(),
            404,
            "NAME_UNKNOWN",
        ),
        ("/v2/nothing".to_owned(), 404, "NAME_UNKNOWN"),
        (
            format!("/v2/{N}/manifests/latest?ns=other.example.com"),
            404,
            "NAME_UNKNOWN",
        ),
    ] {
        let answer = registry.ask(Request::get(&target));
        assert_eq!(refusal(&answer), (status, code.to_owned()), "{target}");
        let head = registry.ask(Request::head(&target)).expect_status(status);
        assert!(head.body.is_empty());
    }
    let own = registry.server.base().split("//").nth(1).unwrap();
    let target = format!("/v2/{N}/manifests/latest?ns={own}");
    registry.ask(Request::get(target)).is(200);
    let encoded = registry.push_blob(N, b"x").replace(':', "%3A");
    registry
        .ask(Request::get(format!("/v2/{N}/blobs/{encoded}")))
        .is(200);
}
