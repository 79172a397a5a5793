//! A package is published, looked at, and never published twice.

use super::dialects::Dialect;
use super::{run, told_by};
use crate::stage::{Stage, package};

told_by! {
    [PNPM_10, PNPM_11, PNPM_12, YARN_1, YARN_4, BUN]
    a_version_is_published_once,
}

fn a_version_is_published_once(dialect: &Dialect) {
    let Some(stage) = Stage::of(dialect.client) else {
        return;
    };
    let project = stage.publish_by(dialect, &package("@acme/left-pad", "1.0.0"));
    let integrity = [("NAME", "@acme/left-pad"), ("FIELD", "dist")];
    let before = run(&project, dialect.view, &integrity).stdout;
    assert!(before.contains("sha512-"), "{before}");

    project.write("index.js", "module.exports = 'other bytes';\n");
    let again = stage.publish_again(dialect, &project);
    stage.assert_refused(&again, dialect.unpublishable.twice);
    let after = run(&project, dialect.view, &integrity).stdout;
    assert_eq!(without_clock(&after), without_clock(&before));
}

/// Without the lines in which yarn tells how long it took.
fn without_clock(printed: &str) -> Vec<&str> {
    let lines = printed.lines();
    lines.filter(|line| !line.starts_with("Done in")).collect()
}
