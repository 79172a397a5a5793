//! Bad input, each with its status and its code.

use packhouse_testkit::http::{self, Request};
use packhouse_testkit::server::TestServer;

use crate::fixture::{Answered as _, Registry, bytes, refusal, sha256};

const N: &str = "alice/app";

#[test]
fn bad_uploads_are_refused_and_the_session_stays() {
    let registry = Registry::start();
    let body = bytes(1000);
    let location = registry.open(N);
    for (range, status, code) in [
        ("nonsense", 400, "BLOB_UPLOAD_INVALID"),
        ("9-5", 400, "BLOB_UPLOAD_INVALID"),
        ("0-", 400, "BLOB_UPLOAD_INVALID"),
        // not as long as it says
        ("0-5", 400, "SIZE_INVALID"),
        ("0-4999", 400, "SIZE_INVALID"),
    ] {
        let answer = registry.patch(&location, Some(range), &body);
        assert_eq!(refusal(&answer), (status, code.to_owned()), "{range}");
        let status = registry.ask(Request::get(&location)).expect_status(204);
        assert_eq!(status.header("range"), Some("0-0"));
    }
    for query in ["", "?digest=", "?digest=nonsense", "?digest=md5:00"] {
        let answer = registry.ask(Request::put(format!("{location}{query}")).body(body.clone()));
        assert_eq!(
            refusal(&answer),
            (400, "DIGEST_INVALID".to_owned()),
            "{query}"
        );
    }
    let algorithm = registry.ask(Request::post(format!(
        "/v2/{N}/blobs/uploads/?digest-algorithm=md5"
    )));
    assert_eq!(refusal(&algorithm), (400, "DIGEST_INVALID".to_owned()));
    // an empty PUT may carry any range
    registry.patch(&location, None, &body).is(202);
    registry
        .ask(
            Request::put(format!("{location}?digest={}", sha256(&body)))
                .header("Content-Range", "5000-4999")
                .body(""),
        )
        .is(201);
}

#[test]
fn a_body_that_ends_early_is_no_blob() {
    let registry = Registry::start();
    let body = bytes(100_000);
    let digest = sha256(&body);
    let location = registry.open(N);
    let cut = body[..50_000].to_vec();
    for request in [
        Request::post(format!("/v2/{N}/blobs/uploads/?digest={digest}")),
        Request::put(format!("{location}?digest={digest}")),
    ] {
        let request = request.basic("alice", &registry.token);
        for broken in [
            request.clone().truncated_body(cut.clone(), 100_000),
            request.clone().truncated_chunks([cut.clone()]),
        ] {
            if let Ok(answer) = http::send(registry.server.base(), &broken) {
                assert_eq!(refusal(&answer), (400, "BLOB_UPLOAD_INVALID".to_owned()));
            }
        }
    }
    let answer = registry.ask(Request::get(format!("/v2/{N}/blobs/{digest}")));
    assert_eq!(refusal(&answer), (404, "BLOB_UNKNOWN".to_owned()));
    registry.finish(&location, &digest, &body).is(201);
}

#[test]
fn a_blob_over_the_limit_is_refused_by_every_way() {
    let server = TestServer::builder()
        .args(["--max-layer-bytes", "100000"])
        .start();
    let registry = Registry::over(server);
    let body = bytes(100_001);
    let digest = sha256(&body);
    let whole = registry
        .ask(Request::post(format!("/v2/{N}/blobs/uploads/?digest={digest}")).body(body.clone()));
    assert_eq!(refusal(&whole), (413, "SIZE_INVALID".to_owned()));
    let location = registry.open(N);
    let put = registry.finish(&location, &digest, &body);
    assert_eq!(refusal(&put), (413, "SIZE_INVALID".to_owned()));
    registry.patch(&location, None, &body[..100_000]).is(202);
    let patch = registry.patch(&location, None, &body[100_000..]);
    assert_eq!(refusal(&patch), (413, "SIZE_INVALID".to_owned()));
    let put = registry.finish(&location, &digest, &body[100_000..]);
    assert_eq!(refusal(&put), (413, "SIZE_INVALID".to_owned()));
    registry
        .finish(&location, &sha256(&body[..100_000]), b"")
        .is(201);
}

#[test]
fn bad_names_and_methods_are_refused_in_the_protocols_words() {
    let registry = Registry::start();
    for (method, target, status, code) in [
        ("POST", "/v2/app/blobs/uploads/", 400, "NAME_INVALID"),
        ("POST", "/v2/alice/App/blobs/uploads/", 400, "NAME_INVALID"),
        ("POST", "/v2/alice/a..b/blobs/uploads/", 400, "NAME_INVALID"),
        ("PUT", "/v2/alice/app/tags/list", 405, "UNSUPPORTED"),
        ("POST", "/v2/alice/app/manifests/x", 405, "UNSUPPORTED"),
        ("DELETE", "/v2/", 405, "UNSUPPORTED"),
        ("GET", "/v2/alice/..%2fapp/manifests/x", 400, "NAME_INVALID"),
        ("GET", "/v2/alice/app/manifests/%00", 400, "NAME_INVALID"),
        ("PUT", "/v2/alice/app/manifests/%5c", 400, "NAME_INVALID"),
        (
            "GET",
            "/v2/alice/app/blobs/uploads/nonsense",
            404,
            "BLOB_UPLOAD_UNKNOWN",
        ),
    ] {
        let answer = registry.ask(Request::new(method, target));
        assert_eq!(
            refusal(&answer),
            (status, code.to_owned()),
            "{method} {target}"
        );
    }
}
