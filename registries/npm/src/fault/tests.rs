use std::time::Duration;

use http::{HeaderMap, Method};
use packhouse_names::Login;
use packhouse_wire::{BaseUrl, Content, Path};

use super::*;

fn head(method: Method, path: &str) -> Head {
    Head {
        method,
        path: Path::parse(path).unwrap(),
        query: String::new(),
        headers: HeaderMap::new(),
        base: BaseUrl::new("https://npm.example").unwrap(),
    }
}

/// Status, headers besides the content's type, and body.
fn shown(reply: &Reply) -> String {
    let mut lines = vec![reply.status.to_string()];
    for (name, value) in &reply.headers {
        if name == header::CONTENT_TYPE {
            assert_eq!(value, "application/json");
        } else {
            lines.push(format!("{name}: {}", value.to_str().unwrap()));
        }
    }
    let Content::Bytes(bytes) = &reply.content else {
        panic!("an error has a body");
    };
    lines.push(String::from_utf8(bytes.to_vec()).unwrap());
    lines.join("\n")
}

fn worded(fault: &Fault, method: Method, path: &str) -> String {
    let npm = Npm::new(Some(Login::new("legacy").unwrap()));
    shown(&reply(&npm, fault, &head(method, path)))
}

fn needed(method: &Method, path: &str) -> Box<Need> {
    let npm = Npm::new(None);
    Box::new(
        npm.route(&head(method.clone(), path))
            .unwrap()
            .need()
            .clone(),
    )
}

#[test]
fn what_is_not_found_is_worded_by_what_was_wanted_and_how() {
    let package = || Fault::not_found(Thing::Package, "@s/n");
    let not_found = "404 Not Found\n{\"error\":\"Not found\",\"message\":\"Not found\"}";
    for (fault, method, path, expected) in [
        (Fault::NoRoute, Method::GET, "/-/all", not_found),
        (package(), Method::GET, "/@s%2fn", not_found),
        (
            package(),
            Method::PUT,
            "/@s%2fn",
            "403 Forbidden\n{\"error\":\"Permission permission_denied: create_package\",\"message\":\"package `@s/n` not found\"}",
        ),
        (
            package(),
            Method::PUT,
            "/@s%2fn/-rev/1-0",
            "403 Forbidden\n{\"error\":\"Permission permission_denied: write_package\",\"message\":\"package `@s/n` not found\"}",
        ),
        (
            package(),
            Method::DELETE,
            "/@s%2fn/-rev/1-0",
            "403 Forbidden\n{\"error\":\"Permission permission_denied: delete_package\",\"message\":\"package `@s/n` not found\"}",
        ),
        (
            Fault::not_found(Thing::Account, "s"),
            Method::PUT,
            "/@s%2fn",
            "403 Forbidden\n{\"error\":\"Permission permission_denied: create_package\",\"message\":\"account `s` not found\"}",
        ),
        (
            Fault::not_found(Thing::Account, "ann"),
            Method::GET,
            "/-/user/org.couchdb.user:ann",
            not_found,
        ),
        (
            Fault::not_found(Thing::Version, "9.9.9"),
            Method::GET,
            "/@s%2fn/9.9.9",
            "404 Not Found\n{\"error\":\"version not found: 9.9.9\",\"message\":\"version not found: 9.9.9\"}",
        ),
        (
            Fault::not_found(Thing::Version, "9.9.9"),
            Method::PUT,
            "/-/package/@s%2fn/dist-tags/next",
            "404 Not Found\n{\"error\":\"version not found: 9.9.9\",\"message\":\"version not found: 9.9.9\"}",
        ),
        (
            Fault::not_found(Thing::File, "x.tgz"),
            Method::GET,
            "/@s%2fn/-/x.tgz",
            not_found,
        ),
        (
            Fault::not_found(Thing::Tag, "next"),
            Method::DELETE,
            "/-/package/@s%2fn/dist-tags/next",
            not_found,
        ),
        (
            Fault::not_found(Thing::Token, ""),
            Method::DELETE,
            "/-/npm/v1/tokens/token/7",
            not_found,
        ),
    ] {
        assert_eq!(worded(&fault, method, path), expected);
    }
}

#[test]
fn nobody_and_somebody_wrong_are_challenged_by_how_they_came() {
    let (method, path) = (Method::GET, "/@s%2fn");
    let need = needed(&method, path);
    for (why, expected) in [
        (
            Unproven::NotPublic,
            "404 Not Found\n{\"error\":\"Not found\",\"message\":\"Not found\"}",
        ),
        (
            Unproven::Missing,
            "401 Unauthorized\nwww-authenticate: Bearer realm=\"packhouse\"\nnpm-notice: Send an access token for this registry\n{\"error\":\"authentication required\",\"message\":\"Send an access token for this registry\"}",
        ),
        (
            Unproven::Invalid(Scheme::Bearer),
            "401 Unauthorized\nwww-authenticate: Bearer realm=\"packhouse\", error=\"invalid_token\"\nnpm-notice: The access token is wrong, expired or revoked\n{\"error\":\"Bad credentials\",\"message\":\"The access token is wrong, expired or revoked\"}",
        ),
        (
            Unproven::Invalid(Scheme::Basic),
            "401 Unauthorized\nwww-authenticate: Basic realm=\"packhouse\"\nnpm-notice: The access token is wrong, expired or revoked\n{\"error\":\"Bad credentials\",\"message\":\"The access token is wrong, expired or revoked\"}",
        ),
    ] {
        let need = need.clone();
        let fault = Fault::Unauthenticated { need, why };
        assert_eq!(worded(&fault, method.clone(), path), expected);
    }
    let fault = Fault::Unauthenticated {
        need: Box::new(Need::SignIn),
        why: Unproven::Invalid(Scheme::Basic),
    };
    assert_eq!(
        worded(&fault, Method::PUT, "/-/user/org.couchdb.user:ann"),
        "401 Unauthorized\nwww-authenticate: Basic realm=\"packhouse\"\nnpm-notice: Accounts have no passwords here: use an access token as the password\n{\"error\":\"Bad credentials\",\"message\":\"Accounts have no passwords here: use an access token as the password\"}"
    );
}

#[test]
fn a_denial_names_the_permission_and_what_lacks() {
    for (method, path, lack, expected) in [
        (
            Method::GET,
            "/@s%2fn",
            Lack::Scope,
            "403 Forbidden\n{\"error\":\"Permission permission_denied: read_package\",\"message\":\"your token lacks the scope for it\"}",
        ),
        (
            Method::PUT,
            "/@s%2fn",
            Lack::Role,
            "403 Forbidden\n{\"error\":\"Permission permission_denied: write_package\",\"message\":\"your role on this package does not allow it\"}",
        ),
        (
            Method::DELETE,
            "/@s%2fn/-rev/1-0",
            Lack::Role,
            "403 Forbidden\n{\"error\":\"Permission permission_denied: delete_package\",\"message\":\"your role on this package does not allow it\"}",
        ),
        (
            Method::POST,
            "/-/npm/v1/tokens",
            Lack::Scope,
            "403 Forbidden\n{\"error\":\"Permission permission_denied: manage_tokens\",\"message\":\"your token lacks the scope for it\"}",
        ),
    ] {
        let need = needed(&method, path);
        assert_eq!(
            worded(&Fault::Denied { need, lack }, method, path),
            expected
        );
    }
}

#[test]
fn every_other_fault_has_its_status_and_words() {
    for (fault, expected) in [
        (
            Fault::Conflict("1.1.0".to_owned()),
            "409 Conflict\n{\"error\":\"Cannot publish over existing version\",\"message\":\"You cannot publish over the previously published versions: 1.1.0.\"}",
        ),
        (
            Fault::Stale,
            "409 Conflict\n{\"error\":\"Document update conflict\",\"message\":\"the package has changed since it was read\"}",
        ),
        (
            Fault::Held("it".to_owned()),
            "409 Conflict\n{\"error\":\"it cannot be deleted\",\"message\":\"it cannot be deleted\"}",
        ),
        (
            Fault::invalid("name", "package in URL does not match body"),
            "400 Bad Request\n{\"error\":\"package in URL does not match body\",\"message\":\"package in URL does not match body\"}",
        ),
        (
            Fault::TooLarge { limit: 268_435_456 },
            "413 Payload Too Large\n{\"error\":\"payload too large: limit 268435456 bytes\",\"message\":\"payload too large: limit 268435456 bytes\"}",
        ),
        (
            Fault::Busy(Duration::from_millis(1)),
            "503 Service Unavailable\nretry-after: 1\n{\"error\":\"the registry is busy\",\"message\":\"try again in 0 s\"}",
        ),
        (
            Fault::internal("a secret of the database"),
            "500 Internal Server Error\n{\"error\":\"internal error\",\"message\":\"internal error\"}",
        ),
    ] {
        assert_eq!(worded(&fault, Method::PUT, "/@s%2fn"), expected);
    }
}

#[test]
fn what_only_npm_refuses_has_its_words_too() {
    for (refusal, expected) in [
        (
            Refusal::Unscoped,
            "403 Forbidden\n{\"error\":\"Only scoped packages (@owner/name) can be published to this registry\",\"message\":\"Only scoped packages (@owner/name) can be published to this registry\"}",
        ),
        (
            Refusal::BulkTags,
            "405 Method Not Allowed\nallow: GET, HEAD\n{\"error\":\"Tags are set and removed one at a time\",\"message\":\"Tags are set and removed one at a time\"}",
        ),
        (
            Refusal::LatestTag,
            "403 Forbidden\n{\"error\":\"cannot delete the latest tag\",\"message\":\"cannot delete the latest tag\"}",
        ),
        (
            Refusal::MediaType,
            "415 Unsupported Media Type\n{\"error\":\"the body must be application/json\",\"message\":\"the body must be application/json\"}",
        ),
        (
            Refusal::Owners,
            "403 Forbidden\n{\"error\":\"Owners are changed on a revision of the package, or one at a time\",\"message\":\"Owners are changed on a revision of the package, or one at a time\"}",
        ),
        (
            Refusal::Profile,
            "403 Forbidden\n{\"error\":\"Profiles are changed by the administrator of this registry\",\"message\":\"Profiles are changed by the administrator of this registry\"}",
        ),
        (
            Refusal::SecondFactor,
            "422 Unprocessable Entity\n{\"error\":\"This registry has no second factor to ask for\",\"message\":\"This registry has no second factor to ask for\"}",
        ),
        (
            Refusal::PublicForGood,
            "422 Unprocessable Entity\n{\"error\":\"A public package stays public: others may depend on it\",\"message\":\"A public package stays public: others may depend on it\"}",
        ),
        (
            Refusal::TeamTaken,
            "409 Conflict\n{\"error\":\"The team exists already\",\"message\":\"The team exists already\"}",
        ),
        (
            Refusal::Logins,
            "429 Too Many Requests\nretry-after: 60\n{\"error\":\"Too many logins wait for their answer: try again in a few minutes\",\"message\":\"Too many logins wait for their answer: try again in a few minutes\"}",
        ),
    ] {
        assert_eq!(shown(&refusal.reply()), expected);
    }
}
