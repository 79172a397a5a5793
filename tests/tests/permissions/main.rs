//! Who may do what, over the wire: every route, every kind of caller, every visibility, every
//! scope, every spelling of a name, against tables written down from the permission model and
//! not from the code that implements it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stderr,
    reason = "a test that cannot be set up has failed"
)]

mod answers;
mod callers;
mod cases;
mod estate;
mod gets;
mod oracle;
mod people;
mod routes;
mod run;
mod spelling;

use std::time::Instant;

use packhouse_core::Registry as _;
use packhouse_names::Login;
use packhouse_npm::Npm;
use packhouse_testkit::server::TestServer;
use packhouse_wire::{BaseUrl, Head, Path};

/// One estate, served twice: with public packages open to everybody, and with a token asked for
/// everything, as GitHub does.
#[test]
fn every_route_answers_every_caller_as_the_permission_model_says() {
    let folder = tempfile::tempdir().unwrap();
    let serve = |anonymous_read| {
        TestServer::builder()
            .data_dir(folder.path())
            .args(["--anonymous-read", anonymous_read])
            .args(["--npm-unscoped-owner", "open"])
            .start()
    };
    let mut server = serve("on");
    let began = Instant::now();
    estate::set_up(&server);
    let revisions = estate::Revisions::of_all(&server);
    let callers = callers::callers(&server);
    let by_basic: Vec<_> = callers.iter().map(callers::Caller::by_basic).collect();
    let npm = Npm::new(Some(Login::new("open").unwrap()));
    let routes = routes::routes(npm.routes());
    println!("{} callers, set up in {:?}", callers.len(), began.elapsed());

    for anonymous_read in ["on", "off"] {
        if anonymous_read == "off" {
            server.stop();
            server = serve("off");
        }
        let began = Instant::now();
        let cases = cases::generate(
            &routes,
            &callers,
            &by_basic,
            &revisions,
            anonymous_read == "on",
        );
        for case in &cases {
            assert_eq!(label(&npm, case), case.route.pattern, "{case}");
        }
        let requests = run::ask_all(server.base(), &cases);
        println!(
            "anonymous reads {anonymous_read}: {} cases, {requests} requests in {:?}",
            cases.len(),
            began.elapsed()
        );
        // whatever was refused, refused it was
        assert_eq!(estate::Revisions::of_all(&server), revisions);
    }
}

/// The registered route that a case's request comes by: the one it is meant to test.
fn label(npm: &Npm, case: &cases::Case<'_>) -> &'static str {
    let head = Head {
        method: case.route.method.parse().unwrap(),
        path: Path::parse(&case.route.path(&case.subject)).unwrap(),
        query: String::new(),
        headers: http::HeaderMap::new(),
        base: BaseUrl::new("https://npm.example.com").unwrap(),
    };
    match npm.route(&head) {
        Ok(call) => call.label(),
        Err(fault) => panic!("{case}: {fault}"),
    }
}
