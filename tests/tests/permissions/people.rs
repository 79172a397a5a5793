//! What whoever is let in gets of people: logins, profiles, lists of packages, organizations.

use packhouse_testkit::http::Response;
use serde_json::{Value, json};

use crate::callers::Caller;
use crate::estate::{self, MEMBERS};
use crate::gets::{read, same};
use crate::oracle::{self, Column, GROUPS, Proof, Role, VISIBILITIES};
use crate::routes::{Checked, Subject};

/// The page of a login that never was.
pub(crate) fn is_login_over(_: &Subject, _: &Caller, response: &Response) -> Checked {
    same("status", &response.status, &404)?;
    let media_type = response.header("content-type");
    same(
        "content-type",
        &media_type,
        &Some("text/html; charset=utf-8"),
    )?;
    let is_said = response.text().contains("This login is over") || response.body.is_empty();
    same("that it says so", &is_said, &true)
}

pub(crate) fn is_own_profile(_: &Subject, caller: &Caller, response: &Response) -> Checked {
    let profile = read(response)?;
    same("name", &profile["name"], &json!(caller.login))?;
    same("email", &profile["email"], &json!(""))?;
    let caching = response.header("cache-control");
    same("caching", &caching, &Some("no-store"))
}

pub(crate) fn is_visibility(subject: &Subject, _: &Caller, response: &Response) -> Checked {
    let is_public =
        matches!(subject.column, Column::There(_, place) if VISIBILITIES[place] == "public");
    same("answer", &read(response)?, &json!({ "public": is_public }))
}

/// Who has a role on a private package has it by something else than its visibility.
pub(crate) fn is_collaborators(subject: &Subject, _: &Caller, response: &Response) -> Checked {
    let Column::There(group, _) = subject.column else {
        return Err("nothing is there".to_owned());
    };
    let people = oracle::callers().filter(|name| {
        // a site admin has no role on any package, and needs none
        !name.starts_with("workflow-") && *name != "site-admin"
    });
    let expected = people
        .filter_map(|name| Some((name.to_owned(), shown(oracle::role(name, group, 0)?))))
        .collect();
    same("answer", &read(response)?, &Value::Object(expected))
}

pub(crate) fn is_owners(subject: &Subject, _: &Caller, response: &Response) -> Checked {
    let owners = read(response)?;
    // where roles are the repository's, the package's own list is empty
    if matches!(subject.column, Column::There(group, _) if GROUPS[group] == "site") {
        return same("answer", &owners, &json!([]));
    }
    let first = &owners[0];
    same("that it is a name", &first["username"].is_string(), &true)?;
    same("email", &first["email"], &json!(""))
}

/// Somebody who does not exist cannot lose a role; where roles are the repository's, nobody can.
pub(crate) fn is_no_owner(subject: &Subject, _: &Caller, response: &Response) -> Checked {
    let is_inherited = matches!(subject.column, Column::There(group, _) if GROUPS[group] == "site");
    let (status, error) = if is_inherited {
        (
            403,
            "access to this package is inherited from its repository: change it there",
        )
    } else {
        (400, "there is no user nobody")
    };
    same("status", &response.status, &status)?;
    same("error", &response.json()["error"], &json!(error))
}

pub(crate) fn is_packages_of_acme(_: &Subject, caller: &Caller, response: &Response) -> Checked {
    let is_of_acme = |group: usize| !["own", "bare"].contains(&GROUPS[group]);
    same("answer", &read(response)?, &readable(caller, is_of_acme))
}

pub(crate) fn is_packages_of_una(_: &Subject, caller: &Caller, response: &Response) -> Checked {
    let is_of_una = |group: usize| GROUPS[group] == "own";
    same("answer", &read(response)?, &readable(caller, is_of_una))
}

pub(crate) fn is_stars_of_una(_: &Subject, caller: &Caller, response: &Response) -> Checked {
    let packages = readable(caller, |group| GROUPS[group] == "own");
    let names = packages.as_object().unwrap().keys();
    let rows: Vec<Value> = names.map(|name| json!({ "value": name })).collect();
    same("answer", &read(response)?, &json!({ "rows": rows }))
}

pub(crate) fn is_roster(_: &Subject, _: &Caller, response: &Response) -> Checked {
    let mut expected = json!({ "owner-of-org": "owner" });
    for member in MEMBERS {
        expected[member] = json!("developer");
    }
    same("answer", &read(response)?, &expected)
}

pub(crate) fn is_teams(_: &Subject, _: &Caller, response: &Response) -> Checked {
    let expected = json!([
        "acme:adminers",
        "acme:readers",
        "acme:sub-adminers",
        "acme:sub-readers",
        "acme:sub-writeers",
        "acme:writeers",
    ]);
    same("answer", &read(response)?, &expected)
}

pub(crate) fn is_team_members(_: &Subject, _: &Caller, response: &Response) -> Checked {
    same("answer", &read(response)?, &json!(["subteam-read"]))
}

/// What its parent was given is the team's too.
pub(crate) fn is_team_packages(_: &Subject, _: &Caller, response: &Response) -> Checked {
    let expected = json!({
        "@acme/plain-internal": "read",
        "@acme/plain-private": "read",
        "@acme/plain-public": "read",
    });
    same("answer", &read(response)?, &expected)
}

/// The packages of some groups that a caller may read, with what it may do.
fn readable(caller: &Caller, is_wanted: impl Fn(usize) -> bool) -> Value {
    let mut packages = json!({});
    for column in estate::columns() {
        let Column::There(group, place) = column else {
            continue;
        };
        let role = match caller.proof {
            Proof::Nothing => (VISIBILITIES[place] == "public").then_some(Role::Read),
            Proof::Workflow(scopes) if !scopes.write => {
                oracle::role(&caller.name, group, place).map(|_| Role::Read)
            }
            _ => oracle::role(&caller.name, group, place),
        };
        if let (Some(role), true) = (role, is_wanted(group)) {
            packages[estate::name(column)] = shown(role);
        }
    }
    packages
}

fn shown(role: Role) -> Value {
    match role {
        Role::Read => json!("read"),
        Role::Write | Role::Admin => json!("write"),
    }
}
