//! Requests whose head is wrong, and credentials that cannot be read.

use packhouse_testkit::http::Request;
use packhouse_testkit::npm::publish_document;
use serde_json::json;

use crate::registry::{MOUNT, NAME, Registry, address, honest};

#[test]
fn a_body_that_does_not_say_it_is_json_is_refused() {
    let registry = Registry::open();
    let document = publish_document(NAME, "1.1.0", &honest(NAME, "1.1.0")).to_string();
    let error = "the body must be application/json";
    for media_type in [
        "text/plain",
        "application/octet-stream",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonx",
        "application",
    ] {
        let request = registry
            .request("PUT", &address(NAME))
            .header("Content-Type", media_type)
            .body(document.clone());
        registry.refuses(media_type, &request, 415, error);
    }
    for path in [
        format!("{}/-rev/0-0", address(NAME)),
        format!("/-/package{}/dist-tags/next", address(NAME)),
        "/-/user/org.couchdb.user:ann".to_owned(),
    ] {
        let request = registry
            .request("PUT", &path)
            .header("Content-Type", "text/plain")
            .body("\"1.0.0\"");
        registry.refuses(&path, &request, 415, error);
    }
}

#[test]
fn a_method_that_an_address_does_not_have_is_405_with_those_it_has() {
    let registry = Registry::open();
    for (method, path, allowed) in [
        ("PATCH", "/@acme%2fleft-pad", "GET, HEAD, PUT"),
        ("POST", "/@acme%2fleft-pad", "GET, HEAD, PUT"),
        ("DELETE", "/@acme%2fleft-pad", "GET, HEAD, PUT"),
        ("BREW", "/@acme%2fleft-pad", "GET, HEAD, PUT"),
        ("OPTIONS", "/@acme%2fnothing", "GET, HEAD, PUT"),
        ("PUT", "/@acme%2fleft-pad/next", "GET, HEAD"),
        ("DELETE", "/@acme%2fleft-pad/1.0.0", "GET, HEAD"),
        ("PUT", "/@acme%2fleft-pad/-/left-pad-1.0.0.tgz", "GET, HEAD"),
        ("GET", "/@acme%2fleft-pad/-rev/0-0", "PUT, DELETE"),
        (
            "GET",
            "/-/package/@acme%2fleft-pad/dist-tags/latest",
            "PUT, DELETE",
        ),
        ("DELETE", "/-/ping", "GET, HEAD"),
        ("POST", "/-/npm/v1/keys", "GET, HEAD"),
        ("GET", "/-/npm/v1/security/advisories/bulk", "POST"),
        ("GET", "/-/user/token/phk_x", "DELETE"),
    ] {
        let request = registry.request(method, path);
        let what = format!("{method} {path}");
        registry.refuses(&what, &request, 405, "Method not allowed");
        let answer = registry.send(&request);
        assert_eq!(answer.header("allow"), Some(allowed), "{what}: {answer}");
    }
}

#[test]
fn credentials_that_cannot_be_read_are_refused_and_never_taken_for_none() {
    let registry = Registry::open();
    let address = format!("{MOUNT}{}", address(NAME));
    let bearer = format!("Bearer {}", registry.token);
    let two = "more than one Authorization header";
    let unreadable = "the header cannot be read";
    for (what, values, error) in [
        (
            "twice the same",
            vec![bearer.as_str(), bearer.as_str()],
            two,
        ),
        (
            "a good one and a wrong one",
            vec![bearer.as_str(), "Bearer x"],
            two,
        ),
        (
            "a wrong one and a good one",
            vec!["Bearer x", bearer.as_str()],
            two,
        ),
        ("Basic and Bearer", vec!["Basic eDp5", bearer.as_str()], two),
        ("no scheme", vec![registry.token.as_str()], unreadable),
        ("an unknown scheme", vec!["Digest username=ann"], unreadable),
        ("Basic without base64", vec!["Basic !!!!"], unreadable),
        ("Basic without a colon", vec!["Basic YW5u"], unreadable),
        ("Basic that is not UTF-8", vec!["Basic //8="], unreadable),
        ("nothing", vec![""], unreadable),
    ] {
        for method in ["GET", "PUT", "DELETE"] {
            let path = if method == "DELETE" {
                format!("{address}/-rev/0-0")
            } else {
                address.clone()
            };
            let request = values
                .iter()
                .fold(Request::new(method, path), |request, value| {
                    request.header("Authorization", value)
                });
            registry.refuses(&format!("{what}: {method}"), &request, 400, error);
        }
        let ping = values
            .iter()
            .fold(Request::get(format!("{MOUNT}/-/ping")), |request, value| {
                request.header("Authorization", value)
            });
        registry.refuses(&format!("{what}: ping"), &ping, 400, error);
    }
}

#[test]
fn what_the_protocol_does_not_have_is_404_in_json() {
    let registry = Registry::open();
    for (method, path) in [
        ("GET", "/"),
        ("GET", "/-/all"),
        ("GET", "/-/pnpr"),
        ("GET", "/-/_changes"),
        ("GET", "/-/npm/v1/hooks"),
        ("GET", "/-/npm/v1/nothing"),
        ("PUT", "/-/user/v1/star"),
        ("GET", "/@acme%2fleft-pad/-rev/1/x"),
        ("GET", "/@acme%2fleft-pad/1.0.0/x"),
        ("PATCH", "/-/nothing"),
        ("BREW", "/-/all"),
    ] {
        let request = registry.request(method, path);
        registry.refuses(&format!("{method} {path}"), &request, 404, "Not found");
    }
}

#[test]
fn what_is_not_there_is_404_whatever_is_asked_of_it() {
    let registry = Registry::open();
    for (path, error) in [
        ("/@acme%2fnothing", "Not found"),
        ("/@nobody%2fnothing", "Not found"),
        ("/nothing", "Not found"),
        ("/@acme%2fleft-pad/9.9.9", "version not found: 9.9.9"),
        ("/@acme%2fleft-pad/next", "version not found: next"),
        ("/@acme%2fleft-pad/-/left-pad-9.9.9.tgz", "Not found"),
        ("/@acme%2fleft-pad/-/other-1.0.0.tgz", "Not found"),
        ("/@acme%2fleft-pad/-/@other/left-pad-1.0.0.tgz", "Not found"),
        ("/@acme%2fleft-pad/-/left-pad-1.0.0.tgz.sig", "Not found"),
    ] {
        registry.refuses(path, &registry.request("GET", path), 404, error);
    }
}

#[test]
fn a_login_that_does_not_hold_is_refused() {
    let registry = Registry::open();
    let bob = {
        registry.server.admin(&["create-user", "bob"]);
        registry.server.token("bob", "read:packages")
    };
    let path = format!("{MOUNT}/-/user/org.couchdb.user:ann");
    let login = |name: &str, password: &str| {
        Request::put(&path).json(&json!({"name": name, "password": password}))
    };
    for (what, request, status, error) in [
        (
            "a password",
            login("ann", "hunter2"),
            401,
            "Bad credentials",
        ),
        ("no password", login("ann", ""), 401, "Bad credentials"),
        (
            "another name",
            login("bob", &bob),
            400,
            "user in URL does not match body",
        ),
        (
            "no name",
            Request::put(&path).json(&json!({"password": bob})),
            400,
            "user in URL does not match body",
        ),
        (
            "a list",
            Request::put(&path).json(&json!([])),
            400,
            "the login must be a JSON object",
        ),
    ] {
        registry.refuses(what, &request, status, error);
    }
}

#[test]
fn a_token_that_would_be_wider_than_asked_for_is_refused() {
    let registry = Registry::open();
    let tokens = |body| registry.request("POST", "/-/npm/v1/tokens").json(&body);
    for (what, body, status, error) in [
        (
            "a password that is none",
            json!({"password": "hunter2"}),
            401,
            "Bad credentials",
        ),
        (
            "addresses",
            json!({"cidr_whitelist": ["10.0.0.0/8"]}),
            400,
            "tokens of this registry cannot be restricted by cidr_whitelist",
        ),
        (
            "packages",
            json!({"packages": ["@acme/left-pad"]}),
            400,
            "tokens of this registry cannot be restricted by packages",
        ),
        (
            "a date that is none",
            json!({"expires": "tomorrow"}),
            400,
            "expires must be a number of days or an RFC 3339 date and time to come",
        ),
        (
            "a list",
            json!([]),
            400,
            "the token request must be a JSON object",
        ),
    ] {
        registry.refuses(what, &tokens(body), status, error);
    }
    let page = registry.request("GET", "/-/npm/v1/tokens?page=x");
    registry.refuses(
        "a page that is no number",
        &page,
        400,
        "page must be a number",
    );
    let key = registry.request("DELETE", "/-/npm/v1/tokens/token/999999999");
    registry.refuses("a token of nobody", &key, 404, "Not found");
}
