use super::*;
use packhouse_core::fault::Fault;
use packhouse_core::registry::{Call, Registry};
use packhouse_names::{Ecosystem, NormalizedName, PackageName};
use packhouse_wire::{Head, Reply};
use std::sync::Arc;

/// Only an ecosystem: mounts ask nothing else.
struct Named(Ecosystem);

impl Registry for Named {
    fn ecosystem(&self) -> Ecosystem {
        self.0
    }
    fn routes(&self) -> &'static [&'static str] {
        &[]
    }
    fn route(&self, _head: &Head) -> Result<Call, Fault> {
        Err(Fault::NoRoute)
    }
    fn name(&self, _text: &str) -> Result<(PackageName, NormalizedName), Fault> {
        Err(Fault::NoRoute)
    }
    fn fault(&self, _fault: &Fault, _head: &Head) -> Reply {
        Reply::empty(http::StatusCode::NOT_FOUND)
    }
}

fn mounts(listen: &str, is_tls: bool, public_url: Option<&str>, domain: Option<&str>) -> Mounts {
    let listener = listen.parse().unwrap();
    let http = Http {
        listen: listener,
        public_url: public_url.map(|url| url.parse().unwrap()),
        domain: domain.map(|name| name.parse().unwrap()),
        docker_listen: None,
        docker_public_url: None,
        tls: None,
    };
    let registries = Registries::new(vec![
        Arc::new(Named(Ecosystem::Npm)),
        Arc::new(Named(Ecosystem::RubyGems)),
    ]);
    Mounts::new(&http, &Addresses { listener, is_tls }, &registries).unwrap()
}

/// `BASE | segments`, or `house | segments`.
fn found(mounts: &Mounts, host: &str, raw: &str) -> String {
    match mounts.find(Some(host), raw).unwrap() {
        Place::Registry { base, path, .. } => format!("{base} | {}", path.segments().join(" ")),
        Place::House { path } => format!("house | {}", path.segments().join(" ")),
    }
}

#[test]
fn a_host_header_only_picks_among_the_listeners_own_names() {
    let mounts = mounts("127.0.0.1:4873", false, None, None);
    for (host, base) in [
        ("127.0.0.1:4873", "http://127.0.0.1:4873"),
        ("localhost:4873", "http://localhost:4873"),
        ("LocalHost:4873", "http://localhost:4873"),
        ("evil.example.com", "http://127.0.0.1:4873"),
        ("localhost:1", "http://127.0.0.1:4873"),
        ("", "http://127.0.0.1:4873"),
    ] {
        assert_eq!(
            found(&mounts, host, "/_registry/npm/x"),
            format!("{base}/_registry/npm | x"),
            "{host}"
        );
    }
}

#[test]
fn a_listener_on_every_interface_or_the_usual_port_is_named_as_clients_name_it() {
    for (listen, is_tls, base) in [
        ("0.0.0.0:8080", false, "http://127.0.0.1:8080"),
        ("[::]:8080", false, "http://[::1]:8080"),
        ("192.0.2.7:80", false, "http://192.0.2.7"),
        ("192.0.2.7:443", true, "https://192.0.2.7"),
        ("192.0.2.7:80", true, "https://192.0.2.7:80"),
    ] {
        let mounts = mounts(listen, is_tls, None, None);
        assert_eq!(
            found(&mounts, "x", "/_registry/npm"),
            format!("{base}/_registry/npm | "),
            "{listen}"
        );
    }
}

#[test]
fn a_public_url_is_the_only_base_and_its_path_may_be_stripped_in_front() {
    let mounts = mounts(
        "127.0.0.1:1",
        false,
        Some("https://example.com/packages/"),
        None,
    );
    let base = "https://example.com/packages/_registry/npm";
    for raw in [
        "/packages/_registry/npm/@s%2fn",
        "/_registry/npm/@s%2fn",
        "/packages/_registry/npm/packages/_registry/npm/@s%2fn",
        "/packages/_registry/npm/_registry/npm/@s%2fn",
    ] {
        for host in ["example.com", "127.0.0.1:1"] {
            assert_eq!(found(&mounts, host, raw), format!("{base} | @s/n"), "{raw}");
        }
    }
    assert_eq!(
        found(&mounts, "example.com", "/packages/healthz"),
        "house | healthz"
    );
    assert_eq!(found(&mounts, "example.com", "/healthz"), "house | healthz");
}

#[test]
fn a_prefix_is_collapsed_once_and_only_as_a_prefix() {
    let mounts = mounts("127.0.0.1:1", false, None, None);
    let below = |raw: &str| {
        let found = found(&mounts, "127.0.0.1:1", raw);
        found.split_once(" | ").unwrap().1.to_owned()
    };
    assert_eq!(
        below("/_registry/npm/_registry/npm/@s/n/-/n-1.tgz"),
        "@s n - n-1.tgz"
    );
    assert_eq!(
        below("/_registry/npm/_registry/npm/_registry/npm/x"),
        "_registry npm x"
    );
    assert_eq!(below("/_registry/npm//-/package/x"), "- package x");
    assert_eq!(
        below("/_registry/rubygems/_registry/npm/x"),
        "_registry npm x"
    );
    assert_eq!(
        found(&mounts, "127.0.0.1:1", "/_registry/maven/x"),
        "house | _registry maven x"
    );
    assert_eq!(found(&mounts, "127.0.0.1:1", "/npm/x"), "house | npm x");
    assert!(mounts.find(None, "/_registry/npm/..").is_err());
}

#[test]
fn below_a_domain_every_ecosystem_has_a_host_and_path_style_stays() {
    let mounts = mounts("127.0.0.1:8080", false, None, Some("Pkg.Example.com"));
    for (host, raw, expected) in [
        (
            "npm.pkg.example.com:8080",
            "/@s%2fn",
            "http://npm.pkg.example.com:8080 | @s/n",
        ),
        (
            "NPM.pkg.example.com",
            "/@s%2fn",
            "http://npm.pkg.example.com:8080 | @s/n",
        ),
        (
            "npm.pkg.example.com",
            "/_registry/npm/x",
            "http://npm.pkg.example.com:8080 | x",
        ),
        (
            "rubygems.pkg.example.com",
            "/acme",
            "http://rubygems.pkg.example.com:8080 | acme",
        ),
        (
            "localhost:8080",
            "/_registry/npm/x",
            "http://localhost:8080/_registry/npm | x",
        ),
        ("npm.example.com", "/x", "house | x"),
    ] {
        assert_eq!(found(&mounts, host, raw), expected, "{host}{raw}");
    }
}

#[test]
fn hosts_below_a_domain_take_scheme_and_port_from_the_public_url() {
    for (public_url, base) in [
        ("https://pkg.example.com", "https://npm.pkg.example.com"),
        (
            "https://pkg.example.com:8443",
            "https://npm.pkg.example.com:8443",
        ),
    ] {
        let mounts = mounts(
            "127.0.0.1:8080",
            false,
            Some(public_url),
            Some("pkg.example.com"),
        );
        assert_eq!(
            found(&mounts, "npm.pkg.example.com", "/x"),
            format!("{base} | x")
        );
    }
}
