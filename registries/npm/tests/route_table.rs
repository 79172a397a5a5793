//! Every request shape, and what it is taken for.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot be set up has failed"
)]

use http::{HeaderMap, Method};
use packhouse_core::policy::Need;
use packhouse_core::{Fault, Registry};
use packhouse_names::Login;
use packhouse_npm::Npm;
use packhouse_wire::{BaseUrl, Head, Path};

fn head(method: &str, target: &str) -> Head {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Head {
        method: Method::from_bytes(method.as_bytes()).unwrap(),
        path: Path::parse(path).unwrap(),
        query: query.to_owned(),
        headers: HeaderMap::new(),
        base: BaseUrl::new("https://npm.example").unwrap(),
    }
}

fn npm() -> Npm {
    Npm::new(Some(Login::new("legacy").unwrap()))
}

/// `LABEL | NEED`, or the fault.
fn routed(npm: &Npm, method: &str, target: &str) -> String {
    match npm.route(&head(method, target)) {
        Ok(call) => {
            assert!(npm.routes().contains(&call.label()), "{}", call.label());
            format!("{} | {}", call.label(), need(call.need()))
        }
        Err(fault) => fault.to_string(),
    }
}

fn need(need: &Need) -> String {
    let (word, package) = match need {
        Need::Greet => return "Greet".to_owned(),
        Need::SignIn => return "SignIn".to_owned(),
        Need::Oneself => return "Oneself".to_owned(),
        Need::Tokens => return "Tokens".to_owned(),
        Need::Browse(None) => return "Browse".to_owned(),
        Need::Browse(Some(namespace)) => return format!("Browse {}", namespace.owner),
        Need::SeeOrganization(org) => return format!("SeeOrganization {org}"),
        Need::ManageOrganization(org) => return format!("ManageOrganization {org}"),
        Need::Manage(package) => ("Manage", package),
        Need::Read(package) => ("Read", package),
        Need::Publish(package) => ("Publish", package),
        Need::Curate(package) => ("Curate", package),
        other => panic!("npm needs no {other:?}"),
    };
    format!(
        "{word} {} of {} as {}",
        package.key, package.namespace.owner, package.name
    )
}

const NO_ROUTE: &str = "no such route";
const URL_FRIENDLY: &str =
    "invalid name: the package name holds characters that need escaping in a URL";

#[test]
fn every_request_shape_is_recognized() {
    let npm = npm();
    for (method, target, expected) in [
        // the spellings of one name
        ("GET", "/@s%2fn", "GET /{package} | Read @s/n of s as @s/n"),
        ("GET", "/@s%2Fn", "GET /{package} | Read @s/n of s as @s/n"),
        ("GET", "/@s/n", "GET /{package} | Read @s/n of s as @s/n"),
        (
            "GET",
            "/%40s%2Fn",
            "GET /{package} | Read @s/n of s as @s/n",
        ),
        ("GET", "/%40s/n", "GET /{package} | Read @s/n of s as @s/n"),
        (
            "GET",
            "/@s%252fn",
            "GET /{package} | Read @s/n of s as @s/n",
        ),
        (
            "GET",
            "/%2540s%252Fn",
            "GET /{package} | Read @s/n of s as @s/n",
        ),
        ("GET", "//@s//n/", "GET /{package} | Read @s/n of s as @s/n"),
        ("GET", "/@S%2fN", "GET /{package} | Read @s/N of S as @S/N"),
        (
            "GET",
            "/@s%2fn?write=true",
            "GET /{package} | Read @s/n of s as @s/n",
        ),
        ("GET", "/n", "GET /{package} | Read n of legacy as n"),
        (
            "GET",
            "/JSONStream",
            "GET /{package} | Read JSONStream of legacy as JSONStream",
        ),
        ("GET", "/-", "GET /{package} | Read - of legacy as -"),
        ("GET", "/-x", "GET /{package} | Read -x of legacy as -x"),
        (
            "GET",
            "/@con%2f_x",
            "GET /{package} | Read @con/_x of con as @con/_x",
        ),
        // names that npm rejects
        ("GET", "/@x", "invalid name: a scope is not a package name"),
        (
            "GET",
            "/%40x",
            "invalid name: a scope is not a package name",
        ),
        (
            "GET",
            "/_x",
            "invalid name: the package name must not begin with a period or an underscore",
        ),
        ("GET", "/x%40y", URL_FRIENDLY),
        ("GET", "/x@y", URL_FRIENDLY),
        ("GET", "/@a%2fb%2fc", URL_FRIENDLY),
        ("GET", "/x%252fy", URL_FRIENDLY),
        (
            "GET",
            "/favicon.ico",
            "invalid name: the package name is not allowed",
        ),
        // a scope that no account can have
        ("GET", "/@api%2fn", "package `@api/n` not found"),
        ("PUT", "/@api%2fn", "package `@api/n` not found"),
        // versions and tarballs
        (
            "GET",
            "/@s%2fn/1.0.0",
            "GET /{package}/{version} | Read @s/n of s as @s/n",
        ),
        (
            "GET",
            "/@s/n/latest",
            "GET /{package}/{version} | Read @s/n of s as @s/n",
        ),
        (
            "GET",
            "/n/latest",
            "GET /{package}/{version} | Read n of legacy as n",
        ),
        (
            "GET",
            "/@s/n/-/n-1.0.0.tgz",
            "GET /{package}/-/{file} | Read @s/n of s as @s/n",
        ),
        (
            "GET",
            "/@s%2fn/-/n-1.0.0.tgz",
            "GET /{package}/-/{file} | Read @s/n of s as @s/n",
        ),
        (
            "GET",
            "/@s/n/-/@s/n-1.0.0.tgz",
            "GET /{package}/-/{file} | Read @s/n of s as @s/n",
        ),
        (
            "GET",
            "/@s/n/-/@s%2fn-1.0.0.tgz",
            "GET /{package}/-/{file} | Read @s/n of s as @s/n",
        ),
        (
            "GET",
            "/n/-/n-1.0.0.tgz",
            "GET /{package}/-/{file} | Read n of legacy as n",
        ),
        ("GET", "/-/-/--1.0.0.tgz", NO_ROUTE),
        ("GET", "/@s/n/-/a/b/c.tgz", NO_ROUTE),
        ("GET", "/@s/n/a/b", NO_ROUTE),
        // publish and what follows it
        (
            "PUT",
            "/@s%2fn",
            "PUT /{package} | Publish @s/n of s as @s/n",
        ),
        ("PUT", "/@s/n", "PUT /{package} | Publish @s/n of s as @s/n"),
        (
            "PUT",
            "/JSONStream-x",
            "PUT /{package} | Publish JSONStream-x of legacy as JSONStream-x",
        ),
        (
            "PUT",
            "/@s%2fN",
            "invalid name: the package name must be in lower case",
        ),
        (
            "PUT",
            "/http",
            "invalid name: the package name is the name of a module that comes with Node",
        ),
        (
            "PUT",
            "/@s%2fn/-rev/7-abc",
            "PUT /{package}/-rev/{rev} | Read @s/n of s as @s/n",
        ),
        (
            "DELETE",
            "/@s/n/-rev/7-abc",
            "DELETE /{package}/-rev/{rev} | Curate @s/n of s as @s/n",
        ),
        (
            "DELETE",
            "/n/-rev/undefined",
            "DELETE /{package}/-rev/{rev} | Curate n of legacy as n",
        ),
        (
            "DELETE",
            "/@s/n/-/n-1.0.0.tgz/-rev/8-abc",
            "DELETE /{package}/-/{file}/-rev/{rev} | Curate @s/n of s as @s/n",
        ),
        (
            "DELETE",
            "/@s/n/-/@s/n-1.0.0.tgz/-rev/8-abc",
            "DELETE /{package}/-/{file}/-rev/{rev} | Curate @s/n of s as @s/n",
        ),
        ("DELETE", "/@s/n", NO_ROUTE),
        ("POST", "/@s/n", NO_ROUTE),
        ("PUT", "/@s/n/latest", NO_ROUTE),
        // tags
        (
            "GET",
            "/-/package/@s%2fn/dist-tags",
            "GET /-/package/{package}/dist-tags | Read @s/n of s as @s/n",
        ),
        (
            "GET",
            "/-/package/@s/n/dist-tags",
            "GET /-/package/{package}/dist-tags | Read @s/n of s as @s/n",
        ),
        (
            "GET",
            "//-/package/n/dist-tags",
            "GET /-/package/{package}/dist-tags | Read n of legacy as n",
        ),
        (
            "PUT",
            "/-/package/@s%2fn/dist-tags/next",
            "PUT /-/package/{package}/dist-tags/{tag} | Publish @s/n of s as @s/n",
        ),
        (
            "DELETE",
            "/-/package/@s%2fn/dist-tags/con",
            "DELETE /-/package/{package}/dist-tags/{tag} | Publish @s/n of s as @s/n",
        ),
        (
            "PUT",
            "/-/package/@s%2fn/dist-tags/1.x",
            "invalid tag: Tag name must not be a valid SemVer range: 1.x",
        ),
        (
            "PUT",
            "/-/package/@s%2fn/dist-tags/a%2fb",
            "invalid tag: a tag must not be empty nor hold characters that need escaping in a URL",
        ),
        (
            "PUT",
            "/-/package/@s%2fn/dist-tags",
            "PUT /-/package/{package}/dist-tags | Greet",
        ),
        (
            "POST",
            "/-/package/n/dist-tags",
            "POST /-/package/{package}/dist-tags | Greet",
        ),
        ("GET", "/-/package/@s%2fn", NO_ROUTE),
        ("GET", "/-/package", NO_ROUTE),
        // accounts and tokens
        ("GET", "/-/ping?write=true", "GET /-/ping | Greet"),
        ("GET", "/-/whoami", "GET /-/whoami | Oneself"),
        (
            "PUT",
            "/-/user/org.couchdb.user:ann",
            "PUT /-/user/{user} | SignIn",
        ),
        (
            "PUT",
            "/-/user/org.couchdb.user%3Aann",
            "PUT /-/user/{user} | SignIn",
        ),
        (
            "PUT",
            "/-/user/org.couchdb.user:ann/-rev/1-x",
            "PUT /-/user/{user}/-rev/{rev} | SignIn",
        ),
        ("PUT", "/-/user/ann", NO_ROUTE),
        (
            "GET",
            "/-/user/org.couchdb.user:ann",
            "GET /-/user/{user} | Oneself",
        ),
        (
            "DELETE",
            "/-/user/token/phk_x",
            "DELETE /-/user/token/{token} | Oneself",
        ),
        (
            "GET",
            "/-/npm/v1/tokens?page=0",
            "GET /-/npm/v1/tokens | Tokens",
        ),
        ("POST", "/-/npm/v1/tokens", "POST /-/npm/v1/tokens | Tokens"),
        (
            "DELETE",
            "/-/npm/v1/tokens/token/7",
            "DELETE /-/npm/v1/tokens/token/{key} | Tokens",
        ),
        // advisories
        (
            "POST",
            "/-/npm/v1/security/advisories/bulk",
            "POST /-/npm/v1/security/advisories/bulk | Greet",
        ),
        (
            "POST",
            "/-/npm/v1/security/audits/quick",
            "POST /-/npm/v1/security/audits/quick | Greet",
        ),
        (
            "POST",
            "/-/npm/v1/security/audits",
            "POST /-/npm/v1/security/audits | Greet",
        ),
        ("GET", "/-/npm/v1/keys", "GET /-/npm/v1/keys | Greet"),
        (
            "GET",
            "/-/npm/v1/attestations/@s%2fn@1.0.0",
            "GET /-/npm/v1/attestations/{package}@{version} | Read @s/n of s as @s/n",
        ),
        (
            "GET",
            "/-/npm/v1/attestations/@s/n@1.0.0",
            "GET /-/npm/v1/attestations/{package}@{version} | Read @s/n of s as @s/n",
        ),
        (
            "GET",
            "/-/npm/v1/attestations/@s%252fn@1.0.0",
            "GET /-/npm/v1/attestations/{package}@{version} | Read @s/n of s as @s/n",
        ),
        (
            "GET",
            "/-/npm/v1/attestations/n@1.0.0",
            "GET /-/npm/v1/attestations/{package}@{version} | Read n of legacy as n",
        ),
        (
            "GET",
            "/-/npm/v1/attestations/@s%2fn",
            "invalid name: the package name is empty",
        ),
        ("GET", "/-/npm/v1/attestations/n", NO_ROUTE),
        ("GET", "/-/npm/v1/attestations", NO_ROUTE),
        // what we do not have
        ("GET", "/", NO_ROUTE),
        ("GET", "/-/all", NO_ROUTE),
        ("GET", "/-/v1/search?text=x", "GET /-/v1/search | Browse"),
        ("GET", "/-/pnpr", NO_ROUTE),
        ("PUT", "/-/user/v1/star", NO_ROUTE),
        (
            "POST",
            "/-/npm/v1/oidc/token/exchange/package/@s%2fn",
            NO_ROUTE,
        ),
    ] {
        assert_eq!(routed(&npm, method, target), expected, "{method} {target}");
    }
}

#[test]
fn without_an_owner_unscoped_names_are_not_there_and_cannot_be_published() {
    let npm = Npm::new(None);
    assert_eq!(routed(&npm, "GET", "/n"), "package `n` not found");
    assert_eq!(
        routed(&npm, "GET", "/n/-/n-1.0.0.tgz"),
        "package `n` not found"
    );
    assert_eq!(routed(&npm, "PUT", "/n"), "PUT /{package} | Greet");
    assert_eq!(
        routed(&npm, "PUT", "/@s%2fn"),
        "PUT /{package} | Publish @s/n of s as @s/n"
    );
}

#[test]
fn every_label_is_reached_by_a_request() {
    let npm = npm();
    for label in npm.routes() {
        let (method, pattern) = label.split_once(' ').unwrap();
        let path = pattern
            .replace("{package}", "@s%2fn")
            .replace("{version}", "1.0.0")
            .replace("{file}", "n-1.0.0.tgz")
            .replace("{rev}", "1-0")
            .replace("{tag}", "next")
            .replace("{user}", "org.couchdb.user:ann")
            .replace("{token}", "phk_x")
            .replace("{key}", "7")
            .replace("{login}", "x")
            .replace("{owner}", "ann")
            .replace("{org}", "acme")
            .replace("{team}", "web");
        let call = npm.route(&head(method, &path)).unwrap();
        assert_eq!(call.label(), *label);
    }
}

#[test]
fn a_name_is_read_as_people_spell_it() {
    let npm = npm();
    let (name, key) = npm.name("@Acme/widget").unwrap();
    assert_eq!(
        (name.as_str(), key.as_str()),
        ("@Acme/widget", "@acme/widget")
    );
    assert!(matches!(npm.name("_x"), Err(Fault::Invalid { .. })));
}

mod properties {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_target_is_answered_without_a_panic(
            method in proptest::sample::select(&["GET", "PUT", "POST", "DELETE", "PATCH"][..]),
            target in "(/(-|-rev|@|package|user|dist-tags|%2f|%40|[ -~]{0,6}|é)){0,6}",
        ) {
            if let Ok(path) = Path::parse(&target) {
                let head = Head { path, ..head(method, "/") };
                if let Ok(call) = npm().route(&head) {
                    prop_assert!(npm().routes().contains(&call.label()));
                }
            }
        }
    }
}

#[test]
fn what_is_asked_about_people() {
    let npm = npm();
    let of_package = "of s as @s/n";
    for (method, target, label, need) in [
        ("POST", "/-/v1/login", "POST /-/v1/login", "SignIn"),
        ("GET", "/-/v1/done?authId=x", "GET /-/v1/done", "SignIn"),
        (
            "GET",
            "/-/v1/login/x?code=y",
            "GET /-/v1/login/{login}",
            "SignIn",
        ),
        (
            "POST",
            "/-/v1/login/x",
            "POST /-/v1/login/{login}",
            "SignIn",
        ),
        ("GET", "/-/npm/v1/user", "GET /-/npm/v1/user", "Oneself"),
        ("POST", "/-/npm/v1/user", "POST /-/npm/v1/user", "Oneself"),
        (
            "GET",
            "/-/_view/starredByUser?key=%22ann%22",
            "GET /-/_view/starredByUser",
            "Browse",
        ),
        (
            "GET",
            "/-/org/acme/package",
            "GET /-/org/{org}/package",
            "Browse acme",
        ),
        (
            "GET",
            "/-/user/ann/package",
            "GET /-/user/{owner}/package",
            "Browse ann",
        ),
        (
            "GET",
            "/-/org/acme/user",
            "GET /-/org/{org}/user",
            "SeeOrganization acme",
        ),
        (
            "PUT",
            "/-/org/acme/user",
            "PUT /-/org/{org}/user",
            "ManageOrganization acme",
        ),
        (
            "DELETE",
            "/-/org/acme/user",
            "DELETE /-/org/{org}/user",
            "ManageOrganization acme",
        ),
        (
            "GET",
            "/-/org/acme/team?format=cli",
            "GET /-/org/{org}/team",
            "SeeOrganization acme",
        ),
        (
            "PUT",
            "/-/org/acme/team",
            "PUT /-/org/{org}/team",
            "ManageOrganization acme",
        ),
        (
            "DELETE",
            "/-/team/acme/web",
            "DELETE /-/team/{org}/{team}",
            "ManageOrganization acme",
        ),
        (
            "GET",
            "/-/team/acme/web/user",
            "GET /-/team/{org}/{team}/user",
            "SeeOrganization acme",
        ),
        (
            "PUT",
            "/-/team/acme/web/user",
            "PUT /-/team/{org}/{team}/user",
            "ManageOrganization acme",
        ),
        (
            "DELETE",
            "/-/team/acme/web/user",
            "DELETE /-/team/{org}/{team}/user",
            "ManageOrganization acme",
        ),
        (
            "GET",
            "/-/team/acme/web/package",
            "GET /-/team/{org}/{team}/package",
            "SeeOrganization acme",
        ),
        (
            "PUT",
            "/-/team/acme/web/package",
            "PUT /-/team/{org}/{team}/package",
            "SeeOrganization acme",
        ),
        (
            "DELETE",
            "/-/team/acme/web/package",
            "DELETE /-/team/{org}/{team}/package",
            "SeeOrganization acme",
        ),
    ] {
        let expected = format!("{label} | {need}");
        assert_eq!(routed(&npm, method, target), expected, "{method} {target}");
    }
    for (method, rest, label, need) in [
        ("GET", "visibility", "visibility", "Read"),
        ("POST", "access", "access", "Manage"),
        ("GET", "collaborators", "collaborators", "Publish"),
        ("GET", "owners", "owners", "Read"),
        ("PUT", "owners", "owners", "Manage"),
        ("DELETE", "owners/ann", "owners/{owner}", "Manage"),
    ] {
        for name in ["@s%2fn", "@s/n"] {
            let target = format!("/-/package/{name}/{rest}");
            let expected =
                format!("{method} /-/package/{{package}}/{label} | {need} @s/n {of_package}");
            assert_eq!(routed(&npm, method, &target), expected, "{target}");
        }
    }
    for (method, target) in [
        ("PUT", "/-/v1/login"),
        ("POST", "/-/v1/done"),
        ("GET", "/-/v1/login/x/y"),
        ("GET", "/-/org/acme"),
        ("GET", "/-/org/a%20b/user"),
        ("POST", "/-/org/acme/user"),
        ("PUT", "/-/org/acme/package"),
        ("GET", "/-/team/acme/web"),
        ("GET", "/-/team/acme/a%2fb/user"),
        ("POST", "/-/team/acme/web/package"),
        ("PUT", "/-/package/@s%2fn/access"),
        ("DELETE", "/-/package/@s%2fn/owners"),
    ] {
        assert_eq!(routed(&npm, method, target), NO_ROUTE, "{method} {target}");
    }
}
