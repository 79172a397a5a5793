//! The door by real TCP: what every format gets without doing anything for it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test that cannot be set up has failed, and a skip is said loudly"
)]

mod shelf;
mod wire;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use packhouse::compose::Registries;
use packhouse::config::{Config, Layer, Layers};
use packhouse::door::Patience;
use packhouse::serve::Serving;
use packhouse_blob::{BlobStore as _, LocalStore};
use packhouse_names::StorageKey;
use packhouse_wire::{BlobContent, Document};
use shelf::Shelf;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::Semaphore;
use wire::Connection;

/// Larger than what is read at once, and no multiple of anything.
const BLOB_BYTES: usize = 3 * 1024 * 1024 + 17;

struct Room {
    serving: Serving,
    shelf: Shelf,
    _scratch: TempDir,
}

fn config(data_dir: &Path) -> Config {
    let layer = Layer {
        listen: Some(SocketAddr::from(([127, 0, 0, 1], 0))),
        data_dir: Some(data_dir.to_owned()),
        ..Layer::default()
    };
    Config::resolve(&mut Layers::new(layer, Layer::default(), Vec::new())).unwrap()
}

fn blob_bytes() -> Vec<u8> {
    (0..BLOB_BYTES)
        .map(|at| u8::try_from(at % 251).unwrap())
        .collect()
}

async fn store(store: &LocalStore, bytes: Vec<u8>, media_type: &'static str) -> BlobContent {
    let size = u64::try_from(bytes.len()).unwrap();
    BlobContent {
        key: store.put(Bytes::from(bytes)).await.unwrap(),
        size,
        media_type: HeaderValue::from_static(media_type),
        tag: HeaderValue::from_static("\"b\""),
    }
}

async fn room(patience: Patience) -> Room {
    let scratch = tempfile::tempdir().unwrap();
    let blobs = LocalStore::open(scratch.path()).unwrap();
    let blob = store(&blobs, blob_bytes(), "application/octet-stream").await;
    let shelf = Shelf {
        lost: BlobContent {
            key: StorageKey::new("0".repeat(32)).unwrap(),
            ..blob.clone()
        },
        blob,
        page: store(&blobs, b"<script>".to_vec(), "text/html; charset=utf-8").await,
        document: Arc::new(Document {
            media_type: HeaderValue::from_static("application/json"),
            identity: Bytes::from_static(b"{\"identity\":true}"),
            gzip: Bytes::from_static(b"gzipped"),
            identity_tag: HeaderValue::from_static("\"i\""),
            gzip_tag: HeaderValue::from_static("\"g\""),
            last_modified: HeaderValue::from_static("Sun, 01 Feb 2026 08:00:01 GMT"),
        }),
        gate: Arc::new(Semaphore::new(0)),
        waiting: Arc::new(Semaphore::new(0)),
    };
    drop(blobs);
    let registries = Registries::new(vec![Arc::new(shelf.clone())]);
    let serving = Serving::start(&config(scratch.path()), registries, patience)
        .await
        .unwrap();
    Room {
        serving,
        shelf,
        _scratch: scratch,
    }
}

impl Room {
    async fn connect(&self) -> Connection {
        Connection::open(self.serving.address()).await
    }
}

fn put(thing: &str, headers: &str) -> String {
    format!("PUT /_registry/npm/{thing} HTTP/1.1\r\nhost: h\r\n{headers}\r\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blob_is_sent_whole_or_in_the_part_that_was_asked_for() {
    let room = room(Patience::default()).await;
    let mut client = room.connect().await;
    let bytes = blob_bytes();

    let whole = client.ask("GET", "blob", "").await;
    assert_eq!(whole.status, 200);
    assert_eq!(whole.header("etag"), Some("\"b\""));
    assert_eq!(whole.header("accept-ranges"), Some("bytes"));
    assert_eq!(
        whole.header("content-type"),
        Some("application/octet-stream")
    );
    assert_eq!(whole.header("content-encoding"), None);
    assert_eq!(whole.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(
        whole.header("content-security-policy"),
        Some("default-src 'none'; sandbox")
    );
    assert!(whole.body == bytes, "the bytes came back changed");

    let size = BLOB_BYTES;
    for (range, status, from, to) in [
        ("bytes=0-0", 206, 0, 1),
        ("bytes=70000-", 206, 70_000, size),
        ("bytes=-5", 206, size - 5, size),
        ("bytes=1048570-2097160", 206, 1_048_570, 2_097_161),
        ("bytes=0-1,5-6", 200, 0, size),
        ("lines=1-2", 200, 0, size),
    ] {
        let part = client
            .ask("GET", "blob", &format!("range: {range}\r\n"))
            .await;
        assert_eq!(part.status, status, "{range}");
        assert!(part.body == bytes[from..to], "{range} gave other bytes");
        let expected = format!("bytes {from}-{}/{size}", to - 1);
        let expected = (status == 206).then_some(&*expected);
        assert_eq!(part.header("content-range"), expected, "{range}");
    }

    let beyond = client
        .ask("GET", "blob", &format!("range: bytes={size}-\r\n"))
        .await;
    assert_eq!(beyond.status, 416);
    assert_eq!(
        beyond.header("content-range"),
        Some(&*format!("bytes */{size}"))
    );
    assert!(beyond.body.is_empty());

    let changed = client
        .ask("GET", "blob", "range: bytes=0-0\r\nif-range: \"old\"\r\n")
        .await;
    assert_eq!(changed.status, 200);
    room.serving.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn head_says_what_get_would_and_sends_nothing() {
    let room = room(Patience::default()).await;
    let mut client = room.connect().await;
    for (thing, length) in [("blob", BLOB_BYTES), ("document", 17), ("lost", BLOB_BYTES)] {
        let head = client.ask("HEAD", thing, "").await;
        assert_eq!(head.status, 200, "{thing}");
        assert_eq!(
            head.header("content-length"),
            Some(&*length.to_string()),
            "{thing}"
        );
    }
    let ranged = client.ask("HEAD", "blob", "range: bytes=0-0\r\n").await;
    assert_eq!((ranged.status, ranged.header("content-range")), (200, None));
    // `lost` shows that HEAD opened nothing: GET cannot
    let lost = client.ask("GET", "lost", "").await;
    assert_eq!(
        (lost.status, &*lost.text()),
        (500, r#"{"error":"internal error"}"#)
    );
    // all on one connection: no HEAD left a byte behind
    assert_eq!(
        client.ask("GET", "document", "").await.text(),
        "{\"identity\":true}"
    );
    room.serving.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_comes_in_the_coding_that_was_accepted_each_with_its_own_tag() {
    let room = room(Patience::default()).await;
    let mut client = room.connect().await;
    for (accept, body, coding, tag) in [
        ("gzip,deflate", "gzipped", Some("gzip"), "\"g\""),
        ("identity", "{\"identity\":true}", None, "\"i\""),
        ("br, gzip;q=0", "{\"identity\":true}", None, "\"i\""),
    ] {
        let answer = client
            .ask("GET", "document", &format!("accept-encoding: {accept}\r\n"))
            .await;
        assert_eq!((answer.status, &*answer.text()), (200, body), "{accept}");
        assert_eq!(answer.header("content-encoding"), coding, "{accept}");
        assert_eq!(answer.header("etag"), Some(tag), "{accept}");
        assert_eq!(answer.header("vary"), Some("Accept, Accept-Encoding"));
        assert_eq!(
            answer.header("last-modified"),
            Some("Sun, 01 Feb 2026 08:00:01 GMT")
        );
    }
    room.serving.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_client_has_already_is_not_sent_again() {
    let room = room(Patience::default()).await;
    let mut client = room.connect().await;
    for (thing, condition, status) in [
        ("document", "if-none-match: \"i\"", 304),
        ("document", "if-none-match: W/\"x\", W/\"i\"", 304),
        // of the gzipped form: whoever holds it needs no other
        ("document", "if-none-match: \"g\"", 304),
        ("document", "if-none-match: \"x\"", 200),
        (
            "document",
            "accept-encoding: gzip\r\nif-none-match: \"g\"",
            304,
        ),
        (
            "document",
            "if-modified-since: Sun, 01 Feb 2026 08:00:01 GMT",
            304,
        ),
        (
            "document",
            "if-modified-since: Sun, 01 Feb 2026 08:00:00 GMT",
            200,
        ),
        ("tagged", "if-none-match: \"t\"", 304),
        ("tagged", "if-none-match: \"x\", W/\"t\"", 304),
        ("tagged", "if-none-match: *", 304),
        ("tagged", "if-none-match: \"x\"", 200),
        ("tagged", "accept: */*", 200),
        ("tagged-fault", "if-none-match: \"t\"", 404),
        ("blob", "if-none-match: \"b\"", 304),
        ("blob", "if-none-match: \"b\"\r\nrange: bytes=0-0", 304),
        ("blob", "if-none-match: \"c\"\r\nrange: bytes=0-0", 206),
    ] {
        for method in ["GET", "HEAD"] {
            let answer = client.ask(method, thing, &format!("{condition}\r\n")).await;
            // HEAD has no ranges
            let status = if method == "HEAD" && status == 206 {
                200
            } else {
                status
            };
            assert_eq!(answer.status, status, "{method} {thing} {condition}");
            if status == 304 {
                assert!(answer.header("etag").is_some());
                assert_eq!(answer.header("content-length"), None);
                assert_eq!(answer.header("content-type"), None);
                if thing == "tagged" {
                    assert_eq!(answer.header("vary"), Some("Accept"));
                }
                if thing == "document" {
                    assert_eq!(answer.header("vary"), Some("Accept, Accept-Encoding"));
                }
            }
        }
    }
    room.serving.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_browser_would_show_is_an_attachment() {
    let room = room(Patience::default()).await;
    let mut client = room.connect().await;
    let page = client.ask("GET", "page", "").await;
    assert_eq!(page.header("content-disposition"), Some("attachment"));
    assert_eq!(
        page.header("content-security-policy"),
        Some("default-src 'none'; sandbox")
    );
    let blob = client.ask("HEAD", "blob", "").await;
    assert_eq!(blob.header("content-disposition"), None);
    room.serving.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_body_is_refused_before_it_is_sent_and_the_client_reads_why() {
    let room = room(Patience::default()).await;
    for (thing, status) in [
        ("private", 401),
        ("limited", 413),
        ("unread", 200),
        ("nowhere", 404),
    ] {
        for framing in ["content-length: 104857600", "transfer-encoding: chunked"] {
            let mut client = room.connect().await;
            client.send(put(thing, &format!("{framing}\r\n"))).await;
            if framing.starts_with("transfer") {
                client.send("100000\r\n").await;
            }
            // the first piece only: the answer must not wait for the rest
            client.send(vec![7; 128 * 1024]).await;
            let answer = client.answer(false).await;
            assert_eq!(
                answer.status,
                status,
                "{thing} {framing}: {}",
                answer.text()
            );
            assert_eq!(
                answer.header("connection"),
                Some("close"),
                "{thing} {framing}"
            );
            // a client that goes on sending is not reset while it reads
            client.send(vec![7; 512 * 1024]).await;
            client.stream.shutdown().await.unwrap();
            assert!(client.is_closed().await, "{thing} {framing}");
        }
    }
    room.serving.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_refused_body_costs_no_connection() {
    let room = room(Patience::default()).await;
    let mut client = room.connect().await;
    for (thing, status) in [("private", 401), ("limited", 413), ("unread", 200)] {
        for body in [
            format!("content-length: 20000\r\n\r\n{}", "x".repeat(20_000)),
            format!(
                "transfer-encoding: chunked\r\n\r\n4e20\r\n{}\r\n0\r\n\r\n",
                "x".repeat(20_000)
            ),
        ] {
            let request = put(thing, "");
            client
                .send(format!("{}{body}", request.strip_suffix("\r\n").unwrap()))
                .await;
            let answer = client.answer(false).await;
            assert_eq!(
                (answer.status, answer.header("connection")),
                (status, None),
                "{thing}"
            );
        }
    }
    room.serving.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_arrives_whole_or_with_the_reason_why_not() {
    let patience = Patience {
        window: Duration::from_millis(200),
        window_bytes: 10,
        ..Patience::default()
    };
    let room = room(patience).await;

    let mut whole = room.connect().await;
    whole
        .send(put("count", "content-length: 3000000\r\n"))
        .await;
    whole.send(vec![7; 3_000_000]).await;
    assert_eq!(whole.answer(false).await.text(), "3000000");
    // the connection is as good as new
    whole.send(put("count", "content-length: 0\r\n")).await;
    assert_eq!(whole.answer(false).await.text(), "0");

    let mut stalled = room.connect().await;
    stalled.send(put("count", "content-length: 30\r\n")).await;
    stalled.send("12345").await;
    let answer = stalled.answer(false).await;
    assert_eq!(
        (answer.status, answer.header("connection")),
        (400, Some("close"))
    );
    assert!(answer.text().contains("stalled"), "{}", answer.text());
    drop(stalled);

    let mut truncated = room.connect().await;
    truncated.send(put("count", "content-length: 30\r\n")).await;
    truncated.send("12345").await;
    truncated.stream.shutdown().await.unwrap();
    let answer = truncated.answer(false).await;
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("ended early"), "{}", answer.text());
    room.serving.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_or_a_broken_part_is_one_answer_that_tells_nothing() {
    let room = room(Patience::default()).await;
    let mut client = room.connect().await;
    for thing in ["panic", "panic-in-route", "broken"] {
        let answer = client.ask("GET", thing, "").await;
        assert_eq!(
            (answer.status, &*answer.text()),
            (500, r#"{"error":"internal error"}"#)
        );
    }
    assert_eq!(client.ask("GET", "nothing", "").await.status, 204);
    assert_eq!(client.ask("DELETE", "blob", "").await.status, 404);
    room.serving.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_has_an_id_of_its_own() {
    let room = room(Patience::default()).await;
    let mut client = room.connect().await;
    let mut seen = std::collections::BTreeSet::new();
    for thing in ["blob", "broken", "nowhere", "%00", "a/b/c"] {
        let answer = client.ask("GET", thing, "").await;
        assert_eq!(
            answer.header("x-content-type-options"),
            Some("nosniff"),
            "{thing}"
        );
        assert!(
            seen.insert(answer.header("x-request-id").unwrap().to_owned()),
            "{thing}"
        );
    }
    room.serving.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_header_never_becomes_part_of_an_address() {
    let room = room(Patience::default()).await;
    let port = room.serving.address().port();
    let mut client = room.connect().await;
    for (host, base) in [
        (
            "evil.example.com".to_owned(),
            format!("http://127.0.0.1:{port}/_registry/npm"),
        ),
        (
            format!("localhost:{port}"),
            format!("http://localhost:{port}/_registry/npm"),
        ),
    ] {
        client
            .send(format!(
                "GET /_registry/npm/base HTTP/1.1\r\nhost: {host}\r\n\r\n"
            ))
            .await;
        assert_eq!(client.answer(false).await.text(), base);
    }
    room.serving.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_finishes_what_is_being_answered_and_frees_the_house() {
    let room = room(Patience::default()).await;
    let address = room.serving.address();
    let mut slow = room.connect().await;
    slow.send("GET /_registry/npm/slow HTTP/1.1\r\nhost: h\r\n\r\n")
        .await;
    room.shelf.waiting.acquire().await.unwrap().forget();
    let mut idle = room.connect().await;
    assert_eq!(idle.ask("GET", "nothing", "").await.status, 204);

    let Room {
        serving,
        shelf,
        _scratch: scratch,
    } = room;
    let stopping = tokio::spawn(serving.stop());
    // the idle connection is closed at once, while the other is still being answered
    assert!(idle.is_closed().await);
    assert!(!stopping.is_finished());
    shelf.gate.add_permits(1);
    assert_eq!(slow.answer(false).await.text(), "done");
    stopping.await.unwrap().unwrap();
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
    assert!(!scratch.path().join("admin.sock").exists());

    let registries = Registries::new(vec![Arc::new(shelf)]);
    let again = Serving::start(&config(scratch.path()), registries, Patience::default()).await;
    again.unwrap().stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn health_and_metrics_are_answered_beside_the_registries() {
    let room = room(Patience::default()).await;
    let mut client = room.connect().await;
    for (path, status) in [
        ("/healthz", 200),
        ("/readyz", 200),
        ("/", 404),
        ("/_registry", 404),
    ] {
        client
            .send(format!("GET {path} HTTP/1.1\r\nhost: h\r\n\r\n"))
            .await;
        assert_eq!(client.answer(false).await.status, status, "{path}");
    }
    client
        .send("POST /healthz HTTP/1.1\r\nhost: h\r\ncontent-length: 0\r\n\r\n")
        .await;
    let refused = client.answer(false).await;
    assert_eq!(
        (refused.status, refused.header("allow")),
        (405, Some("GET, HEAD"))
    );

    client.ask("GET", "document", "").await;
    client
        .send("GET /metrics HTTP/1.1\r\nhost: h\r\n\r\n")
        .await;
    let metrics = client.answer(false).await.text();
    for line in [
        r#"packhouse_http_requests_total{registry="house",route="GET /healthz",status="200"}"#,
        r#"packhouse_http_requests_total{registry="npm",route="GET /{thing}",status="200"}"#,
        r#"packhouse_http_request_seconds_bucket{registry="npm",route="GET /{thing}",le="0.0005"}"#,
    ] {
        assert!(metrics.contains(line), "{line} is missing in\n{metrics}");
    }
    room.serving.stop().await.unwrap();
}
