#![doc = include_str!("../README.md")]

mod attestations;
mod audit;
mod body;
mod dist_tags;
mod documents;
mod fault;
mod integrity;
mod name;
mod package_json;
mod people;
mod publish;
mod reads;
mod route;
mod search;
mod sign_in;
mod signatures;
mod source;
mod submission;
mod tarball;
mod tokens;
mod update;
mod version;

use async_trait::async_trait;
use http::Method;
use packhouse_core::cx::{ReadCx, WriteCx};
use packhouse_core::{Call, Fault, ReadCall, Registry, WriteCall};
use packhouse_names::{Ecosystem, Login, NormalizedName, PackageName};
use packhouse_wire::{Body, Head, Path, Reply};

use crate::documents::Attestations;
use crate::fault::Refusal;
use crate::name::NpmName;
use crate::route::{Read, Write};

/// npm's registry protocol.
#[derive(Debug, Clone, Default)]
pub struct Npm {
    unscoped_owner: Option<Login>,
    attestations: Attestations,
}

impl Npm {
    /// The protocol, with the account that owns the names without a scope; without one they are
    /// refused.
    #[must_use]
    pub fn new(unscoped_owner: Option<Login>) -> Self {
        Self {
            unscoped_owner,
            attestations: Attestations::default(),
        }
    }

    /// Says in documents where to find a version's provenance, if it has one (`dist.attestations`).
    #[must_use]
    pub fn showing_attestations(mut self) -> Self {
        self.attestations = Attestations::Shown;
        self
    }
}

impl Registry for Npm {
    fn ecosystem(&self) -> Ecosystem {
        Ecosystem::Npm
    }

    fn routes(&self) -> &'static [&'static str] {
        route::ROUTES
    }

    fn route(&self, head: &Head) -> Result<Call, Fault> {
        let asked = route::route(head, self.unscoped_owner.as_ref())?;
        Ok(asked.into_call(self.attestations))
    }

    fn is_stray(&self, path: &Path) -> bool {
        route::is_stray(path)
    }

    fn name(&self, text: &str) -> Result<(PackageName, NormalizedName), Fault> {
        NpmName::parse(text).map(|name| (name.name, name.key))
    }

    fn fault(&self, fault: &Fault, head: &Head) -> Reply {
        fault::reply(self, fault, head)
    }
}

/// A read, with what the registry shows in its documents.
struct Reading {
    read: Read,
    attestations: Attestations,
}

#[async_trait]
impl ReadCall for Reading {
    fn label(&self) -> &'static str {
        self.read.label()
    }

    async fn run(self: Box<Self>, cx: &ReadCx, head: &Head) -> Result<Reply, Fault> {
        let attestations = self.attestations;
        match self.read {
            Read::Packument { abbreviated } => {
                reads::packument(cx, head, abbreviated, attestations).await
            }
            Read::Version { wanted } => reads::version(cx, head, &wanted, attestations).await,
            Read::Tarball { file } => reads::tarball(cx, file.as_ref()).await,
            Read::DistTags => dist_tags::list(cx, head).await,
            Read::Ping => Ok(sign_in::ping()),
            Read::Whoami => sign_in::whoami(cx),
            Read::User { name } => people::profile::user(cx, &name).await,
            Read::Tokens => tokens::list(cx, head).await,
            Read::Keys => Ok(signatures::keys(cx)),
            Read::Attestations { version } => attestations::show(cx, &version).await,
            Read::Search => search::answer(cx, head).await,
            Read::People(asked) => people::read(cx, head, asked).await,
        }
    }
}

#[async_trait]
impl WriteCall for Write {
    fn label(&self) -> &'static str {
        Self::label(self)
    }

    async fn run(self: Box<Self>, cx: &WriteCx, head: &Head, body: Body) -> Result<Reply, Fault> {
        if head.method == Method::PUT && !publish::is_json(head) {
            return Ok(Refusal::MediaType.reply());
        }
        match *self {
            Self::Publish => publish::put(cx, head, body).await,
            Self::Replace { rev } => update::replace(cx, &rev, body).await,
            Self::RemovePackage { rev } => update::remove_package(cx, &rev).await,
            Self::RemoveTarball => update::remove_tarball(cx),
            Self::SetTag { tag } => dist_tags::set(cx, tag, body).await,
            Self::RemoveTag { tag } => dist_tags::remove(cx, tag).await,
            Self::SignIn { user, .. } => sign_in::sign_in(cx, &user, body).await,
            Self::SignOut { token } => sign_in::sign_out(cx, &token).await,
            Self::CreateToken => tokens::create(cx, body).await,
            Self::RevokeToken { key } => tokens::revoke(cx, &key).await,
            Self::Audit(audit) => audit::answer(cx, head, audit, body).await,
            Self::People(asked) => people::write(cx, head, asked, body).await,
            Self::Refused { refusal, .. } => Ok(refusal.reply()),
        }
    }
}
