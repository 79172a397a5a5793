use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Instant;

use actix_http::uri::{Authority, Uri};
use actix_http::{Request, RequestHead, Response};
use futures_util::FutureExt as _;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use packhouse_core::fault::Fault;
use packhouse_core::registry::{Call, Registry};
use packhouse_wire::{BaseUrl, Head, Path, PathError, Reply};
use tracing::{Instrument as _, Level, debug, debug_span, enabled, error, warn};

use super::Door;
use super::bridge::Incoming;
use super::connection::Socket;
use super::house_routes::bad_path;
use super::mounts::Place;
use super::render::{OpenBlob, Outgoing, Rendering};
use super::request_id::RequestId;
use crate::observe::causes;
use crate::observe::metrics::NO_ROUTE;

/// What an answer is measured and logged as.
#[derive(Clone, Copy)]
struct Measured {
    registry: Option<usize>,
    /// The route's pattern: paths can hold secrets (npm's `/-/user/token/TOKEN`), and too many
    /// different things to count.
    label: &'static str,
}

/// A panic in a call, as the cause of a fault.
#[derive(Debug, thiserror::Error)]
#[error("a call panicked: {0}")]
struct Panicked(String);

impl Door {
    /// Takes a request through the door: route, authenticate, admit, run, render.
    pub(super) async fn enter(&self, request: Request, id: RequestId) -> Response<Outgoing> {
        if !enabled!(Level::DEBUG) {
            return self.answer(request, id).await;
        }
        let span = debug_span!("request", request.id = %id);
        self.answer(request, id).instrument(span).await
    }

    async fn answer(&self, request: Request, id: RequestId) -> Response<Outgoing> {
        let began = Instant::now();
        let _in_flight = InFlight::enter(self);
        let socket = request.conn_data::<Rc<Socket>>().map(Rc::clone);
        let (request, payload) = request.into_parts();
        let parts: &RequestHead = &request;
        let is_head = parts.method == actix_http::Method::HEAD;
        let method = method(&parts.method);
        let headers = headers(parts.headers());
        let mut incoming = Incoming::new(payload, content_length(&headers));

        let host = parts
            .headers()
            .get(actix_http::header::HOST)
            .and_then(|host| host.to_str().ok())
            .or_else(|| parts.uri.authority().map(Authority::as_str));
        let (reply, blob, headers, measured) = match self.mounts.find(host, parts.uri.path()) {
            Ok(Place::Registry {
                registry,
                base,
                path,
            }) => {
                let head = Head {
                    method,
                    path,
                    query: parts.uri.query().unwrap_or_default().to_owned(),
                    headers,
                    base: BaseUrl::clone(base),
                };
                let answer = self.registry_reply(registry, &head, &mut incoming, is_head, id);
                let (reply, blob, label) = answer.await;
                let measured = Measured {
                    registry: Some(registry),
                    label,
                };
                (reply, blob, head.headers, measured)
            }
            Ok(Place::House { path }) => {
                let (reply, label) = self.own_reply(&method, &path).await;
                let measured = Measured {
                    registry: None,
                    label,
                };
                (reply, None, headers, measured)
            }
            Err(error) => {
                let reply = self.refuse_path(host, &parts.uri, &method, &headers, error);
                (reply, None, headers, Measured::unmatched())
            }
        };

        let received = incoming.received();
        let unread = incoming.settle(&self.patience).await;
        let rendering = Rendering {
            house: &self.house,
            headers: &headers,
            is_head,
            id,
            socket,
        };
        let answer = rendering.render(reply, blob, unread);
        let took = began.elapsed();
        let status = StatusCode::from_u16(answer.status().as_u16()).unwrap_or(StatusCode::OK);
        self.metrics
            .route(measured.registry, measured.label)
            .answered(status, took, received, answer.body().sent());
        debug!(
            http.route = measured.label,
            http.status = status.as_u16(),
            request.received_bytes = received,
            duration_us = took.as_micros(),
            "answered"
        );
        answer
    }

    /// Refuses a path that is none, in the words of the registry that it was meant for.
    fn refuse_path(
        &self,
        host: Option<&str>,
        uri: &Uri,
        method: &Method,
        headers: &HeaderMap,
        error: PathError,
    ) -> Reply {
        let found = self.mounts.find_unreadable(host, uri.path());
        let (Some((registry, base)), Ok(path)) = (found, Path::parse("")) else {
            return bad_path(error);
        };
        let Some(registry) = self.registries.at(registry) else {
            return bad_path(error);
        };
        let head = Head {
            method: method.clone(),
            path,
            query: String::new(),
            headers: headers.clone(),
            base: base.clone(),
        };
        registry.fault(&Fault::invalid("name", error.to_string()), &head)
    }

    async fn registry_reply(
        &self,
        registry: usize,
        head: &Head,
        incoming: &mut Incoming,
        is_head: bool,
        id: RequestId,
    ) -> (Reply, Option<OpenBlob>, &'static str) {
        let Some(registry) = self.registries.at(registry) else {
            return (Reply::empty(StatusCode::NOT_FOUND), None, NO_ROUTE);
        };
        let routed = catch_unwind(AssertUnwindSafe(|| registry.route(head)))
            .unwrap_or_else(|panic| Err(panicked(&*panic)));
        let call = match routed {
            // a deed that is asked for with GET is not done by HEAD, which nobody reads
            Ok(Call::Write(..)) if is_head => {
                return (
                    word(registry, &Fault::NoRoute, head, NO_ROUTE, id),
                    None,
                    NO_ROUTE,
                );
            }
            Ok(call) => call,
            Err(fault) => return (word(registry, &fault, head, NO_ROUTE, id), None, NO_ROUTE),
        };
        let label = call.label();
        let run = async {
            let reply = self.run(registry, call, head, incoming).await?;
            let blob = OpenBlob::of(&self.house, &reply, &head.headers, is_head).await?;
            Ok((reply, blob))
        };
        let outcome = AssertUnwindSafe(run)
            .catch_unwind()
            .await
            .unwrap_or_else(|panic| Err(panicked(&*panic)));
        match outcome {
            Ok((reply, blob)) => (reply, blob, label),
            Err(fault) => (word(registry, &fault, head, label, id), None, label),
        }
    }

    async fn run(
        &self,
        registry: &dyn Registry,
        call: Call,
        head: &Head,
        incoming: &mut Incoming,
    ) -> Result<Reply, Fault> {
        let credentials = registry.credentials(&head.headers)?;
        let need = call.need().clone();
        let principal = self
            .house
            .authenticate(credentials.as_ref(), &need, registry.ecosystem())
            .await?;
        match call {
            Call::Read(_, call) => {
                let cx = self.house.admit_read(principal, need).await?;
                call.run(&cx, head).await
            }
            Call::Write(_, call) => {
                let cx = self.house.admit_write(principal, need).await?;
                incoming
                    .lend(&self.patience, |body| call.run(&cx, head, body))
                    .await
            }
        }
    }
}

impl Measured {
    const fn unmatched() -> Self {
        Self {
            registry: None,
            label: NO_ROUTE,
        }
    }
}

/// Words a fault and logs it, once.
fn word(
    registry: &dyn Registry,
    fault: &Fault,
    head: &Head,
    label: &'static str,
    id: RequestId,
) -> Reply {
    let ecosystem = registry.ecosystem().as_str();
    match fault {
        Fault::Internal(_) => error!(
            request.id = %id,
            registry = ecosystem,
            http.route = label,
            error = %causes(fault),
            "a request failed"
        ),
        Fault::Busy(_) => warn!(
            request.id = %id,
            registry = ecosystem,
            http.route = label,
            error = %causes(fault),
            "turned a request away for now"
        ),
        _ => debug!(
            registry = ecosystem,
            http.route = label,
            error = %fault,
            "refused a request"
        ),
    }
    registry.fault(fault, head)
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> Fault {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "without a text".to_owned());
    Fault::internal(Panicked(text))
}

/// HEAD is GET to everybody behind the door.
fn method(method: &actix_http::Method) -> Method {
    match method.as_str() {
        "GET" | "HEAD" => Method::GET,
        "PUT" => Method::PUT,
        "POST" => Method::POST,
        "DELETE" => Method::DELETE,
        "PATCH" => Method::PATCH,
        other => Method::from_bytes(other.as_bytes()).unwrap_or(Method::OPTIONS),
    }
}

/// The framework's headers in our crate's version of the types. Both check the same grammar, so
/// nothing is lost.
fn headers(from: &actix_http::header::HeaderMap) -> HeaderMap {
    let mut to = HeaderMap::with_capacity(from.len());
    for (name, value) in from {
        let name = HeaderName::from_bytes(name.as_str().as_bytes());
        let value = HeaderValue::from_bytes(value.as_bytes());
        if let (Ok(name), Ok(value)) = (name, value) {
            to.append(name, value);
        }
    }
    to
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers
        .get(http::header::CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .parse()
        .ok()
}

/// Counts a request for as long as its answer has not begun.
struct InFlight<'a>(&'a Door);

impl<'a> InFlight<'a> {
    fn enter(door: &'a Door) -> Self {
        door.metrics.in_flight.increment(1.0);
        Self(door)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.metrics.in_flight.decrement(1.0);
    }
}
