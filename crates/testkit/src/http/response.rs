//! Reading an answer off the wire.

#![expect(
    clippy::panic,
    reason = "only tests link this crate: a broken expectation is a failed test"
)]

use std::fmt;
use std::io::{self, BufRead, Read};

/// No answer in the tests is larger; a server that sends more is wrong.
const MAX_BODY_BYTES: u64 = 1 << 30;
const MAX_LINE_BYTES: u64 = 64 * 1024;
const MAX_HEADERS: usize = 1000;

/// The header fields of an answer, in the order they came.
#[derive(Clone, Debug, Default)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    /// The first value under a name, in whatever case it was sent.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.fields(name).next()
    }

    /// Every value under a name.
    #[must_use]
    pub fn get_all(&self, name: &str) -> Vec<&str> {
        self.fields(name).collect()
    }

    /// Names as sent, and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    fn fields(&self, name: &str) -> impl Iterator<Item = &str> {
        self.iter()
            .filter(move |(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    fn has_token(&self, name: &str, token: &str) -> bool {
        self.fields(name)
            .flat_map(|value| value.split(','))
            .any(|part| part.trim().eq_ignore_ascii_case(token))
    }
}

/// A final answer with its whole body.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The reason phrase, possibly empty.
    pub reason: String,
    /// The header fields.
    pub headers: Headers,
    /// The body, without its transfer coding, content coding left as it is.
    pub body: Vec<u8>,
    /// How many bytes of the request's body had been written when this answer was complete. The
    /// system's buffers hold some of them, so an early answer shows as "fewer than all".
    pub body_sent: u64,
    framed: bool,
}

impl Response {
    /// The first header value under a name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)
    }

    /// The body as text, invalid UTF-8 replaced.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    ///
    /// When it is not JSON; the message holds the answer.
    #[must_use]
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("the body is not JSON ({error}):\n{self}"))
    }

    /// The answer itself, if it has this status.
    ///
    /// # Panics
    ///
    /// When it has another; the message holds the answer.
    #[must_use]
    #[track_caller]
    pub fn expect_status(self, status: u16) -> Self {
        assert!(self.status == status, "expected {status}, got:\n{self}");
        self
    }

    pub(super) fn keeps_alive(&self) -> bool {
        self.framed && !self.headers.has_token("connection", "close")
    }
}

/// Status line, headers and body, for failure messages.
impl fmt::Display for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} {}", self.status, self.reason)?;
        for (name, value) in self.headers.iter() {
            writeln!(f, "{name}: {value}")?;
        }
        write!(f, "\n{}", String::from_utf8_lossy(&self.body))
    }
}

pub(super) fn read(reader: &mut impl BufRead, method: &str) -> io::Result<Response> {
    let (status, reason, headers) = loop {
        let (status, reason) = status_line(&line(reader)?)?;
        let headers = read_headers(reader)?;
        // 1xx only announces; 101 ends HTTP, and nothing here asks for that.
        if !(100..200).contains(&status) {
            break (status, reason, headers);
        }
    };
    let (body, framed) = if method == "HEAD" || status == 204 || status == 304 {
        (Vec::new(), true)
    } else if headers.has_token("transfer-encoding", "chunked") {
        (chunks(reader)?, true)
    } else if let Some(text) = headers.get("content-length") {
        let length = text
            .parse()
            .map_err(|error| malformed(&format!("content-length {text:?}: {error}")))?;
        (exactly(reader, length)?, true)
    } else {
        (until_closed(reader)?, false)
    };
    Ok(Response {
        status,
        reason,
        headers,
        body,
        body_sent: 0,
        framed,
    })
}

fn status_line(text: &str) -> io::Result<(u16, String)> {
    let mut words = text.splitn(3, ' ');
    match (words.next(), words.next().map(str::parse), words.next()) {
        (Some("HTTP/1.1" | "HTTP/1.0"), Some(Ok(status)), reason) => {
            Ok((status, reason.unwrap_or_default().to_owned()))
        }
        _ => Err(malformed(&format!("status line {text:?}"))),
    }
}

fn read_headers(reader: &mut impl BufRead) -> io::Result<Headers> {
    let mut headers = Headers::default();
    loop {
        let text = line(reader)?;
        if text.is_empty() {
            return Ok(headers);
        }
        let (name, value) = text
            .split_once(':')
            .ok_or_else(|| malformed(&format!("header line {text:?}")))?;
        headers.0.push((name.to_owned(), value.trim().to_owned()));
        if headers.0.len() > MAX_HEADERS {
            return Err(malformed("too many header lines"));
        }
    }
}

fn chunks(reader: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let text = line(reader)?;
        let digits = text.split(';').next().unwrap_or_default().trim();
        let size = u64::from_str_radix(digits, 16)
            .map_err(|error| malformed(&format!("chunk size {text:?}: {error}")))?;
        if size == 0 {
            read_headers(reader)?;
            return Ok(body);
        }
        body.append(&mut exactly(reader, size)?);
        if super::length(&body) > MAX_BODY_BYTES {
            return Err(malformed("a body over the limit"));
        }
        if !line(reader)?.is_empty() {
            return Err(malformed("a chunk longer than its size"));
        }
    }
}

fn exactly(reader: &mut impl BufRead, length: u64) -> io::Result<Vec<u8>> {
    if length > MAX_BODY_BYTES {
        return Err(malformed("a body over the limit"));
    }
    let mut body = Vec::new();
    reader.take(length).read_to_end(&mut body)?;
    if super::length(&body) < length {
        return Err(ended());
    }
    Ok(body)
}

fn until_closed(reader: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    reader.take(MAX_BODY_BYTES).read_to_end(&mut body)?;
    Ok(body)
}

fn line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut bytes = Vec::new();
    reader.take(MAX_LINE_BYTES).read_until(b'\n', &mut bytes)?;
    match bytes.strip_suffix(b"\r\n") {
        Some(content) => Ok(String::from_utf8_lossy(content).into_owned()),
        None if bytes.ends_with(b"\n") => Err(malformed("a line without its carriage return")),
        None if super::length(&bytes) == MAX_LINE_BYTES => Err(malformed("a line over the limit")),
        None => Err(ended()),
    }
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("malformed answer: {what}"),
    )
}

fn ended() -> io::Error {
    io::Error::new(
        io::ErrorKind::UnexpectedEof,
        "the connection closed before the answer was complete",
    )
}
