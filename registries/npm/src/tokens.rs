//! `npm token` (`spec/npm.md` 13.4).

use std::time::Duration;

use http::StatusCode;
use packhouse_core::Fault;
use packhouse_core::cx::{ReadCx, WriteCx};
use packhouse_core::fault::Unproven;
use packhouse_core::policy::{Identity, Need, Scope, Scopes};
use packhouse_core::registry::{Credentials, Scheme};
use packhouse_core::tokens::{NewToken, TokenView};
use packhouse_names::Timestamp;
use packhouse_wire::{Body, Head, Reply};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::body::parse_object;
use crate::sign_in::private;

const MAX_BODY_BYTES: usize = 64 << 10;

/// Tokens on a page that does not say how many.
const PAGE_TOKENS: u32 = 10;
const MAX_PAGE_TOKENS: u32 = 250;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A token that ends later might as well not end: a hundred years.
const MAX_DAYS: u64 = 36_500;

/// What `npm token create` sends. What it may leave out is optional, what we do not know is
/// passed over, and a restriction that we cannot keep is refused ([`Asked::check`]).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Asked {
    password: Option<String>,
    readonly: Option<bool>,
    cidr_whitelist: Option<Vec<String>>,
    name: Option<String>,
    description: Option<String>,
    expires: Option<Value>,
    packages: Option<Vec<String>>,
    scopes: Option<Vec<String>>,
    orgs: Option<Vec<String>>,
    packages_and_scopes_permission: Option<String>,
}

/// What a token may do with packages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    Nothing,
    Read,
    Write,
}

pub(crate) async fn list(cx: &ReadCx, head: &Head) -> Result<Reply, Fault> {
    let page = number(head, "page")?.unwrap_or(0);
    let per_page = number(head, "perPage")?
        .unwrap_or(PAGE_TOKENS)
        .clamp(1, MAX_PAGE_TOKENS);
    let (tokens, total) = cx.tokens(page, per_page).await?;
    let shown: Vec<Value> = tokens.iter().map(object).collect();
    let seen = u64::from(page) * u64::from(per_page) + u64::try_from(shown.len()).unwrap_or(0);
    // npm reads `urls.next` whatever is there, and follows it
    let urls = if seen < total && !shown.is_empty() {
        let next = page.saturating_add(1);
        json!({ "next": format!("/-/npm/v1/tokens?page={next}&perPage={per_page}") })
    } else {
        json!({})
    };
    Ok(private(
        StatusCode::OK,
        &json!({ "objects": shown, "total": total, "urls": urls }),
    ))
}

fn number(head: &Head, name: &'static str) -> Result<Option<u32>, Fault> {
    let Some(text) = head.query_value(name) else {
        return Ok(None);
    };
    match text.parse() {
        Ok(number) => Ok(Some(number)),
        Err(_) => Err(Fault::invalid(name, format!("{name} must be a number"))),
    }
}

pub(crate) async fn create(cx: &WriteCx, body: Body) -> Result<Reply, Fault> {
    let text = body.read_at_most(MAX_BODY_BYTES).await?;
    let asked: Asked = parse_object("the token request", &text)?;
    let reach = asked.check()?;
    if let Some(password) = &asked.password {
        check_password(cx, password).await?;
    }
    let new = NewToken {
        note: asked.name.or(asked.description),
        scopes: scopes(reach, own_scopes(cx)),
        expires_at: match &asked.expires {
            Some(value) => Some(instant(value, cx.now())?),
            None => None,
        },
    };
    let (token, secret) = cx.create_token(new).await?;
    let mut answer = object(&token);
    if let Value::Object(fields) = &mut answer {
        fields.insert("token".to_owned(), secret.into());
    }
    Ok(private(StatusCode::OK, &answer))
}

pub(crate) async fn revoke(cx: &WriteCx, key: &str) -> Result<Reply, Fault> {
    cx.revoke_token(key).await?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

impl Asked {
    /// How far the token is to reach.
    ///
    /// # Errors
    /// [`Fault::Invalid`] for a narrower one than we can make: it must not come out wider.
    fn check(&self) -> Result<Reach, Fault> {
        let is_given =
            |list: &Option<Vec<String>>| list.as_ref().is_some_and(|list| !list.is_empty());
        for (field, list) in [
            ("cidr_whitelist", &self.cidr_whitelist),
            ("packages", &self.packages),
            ("scopes", &self.scopes),
            ("orgs", &self.orgs),
        ] {
            if is_given(list) {
                return Err(Fault::invalid(
                    field,
                    format!("tokens of this registry cannot be restricted by {field}"),
                ));
            }
        }
        let reach = match self.packages_and_scopes_permission.as_deref() {
            None | Some("read-write") => Reach::Write,
            Some("read-only") => Reach::Read,
            Some("no-access") => Reach::Nothing,
            Some(_) => {
                return Err(Fault::invalid(
                    "packages_and_scopes_permission",
                    "packages_and_scopes_permission must be read-only, read-write or no-access",
                ));
            }
        };
        Ok(match (reach, self.readonly) {
            (Reach::Write, Some(true)) => Reach::Read,
            (reach, _) => reach,
        })
    }
}

/// When a token ends: after so many days, as npm 11 says it, or at an RFC 3339 instant.
fn instant(value: &Value, now: Timestamp) -> Result<Timestamp, Fault> {
    let at = match value {
        Value::Number(days) => days
            .as_u64()
            .filter(|days| (1..=MAX_DAYS).contains(days))
            .map(|days| now.after(DAY.saturating_mul(u32::try_from(days).unwrap_or(u32::MAX)))),
        Value::String(text) => Timestamp::from_rfc3339(text).filter(|at| *at > now),
        _ => None,
    };
    at.ok_or_else(|| {
        Fault::invalid(
            "expires",
            "expires must be a number of days or an RFC 3339 date and time to come",
        )
    })
}

/// A token in the password's place must be one of the caller's own.
async fn check_password(cx: &WriteCx, password: &str) -> Result<(), Fault> {
    let credentials = Credentials {
        secret: password.to_owned(),
        scheme: Scheme::Basic,
    };
    let owner = cx.raise(Need::SignIn).await?.sign_in(&credentials).await?;
    if owner.login() == cx.caller().login() {
        Ok(())
    } else {
        Err(Fault::Unauthenticated {
            need: Box::new(Need::SignIn),
            why: Unproven::Invalid(Scheme::Basic),
        })
    }
}

fn own_scopes(cx: &WriteCx) -> Scopes {
    match cx
        .caller()
        .credential()
        .map(|credential| &credential.identity)
    {
        Some(Identity::User { scopes, .. }) => *scopes,
        _ => Scopes::NONE,
    }
}

/// Deleting comes with writing where the caller may delete.
fn scopes(reach: Reach, own: Scopes) -> Scopes {
    let mut scopes = Vec::new();
    if reach != Reach::Nothing {
        scopes.push(Scope::ReadPackages);
    }
    if reach == Reach::Write {
        scopes.push(Scope::WritePackages);
        scopes.extend(
            own.has(Scope::DeletePackages)
                .then_some(Scope::DeletePackages),
        );
    }
    scopes.into_iter().collect()
}

/// A token without its secret. npm takes `token` for a prefix to match by, so it is never empty.
fn object(token: &TokenView) -> Value {
    let is_readonly =
        !token.scopes.has(Scope::WritePackages) && !token.scopes.has(Scope::DeletePackages);
    let created = token.created_at.to_rfc3339_millis();
    json!({
        "key": token.id.to_string(),
        "token": token.shown_prefix,
        "name": token.note,
        "created": created,
        "updated": created,
        "expires": token.expires_at.map(Timestamp::to_rfc3339_millis),
        "readonly": is_readonly,
        "cidr_whitelist": null,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(text: &str) -> Result<Reach, String> {
        let asked: Asked = serde_json::from_str(text).unwrap();
        asked.check().map_err(|fault| fault.to_string())
    }

    #[test]
    fn a_token_is_never_wider_than_what_was_asked() {
        for (text, reach) in [
            (
                r#"{"password":"x","readonly":false,"cidr_whitelist":[]}"#,
                Reach::Write,
            ),
            (r#"{"readonly":true}"#, Reach::Read),
            (
                r#"{"packages_and_scopes_permission":"read-only","unknown":{}}"#,
                Reach::Read,
            ),
            (
                r#"{"packages_and_scopes_permission":"no-access","readonly":false}"#,
                Reach::Nothing,
            ),
            (
                r#"{"packages_all":true,"bypass_2fa":true,"name":"ci"}"#,
                Reach::Write,
            ),
            (
                r#"{"readonly":true,"packages_and_scopes_permission":"read-write"}"#,
                Reach::Read,
            ),
        ] {
            assert_eq!(asked(text), Ok(reach), "{text}");
        }
        for (text, expected) in [
            (
                r#"{"cidr_whitelist":["10.0.0.0/8"]}"#,
                "invalid cidr_whitelist: tokens of this registry cannot be restricted by cidr_whitelist",
            ),
            (
                r#"{"packages":["@acme/widget"]}"#,
                "invalid packages: tokens of this registry cannot be restricted by packages",
            ),
            (
                r#"{"packages_and_scopes_permission":"all"}"#,
                "invalid packages_and_scopes_permission: packages_and_scopes_permission must be read-only, read-write or no-access",
            ),
        ] {
            assert_eq!(asked(text), Err(expected.to_owned()), "{text}");
        }
    }

    #[test]
    fn scopes_follow_the_reach_and_the_caller() {
        let own = Scopes::parse("read:packages,write:packages,delete:packages,repo").unwrap();
        assert_eq!(
            scopes(Reach::Write, own).to_string(),
            "read:packages,write:packages,delete:packages"
        );
        let narrow = Scopes::parse("read:packages").unwrap();
        assert_eq!(
            scopes(Reach::Write, narrow).to_string(),
            "read:packages,write:packages"
        );
        assert_eq!(scopes(Reach::Read, own).to_string(), "read:packages");
        assert_eq!(scopes(Reach::Nothing, own), Scopes::NONE);
    }

    #[test]
    fn a_listed_token_shows_its_prefix_and_no_secret() {
        let at = Timestamp::from_rfc3339("2026-02-01T08:00:00Z").unwrap();
        let view = TokenView {
            id: 7.into(),
            shown_prefix: "phk_abcd".to_owned(),
            note: Some("ci".to_owned()),
            scopes: Scopes::parse("read:packages").unwrap(),
            created_at: at,
            expires_at: None,
            last_used: None,
        };
        assert_eq!(
            object(&view),
            json!({
                "key": "7", "token": "phk_abcd", "name": "ci",
                "created": "2026-02-01T08:00:00.000Z", "updated": "2026-02-01T08:00:00.000Z",
                "expires": null, "readonly": true, "cidr_whitelist": null,
            })
        );
    }

    #[test]
    fn a_token_ends_after_days_or_at_an_instant_to_come() {
        let now = Timestamp::from_rfc3339("2026-02-01T08:00:00Z").unwrap();
        let ends = |value: Value| {
            let at = instant(&value, now).ok()?;
            Some(at.to_rfc3339_seconds())
        };
        assert_eq!(ends(json!(30)).as_deref(), Some("2026-03-03T08:00:00Z"));
        let later = "2026-02-01T09:00:00Z";
        assert_eq!(ends(json!(later)).as_deref(), Some(later));
        for value in [
            json!(0),
            json!(-1),
            json!(1.5),
            json!(40_000),
            json!("soon"),
            json!("2026-02-01T08:00:00Z"),
            json!([]),
        ] {
            assert_eq!(ends(value.clone()), None, "{value}");
        }
    }
}
