//! How npm's clients are told "no" (`spec/npm.md` 5.3, 9.5, 20).
//!
//! npm prints `error`, and what `WWW-Authenticate` says instead of it on a 401; release tools look
//! for the phrases. No answer here ever says `success`: bun would believe it.

use http::{HeaderValue, StatusCode, header};
use packhouse_core::fault::{Fault, Lack, Thing, Unproven};
use packhouse_core::policy::Need;
use packhouse_core::registry::Scheme;
use packhouse_wire::Reply;
use serde_json::json;

/// What npm is told of a request that needs credentials.
const BEARER: HeaderValue = HeaderValue::from_static("Bearer realm=\"packhouse\"");
const BAD_BEARER: HeaderValue =
    HeaderValue::from_static("Bearer realm=\"packhouse\", error=\"invalid_token\"");
const BASIC: HeaderValue = HeaderValue::from_static("Basic realm=\"packhouse\"");

/// Words a fault; `refused` is what the request needed, where it was understood.
pub(crate) fn reply(fault: &Fault, refused: Option<&Need>) -> Reply {
    match fault {
        Fault::NoRoute => problem(StatusCode::NOT_FOUND, "Not found", "Not found"),
        Fault::NotFound { what, id } => not_found(*what, id, refused),
        Fault::Unauthenticated { why, .. } => unauthenticated(*why),
        Fault::Denied { need, lack } => denied(need, *lack),
        Fault::Held(_) => {
            let text = fault.to_string();
            problem(StatusCode::CONFLICT, &text, &text)
        }
        Fault::Conflict(version) => problem(
            StatusCode::CONFLICT,
            "Cannot publish over existing version",
            &format!("You cannot publish over the previously published versions: {version}."),
        ),
        Fault::Stale => problem(
            StatusCode::CONFLICT,
            "Document update conflict",
            "The package has changed since it was read. Read it again and repeat the change.",
        ),
        Fault::Invalid { field, reason } => {
            let status = if *field == CONTENT_TYPE {
                StatusCode::UNSUPPORTED_MEDIA_TYPE
            } else {
                StatusCode::BAD_REQUEST
            };
            problem(status, reason, reason)
        }
        Fault::TooLarge { limit } => {
            let text = format!("payload too large: limit {limit} bytes");
            problem(StatusCode::PAYLOAD_TOO_LARGE, &text, &text)
        }
        Fault::Busy(after) => {
            let text = "The registry is busy, try again in a moment";
            problem(StatusCode::SERVICE_UNAVAILABLE, text, text)
                .with(header::RETRY_AFTER, HeaderValue::from(after.as_secs().max(1)))
        }
        // the cause is the operator's; the log has it under the request's id
        _ => problem(StatusCode::INTERNAL_SERVER_ERROR, "Internal error", "Internal error"),
    }
}

/// The field of a [`Fault::Invalid`] that is a media type we do not read: 415.
pub(crate) const CONTENT_TYPE: &str = "content-type";

/// Another method would do: 405 and which one.
pub(crate) fn method_not_allowed(allow: &'static str) -> Reply {
    problem(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed", "Method not allowed")
        .with(header::ALLOW, HeaderValue::from_static(allow))
}

/// A refusal that has no fault of its own: it is about what npm offers, not about who asks.
pub(crate) fn forbidden(text: &str) -> Reply {
    problem(StatusCode::FORBIDDEN, text, text)
}

fn not_found(what: Thing, id: &str, refused: Option<&Need>) -> Reply {
    match (what, refused) {
        // npm takes a 404 on a write for success, so a package that is absent or hidden is 403
        (Thing::Package, Some(need)) if !matches!(need, Need::Read(_)) => {
            problem(StatusCode::FORBIDDEN, permission(need, Creates::Maybe), &hint(need))
        }
        (Thing::Version, _) => {
            let text = format!("version not found: {id}");
            problem(StatusCode::NOT_FOUND, &text, &text)
        }
        (Thing::Tag, _) => {
            let text = format!("tag not found: {id}");
            problem(StatusCode::NOT_FOUND, &text, &text)
        }
        _ => problem(StatusCode::NOT_FOUND, "Not found", "Not found"),
    }
}

fn unauthenticated(why: Unproven) -> Reply {
    let (error, message, challenge) = match why {
        Unproven::Missing => (
            "authentication required",
            "This needs a token: run npm login --auth-type=legacy, or put one into .npmrc",
            BEARER,
        ),
        Unproven::Invalid(Scheme::Bearer) => {
            ("Bad credentials", "The token is unknown, expired or revoked", BAD_BEARER)
        }
        Unproven::Invalid(Scheme::Basic) => {
            ("Bad credentials", "The token given as password is unknown, expired or revoked", BASIC)
        }
    };
    problem(StatusCode::UNAUTHORIZED, error, message)
        .with(header::WWW_AUTHENTICATE, challenge)
        .with(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))
}

fn denied(need: &Need, lack: Lack) -> Reply {
    let error = permission(need, Creates::No);
    let message = match lack {
        Lack::Role => hint(need),
        Lack::Scope => format!("The token lacks the scope {}", scope(need)),
    };
    problem(StatusCode::FORBIDDEN, error, &message)
}

/// Whether a refused publish may have been about a package that is not there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Creates {
    Maybe,
    No,
}

fn permission(need: &Need, creates: Creates) -> &'static str {
    match need {
        Need::Publish(_) if creates == Creates::Maybe => {
            "Permission permission_denied: create_package"
        }
        Need::Publish(_) => "Permission permission_denied: write_package",
        Need::Curate(_) | Need::Restore(_) => "Permission permission_denied: delete_package",
        Need::Manage(_) => "Permission permission_denied: admin_package",
        Need::Tokens => "Permission permission_denied: tokens",
        Need::Read(_)
        | Need::Browse(_)
        | Need::Greet
        | Need::SignIn
        | Need::Oneself => "Permission permission_denied: read_package",
    }
}

const fn scope(need: &Need) -> &'static str {
    match need {
        Need::Publish(_) | Need::Restore(_) | Need::Manage(_) => "write:packages",
        Need::Curate(_) => "delete:packages (and read:packages)",
        Need::Tokens => "that the new token asks for, or is a workflow's",
        Need::Read(_)
        | Need::Browse(_)
        | Need::Greet
        | Need::SignIn
        | Need::Oneself => "read:packages",
    }
}

fn hint(need: &Need) -> String {
    let Some(package) = need.package() else {
        return "You may not do this".to_owned();
    };
    let name = &package.name;
    match need {
        Need::Publish(_) => format!(
            "You may not publish {name}: it needs the write role on the package, or membership of \
             its owner to create it"
        ),
        Need::Curate(_) => format!("You may not delete {name} or its versions: it needs the admin role"),
        _ => format!("You may not do this to {name}"),
    }
}

fn problem(status: StatusCode, error: &str, message: &str) -> Reply {
    Reply::json(status, json!({"error": error, "message": message}).to_string())
}
