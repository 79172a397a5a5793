//! What npm's clients are told when the answer is no: status, challenge and the exact text.

use packhouse_testkit::http::Response;
use serde_json::json;

use crate::callers::Sent;
use crate::cases::{Case, Refused};
use crate::oracle::{Need, Verdict};

/// A refusal as it must come over the wire.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) challenge: Option<String>,
    pub(crate) body: String,
}

/// The refusal that a case must get; `None` where the caller must be let in.
pub(crate) fn refusal(case: &Case<'_>) -> Option<Refusal> {
    let Refused { need, verdict } = case.refused?;
    let name = case.subject.shown.as_str();
    let (status, challenge, error, message) = match verdict {
        Verdict::Granted => panic!("a grant is no refusal"),
        Verdict::NotPublic if case.route.method == "GET" => {
            (404, None, "Not found".to_owned(), "Not found".to_owned())
        }
        Verdict::Unauthenticated | Verdict::NotPublic => (
            401,
            Some(r#"Bearer realm="packhouse""#),
            "authentication required".to_owned(),
            "Send an access token for this registry".to_owned(),
        ),
        Verdict::BadCredentials => (
            401,
            Some(match case.caller.sent {
                Sent::Basic(_) => r#"Basic realm="packhouse""#,
                _ => r#"Bearer realm="packhouse", error="invalid_token""#,
            }),
            "Bad credentials".to_owned(),
            "The access token is wrong, expired or revoked".to_owned(),
        ),
        Verdict::Hidden if case.route.method == "GET" => {
            (404, None, "Not found".to_owned(), "Not found".to_owned())
        }
        // npm takes a 404 for success when it deletes, so a write is refused with 403
        Verdict::Hidden => {
            let what = match need {
                Need::Publish => "create_package",
                // the body was not looked at: it may ask for anything
                Need::Read => "write_package",
                _ => permission(need),
            };
            let message = match need {
                Need::SeeOrganization | Need::ManageOrganization => {
                    "account `acme` not found".to_owned()
                }
                _ => format!("package `{name}` not found"),
            };
            (403, None, denied(what), message)
        }
        Verdict::LacksRole => {
            let message = match need {
                Need::SeeOrganization | Need::ManageOrganization => {
                    "your role in this organization does not allow it"
                }
                _ => "your role on this package does not allow it",
            };
            (403, None, denied(permission(need)), message.to_owned())
        }
        Verdict::LacksScope => {
            let message = "your token lacks the scope for it";
            (403, None, denied(permission(need)), message.to_owned())
        }
    };
    Some(Refusal {
        status,
        challenge: challenge.map(str::to_owned),
        body: json!({"error": error, "message": message}).to_string(),
    })
}

fn denied(permission: &str) -> String {
    format!("Permission permission_denied: {permission}")
}

fn permission(need: Need) -> &'static str {
    match need {
        Need::Publish => "write_package",
        Need::Delete => "delete_package",
        Need::Manage => "admin_package",
        Need::Tokens => "manage_tokens",
        Need::SeeOrganization => "read_organization",
        Need::ManageOrganization => "admin_organization",
        _ => "read_package",
    }
}

/// The answer with everything that differs from request to request taken out: what must be the
/// same whether a package is hidden or absent.
pub(crate) fn shape(response: &Response, name: &str) -> String {
    let mut headers: Vec<String> = response
        .headers
        .iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), value))
        .filter(|(name, _)| !["date", "x-request-id", "content-length"].contains(&name.as_str()))
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    headers.sort();
    format!(
        "{} {}\n{}\n\n{}",
        response.status,
        response.reason,
        headers.join("\n"),
        response.text().replace(name, "NAME")
    )
}
