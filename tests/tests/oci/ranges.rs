//! Parts of blobs, and what clients hold already (`spec/oci.md` 3.3).

use packhouse_testkit::http::Request;

use crate::fixture::{Registry, bytes};

const N: &str = "alice/app";

#[test]
fn ranges_of_a_blob_follow_the_table() {
    let registry = Registry::start();
    let body = bytes(2048);
    let digest = registry.push_blob(N, &body);
    let location = format!("/v2/{N}/blobs/{digest}");
    let ask = |range: &str| registry.ask(Request::get(&location).header("Range", range));
    for (range, part) in [
        ("bytes=500-1499", 500..1500),
        ("bytes=500-", 500..2048),
        ("bytes=-500", 1548..2048),
        ("bytes=2000-5000", 2000..2048),
        ("bytes=0-0", 0..1),
    ] {
        let answer = ask(range).expect_status(206);
        assert_eq!(answer.body, body[part.clone()], "{range}");
        let content_range = format!("bytes {}-{}/2048", part.start, part.end - 1);
        assert_eq!(answer.header("content-range"), Some(&*content_range));
        assert_eq!(answer.header("docker-content-digest"), Some(&*digest));
        assert_eq!(answer.header("accept-ranges"), Some("bytes"));
    }
    for range in ["bytes=500-0", "bytes=5000-10000", "bytes=2048-"] {
        let answer = ask(range).expect_status(416);
        assert_eq!(
            answer.header("content-range"),
            Some("bytes */2048"),
            "{range}"
        );
    }
    // several ranges: all of it, never the first of them alone
    let answer = ask("bytes=0-99,200-299").expect_status(200);
    assert_eq!(answer.body, body);

    let tag = answer.header("etag").unwrap().to_owned();
    assert_eq!(tag, format!("\"{digest}\""));
    let known = registry.ask(Request::get(&location).header("If-None-Match", &tag));
    assert_eq!(known.status, 304);
    assert_eq!(
        answer.header("cache-control"),
        Some("private, max-age=31536000")
    );
    assert!(answer.header("content-encoding").is_none());
}

#[test]
fn nothing_is_compressed_whatever_the_client_accepts() {
    let registry = Registry::start();
    let digest = registry.push_image(N, "latest", &"a".repeat(10_000));
    for target in [
        format!("/v2/{N}/manifests/{digest}"),
        format!("/v2/{N}/tags/list"),
        "/v2/_catalog".to_owned(),
    ] {
        let answer = registry
            .ask(Request::get(target).header("Accept-Encoding", "zstd;q=1.0, gzip;q=0.8"))
            .expect_status(200);
        assert!(answer.header("content-encoding").is_none(), "{answer}");
    }
}
