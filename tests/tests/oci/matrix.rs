//! Who may do what with images: every route, for every kind of caller and package, against the
//! permission model's tables.

use packhouse_core::Registry as _;
use packhouse_docker::Docker;
use packhouse_testkit::http::{self, Request};
use packhouse_testkit::server::TestServer;

use crate::fixture::{ALL_SCOPES, Answered as _, image_of, sha256};

/// What a route needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    Greet,
    Browse,
    Read,
    Publish,
    Curate,
}

/// The role and the scopes that a caller has on every package.
#[derive(Debug, Clone, Copy)]
struct Caller {
    login: &'static str,
    role: Option<&'static str>,
    scopes: &'static str,
}

const CALLERS: &[Caller] = &[
    Caller {
        login: "",
        role: None,
        scopes: "",
    },
    Caller {
        login: "eve",
        role: None,
        scopes: ALL_SCOPES,
    },
    Caller {
        login: "rita",
        role: Some("read"),
        scopes: ALL_SCOPES,
    },
    Caller {
        login: "walt",
        role: Some("write"),
        scopes: ALL_SCOPES,
    },
    Caller {
        login: "walt",
        role: Some("write"),
        scopes: "read:packages",
    },
    Caller {
        login: "walt",
        role: Some("write"),
        scopes: "repo",
    },
    Caller {
        login: "adam",
        role: Some("admin"),
        scopes: ALL_SCOPES,
    },
    Caller {
        login: "adam",
        role: Some("admin"),
        scopes: "read:packages,write:packages",
    },
    Caller {
        login: "adam",
        role: Some("admin"),
        scopes: "delete:packages",
    },
];

/// The permission model in one function (`spec/github-packages.md` 6, `spec/oci.md` 5.7): `None`
/// is let in.
fn expected(need: Need, caller: Caller, is_public: bool) -> Option<u16> {
    if need == Need::Greet {
        return None;
    }
    if caller.login.is_empty() {
        return (need != Need::Read || !is_public).then_some(401);
    }
    let has = |scope| caller.scopes.split(',').any(|own| own == scope);
    let reads = has("read:packages") || has("write:packages");
    if !reads {
        return Some(403);
    }
    let (least, in_scope) = match need {
        Need::Greet | Need::Browse | Need::Read => (1, true),
        Need::Publish => (2, has("write:packages")),
        Need::Curate => (3, has("delete:packages")),
    };
    let rank = match caller.role {
        Some("admin") => 3,
        Some("write") => 2,
        Some(_) => 1,
        None if is_public => 1,
        None => 0,
    };
    if need == Need::Browse {
        return None;
    }
    match rank {
        // hidden; a push is told no more than that it may not
        0 if need == Need::Publish => Some(403),
        0 => Some(404),
        rank if rank < least => Some(403),
        _ if !in_scope => Some(403),
        _ => None,
    }
}

/// How to ask a route without changing anything, and what whoever is let in gets.
fn row(route: &str, name: &str) -> (Need, Request, u16) {
    let absent = sha256(b"never pushed");
    let id = "00000000-0000-7000-8000-000000000000";
    let at = |tail: &str| format!("/v2/{name}/{tail}");
    match route {
        "GET /v2/" => (Need::Greet, Request::get("/v2/"), 200),
        "GET /token" => (Need::Greet, Request::get("/token"), 200),
        "POST /token" => (Need::Greet, Request::post("/token"), 400),
        "GET /v2/_catalog" => (Need::Browse, Request::get("/v2/_catalog"), 200),
        "GET /v2/{name}/tags/list" => (Need::Read, Request::get(at("tags/list")), 200),
        "GET /v2/{name}/referrers/{digest}" => (
            Need::Read,
            Request::get(at(&format!("referrers/{absent}"))),
            200,
        ),
        "GET /v2/{name}/manifests/{reference}" => {
            (Need::Read, Request::get(at("manifests/latest")), 200)
        }
        "PUT /v2/{name}/manifests/{reference}" => {
            (Need::Publish, Request::put(at("manifests/x")), 400)
        }
        "DELETE /v2/{name}/manifests/{reference}" => {
            (Need::Curate, Request::delete(at("manifests/absent")), 404)
        }
        "GET /v2/{name}/blobs/{digest}" => (
            Need::Read,
            Request::get(at(&format!("blobs/{}", sha256(b"layer")))),
            200,
        ),
        "DELETE /v2/{name}/blobs/{digest}" => (
            Need::Curate,
            Request::delete(at(&format!("blobs/{absent}"))),
            404,
        ),
        // a wrong digest: refused once the caller is let in
        "POST /v2/{name}/blobs/uploads/" => {
            let target = at(&format!("blobs/uploads/?digest={absent}"));
            (Need::Publish, Request::post(target).body("other"), 400)
        }
        "GET /v2/{name}/blobs/uploads/{id}" => (
            Need::Publish,
            Request::get(at(&format!("blobs/uploads/{id}"))),
            404,
        ),
        "PATCH /v2/{name}/blobs/uploads/{id}" => (
            Need::Publish,
            Request::new("PATCH", at(&format!("blobs/uploads/{id}"))),
            404,
        ),
        "PUT /v2/{name}/blobs/uploads/{id}" => {
            let target = at(&format!("blobs/uploads/{id}?digest={absent}"));
            (Need::Publish, Request::put(target), 404)
        }
        "DELETE /v2/{name}/blobs/uploads/{id}" => (
            Need::Publish,
            Request::delete(at(&format!("blobs/uploads/{id}"))),
            404,
        ),
        other => panic!("give {other} a row"),
    }
}

#[test]
fn every_route_of_either_registry_answers_every_caller_as_the_model_says() {
    let server = TestServer::builder().docker_listener().start();
    let bases = server.bases().to_vec();
    server.admin(&["create-user", "alice"]);
    let owner = server.token("alice", ALL_SCOPES);
    for visibility in ["private", "public"] {
        server.admin(&[
            "create-repo",
            &format!("alice/{visibility}"),
            "--visibility",
            visibility,
        ]);
        for (base, name) in [
            (&bases[0], format!("alice/{visibility}")),
            (&bases[1], format!("alice/{visibility}/app")),
        ] {
            for body in [&b"{}"[..], b"layer"] {
                let target = format!("/v2/{name}/blobs/uploads/?digest={}", sha256(body));
                let request = Request::post(target).basic("x", &owner).body(body.to_vec());
                http::send(base, &request).unwrap().is(201);
            }
            let put = image_of(b"{}", b"layer")
                .put(&name, "latest")
                .basic("x", &owner);
            http::send(base, &put).unwrap().is(201);
        }
    }
    server.admin(&["set-visibility", "alice/container/public", "public"]);
    let mut tokens = Vec::new();
    for caller in CALLERS {
        if caller.login.is_empty() {
            tokens.push(String::new());
            continue;
        }
        drop(server.try_admin(&["create-user", caller.login]));
        if let Some(role) = caller.role {
            for visibility in ["private", "public"] {
                let package = format!("alice/container/{visibility}");
                server.admin(&["grant", &package, caller.login, "--role", role]);
                let repository = format!("alice/{visibility}");
                server.admin(&[
                    "add-collaborator",
                    &repository,
                    caller.login,
                    "--role",
                    role,
                ]);
            }
        }
        tokens.push(server.token(caller.login, caller.scopes));
    }
    for (base, tail, routes) in [
        (&bases[0], "", Docker::container().routes()),
        (&bases[1], "/app", Docker::repository_scoped().routes()),
    ] {
        for visibility in ["private", "public"] {
            let name = format!("alice/{visibility}{tail}");
            for route in routes {
                for (caller, token) in CALLERS.iter().zip(&tokens) {
                    let (need, request, let_in) = row(route, &name);
                    // these two ask nobody in by etiquette
                    let is_polite = ["GET /v2/", "GET /v2/_catalog"].contains(route);
                    let status = match expected(need, *caller, visibility == "public") {
                        _ if is_polite && token.is_empty() => 401,
                        Some(refused) => refused,
                        None => let_in,
                    };
                    // what is hidden has no referrers, like what is not there
                    let status = match status {
                        404 if route.contains("referrers") => 200,
                        status => status,
                    };
                    let request = match token.as_str() {
                        "" => request,
                        token => request.basic("x", token),
                    };
                    let answer = http::send(base, &request).unwrap();
                    assert_eq!(
                        answer.status, status,
                        "{route} of {name} by {caller:?}\n{answer}"
                    );
                }
            }
        }
    }
}
