//! What clients change after a publish: tags, deprecations, unpublished versions.

use super::dialects::Dialect;
use super::{run, say, told_by};
use crate::stage::{Stage, consumer, package};

const NAME: (&str, &str) = ("NAME", "@acme/left-pad");

told_by! {
    [PNPM_10, PNPM_11, PNPM_12, YARN_1, YARN_4]
    tags_are_listed_moved_and_removed,
}

fn tags_are_listed_moved_and_removed(dialect: &Dialect) {
    let Some(stage) = Stage::of(dialect.client) else {
        return;
    };
    let tags = dialect.tags.as_ref().unwrap();
    let old = |version| [NAME, ("VERSION", version), ("TAG", "old")];
    let project = stage.publish_by(dialect, &package("@acme/left-pad", "1.0.0"));
    project.write(
        "package.json",
        package("@acme/left-pad", "1.1.0").to_string(),
    );
    stage.publish_more(dialect, &project);

    run(&project, tags.add, &old("1.0.0"));
    let listed = run(&project, tags.list, &[NAME]).stdout;
    assert_eq!(version_of("latest", &listed), Some("1.1.0"), "{listed}");
    assert_eq!(version_of("old", &listed), Some("1.0.0"), "{listed}");
    run(&project, tags.add, &old("1.1.0"));
    let listed = run(&project, tags.list, &[NAME]).stdout;
    assert_eq!(version_of("old", &listed), Some("1.1.0"), "{listed}");
    run(&project, tags.remove, &old("1.1.0"));
    let listed = run(&project, tags.list, &[NAME]).stdout;
    assert_eq!(version_of("old", &listed), None, "{listed}");

    let latest = say(&project, tags.remove, &[NAME, ("TAG", "latest")]);
    stage.assert_refused(&latest, tags.latest_stays);
    let missing = say(&project, tags.add, &old("9.9.9"));
    stage.assert_refused(&missing, tags.no_such_version);
}

/// The version beside a tag: `old: 1.0.0`, `info old: 1.0.0`, `└─ @acme/left-pad@old → 1.0.0`.
fn version_of<'a>(tag: &str, listed: &'a str) -> Option<&'a str> {
    listed.lines().find_map(|line| {
        let (before, version) = line.split_once(": ").or_else(|| line.split_once(" → "))?;
        let word = before.rsplit([' ', '@']).next()?;
        (word == tag).then_some(version)
    })
}

told_by! {
    [PNPM_10, PNPM_11, PNPM_12]
    a_deprecation_is_told_to_who_installs_and_can_be_taken_back,
}

fn a_deprecation_is_told_to_who_installs_and_can_be_taken_back(dialect: &Dialect) {
    let Some(stage) = Stage::of(dialect.client) else {
        return;
    };
    let deprecate = dialect.deprecate.as_ref().unwrap();
    let version = ("VERSION", "1.0.0");
    let field = ("FIELD", "deprecated");
    let project = stage.publish_by(dialect, &package("@acme/left-pad", "1.0.0"));
    let warning = deprecate
        .warning
        .replace("NAME", NAME.1)
        .replace("VERSION", version.1)
        .replace("TEXT", "use 2.0.0");

    run(
        &project,
        deprecate.set,
        &[NAME, version, ("TEXT", "use 2.0.0")],
    );
    let seen = run(&project, dialect.view, &[NAME, field]);
    assert_eq!(seen.stdout.trim(), "use 2.0.0");
    let consumer_of = |token: &str| stage.project(&consumer(), Some(token));
    let installed = run(&consumer_of(&stage.token), dialect.add, &[NAME, version]);
    stage.assert_said(&installed, &warning);

    run(&project, deprecate.unset, &[NAME, version, ("TEXT", "")]);
    let seen = run(&project, dialect.view, &[NAME, field]);
    assert_eq!(seen.stdout.trim(), "");
    let installed = run(&consumer_of(&stage.token), dialect.add, &[NAME, version]);
    let said = installed.to_string();
    assert!(!said.contains("deprecated"), "{said}");
}

told_by! {
    [PNPM_10, PNPM_11, PNPM_12]
    a_version_is_unpublished_by_who_may,
}

fn a_version_is_unpublished_by_who_may(dialect: &Dialect) {
    let Some(stage) = Stage::of(dialect.client) else {
        return;
    };
    let unpublish = dialect.unpublish.as_ref().unwrap();
    let project = stage.publish_by(dialect, &package("@acme/left-pad", "1.0.0"));
    project.write(
        "package.json",
        package("@acme/left-pad", "1.1.0").to_string(),
    );
    stage.publish_more(dialect, &project);
    let newer = [NAME, ("VERSION", "1.1.0")];
    let versions = [NAME, ("FIELD", "versions")];

    let writer = stage.server.token("ann", "read:packages,write:packages");
    stage.configure(&project, Some(&writer));
    let refused = say(&project, unpublish.version, &newer);
    stage.assert_refused(&refused, unpublish.refused);
    let seen = run(&project, dialect.view, &versions);
    assert!(seen.stdout.contains("1.1.0"), "{seen}");

    stage.configure(&project, Some(&stage.token));
    let done = run(&project, unpublish.version, &newer);
    let words = unpublish.done.replace("NAME", NAME.1);
    stage.assert_said(&done, &words.replace("VERSION", "1.1.0"));
    let seen = run(&project, dialect.view, &versions);
    assert!(!seen.stdout.contains("1.1.0"), "{seen}");
    let again = stage.publish_again(dialect, &project);
    assert!(!again.success(), "the number stays taken: {again}");
    assert!(
        again
            .to_string()
            .contains("Cannot publish over existing version"),
        "{again}"
    );
}
