//! Everybody who calls: the people of the table with every set of scopes, and those whose
//! credentials do not hold.

use std::time::{Duration, Instant};

use packhouse_testkit::http::Request;
use packhouse_testkit::server::TestServer;

use crate::estate::MOUNT;
use crate::oracle::{self, Proof, Scopes};

/// Every set of package scopes that makes a difference; `user` is no package scope.
const SCOPES: [&str; 7] = [
    "user",
    "read:packages",
    "write:packages",
    "delete:packages",
    "read:packages,delete:packages",
    "read:packages,write:packages,delete:packages",
    "admin:org",
];

/// The sets that a workflow may declare: none, read, write.
const DECLARED: [&str; 3] = ["user", "read:packages", "write:packages"];

/// Who made a workflow caller's token, and which repository it works for.
const WORKFLOWS: [(&str, &str, &str); 3] = [
    ("workflow-site", "owner-of-org", "acme/site"),
    ("workflow-other", "owner-of-org", "acme/other"),
    ("workflow-tools", "una", "una/tools"),
];

/// How a token is sent.
#[derive(Clone, Debug)]
pub(crate) enum Sent {
    Nothing,
    Bearer(String),
    Basic(String),
}

#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// The line of the table; nobody's for anonymous and broken ones.
    pub(crate) name: String,
    pub(crate) login: String,
    pub(crate) scopes: String,
    pub(crate) proof: Proof,
    pub(crate) sent: Sent,
}

impl Caller {
    pub(crate) fn sign(&self, request: Request) -> Request {
        match &self.sent {
            Sent::Nothing => request,
            Sent::Bearer(token) => request.bearer(token),
            Sent::Basic(token) => request.basic("whoever", token),
        }
    }

    /// Whether the token may do everything its owner may.
    pub(crate) fn is_unrestricted(&self) -> bool {
        match self.proof {
            Proof::Nothing | Proof::Broken => true,
            Proof::Person(scopes) => scopes.read && scopes.write && scopes.delete,
            Proof::Workflow(scopes) => scopes.write,
        }
    }

    /// The same caller with the token as the password of Basic.
    pub(crate) fn by_basic(&self) -> Self {
        let sent = match &self.sent {
            Sent::Bearer(token) => Sent::Basic(token.clone()),
            other => other.clone(),
        };
        Self {
            sent,
            ..self.clone()
        }
    }
}

impl std::fmt::Display for Caller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let how = match self.sent {
            Sent::Nothing => "no credentials",
            Sent::Bearer(_) => "Bearer",
            Sent::Basic(_) => "Basic",
        };
        write!(f, "{} [{}] ({how})", self.name, self.scopes)
    }
}

/// Makes everybody's tokens. The people must be there.
pub(crate) fn callers(server: &TestServer) -> Vec<Caller> {
    let mut callers = vec![Caller {
        name: "anonymous".to_owned(),
        login: String::new(),
        scopes: String::new(),
        proof: Proof::Nothing,
        sent: Sent::Nothing,
    }];
    for name in oracle::callers() {
        let workflow = WORKFLOWS.iter().find(|(workflow, ..)| *workflow == name);
        let sets: &[&str] = if workflow.is_some() {
            &DECLARED
        } else {
            &SCOPES
        };
        for &scopes in sets {
            let (login, token) = match workflow {
                Some((_, maker, repository)) => {
                    let token = token(server, maker, scopes, &["--repository", repository]);
                    ((*maker).to_owned(), token)
                }
                None => (name.to_owned(), token(server, name, scopes, &[])),
            };
            let held = held(scopes);
            callers.push(Caller {
                name: name.to_owned(),
                login,
                scopes: scopes.to_owned(),
                proof: if workflow.is_some() {
                    Proof::Workflow(held)
                } else {
                    Proof::Person(held)
                },
                sent: Sent::Bearer(token),
            });
        }
    }
    callers.extend(broken(server));
    callers
}

/// How many tokens a person has at the end of the setup, those of their workflows included and
/// one for each package that they published.
pub(crate) fn tokens_of(login: &str) -> u64 {
    match login {
        "owner-of-org" => 7 + 6 + 12,
        // the last is the one that she starred by
        "una" => 7 + 3 + 3 + 1,
        "maker" => 7 + 3,
        // one that the broken ones are made from; revoked and expired ones are not listed
        "site-admin" => 7 + 1,
        _ => 7,
    }
}

/// Credentials that do not hold, of somebody who would otherwise be admin of everything.
fn broken(server: &TestServer) -> Vec<Caller> {
    const ALL: &str = "read:packages,write:packages,delete:packages";
    let good = token(server, "site-admin", ALL, &[]);
    let revoked = token(server, "site-admin", ALL, &[]);
    server.admin(&["revoke-token", &revoked]);
    let expired = token(server, "site-admin", ALL, &["--expires", "1s"]);
    server.admin(&["create-user", "suspended", "--site-admin"]);
    let suspended = token(server, "suspended", ALL, &[]);
    server.admin(&["suspend-user", "suspended"]);
    wait_for_expiry(server, &expired);

    // the right form and checksum, but never issued: the revoked one of another house would be
    let elsewhere = TestServer::start();
    let unknown = elsewhere.admin_token();
    let misspelt = format!("{}x", &good[..good.len() - 1]);
    let kinds = [
        ("unknown", unknown),
        ("revoked", revoked),
        ("expired", expired),
        ("suspended", suspended),
        ("misspelt", misspelt),
        ("malformed", "hunter2".to_owned()),
        ("cut", good[..good.len() - 1].to_owned()),
    ];
    kinds
        .into_iter()
        .map(|(name, token)| Caller {
            name: name.to_owned(),
            login: String::new(),
            scopes: ALL.to_owned(),
            proof: Proof::Broken,
            sent: Sent::Bearer(token),
        })
        .collect()
}

/// Asks until the token no longer holds.
fn wait_for_expiry(server: &TestServer, token: &str) {
    let deadline = Instant::now() + Duration::from_secs(30);
    let whoami = Request::get(format!("{MOUNT}/-/whoami")).bearer(token);
    while server.send(&whoami).status == 200 {
        assert!(
            Instant::now() < deadline,
            "a token of one second never expires"
        );
        std::thread::yield_now();
    }
}

fn token(server: &TestServer, login: &str, scopes: &str, more: &[&str]) -> String {
    let mut arguments = vec!["create-token", login, "--scopes", scopes];
    arguments.extend(more);
    server.admin(&arguments).trim().to_owned()
}

fn held(scopes: &str) -> Scopes {
    let has = |scope| scopes.split(',').any(|held| held == scope);
    Scopes {
        read: has("read:packages"),
        write: has("write:packages"),
        delete: has("delete:packages"),
        org: has("admin:org"),
    }
}
