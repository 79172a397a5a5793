//! Who may do what with one package: `npm access`, `npm owner` (`spec/npm.md` 14).

use http::StatusCode;
use packhouse_core::Fault;
use packhouse_core::access::{AccessChange, Holder};
use packhouse_core::cx::{ReadCx, WriteCx};
use packhouse_names::{Login, Role, Visibility};
use packhouse_wire::{Body, Head, Reply};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{permission, request};
use crate::fault::Refusal;
use crate::sign_in::private;

pub(super) fn visibility(cx: &ReadCx) -> Result<Reply, Fault> {
    let is_public = cx.visibility()? == Visibility::Public;
    Ok(private(StatusCode::OK, &json!({ "public": is_public })))
}

/// What `npm access set` sends.
#[derive(Deserialize)]
struct Access {
    access: Option<String>,
    publish_requires_tfa: Option<bool>,
}

pub(super) async fn change(cx: &WriteCx, body: Body) -> Result<Reply, Fault> {
    let asked: Access = request(body).await?;
    match (asked.access.as_deref(), asked.publish_requires_tfa) {
        (_, Some(true)) => return Ok(Refusal::SecondFactor.reply()),
        (Some("public"), _) => cx.make_public().await?,
        (Some("restricted" | "private"), _) => {
            if cx.visibility()? == Visibility::Public {
                return Ok(Refusal::PublicForGood.reply());
            }
        }
        (None, Some(false)) => {}
        (Some(_), _) | (None, None) => {
            return Err(Fault::invalid(
                "access",
                "access must be public or restricted",
            ));
        }
    }
    Ok(private(StatusCode::OK, &json!({})))
}

pub(super) async fn collaborators(cx: &ReadCx, head: &Head) -> Result<Reply, Fault> {
    let wanted = head.query_value("user");
    let is_wanted = |login: &Login| {
        wanted
            .as_deref()
            .is_none_or(|wanted| login.as_str().eq_ignore_ascii_case(wanted))
    };
    let all = cx.collaborators().await?.into_iter();
    let list: Map<String, Value> = all
        .filter(|(login, _)| is_wanted(login))
        .map(|(login, role)| (login.to_string(), permission(role).into()))
        .collect();
    Ok(private(StatusCode::OK, &Value::Object(list)))
}

pub(super) async fn owners(cx: &ReadCx) -> Result<Reply, Fault> {
    let package = cx.package().await?;
    let owners: Vec<Value> = package
        .maintainers
        .iter()
        .map(|login| json!({ "username": login.as_str(), "email": "" }))
        .collect();
    Ok(private(StatusCode::OK, &Value::Array(owners)))
}

#[derive(Deserialize)]
struct NewOwner {
    user: String,
}

pub(super) async fn add_owner(cx: &WriteCx, body: Body) -> Result<Reply, Fault> {
    let asked: NewOwner = request(body).await?;
    let owner = Holder::User(named(&asked.user)?);
    cx.change_access(AccessChange {
        grant: vec![(owner, Role::Admin)],
        ..AccessChange::default()
    })
    .await?;
    Ok(done())
}

pub(super) async fn remove_owner(cx: &WriteCx, login: Login) -> Result<Reply, Fault> {
    cx.change_access(AccessChange {
        revoke: vec![Holder::User(login)],
        ..AccessChange::default()
    })
    .await?;
    Ok(done())
}

/// The user of a name that came in a body.
pub(crate) fn named(text: &str) -> Result<Login, Fault> {
    Login::new(text)
        .map_err(|_not_a_login| Fault::invalid("user", format!("there is no user {text}")))
}

fn done() -> Reply {
    private(StatusCode::OK, &json!({ "ok": true }))
}
