//! Request bodies: from the framework's stream, which stays on its thread, to one that may go
//! anywhere.

use std::pin::pin;
use std::time::Duration;

use actix_http::Payload;
use bytes::Bytes;
use futures_util::future::{Either, FutureExt as _, select};
use futures_util::{StreamExt as _, stream};
use packhouse_wire::{Body, BodyError};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use super::Patience;

/// Pieces that may wait between the two sides.
const SLOTS: usize = 4;

/// A request's body on the framework's side.
pub(crate) struct Incoming {
    payload: Payload,
    /// As declared; `None` for a chunked body.
    length: Option<u64>,
    received: u64,
    ended: bool,
    /// The client was waited for long enough.
    stalled: bool,
}

type Sender = mpsc::Sender<Result<Bytes, BodyError>>;

impl Incoming {
    pub(crate) fn new(payload: Payload, length: Option<u64>) -> Self {
        let ended = matches!(payload, Payload::None) || length == Some(0);
        Self {
            payload,
            length,
            received: 0,
            ended,
            stalled: false,
        }
    }

    /// Bytes that arrived.
    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    /// Lets `call` read the body while it runs. What it leaves unread stays here.
    pub(crate) async fn lend<F, Fut>(&mut self, patience: &Patience, call: F) -> Fut::Output
    where
        F: FnOnce(Body) -> Fut,
        Fut: Future,
    {
        if self.ended {
            return call(Body::empty()).await;
        }
        let (sender, mut receiver) = mpsc::channel(SLOTS);
        let body = Body::new(stream::poll_fn(move |cx| receiver.poll_recv(cx)));
        let call = pin!(call(body));
        let pump = pin!(self.pump(sender, patience));
        match select(call, pump).await {
            Either::Left((answer, _pump)) => answer,
            Either::Right(((), call)) => call.await,
        }
    }

    /// Hands pieces over until the body ends or nobody wants more.
    async fn pump(&mut self, sender: Sender, patience: &Patience) {
        let mut pace = Pace::new(patience);
        loop {
            // waiting here is the reader's doing, and not held against the client
            let Ok(slot) = sender.reserve().await else {
                return;
            };
            let piece = match self.payload.next().now_or_never() {
                Some(piece) => piece,
                None => match pace.wait(self.payload.next()).await {
                    Some(piece) => piece,
                    None => {
                        self.stalled = true;
                        slot.send(Err(BodyError::Stalled));
                        return;
                    }
                },
            };
            match piece {
                Some(Ok(bytes)) => {
                    self.received += length_of(&bytes);
                    pace.advance(length_of(&bytes));
                    slot.send(Ok(bytes));
                }
                Some(Err(_broken)) => {
                    self.ended = true;
                    slot.send(Err(BodyError::Truncated));
                    return;
                }
                None => {
                    self.ended = true;
                    return;
                }
            }
        }
    }

    /// Throws away what is left of a small body, so that the connection can be used again. What
    /// is left then comes back: whoever answers must hold it until the answer is out, and the
    /// framework closes the connection in a way that the client survives.
    pub(crate) async fn settle(mut self, patience: &Patience) -> Option<Payload> {
        let left = |length: u64| length.saturating_sub(self.received);
        let is_small = self
            .length
            .is_none_or(|length| left(length) <= patience.drain_bytes);
        if !self.ended && !self.stalled && is_small {
            // a client that does not send the rest loses its connection, no more
            drop(timeout(patience.drain_time, self.drain(patience.drain_bytes)).await);
        }
        (!self.ended).then_some(self.payload)
    }

    async fn drain(&mut self, limit: u64) {
        let mut thrown_away = 0;
        while thrown_away <= limit {
            match self.payload.next().await {
                Some(Ok(bytes)) => {
                    thrown_away += length_of(&bytes);
                    self.received += length_of(&bytes);
                }
                Some(Err(_)) | None => {
                    self.ended = true;
                    return;
                }
            }
        }
    }
}

fn length_of(bytes: &Bytes) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

/// Watches how fast a body arrives: only while somebody waits for it.
struct Pace {
    window: Duration,
    wanted: u64,
    waited: Duration,
    arrived: u64,
}

impl Pace {
    fn new(patience: &Patience) -> Self {
        Self {
            window: patience.window,
            wanted: patience.window_bytes,
            waited: Duration::ZERO,
            arrived: 0,
        }
    }

    /// Waits for the next piece; `None` when the window is over first.
    async fn wait<T>(&mut self, next: impl Future<Output = T>) -> Option<T> {
        let began = Instant::now();
        let piece = timeout(self.window.saturating_sub(self.waited), next)
            .await
            .ok();
        self.waited += began.elapsed();
        piece
    }

    fn advance(&mut self, bytes: u64) {
        self.arrived += bytes;
        if self.arrived >= self.wanted {
            self.arrived = 0;
            self.waited = Duration::ZERO;
        }
    }
}
