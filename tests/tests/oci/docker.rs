//! The registry of repositories: a listener of its own, and the permissions of repositories.

use packhouse_testkit::http::{self, Request, Response};
use packhouse_testkit::server::TestServer;

use crate::fixture::{ALL_SCOPES, Answered as _, image_of, refusal, sha256};

struct Docker {
    server: TestServer,
    token: String,
}

impl Docker {
    fn start() -> Self {
        let server = TestServer::builder().docker_listener().start();
        server.admin(&["create-user", "alice"]);
        server.admin(&["create-repo", "alice/tools", "--visibility", "private"]);
        let token = server.token("alice", ALL_SCOPES);
        Self { server, token }
    }

    fn base(&self) -> &str {
        &self.server.bases()[1]
    }

    fn ask(&self, request: &Request) -> Response {
        http::send(self.base(), request).unwrap()
    }

    fn push(&self, name: &str, token: &str) -> Response {
        for body in [&b"{}"[..], b"layer"] {
            let digest = sha256(body);
            let target = format!("/v2/{name}/blobs/uploads/?digest={digest}");
            let answer = self.ask(&Request::post(target).basic("x", token).body(body.to_vec()));
            if answer.status != 201 {
                return answer;
            }
        }
        self.ask(
            &image_of(b"{}", b"layer")
                .put(name, "latest")
                .basic("x", token),
        )
    }
}

#[test]
fn an_image_lies_in_a_repository_and_has_its_permissions() {
    let docker = Docker::start();
    let name = "alice/tools/cli";
    docker.push(name, &docker.token).is(201);
    let get = |token: &str| {
        let request = Request::get(format!("/v2/{name}/manifests/latest"));
        docker.ask(&if token.is_empty() {
            request
        } else {
            request.basic("x", token)
        })
    };
    get(&docker.token).is(200);
    assert_eq!(refusal(&get("")), (401, "UNAUTHORIZED".to_owned()));

    docker.server.admin(&["create-user", "bob"]);
    let bob = docker.server.token("bob", ALL_SCOPES);
    assert_eq!(refusal(&get(&bob)), (404, "NAME_UNKNOWN".to_owned()));
    docker
        .server
        .admin(&["add-collaborator", "alice/tools", "bob", "--role", "read"]);
    get(&bob).is(200);
    assert_eq!(
        refusal(&docker.push(name, &bob)),
        (403, "DENIED".to_owned())
    );
    docker
        .server
        .admin(&["add-collaborator", "alice/tools", "bob", "--role", "write"]);
    docker.push(name, &bob).is(201);
}

#[test]
fn a_name_has_three_parts_and_its_repository_is_there() {
    let docker = Docker::start();
    for (name, status, code) in [
        ("alice/cli", 400, "NAME_INVALID"),
        ("alice/tools/a/b", 400, "NAME_INVALID"),
        ("alice/absent/cli", 403, "DENIED"),
    ] {
        let answer = docker.push(name, &docker.token);
        assert_eq!(refusal(&answer), (status, code.to_owned()), "{name}");
    }
    for name in [
        "alice/cli",
        "alice/tools/a/b",
        "alice/absent/cli",
        "alice/tools/absent",
    ] {
        let request = Request::get(format!("/v2/{name}/tags/list")).basic("x", &docker.token);
        assert_eq!(
            refusal(&docker.ask(&request)),
            (404, "NAME_UNKNOWN".to_owned()),
            "{name}"
        );
    }
}

#[test]
fn the_two_registries_keep_their_images_and_tokens_apart() {
    let docker = Docker::start();
    docker.push("alice/tools/cli", &docker.token).is(201);
    let token_at = |base: &str| {
        let target = "/token?service=x&scope=repository:alice/tools/cli:pull,push";
        let answer = http::send(base, &Request::get(target).basic("x", &docker.token)).unwrap();
        answer.expect_status(200).json()["token"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let (main, own) = (docker.server.base(), docker.base());
    let get = |base: &str, token: &str| {
        let request = Request::get("/v2/alice/tools/cli/manifests/latest").bearer(token);
        http::send(base, &request).unwrap()
    };
    get(own, &token_at(own)).is(200);
    assert_eq!(
        refusal(&get(main, &token_at(main))),
        (404, "NAME_UNKNOWN".to_owned())
    );
    for (base, other) in [(main, own), (own, main)] {
        let answer = get(base, &token_at(other));
        assert_eq!(refusal(&answer), (401, "UNAUTHORIZED".to_owned()));
        let challenge = answer.header("www-authenticate").unwrap();
        assert!(
            challenge.starts_with(&format!("Bearer realm=\"{base}/token\"")),
            "{challenge}"
        );
    }
    let catalog = |base: &str| {
        let request = Request::get("/v2/_catalog").basic("x", &docker.token);
        http::send(base, &request)
            .unwrap()
            .expect_status(200)
            .json()["repositories"]
            .clone()
    };
    assert_eq!(catalog(own), serde_json::json!(["alice/tools/cli"]));
    assert_eq!(catalog(main), serde_json::json!([]));
    // nothing else lives on this listener
    let answer = http::send(own, &Request::get("/_registry/npm/-/ping")).unwrap();
    assert_eq!(answer.status, 404);
}

#[test]
fn public_images_of_repositories_need_a_token_where_the_operator_says_so() {
    for (anonymous_read, status) in [("on", 200), ("off", 401)] {
        let server = TestServer::builder()
            .docker_listener()
            .args(["--anonymous-read", anonymous_read])
            .start();
        server.admin(&["create-user", "alice"]);
        server.admin(&["create-repo", "alice/tools", "--visibility", "public"]);
        let token = server.token("alice", ALL_SCOPES);
        let docker = Docker { server, token };
        docker.push("alice/tools/cli", &docker.token).is(201);
        let request = Request::get("/v2/alice/tools/cli/manifests/latest");
        assert_eq!(docker.ask(&request).status, status, "{anonymous_read}");
    }
}

#[test]
fn hosts_below_the_domain_name_either_registry() {
    let server = TestServer::builder()
        .args(["--domain", "pkg.example.com"])
        .start();
    for host in ["containers.pkg.example.com", "docker.pkg.example.com"] {
        let host = format!("{host}:{}", server.port());
        let answer = server.send(&Request::get("/v2/").header("Host", &host));
        let expected = format!("Bearer realm=\"http://{host}/token\",service=\"{host}\"");
        assert_eq!(answer.header("www-authenticate"), Some(&*expected));
    }
}
