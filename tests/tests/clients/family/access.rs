//! What is private is hidden, and who may not publish is told why.

use super::dialects::Dialect;
use super::{run, say, told_by};
use crate::stage::{EVERYTHING, Stage, consumer, package};

told_by! {
    [PNPM_10, PNPM_11, PNPM_12, YARN_1, YARN_4, BUN, DENO]
    a_private_package_is_nobody_else_s,
}

fn a_private_package_is_nobody_else_s(dialect: &Dialect) {
    let Some(stage) = Stage::of(dialect.client) else {
        return;
    };
    stage.publish_by(dialect, &package("@acme/left-pad", "1.0.0"));
    let meaning = [
        ("NAME", "@acme/left-pad"),
        ("VERSION", "1.0.0"),
        ("FIELD", "version"),
    ];
    let stranger = stage.user("sam", EVERYTHING);
    let scopeless = stage.server.token("ann", "user");
    let refused = &dialect.refused;
    for (token, told) in [
        (Some(&stranger), &refused.stranger),
        (None, &refused.nobody),
        (Some(&scopeless), &refused.scopeless),
    ] {
        let project = stage.project(&consumer(), token.map(String::as_str));
        let seen = say(&project, dialect.view, &meaning);
        stage.assert_said(&seen, told.view);
        let added = say(&project, dialect.add, &meaning);
        stage.assert_refused(&added, told.add);
        assert!(!project.path().join("node_modules/@acme").exists());
    }

    let package = "acme/npm/@acme/left-pad";
    stage.server.admin(&["set-visibility", package, "public"]);
    let nobody = stage.project(&consumer(), None);
    run(&nobody, dialect.add, &meaning);
}

told_by! {
    [PNPM_10, PNPM_11, PNPM_12, YARN_1, YARN_4, BUN]
    who_may_not_publish_is_told_why,
}

fn who_may_not_publish_is_told_why(dialect: &Dialect) {
    let Some(stage) = Stage::of(dialect.client) else {
        return;
    };
    let project = stage.project(&package("@acme/left-pad", "1.0.0"), None);
    let refused = &dialect.unpublishable;
    let nobody = stage.publish_again(dialect, &project);
    stage.assert_refused(&nobody, refused.nobody);

    let reading = stage.server.token("ann", "read:packages");
    stage.configure(&project, Some(&reading));
    let read_only = stage.publish_again(dialect, &project);
    stage.assert_refused(&read_only, refused.read_only);

    let stranger = stage.user("sam", EVERYTHING);
    stage.configure(&project, Some(&stranger));
    let foreign = stage.publish_again(dialect, &project);
    stage.assert_refused(&foreign, refused.stranger);

    stage.configure(&project, Some(&stage.token));
    stage.publish_more(dialect, &project);
}
