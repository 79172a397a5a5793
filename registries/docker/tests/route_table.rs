//! Which request is which call, one line a shape.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a broken expectation is a failed test"
)]

use http::{HeaderMap, Method};
use packhouse_core::Registry as _;
use packhouse_core::fault::Fault;
use packhouse_core::policy::Need;
use packhouse_docker::Docker;
use packhouse_wire::{BaseUrl, Head, Path};

const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const ID: &str = "0190b0e0-0000-7000-8000-000000000000";

fn head(method: &str, target: &str) -> Head {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Head {
        method: Method::from_bytes(method.as_bytes()).unwrap(),
        path: Path::parse(path).unwrap(),
        query: query.to_owned(),
        headers: HeaderMap::new(),
        base: BaseUrl::new("https://reg.example.com").unwrap(),
    }
}

/// `label | need of owner/name`, or the fault.
fn routed(docker: Docker, method: &str, target: &str) -> String {
    let call = match docker.route(&head(method, target)) {
        Ok(call) => call,
        Err(Fault::NotFound { what, id }) => return format!("no {what} {id}"),
        Err(Fault::Invalid { field, .. }) => return format!("bad {field}"),
        Err(fault) => return fault.to_string(),
    };
    assert!(docker.routes().contains(&call.label()), "{}", call.label());
    let package = call.need().package().map(|package| {
        let namespace = &package.namespace;
        let repository = namespace.repository.as_ref();
        let repository = repository
            .map(|name| format!(" in {name}"))
            .unwrap_or_default();
        format!(" {}/{}{repository}", namespace.owner, package.name)
    });
    let need = match call.need() {
        Need::Greet => "greet",
        Need::SignIn => "sign in",
        Need::Browse(_) => "browse",
        Need::Read(_) => "read",
        Need::Publish(_) => "publish",
        Need::Curate(_) => "curate",
        other => panic!("{other:?}"),
    };
    format!("{} | {need}{}", call.label(), package.unwrap_or_default())
}

#[test]
fn every_shape_is_found_from_the_right() {
    let target = |text: &str| text.replace("DIGEST", DIGEST).replace("ID", ID);
    for (method, text, expected) in [
        ("GET", "/v2/", "GET /v2/ | greet"),
        ("GET", "/v2", "GET /v2/ | greet"),
        ("GET", "/token?service=x", "GET /token | greet"),
        ("POST", "/token", "POST /token | sign in"),
        ("GET", "/v2/_catalog", "GET /v2/_catalog | browse"),
        (
            "GET",
            "/v2/a/b/tags/list",
            "GET /v2/{name}/tags/list | read a/b",
        ),
        (
            "GET",
            "/v2/a/b/c/d/tags/list",
            "GET /v2/{name}/tags/list | read a/b/c/d",
        ),
        (
            "GET",
            "/v2/a/b/referrers/DIGEST",
            "GET /v2/{name}/referrers/{digest} | read a/b",
        ),
        (
            "GET",
            "/v2/a/b/manifests/latest",
            "GET /v2/{name}/manifests/{reference} | read a/b",
        ),
        (
            "PUT",
            "/v2/a/b/manifests/DIGEST",
            "PUT /v2/{name}/manifests/{reference} | publish a/b",
        ),
        (
            "DELETE",
            "/v2/a/b/manifests/latest",
            "DELETE /v2/{name}/manifests/{reference} | curate a/b",
        ),
        (
            "GET",
            "/v2/a/b/blobs/DIGEST",
            "GET /v2/{name}/blobs/{digest} | read a/b",
        ),
        (
            "DELETE",
            "/v2/a/b/blobs/DIGEST",
            "DELETE /v2/{name}/blobs/{digest} | curate a/b",
        ),
        (
            "POST",
            "/v2/a/b/blobs/uploads/",
            "POST /v2/{name}/blobs/uploads/ | publish a/b",
        ),
        (
            "POST",
            "/v2/a/b/blobs/uploads",
            "POST /v2/{name}/blobs/uploads/ | publish a/b",
        ),
        (
            "GET",
            "/v2/a/b/blobs/uploads/ID",
            "GET /v2/{name}/blobs/uploads/{id} | publish a/b",
        ),
        (
            "PATCH",
            "/v2/a/b/blobs/uploads/ID",
            "PATCH /v2/{name}/blobs/uploads/{id} | publish a/b",
        ),
        (
            "PUT",
            "/v2/a/b/blobs/uploads/ID?x=1&digest=DIGEST",
            "PUT /v2/{name}/blobs/uploads/{id} | publish a/b",
        ),
        (
            "DELETE",
            "/v2/a/b/blobs/uploads/ID",
            "DELETE /v2/{name}/blobs/uploads/{id} | publish a/b",
        ),
        // names that look like the protocol's own words
        (
            "GET",
            "/v2/a/blobs/manifests/x",
            "GET /v2/{name}/manifests/{reference} | read a/blobs",
        ),
        (
            "GET",
            "/v2/a/tags/list/tags/list",
            "GET /v2/{name}/tags/list | read a/tags/list",
        ),
        (
            "GET",
            "/v2/a/blobs/uploads/blobs/DIGEST",
            "GET /v2/{name}/blobs/{digest} | read a/blobs/uploads",
        ),
        (
            "POST",
            "/v2/a/manifests/blobs/uploads/",
            "POST /v2/{name}/blobs/uploads/ | publish a/manifests",
        ),
        // reads do not find what writes refuse
        ("GET", "/v2/a/tags/list", "no package a"),
        ("PUT", "/v2/a/manifests/x", "bad name"),
        ("GET", "/v2/a/b/manifests/.x", "no tag .x"),
        ("PUT", "/v2/a/b/manifests/.x", "bad tag"),
        ("GET", "/v2/a/b/blobs/sha256:short", "bad digest"),
        ("PUT", "/v2/a/b/blobs/uploads/ID", "bad digest"),
        ("POST", "/v2/a/b/blobs/uploads/?mount=short", "bad digest"),
        ("PATCH", "/v2/a/b/blobs/uploads/none", "no upload none"),
        ("GET", "/v2/a%2Fb/tags/list", "no such route"),
        ("GET", "/v2/a/b", "no such route"),
        ("GET", "/other", "no such route"),
        ("POST", "/v2/a/b/tags/list", "no such route"),
        (
            "GET",
            "/v2/a/b/tags/list?ns=else.example.com",
            "no package a/b",
        ),
        (
            "GET",
            "/v2/a/b/tags/list?ns=reg.example.com",
            "GET /v2/{name}/tags/list | read a/b",
        ),
    ] {
        let found = routed(Docker::container(), method, &target(text));
        assert_eq!(found, expected, "{method} {text}");
    }
    for (text, expected) in [
        (
            "/v2/a/b/c/tags/list",
            "GET /v2/{name}/tags/list | read a/b/c in b",
        ),
        ("/v2/a/b/tags/list", "no package a/b"),
        ("/v2/a/b/c/d/tags/list", "no package a/b/c/d"),
    ] {
        assert_eq!(
            routed(Docker::repository_scoped(), "GET", text),
            expected,
            "{text}"
        );
    }
}

#[test]
fn every_fault_has_words_with_a_code_and_a_status() {
    use packhouse_core::fault::{Lack, Thing, Unproven};
    use packhouse_core::registry::Scheme;
    let docker = Docker::container();
    let asked = head("PUT", "/v2/acme/app/manifests/x");
    let need = || Box::new(docker.route(&asked).unwrap().need().clone());
    for (fault, status, code) in [
        (Fault::NoRoute, 405, "UNSUPPORTED"),
        (Fault::not_found(Thing::Package, "x"), 403, "DENIED"),
        (
            Fault::not_found(Thing::Version, "x"),
            404,
            "MANIFEST_UNKNOWN",
        ),
        (Fault::not_found(Thing::Tag, "x"), 404, "MANIFEST_UNKNOWN"),
        (Fault::not_found(Thing::Blob, "x"), 404, "BLOB_UNKNOWN"),
        (
            Fault::not_found(Thing::Upload, "x"),
            404,
            "BLOB_UPLOAD_UNKNOWN",
        ),
        (
            Fault::not_found(Thing::Reference, "x"),
            400,
            "MANIFEST_BLOB_UNKNOWN",
        ),
        (Fault::Held("x".to_owned()), 405, "UNSUPPORTED"),
        (Fault::Conflict("x".to_owned()), 409, "DENIED"),
        (Fault::Stale, 409, "DENIED"),
        (Fault::invalid("digest", "x"), 400, "DIGEST_INVALID"),
        (Fault::TooLarge { limit: 1 }, 413, "SIZE_INVALID"),
        (
            Fault::Busy(std::time::Duration::from_secs(1)),
            503,
            "UNAVAILABLE",
        ),
        (Fault::internal("the cause"), 500, "UNKNOWN"),
        (
            Fault::Denied {
                need: need(),
                lack: Lack::Role,
            },
            403,
            "DENIED",
        ),
        (
            Fault::Denied {
                need: need(),
                lack: Lack::Scope,
            },
            403,
            "DENIED",
        ),
        (
            Fault::Unauthenticated {
                need: need(),
                why: Unproven::Missing,
            },
            401,
            "UNAUTHORIZED",
        ),
        (
            Fault::Unauthenticated {
                need: need(),
                why: Unproven::Invalid(Scheme::Basic),
            },
            401,
            "UNAUTHORIZED",
        ),
        (
            Fault::Unauthenticated {
                need: need(),
                why: Unproven::TooNarrow,
            },
            401,
            "UNAUTHORIZED",
        ),
    ] {
        let reply = docker.fault(&fault, &asked);
        assert_eq!(reply.status.as_u16(), status, "{fault}");
        let packhouse_wire::Content::Bytes(bytes) = reply.content else {
            panic!("{fault}: no body");
        };
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        assert!(text.contains(&format!(r#""code":"{code}""#)), "{text}");
        assert!(!text.contains("the cause"), "{text}");
    }
}
