use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

const STALL: Duration = Duration::from_secs(60);
const PIECE_BYTES: usize = 64 * 1024;

/// An answer whose head was read.
#[derive(Debug)]
pub struct Download {
    body: BufReader<TcpStream>,
    length: u64,
}

impl Download {
    /// Asks, and waits until the answer begins.
    ///
    /// # Panics
    ///
    /// When it is not 200 with a length.
    #[must_use]
    pub fn begin(base: &str, target: &str, token: &str) -> Self {
        let host = base.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(host).unwrap();
        stream.set_read_timeout(Some(STALL)).unwrap();
        let head = format!(
            "GET {target} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut body = BufReader::with_capacity(PIECE_BYTES, stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(body.read_line(&mut head).unwrap() > 0, "cut off: {head}");
        }
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        let mut lengths = head.lines().filter_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("content-length").then_some(value)
        });
        let length = lengths.next().map(str::parse);
        let Some(Ok(length)) = length else {
            panic!("no length: {head}");
        };
        Self { body, length }
    }

    /// Reads to the end and gives how many bytes came.
    ///
    /// # Panics
    ///
    /// When the connection fails.
    pub fn each_piece(&mut self, mut look: impl FnMut(&[u8])) -> u64 {
        let mut body = self.body.by_ref().take(self.length);
        let mut received = 0;
        loop {
            let piece = body.fill_buf().unwrap();
            if piece.is_empty() {
                return received;
            }
            look(piece);
            let length = piece.len();
            body.consume(length);
            received += u64::try_from(length).unwrap();
        }
    }
}
