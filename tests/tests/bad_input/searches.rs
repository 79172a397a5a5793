//! Searches that cannot be answered as they are asked, and requests that clients send to the
//! host's root although the registry lies below a path.

use packhouse_testkit::http::Request;
use serde_json::{Value, json};

use crate::registry::{MOUNT, NAME, Registry};

#[test]
fn a_search_for_nothing_is_refused() {
    let registry = Registry::open();
    for query in ["", "?text=", "?text=%20%20", "?size=20&from=0"] {
        let request = registry.request("GET", &format!("/-/v1/search{query}"));
        registry.refuses(query, &request, 400, "ERR_TEXT_MISSING: text is missing");
    }
    let long = format!("/-/v1/search?text={}", "a".repeat(1_025));
    registry.refuses(
        "a long text",
        &registry.request("GET", &long),
        400,
        "text is longer than 1024 bytes",
    );
}

#[test]
fn no_search_is_too_strange() {
    let registry = Registry::open();
    for query in [
        "text=%22*():%5E-",
        "text=a%20AND",
        "text=%00",
        "text=%F0%9F%A6%80",
        "text=keywords:,+,-",
        "text=scope:..",
        "text=author:",
        "text=left&size=banana&from=-1&quality=x",
        "text=left&size=99999999999999999999",
        "text=left&from=4294967295&size=250",
    ] {
        let request = registry.request("GET", &format!("/-/v1/search?{query}"));
        let answer = registry.send(&request).expect_status(200).json();
        assert!(answer["objects"].is_array(), "{query}: {answer}");
        assert!(answer["total"].is_u64(), "{query}: {answer}");
    }
}

#[test]
fn what_is_found_has_the_fields_that_clients_read() {
    let registry = Registry::open();
    // npm makes this address of the host alone
    let request = Request::get("/-/v1/search?text=left-pad").bearer(&registry.token);
    let answer = registry.send(&request).expect_status(200).json();
    assert_eq!(answer["total"], 1);
    let package = &answer["objects"][0]["package"];
    assert_eq!(package["name"], NAME);
    assert_eq!(package["scope"], "acme");
    assert_eq!(package["version"], "1.0.0");
    assert_eq!(
        package["publisher"],
        json!({"username": "ann", "email": ""})
    );
    assert!(package["maintainers"].is_array());
    assert!(
        package["date"]
            .as_str()
            .is_some_and(|date| date.ends_with('Z'))
    );
    let base = registry.server.base();
    assert_eq!(package["links"]["npm"], format!("{base}{MOUNT}/{NAME}"));
    for score in ["quality", "popularity", "maintenance"] {
        let score = &answer["objects"][0]["score"]["detail"][score];
        assert!(
            score
                .as_f64()
                .is_some_and(|score| (0.0..=1.0).contains(&score))
        );
    }
    assert!(
        answer["time"]
            .as_str()
            .is_some_and(|time| time.ends_with('Z'))
    );
}

#[test]
fn nobody_is_trusted_without_a_token() {
    let registry = Registry::open();
    let exchange = "/-/npm/v1/oidc/token/exchange/package/@acme%2fleft-pad";
    // the path form, and the host's root, where clients send it
    for path in [format!("{MOUNT}{exchange}"), exchange.to_owned()] {
        let request = Request::post(&path).bearer("eyJhbGciOiJSUzI1NiJ9.e30.c2ln");
        let answer = registry.send(&request).expect_status(404).json();
        let text = "No trusted publisher for package";
        assert_eq!(answer["error"], text, "{path}");
        assert_eq!(answer["message"], text, "{path}");
        assert_eq!(answer["body"]["message"], text, "{path}");
    }
}

#[test]
fn nothing_is_staged() {
    let registry = Registry::open();
    for (method, path) in [
        ("POST", "/-/stage/package/@acme%2fleft-pad"),
        ("GET", "/-/stage?page=0&perPage=100"),
        ("GET", "/-/stage/6f1c2a50-8a8c-4f3e-9a53-2b5a0c9f7e11"),
        (
            "POST",
            "/-/stage/6f1c2a50-8a8c-4f3e-9a53-2b5a0c9f7e11/approve",
        ),
        ("DELETE", "/-/stage/6f1c2a50-8a8c-4f3e-9a53-2b5a0c9f7e11"),
        ("PUT", "/-/pnpm/v1/publish"),
        ("GET", "/-/package/@acme%2fleft-pad/trust"),
    ] {
        let request = registry.request(method, path);
        registry.refuses(&format!("{method} {path}"), &request, 404, "Not found");
    }
}

#[test]
fn the_hosts_root_answers_nothing_else_of_npms() {
    let registry = Registry::open();
    let visibility = "/-/package/@acme%2fleft-pad/visibility";
    let request = Request::get(visibility).bearer(&registry.token);
    let answer = registry.send(&request).expect_status(200).json();
    assert_eq!(answer, json!({"public": false}));
    for path in ["/-/whoami", "/-/ping", "/@acme%2fleft-pad"] {
        let answer = registry.send(&Request::get(path).bearer(&registry.token));
        assert_ne!(answer.status, 200, "{path}");
        let _json: Value = answer.json();
    }
}
