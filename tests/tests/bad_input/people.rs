//! Logins, profiles, access lists, organizations: what must be refused of them.

use packhouse_testkit::http::{Request, Response};
use serde_json::{Value, json};

use crate::registry::{MOUNT, NAME, Registry, address};

const NO_OBJECT: &str = "the request must be a JSON object";

/// The address below the mount of what a login answered under a key.
fn target(answer: &Response, key: &str) -> String {
    let url = answer.json()[key].as_str().unwrap().to_owned();
    url[url.find(MOUNT).unwrap()..].to_owned()
}

fn begin(registry: &Registry) -> Response {
    let begin = Request::post(format!("{MOUNT}/-/v1/login")).json(&json!({}));
    registry.send(&begin).expect_status(200)
}

fn form(target: &str, body: &str) -> Request {
    Request::post(target)
        .header("Content-Type", "application/x-www-form-urlencoded")
        .body(body.to_owned())
}

#[test]
fn a_login_that_never_began_is_nobodys() {
    let registry = Registry::open();
    let begun = begin(&registry);
    let page = target(&begun, "loginUrl");
    let page_key = page.rsplit('/').next().unwrap().split('?').next().unwrap();
    for (what, query) in [
        ("no key", String::new()),
        ("a key of another form", "?authId=1".to_owned()),
        ("an unknown key", format!("?authId={}", "A".repeat(43))),
        ("the key of the page", format!("?authId={page_key}")),
    ] {
        let done = Request::get(format!("{MOUNT}/-/v1/done{query}"));
        registry.refuses(what, &done, 404, "Not found");
    }
    for key in ["x", &"A".repeat(43)] {
        let address = format!("{MOUNT}/-/v1/login/{key}");
        for request in [Request::get(&address), form(&address, "token=x")] {
            let answer = registry.send(&request).expect_status(404);
            assert!(answer.text().contains("This login is over"), "{answer}");
        }
    }
    let malformed = Request::post(format!("{MOUNT}/-/v1/login")).body("{");
    let error = "malformed JSON in the login: EOF while parsing an object";
    registry.refuses("half a body", &malformed, 400, error);
    let list = Request::post(format!("{MOUNT}/-/v1/login")).json(&json!([]));
    registry.refuses("a list", &list, 400, "the login must be a JSON object");
}

#[test]
fn a_page_that_gets_no_good_token_asks_again() {
    let registry = Registry::open();
    let begun = begin(&registry);
    let (page, done) = (target(&begun, "loginUrl"), target(&begun, "doneUrl"));
    let workflow = {
        registry.server.admin(&["create-repo", "acme/site"]);
        let arguments = ["create-token", "ann", "--scopes", "write:packages"];
        let arguments = [&arguments[..], &["--repository", "acme/site"]].concat();
        registry.server.admin(&arguments).trim().to_owned()
    };
    let narrow = registry.server.token("ann", "user");
    let wrong = "This token is wrong, expired or revoked.";
    for (body, problem) in [
        (String::new(), "Paste an access token first."),
        ("token=".to_owned(), "Paste an access token first."),
        ("token=++%20".to_owned(), "Paste an access token first."),
        ("password=x".to_owned(), "Paste an access token first."),
        ("token=hunter2".to_owned(), wrong),
        ("token=%3Cscript%3E".to_owned(), wrong),
        (
            format!("token={workflow}"),
            "This token belongs to a workflow. Paste one of your own.",
        ),
        (
            format!("token={narrow}"),
            "This token may do nothing with packages. Paste one that may.",
        ),
    ] {
        let answer = registry.send(&form(&page, &body)).expect_status(422);
        assert!(answer.text().contains(problem), "{body}: {answer}");
        assert!(!answer.text().contains("hunter2"), "{body}: {answer}");
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'"), "{policy}");
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
    let long = form(&page, &"x".repeat(5000));
    let error = "payload too large: limit 4096 bytes";
    registry.refuses("a long form", &long, 413, error);
    let waiting = registry.send(&Request::get(&done)).expect_status(202);
    assert_eq!(waiting.json(), json!({}));
    assert_eq!(waiting.header("retry-after"), Some("2"));

    let token = registry.token.clone();
    let yes = form(&page, &format!("token=%20{token}%0A"));
    let _approved = registry.send(&yes).expect_status(200);
    // looking at the answer's head takes nothing away
    let head = registry.send(&Request::head(&done)).expect_status(405);
    assert_eq!(head.header("allow"), Some("GET"));
    let answer = registry.send(&Request::get(&done)).expect_status(200);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert!(answer.json()["token"].as_str().unwrap().starts_with("phk_"));
    registry.refuses("taken already", &Request::get(&done), 404, "Not found");
}

#[test]
fn access_that_cannot_be_given_is_refused() {
    let registry = Registry::open();
    registry.server.admin(&["create-user", "sam"]);
    let package = format!("/-/package{}", address(NAME));
    let access = |body: Value| {
        let path = format!("{package}/access");
        registry.request("POST", &path).json(&body)
    };
    let word = "access must be public or restricted";
    for (body, status, error) in [
        (json!([]), 400, NO_OBJECT),
        (json!({}), 400, word),
        (json!({"access": "secret"}), 400, word),
        (
            json!({"access": 7}),
            400,
            "malformed JSON in the request: invalid type: integer `7`, expected a string",
        ),
        (
            json!({"publish_requires_tfa": true}),
            422,
            "This registry has no second factor to ask for",
        ),
    ] {
        registry.refuses(&body.to_string(), &access(body.clone()), status, error);
    }
    let owners = format!("{package}/owners");
    let private = "sam is not a member of acme, and the package is private";
    for (user, error) in [
        ("nobody", "there is no user nobody"),
        ("acme", "there is no user acme"),
        ("a b", "there is no user a b"),
        ("sam", private),
    ] {
        let put = registry
            .request("PUT", &owners)
            .json(&json!({"user": user}));
        registry.refuses(user, &put, 400, error);
        let rev = registry.packument(NAME)["_rev"]
            .as_str()
            .unwrap()
            .to_owned();
        let list =
            json!({"_id": NAME, "_rev": rev, "maintainers": [{"name": "ann"}, {"name": user}]});
        let replace = registry.request("PUT", &format!("{}/-rev/{rev}", address(NAME)));
        registry.refuses(user, &replace.json(&list), 400, error);
    }
    let remove = registry.request("DELETE", &format!("{owners}/sam"));
    let error = "sam has no role of their own on this package: what they may do comes from being \
                 its owner, from an organization or from a team";
    registry.refuses("somebody without a role", &remove, 403, error);
    let stale = json!({"_id": NAME, "maintainers": [{"name": "ann"}]});
    let replace = registry.request("PUT", &format!("{}/-rev/0-0", address(NAME)));
    registry.refuses(
        "stale",
        &replace.json(&stale),
        409,
        "Document update conflict",
    );
    let star = registry.put(NAME, &json!({"_id": NAME, "users": ["ann"]}));
    let error =
        "malformed JSON in the users of the document: invalid type: sequence, expected a map";
    registry.refuses("a list of stars", &star, 400, error);
    for query in ["", "?key=ann", "?key=7"] {
        let stars = registry.request("GET", &format!("/-/_view/starredByUser{query}"));
        let error = "key must be a user's name in quotes";
        registry.refuses(query, &stars, 400, error);
    }
}

#[test]
fn an_organization_keeps_an_owner_and_gets_no_strangers() {
    let registry = Registry::open();
    registry.server.admin(&["create-user", "sam"]);
    registry.server.admin(&["create-team", "acme", "web"]);
    let token = registry.server.token("ann", "write:packages,admin:org");
    let request = |method: &str, path: &str, body: Value| {
        Request::new(method, format!("{MOUNT}/-{path}"))
            .bearer(&token)
            .json(&body)
    };
    let left = "the organization would be left without an owner";
    let grant =
        |package: &str, permissions: &str| json!({"package": package, "permissions": permissions});
    for (method, path, body, status, error) in [
        (
            "PUT",
            "/org/acme/user",
            json!({"user": "nobody"}),
            400,
            "there is no user nobody",
        ),
        (
            "PUT",
            "/org/acme/user",
            json!({"user": "sam", "role": "admin"}),
            400,
            "role must be developer or owner",
        ),
        (
            "PUT",
            "/org/acme/user",
            json!({"user": "ann", "role": "developer"}),
            400,
            left,
        ),
        (
            "DELETE",
            "/org/acme/user",
            json!({"user": "ann"}),
            400,
            left,
        ),
        (
            "DELETE",
            "/org/acme/user",
            json!({"user": "sam"}),
            400,
            "sam is not a member",
        ),
        (
            "PUT",
            "/org/acme/team",
            json!({"name": "web"}),
            409,
            "The team exists already",
        ),
        (
            "PUT",
            "/org/acme/team",
            json!({}),
            400,
            "malformed JSON in the request: missing field `name`",
        ),
        (
            "PUT",
            "/team/acme/web/user",
            json!({"user": "sam"}),
            400,
            "sam is not a member",
        ),
        (
            "PUT",
            "/team/acme/none/user",
            json!({"user": "ann"}),
            404,
            "Not found",
        ),
        (
            "DELETE",
            "/team/acme/web/user",
            json!({"user": "ann"}),
            400,
            "ann is not a member",
        ),
        ("DELETE", "/team/acme/none", json!({}), 404, "Not found"),
        (
            "PUT",
            "/team/acme/web/package",
            grant(NAME, "all"),
            400,
            "permissions must be read-only or read-write",
        ),
        (
            "PUT",
            "/team/acme/none/package",
            grant(NAME, "read-only"),
            404,
            "Not found",
        ),
        (
            "PUT",
            "/team/acme/web/package",
            grant("@other/x", "read-only"),
            400,
            "the team and the package belong to different accounts",
        ),
        (
            "PUT",
            "/team/acme/web/package",
            grant("@acme/none", "read-only"),
            403,
            "Permission permission_denied: admin_package",
        ),
        (
            "DELETE",
            "/team/acme/web/package",
            json!({"package": NAME}),
            404,
            "Not found",
        ),
        (
            "PUT",
            "/org/none/team",
            json!({"name": "x"}),
            403,
            "Permission permission_denied: admin_organization",
        ),
    ] {
        let what = format!("{method} {path} {body}");
        registry.refuses(&what, &request(method, path, body), status, error);
    }
}
