//! `npm install`, `npm ci` and `npm audit`.

use packhouse_testkit::clients::NpmPackage;
use serde_json::{Value, json};

use super::{Stage, answer, consumer, package, run, told_by_each_npm};

told_by_each_npm! {
    a_package_is_installed_with_what_it_depends_on,
    a_clean_install_needs_the_lockfile_and_no_cache,
    an_audit_is_answered,
}

/// `@acme/app` needs `@acme/greet`, which has a command and a script that runs at installation.
fn publish_two(stage: &Stage) {
    let mut greet = package("@acme/greet", "1.4.0");
    greet["bin"] = json!({ "greet": "cli.js" });
    greet["scripts"] = json!({ "postinstall": "node mark.js" });
    let project = stage.project(&greet, Some(&stage.token));
    project.write("cli.js", "#!/usr/bin/env node\nconsole.log('hello');\n");
    project.write(
        "mark.js",
        "require('fs').writeFileSync('installed', 'by its script');\n",
    );
    run(&project, &["publish"]);

    let mut app = package("@acme/app", "2.0.0");
    app["dependencies"] = json!({ "@acme/greet": "^1.0.0" });
    let project = stage.project(&app, Some(&stage.token));
    project.write("index.js", "module.exports = require('@acme/greet');\n");
    run(&project, &["publish"]);
}

fn a_package_is_installed_with_what_it_depends_on(npm: &NpmPackage) {
    let Some(stage) = Stage::of(npm) else { return };
    publish_two(&stage);

    let mut manifest = consumer();
    // npm 12 runs no script that its user does not allow
    manifest["allowScripts"] = json!({ "@acme/greet": true });
    let project = stage.project(&manifest, Some(&stage.token));
    run(&project, &["install", "@acme/app"]);
    let manifest: Value = serde_json::from_str(&project.read("package.json")).unwrap();
    assert_eq!(manifest["dependencies"], json!({ "@acme/app": "^2.0.0" }));
    assert_eq!(
        project.read("node_modules/@acme/app/index.js"),
        "module.exports = require('@acme/greet');\n"
    );
    assert_eq!(
        project.read("node_modules/@acme/greet/installed"),
        "by its script"
    );
    let said = run(&project, &["exec", "--no", "--", "greet"]);
    assert_eq!(said, "hello");

    let lock: Value = serde_json::from_str(&project.read("package-lock.json")).unwrap();
    let locked = &lock["packages"]["node_modules/@acme/greet"];
    assert_eq!(locked["hasInstallScript"], true);
    assert_eq!(locked["bin"], json!({ "greet": "cli.js" }));
    assert_eq!(
        locked["resolved"],
        format!("{}@acme/greet/-/greet-1.4.0.tgz", stage.registry())
    );
    let integrity = run(&project, &["view", "@acme/greet", "dist.integrity"]);
    assert_eq!(locked["integrity"].as_str().unwrap(), integrity);
}

fn a_clean_install_needs_the_lockfile_and_no_cache(npm: &NpmPackage) {
    let Some(stage) = Stage::of(npm) else { return };
    let stage = stage.on_localhost();
    publish_two(&stage);
    let mut manifest = consumer();
    manifest["dependencies"] = json!({ "@acme/app": "^2.0.0" });
    let first = stage.project(&manifest, Some(&stage.token));
    run(&first, &["install"]);

    // Nothing newer is taken: the lockfile decides.
    stage.publish(&package("@acme/greet", "1.5.0"));
    let second = stage.project(&manifest, Some(&stage.token));
    second.write("package-lock.json", first.read("package-lock.json"));
    run(&second, &["ci"]);
    let installed: Value =
        serde_json::from_str(&second.read("node_modules/@acme/greet/package.json")).unwrap();
    assert_eq!(installed["version"], "1.4.0");
    assert_eq!(
        second.read("package-lock.json"),
        first.read("package-lock.json")
    );

    // The same cache again: what it holds is still good.
    run(&second, &["ci"]);
    run(&second, &["update"]);
    let updated: Value =
        serde_json::from_str(&second.read("node_modules/@acme/greet/package.json")).unwrap();
    assert_eq!(updated["version"], "1.5.0");
}

fn an_audit_is_answered(npm: &NpmPackage) {
    let Some(stage) = Stage::of(npm) else { return };
    publish_two(&stage);
    let project = stage.at_home(Some(&stage.token));
    let installed = run(&project, &["install", "--audit", "@acme/app"]);
    assert!(
        installed.contains("added 2 packages, and audited 3 packages in"),
        "{installed}"
    );
    assert!(installed.contains("found 0 vulnerabilities"), "{installed}");
    let audit = answer(project.run(&["audit", "--json"]));
    assert_eq!(audit["vulnerabilities"], json!({}));
    assert_eq!(audit["metadata"]["dependencies"]["total"], 2);
}
