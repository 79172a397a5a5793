//! The estate: an organization, its people, teams, repositories and packages, as the table of
//! the oracle names them.

use std::collections::BTreeMap;

use packhouse_testkit::archives::npm_tarball;
use packhouse_testkit::http::Request;
use packhouse_testkit::npm::{provenance, publish_document, with_provenance};
use packhouse_testkit::server::TestServer;
use serde_json::json;

use crate::oracle::{Column, GROUPS, NAMESPACES, VISIBILITIES};

pub(crate) const VERSION: &str = "1.0.0";

/// Every package has an older version too, so that one can be taken away.
const OLDER: &str = "0.9.0";

/// The mount of the registry on the main listener.
pub(crate) const MOUNT: &str = "/_registry/npm";

const USERS: [&str; 19] = [
    "stranger",
    "owner-of-org",
    "una",
    "member",
    "maker",
    "user-read",
    "user-write",
    "user-admin",
    "team-read",
    "team-write",
    "team-admin",
    "subteam-read",
    "subteam-write",
    "subteam-admin",
    "repo-read",
    "repo-triage",
    "repo-write",
    "repo-maintain",
    "repo-admin",
];

/// Who is a member of `acme` and of `open` without being their owner.
pub(crate) const MEMBERS: [&str; 11] = [
    "member",
    "maker",
    "user-read",
    "user-write",
    "user-admin",
    "team-read",
    "team-write",
    "team-admin",
    "subteam-read",
    "subteam-write",
    "subteam-admin",
];

const ROLES: [&str; 3] = ["read", "write", "admin"];

/// The name of a column's package.
pub(crate) fn name(column: Column) -> String {
    match column {
        Column::There(group, place) => {
            let namespace = match GROUPS[group] {
                "own" => "@una/",
                "bare" => "",
                _ => "@acme/",
            };
            format!("{namespace}{}-{}", GROUPS[group], VISIBILITIES[place])
        }
        Column::Absent(namespace) => format!("{}absent", NAMESPACES[namespace]),
    }
}

/// Every column: 18 packages that exist, 4 that do not.
pub(crate) fn columns() -> Vec<Column> {
    let there = (0..GROUPS.len())
        .flat_map(|group| (0..VISIBILITIES.len()).map(move |place| Column::There(group, place)));
    there
        .chain((0..NAMESPACES.len()).map(Column::Absent))
        .collect()
}

/// The bytes of a package's tarball of [`VERSION`].
pub(crate) fn tarball(name: &str) -> Vec<u8> {
    tarball_of(name, VERSION)
}

/// The bundle that a package's [`VERSION`] was published with.
pub(crate) fn provenance_of(name: &str) -> String {
    provenance(name, VERSION, &tarball(name))
}

fn tarball_of(name: &str, version: &str) -> Vec<u8> {
    npm_tarball(name, version, &json!({}), &[("index.js", name.as_bytes())])
}

/// The revision of each package as documents name it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Revisions(BTreeMap<String, String>);

impl Revisions {
    pub(crate) fn of_all(server: &TestServer) -> Self {
        let token = server.admin_token();
        let revision = |name: &String| {
            let target = format!("{MOUNT}/{}", name.replace('/', "%2f"));
            let answer = server.send(&Request::get(target).bearer(&token));
            answer.expect_status(200).json()["_rev"].to_string()
        };
        let there = columns()
            .into_iter()
            .filter(|column| matches!(column, Column::There(..)))
            .map(name);
        let of_each = there.map(|name| {
            let revision = revision(&name);
            (name, revision.trim_matches('"').to_owned())
        });
        Self(of_each.collect())
    }

    /// A package's revision; one that none ever has for what is not there.
    pub(crate) fn of(&self, name: &str) -> String {
        self.0
            .get(name)
            .cloned()
            .unwrap_or_else(|| "0-0".to_owned())
    }
}

/// Sets everything up, with an operator's commands and the publishes of real people.
pub(crate) fn set_up(server: &TestServer) {
    server.admin(&["create-user", "site-admin", "--site-admin"]);
    for user in USERS {
        server.admin(&["create-user", user]);
    }
    server.admin(&["create-org", "acme", "--owner", "owner-of-org"]);
    let open = ["create-org", "open", "--owner", "owner-of-org"];
    server.admin(&[open.as_slice(), &["--default-visibility", "public"]].concat());
    for member in MEMBERS {
        server.admin(&["add-member", "acme", member]);
        server.admin(&["add-member", "open", member]);
    }
    for role in ROLES {
        let (team, subteam) = (format!("{role}ers"), format!("sub-{role}ers"));
        server.admin(&["create-team", "acme", &team]);
        server.admin(&["create-team", "acme", &subteam, "--parent", &team]);
        let in_team = format!("team-{role}");
        server.admin(&["add-team-member", &format!("acme/{team}"), &in_team]);
        let in_subteam = format!("subteam-{role}");
        server.admin(&["add-team-member", &format!("acme/{subteam}"), &in_subteam]);
    }
    for repository in ["acme/site", "acme/other", "una/tools"] {
        server.admin(&["create-repo", repository]);
    }
    for role in ["read", "triage", "write", "maintain", "admin"] {
        let user = format!("repo-{role}");
        server.admin(&["add-collaborator", "acme/site", &user, "--role", role]);
    }
    for column in columns() {
        if let Column::There(group, place) = column {
            set_up_package(server, GROUPS[group], VISIBILITIES[place], &name(column));
        }
    }
    star_own_packages(server);
}

/// Una stars everything of hers.
fn star_own_packages(server: &TestServer) {
    let token = server.token("una", "write:packages");
    for visibility in VISIBILITIES {
        let star = json!({ "users": { "una": true } });
        let target = format!("{MOUNT}/@una%2fown-{visibility}");
        let _starred = server
            .send(&Request::put(target).bearer(&token).json(&star))
            .expect_status(200);
    }
}

fn set_up_package(server: &TestServer, group: &str, visibility: &str, name: &str) {
    let publisher = match group {
        "own" => "una",
        "made" => "maker",
        _ => "owner-of-org",
    };
    let token = server.token(publisher, "write:packages");
    let target = format!("{MOUNT}/{}", name.replace('/', "%2f"));
    for version in [OLDER, VERSION] {
        let tarball = tarball_of(name, version);
        let document = publish_document(name, version, &tarball);
        let document = with_provenance(document, name, version, &tarball);
        let _created = server
            .send(&Request::put(&target).bearer(&token).json(&document))
            .expect_status(201);
    }
    let owner = match group {
        "own" => "una",
        "bare" => "open",
        _ => "acme",
    };
    let address = format!("{owner}/npm/{name}");
    let at_first = if group == "bare" { "public" } else { "private" };
    if visibility != at_first {
        server.admin(&["set-visibility", &address, visibility]);
    }
    match group {
        "site" => {
            server.admin(&["link", &address, "acme/site", "--inherit", "on"]);
        }
        "loose" => {
            server.admin(&["link", &address, "acme/site", "--inherit", "off"]);
        }
        "plain" | "own" => {
            for role in ROLES {
                let user = format!("user-{role}");
                server.admin(&["grant", &address, &user, "--role", role]);
            }
        }
        _ => {}
    }
    if group == "plain" {
        for role in ROLES {
            let team = format!("acme/{role}ers");
            server.admin(&["grant", &address, &team, "--role", role]);
        }
    }
}
