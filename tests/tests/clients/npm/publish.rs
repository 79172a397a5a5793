//! `npm publish` and `npm view`.

use packhouse_testkit::clients::{NPM_10, NpmPackage};
use serde_json::json;

use super::{Stage, package, run, told_by_each_npm, viewed};

told_by_each_npm! {
    a_user_publishes_and_views_under_the_own_name,
    a_package_of_an_organization_is_found_by_both_names_of_the_machine,
    a_prerelease_goes_to_its_tag_and_latest_stays,
    a_version_is_published_once,
}

fn a_user_publishes_and_views_under_the_own_name(npm: &NpmPackage) {
    let Some(stage) = Stage::of(npm) else { return };
    let manifest = json!({
        "name": "@ann/left-pad",
        "version": "1.2.3",
        "description": "Pads on the left",
        "keywords": ["pad", "left"],
        "license": "MIT",
        "repository": "github:ann/left-pad",
        "engines": { "node": ">=18" },
    });
    let project = stage.project(&manifest, Some(&stage.token));
    project.write("README.md", "# left-pad\n\nPads.\n");
    project.write("index.js", "module.exports = 1;\n");
    let published = run(&project, &["publish"]);
    assert_eq!(published, "+ @ann/left-pad@1.2.3");

    let seen = viewed(&project, "@ann/left-pad");
    assert_eq!(seen["name"], "@ann/left-pad");
    assert_eq!(seen["version"], "1.2.3");
    assert_eq!(seen["versions"], json!(["1.2.3"]));
    assert_eq!(seen["dist-tags"], json!({ "latest": "1.2.3" }));
    assert_eq!(seen["description"], "Pads on the left");
    assert_eq!(seen["keywords"], json!(["pad", "left"]));
    assert_eq!(seen["license"], "MIT");
    assert_eq!(seen["engines"], json!({ "node": ">=18" }));
    assert_eq!(seen["dist"]["fileCount"], 3);
    assert_eq!(
        seen["dist"]["tarball"],
        format!("{}@ann/left-pad/-/left-pad-1.2.3.tgz", stage.registry())
    );
    assert!(seen["time"]["1.2.3"].is_string(), "{seen}");

    let readme = run(&project, &["view", "@ann/left-pad", "readme"]);
    assert_eq!(readme, "# left-pad\n\nPads.");
    let one_field = run(&project, &["view", "@ann/left-pad@1.2.3", "dist.integrity"]);
    assert_eq!(one_field, seen["dist"]["integrity"].as_str().unwrap());
}

fn a_package_of_an_organization_is_found_by_both_names_of_the_machine(npm: &NpmPackage) {
    let Some(stage) = Stage::of(npm) else { return };
    stage.publish(&package("@acme/left-pad", "1.0.0"));

    let stage = stage.on_localhost();
    let project = stage.project(&package("@acme/left-pad", "1.1.0"), Some(&stage.token));
    let published = run(&project, &["publish"]);
    assert_eq!(published, "+ @acme/left-pad@1.1.0");

    let seen = viewed(&project, "@acme/left-pad");
    assert_eq!(seen["versions"], json!(["1.0.0", "1.1.0"]));
    assert_eq!(
        seen["dist"]["tarball"],
        format!("{}@acme/left-pad/-/left-pad-1.1.0.tgz", stage.registry())
    );
    assert!(stage.registry().starts_with("http://localhost:"));
}

fn a_prerelease_goes_to_its_tag_and_latest_stays(npm: &NpmPackage) {
    let Some(stage) = Stage::of(npm) else { return };
    stage.publish(&package("@acme/left-pad", "1.0.0"));
    let project = stage.project(&package("@acme/left-pad", "2.0.0-rc.1"), Some(&stage.token));
    run(&project, &["publish", "--tag", "next"]);

    let seen = viewed(&project, "@acme/left-pad");
    assert_eq!(seen["version"], "1.0.0");
    assert_eq!(
        seen["dist-tags"],
        json!({ "latest": "1.0.0", "next": "2.0.0-rc.1" })
    );
    let next = run(&project, &["view", "@acme/left-pad@next", "version"]);
    assert_eq!(next, "2.0.0-rc.1");
}

fn a_version_is_published_once(npm: &NpmPackage) {
    let Some(stage) = Stage::of(npm) else { return };
    let project = stage.publish(&package("@acme/left-pad", "1.0.0"));
    let integrity = ["view", "@acme/left-pad", "dist.integrity"];
    let before = run(&project, &integrity);

    let conflict = [
        "code E409",
        "409 Conflict - PUT REGISTRY/@acme%2fleft-pad - Cannot publish over existing version",
    ];
    let again = project.run(&["publish"]);
    if *npm == NPM_10 {
        assert_eq!(stage.refusal(&again), conflict);
    } else {
        // From 11 on npm asks what there is, and refuses by itself.
        assert_eq!(
            stage.refusal(&again)[0],
            "You cannot publish over the previously published versions: 1.0.0."
        );
    }
    // With --force it does not ask, and the server is heard.
    project.write("index.js", "module.exports = 'other bytes';\n");
    let forced = project.run(&["publish", "--force"]);
    assert_eq!(stage.refusal(&forced), conflict);
    assert_eq!(run(&project, &integrity), before);
}
