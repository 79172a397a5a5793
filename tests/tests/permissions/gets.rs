//! What whoever is let in gets, one check an answer.

use packhouse_testkit::http::Response;
use serde_json::{Value, json};

use crate::callers::{self, Caller};
use crate::estate::{self, VERSION};
use crate::oracle::{self, Need, Verdict};
use crate::routes::{Checked, Subject};

pub(crate) fn is_packument(subject: &Subject, _: &Caller, response: &Response) -> Checked {
    let document = read(response)?;
    same("name", &document["name"], &json!(subject.name))?;
    let tags = json!({"latest": VERSION});
    same("dist-tags", &document["dist-tags"], &tags)?;
    let version = &document["versions"][VERSION];
    same("the version's name", &version["name"], &json!(subject.name))
}

pub(crate) fn is_manifest(subject: &Subject, _: &Caller, response: &Response) -> Checked {
    let document = read(response)?;
    same("name", &document["name"], &json!(subject.name))?;
    same("version", &document["version"], &json!(VERSION))
}

pub(crate) fn is_tarball(subject: &Subject, _: &Caller, response: &Response) -> Checked {
    same("status", &response.status, &200)?;
    let published = estate::tarball(&subject.name);
    same(
        "that it is what was published",
        &(response.body == published),
        &true,
    )
}

pub(crate) fn is_tag_list(_: &Subject, _: &Caller, response: &Response) -> Checked {
    same("tags", &read(response)?, &json!({"latest": VERSION}))
}

pub(crate) fn is_attestation_list(subject: &Subject, _: &Caller, response: &Response) -> Checked {
    let list = read(response)?;
    let published = estate::provenance_of(&subject.name);
    let published: Value = serde_json::from_str(&published).map_err(|error| error.to_string())?;
    same("bundle", &list["attestations"][0]["bundle"], &published)
}

pub(crate) fn is_key_list(_: &Subject, _: &Caller, response: &Response) -> Checked {
    let keys = read(response)?;
    let count = keys["keys"].as_array().map(Vec::len);
    same("how many keys there are", &count, &Some(1))
}

pub(crate) fn is_done(_: &Subject, _: &Caller, response: &Response) -> Checked {
    same("status", &response.status, &201)?;
    same(
        "answer",
        &response.json(),
        &json!({"ok": "tarball removed"}),
    )
}

pub(crate) fn is_object(_: &Subject, _: &Caller, response: &Response) -> Checked {
    same("that it is an object", &read(response)?.is_object(), &true)
}

pub(crate) fn is_ping(_: &Subject, _: &Caller, response: &Response) -> Checked {
    same("answer", &read(response)?, &json!({}))
}

pub(crate) fn is_whoami(_: &Subject, caller: &Caller, response: &Response) -> Checked {
    same(
        "answer",
        &read(response)?,
        &json!({"username": caller.login}),
    )?;
    same(
        "caching",
        &response.header("cache-control"),
        &Some("no-store"),
    )
}

/// That a user exists is no secret among those who are signed in.
pub(crate) fn is_user(_: &Subject, _: &Caller, response: &Response) -> Checked {
    let expected = json!({"_id": "org.couchdb.user:stranger", "name": "stranger"});
    same("answer", &read(response)?, &expected)
}

/// Every package that the table lets the caller read, and no other; nor is another counted.
pub(crate) fn finds_what_may_be_read(_: &Subject, caller: &Caller, response: &Response) -> Checked {
    let page = read(response)?;
    let mut expected: Vec<String> = estate::columns()
        .into_iter()
        // whoever is let in without a token is let in to what is public
        .filter(|column| {
            let verdict = oracle::decide(&caller.name, caller.proof, Need::Read, *column, true);
            verdict == Verdict::Granted
        })
        .map(estate::name)
        .collect();
    expected.sort_unstable();
    let objects = page["objects"].as_array().cloned().unwrap_or_default();
    let mut found: Vec<String> = objects
        .iter()
        .filter_map(|object| Some(object["package"]["name"].as_str()?.to_owned()))
        .collect();
    found.sort_unstable();
    same("what is found", &found, &expected)?;
    same("total", &page["total"], &json!(expected.len()))
}

/// Everybody has the tokens of this test alone; which they are is seen by their number.
pub(crate) fn is_token_list(_: &Subject, caller: &Caller, response: &Response) -> Checked {
    let list = read(response)?;
    let total = list["total"].as_u64().unwrap_or_default();
    same(
        "that there are as many as were made",
        &total,
        &callers::tokens_of(&caller.login),
    )
}

pub(crate) fn read(response: &Response) -> Result<Value, String> {
    same("status", &response.status, &200)?;
    serde_json::from_slice(&response.body).map_err(|error| error.to_string())
}

/// Says what differs.
pub(crate) fn same<T: PartialEq + std::fmt::Debug>(what: &str, came: &T, expected: &T) -> Checked {
    if came == expected {
        Ok(())
    } else {
        Err(format!("{what}: expected {expected:?}, not {came:?}"))
    }
}
