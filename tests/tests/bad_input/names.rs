//! Names, versions and tags that nobody may publish, and addresses that are none.

use packhouse_testkit::http::Request;
use packhouse_testkit::npm::publish_document;

use crate::registry::{MOUNT, NAME, Registry, address, honest};

#[test]
fn a_name_that_may_not_be_published_is_refused_with_its_rule() {
    let registry = Registry::open();
    let long = format!("@acme/{}", "a".repeat(209));
    for (name, error) in [
        ("@acme/Left-Pad", "the package name must be in lower case"),
        ("@ACME/left-pad", "the package name must be in lower case"),
        (
            "@acme/.left-pad",
            "the package name must not begin with a period, and its scope not with an underscore",
        ),
        (
            "@acme/left~pad",
            "the package name must not hold any of ~'!()*",
        ),
        (
            "@acme/left'pad",
            "the package name must not hold any of ~'!()*",
        ),
        (
            "@acme/left(pad)",
            "the package name must not hold any of ~'!()*",
        ),
        (
            "@acme/left*pad",
            "the package name must not hold any of ~'!()*",
        ),
        (
            "@acme/left!pad",
            "the package name must not hold any of ~'!()*",
        ),
        (
            "@.acme/left-pad",
            "the package name must not begin with a period, and its scope not with an underscore",
        ),
        (
            "@_acme/left-pad",
            "the package name must not begin with a period, and its scope not with an underscore",
        ),
        (
            "@acme/left..pad",
            "the package name must not hold two periods in a row",
        ),
        (
            "@ac..me/left-pad",
            "the package name must not hold two periods in a row",
        ),
        (
            "@acme/__proto__",
            "the package name means something else to JavaScript",
        ),
        (
            "@acme/constructor",
            "the package name means something else to JavaScript",
        ),
        (
            "@acme/prototype",
            "the package name means something else to JavaScript",
        ),
        (
            long.as_str(),
            "the package name is longer than 214 characters",
        ),
    ] {
        let document = publish_document(name, "1.0.0", &honest(name, "1.0.0"));
        registry.refuses(name, &registry.put(name, &document), 400, error);
    }
    let unscoped = publish_document("left-pad", "1.0.0", &honest("left-pad", "1.0.0"));
    registry.refuses(
        "without a scope",
        &registry.put("left-pad", &unscoped),
        403,
        "Only scoped packages (@owner/name) can be published to this registry",
    );
}

#[test]
fn a_name_without_a_scope_has_rules_of_its_own() {
    let registry = Registry::open_with_unscoped_names();
    for (name, error) in [
        (
            "http",
            "the package name is the name of a module that comes with Node",
        ),
        (
            "fs",
            "the package name is the name of a module that comes with Node",
        ),
        (
            "constructor",
            "the package name means something else to JavaScript",
        ),
        (
            "__proto__",
            "the package name must not begin with a period or an underscore",
        ),
        (
            "prototype",
            "the package name means something else to JavaScript",
        ),
        (
            "left..pad",
            "the package name must not hold two periods in a row",
        ),
        ("left~pad", "the package name must not hold any of ~'!()*"),
        ("favicon.ico", "the package name is not allowed"),
        ("node_modules", "the package name is not allowed"),
        (
            "_left-pad",
            "the package name must not begin with a period or an underscore",
        ),
    ] {
        let document = publish_document(name, "1.0.0", &honest(name, "1.0.0"));
        registry.refuses(name, &registry.put(name, &document), 400, error);
    }
    // old names are of this kind, and Windows' devices are names like any other
    for name in [
        "JSONStream",
        "nul",
        "con",
        "aux",
        "com1",
        "-",
        "-x",
        "@acme/_x",
        "@acme/-x",
        "@acme/nul",
        "@acme/aux.js",
        "@acme/http",
        "@acme/node_modules",
    ] {
        let tarball = honest(name, "1.0.0");
        let mut document = publish_document(name, "1.0.0", &tarball);
        // tags may be called like devices, too
        document["dist-tags"] = serde_json::json!({"aux": "1.0.0", "con": "1.0.0"});
        let _created = registry
            .send(&registry.put(name, &document))
            .expect_status(201);
        let packument = registry.packument(name);
        assert_eq!(packument["name"], name);
        assert_eq!(packument["dist-tags"]["con"], "1.0.0");
        if name == "-" {
            // whatever lies below `/-/` is the registry's own
            continue;
        }
        let unscoped = name.rsplit('/').next().unwrap();
        let path = format!("{}/-/{unscoped}-1.0.0.tgz", address(name));
        let download = registry.send(&registry.request("GET", &path));
        assert!(download.body == tarball, "{name}: other bytes came back");
    }
}

#[test]
fn an_old_name_can_be_asked_for() {
    let registry = Registry::open_with_unscoped_names();
    let long = "a".repeat(215);
    for name in [
        "Left-Pad",
        "@acme/Left-Pad",
        "@ACME/other",
        "left~pad",
        "it's",
        "a(b)!*",
        "http",
        "constructor",
        "left..pad",
        &long,
    ] {
        let request = registry.request("GET", &address(name));
        registry.refuses(name, &request, 404, "Not found");
    }
}

#[test]
fn a_name_that_npm_itself_rejects_is_refused_for_reading_and_writing() {
    let registry = Registry::open();
    for (written, error) in [
        (
            "_x",
            "the package name must not begin with a period or an underscore",
        ),
        (
            ".x",
            "the package name must not begin with a period or an underscore",
        ),
        (
            "x@y",
            "the package name holds characters that need escaping in a URL",
        ),
        (
            "x:y",
            "the package name holds characters that need escaping in a URL",
        ),
        (
            "%20x",
            "the package name holds characters that need escaping in a URL",
        ),
        (
            "x%20",
            "the package name holds characters that need escaping in a URL",
        ),
        (
            "%C3%A9",
            "the package name holds characters that need escaping in a URL",
        ),
        (
            "%5Fx",
            "the package name must not begin with a period or an underscore",
        ),
        (
            "x%40y",
            "the package name holds characters that need escaping in a URL",
        ),
        ("%40x", "a scope is not a package name"),
        ("@x", "a scope is not a package name"),
        ("node_modules", "the package name is not allowed"),
        ("favicon.ico", "the package name is not allowed"),
        ("@acme", "a scope is not a package name"),
        (
            "@acme%2f",
            "the package name holds characters that need escaping in a URL",
        ),
        (
            "@%2fx",
            "the package name holds characters that need escaping in a URL",
        ),
        (
            "@acme%2fa%2fb",
            "the package name holds characters that need escaping in a URL",
        ),
        (
            "@acme%2fx%3Fy",
            "the package name holds characters that need escaping in a URL",
        ),
        (
            "@acme%2fx%23y",
            "the package name holds characters that need escaping in a URL",
        ),
        (
            "@acme%2fx%25y",
            "the package name holds characters that need escaping in a URL",
        ),
    ] {
        for method in ["GET", "PUT"] {
            let request = registry.request(method, &format!("/{written}"));
            registry.refuses(&format!("{method} {written}"), &request, 400, error);
        }
    }
}

#[test]
fn an_address_that_a_file_system_would_obey_dies_before_anything_looks_at_it() {
    let registry = Registry::open();
    for path in [
        "/..%2f..%2fetc%2fpasswd",
        "/%2e%2e/left-pad",
        "/%2e%2e%2fleft-pad",
        "/@acme/../left-pad",
        "/@acme%2f..%2fleft-pad",
        "/@acme%2f%2e%2e",
        "/@acme/%2e",
        "/@acme%5cleft-pad",
        "/@acme/left-pad%5c..%5cx",
        "/@acme%2fleft-pad%00",
        "/%00",
        "/@acme%2fleft-pad/-/..%2fleft-pad-1.0.0.tgz",
        "/@acme%2fleft-pad/-/%2e%2e%2f%2e%2e%2fpackhouse.db",
        "/@acme%2fleft-pad/..",
        "/@acme%2fleft%0apad",
        "/@acme%2fleft%7fpad",
    ] {
        for method in ["GET", "PUT", "DELETE"] {
            let request = registry.request(method, path);
            registry.refuses(&format!("{method} {path}"), &request, 400, "bad request");
            let answer = registry.send(&request);
            assert_eq!(
                answer.json()["message"],
                "the path holds a control character, a backslash or a dot segment"
            );
        }
    }
    for path in ["/@acme%2fleft%ff", "/%c3%28"] {
        let request = registry.request("GET", path);
        registry.refuses(path, &request, 400, "bad request");
    }
    let long = format!("/{}", "a".repeat(9000));
    registry.refuses(
        "a long path",
        &registry.request("GET", &long),
        400,
        "bad request",
    );
    // decoded twice, it is still no path
    for (path, error) in [
        (
            "/@acme%252f..%252fleft-pad",
            "a scope is not a package name",
        ),
        ("/@acme%252f%252e%252e", "a scope is not a package name"),
        (
            "/..%252f..%252fetc",
            "the package name must not begin with a period or an underscore",
        ),
    ] {
        let request = registry.request("GET", path);
        registry.refuses(path, &request, 400, error);
    }
    // a raw NUL is not even a request
    let nul = Request::get(b"/_registry/npm/@acme%2fleft\0pad".as_slice()).bearer(&registry.token);
    let answer = registry.send(&nul);
    assert_eq!(answer.status, 400, "{answer}");
    let outside = registry.send(&Request::get("/../../etc/passwd"));
    assert_eq!(outside.status, 400, "{outside}");
    let _still_there = registry
        .send(&Request::get(format!("{MOUNT}{}", address(NAME))).bearer(&registry.token))
        .expect_status(200);
}

#[test]
fn a_version_that_is_none_is_refused() {
    let registry = Registry::open();
    let long = format!("1.0.0-{}", "a".repeat(251));
    for version in [
        "1",
        "1.2",
        "latest",
        "01.2.3",
        "1.2.03",
        "1.2.3-01",
        "1.2.3beta",
        "1.2.3.4",
        "9007199254740992.0.0",
        "-1.0.0",
        "1.0.0/..",
        "1.0.0 || 2.0.0",
        "*",
        "",
        long.as_str(),
    ] {
        let document = publish_document(NAME, version, &honest(NAME, version));
        let shown: String = version.chars().take(64).collect();
        let error = format!("invalid version: \"{shown}\"");
        registry.refuses(version, &registry.put(NAME, &document), 400, &error);
    }
}

#[test]
fn a_tag_that_could_be_taken_for_a_version_is_refused() {
    let registry = Registry::open();
    let long = "t".repeat(129);
    for (tag, written) in [
        ("1", "1"),
        ("1.x", "1.x"),
        ("v2", "v2"),
        ("*", "*"),
        ("x", "x"),
        ("~1", "~1"),
        ("^1", "%5E1"),
        (">1", "%3E1"),
        ("1.2.3", "1.2.3"),
        ("v1.2.3-rc.1", "v1.2.3-rc.1"),
        ("latest||x", "latest%7C%7Cx"),
        ("a b", "a%20b"),
        ("a/b", "a%2Fb"),
        (long.as_str(), long.as_str()),
    ] {
        let error = match tag {
            "^1" | ">1" | "latest||x" | "a b" | "a/b" => {
                "a tag must not be empty nor hold characters that need escaping in a URL".to_owned()
            }
            _ if tag == long => "tag is longer than 128 bytes".to_owned(),
            _ => format!("Tag name must not be a valid SemVer range: {tag}"),
        };
        let path = format!("/-/package{}/dist-tags/{written}", address(NAME));
        let put = registry
            .request("PUT", &path)
            .header("Content-Type", "application/json")
            .body("\"1.0.0\"");
        registry.refuses(&format!("PUT {tag}"), &put, 400, &error);

        let mut document = publish_document(NAME, "1.1.0", &honest(NAME, "1.1.0"));
        document["dist-tags"] = serde_json::json!({tag: "1.1.0"});
        registry.refuses(
            &format!("publish {tag}"),
            &registry.put(NAME, &document),
            400,
            &error,
        );
    }
    let mut document = publish_document(NAME, "1.1.0", &honest(NAME, "1.1.0"));
    document["dist-tags"] = serde_json::json!({"": "1.1.0"});
    let error = "a tag must not be empty nor hold characters that need escaping in a URL";
    registry.refuses(
        "publish an empty tag",
        &registry.put(NAME, &document),
        400,
        error,
    );
}
