//! Who one is to npm: `whoami`, `login`, `logout`, `token`.

use packhouse_testkit::clients::{NPM_10, NpmPackage, NpmProject};
use serde_json::Value;

use super::{Stage, answer, consumer, dialogue, package, run, told_by_each_npm};

told_by_each_npm! {
    a_token_in_the_settings_is_a_user,
    a_user_logs_in_with_a_token_for_a_password_and_out_again,
    a_wrong_password_is_no_login,
    tokens_are_made_listed_and_revoked,
}

fn a_token_in_the_settings_is_a_user(npm: &NpmPackage) {
    let Some(stage) = Stage::of(npm) else { return };
    let project = stage.at_home(Some(&stage.token));
    let user = run(&project, &["whoami"]);
    assert_eq!(user, "ann");
    let pong = answer(project.run(&["ping", "--json"]));
    assert_eq!(pong["registry"], stage.registry());

    let nobody = stage.at_home(None);
    run(&nobody, &["ping"]);
    let unknown = nobody.run(&["whoami"]);
    assert_eq!(stage.refusal(&unknown)[0], "code ENEEDAUTH");
    let wrong = stage.at_home(Some("phk_wrong")).run(&["whoami"]);
    assert_eq!(
        stage.refusal(&wrong),
        [
            "code E401",
            "Unable to authenticate, your authentication token seems to be invalid.",
        ]
    );
}

fn a_user_logs_in_with_a_token_for_a_password_and_out_again(npm: &NpmPackage) {
    let Some(stage) = Stage::of(npm) else { return };
    let project = NpmProject::new(&stage.client, &package("@acme/left-pad", "1.0.0"));
    let registry = format!("--registry={}", stage.registry());
    let said = dialogue::hold(
        &project,
        &["login", "--auth-type=legacy", "--scope=@acme", &registry],
        &[("Username:", "ann"), ("Password:", &stage.token)],
    )
    .expect_success();
    let logged_in = format!("Logged in to scope @acme on {}.", stage.registry());
    assert!(said.stdout.contains(&logged_in), "{said}");

    // The login is all that the settings say about the server.
    run(&project, &["publish"]);
    let user = run(&project, &["whoami", &registry]);
    assert_eq!(user, "ann");

    run(&project, &["logout", "--scope=@acme"]);
    let unknown = project.run(&["whoami", &registry]);
    assert_eq!(stage.refusal(&unknown)[0], "code ENEEDAUTH");
    // The token was made by hand, not by the login: logging out leaves it.
    let elsewhere = stage.project(&consumer(), Some(&stage.token));
    run(&elsewhere, &["view", "@acme/left-pad"]);
}

fn a_wrong_password_is_no_login(npm: &NpmPackage) {
    let Some(stage) = Stage::of(npm) else { return };
    let project = NpmProject::new(&stage.client, &consumer());
    let registry = format!("--registry={}", stage.registry());
    let said = dialogue::hold(
        &project,
        &["login", "--auth-type=legacy", &registry],
        &[("Username:", "ann"), ("Password:", "phk_wrong")],
    );
    assert_eq!(
        stage.refusal(&said),
        ["code E401", "Incorrect or missing password.",]
    );
}

fn tokens_are_made_listed_and_revoked(npm: &NpmPackage) {
    let Some(stage) = Stage::of(npm) else { return };
    let project = stage.at_home(Some(&stage.token));
    let list = || -> Vec<Value> {
        let listed = answer(project.run(&["token", "list", "--json"]));
        listed.as_array().unwrap().clone()
    };
    let before = list();
    let made = if *npm == NPM_10 {
        // it gives tokens no names, and asks for the password
        dialogue::hold(
            &project,
            &["token", "create", "--json"],
            &[("npm password:", &stage.token)],
        )
    } else {
        let password = format!("--password={}", stage.token);
        project.run(&["token", "create", "--name=ci", &password, "--json"])
    };
    let made = made.expect_success().stdout;
    let (_, object) = made.split_once('{').unwrap();
    let made: Value = serde_json::from_str(&format!("{{{object}")).unwrap();
    let token = made["token"].as_str().unwrap();
    let machine = stage.at_home(Some(token));
    let user = run(&machine, &["whoami"]);
    assert_eq!(user, "ann");

    let listed = list();
    let is_known = |key: &Value| before.iter().any(|token| token["key"] == *key);
    let new: Vec<&Value> = listed
        .iter()
        .filter(|token| !is_known(&token["key"]))
        .collect();
    assert_eq!(new.len(), 1, "{listed:?}");
    if *npm != NPM_10 {
        assert_eq!(new[0]["name"], "ci");
    }
    let id = new[0]["key"].as_str().unwrap();
    for shown in &listed {
        let prefix = shown["token"].as_str().unwrap();
        assert!(
            !prefix.is_empty() && prefix.len() < token.len() / 2,
            "{shown}"
        );
    }

    let revoked = run(&project, &["token", "revoke", id]);
    assert_eq!(revoked, "Removed 1 token");
    let refused = machine.run(&["whoami"]);
    assert_eq!(stage.refusal(&refused)[0], "code E401");
    run(&project, &["whoami"]);
}
