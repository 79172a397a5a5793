//! How npm's clients are told no (`spec/npm.md` 5.3, 9.5, 20).

use http::{HeaderValue, StatusCode, header};
use packhouse_core::fault::{Lack, Thing, Unproven};
use packhouse_core::policy::Need;
use packhouse_core::registry::Scheme;
use packhouse_core::{Fault, Registry as _};
use packhouse_wire::{Head, Reply};
use serde_json::json;

use crate::Npm;

/// The header that npm prints on any answer. With a challenge it prints nothing else of ours.
const NPM_NOTICE: header::HeaderName = header::HeaderName::from_static("npm-notice");

/// What only npm's protocol refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// A name without a scope, where no account owns those.
    Unscoped,
    /// All tags at once.
    BulkTags,
    /// The tag that everybody installs by.
    LatestTag,
    /// A body that is not JSON by its own words.
    MediaType,
    /// `npm owner`.
    Owners,
    /// `npm star`.
    Stars,
}

impl Refusal {
    pub(crate) fn reply(self) -> Reply {
        let (status, text) = match self {
            Self::Unscoped => (
                StatusCode::FORBIDDEN,
                "Only scoped packages (@owner/name) can be published to this registry",
            ),
            Self::BulkTags => (
                StatusCode::METHOD_NOT_ALLOWED,
                "Tags are set and removed one at a time",
            ),
            Self::LatestTag => (StatusCode::FORBIDDEN, "cannot delete the latest tag"),
            Self::MediaType => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "the body must be application/json",
            ),
            Self::Owners => (
                StatusCode::FORBIDDEN,
                "Owners follow from roles on the package: grant or revoke a role instead",
            ),
            Self::Stars => (StatusCode::FORBIDDEN, "This registry keeps no stars"),
        };
        let reply = error(status, text, text);
        match self {
            Self::BulkTags => reply.with(header::ALLOW, HeaderValue::from_static("GET, HEAD")),
            _ => reply,
        }
    }
}

/// Words a fault.
pub(crate) fn reply(npm: &Npm, fault: &Fault, head: &Head) -> Reply {
    match fault {
        Fault::NoRoute => not_found(),
        Fault::NotFound { what, id } => match what {
            Thing::Package | Thing::Account | Thing::Repository if is_write(head) => {
                forbidden(&absent_on_write(npm, head), &fault.to_string())
            }
            Thing::Version => {
                let text = format!("version not found: {id}");
                error(StatusCode::NOT_FOUND, &text, &text)
            }
            Thing::Package
            | Thing::Account
            | Thing::Repository
            | Thing::Team
            | Thing::File
            | Thing::Tag
            | Thing::Token
            | Thing::Blob
            | Thing::Upload
            | Thing::Reference => not_found(),
        },
        Fault::Unauthenticated { need, why } => unauthenticated(need, *why),
        Fault::Denied { need, lack } => {
            let reason = match lack {
                Lack::Role => "your role on this package does not allow it",
                Lack::Scope => "your token lacks the scope for it",
            };
            forbidden(&permission(need), reason)
        }
        Fault::Held(_) => conflict(&fault.to_string(), &fault.to_string()),
        Fault::Conflict(what) => conflict(
            "Cannot publish over existing version",
            &format!("You cannot publish over the previously published versions: {what}."),
        ),
        Fault::Stale => conflict("Document update conflict", &fault.to_string()),
        Fault::Invalid { reason, .. } => error(StatusCode::BAD_REQUEST, reason, reason),
        Fault::TooLarge { limit } => {
            let text = format!("payload too large: limit {limit} bytes");
            error(StatusCode::PAYLOAD_TOO_LARGE, &text, &text)
        }
        Fault::Busy(after) => {
            let seconds = after.as_secs().max(1);
            error(
                StatusCode::SERVICE_UNAVAILABLE,
                "the registry is busy",
                &fault.to_string(),
            )
            .with(header::RETRY_AFTER, HeaderValue::from(seconds))
        }
        // whatever is added to the vocabulary is nobody's business until it has its words here
        Fault::Internal(_) | _ => error(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal error",
            "internal error",
        ),
    }
}

fn unauthenticated(need: &Need, why: Unproven) -> Reply {
    let (challenge, text) = match why {
        Unproven::Missing => (r#"Bearer realm="packhouse""#, "authentication required"),
        Unproven::Invalid(Scheme::Bearer) | Unproven::TooNarrow => (
            r#"Bearer realm="packhouse", error="invalid_token""#,
            "Bad credentials",
        ),
        Unproven::Invalid(Scheme::Basic) => (r#"Basic realm="packhouse""#, "Bad credentials"),
    };
    let message = match (need, why) {
        (Need::SignIn, _) => "Accounts have no passwords here: use an access token as the password",
        (_, Unproven::Missing) => "Send an access token for this registry",
        (_, Unproven::Invalid(_) | Unproven::TooNarrow) => {
            "The access token is wrong, expired or revoked"
        }
    };
    error(StatusCode::UNAUTHORIZED, text, message)
        .with(
            header::WWW_AUTHENTICATE,
            HeaderValue::from_static(challenge),
        )
        .with(NPM_NOTICE, HeaderValue::from_static(message))
}

/// What a write to something absent or hidden lacks, by what it would have needed.
fn absent_on_write(npm: &Npm, head: &Head) -> String {
    match npm.route(head) {
        Ok(call) => match call.need() {
            Need::Publish(_) => "Permission permission_denied: create_package".to_owned(),
            Need::Read(_) => "Permission permission_denied: write_package".to_owned(),
            need => permission(need),
        },
        Err(_) => "Permission permission_denied: create_package".to_owned(),
    }
}

/// GitHub's words for a permission that is lacking.
fn permission(need: &Need) -> String {
    let permission = match need {
        Need::Read(_) | Need::Browse(_) => "read_package",
        Need::Publish(_) => "write_package",
        Need::Curate(_) => "delete_package",
        Need::Restore(_) | Need::Manage(_) => "admin_package",
        Need::Tokens => "manage_tokens",
        _ => "access",
    };
    format!("Permission permission_denied: {permission}")
}

fn is_write(head: &Head) -> bool {
    head.method != http::Method::GET
}

fn not_found() -> Reply {
    error(StatusCode::NOT_FOUND, "Not found", "Not found")
}

fn forbidden(text: &str, message: &str) -> Reply {
    error(StatusCode::FORBIDDEN, text, message)
}

fn conflict(text: &str, message: &str) -> Reply {
    error(StatusCode::CONFLICT, text, message)
}

/// The body that npm and bun show `error` of. It never holds `success`, which bun would believe.
fn error(status: StatusCode, error: &str, message: &str) -> Reply {
    Reply::json(
        status,
        json!({ "error": error, "message": message }).to_string(),
    )
}

#[cfg(test)]
mod tests;
