//! What the protocol can ask, and how a request's head says it (`spec/oci.md` 3). Pure.

use http::Method;
use packhouse_core::fault::Thing;
use packhouse_core::kept::Which;
use packhouse_core::model::PackageRef;
use packhouse_core::policy::Need;
use packhouse_core::{Call, Fault, Sums};
use packhouse_names::{Digest, NormalizedVersion, UploadId};
use packhouse_wire::Head;

use crate::Tenancy;
use crate::name::{self, Reference};

/// Every request shape, as labels for metrics and for the test of permissions.
pub(crate) const ROUTES: &[&str] = &[
    "GET /v2/",
    "GET /token",
    "POST /token",
    "GET /v2/_catalog",
    "GET /v2/{name}/tags/list",
    "GET /v2/{name}/referrers/{digest}",
    "GET /v2/{name}/manifests/{reference}",
    "PUT /v2/{name}/manifests/{reference}",
    "DELETE /v2/{name}/manifests/{reference}",
    "GET /v2/{name}/blobs/{digest}",
    "DELETE /v2/{name}/blobs/{digest}",
    "POST /v2/{name}/blobs/uploads/",
    "GET /v2/{name}/blobs/uploads/{id}",
    "PATCH /v2/{name}/blobs/uploads/{id}",
    "PUT /v2/{name}/blobs/uploads/{id}",
    "DELETE /v2/{name}/blobs/uploads/{id}",
];

/// A request that changes nothing. `name` is the repository's, as answers repeat it.
#[derive(Debug)]
pub(crate) enum Read {
    Ping,
    /// A token for who the header says.
    Token {
        tenancy: Tenancy,
    },
    Catalog {
        tenancy: Tenancy,
    },
    Tags {
        name: String,
    },
    Referrers {
        name: String,
        subject: Digest,
    },
    Manifest {
        which: Which,
    },
    Blob {
        digest: Digest,
    },
    /// Where an upload stands.
    Upload {
        name: String,
        id: UploadId,
    },
}

/// A request that changes something, or whose body is the question.
#[derive(Debug)]
pub(crate) enum Write {
    /// A token for who the body says.
    Token {
        tenancy: Tenancy,
    },
    PutManifest {
        name: String,
        reference: Reference,
    },
    DeleteManifest {
        which: Which,
    },
    DeleteBlob {
        digest: Digest,
    },
    OpenUpload {
        name: String,
        how: Opening,
    },
    Append {
        name: String,
        id: UploadId,
    },
    Finish {
        name: String,
        id: UploadId,
        digest: Digest,
    },
    Cancel {
        id: UploadId,
    },
}

/// What an upload begins with.
#[derive(Debug)]
pub(crate) enum Opening {
    /// The blob is somewhere else already, perhaps.
    Mount {
        digest: Digest,
        /// `None` for anywhere; what is no name is nowhere.
        from: Source,
    },
    /// The blob is in the body.
    Whole { digest: Digest },
    /// Nothing yet.
    Session { sums: Sums },
}

/// Where a blob is to be mounted from.
#[derive(Debug)]
pub(crate) enum Source {
    Anywhere,
    Package(Box<PackageRef>),
    Nowhere,
}

impl Read {
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Self::Ping => "GET /v2/",
            Self::Token { .. } => "GET /token",
            Self::Catalog { .. } => "GET /v2/_catalog",
            Self::Tags { .. } => "GET /v2/{name}/tags/list",
            Self::Referrers { .. } => "GET /v2/{name}/referrers/{digest}",
            Self::Manifest { .. } => "GET /v2/{name}/manifests/{reference}",
            Self::Blob { .. } => "GET /v2/{name}/blobs/{digest}",
            Self::Upload { .. } => "GET /v2/{name}/blobs/uploads/{id}",
        }
    }
}

impl Write {
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Self::Token { .. } => "POST /token",
            Self::PutManifest { .. } => "PUT /v2/{name}/manifests/{reference}",
            Self::DeleteManifest { .. } => "DELETE /v2/{name}/manifests/{reference}",
            Self::DeleteBlob { .. } => "DELETE /v2/{name}/blobs/{digest}",
            Self::OpenUpload { .. } => "POST /v2/{name}/blobs/uploads/",
            Self::Append { .. } => "PATCH /v2/{name}/blobs/uploads/{id}",
            Self::Finish { .. } => "PUT /v2/{name}/blobs/uploads/{id}",
            Self::Cancel { .. } => "DELETE /v2/{name}/blobs/uploads/{id}",
        }
    }
}

/// A request's head, decoded.
#[derive(Debug)]
pub(crate) enum Asked {
    Read(Need, Read),
    Write(Need, Write),
}

impl From<Asked> for Call {
    fn from(asked: Asked) -> Self {
        match asked {
            Asked::Read(need, read) => Self::Read(need, Box::new(read)),
            Asked::Write(need, write) => Self::Write(need, Box::new(write)),
        }
    }
}

/// What stands behind a repository's name.
#[derive(Debug, Clone, Copy)]
enum Tail<'a> {
    Uploads,
    Upload(&'a str),
    Blob(&'a str),
    Manifest(&'a str),
    Tags,
    Referrers(&'a str),
}

/// Reads a request's head.
///
/// # Errors
/// [`Fault::NoRoute`] for what the protocol does not have; on reads [`Fault::NotFound`] for a name
/// or tag that nothing can have, on writes [`Fault::Invalid`].
pub(crate) fn route(head: &Head, tenancy: Tenancy) -> Result<Asked, Fault> {
    let segments = head.path.segments();
    // an encoded slash is no part of any name
    if segments.iter().any(|segment| segment.contains('/')) {
        return Err(Fault::NoRoute);
    }
    match (head.method.as_str(), &*segments) {
        ("GET", ["v2"]) => Ok(Asked::Read(Need::Greet, Read::Ping)),
        ("GET", ["token"]) => Ok(Asked::Read(Need::Greet, Read::Token { tenancy })),
        ("POST", ["token"]) => Ok(Asked::Write(Need::SignIn, Write::Token { tenancy })),
        ("GET", ["v2", "_catalog"]) => {
            Ok(Asked::Read(Need::Browse(None), Read::Catalog { tenancy }))
        }
        (_, ["v2", rest @ ..]) => {
            let (name, tail) = split(rest).ok_or(Fault::NoRoute)?;
            repository(head, &name.join("/"), tail, tenancy)
        }
        _ => Err(Fault::NoRoute),
    }
}

/// Splits at the last keyword that leaves a tail: a repository may have parts called like one.
fn split<'a, 'b>(segments: &'b [&'a str]) -> Option<(&'b [&'a str], Tail<'a>)> {
    Some(match segments {
        [name @ .., "blobs", "uploads"] => (name, Tail::Uploads),
        [name @ .., "manifests", reference] => (name, Tail::Manifest(reference)),
        [name @ .., "tags", "list"] => (name, Tail::Tags),
        [name @ .., "referrers", digest] => (name, Tail::Referrers(digest)),
        [name @ .., "blobs", "uploads", id] => (name, Tail::Upload(id)),
        [name @ .., "blobs", digest] => (name, Tail::Blob(digest)),
        _ => return None,
    })
}

fn repository(head: &Head, name: &str, tail: Tail<'_>, tenancy: Tenancy) -> Result<Asked, Fault> {
    let is_get = head.method == Method::GET;
    let package = match name::package(name, tenancy) {
        Ok(package) => package,
        Err(_) if is_get => return Err(Fault::not_found(Thing::Package, name)),
        Err(fault) => return Err(fault),
    };
    // a mirror's question about another registry, which is mapped to nothing here
    if let Some(host) = head.query_value("ns")
        && host != head.base.authority()
    {
        return Err(Fault::not_found(Thing::Package, name));
    }
    let name = name.to_owned();
    let read = |read| Ok(Asked::Read(Need::Read(package.clone()), read));
    let publish = |write| Ok(Asked::Write(Need::Publish(package.clone()), write));
    let curate = |write| Ok(Asked::Write(Need::Curate(package.clone()), write));
    match (head.method.as_str(), tail) {
        ("GET", Tail::Tags) => read(Read::Tags { name }),
        ("GET", Tail::Referrers(digest)) => {
            let subject = name::digest(digest)?;
            read(Read::Referrers { name, subject })
        }
        ("GET", Tail::Manifest(reference)) => read(Read::Manifest {
            which: which(reference)?,
        }),
        ("PUT", Tail::Manifest(reference)) => {
            let reference = Reference::parse(reference)?;
            publish(Write::PutManifest { name, reference })
        }
        ("DELETE", Tail::Manifest(reference)) => curate(Write::DeleteManifest {
            which: which(reference)?,
        }),
        ("GET", Tail::Blob(digest)) => {
            let digest = name::digest(digest)?;
            read(Read::Blob { digest })
        }
        ("DELETE", Tail::Blob(digest)) => {
            let digest = name::digest(digest)?;
            curate(Write::DeleteBlob { digest })
        }
        ("POST", Tail::Uploads) => {
            let how = opening(head, tenancy)?;
            publish(Write::OpenUpload { name, how })
        }
        (method, Tail::Upload(id)) => {
            let id = UploadId::new(id).map_err(|_not_ours| Fault::not_found(Thing::Upload, id))?;
            match method {
                "GET" => Ok(Asked::Read(
                    Need::Publish(package),
                    Read::Upload { name, id },
                )),
                "PATCH" => publish(Write::Append { name, id }),
                "PUT" => {
                    let digest = head.query_value("digest").unwrap_or_default();
                    let digest = name::digest(&digest)?;
                    publish(Write::Finish { name, id, digest })
                }
                "DELETE" => publish(Write::Cancel { id }),
                _ => Err(Fault::NoRoute),
            }
        }
        _ => Err(Fault::NoRoute),
    }
}

/// A tag that is none is not there.
fn which(reference: &str) -> Result<Which, Fault> {
    match Reference::parse(reference) {
        Ok(Reference::Tag(tag)) => Ok(Which::Tag(tag)),
        Ok(Reference::Digest(digest)) => {
            Ok(Which::Digest(NormalizedVersion::new(digest.to_string())?))
        }
        Err(Fault::Invalid { field: "tag", .. }) => Err(Fault::not_found(Thing::Tag, reference)),
        Err(fault) => Err(fault),
    }
}

fn opening(head: &Head, tenancy: Tenancy) -> Result<Opening, Fault> {
    if let Some(mount) = head.query_value("mount") {
        return Ok(Opening::Mount {
            digest: name::digest(&mount)?,
            from: mount_source(head, tenancy),
        });
    }
    if let Some(digest) = head.query_value("digest") {
        let digest = name::digest(&digest)?;
        return Ok(Opening::Whole { digest });
    }
    match head.query_value("digest-algorithm").as_deref() {
        None | Some("sha256") => Ok(Opening::Session { sums: Sums::NONE }),
        Some("sha512") => Ok(Opening::Session { sums: Sums::SHA512 }),
        Some(other) => Err(Fault::invalid(
            "digest",
            format!("the digest algorithm `{other}` is not sha256 or sha512"),
        )),
    }
}

/// The package that `from` names.
pub(crate) fn mount_source(head: &Head, tenancy: Tenancy) -> Source {
    match head.query_value("from") {
        None => Source::Anywhere,
        Some(from) => name::package(&from, tenancy).map_or(Source::Nowhere, |package| {
            Source::Package(Box::new(package))
        }),
    }
}
