#![doc = include_str!("../README.md")]

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
mod sign_in;
mod source;
mod submission;
mod tarball;
mod tokens;
mod update;
mod version;

use async_trait::async_trait;
use packhouse_core::cx::{ReadCx, WriteCx};
use packhouse_core::{Call, Fault, ReadCall, Registry, WriteCall};
use packhouse_names::{Ecosystem, Login, NormalizedName, PackageName};
use packhouse_wire::{Body, Head, Reply};

use crate::name::NpmName;
use crate::route::{Read, Write};

/// npm's registry protocol.
#[derive(Debug, Clone, Default)]
pub struct Npm {
    unscoped_owner: Option<Login>,
}

impl Npm {
    /// The protocol, with the account that owns the names without a scope; without one they are
    /// refused.
    #[must_use]
    pub fn new(unscoped_owner: Option<Login>) -> Self {
        Self { unscoped_owner }
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
        route::route(head, self.unscoped_owner.as_ref()).map(Call::from)
    }

    fn name(&self, text: &str) -> Result<(PackageName, NormalizedName), Fault> {
        NpmName::parse(text).map(|name| (name.name, name.key))
    }

    fn fault(&self, fault: &Fault, head: &Head) -> Reply {
        fault::reply(self, fault, head)
    }
}

#[async_trait]
impl ReadCall for Read {
    fn label(&self) -> &'static str {
        Self::label(self)
    }

    async fn run(self: Box<Self>, cx: &ReadCx, head: &Head) -> Result<Reply, Fault> {
        match *self {
            Self::Packument { abbreviated } => reads::packument(cx, head, abbreviated).await,
            Self::Version { wanted } => reads::version(cx, head, &wanted).await,
            Self::Tarball { file } => reads::tarball(cx, file.as_ref()).await,
            Self::DistTags => dist_tags::list(cx, head).await,
            Self::Ping => Ok(sign_in::ping()),
            Self::Whoami => sign_in::whoami(cx),
            Self::User { name } => people::profile::user(cx, &name).await,
            Self::Tokens => tokens::list(cx, head).await,
            Self::People(asked) => people::read(cx, head, asked).await,
        }
    }
}

#[async_trait]
impl WriteCall for Write {
    fn label(&self) -> &'static str {
        Self::label(self)
    }

    async fn run(self: Box<Self>, cx: &WriteCx, head: &Head, body: Body) -> Result<Reply, Fault> {
        match *self {
            Self::Publish => publish::put(cx, head, body).await,
            Self::Replace { rev } => update::replace(cx, head, &rev, body).await,
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
