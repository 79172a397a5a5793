use std::error::Error;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use actix_http::body::{BodySize, MessageBody};
use actix_http::header::{self, HeaderMap as OutHeaders, HeaderName, HeaderValue};
use actix_http::{Payload, Response, StatusCode};
use bytes::Bytes;
use futures_util::Stream as _;
use packhouse_blob::BlobStream;
use packhouse_core::House;
use packhouse_core::fault::Fault;
use packhouse_wire::{
    BlobContent, Coding, Content, Document, ETag, Reply, is_not_modified, prefers_gzip,
};
use tracing::error;

use super::connection::Socket;
use super::ranges::{Selection, content_range, select, unsatisfied_range};
use super::request_id::RequestId;
use crate::observe::causes;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Package files are somebody else's: a browser that shows one runs nothing of it.
const SANDBOX: HeaderValue = HeaderValue::from_static("default-src 'none'; sandbox");

/// How a blob is sent, and its bytes where any are.
pub(super) struct OpenBlob {
    selection: Selection,
    bytes: Option<BlobStream>,
}

impl OpenBlob {
    /// Opens what a reply names, if it names a blob and the answer sends some of it.
    pub(super) async fn of(
        house: &House,
        reply: &Reply,
        headers: &http::HeaderMap,
        is_head: bool,
    ) -> Result<Option<Self>, Fault> {
        let Content::Blob(blob) = &reply.content else {
            return Ok(None);
        };
        let selection = select(headers, blob, reply.status, is_head);
        let range = match &selection {
            Selection::Whole if !is_head => Some(0..blob.size),
            Selection::Part(range) => Some(range.clone()),
            _ => None,
        };
        let bytes = match range {
            Some(range) => Some(house.open_blob(blob, range).await?),
            None => None,
        };
        Ok(Some(Self { selection, bytes }))
    }
}

/// Turns replies into the framework's responses.
pub(super) struct Rendering<'a> {
    pub(super) house: &'a House,
    /// The request's.
    pub(super) headers: &'a http::HeaderMap,
    pub(super) is_head: bool,
    pub(super) id: RequestId,
    /// Where bodies write themselves to; the framework sends them where there is none.
    pub(super) socket: Option<Rc<Socket>>,
}

/// A response on its way: status and headers of the content, and what is sent.
struct Draft {
    status: StatusCode,
    headers: OutHeaders,
    sending: Sending,
}

impl Rendering<'_> {
    /// Renders a reply. `unread` is what the client still sends: held until the answer is out.
    pub(super) fn render(
        &self,
        reply: Reply,
        blob: Option<OpenBlob>,
        unread: Option<Payload>,
    ) -> Response<Outgoing> {
        let mut draft = Draft {
            status: StatusCode::from_u16(reply.status.as_u16())
                .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            headers: OutHeaders::with_capacity(reply.headers.len() + 8),
            sending: Sending::Nothing,
        };
        copy(&reply.headers, &mut draft.headers);
        match (reply.content, blob) {
            (Content::Empty, _) => {}
            (Content::Bytes(bytes), _) => self.bytes(&mut draft, &reply.headers, bytes),
            (Content::Document(document), _) => self.document(&mut draft, &document),
            (Content::Blob(content), Some(blob)) => self.blob(&mut draft, &content, blob),
            // a reply that names a blob was opened
            (Content::Blob(_), None) => draft.status = StatusCode::INTERNAL_SERVER_ERROR,
        }
        if self.is_head {
            draft.sending = draft.sending.declared();
        }
        if matches!(
            draft.status,
            StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
        ) {
            draft.sending = Sending::NoBody;
        } else if let Some(version) = reply.counts
            && !self.is_head
            && draft.status == StatusCode::OK
        {
            self.house.count_download(version);
        }
        draft.headers.insert(REQUEST_ID, self.id.header());
        draft.headers.insert(
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        );
        let socket = match &self.socket {
            Some(socket) if draft.sending.has_bytes() => {
                socket.hold();
                draft.headers.insert(
                    header::CONTENT_LENGTH,
                    HeaderValue::from(draft.sending.length()),
                );
                Some(Rc::clone(socket))
            }
            _ => None,
        };
        let is_direct = socket.is_some();
        let body = Outgoing {
            sending: draft.sending,
            socket,
            piece: Bytes::new(),
            id: self.id,
            _unread: unread,
        };
        let mut response = Response::with_body(draft.status, body);
        *response.headers_mut() = draft.headers;
        // the length is said above: the framework sees a body of no length and no bytes
        response.head_mut().no_chunking(is_direct);
        response
    }

    /// Bytes that were made for this answer; a format may have given them a tag.
    fn bytes(&self, draft: &mut Draft, headers: &http::HeaderMap, bytes: Bytes) {
        let is_held = headers.get(http::header::ETAG).is_some_and(|tag| {
            is_not_modified(
                self.headers,
                ETag(tag),
                headers.get(http::header::LAST_MODIFIED),
            )
        });
        if draft.status == StatusCode::OK && is_held {
            draft.status = StatusCode::NOT_MODIFIED;
            draft.headers.remove(header::CONTENT_TYPE);
        } else {
            draft.sending = Sending::Whole(bytes);
        }
    }

    fn document(&self, draft: &mut Draft, document: &Document) {
        let is_gzip = prefers_gzip(self.headers) && !document.gzip.is_empty();
        let identity = (Coding::Identity, &document.identity, &document.identity_tag);
        let gzip = (Coding::Gzip, &document.gzip, &document.gzip_tag);
        let ((coding, bytes, tag), (_, _, other_tag)) = if is_gzip {
            (gzip, identity)
        } else {
            (identity, gzip)
        };
        let is_held = draft.status == StatusCode::OK
            && is_not_modified(self.headers, ETag(tag), Some(&document.last_modified));
        // whoever holds the document in its other coding holds the document
        let is_held_otherwise = draft.status == StatusCode::OK
            && !is_held
            && is_not_modified(self.headers, ETag(other_tag), None);
        let shown_tag = if is_held_otherwise { other_tag } else { tag };
        put(&mut draft.headers, header::ETAG, shown_tag);
        put(
            &mut draft.headers,
            header::LAST_MODIFIED,
            &document.last_modified,
        );
        vary_by_coding(&mut draft.headers);
        if is_held || is_held_otherwise {
            draft.status = StatusCode::NOT_MODIFIED;
            return;
        }
        put(
            &mut draft.headers,
            header::CONTENT_TYPE,
            &document.media_type,
        );
        if coding == Coding::Gzip {
            let gzip = HeaderValue::from_static("gzip");
            draft.headers.insert(header::CONTENT_ENCODING, gzip);
        }
        draft.sending = Sending::Whole(bytes.clone());
    }

    fn blob(&self, draft: &mut Draft, content: &BlobContent, blob: OpenBlob) {
        let headers = &mut draft.headers;
        put(headers, header::ETAG, &content.tag);
        headers.insert(header::CONTENT_SECURITY_POLICY, SANDBOX);
        let length = match blob.selection {
            Selection::NotModified => {
                draft.status = StatusCode::NOT_MODIFIED;
                return;
            }
            Selection::Unsatisfiable => {
                draft.status = StatusCode::RANGE_NOT_SATISFIABLE;
                put_text(
                    headers,
                    header::CONTENT_RANGE,
                    &unsatisfied_range(content.size),
                );
                return;
            }
            Selection::Whole => content.size,
            Selection::Part(range) => {
                draft.status = StatusCode::PARTIAL_CONTENT;
                put_text(
                    headers,
                    header::CONTENT_RANGE,
                    &content_range(&range, content.size),
                );
                range.end - range.start
            }
        };
        headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        put(headers, header::CONTENT_TYPE, &content.media_type);
        if is_shown_by_browsers(&content.media_type)
            && !headers.contains_key(header::CONTENT_DISPOSITION)
        {
            let attachment = HeaderValue::from_static("attachment");
            headers.insert(header::CONTENT_DISPOSITION, attachment);
        }
        draft.sending = match blob.bytes.map(BlobStream::into_bytes) {
            None => Sending::Declared(length),
            Some(Ok(bytes)) => Sending::Whole(bytes),
            Some(Err(stream)) => Sending::Stream(length, stream),
        };
    }
}

/// What a browser would show in a page's place instead of saving it.
fn is_shown_by_browsers(media_type: &http::HeaderValue) -> bool {
    let text = media_type.to_str().unwrap_or_default();
    let text = text.split(';').next().unwrap_or_default().trim();
    ["text/", "image/", "audio/", "video/", "application/pdf"]
        .iter()
        .any(|kind| text.starts_with(kind))
        || text.ends_with("xml")
        || text.ends_with("json")
}

/// Adds the coding to what an answer depends on.
fn vary_by_coding(headers: &mut OutHeaders) {
    let value = match headers.get(header::VARY).map(HeaderValue::as_bytes) {
        None => HeaderValue::from_static("Accept-Encoding"),
        Some(b"Accept") => HeaderValue::from_static("Accept, Accept-Encoding"),
        Some(others) => {
            let mut list = others.to_vec();
            list.extend_from_slice(b", Accept-Encoding");
            // two lists of header names joined by a comma are one
            HeaderValue::from_bytes(&list)
                .unwrap_or_else(|_impossible| HeaderValue::from_static("*"))
        }
    };
    headers.insert(header::VARY, value);
}

/// Our headers in the framework's version of the types. Both check the same grammar, so nothing
/// is lost.
fn copy(from: &http::HeaderMap, to: &mut OutHeaders) {
    for (name, value) in from {
        if let Ok(name) = HeaderName::from_bytes(name.as_str().as_bytes())
            && let Ok(value) = HeaderValue::from_bytes(value.as_bytes())
        {
            to.append(name, value);
        }
    }
}

fn put(headers: &mut OutHeaders, name: HeaderName, value: &http::HeaderValue) {
    if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
        headers.insert(name, value);
    }
}

fn put_text(headers: &mut OutHeaders, name: HeaderName, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        headers.insert(name, value);
    }
}

/// What an answer sends.
enum Sending {
    /// `Content-Length: 0`.
    Nothing,
    /// Not even a length: 204 and 304.
    NoBody,
    /// The length of what a GET would send, and nothing of it. A stream that is never polled
    /// costs nothing; the framework would pull and drop a real one.
    Declared(u64),
    Whole(Bytes),
    Stream(u64, BlobStream),
}

impl Sending {
    fn length(&self) -> u64 {
        match self {
            Self::Nothing | Self::NoBody => 0,
            Self::Declared(length) | Self::Stream(length, _) => *length,
            Self::Whole(bytes) => u64::try_from(bytes.len()).unwrap_or(u64::MAX),
        }
    }

    fn has_bytes(&self) -> bool {
        match self {
            Self::Nothing | Self::NoBody | Self::Declared(_) => false,
            Self::Whole(bytes) => !bytes.is_empty(),
            Self::Stream(length, _) => *length > 0,
        }
    }

    fn declared(self) -> Self {
        match self.length() {
            0 => Self::Nothing,
            length => Self::Declared(length),
        }
    }
}

/// The body of a response.
pub(crate) struct Outgoing {
    sending: Sending,
    /// Where it writes itself to, if it does.
    socket: Option<Rc<Socket>>,
    /// What of it is being written.
    piece: Bytes,
    id: RequestId,
    /// Held, not read: as long as it lives the framework knows that the request was not read to
    /// its end, says `Connection: close`, and lets the client finish before it closes.
    _unread: Option<Payload>,
}

impl Outgoing {
    /// How many bytes go out, all being well.
    pub(super) fn sent(&self) -> u64 {
        match self.sending {
            Sending::Declared(_) => 0,
            _ => self.sending.length(),
        }
    }
}

impl Sending {
    fn poll_piece(
        &mut self,
        cx: &mut Context<'_>,
        id: RequestId,
    ) -> Poll<Option<Result<Bytes, Box<dyn Error>>>> {
        match self {
            Self::Nothing | Self::NoBody | Self::Declared(_) => Poll::Ready(None),
            Self::Whole(bytes) => {
                let bytes = std::mem::take(bytes);
                Poll::Ready((!bytes.is_empty()).then_some(Ok(bytes)))
            }
            Self::Stream(_, stream) => Pin::new(stream).poll_next(cx).map(|piece| {
                piece.map(|piece| {
                    piece.map_err(|cause| {
                        error!(request.id = %id, error = %causes(&cause), "an answer broke off");
                        Box::from(cause)
                    })
                })
            }),
        }
    }
}

impl MessageBody for Outgoing {
    type Error = Box<dyn Error>;

    fn size(&self) -> BodySize {
        match self.sending {
            Sending::NoBody => BodySize::None,
            _ if self.socket.is_some() => BodySize::Stream,
            _ => BodySize::Sized(self.sending.length()),
        }
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let this = &mut *self;
        let Some(socket) = &this.socket else {
            return this.sending.poll_piece(cx, this.id);
        };
        loop {
            // the first piece takes the head along
            if this.piece.is_empty() {
                match ready!(this.sending.poll_piece(cx, this.id)) {
                    Some(Ok(piece)) => this.piece = piece,
                    other => return Poll::Ready(other),
                }
            }
            ready!(socket.poll_send(&mut this.piece, cx));
            if socket.is_broken() {
                return Poll::Ready(None);
            }
        }
    }
}
