#![doc = include_str!("../README.md")]

mod blobs;
mod fault;
mod lists;
mod manifest;
mod manifests;
mod name;
mod route;
mod scope;
mod token;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use http::{HeaderMap, HeaderName, HeaderValue};
use packhouse_core::cx::{ReadCx, WriteCx};
use packhouse_core::registry::{Credentials, Mount, Scheme};
use packhouse_core::{Call, Fault, ReadCall, Registry, WriteCall};
use packhouse_names::{Ecosystem, NormalizedName, PackageName, TokenText};
use packhouse_wire::{Body, Head, Reply};

use crate::route::{Read, Write};

/// Says on every answer that this is a registry of the second protocol.
const API_VERSION: HeaderName = HeaderName::from_static("docker-distribution-api-version");
const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// The OCI distribution protocol.
#[derive(Debug, Clone, Copy)]
pub struct Docker {
    tenancy: Tenancy,
}

/// What the first parts of a repository's name mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tenancy {
    /// An owner, and an image of any depth.
    Container,
    /// An owner, one of its repositories, and an image.
    RepositoryScoped,
}

impl Tenancy {
    pub(crate) fn ecosystem(self) -> Ecosystem {
        match self {
            Self::Container => Ecosystem::Container,
            Self::RepositoryScoped => Ecosystem::Docker,
        }
    }
}

impl Docker {
    /// Images that belong to accounts.
    #[must_use]
    pub fn container() -> Self {
        Self {
            tenancy: Tenancy::Container,
        }
    }

    /// Images that belong to repositories, with their permissions.
    #[must_use]
    pub fn repository_scoped() -> Self {
        Self {
            tenancy: Tenancy::RepositoryScoped,
        }
    }
}

impl Registry for Docker {
    fn ecosystem(&self) -> Ecosystem {
        self.tenancy.ecosystem()
    }

    fn mount(&self) -> Mount {
        Mount::Root(&["v2", "token"])
    }

    fn routes(&self) -> &'static [&'static str] {
        route::ROUTES
    }

    fn route(&self, head: &Head) -> Result<Call, Fault> {
        route::route(head, self.tenancy).map(Call::from)
    }

    fn name(&self, text: &str) -> Result<(PackageName, NormalizedName), Fault> {
        name::image(text, self.tenancy)
    }

    /// Bearer may hold an access token as it is, or in base64, alone or behind `user:`: GitHub's
    /// users script all of these.
    fn credentials(&self, headers: &HeaderMap) -> Result<Option<Credentials>, Fault> {
        Ok(Credentials::basic_or_bearer(headers)?.map(unwrapped))
    }

    fn fault(&self, fault: &Fault, head: &Head) -> Reply {
        with_api_version(fault::reply(*self, fault, head))
    }
}

fn unwrapped(credentials: Credentials) -> Credentials {
    if credentials.scheme == Scheme::Basic || TokenText::parse(&credentials.secret).is_some() {
        return credentials;
    }
    let decoded = STANDARD
        .decode(&credentials.secret)
        .or_else(|_padded| STANDARD_NO_PAD.decode(&credentials.secret))
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok());
    let Some(text) = decoded else {
        return credentials;
    };
    let secret = text
        .split_once(':')
        .map_or(&*text, |(_user, secret)| secret);
    match TokenText::parse(secret.trim()) {
        Some(token) => Credentials {
            secret: token.expose().to_owned(),
            scheme: credentials.scheme,
        },
        None => credentials,
    }
}

fn with_api_version(reply: Reply) -> Reply {
    reply.with(API_VERSION, HeaderValue::from_static("registry/2.0"))
}

#[async_trait]
impl ReadCall for Read {
    fn label(&self) -> &'static str {
        Self::label(self)
    }

    async fn run(self: Box<Self>, cx: &ReadCx, head: &Head) -> Result<Reply, Fault> {
        let reply = match *self {
            Self::Ping => token::ping(head),
            Self::Token { tenancy } => token::get(cx, head, tenancy).await,
            Self::Catalog { tenancy } => lists::catalog(cx, head, tenancy).await,
            Self::Tags { name } => lists::tags(cx, head, &name).await,
            Self::Referrers { name, subject } => lists::referrers(cx, head, &name, subject).await,
            Self::Manifest { which } => manifests::get(cx, head, &which).await,
            Self::Blob { digest } => blobs::get(cx, &digest).await,
            Self::Upload { name, id } => blobs::status(cx, &name, &id).await,
        };
        reply.map(with_api_version)
    }
}

#[async_trait]
impl WriteCall for Write {
    fn label(&self) -> &'static str {
        Self::label(self)
    }

    async fn run(self: Box<Self>, cx: &WriteCx, head: &Head, body: Body) -> Result<Reply, Fault> {
        let reply = match *self {
            Self::Token { tenancy } => token::post(cx, head, tenancy, body).await,
            Self::PutManifest { name, reference } => {
                manifests::put(cx, head, &name, reference, body).await
            }
            Self::DeleteManifest { which } => manifests::delete(cx, which).await,
            Self::DeleteBlob { digest } => blobs::delete(cx, digest).await,
            Self::OpenUpload { name, how } => blobs::open(cx, &name, how, body).await,
            Self::Append { name, id } => blobs::append(cx, head, &name, &id, body).await,
            Self::Finish { name, id, digest } => {
                blobs::finish(cx, head, &name, &id, digest, body).await
            }
            Self::Cancel { id } => blobs::cancel(cx, &id).await,
        };
        reply.map(with_api_version)
    }
}
