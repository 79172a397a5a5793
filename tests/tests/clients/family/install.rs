//! What is published is installed, today and from a lockfile.

use serde_json::json;

use super::dialects::Dialect;
use super::{json_in, run, say, told_by};
use crate::stage::{Stage, consumer, package};

told_by! {
    [PNPM_10, PNPM_11, PNPM_12, YARN_1, YARN_4, BUN, DENO]
    what_is_published_is_installed_and_the_lockfile_holds,
}

fn what_is_published_is_installed_and_the_lockfile_holds(dialect: &Dialect) {
    let Some(stage) = Stage::of(dialect.client) else {
        return;
    };
    let greet = stage.publish_by(dialect, &package("@acme/greet", "1.4.0"));
    let mut manifest = package("@acme/app", "2.0.0");
    manifest["dependencies"] = json!({ "@acme/greet": "^1.0.0" });
    let app = [("NAME", "@acme/app"), ("VERSION", "2.0.0")];
    stage.publish_by(dialect, &manifest);

    // as a human adds it, and what the document says of it
    let first = stage.project(&consumer(), Some(&stage.token));
    run(&first, dialect.add, &app);
    run(
        &first,
        dialect.add,
        &[("NAME", "@acme/greet"), ("VERSION", "^1.0.0")],
    );
    let installed = json_in(&first, "node_modules/@acme/app/package.json");
    assert_eq!(
        installed["dependencies"],
        json!({ "@acme/greet": "^1.0.0" })
    );
    let seen = run(
        &first,
        dialect.view,
        &[("NAME", "@acme/app"), ("FIELD", "version")],
    );
    assert!(seen.stdout.contains("2.0.0"), "{seen}");
    let missing = say(
        &first,
        dialect.add,
        &[("NAME", "@acme/app"), ("VERSION", "7.0.0")],
    );
    let words = dialect
        .no_such_version
        .replace("NAME", "@acme/app")
        .replace("VERSION", "7.0.0");
    stage.assert_refused(&missing, &words);

    // somebody else's machine: another cache, the same lockfile, and something newer about
    greet.write("package.json", package("@acme/greet", "1.5.0").to_string());
    stage.publish_more(dialect, &greet);
    let second = stage.project(&json_in(&first, "package.json"), Some(&stage.token));
    second.write(dialect.lockfile, first.read(dialect.lockfile));
    run(&second, dialect.frozen, &[]);
    let installed = json_in(&second, "node_modules/@acme/greet/package.json");
    assert_eq!(installed["version"], "1.4.0");
    assert_eq!(second.read(dialect.lockfile), first.read(dialect.lockfile));
}
