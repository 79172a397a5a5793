//! The publish document: JSON around base64, read in one pass and never held whole.
//!
//! The scanner knows just enough JSON to find the strings at `_attachments.*.data`. Their bytes
//! come out decoded, as a stream; everything else is kept as it came, with empty strings in
//! their place, and is left to a real JSON parser. A document that fools the scanner therefore
//! fails there, or keeps its data in the bounded buffer and is refused for it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::{Buf as _, Bytes};
use futures_util::{Stream, StreamExt as _};
use packhouse_core::Fault;
use packhouse_wire::{Body, BodyError};
use serde::Deserialize;

use crate::attestations;

/// Containers within containers, as deep as JSON parsers go.
const MAX_DEPTH: usize = 128;

/// Base64 with nothing after it: a padding sign in here is in the wrong place.
const INNER: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::RequireNone),
);

/// The last characters, whose padding some clients leave out.
const LAST: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// A publish document that is being read.
#[derive(Debug)]
pub(crate) struct DocumentReader {
    body: Body,
    /// Of the body, what came and was not looked at.
    pending: Bytes,
    kept: Vec<u8>,
    max_kept: usize,
    scanner: Scanner,
}

impl DocumentReader {
    /// Begins to read; at most `max_kept` bytes are held, attachments' data not counted.
    pub(crate) fn new(body: Body, max_kept: usize) -> Self {
        Self {
            body,
            pending: Bytes::new(),
            kept: Vec::new(),
            max_kept,
            scanner: Scanner::default(),
        }
    }

    /// Reads on to the data of the next attachment; `None` at the end of the document. What was
    /// given before must have been read to its end.
    ///
    /// # Errors
    /// [`Fault::TooLarge`] for a document that is too large without its data,
    /// [`Fault::Invalid`] for what cannot be JSON.
    pub(crate) async fn next_attachment(&mut self) -> Result<Option<AttachmentData<'_>>, Fault> {
        loop {
            if let Some(key) = self.scan()? {
                return Ok(Some(AttachmentData {
                    key,
                    reader: self,
                    decoder: Decoder::default(),
                    is_done: false,
                }));
            }
            match self.body.next().await {
                Some(piece) => self.pending = piece?,
                None => return Ok(None),
            }
        }
    }

    /// The document with empty data, once [`next_attachment`](Self::next_attachment) gave `None`.
    ///
    /// # Errors
    /// [`Fault::Invalid`] for a document without its end.
    pub(crate) fn finish(self) -> Result<Vec<u8>, Fault> {
        if self.scanner.is_whole() {
            return Ok(self.kept);
        }
        check_object("the document", &self.kept)?;
        Err(Fault::invalid("body", "the document ends early"))
    }

    /// Looks at what is pending; the name of an attachment when its data begins.
    fn scan(&mut self) -> Result<Option<String>, Fault> {
        let piece = std::mem::take(&mut self.pending);
        // bytes of the piece that were looked at, and those of them that were kept
        let (mut at, mut kept) = (0, 0);
        while let Some(rest) = piece.get(at..).filter(|rest| !rest.is_empty()) {
            let step = self.scanner.step(rest, self.kept.len() + (at - kept));
            at += step.read;
            match step.event {
                Event::Nothing => {}
                Event::Key { from } => {
                    self.keep(piece.get(kept..at).unwrap_or_default())?;
                    kept = at;
                    let text = self.kept.get(from..).unwrap_or_default();
                    let key =
                        serde_json::from_slice(text).map_err(|error| malformed("a key", &error))?;
                    self.scanner.note_key(key);
                }
                Event::Data { attachment } => {
                    self.keep(piece.get(kept..at).unwrap_or_default())?;
                    self.pending = piece.slice(at..);
                    return Ok(Some(attachment));
                }
                Event::Impossible(why) => return Err(Fault::invalid("body", why)),
            }
        }
        self.keep(piece.get(kept..).unwrap_or_default())?;
        Ok(None)
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        if self.kept.len() + bytes.len() > self.max_kept {
            return Err(Fault::TooLarge {
                limit: u64::try_from(self.max_kept).unwrap_or(u64::MAX),
            });
        }
        self.kept.extend_from_slice(bytes);
        Ok(())
    }
}

/// Reads a JSON object.
///
/// # Errors
/// [`Fault::Invalid`] for what is none, or not of the form of a `T`.
pub(crate) fn parse_object<'a, T: Deserialize<'a>>(what: &str, text: &'a [u8]) -> Result<T, Fault> {
    check_object(what, text)?;
    serde_json::from_slice(text).map_err(|error| malformed(what, &error))
}

/// A text that begins as no object does; serde would take a list for the fields in their order.
fn check_object(what: &str, text: &[u8]) -> Result<(), Fault> {
    match text.trim_ascii_start().first() {
        Some(b'{') | None => Ok(()),
        Some(_) => Err(Fault::invalid(
            "body",
            format!("{what} must be a JSON object"),
        )),
    }
}

/// What is wrong with a JSON text, without the position: data was taken out before it.
pub(crate) fn malformed(what: &str, error: &serde_json::Error) -> Fault {
    let text = error.to_string();
    let text = text
        .rsplit_once(" at line ")
        .map_or(text.as_str(), |(text, _)| text);
    Fault::invalid("body", format!("malformed JSON in {what}: {text}"))
}

/// Where in the document the next byte stands.
#[derive(Debug, Default)]
struct Scanner {
    depth: usize,
    /// Whether the first three containers around it are objects.
    objects: [bool; 3],
    expects_key: bool,
    in_attachments: bool,
    attachment: String,
    at_data: bool,
    text: Text,
    began: bool,
}

/// Whether the next byte stands in a string.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Text {
    #[default]
    Outside,
    /// A string that nobody waits for.
    Plain { escaped: bool },
    /// A key that leads to an attachment's data or away from it, which began at this byte of what is kept.
    Key { from: usize, escaped: bool },
    /// An attachment's data.
    Data,
}

/// What the scanner read and found.
struct Step {
    read: usize,
    event: Event,
}

enum Event {
    Nothing,
    /// A key ended; its quotes are part of it.
    Key {
        from: usize,
    },
    /// An attachment's data begins with the next byte.
    Data {
        attachment: String,
    },
    Impossible(&'static str),
}

impl Scanner {
    fn is_whole(&self) -> bool {
        self.began && self.depth == 0 && self.text == Text::Outside
    }

    /// Reads some of `rest`, which is not empty and whose first byte will be byte `place` of
    /// what is kept.
    fn step(&mut self, rest: &[u8], place: usize) -> Step {
        match self.text {
            Text::Outside => {
                let found = rest
                    .iter()
                    .position(|b| matches!(b, b'"' | b'{' | b'}' | b'[' | b']' | b',' | b':'));
                let Some(index) = found else {
                    return Step {
                        read: rest.len(),
                        event: Event::Nothing,
                    };
                };
                let sign = rest.get(index).copied().unwrap_or_default();
                Step {
                    read: index + 1,
                    event: self.sign(sign, place + index),
                }
            }
            Text::Plain { escaped } => {
                let (read, progress) = in_text(rest, escaped);
                self.text = match progress {
                    Progress::Ended => Text::Outside,
                    Progress::Inside { escaped } => Text::Plain { escaped },
                };
                Step {
                    read,
                    event: Event::Nothing,
                }
            }
            Text::Key { from, escaped } => {
                let (read, progress) = in_text(rest, escaped);
                let event = match progress {
                    Progress::Ended => {
                        self.text = Text::Outside;
                        Event::Key { from }
                    }
                    Progress::Inside { escaped } => {
                        self.text = Text::Key { from, escaped };
                        Event::Nothing
                    }
                };
                Step { read, event }
            }
            Text::Data => Step {
                read: rest.len(),
                event: Event::Impossible("an attachment was not read to its end"),
            },
        }
    }

    fn sign(&mut self, sign: u8, place: usize) -> Event {
        match sign {
            b'{' | b'[' => {
                self.began = true;
                if let Some(object) = self.objects.get_mut(self.depth) {
                    *object = sign == b'{';
                    self.expects_key = sign == b'{';
                }
                self.depth += 1;
                if self.depth > MAX_DEPTH {
                    return Event::Impossible("the document is nested too deeply");
                }
            }
            b'}' | b']' => {
                let Some(depth) = self.depth.checked_sub(1) else {
                    return Event::Impossible("malformed JSON: a bracket closes nothing");
                };
                self.depth = depth;
                self.expects_key = false;
            }
            b',' => self.expects_key = self.in_object(),
            b':' => self.expects_key = false,
            _ => return self.quote(place),
        }
        Event::Nothing
    }

    fn quote(&mut self, place: usize) -> Event {
        if self.expects_key && self.in_object() {
            self.expects_key = false;
            self.text = if self.depth == 1 || self.in_attachments {
                Text::Key {
                    from: place,
                    escaped: false,
                }
            } else {
                Text::Plain { escaped: false }
            };
        } else if self.depth == 3
            && self.objects == [true; 3]
            && self.in_attachments
            && self.at_data
            // text, and small: it stays in the document
            && !self.attachment.ends_with(attestations::SUFFIX)
        {
            self.text = Text::Data;
            return Event::Data {
                attachment: self.attachment.clone(),
            };
        } else {
            self.text = Text::Plain { escaped: false };
        }
        Event::Nothing
    }

    /// Whether the innermost container is an object of the first three levels.
    fn in_object(&self) -> bool {
        self.depth
            .checked_sub(1)
            .and_then(|index| self.objects.get(index))
            .copied()
            .unwrap_or(false)
    }

    fn note_key(&mut self, key: String) {
        match self.depth {
            1 => self.in_attachments = key == "_attachments",
            2 => self.attachment = key,
            _ => self.at_data = key == "data",
        }
    }
}

enum Progress {
    Ended,
    Inside { escaped: bool },
}

/// Reads within a string up to and with its end, or to the next escape.
fn in_text(rest: &[u8], escaped: bool) -> (usize, Progress) {
    if escaped {
        return (1, Progress::Inside { escaped: false });
    }
    match memchr::memchr2(b'"', b'\\', rest) {
        Some(index) if rest.get(index) == Some(&b'"') => (index + 1, Progress::Ended),
        Some(index) => (index + 1, Progress::Inside { escaped: true }),
        None => (rest.len(), Progress::Inside { escaped: false }),
    }
}

/// The decoded data of one attachment, as it comes in.
#[derive(Debug)]
pub(crate) struct AttachmentData<'a> {
    key: String,
    reader: &'a mut DocumentReader,
    decoder: Decoder,
    is_done: bool,
}

impl AttachmentData<'_> {
    /// The attachment's name in the document.
    pub(crate) fn key(&self) -> &str {
        &self.key
    }
}

impl Stream for AttachmentData<'_> {
    type Item = Result<Bytes, BodyError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        while !this.is_done {
            if this.reader.pending.is_empty() {
                match ready!(this.reader.body.poll_next_unpin(cx)) {
                    Some(Ok(piece)) => this.reader.pending = piece,
                    Some(Err(error)) => {
                        this.is_done = true;
                        return Poll::Ready(Some(Err(error)));
                    }
                    None => {
                        this.is_done = true;
                        return Poll::Ready(Some(Err(BodyError::Truncated)));
                    }
                }
            }
            let mut decoded = Vec::with_capacity(this.reader.pending.len() / 4 * 3 + 6);
            match this.decoder.read(&this.reader.pending, &mut decoded) {
                Ok(Decoded { read, ended }) => {
                    this.reader.pending.advance(read);
                    if ended {
                        this.is_done = true;
                        this.reader.scanner.text = Text::Outside;
                        // the quote that ends the string was read with the data
                        if let Err(_full) = this.reader.keep(b"\"") {
                            let limit = u64::try_from(this.reader.max_kept).unwrap_or(u64::MAX);
                            return Poll::Ready(Some(Err(BodyError::TooLarge { limit })));
                        }
                    }
                }
                Err(why) => {
                    this.is_done = true;
                    let why = format!("the data of an attachment {why}");
                    return Poll::Ready(Some(Err(BodyError::Malformed(why))));
                }
            }
            if !decoded.is_empty() {
                return Poll::Ready(Some(Ok(decoded.into())));
            }
        }
        Poll::Ready(None)
    }
}

const NOT_BASE64: &str = "is not base64";

/// Base64 inside a JSON string, in pieces that end anywhere.
#[derive(Debug, Default)]
struct Decoder {
    /// One to four characters that may be the last ones, once any came.
    held: Vec<u8>,
    escape: Escape,
}

#[derive(Debug, Default)]
enum Escape {
    #[default]
    None,
    /// After a backslash.
    Begun,
    /// After `\u` and so many digits of this number.
    Unicode { digits: u8, value: u32 },
}

struct Decoded {
    read: usize,
    ended: bool,
}

impl Decoder {
    /// Decodes as much of `piece` as belongs to the string, its closing quote included.
    fn read(&mut self, piece: &[u8], out: &mut Vec<u8>) -> Result<Decoded, &'static str> {
        let mut read = 0;
        while let Some(rest) = piece.get(read..).filter(|rest| !rest.is_empty()) {
            if !matches!(self.escape, Escape::None) {
                let byte = rest.first().copied().unwrap_or_default();
                read += 1;
                if let Some(character) = self.escaped(byte)? {
                    self.characters(&[character], out)?;
                }
                continue;
            }
            let Some(index) = memchr::memchr2(b'"', b'\\', rest) else {
                self.characters(rest, out)?;
                read = piece.len();
                break;
            };
            self.characters(rest.get(..index).unwrap_or_default(), out)?;
            read += index + 1;
            if rest.get(index) == Some(&b'"') {
                self.last(out)?;
                return Ok(Decoded { read, ended: true });
            }
            self.escape = Escape::Begun;
        }
        Ok(Decoded { read, ended: false })
    }

    /// One byte of an escape; the character when that was its last.
    fn escaped(&mut self, byte: u8) -> Result<Option<u8>, &'static str> {
        match self.escape {
            Escape::Begun if byte == b'/' => {
                self.escape = Escape::None;
                Ok(Some(b'/'))
            }
            Escape::Begun if byte == b'u' => {
                self.escape = Escape::Unicode {
                    digits: 0,
                    value: 0,
                };
                Ok(None)
            }
            Escape::Unicode { digits, value } => {
                let digit = char::from(byte).to_digit(16).ok_or(NOT_BASE64)?;
                let value = value * 16 + digit;
                if digits < 3 {
                    self.escape = Escape::Unicode {
                        digits: digits + 1,
                        value,
                    };
                    return Ok(None);
                }
                self.escape = Escape::None;
                u8::try_from(value)
                    .map(Some)
                    .map_err(|_not_ascii| NOT_BASE64)
            }
            Escape::Begun | Escape::None => Err(NOT_BASE64),
        }
    }

    /// Decodes all but the last one to four characters, which may carry padding.
    fn characters(&mut self, run: &[u8], out: &mut Vec<u8>) -> Result<(), &'static str> {
        let total = self.held.len() + run.len();
        let whole = total.saturating_sub(1) / 4 * 4;
        let mut run = run;
        if whole > 0 && !self.held.is_empty() {
            let (first, rest) = run
                .split_at_checked(4_usize.saturating_sub(self.held.len()))
                .ok_or(NOT_BASE64)?;
            self.held.extend_from_slice(first);
            decode(&INNER, &self.held, out)?;
            self.held.clear();
            run = rest;
        }
        let inner = run.len().saturating_sub(1) / 4 * 4;
        let (inner, held) = if self.held.is_empty() {
            run.split_at_checked(inner).ok_or(NOT_BASE64)?
        } else {
            (&[][..], run)
        };
        decode(&INNER, inner, out)?;
        self.held.extend_from_slice(held);
        Ok(())
    }

    fn last(&mut self, out: &mut Vec<u8>) -> Result<(), &'static str> {
        decode(&LAST, &self.held, out)?;
        self.held.clear();
        Ok(())
    }
}

fn decode(engine: &GeneralPurpose, text: &[u8], out: &mut Vec<u8>) -> Result<(), &'static str> {
    engine.decode_vec(text, out).map_err(|_position| NOT_BASE64)
}

#[cfg(test)]
mod tests;
