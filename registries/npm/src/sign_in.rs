//! Who am I, and signing in with a token (`spec/npm.md` 13.1, 13.3).
//!
//! Accounts have no passwords: a token is pasted in the password's place and comes back as the
//! token to use. It is its owner's and not the login's, so signing out leaves it alone.

use http::{HeaderValue, StatusCode, header};
use packhouse_core::Fault;
use packhouse_core::cx::{ReadCx, WriteCx};
use packhouse_core::registry::{Credentials, Scheme};
use packhouse_wire::{Body, Reply};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::body::parse_object;

const MAX_BODY_BYTES: usize = 64 << 10;

/// What the couch login sends; more is sent, and passed over.
#[derive(Deserialize)]
struct Login {
    name: Option<String>,
    #[serde(default)]
    password: String,
}

pub(crate) fn ping() -> Reply {
    Reply::json(StatusCode::OK, "{}")
}

pub(crate) fn whoami(cx: &ReadCx) -> Result<Reply, Fault> {
    let login = cx
        .caller()
        .login()
        .ok_or_else(|| Fault::internal("whoami without a principal"))?;
    Ok(private(
        StatusCode::OK,
        &json!({ "username": login.as_str() }),
    ))
}

pub(crate) async fn sign_in(cx: &WriteCx, user: &str, body: Body) -> Result<Reply, Fault> {
    let text = body.read_at_most(MAX_BODY_BYTES).await?;
    let login: Login = parse_object("the login", &text)?;
    if login.name.as_deref() != Some(user) {
        return Err(Fault::invalid("name", "user in URL does not match body"));
    }
    let credentials = Credentials {
        secret: login.password,
        scheme: Scheme::Basic,
    };
    cx.sign_in(&credentials).await?;
    Ok(private(
        StatusCode::CREATED,
        &json!({
            "ok": true,
            "id": format!("org.couchdb.user:{user}"),
            "rev": "_we_dont_use_revs_any_more",
            "token": credentials.secret,
        }),
    ))
}

/// Ends a login: the token of one by browser is revoked. One that was pasted in a password's
/// place is left alone: it was not made by the login.
pub(crate) async fn sign_out(cx: &WriteCx, token: &str) -> Result<Reply, Fault> {
    cx.end_login(token).await?;
    Ok(private(StatusCode::OK, &json!({ "ok": true })))
}

/// An answer about somebody that no cache may keep.
pub(crate) fn private(status: StatusCode, value: &Value) -> Reply {
    Reply::json(status, value.to_string())
        .with(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))
}
