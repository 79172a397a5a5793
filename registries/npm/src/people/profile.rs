//! What is known of a user (`spec/npm.md` 13.3, 13.5).

use http::StatusCode;
use packhouse_core::Fault;
use packhouse_core::cx::ReadCx;
use packhouse_core::fault::Thing;
use packhouse_names::{Login, Timestamp};
use packhouse_wire::Reply;
use serde_json::{Value, json};

use crate::fault::Refusal;
use crate::sign_in::private;

/// `npm profile get`: oneself.
pub(crate) async fn get(cx: &ReadCx) -> Result<Reply, Fault> {
    let login = cx
        .caller()
        .login()
        .ok_or_else(|| Fault::internal("a profile without a principal"))?;
    let user = cx.user(login).await?;
    let profile = json!({
        "name": user.login.as_str(),
        "email": user.email.unwrap_or_default(),
        "email_verified": false,
        "tfa": false,
        "created": Timestamp::to_rfc3339_millis(user.created_at),
        "updated": Timestamp::to_rfc3339_millis(user.updated_at),
        "cidr_whitelist": null,
        "fullname": user.display_name.unwrap_or_default(),
        "homepage": "",
        "github": "",
        "twitter": "",
        "freenode": "",
    });
    Ok(private(StatusCode::OK, &profile))
}

/// `npm profile set`
pub(crate) fn change() -> Reply {
    Refusal::Profile.reply()
}

/// A user's record, which `npm owner` looks at before it adds somebody. The e-mail address is in
/// one's own alone.
pub(crate) async fn user(cx: &ReadCx, name: &str) -> Result<Reply, Fault> {
    let login = Login::new(name).map_err(|_not_a_login| Fault::not_found(Thing::Account, name))?;
    let user = cx.user(&login).await?;
    let mut record = json!({
        "_id": format!("org.couchdb.user:{}", user.login),
        "name": user.login.as_str(),
    });
    if let (Some(email), Value::Object(fields)) = (user.email, &mut record) {
        fields.insert("email".to_owned(), email.into());
    }
    Ok(private(StatusCode::OK, &record))
}
