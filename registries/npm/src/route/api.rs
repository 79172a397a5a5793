//! The addresses below `/-/` (`spec/npm.md` 3).

use http::Method;
use packhouse_core::Fault;
use packhouse_core::policy::Need;
use packhouse_names::Login;
use packhouse_wire::Head;

use super::{Asked, Audit, Read, Write, of_package, package_name, package_ref, people};

/// What user names begin with in the couch login.
const COUCH_USER: &str = "org.couchdb.user:";

pub(super) fn api(
    head: &Head,
    path: &[&str],
    unscoped_owner: Option<&Login>,
) -> Result<Asked, Fault> {
    if let Some(asked) = people::about_people(head, path)? {
        return Ok(asked);
    }
    let user = |segment: &str| segment.strip_prefix(COUCH_USER).map(str::to_owned);
    let asked = match (&head.method, path) {
        (&Method::GET, ["ping"]) => Asked::Read(Need::Greet, Read::Ping),
        (&Method::GET, ["whoami"]) => Asked::Read(Need::Oneself, Read::Whoami),
        (_, ["package", path @ ..]) if !path.is_empty() => {
            let (name, rest) = package_name(path)?;
            return of_package(head, &name, rest, unscoped_owner);
        }
        (&Method::DELETE, ["user", "token", token]) => Asked::Write(
            Need::Oneself,
            Write::SignOut {
                token: (*token).to_owned(),
            },
        ),
        (&Method::GET, ["user", segment]) => {
            let name = user(segment).ok_or(Fault::NoRoute)?;
            Asked::Read(Need::Oneself, Read::User { name })
        }
        (&Method::PUT, ["user", segment, rest @ ..]) => {
            let renews = match rest {
                [] => false,
                ["-rev", _] => true,
                _ => return Err(Fault::NoRoute),
            };
            let user = user(segment).ok_or(Fault::NoRoute)?;
            Asked::Write(Need::SignIn, Write::SignIn { user, renews })
        }
        (&Method::GET, ["v1", "search"]) => Asked::Read(Need::Browse(None), Read::Search),
        (&Method::GET, ["npm", "v1", "keys"]) => Asked::Read(Need::Greet, Read::Keys),
        (&Method::GET, ["npm", "v1", "attestations", path @ ..]) => {
            // the sign before the version is the last one: a scope begins with another
            let path = path.join("/");
            let (name, version) = path.rsplit_once('@').ok_or(Fault::NoRoute)?;
            let (name, _nothing) = package_name(&[name])?;
            let version = version.to_owned();
            let package = package_ref(&name, unscoped_owner)?;
            Asked::Read(Need::Read(package), Read::Attestations { version })
        }
        (&Method::GET, ["npm", "v1", "tokens"]) => Asked::Read(Need::Tokens, Read::Tokens),
        (&Method::POST, ["npm", "v1", "tokens"]) => Asked::Write(Need::Tokens, Write::CreateToken),
        (&Method::DELETE, ["npm", "v1", "tokens", "token", key]) => Asked::Write(
            Need::Tokens,
            Write::RevokeToken {
                key: (*key).to_owned(),
            },
        ),
        (&Method::POST, ["npm", "v1", "security", path @ ..]) => {
            let audit = match path {
                ["advisories", "bulk"] => Audit::Bulk,
                ["audits", "quick"] => Audit::Quick,
                ["audits"] => Audit::Full,
                _ => return Err(Fault::NoRoute),
            };
            Asked::Write(Need::Greet, Write::Audit(audit))
        }
        _ => return Err(Fault::NoRoute),
    };
    Ok(asked)
}
