//! Who somebody is, and npm's legacy login (`spec/npm.md` 13).
//!
//! Accounts have no passwords: the password of `npm login --auth-type=legacy` is a token, and that
//! token is what the client is given back to keep. It was made by its owner elsewhere, so logging
//! out does not revoke it.

use http::{HeaderValue, StatusCode, header};
use packhouse_core::cx::{ReadCx, WriteCx};
use packhouse_core::fault::{Fault, Thing, Unproven};
use packhouse_core::policy::Need;
use packhouse_core::registry::{Credentials, Scheme};
use packhouse_names::Login;
use packhouse_wire::{Body, Reply};
use serde::Deserialize;
use serde_json::json;

/// The largest login document, in bytes.
const MAX_LOGIN_BYTES: usize = 64 * 1024;

#[derive(Deserialize)]
struct Couch {
    name: String,
    password: String,
}

/// `GET /-/whoami`
pub(crate) fn whoami(cx: &ReadCx) -> Result<Reply, Fault> {
    let login = cx.caller().login().ok_or_else(|| Fault::internal("whoami of nobody"))?;
    Ok(private(StatusCode::OK, json!({"username": login.as_str()})))
}

/// `PUT /-/user/org.couchdb.user:NAME`, with or without a revision behind it.
pub(crate) async fn couch(cx: &WriteCx, user: &str, body: Body) -> Result<Reply, Fault> {
    let text = body.read_at_most(MAX_LOGIN_BYTES).await?;
    let couch: Couch = serde_json::from_slice(&text)
        .map_err(|error| Fault::invalid("body", format!("the login cannot be read: {error}")))?;
    if couch.name != user {
        return Err(Fault::invalid("name", "user in URL does not match body"));
    }
    let with = Credentials { secret: couch.password, scheme: Scheme::Basic };
    let principal = cx.sign_in(&with).await?;
    let is_theirs = Login::new(user).is_ok_and(|named| principal.login() == Some(&named));
    if !is_theirs {
        // somebody else's token is as wrong as none
        let why = Unproven::Invalid(Scheme::Basic);
        return Err(Fault::Unauthenticated { need: Box::new(Need::SignIn), why });
    }
    Ok(private(
        StatusCode::CREATED,
        json!({
            "ok": true,
            "id": format!("org.couchdb.user:{user}"),
            "rev": "_we_dont_use_revs_any_more",
            "token": with.secret,
        }),
    ))
}

/// `GET /-/user/org.couchdb.user:NAME`: what npm reads of somebody; here, oneself.
pub(crate) fn profile(cx: &ReadCx, user: &str) -> Result<Reply, Fault> {
    let named = Login::new(user).ok().filter(|named| cx.caller().login() == Some(named));
    let Some(login) = named else { return Err(Fault::not_found(Thing::Account, user)) };
    Ok(private(
        StatusCode::OK,
        json!({"_id": format!("org.couchdb.user:{login}"), "name": login.as_str()}),
    ))
}

/// `DELETE /-/user/token/TOKEN`: npm forgets the token by itself; it stays valid for whoever made
/// it, who revokes it with `npm token revoke`.
pub(crate) fn logout() -> Reply {
    private(StatusCode::OK, json!({"ok": true}))
}

/// An answer about somebody, which nobody may keep.
pub(crate) fn private(status: StatusCode, value: serde_json::Value) -> Reply {
    Reply::json(status, value.to_string())
        .with(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))
}
