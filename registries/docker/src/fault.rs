//! How container clients are told no (`spec/oci.md` 4, 5.1, 5.7).

use http::{HeaderValue, Method, StatusCode, header};
use packhouse_core::Fault;
use packhouse_core::fault::{Lack, Thing, Unproven};
use packhouse_core::policy::Need;
use packhouse_core::registry::Scheme;
use packhouse_wire::{Head, Reply};
use serde_json::{Value, json};

use crate::Docker;
use crate::route::{Asked, Read, route};
use crate::{lists, scope};

/// A fault in the protocol's words.
struct Wording {
    status: StatusCode,
    code: &'static str,
    message: String,
    detail: Value,
}

fn word(status: StatusCode, code: &'static str, message: impl Into<String>) -> Wording {
    Wording {
        status,
        code,
        message: message.into(),
        detail: Value::Null,
    }
}

impl Wording {
    fn about(self, detail: impl Into<Value>) -> Self {
        Self {
            detail: detail.into(),
            ..self
        }
    }

    fn reply(self) -> Reply {
        let text = json!({
            "errors": [{
                "code": self.code,
                "message": self.message,
                "detail": self.detail,
            }]
        });
        Reply::json(self.status, text.to_string())
    }
}

/// An error of the protocol that is not a fault of the model.
pub(crate) fn error(status: StatusCode, code: &'static str, message: &str) -> Reply {
    word(status, code, message).reply()
}

/// Words a fault.
pub(crate) fn reply(docker: Docker, fault: &Fault, head: &Head) -> Reply {
    match fault {
        Fault::Unauthenticated { need, why } => unauthenticated(docker, need, *why, head),
        Fault::Invalid {
            field: "authorization",
            ..
        } => {
            let why = Unproven::Invalid(Scheme::Bearer);
            unauthenticated(docker, &Need::Greet, why, head)
        }
        Fault::NotFound {
            what: Thing::Package | Thing::Account | Thing::Repository,
            id,
        } => match route(head, docker.tenancy) {
            // no client may conclude from a 404 that there is no such list
            Ok(Asked::Read(_, Read::Referrers { .. })) => lists::no_referrers(),
            // whoever may not make it is not told whether it is there
            Ok(Asked::Read(Need::Publish(_), _) | Asked::Write(Need::Publish(_), _)) => {
                denied(&Lack::Role, true).reply()
            }
            _ => word(
                StatusCode::NOT_FOUND,
                "NAME_UNKNOWN",
                "repository name not known to registry",
            )
            .about(json!({ "name": id }))
            .reply(),
        },
        Fault::Busy(after) => {
            let seconds = after.as_secs().max(1);
            wording(fault, head)
                .reply()
                .with(header::RETRY_AFTER, HeaderValue::from(seconds))
        }
        other => wording(other, head).reply(),
    }
}

fn wording(fault: &Fault, head: &Head) -> Wording {
    match fault {
        Fault::NoRoute if head.method == Method::GET => {
            word(StatusCode::NOT_FOUND, "NAME_UNKNOWN", "no such route")
        }
        Fault::NoRoute => word(
            StatusCode::METHOD_NOT_ALLOWED,
            "UNSUPPORTED",
            "the operation is unsupported",
        ),
        Fault::NotFound { what, id } => absent(*what, id),
        Fault::Denied { need, lack } => denied(lack, !matches!(**need, Need::Read(_))),
        Fault::Held(what) => word(
            StatusCode::METHOD_NOT_ALLOWED,
            "UNSUPPORTED",
            "it is part of a manifest that is still there: delete that one first",
        )
        .about(what.as_str()),
        Fault::Conflict(_) | Fault::Stale => {
            word(StatusCode::CONFLICT, "DENIED", fault.to_string())
        }
        Fault::Invalid { field, reason } => word(
            StatusCode::BAD_REQUEST,
            invalid_code(field),
            reason.as_str(),
        ),
        Fault::TooLarge { limit } => word(
            StatusCode::PAYLOAD_TOO_LARGE,
            "SIZE_INVALID",
            format!("larger than the limit of {limit} bytes"),
        ),
        Fault::Busy(_) => word(
            StatusCode::SERVICE_UNAVAILABLE,
            "UNAVAILABLE",
            fault.to_string(),
        ),
        // whatever is added to the vocabulary is nobody's business until it has its words here
        Fault::Unauthenticated { .. } | Fault::Internal(_) | _ => word(
            StatusCode::INTERNAL_SERVER_ERROR,
            "UNKNOWN",
            "internal error",
        ),
    }
}

fn absent(what: Thing, id: &str) -> Wording {
    match what {
        Thing::Version => word(
            StatusCode::NOT_FOUND,
            "MANIFEST_UNKNOWN",
            "manifest unknown to registry",
        )
        .about(id),
        Thing::Tag => word(
            StatusCode::NOT_FOUND,
            "MANIFEST_UNKNOWN",
            "manifest unknown to registry",
        )
        .about(json!({ "Tag": id })),
        Thing::Blob | Thing::File => word(
            StatusCode::NOT_FOUND,
            "BLOB_UNKNOWN",
            "blob unknown to registry",
        )
        .about(id),
        Thing::Upload => word(
            StatusCode::NOT_FOUND,
            "BLOB_UPLOAD_UNKNOWN",
            "blob upload unknown to registry",
        ),
        Thing::Reference => word(
            StatusCode::BAD_REQUEST,
            "MANIFEST_BLOB_UNKNOWN",
            "manifest references a manifest or blob unknown to registry",
        )
        .about(id),
        Thing::Account
        | Thing::Repository
        | Thing::Team
        | Thing::Package
        | Thing::Token
        | Thing::Login => word(
            StatusCode::NOT_FOUND,
            "NAME_UNKNOWN",
            "repository name not known to registry",
        ),
    }
}

/// The code of what was wrong with a request; crane sends what was `BLOB_UPLOAD_INVALID` again.
fn invalid_code(field: &str) -> &'static str {
    match field {
        "name" => "NAME_INVALID",
        "digest" => "DIGEST_INVALID",
        "tag" => "TAG_INVALID",
        "manifest" => "MANIFEST_INVALID",
        "size" => "SIZE_INVALID",
        "page" => "PAGINATION_NUMBER_INVALID",
        "body" | "upload" => "BLOB_UPLOAD_INVALID",
        _ => "UNSUPPORTED",
    }
}

fn denied(lack: &Lack, is_write: bool) -> Wording {
    let message = match (lack, is_write) {
        (Lack::Scope, _) => "permission_denied: The token provided does not match expected scopes.",
        (Lack::Role, true) => "permission_denied: write_package",
        (Lack::Role, false) => "requested access to the resource is denied",
    };
    word(StatusCode::FORBIDDEN, "DENIED", message)
}

fn unauthenticated(docker: Docker, need: &Need, why: Unproven, head: &Head) -> Reply {
    let is_token_endpoint = head.path.iter().eq(["token"]);
    let wanted = scope::wanted(need, head, docker.tenancy);
    let message = match why {
        Unproven::Invalid(_) => "the access token is wrong, expired or revoked",
        Unproven::Missing | Unproven::NotPublic | Unproven::TooNarrow => "authentication required",
    };
    let detail = wanted.as_deref().map_or(Value::Null, access);
    let reply = word(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", message)
        .about(detail)
        .reply();
    let challenge = if is_token_endpoint {
        r#"Basic realm="packhouse""#.to_owned()
    } else {
        let mut challenge = format!(
            r#"Bearer realm="{base}/token",service="{service}""#,
            base = head.base,
            service = head.base.authority(),
        );
        if let Some(scope) = wanted {
            challenge.push_str(&format!(r#",scope="{scope}""#));
        }
        match why {
            Unproven::Invalid(_) => challenge.push_str(r#",error="invalid_token""#),
            Unproven::TooNarrow => challenge.push_str(r#",error="insufficient_scope""#),
            // nobody's token: containerd asks for the same one for ever unless it is told
            Unproven::Missing | Unproven::NotPublic
                if head.headers.contains_key(header::AUTHORIZATION) =>
            {
                challenge.push_str(r#",error="insufficient_scope""#);
            }
            Unproven::Missing | Unproven::NotPublic => {}
        }
        challenge
    };
    match HeaderValue::try_from(challenge) {
        Ok(challenge) => reply.with(header::WWW_AUTHENTICATE, challenge),
        // a base URL and a name hold nothing that a header may not
        Err(_impossible) => reply,
    }
}

/// The missing access, as clients print it: one entry an action.
fn access(scopes: &str) -> Value {
    scopes
        .split(' ')
        .filter_map(|scope| {
            let (kind, rest) = scope.split_once(':')?;
            let (name, actions) = rest.rsplit_once(':')?;
            Some((kind, name, actions))
        })
        .flat_map(|(kind, name, actions)| {
            actions
                .split(',')
                .map(move |action| json!({ "Type": kind, "Name": name, "Action": action }))
        })
        .collect()
}
