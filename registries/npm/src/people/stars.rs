//! `npm star`, `unstar`, `stars` (`spec/npm.md` 10).

use http::StatusCode;
use packhouse_core::Fault;
use packhouse_core::cx::{ReadCx, WriteCx};
use packhouse_names::{Ecosystem, Login};
use packhouse_wire::{Head, Reply};
use serde_json::{Value, json};

use crate::documents::{rev, users};
use crate::sign_in::private;

/// What a user starred: npm crashes without `rows`.
pub(super) async fn of_user(cx: &ReadCx, head: &Head) -> Result<Reply, Fault> {
    let wrong = || Fault::invalid("key", "key must be a user's name in quotes");
    let key = head.query_value("key").ok_or_else(wrong)?;
    let name: String = serde_json::from_str(&key).map_err(|_not_a_text| wrong())?;
    let starred = match Login::new(name) {
        Ok(login) => cx.starred_by(&login, Ecosystem::Npm).await?,
        // nobody has such a name
        Err(_) => Vec::new(),
    };
    let rows: Vec<Value> = starred
        .iter()
        .map(|name| json!({ "value": name.as_str() }))
        .collect();
    Ok(private(StatusCode::OK, &json!({ "rows": rows })))
}

/// The answer to a star: the document, as far as it was sent.
pub(crate) async fn reply(cx: &WriteCx) -> Result<Reply, Fault> {
    let package = cx.package().await?;
    let users: Value = serde_json::from_str(&users(&package)).map_err(Fault::internal)?;
    Ok(private(
        StatusCode::OK,
        &json!({
            "_id": package.name.as_str(),
            "_rev": rev(package.id, package.revision),
            "users": users,
        }),
    ))
}
