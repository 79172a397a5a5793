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
mod oracle;
mod routes;
mod run;
mod spelling;

use packhouse_core::Registry as _;
use packhouse_npm::Npm;
use packhouse_testkit::server::TestServer;
use std::time::Instant;

/// One estate, served twice: with public packages open to everybody, and with a token asked for
/// everything, as GitHub does.
#[test]
fn every_route_answers_every_caller_as_the_permission_model_says() {
    let folder = tempfile::tempdir().unwrap();
    let serve = |anonymous_read| {
        TestServer::builder()
            .data_dir(folder.path())
            .args(["--anonymous-read", anonymous_read])
            .start()
    };
    let mut server = serve("on");
    let began = Instant::now();
    estate::set_up(&server);
    let callers = callers::callers(&server);
    let by_basic: Vec<_> = callers.iter().map(callers::Caller::by_basic).collect();
    let routes = routes::routes(Npm::default().routes());
    println!("{} callers, set up in {:?}", callers.len(), began.elapsed());

    for anonymous_read in ["on", "off"] {
        if anonymous_read == "off" {
            server.stop();
            server = serve("off");
        }
        let began = Instant::now();
        let cases = cases::generate(&routes, &callers, &by_basic, anonymous_read == "on");
        let requests = run::ask_all(server.base(), &cases);
        println!(
            "anonymous reads {anonymous_read}: {} cases, {requests} requests in {:?}",
            cases.len(),
            began.elapsed()
        );
    }
}
