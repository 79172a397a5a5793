//! A raw HTTP/1.1 client for black-box tests: what is written is what goes over the wire.
//!
//! Nothing is normalized. The request target keeps its bytes (`%2F` stays `%2F`), headers go out
//! in the order they were added, a body may be shorter than it claims, and an answer that comes
//! before the body was sent is read like any other.

mod response;

use std::io::{self, BufReader, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

pub use response::{Headers, Response};

/// How long one read or one write may stall before it is an error.
const STALL: Duration = Duration::from_secs(30);

/// How long the rest of a body may take once the answer has already been read.
const REST_OF_BODY: Duration = Duration::from_secs(2);

/// One request, exactly as it will be written.
///
/// `Host` and the framing header (`Content-Length` or `Transfer-Encoding`) are added unless they
/// were set by hand.
#[derive(Clone, Debug)]
pub struct Request {
    method: String,
    target: Vec<u8>,
    headers: Vec<(String, String)>,
    body: Body,
}

#[derive(Clone, Debug)]
enum Body {
    None,
    /// `claimed` differs from the length of `bytes` only in a body that is cut off.
    Sized {
        bytes: Bytes,
        claimed: u64,
    },
    Chunked {
        parts: Vec<Bytes>,
        terminated: bool,
    },
}

impl Request {
    /// A request without a body. The target is sent as it stands, whatever its bytes.
    #[must_use]
    pub fn new(method: &str, target: impl AsRef<[u8]>) -> Self {
        Self {
            method: method.to_owned(),
            target: target.as_ref().to_vec(),
            headers: Vec::new(),
            body: Body::None,
        }
    }

    /// `GET`.
    #[must_use]
    pub fn get(target: impl AsRef<[u8]>) -> Self {
        Self::new("GET", target)
    }

    /// `HEAD`: the answer has no body, whatever its headers say.
    #[must_use]
    pub fn head(target: impl AsRef<[u8]>) -> Self {
        Self::new("HEAD", target)
    }

    /// `PUT`.
    #[must_use]
    pub fn put(target: impl AsRef<[u8]>) -> Self {
        Self::new("PUT", target)
    }

    /// `POST`.
    #[must_use]
    pub fn post(target: impl AsRef<[u8]>) -> Self {
        Self::new("POST", target)
    }

    /// `DELETE`.
    #[must_use]
    pub fn delete(target: impl AsRef<[u8]>) -> Self {
        Self::new("DELETE", target)
    }

    /// Adds a header; a name may be given more than once.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Authenticates with `Authorization: Bearer TOKEN`.
    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        self.header("Authorization", &format!("Bearer {token}"))
    }

    /// Authenticates with `Authorization: Basic …`, the token in the password's place.
    #[must_use]
    pub fn basic(self, user: &str, token: &str) -> Self {
        let pair = STANDARD.encode(format!("{user}:{token}"));
        self.header("Authorization", &format!("Basic {pair}"))
    }

    /// A body with its true `Content-Length`.
    #[must_use]
    pub fn body(self, bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let claimed = length(&bytes);
        self.with_body(Body::Sized { bytes, claimed })
    }

    /// A JSON body with `Content-Type: application/json`.
    #[must_use]
    pub fn json(self, value: &serde_json::Value) -> Self {
        self.header("Content-Type", "application/json")
            .body(value.to_string())
    }

    /// A body that announces `claimed` bytes, sends fewer, and closes the sending side.
    #[must_use]
    pub fn truncated_body(self, bytes: impl Into<Bytes>, claimed: u64) -> Self {
        self.with_body(Body::Sized {
            bytes: bytes.into(),
            claimed,
        })
    }

    /// A chunked body, one chunk a part; empty parts are left out, because they would end it.
    #[must_use]
    pub fn chunked<I: IntoIterator<Item = B>, B: Into<Bytes>>(self, parts: I) -> Self {
        let parts = parts.into_iter().map(Into::into).collect();
        self.with_body(Body::Chunked {
            parts,
            terminated: true,
        })
    }

    /// A chunked body that closes the sending side before its last, empty chunk.
    #[must_use]
    pub fn truncated_chunks<I: IntoIterator<Item = B>, B: Into<Bytes>>(self, parts: I) -> Self {
        let parts = parts.into_iter().map(Into::into).collect();
        self.with_body(Body::Chunked {
            parts,
            terminated: false,
        })
    }

    fn with_body(mut self, body: Body) -> Self {
        self.body = body;
        self
    }

    fn has_header(&self, name: &str) -> bool {
        self.headers
            .iter()
            .any(|(known, _)| known.eq_ignore_ascii_case(name))
    }

    fn head_bytes(&self, host: &str) -> Vec<u8> {
        let mut head = Vec::new();
        head.extend_from_slice(self.method.as_bytes());
        head.push(b' ');
        head.extend_from_slice(&self.target);
        head.extend_from_slice(b" HTTP/1.1\r\n");
        let mut line = |name: &str, value: &str| {
            head.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        };
        if !self.has_header("host") {
            line("Host", host);
        }
        for (name, value) in &self.headers {
            line(name, value);
        }
        match &self.body {
            Body::Sized { claimed, .. } if !self.has_header("content-length") => {
                line("Content-Length", &claimed.to_string());
            }
            Body::Chunked { .. } if !self.has_header("transfer-encoding") => {
                line("Transfer-Encoding", "chunked");
            }
            Body::None | Body::Sized { .. } | Body::Chunked { .. } => {}
        }
        head.extend_from_slice(b"\r\n");
        head
    }

    /// Writes head and body, counting the body's own bytes as the system takes them.
    fn write(&self, stream: &mut TcpStream, host: &str, body_sent: &AtomicU64) -> io::Result<()> {
        stream.write_all(&self.head_bytes(host))?;
        match &self.body {
            Body::None => {}
            Body::Sized { bytes, claimed } => {
                write_counted(stream, bytes, body_sent)?;
                if *claimed > length(bytes) {
                    stream.shutdown(Shutdown::Write)?;
                }
            }
            Body::Chunked { parts, terminated } => {
                for part in parts.iter().filter(|part| !part.is_empty()) {
                    stream.write_all(format!("{:x}\r\n", part.len()).as_bytes())?;
                    write_counted(stream, part, body_sent)?;
                    stream.write_all(b"\r\n")?;
                }
                if *terminated {
                    stream.write_all(b"0\r\n\r\n")?;
                } else {
                    stream.shutdown(Shutdown::Write)?;
                }
            }
        }
        Ok(())
    }
}

fn write_counted(stream: &mut TcpStream, bytes: &Bytes, sent: &AtomicU64) -> io::Result<()> {
    // Small enough that the count says how far the server let us come.
    const STEP: usize = 16 * 1024;
    for part in bytes.chunks(STEP) {
        stream.write_all(part)?;
        sent.fetch_add(length(part), Ordering::Relaxed);
    }
    Ok(())
}

/// A connection that can carry several requests, one after the other.
#[derive(Debug)]
pub struct Connection {
    reader: BufReader<TcpStream>,
    host: String,
    open: bool,
}

impl Connection {
    /// Connects to the host and port of a base address such as `http://127.0.0.1:8080`; its path,
    /// if any, is not used.
    ///
    /// # Errors
    ///
    /// When nobody answers there, or the address is not `http://`.
    pub fn open(base: &str) -> io::Result<Self> {
        let host = authority(base)?;
        let stream = TcpStream::connect(host)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(STALL))?;
        stream.set_write_timeout(Some(STALL))?;
        Ok(Self {
            reader: BufReader::new(stream),
            host: host.to_owned(),
            open: true,
        })
    }

    /// Limits how long one read may wait, instead of 30 seconds.
    ///
    /// # Errors
    ///
    /// When the system refuses the value; zero is refused.
    pub fn set_read_timeout(&self, timeout: Duration) -> io::Result<()> {
        self.reader.get_ref().set_read_timeout(Some(timeout))
    }

    /// Whether another request may be sent: nothing was cut off and no side asked to close.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Sends a request and reads its answer.
    ///
    /// The answer is read while the body is being written. One that comes early is returned even
    /// if the server then stops reading; the connection is closed in that case.
    ///
    /// # Errors
    ///
    /// When no complete, well-formed answer arrives, with [`io::ErrorKind::UnexpectedEof`] if the
    /// server closed first and [`io::ErrorKind::WouldBlock`] if a read took too long.
    pub fn send(&mut self, request: &Request) -> io::Result<Response> {
        let mut writing = self.reader.get_ref().try_clone()?;
        let (reader, host) = (&mut self.reader, self.host.as_str());
        let body_sent = AtomicU64::new(0);
        let (written, finished) = mpsc::sync_channel(1);
        thread::scope(|scope| {
            scope.spawn(|| {
                let result = request.write(&mut writing, host, &body_sent);
                // The channel outlives this thread: both belong to the same call.
                let _ = written.send(result.is_ok());
            });
            let answer = response::read(reader, &request.method);
            let sent_by_then = body_sent.load(Ordering::Relaxed);
            let whole = answer.is_ok() && finished.recv_timeout(REST_OF_BODY).unwrap_or(false);
            self.open = whole && answer.as_ref().is_ok_and(Response::keeps_alive);
            if !self.open {
                // Also what wakes a writer that the server left hanging. The peer may be gone.
                let _ = reader.get_ref().shutdown(Shutdown::Both);
            }
            answer.map(|mut response| {
                response.body_sent = sent_by_then;
                response
            })
        })
    }

    /// Writes bytes as they are: for requests that no well-meaning client would send.
    ///
    /// # Errors
    ///
    /// When the server no longer takes them.
    pub fn write_raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.reader.get_mut().write_all(bytes)
    }

    /// Closes the sending side; answers can still be read.
    ///
    /// # Errors
    ///
    /// When the connection is gone already.
    pub fn finish_writing(&mut self) -> io::Result<()> {
        self.open = false;
        self.reader.get_ref().shutdown(Shutdown::Write)
    }

    /// Reads the next final answer; `method` is that of the request it belongs to.
    ///
    /// # Errors
    ///
    /// As [`Connection::send`].
    pub fn read_response(&mut self, method: &str) -> io::Result<Response> {
        let answer = response::read(&mut self.reader, method)?;
        self.open = self.open && answer.keeps_alive();
        Ok(answer)
    }
}

/// Sends one request on a connection of its own.
///
/// # Errors
///
/// As [`Connection::open`] and [`Connection::send`].
pub fn send(base: &str, request: &Request) -> io::Result<Response> {
    Connection::open(base)?.send(request)
}

fn authority(base: &str) -> io::Result<&str> {
    let rest = base.strip_prefix("http://").ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("{base}: this client speaks plain http:// only"),
        )
    })?;
    Ok(rest.split(['/', '?']).next().unwrap_or(rest))
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
