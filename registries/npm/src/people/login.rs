//! Web login (`spec/npm.md` 13.2): the terminal begins and asks until there is a token, a person
//! says yes on a page.

use http::{HeaderValue, StatusCode, header};
use packhouse_core::Fault;
use packhouse_core::cx::{ReadCx, WriteCx};
use packhouse_core::fault::Thing;
use packhouse_core::logins::{Approval, Claim, PageKey, TerminalKey};
use packhouse_core::registry::{Credentials, Scheme};
use packhouse_wire::{Body, Head, Reply, form_values};
use serde::Deserialize;
use serde_json::json;

use super::{MAX_BODY_BYTES, page};
use crate::body::parse_object;
use crate::fault::{NPM_NOTICE, Refusal};
use crate::sign_in::private;

/// A token in a form, encoded at worst.
const MAX_FORM_BYTES: usize = 4096;

/// npm asks again at once if it is not told to wait.
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("2");

/// What comes with the beginning; `create` (`npm adduser`) makes no difference, because accounts
/// are made by the administrator, as the page says.
#[derive(Deserialize)]
struct Begin {
    #[serde(rename = "create")]
    _create: Option<bool>,
}

pub(super) async fn begin(cx: &WriteCx, head: &Head, body: Body) -> Result<Reply, Fault> {
    let text = body.read_at_most(MAX_BODY_BYTES).await?;
    if !text.trim_ascii().is_empty() {
        let _: Begin = parse_object("the login", &text)?;
    }
    let Some(login) = cx.begin_login().await? else {
        return Ok(Refusal::Logins.reply());
    };
    let (base, code) = (&head.base, &login.code);
    // clients print the address and nothing else: the code is part of it for the person who
    // compares it with the page, and the page does not look at it
    let answer = json!({
        "loginUrl": format!("{base}/-/v1/login/{}?code={code}", login.page),
        "doneUrl": format!("{base}/-/v1/done?authId={}", login.terminal.expose()),
    });
    let notice = format!("The page must show the code {code}");
    let notice = HeaderValue::from_str(&notice).map_err(Fault::internal)?;
    Ok(private(StatusCode::OK, &answer).with(NPM_NOTICE, notice))
}

pub(super) async fn claim(cx: &WriteCx, head: &Head) -> Result<Reply, Fault> {
    let key = head
        .query_value("authId")
        .and_then(|text| TerminalKey::parse(&text))
        .ok_or_else(|| Fault::not_found(Thing::Login, String::new()))?;
    Ok(match cx.claim_login(key).await? {
        Claim::Waiting => {
            private(StatusCode::ACCEPTED, &json!({})).with(header::RETRY_AFTER, ASK_AGAIN)
        }
        Claim::Token(token) => private(StatusCode::OK, &json!({ "token": token.expose() })),
    })
}

pub(super) async fn page(cx: &ReadCx, head: &Head, key: Option<PageKey>) -> Result<Reply, Fault> {
    Ok(match waiting(cx, key).await? {
        Some((_, code)) => page::ask(head.base.authority(), &code, None),
        None => page::over(),
    })
}

pub(super) async fn approve(
    cx: &WriteCx,
    head: &Head,
    key: Option<PageKey>,
    body: Body,
) -> Result<Reply, Fault> {
    let form = body.read_at_most(MAX_FORM_BYTES).await?;
    let Some((key, code)) = waiting(cx, key).await? else {
        return Ok(page::over());
    };
    let host = head.base.authority();
    let again = |problem| Ok(page::ask(host, &code, Some(problem)));
    let pasted = std::str::from_utf8(&form)
        .ok()
        .and_then(|form| form_values(form, "token").next())
        .unwrap_or_default();
    let pasted = pasted.trim();
    if pasted.is_empty() {
        return again(page::Problem::Nothing);
    }
    let credentials = Credentials {
        secret: pasted.to_owned(),
        scheme: Scheme::Bearer,
    };
    let person = match cx.sign_in(&credentials).await {
        Ok(person) => person,
        Err(Fault::Unauthenticated { .. }) => return again(page::Problem::Wrong),
        Err(fault) => return Err(fault),
    };
    match cx.approve_login(key, &person).await? {
        Approval::Approved => Ok(page::approved(host, person.login())),
        Approval::Gone => Ok(page::over()),
        Approval::NotAPerson => again(page::Problem::Workflow),
        Approval::NoPackages => again(page::Problem::NoPackages),
    }
}

/// The login of a page and its code, while it waits.
async fn waiting(cx: &ReadCx, key: Option<PageKey>) -> Result<Option<(PageKey, String)>, Fault> {
    let Some(key) = key else {
        return Ok(None);
    };
    match cx.waiting_login(key).await {
        Ok(code) => Ok(Some((key, code))),
        Err(Fault::NotFound { .. }) => Ok(None),
        Err(fault) => Err(fault),
    }
}
