//! A token in the settings is a user.

use packhouse_testkit::clients::YARN_4;

use super::dialects::Dialect;
use super::{run, say, told_by};
use crate::stage::Stage;

told_by! {
    [PNPM_10, PNPM_11, PNPM_12, YARN_4, BUN]
    a_token_in_the_settings_is_a_user,
}

fn a_token_in_the_settings_is_a_user(dialect: &Dialect) {
    let Some(stage) = Stage::of(dialect.client) else {
        return;
    };
    let whoami = dialect.whoami.unwrap();
    let ann = stage.at_home(Some(&stage.token));
    let known = run(&ann, whoami, &[]);
    let words: Vec<&str> = known.stdout.split_whitespace().collect();
    assert!(words.contains(&"ann"), "{known}");
    for token in [None, Some("phk_wrong")] {
        let unknown = say(&stage.at_home(token), whoami, &[]);
        assert!(!unknown.success(), "{unknown}");
        assert!(!unknown.stdout.contains("ann"), "{unknown}");
    }
}

/// yarn asks at a terminal alone; for its own tests it takes the answers from the environment.
#[test]
fn yarn_logs_in_with_a_token_for_a_password() {
    let Some(stage) = Stage::of(&YARN_4) else {
        return;
    };
    let mut project = stage.at_home(None);
    project.env("YARN_IS_TEST_ENV", "1");
    project.env("YARN_INJECT_NPM_USER", "ann");
    project.env("YARN_INJECT_NPM_PASSWORD", "phk_wrong");
    let wrong = project.run(&["npm", "login"]);
    stage.assert_refused(&wrong, "YN0041: Invalid authentication (attempted as ann)");

    project.env("YARN_INJECT_NPM_PASSWORD", &stage.token);
    let logged_in = run(&project, "npm login", &[]);
    stage.assert_said(&logged_in, "YN0000: Successfully logged in");
    let known = run(&project, "npm whoami", &[]);
    stage.assert_said(&known, "YN0000: ann");
    run(&project, "npm logout", &[]);
    let unknown = project.run(&["npm", "whoami"]);
    assert!(!unknown.success(), "{unknown}");
}
