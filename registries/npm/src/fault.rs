//! How npm's clients are told no (`spec/npm.md` 5.3, 9.5, 20).

use http::{HeaderValue, StatusCode, header};
use packhouse_core::fault::{Lack, Thing, Unproven};
use packhouse_core::policy::Need;
use packhouse_core::registry::Scheme;
use packhouse_core::{Call, Fault, Registry as _};
use packhouse_wire::{Head, Reply};
use serde_json::json;

use crate::Npm;

/// The header that npm prints on any answer. With a challenge it prints nothing else of ours.
pub(crate) const NPM_NOTICE: header::HeaderName = header::HeaderName::from_static("npm-notice");

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
    /// A list of owners without the revision that it was made from.
    Owners,
    /// `npm profile set`.
    Profile,
    /// A second factor, which nobody has.
    SecondFactor,
    /// A public package that would be hidden again.
    PublicForGood,
    /// A team that is there already.
    TeamTaken,
    /// Too many logins that wait for their answer.
    Logins,
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
                "Owners are changed on a revision of the package, or one at a time",
            ),
            Self::Profile => (
                StatusCode::FORBIDDEN,
                "Profiles are changed by the administrator of this registry",
            ),
            Self::SecondFactor => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "This registry has no second factor to ask for",
            ),
            Self::PublicForGood => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "A public package stays public: others may depend on it",
            ),
            Self::TeamTaken => (StatusCode::CONFLICT, "The team exists already"),
            Self::Logins => (
                StatusCode::TOO_MANY_REQUESTS,
                "Too many logins wait for their answer: try again in a few minutes",
            ),
        };
        let reply = error(status, text, text);
        match self {
            Self::BulkTags => reply.with(header::ALLOW, HeaderValue::from_static("GET, HEAD")),
            Self::Logins => reply.with(header::RETRY_AFTER, HeaderValue::from_static("60")),
            _ => reply,
        }
    }
}

/// Words a fault.
pub(crate) fn reply(npm: &Npm, fault: &Fault, head: &Head) -> Reply {
    match fault {
        Fault::NoRoute if is_trusted_publishing(head) => no_trusted_publisher(),
        Fault::NoRoute => not_allowed(npm, head).unwrap_or_else(not_found),
        Fault::NotFound { what, id } => match what {
            Thing::Package | Thing::Account | Thing::Repository if is_write(head) => {
                forbidden(&absent_on_write(npm, head, *what), &fault.to_string())
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
            | Thing::Login
            | Thing::Blob
            | Thing::Upload
            | Thing::Reference => not_found(),
        },
        // as the public npm registry answers for names that nobody has published
        Fault::Unauthenticated {
            why: Unproven::NotPublic,
            ..
        } if !is_write(head) => not_found(),
        Fault::Unauthenticated { need, why } => unauthenticated(need, *why),
        Fault::Denied { need, lack } => {
            let reason = match (lack, &**need) {
                (Lack::Role, Need::SeeOrganization(_) | Need::ManageOrganization(_)) => {
                    "your role in this organization does not allow it"
                }
                (Lack::Role, _) => "your role on this package does not allow it",
                (Lack::Scope, _) => "your token lacks the scope for it",
            };
            forbidden(&permission(need), reason)
        }
        Fault::Fixed(text) => forbidden(text, text),
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
        Unproven::Missing | Unproven::NotPublic => {
            (r#"Bearer realm="packhouse""#, "authentication required")
        }
        Unproven::Invalid(Scheme::Bearer) | Unproven::TooNarrow => (
            r#"Bearer realm="packhouse", error="invalid_token""#,
            "Bad credentials",
        ),
        Unproven::Invalid(Scheme::Basic) => (r#"Basic realm="packhouse""#, "Bad credentials"),
    };
    let message = match (need, why) {
        (Need::SignIn, _) => "Accounts have no passwords here: use an access token as the password",
        (_, Unproven::Missing | Unproven::NotPublic) => "Send an access token for this registry",
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
fn absent_on_write(npm: &Npm, head: &Head, what: Thing) -> String {
    match npm.route(head) {
        Ok(call) => match call.need() {
            Need::Publish(_) => "Permission permission_denied: create_package".to_owned(),
            Need::Read(_) => "Permission permission_denied: write_package".to_owned(),
            // a team is given a role on a package, which must be managed for it
            Need::SeeOrganization(_) if what == Thing::Package => {
                "Permission permission_denied: admin_package".to_owned()
            }
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
        Need::SeeOrganization(_) => "read_organization",
        Need::ManageOrganization(_) => "admin_organization",
        _ => "access",
    };
    format!("Permission permission_denied: {permission}")
}

fn is_write(head: &Head) -> bool {
    head.method != http::Method::GET
}

/// What else an address can be asked, where it is one.
fn not_allowed(npm: &Npm, head: &Head) -> Option<Reply> {
    use http::Method;

    let call = |method: &Method| {
        let head = Head {
            method: method.clone(),
            ..head.clone()
        };
        npm.route(&head).ok()
    };
    let methods = [Method::GET, Method::PUT, Method::POST, Method::DELETE];
    let allowed: Vec<&str> = methods
        .iter()
        .filter_map(|method| match (method, call(method)?) {
            // a question that changes something has no head to be asked for alone
            (&Method::GET, Call::Read(..)) => Some("GET, HEAD"),
            _ => Some(method.as_str()),
        })
        .collect();
    let allowed = HeaderValue::from_str(&allowed.join(", "))
        .ok()
        .filter(|allowed| !allowed.is_empty())?;
    let text = "Method not allowed";
    Some(error(StatusCode::METHOD_NOT_ALLOWED, text, text).with(header::ALLOW, allowed))
}

fn not_found() -> Reply {
    error(StatusCode::NOT_FOUND, "Not found", "Not found")
}

/// An exchange of a CI system's identity for a token (`spec/npm.md` 18), which clients try before
/// they use the token that they have.
fn is_trusted_publishing(head: &Head) -> bool {
    matches!(&*head.path.segments(), ["-", "npm", "v1", "oidc", ..])
}

/// npm reads the message at the top of the answer's body, pnpm looks for another body inside.
fn no_trusted_publisher() -> Reply {
    let text = "No trusted publisher for package";
    let body = json!({"error": text, "message": text, "body": {"message": text}});
    Reply::json(StatusCode::NOT_FOUND, body.to_string())
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
