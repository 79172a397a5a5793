//! `npm login` by the browser, which here is a form sent by hand.

use packhouse_testkit::clients::{NpmPackage, NpmProject};
use packhouse_testkit::http::{Request, Response};

use super::{Stage, consumer, dialogue, package, run, told_by_each_npm};

told_by_each_npm! {
    a_login_by_browser_gives_a_token_that_ends_with_it,
}

/// The address in what npm printed, as the server is asked for it.
fn target(screen: &str) -> String {
    let lines = screen.lines().map(str::trim);
    let address = lines.rev().find(|line| line.contains("/-/v1/login/"));
    let address = address.unwrap_or_else(|| panic!("no address: {screen}"));
    let (_host, path) = address.split_once("/_registry").unwrap();
    format!("/_registry{path}")
}

fn paste(stage: &Stage, target: &str, token: &str) -> Response {
    stage.server.send(
        &Request::post(target)
            .header("Content-Type", "application/x-www-form-urlencoded")
            .body(format!("token={token}")),
    )
}

fn a_login_by_browser_gives_a_token_that_ends_with_it(npm: &NpmPackage) {
    let Some(stage) = Stage::of(npm) else { return };
    let project = NpmProject::new(&stage.client, &package("@acme/left-pad", "1.0.0"));
    let registry = format!("--registry={}", stage.registry());
    let said = dialogue::watch(&project, &["login", &registry], "?code=", |screen| {
        let target = target(screen);
        let page = stage.server.send(&Request::get(&target)).expect_status(200);
        let code = target.split_once("?code=").unwrap().1;
        assert!(page.text().contains(code), "the page shows the code");
        let wrong = paste(&stage, &target, "phk_wrong").expect_status(422);
        assert!(wrong.text().contains("wrong, expired or revoked"));
        let yes = paste(&stage, &target, &stage.token).expect_status(200);
        assert!(yes.text().contains("You can close this page"));
        // who is late has nothing to say yes to
        let _late = paste(&stage, &target, &stage.token).expect_status(404);
    })
    .expect_success();
    let logged_in = format!("Logged in on {}.", stage.registry());
    assert!(said.stdout.contains(&logged_in), "{said}");
    assert!(
        said.stderr.contains("The page must show the code"),
        "{said}"
    );

    assert_eq!(run(&project, &["whoami", &registry]), "ann");
    run(&project, &["publish", &registry]);
    let settings = project.read("../home/.npmrc");
    let token = settings.split_once("_authToken=").unwrap().1.trim();
    assert_ne!(token, stage.token);
    let whoami = Request::get("/_registry/npm/-/whoami").bearer(token);
    let _holds = stage.server.send(&whoami).expect_status(200);

    // logging out revokes what the login made, and nothing else
    run(&project, &["logout", &registry]);
    let _revoked = stage.server.send(&whoami).expect_status(401);
    let elsewhere = stage.project(&consumer(), Some(&stage.token));
    run(&elsewhere, &["view", "@acme/left-pad"]);
}

// npm 12 has no such command
#[test]
fn adduser_is_a_login() {
    let Some(stage) = Stage::set() else { return };
    let project = NpmProject::new(&stage.client, &consumer());
    let registry = format!("--registry={}", stage.registry());
    let _said = dialogue::watch(&project, &["adduser", &registry], "?code=", |screen| {
        let _yes = paste(&stage, &target(screen), &stage.token).expect_status(200);
    })
    .expect_success();
    assert_eq!(run(&project, &["whoami", &registry]), "ann");
}
