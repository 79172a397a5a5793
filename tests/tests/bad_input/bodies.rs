//! Bodies that end early or never should have begun.

use std::time::Duration;

use packhouse_testkit::archives::TarGz;
use packhouse_testkit::http::{Connection, Request};
use packhouse_testkit::npm::publish_document;
use serde_json::json;

use crate::registry::{MAX_PACKAGE_BYTES, NAME, Registry, address, honest};

/// How large a document may be without its tarball.
const MAX_DOCUMENT_BYTES: usize = 64 << 20;

/// A large enough tarball to be written to disk while it comes in; its bytes do not compress.
fn large(bytes: usize) -> Vec<u8> {
    let mut noise = Vec::with_capacity(bytes);
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    while noise.len() < bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        noise.extend_from_slice(&state.to_le_bytes());
    }
    TarGz::builder()
        .file(
            "package/package.json",
            r#"{"name":"@acme/left-pad","version":"1.1.0"}"#,
        )
        .file("package/noise", noise)
        .build()
}

#[test]
fn a_body_that_is_cut_off_is_as_if_it_had_never_come() {
    let registry = Registry::open();
    let small = publish_document(NAME, "1.1.0", &honest(NAME, "1.1.0")).to_string();
    let staged = publish_document(NAME, "1.1.0", &large(1 << 20)).to_string();
    for (size, document) in [("in memory", &small), ("on disk", &staged)] {
        for keep in [1, document.len() / 2, document.len() - 1] {
            let part = document.as_bytes()[..keep].to_vec();
            let request = || {
                registry
                    .request("PUT", &address(NAME))
                    .header("Content-Type", "application/json")
            };
            let claimed = u64::try_from(document.len()).unwrap();
            let what = format!("{keep} bytes of {claimed}, {size}");
            let cut = request().truncated_body(part.clone(), claimed);
            registry.is_dropped(&what, &cut);
            let chunks: Vec<Vec<u8>> = part.chunks(64 * 1024).map(<[u8]>::to_vec).collect();
            let cut = request().truncated_chunks(chunks);
            registry.is_dropped(&format!("{what}, chunked"), &cut);
        }
    }
}

#[test]
fn a_client_that_hangs_up_in_the_middle_leaves_nothing() {
    let registry = Registry::open();
    let document = publish_document(NAME, "1.1.0", &large(2 << 20)).to_string();
    registry.leaves_nothing("a client that hangs up", || {
        let mut connection = Connection::open(registry.server.base()).unwrap();
        let head = format!(
            "PUT {}{} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            crate::registry::MOUNT,
            address(NAME),
            registry.token,
            document.len()
        );
        connection.write_raw(head.as_bytes()).unwrap();
        connection
            .write_raw(&document.as_bytes()[..document.len() / 2])
            .unwrap();
        registry.wait_for_staging();
        drop(connection);
    });
}

#[test]
fn a_tarball_over_the_limit_is_refused_and_one_at_the_limit_is_not() {
    // one that is hashed in memory, and one that is written to disk on the way
    for tarball in [large(10_000), large(1 << 20)] {
        let document = publish_document(NAME, "1.1.0", &tarball);
        let size = u64::try_from(tarball.len()).unwrap();
        let registry = Registry::open_with_limit(size - 1);
        let error = format!("payload too large: limit {} bytes", size - 1);
        registry.refuses("one byte more", &registry.put(NAME, &document), 413, &error);
        let registry = Registry::open_with_limit(size);
        let _created = registry
            .send(&registry.put(NAME, &document))
            .expect_status(201);
    }
}

#[test]
fn a_document_over_the_limit_is_refused() {
    let registry = Registry::open();
    let mut document = publish_document(NAME, "1.1.0", &honest(NAME, "1.1.0"));
    document["versions"]["1.1.0"]["readme"] = json!("x".repeat(MAX_DOCUMENT_BYTES));
    let error = format!("payload too large: limit {MAX_DOCUMENT_BYTES} bytes");
    registry.refuses(
        "a large document",
        &registry.put(NAME, &document),
        413,
        &error,
    );
}

#[test]
fn a_body_that_claims_too_much_is_refused_before_it_is_sent() {
    let registry = Registry::open();
    let claimed = 1_u64 << 40;
    let request = registry
        .request("PUT", &address(NAME))
        .header("Content-Type", "application/json")
        .header("Content-Length", &claimed.to_string());
    let error = format!("payload too large: limit {MAX_PACKAGE_BYTES} bytes");
    registry.refuses_around("a tebibyte", 413, &error, || {
        let mut connection = Connection::open(registry.server.base()).unwrap();
        connection
            .set_read_timeout(Duration::from_secs(20))
            .unwrap();
        connection.send(&request).unwrap()
    });
}

#[test]
fn small_documents_have_small_limits() {
    let registry = Registry::open();
    let large = format!("\"{}\"", "x".repeat(64 * 1024));
    let error = "payload too large: limit 65536 bytes";
    for (method, path) in [
        ("PUT", "/-/user/org.couchdb.user:ann"),
        ("POST", "/-/npm/v1/tokens"),
    ] {
        let request: Request = registry
            .request(method, path)
            .header("Content-Type", "application/json")
            .body(large.clone());
        registry.refuses(path, &request, 413, error);
    }
}
