//! A plain connection whose answers write themselves.
//!
//! The framework copies every piece of a body into the connection's write buffer and sends from
//! there. Here only the head goes that way: it is held back until the body follows, and both
//! leave in one `writev`, the body from where it lies. TLS has to copy anyway and does not come
//! this way.

use std::cell::{Cell, RefCell};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// What one connection may send before others of its worker get their turn.
const TURN_BYTES: usize = 2 << 20;

/// Heads are shorter; a buffer that held more is given back.
const KEPT_HEAD_BYTES: usize = 8 << 10;

/// The socket, as the framework reads and writes it.
pub(crate) struct Connection(Rc<Socket>);

/// The socket, as bodies write to it.
pub(crate) struct Socket {
    stream: RefCell<TcpStream>,
    /// Written by the framework, and waiting for the body that follows.
    head: RefCell<BytesMut>,
    is_held: Cell<bool>,
    /// The client is gone: nothing more is sent, and nothing more comes.
    is_broken: Cell<bool>,
}

impl Connection {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self(Rc::new(Socket {
            stream: RefCell::new(stream),
            head: RefCell::default(),
            is_held: Cell::new(false),
            is_broken: Cell::new(false),
        }))
    }

    pub(crate) fn socket(&self) -> Rc<Socket> {
        Rc::clone(&self.0)
    }
}

impl Socket {
    /// Holds back what the framework writes from now on, until a body is [sent](Self::poll_send).
    pub(super) fn hold(&self) {
        self.is_held.set(true);
    }

    /// Whether the client is gone.
    pub(super) fn is_broken(&self) -> bool {
        self.is_broken.get()
    }

    /// Sends a piece of a body, and before it what was held back. `piece` is empty afterwards; a
    /// client that is [gone](Self::is_broken) takes everything.
    pub(super) fn poll_send(&self, piece: &mut Bytes, cx: &mut Context<'_>) -> Poll<()> {
        let stream = self.stream.borrow();
        let mut head = self.head.borrow_mut();
        let mut turn = TURN_BYTES;
        let is_all_sent = |head: &BytesMut, piece: &Bytes| head.is_empty() && piece.is_empty();
        while !self.is_broken.get() && !is_all_sent(&head, piece) {
            match stream.try_write_vectored(&[IoSlice::new(&head), IoSlice::new(piece)]) {
                Ok(sent) => {
                    let of_head = sent.min(head.len());
                    head.advance(of_head);
                    piece.advance(sent - of_head);
                    turn = turn.saturating_sub(sent);
                    if turn == 0 && !piece.is_empty() {
                        cx.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if ready!(stream.poll_write_ready(cx)).is_err() {
                        self.is_broken.set(true);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_gone) => self.is_broken.set(true),
            }
        }
        piece.clear();
        head.clear();
        if head.capacity() > KEPT_HEAD_BYTES {
            *head = BytesMut::new();
        }
        self.is_held.set(false);
        Poll::Ready(())
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.0.is_broken.get() {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut *self.0.stream.borrow_mut()).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.0.is_held.get() {
            self.0.head.borrow_mut().extend_from_slice(bytes);
            return Poll::Ready(Ok(bytes.len()));
        }
        Pin::new(&mut *self.0.stream.borrow_mut()).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.stream.borrow_mut()).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.stream.borrow_mut()).poll_shutdown(cx)
    }
}
