//! A client that sees every byte: requests as text, answers as they come.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// No answer takes longer, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
    ahead: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Connection {
    pub(crate) async fn open(to: SocketAddr) -> Self {
        Self {
            stream: TcpStream::connect(to).await.unwrap(),
            ahead: Vec::new(),
        }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Sends a request without a body, below the registry, and reads the answer.
    pub(crate) async fn ask(&mut self, method: &str, thing: &str, headers: &str) -> Answer {
        let line = format!("{method} /_registry/npm/{thing} HTTP/1.1\r\nhost: h\r\n{headers}\r\n");
        self.send(line).await;
        self.answer(method == "HEAD").await
    }

    pub(crate) async fn answer(&mut self, is_head: bool) -> Answer {
        timeout(PATIENCE, self.read_answer(is_head))
            .await
            .expect("an answer in time")
    }

    async fn read_answer(&mut self, is_head: bool) -> Answer {
        let end = loop {
            if let Some(at) = find(&self.ahead, b"\r\n\r\n") {
                break at;
            }
            self.read_more().await.expect("a head");
        };
        let head = String::from_utf8(self.ahead.drain(..end + 4).collect()).unwrap();
        let mut lines = head.trim_end().split("\r\n");
        let status = lines
            .next()
            .unwrap()
            .split(' ')
            .nth(1)
            .unwrap()
            .parse()
            .unwrap();
        let headers: BTreeMap<String, String> = lines
            .map(|line| line.split_once(": ").unwrap())
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect();
        let length: usize = match headers.get("content-length") {
            Some(length) if !is_head => length.parse().unwrap(),
            _ => 0,
        };
        while self.ahead.len() < length {
            self.read_more().await.expect("a body as long as it says");
        }
        let body = self.ahead.drain(..length).collect();
        Answer {
            status,
            headers,
            body,
        }
    }

    async fn read_more(&mut self) -> Option<()> {
        let mut piece = vec![0; 64 * 1024];
        let count = self.stream.read(&mut piece).await.ok()?;
        self.ahead.extend_from_slice(&piece[..count]);
        (count > 0).then_some(())
    }

    /// Whether the server closed the connection and had nothing more to say.
    pub(crate) async fn is_closed(&mut self) -> bool {
        let end = timeout(PATIENCE, self.read_more())
            .await
            .expect("an end in time");
        end.is_none() && self.ahead.is_empty()
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}
