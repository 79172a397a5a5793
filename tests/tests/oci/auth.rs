//! Who asks: the challenge, the token endpoint, and what a token is good for.

use packhouse_testkit::http::{Request, Response};
use serde_json::json;

use crate::fixture::{ALL_SCOPES, Answered as _, Registry, image_of, refusal};

const N: &str = "alice/app";

#[track_caller]
fn challenge(answer: &Response) -> &str {
    assert_eq!(refusal(answer), (401, "UNAUTHORIZED".to_owned()));
    let lines = answer.headers.get_all("www-authenticate");
    assert_eq!(lines.len(), 1, "clients look at the first line alone");
    lines[0]
}

fn scope_of(answer: &Response) -> String {
    let challenge = challenge(answer);
    let (_, rest) = challenge.split_once("scope=\"").unwrap_or(("", "\""));
    rest.split('"').next().unwrap().to_owned()
}

fn form(fields: &str) -> Request {
    Request::post("/token")
        .header("Content-Type", "application/x-www-form-urlencoded")
        .body(fields.to_owned())
}

#[test]
fn the_ping_insists_on_a_token_and_says_where_to_get_one() {
    let registry = Registry::start();
    let base = registry.server.base().to_owned();
    let host = base.split("//").nth(1).unwrap();
    for target in ["/v2/", "/v2"] {
        let answer = registry.as_who("", Request::get(target));
        let expected = format!("Bearer realm=\"{base}/token\",service=\"{host}\"");
        assert_eq!(challenge(&answer), expected);
        assert_eq!(registry.as_who("", Request::head(target)).status, 401);
        let nobody = registry.bearer("", &[]);
        for known in [
            registry.as_who("", Request::get(target).bearer(&nobody)),
            registry.ask(Request::get(target)),
        ] {
            let known = known.expect_status(200);
            assert_eq!(known.text(), "{}");
            let version = known.header("docker-distribution-api-version");
            assert_eq!(version, Some("registry/2.0"));
        }
    }
    let localhost = registry.as_who(
        "",
        Request::get("/v2/").header("Host", &host.replace("127.0.0.1", "localhost")),
    );
    assert!(challenge(&localhost).contains("realm=\"http://localhost:"));
}

#[test]
fn each_request_names_the_scope_that_it_needs() {
    let registry = Registry::start();
    let digest = registry.push_image(N, "latest", "one");
    let upload = registry.open(N);
    let pull = format!("repository:{N}:pull");
    let push = format!("repository:{N}:pull,push");
    for (request, scope) in [
        (Request::get(format!("/v2/{N}/manifests/latest")), &pull),
        (Request::head(format!("/v2/{N}/blobs/{digest}")), &pull),
        (Request::get(format!("/v2/{N}/tags/list")), &pull),
        (Request::get(format!("/v2/{N}/referrers/{digest}")), &pull),
        (Request::post(format!("/v2/{N}/blobs/uploads/")), &push),
        (Request::get(&upload), &push),
        (Request::new("PATCH", &upload), &push),
        (Request::put(format!("{upload}?digest={digest}")), &push),
        (Request::delete(&upload), &push),
        (Request::put(format!("/v2/{N}/manifests/x")), &push),
        (
            Request::post(format!(
                "/v2/{N}/blobs/uploads/?mount={digest}&from=alice/base"
            )),
            &format!("{push} repository:alice/base:pull"),
        ),
        (
            Request::delete(format!("/v2/{N}/manifests/x")),
            &format!("repository:{N}:delete"),
        ),
        (
            Request::delete(format!("/v2/{N}/blobs/{digest}")),
            &format!("repository:{N}:delete"),
        ),
    ] {
        let shown = format!("{request:?}");
        let answer = registry.as_who("", request);
        assert_eq!(answer.status, 401, "{shown}");
        if answer.body.is_empty() {
            let line = answer.header("www-authenticate").unwrap();
            assert!(
                line.contains(&format!("scope=\"{scope}\"")),
                "{shown}: {line}"
            );
        } else {
            assert_eq!(&scope_of(&answer), scope, "{shown}");
        }
    }
}

#[test]
fn a_token_is_the_intersection_of_what_is_asked_and_what_is_granted() {
    let registry = Registry::start();
    registry.push_image(N, "latest", "one");
    registry.user("bob", ALL_SCOPES);
    registry
        .server
        .admin(&["grant", "alice/container/app", "bob", "--role", "read"]);
    let bob = registry.server.token("bob", ALL_SCOPES);
    let asked =
        "&scope=repository%3Aalice%2Fapp%3Apush%2Cpull%2Cdelete&scope=repository:bob/new:push,pull";
    let target = format!("/token?service=x&account=bob&client_id=docker&offline_token=true{asked}");
    let answer = registry
        .as_who(&bob, Request::get(&target))
        .expect_status(200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let body = answer.json();
    assert_eq!(body["token"], body["access_token"]);
    assert_eq!(
        body["scope"],
        json!("repository:alice/app:pull repository:bob/new:push,pull")
    );
    assert_eq!(body["expires_in"], json!(900));
    assert!(body["issued_at"].as_str().unwrap().ends_with('Z'));
    assert!(body.get("refresh_token").is_none());

    // the OAuth2 form
    let fields = format!(
        "grant_type=password&service=x&client_id=containerd-client&username=bob&password={bob}\
         &scope=repository%3Aalice%2Fapp%3Apull%2Cpush+repository%3Abob%2Fnew%3Apull%2Cpush"
    );
    let body = registry.as_who("", form(&fields)).expect_status(200).json();
    assert_eq!(
        body["scope"],
        json!("repository:alice/app:pull repository:bob/new:push,pull")
    );
    let bearer = body["access_token"].as_str().unwrap();
    let request = Request::get(format!("/v2/{N}/tags/list")).bearer(bearer);
    registry.as_who("", request).is(200);
    let fields = format!("grant_type=refresh_token&service=x&client_id=c&refresh_token={bob}");
    registry.as_who("", form(&fields)).is(200);

    // nobody gets an empty one
    let body = registry
        .as_who("", Request::get(&target))
        .expect_status(200)
        .json();
    assert_eq!(body["scope"], json!(""));
}

#[test]
fn wrong_credentials_are_never_taken_for_nobody() {
    let registry = Registry::start();
    let (start, last) = registry.token.split_at(registry.token.len() - 1);
    let wrong = format!("{start}{}", if last == "x" { "y" } else { "x" });
    for secret in [wrong.as_str(), "password"] {
        let answer = registry.as_who(secret, Request::get("/token?service=x"));
        assert_eq!(challenge(&answer), "Basic realm=\"packhouse\"");
        let fields = format!("grant_type=password&username=alice&password={secret}");
        let answer = registry.as_who("", form(&fields));
        assert_eq!(challenge(&answer), "Basic realm=\"packhouse\"");
        for request in [
            Request::get("/v2/").basic("alice", secret),
            Request::get("/v2/").bearer(secret),
            Request::get("/v2/").bearer("a.b.c"),
            Request::get("/v2/").header("Authorization", "Digest x"),
            Request::get("/v2/").header("Authorization", "nonsense"),
        ] {
            let answer = registry.as_who("", request);
            let line = challenge(&answer);
            assert!(line.ends_with(",error=\"invalid_token\""), "{line}");
        }
    }
    for fields in ["grant_type=client_credentials", "", "grant_type"] {
        let answer = registry.as_who("", form(fields));
        assert_eq!(refusal(&answer), (400, "UNSUPPORTED".to_owned()));
    }
}

#[test]
fn access_tokens_are_taken_in_every_form_that_people_send() {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    let registry = Registry::start();
    let token = &registry.token;
    for value in [
        format!("Bearer {token}"),
        format!("BEARER {token}"),
        format!("Bearer {}", STANDARD.encode(token)),
        format!("Bearer {}", STANDARD.encode(format!("alice:{token}"))),
        format!("Basic {}", STANDARD.encode(format!("alice:{token}"))),
        format!("basic {}", STANDARD.encode(format!(":{token}"))),
    ] {
        let request = Request::get("/v2/").header("Authorization", &value);
        registry.as_who("", request).is(200);
    }
}

#[test]
fn a_narrow_token_asks_for_a_wider_one_and_a_lacking_right_is_denied() {
    let registry = Registry::start();
    registry.push_image(N, "latest", "one");
    let pull = registry.bearer(&registry.token, &[&format!("repository:{N}:pull")]);
    let manifest = format!("/v2/{N}/manifests/latest");
    registry
        .as_who("", Request::get(&manifest).bearer(&pull))
        .is(200);
    for (request, scope) in [
        (
            Request::post(format!("/v2/{N}/blobs/uploads/")),
            format!("repository:{N}:pull,push"),
        ),
        (Request::delete(&manifest), format!("repository:{N}:delete")),
        (
            Request::post("/v2/alice/new/blobs/uploads/"),
            "repository:alice/new:pull,push".to_owned(),
        ),
    ] {
        let answer = registry.as_who("", request.bearer(&pull));
        let line = challenge(&answer);
        let expected = format!(",scope=\"{scope}\",error=\"insufficient_scope\"");
        assert!(line.ends_with(&expected), "{line}");
    }

    // somebody who may read and no more: no wider token would help
    let bob = registry.user("bob", ALL_SCOPES);
    registry
        .server
        .admin(&["grant", "alice/container/app", "bob", "--role", "read"]);
    let wide = format!("repository:{N}:pull,push,delete");
    let bobs = registry.bearer(&bob, &[&wide]);
    registry
        .as_who("", Request::get(&manifest).bearer(&bobs))
        .is(200);
    for request in [
        Request::post(format!("/v2/{N}/blobs/uploads/")),
        Request::delete(&manifest),
    ] {
        let answer = registry.as_who("", request.bearer(&bobs));
        assert_eq!(refusal(&answer), (403, "DENIED".to_owned()));
        let message = &answer.json()["errors"][0]["message"];
        assert_eq!(message, "permission_denied: write_package");
    }
    // a read-only access token of the owner
    let read_only = registry.server.token("alice", "read:packages");
    let answer = registry.as_who(&read_only, Request::post(format!("/v2/{N}/blobs/uploads/")));
    assert_eq!(refusal(&answer), (403, "DENIED".to_owned()));
    // a stranger's push, and pull
    let eve = registry.user("eve", ALL_SCOPES);
    let answer = registry.as_who(&eve, Request::post(format!("/v2/{N}/blobs/uploads/")));
    assert_eq!(refusal(&answer), (403, "DENIED".to_owned()));
    let answer = registry.as_who(&eve, Request::get(&manifest));
    assert_eq!(refusal(&answer), (404, "NAME_UNKNOWN".to_owned()));
}

/// containerd asks for a token again after each 401 that names no error: five times the same one,
/// and then tells its user about five attempts.
#[test]
fn nobody_s_token_is_told_that_another_like_it_would_not_do() {
    let registry = Registry::start();
    let scope = format!("repository:{N}:pull,push");
    registry.push_image(N, "latest", "one");
    for visibility in ["private", "public"] {
        let package = "alice/container/app";
        let set = ["set-visibility", package, visibility];
        registry.server.admin(&set);
        let nobody = registry.bearer("", &[&scope]);
        for request in [
            Request::post(format!("/v2/{N}/blobs/uploads/")),
            image_of(b"{}", b"layer").put(N, "other"),
        ] {
            let first = registry.as_who("", request.clone());
            assert!(challenge(&first).ends_with(&format!("scope=\"{scope}\"")));
            let second = registry.as_who("", request.bearer(&nobody));
            let expected = format!("scope=\"{scope}\",error=\"insufficient_scope\"");
            assert!(challenge(&second).ends_with(&expected), "{second}");
        }
    }
}

#[test]
fn nobody_reads_what_is_public_and_cannot_tell_private_from_absent() {
    let registry = Registry::start();
    registry.push_image(N, "latest", "one");
    let hidden = registry.as_who("", Request::get(format!("/v2/{N}/manifests/latest")));
    let absent = registry.as_who("", Request::get("/v2/alice/ppp/manifests/latest"));
    assert_eq!(hidden.text().replace("app", "ppp"), absent.text());
    assert_eq!(challenge(&hidden).replace("app", "ppp"), challenge(&absent));
    let nobody = registry.bearer("", &[&format!("repository:{N}:pull")]);
    let answer = registry.as_who(
        "",
        Request::get(format!("/v2/{N}/manifests/latest")).bearer(&nobody),
    );
    challenge(&answer);

    registry
        .server
        .admin(&["set-visibility", "alice/container/app", "public"]);
    for token in ["", &nobody] {
        let request = Request::get(format!("/v2/{N}/manifests/latest"));
        let request = if token.is_empty() {
            request
        } else {
            request.bearer(token)
        };
        registry.as_who("", request).is(200);
    }
    let answer = registry.as_who("", Request::put(format!("/v2/{N}/manifests/latest")));
    challenge(&answer);
}

#[test]
fn a_token_ends_with_the_credential_that_it_was_made_from() {
    let registry = Registry::start();
    registry.push_image(N, "latest", "one");
    let other = registry.server.token("alice", ALL_SCOPES);
    let scope = format!("repository:{N}:pull,push");
    let bearer = registry.bearer(&other, &[&scope]);
    let ask = || {
        registry.as_who(
            "",
            Request::get(format!("/v2/{N}/tags/list")).bearer(&bearer),
        )
    };
    assert_eq!(ask().status, 200);
    registry.server.admin(&["revoke-token", &other]);
    assert!(challenge(&ask()).ends_with(",error=\"invalid_token\""));

    // a role that is taken away is gone from every token
    let bob = registry.user("bob", ALL_SCOPES);
    registry
        .server
        .admin(&["grant", "alice/container/app", "bob", "--role", "write"]);
    let bobs = registry.bearer(&bob, &[&scope]);
    let push = || {
        registry.as_who(
            "",
            Request::post(format!("/v2/{N}/blobs/uploads/")).bearer(&bobs),
        )
    };
    assert_eq!(push().status, 202);
    registry
        .server
        .admin(&["grant", "alice/container/app", "bob", "--role", "read"]);
    assert_eq!(refusal(&push()), (403, "DENIED".to_owned()));
    registry.server.admin(&["suspend-user", "bob"]);
    challenge(&push());
}

#[test]
fn a_token_is_good_at_the_registry_that_made_it_alone() {
    let registry = Registry::start();
    let bearer = registry.bearer(&registry.token, &["registry:catalog:*"]);
    let request = Request::get("/_registry/npm/-/whoami").bearer(&bearer);
    assert_eq!(registry.as_who("", request).status, 401);
}

#[test]
fn who_makes_a_repository_reads_it_by_the_same_token() {
    let registry = Registry::start();
    let bearer = registry.bearer(&registry.token, &["repository:alice/new:push,pull"]);
    let ask = |request: Request| registry.as_who("", request.bearer(&bearer));
    let digest = crate::fixture::sha256(b"x");
    let head = Request::head(format!("/v2/alice/new/blobs/{digest}"));
    assert_eq!(ask(head.clone()).status, 404);
    ask(Request::post(format!("/v2/alice/new/blobs/uploads/?digest={digest}")).body("x")).is(201);
    assert_eq!(ask(head).status, 200);
}
