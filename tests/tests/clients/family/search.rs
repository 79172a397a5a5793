//! A search finds what its asker may read.

use super::dialects::Dialect;
use super::{run, told_by};
use crate::stage::{EVERYTHING, Stage, package};

told_by! {
    [NPM_10, NPM_12, PNPM_10, PNPM_11, PNPM_12]
    a_search_finds_what_may_be_read,
}

fn a_search_finds_what_may_be_read(dialect: &Dialect) {
    let Some(stage) = Stage::of(dialect.client) else {
        return;
    };
    stage.publish_by(dialect, &package("@acme/left-pad", "1.0.0"));
    stage.publish_by(dialect, &package("@acme/right-pad", "2.0.0"));
    let public = "acme/npm/@acme/right-pad";
    stage.server.admin(&["set-visibility", public, "public"]);

    let ann = stage.at_home(Some(&stage.token));
    let found = run(&ann, "search pad", &[]).stdout;
    assert!(found.contains("left-pad"), "{found}");
    assert!(found.contains("right-pad"), "{found}");

    let stranger = stage.user("sam", EVERYTHING);
    for token in [Some(stranger.as_str()), None] {
        let found = run(&stage.at_home(token), "search pad", &[]).stdout;
        assert!(!found.contains("left-pad"), "{found}");
        assert!(found.contains("right-pad"), "{found}");
    }
}
