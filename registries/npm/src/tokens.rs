//! `npm token` (`spec/npm.md` 13.4).

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

use crate::sign_in::private;

const MAX_BODY_BYTES: usize = 64 * 1024;
const DEFAULT_PER_PAGE: u32 = 10;
const MAX_PER_PAGE: u32 = 100;

/// What npm 10 to 12 send; a restriction that is not kept here is refused, never dropped.
#[derive(Deserialize)]
struct Asked {
    password: Option<String>,
    #[serde(default)]
    readonly: bool,
    #[serde(default)]
    cidr_whitelist: Option<Vec<String>>,
    name: Option<String>,
    description: Option<String>,
    expires: Option<Value>,
    #[serde(default)]
    packages: Vec<String>,
    #[serde(default)]
    scopes: Vec<String>,
    #[serde(default)]
    orgs: Vec<String>,
}

/// `GET /-/npm/v1/tokens`
pub(crate) async fn list(cx: &ReadCx, head: &Head) -> Result<Reply, Fault> {
    let page = number(head, "page", 0)?;
    let per_page = number(head, "perPage", DEFAULT_PER_PAGE)?.clamp(1, MAX_PER_PAGE);
    let (tokens, total) = cx.tokens(page, per_page).await?;
    let objects: Vec<Value> = tokens.iter().map(shown).collect();
    let seen = (u64::from(page) + 1) * u64::from(per_page);
    let urls = if seen < total {
        json!({"next": format!("/-/npm/v1/tokens?perPage={per_page}&page={}", page + 1)})
    } else {
        json!({})
    };
    Ok(private(StatusCode::OK, json!({"objects": objects, "total": total, "urls": urls})))
}

/// `POST /-/npm/v1/tokens`
pub(crate) async fn create(cx: &WriteCx, body: Body) -> Result<Reply, Fault> {
    let text = body.read_at_most(MAX_BODY_BYTES).await?;
    let asked: Asked = serde_json::from_slice(&text)
        .map_err(|error| Fault::invalid("body", format!("the token request cannot be read: {error}")))?;
    check_password(cx, asked.password.as_deref())?;
    let restricts = asked.cidr_whitelist.as_ref().is_some_and(|ranges| !ranges.is_empty())
        || !asked.packages.is_empty()
        || !asked.scopes.is_empty()
        || !asked.orgs.is_empty();
    if restricts {
        return Err(Fault::invalid(
            "token",
            "tokens cannot be limited to addresses, packages, scopes or organizations here",
        ));
    }
    let new = NewToken {
        note: asked.name.or(asked.description),
        scopes: scopes(cx, asked.readonly),
        expires_at: asked.expires.as_ref().map(expiry).transpose()?.flatten(),
    };
    let (token, secret) = cx.create_token(new).await?;
    let mut object = shown(&token);
    if let Value::Object(fields) = &mut object {
        fields.insert("token".to_owned(), secret.into());
    }
    Ok(private(StatusCode::OK, object))
}

/// `DELETE /-/npm/v1/tokens/token/KEY`
pub(crate) async fn revoke(cx: &WriteCx, key: &str) -> Result<Reply, Fault> {
    cx.revoke_token(key).await?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

/// npm asks for the password first: here, the token that is used.
fn check_password(cx: &WriteCx, password: Option<&str>) -> Result<(), Fault> {
    // the request's own token holds already; a password that is not a token at all is a typo
    let Some(password) = password else { return Ok(()) };
    if packhouse_names::TokenText::parse(password).is_some() {
        return Ok(());
    }
    let why = Unproven::Invalid(Scheme::Basic);
    Err(Fault::Unauthenticated { need: Box::new(cx.need().clone()), why })
}

/// The package scopes of the caller's own token; `--read-only` keeps reading alone.
fn scopes(cx: &WriteCx, readonly: bool) -> Scopes {
    let held = match cx.caller().credential().map(|credential| &credential.identity) {
        Some(Identity::User { scopes, .. }) => *scopes,
        _ => Scopes::NONE,
    };
    let offered: &[Scope] = if readonly {
        &[Scope::ReadPackages]
    } else {
        &[Scope::ReadPackages, Scope::WritePackages, Scope::DeletePackages]
    };
    let keeps = |scope: &Scope| {
        held.has(*scope) || (*scope == Scope::ReadPackages && held.reads_packages())
    };
    offered.iter().copied().filter(keeps).collect()
}

/// Days from now are the client's to add; what arrives is an instant.
fn expiry(value: &Value) -> Result<Option<Timestamp>, Fault> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Timestamp::from_rfc3339(text)
            .map(Some)
            .ok_or_else(|| Fault::invalid("expires", format!("`{text}` is not an instant"))),
        other => Err(Fault::invalid("expires", format!("`{other}` is not an instant"))),
    }
}

fn shown(token: &TokenView) -> Value {
    let is_readonly = !token.scopes.has(Scope::WritePackages) && !token.scopes.has(Scope::DeletePackages);
    json!({
        "key": token.id.get().to_string(),
        "token": token.shown_prefix,
        "name": token.note,
        "readonly": is_readonly,
        "cidr_whitelist": null,
        "created": token.created_at.to_rfc3339_millis(),
        "updated": token.created_at.to_rfc3339_millis(),
        "expires": token.expires_at.map(Timestamp::to_rfc3339_millis),
    })
}

fn number(head: &Head, name: &'static str, default: u32) -> Result<u32, Fault> {
    match head.query_value(name) {
        None => Ok(default),
        Some(text) => text
            .parse()
            .map_err(|_not_a_number| Fault::invalid(name, format!("{name} is not a number"))),
    }
}
