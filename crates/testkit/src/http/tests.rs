use std::io::Read;
use std::net::TcpListener;
use std::thread::JoinHandle;

use serde_json::json;

use super::*;

/// Serves one connection with `script` and hands back what the script returns.
fn peer<T: Send + 'static>(
    script: impl FnOnce(TcpStream) -> T + Send + 'static,
) -> (String, JoinHandle<T>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let serving = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(STALL)).unwrap();
        script(stream)
    });
    (base, serving)
}

fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

fn answering(answer: &'static str) -> (String, JoinHandle<String>) {
    peer(move |mut stream| {
        let head = read_head(&mut stream);
        stream.write_all(answer.as_bytes()).unwrap();
        head
    })
}

#[test]
fn the_request_target_keeps_its_bytes() {
    let (base, serving) = answering("HTTP/1.1 204 No Content\r\n\r\n");
    let request = Request::get("/@acme%2fleft-pad/../x?a=%20b").header("X-One", "1");
    let response = send(&base, &request).unwrap();
    assert_eq!(response.status, 204);
    assert_eq!(response.reason, "No Content");
    let host = base.strip_prefix("http://").unwrap();
    assert_eq!(
        serving.join().unwrap(),
        format!("GET /@acme%2fleft-pad/../x?a=%20b HTTP/1.1\r\nHost: {host}\r\nX-One: 1\r\n\r\n"),
    );
}

#[test]
fn header_names_match_in_any_case_and_may_repeat() {
    let (base, _serving) = answering(
        "HTTP/1.1 200 OK\r\nSet-Thing: a\r\nset-thing:  b \r\nContent-Length: 2\r\n\r\n{}",
    );
    let response = send(&base, &Request::get("/")).unwrap();
    assert_eq!(response.headers.get("SET-THING"), Some("a"));
    assert_eq!(response.headers.get_all("set-thing"), ["a", "b"]);
    assert_eq!(response.headers.get("absent"), None);
    assert_eq!(response.json(), json!({}));
}

#[test]
fn a_chunked_answer_is_joined_and_the_connection_stays_usable() {
    let (base, serving) = peer(|mut stream| {
        read_head(&mut stream);
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\nTrailer: t\r\n\r\n")
            .unwrap();
        read_head(&mut stream);
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nsecond")
            .unwrap();
    });
    let mut connection = Connection::open(&base).unwrap();
    let first = connection.send(&Request::get("/1")).unwrap();
    assert_eq!(first.text(), "abc0123456789");
    assert!(connection.is_open());
    let second = connection.send(&Request::get("/2")).unwrap();
    assert_eq!(second.text(), "second");
    assert!(!connection.is_open());
    serving.join().unwrap();
}

#[test]
fn an_answer_to_head_has_no_body_whatever_its_length_header_says() {
    let (base, _serving) = answering("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n");
    let response = send(&base, &Request::head("/")).unwrap();
    assert_eq!(response.header("content-length"), Some("5000"));
    assert!(response.body.is_empty());
}

#[test]
fn a_not_modified_answer_has_no_body() {
    let (base, _serving) = answering("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n");
    let response = send(&base, &Request::get("/")).unwrap();
    assert_eq!(response.status, 304);
    assert!(response.body.is_empty());
}

#[test]
fn a_continue_answer_is_passed_over() {
    let (base, _serving) =
        answering("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(send(&base, &Request::put("/")).unwrap().status, 201);
}

#[test]
fn a_short_answer_is_an_error_and_not_a_short_body() {
    let (base, _serving) = answering("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
    let error = send(&base, &Request::get("/")).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
}

#[test]
fn a_body_without_a_length_ends_with_the_connection() {
    let (base, _serving) = answering("HTTP/1.1 200 OK\r\n\r\nall of it");
    assert_eq!(send(&base, &Request::get("/")).unwrap().text(), "all of it");
}

#[test]
fn a_chunked_request_is_written_chunk_by_chunk() {
    let (base, serving) = peer(|mut stream| {
        let head = read_head(&mut stream);
        let mut body = [0; 21];
        stream.read_exact(&mut body).unwrap();
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            .unwrap();
        (head, body)
    });
    let _ = send(&base, &Request::put("/").chunked(["hello", "", "you"])).unwrap();
    let (head, body) = serving.join().unwrap();
    assert!(head.contains("Transfer-Encoding: chunked\r\n"), "{head}");
    assert_eq!(&body, b"5\r\nhello\r\n3\r\nyou\r\n0\r\n");
}

#[test]
fn a_truncated_body_claims_more_than_it_sends_and_then_ends() {
    let (base, serving) = peer(|mut stream| {
        let head = read_head(&mut stream);
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
        stream
            .write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            .unwrap();
        (head, rest)
    });
    let response = send(&base, &Request::put("/").truncated_body("abc", 100)).unwrap();
    assert_eq!(response.status, 400);
    let (head, rest) = serving.join().unwrap();
    assert!(head.contains("Content-Length: 100\r\n"), "{head}");
    assert_eq!(rest, b"abc");
}

#[test]
fn an_answer_that_comes_before_the_body_was_read_is_returned() {
    // The peer answers and then neither reads nor closes until the client has its answer.
    let (answered, wait) = mpsc::sync_channel::<()>(1);
    let (base, serving) = peer(move |mut stream| {
        read_head(&mut stream);
        stream
            .write_all(b"HTTP/1.1 413 Payload Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig")
            .unwrap();
        wait.recv().unwrap();
    });
    let size: usize = 64 << 20;
    let mut connection = Connection::open(&base).unwrap();
    let response = connection
        .send(&Request::put("/").body(vec![0; size]))
        .unwrap();
    answered.send(()).unwrap();
    serving.join().unwrap();
    assert_eq!((response.status, response.text().as_str()), (413, "big"));
    assert!(response.body_sent < u64::try_from(size).unwrap());
    assert!(!connection.is_open());
}

#[test]
fn a_silent_server_is_an_error_after_the_read_timeout() {
    let (asked, wait) = mpsc::sync_channel::<()>(1);
    let (base, serving) = peer(move |_stream| wait.recv().unwrap());
    let mut connection = Connection::open(&base).unwrap();
    connection
        .set_read_timeout(Duration::from_millis(50))
        .unwrap();
    let error = connection.send(&Request::get("/")).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    asked.send(()).unwrap();
    serving.join().unwrap();
}

#[test]
fn credentials_are_written_as_the_schemes_want_them() {
    let head = Request::get("/").basic("ann", "phk_1").head_bytes("h");
    let head = String::from_utf8(head).unwrap();
    assert!(
        head.contains("Authorization: Basic YW5uOnBoa18x\r\n"),
        "{head}"
    );
    let head = Request::get("/").bearer("phk_1").head_bytes("h");
    let head = String::from_utf8(head).unwrap();
    assert!(head.contains("Authorization: Bearer phk_1\r\n"), "{head}");
}
