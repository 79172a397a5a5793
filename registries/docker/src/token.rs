//! The ping and the token endpoint (`spec/oci.md` 3.2, 5.2, 5.3).

use std::time::Duration;

use http::{HeaderValue, StatusCode, header};
use packhouse_core::Fault;
use packhouse_core::bearer::Bearer;
use packhouse_core::cx::{ReadCx, WriteCx};
use packhouse_core::fault::Unproven;
use packhouse_core::policy::Need;
use packhouse_core::registry::{Credentials, Scheme};
use packhouse_wire::{Body, Head, Reply, form_values};
use serde_json::json;

use crate::{Tenancy, scope};

const MAX_BODY_BYTES: usize = 64 << 10;

/// Clients refuse to believe in a token that lives shorter.
const MIN_LIFETIME: Duration = Duration::from_secs(60);

/// Insists on a token, of whomever: Docker, podman and crane learn by this answer alone that
/// there is one to be had, and never send credentials otherwise.
pub(crate) fn ping(head: &Head) -> Result<Reply, Fault> {
    insist(head, &Need::Greet)?;
    Ok(Reply::json(StatusCode::OK, "{}"))
}

/// Refuses who sent no credentials at all, though what they ask was granted to everybody.
pub(crate) fn insist(head: &Head, need: &Need) -> Result<(), Fault> {
    if head.headers.contains_key(header::AUTHORIZATION) {
        return Ok(());
    }
    Err(Fault::Unauthenticated {
        need: Box::new(need.clone()),
        why: Unproven::Missing,
    })
}

pub(crate) async fn get(cx: &ReadCx, head: &Head, tenancy: Tenancy) -> Result<Reply, Fault> {
    let scopes: Vec<String> = head.query_values("scope").collect();
    let needs = scope::needs(scopes.iter().map(String::as_str), head, tenancy);
    let bearer = cx.bearer(cx.caller(), tenancy.ecosystem(), needs).await?;
    Ok(reply(&bearer))
}

/// The form of `OAuth2`. A refresh token is an access token of the house: none of another kind is ever
/// given out.
pub(crate) async fn post(
    cx: &WriteCx,
    head: &Head,
    tenancy: Tenancy,
    body: Body,
) -> Result<Reply, Fault> {
    let body = body.read_at_most(MAX_BODY_BYTES).await?;
    let form = std::str::from_utf8(&body)
        .map_err(|_not_text| Fault::invalid("form", "the form is not text"))?;
    let value = |name| form_values(form, name).next();
    let secret = match value("grant_type").as_deref() {
        Some("password") => value("password"),
        Some("refresh_token") => value("refresh_token"),
        _ => return Err(Fault::invalid("grant_type", "unsupported grant_type")),
    };
    let credentials = Credentials {
        secret: secret.unwrap_or_default(),
        scheme: Scheme::Basic,
    };
    let principal = cx.sign_in(&credentials).await?;
    let scopes: Vec<String> = form_values(form, "scope").collect();
    let needs = scope::needs(scopes.iter().map(String::as_str), head, tenancy);
    let bearer = cx.bearer(&principal, tenancy.ecosystem(), needs).await?;
    Ok(reply(&bearer))
}

fn reply(bearer: &Bearer) -> Reply {
    // no `refresh_token`: docker would forget the password and never ask for another grant
    let text = json!({
        "token": bearer.text,
        "access_token": bearer.text,
        "scope": scope::granted(&bearer.granted),
        "expires_in": bearer.lifetime.max(MIN_LIFETIME).as_secs(),
        "issued_at": bearer.issued_at.to_rfc3339_seconds(),
    });
    Reply::json(StatusCode::OK, text.to_string())
        .with(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))
}
