//! The smallest registry that shows what a door does: it has no packages, only answers.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt as _;
use http::{HeaderValue, Method, StatusCode, header};
use packhouse_core::cx::{ReadCx, WriteCx};
use packhouse_core::model::{Namespace, PackageRef};
use packhouse_core::policy::Need;
use packhouse_core::{Call, Fault, ReadCall, Registry, WriteCall};
use packhouse_names::{Ecosystem, Login, NormalizedName, PackageName};
use packhouse_wire::{BlobContent, Body, Document, Head, Reply};
use tokio::sync::Semaphore;

pub(crate) const ROUTES: &[&str] = &["GET /{thing}", "PUT /{thing}"];

/// What the shelf holds.
#[derive(Debug, Clone)]
pub(crate) struct Shelf {
    pub(crate) blob: BlobContent,
    pub(crate) page: BlobContent,
    /// Its bytes are gone.
    pub(crate) lost: BlobContent,
    pub(crate) document: Arc<Document>,
    /// `slow` waits for a place.
    pub(crate) gate: Arc<Semaphore>,
    /// A place for each request that waits at the gate.
    pub(crate) waiting: Arc<Semaphore>,
}

#[derive(Debug)]
struct Take(String, Shelf);

fn package() -> PackageRef {
    PackageRef {
        ecosystem: Ecosystem::Npm,
        namespace: Namespace {
            owner: Login::new("acme").unwrap(),
            repository: None,
        },
        name: PackageName::new("thing").unwrap(),
        key: NormalizedName::new("thing").unwrap(),
    }
}

impl Registry for Shelf {
    fn ecosystem(&self) -> Ecosystem {
        Ecosystem::Npm
    }

    fn routes(&self) -> &'static [&'static str] {
        ROUTES
    }

    fn route(&self, head: &Head) -> Result<Call, Fault> {
        let thing = match head.path.segments()[..] {
            [thing] => thing.to_owned(),
            _ => return Err(Fault::NoRoute),
        };
        assert_ne!(thing, "panic-in-route", "the route panicked on purpose");
        let need = match &*thing {
            "private" => Need::Publish(package()),
            _ => Need::Greet,
        };
        let take = Box::new(Take(thing, self.clone()));
        match head.method {
            Method::GET => Ok(Call::Read(need, take)),
            Method::PUT => Ok(Call::Write(need, take)),
            _ => Err(Fault::NoRoute),
        }
    }

    fn name(&self, text: &str) -> Result<(PackageName, NormalizedName), Fault> {
        Ok((PackageName::new(text)?, NormalizedName::new(text)?))
    }

    fn fault(&self, fault: &Fault, _head: &Head) -> Reply {
        let status = match fault {
            Fault::NoRoute | Fault::NotFound { .. } => StatusCode::NOT_FOUND,
            Fault::Unauthenticated { .. } => StatusCode::UNAUTHORIZED,
            Fault::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Fault::Invalid { .. } => StatusCode::BAD_REQUEST,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Reply::json(status, format!(r#"{{"error":"{fault}"}}"#))
    }
}

#[async_trait]
impl ReadCall for Take {
    fn label(&self) -> &'static str {
        ROUTES[0]
    }

    async fn run(self: Box<Self>, _cx: &ReadCx, head: &Head) -> Result<Reply, Fault> {
        let Take(thing, shelf) = *self;
        Ok(match &*thing {
            "blob" => Reply::blob(shelf.blob),
            "page" => Reply::blob(shelf.page),
            "lost" => Reply::blob(shelf.lost),
            "document" => Reply::document(shelf.document)
                .with(header::VARY, HeaderValue::from_static("Accept")),
            "base" => Reply::json(StatusCode::OK, head.base.as_str().to_owned()),
            "tagged" => Reply::json(StatusCode::OK, "{}")
                .with(header::ETAG, HeaderValue::from_static("\"t\""))
                .with(header::VARY, HeaderValue::from_static("Accept")),
            "tagged-fault" => Reply::json(StatusCode::NOT_FOUND, "{}")
                .with(header::ETAG, HeaderValue::from_static("\"t\"")),
            "nothing" => Reply::empty(StatusCode::NO_CONTENT),
            "broken" => return Err(Fault::internal("the password is hunter2")),
            "panic" => panic!("the call panicked on purpose"),
            "slow" => {
                shelf.waiting.add_permits(1);
                shelf
                    .gate
                    .acquire()
                    .await
                    .map_err(Fault::internal)?
                    .forget();
                Reply::json(StatusCode::OK, "done")
            }
            _ => return Err(Fault::NoRoute),
        })
    }
}

#[async_trait]
impl WriteCall for Take {
    fn label(&self) -> &'static str {
        ROUTES[1]
    }

    async fn run(
        self: Box<Self>,
        _cx: &WriteCx,
        _head: &Head,
        mut body: Body,
    ) -> Result<Reply, Fault> {
        let Take(thing, _) = *self;
        match &*thing {
            // counts what arrives, and says why it stopped arriving
            "count" => {
                let mut bytes = 0;
                while let Some(piece) = body.next().await {
                    match piece {
                        Ok(piece) => bytes += piece.len(),
                        Err(error) => return Err(Fault::invalid("body", error.to_string())),
                    }
                }
                Ok(Reply::json(StatusCode::CREATED, bytes.to_string()))
            }
            // reads a little, then has enough
            "limited" => match body.read_at_most(1000).await {
                Ok(_) => Ok(Reply::empty(StatusCode::CREATED)),
                Err(_) => Err(Fault::TooLarge { limit: 1000 }),
            },
            "unread" => Ok(Reply::json(StatusCode::OK, Bytes::from_static(b"unread"))),
            _ => Err(Fault::NoRoute),
        }
    }
}
