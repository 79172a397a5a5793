//! What npm changes after a publish: tags, deprecations, unpublished versions.

use packhouse_testkit::clients::NpmPackage;
use serde_json::json;

use super::{Stage, answer, consumer, notices, package, run, told_by_each_npm, viewed};

told_by_each_npm! {
    tags_are_listed_moved_and_removed,
    a_deprecation_is_told_to_who_installs_and_can_be_taken_back,
    one_version_is_unpublished_and_its_number_stays_taken,
    a_whole_package_is_unpublished,
    unpublishing_without_the_right_to_delete_is_refused_and_not_swallowed,
}

fn tags_are_listed_moved_and_removed(npm: &NpmPackage) {
    let Some(stage) = Stage::of(npm) else { return };
    stage.publish(&package("@acme/left-pad", "1.0.0"));
    let project = stage.publish(&package("@acme/left-pad", "1.1.0"));
    let list = ["dist-tag", "ls", "@acme/left-pad"];

    let added = run(
        &project,
        &["dist-tag", "add", "@acme/left-pad@1.0.0", "old"],
    );
    assert_eq!(added, "+old: @acme/left-pad@1.0.0");
    let listed = run(&project, &list);
    assert_eq!(listed, "latest: 1.1.0\nold: 1.0.0");

    run(
        &project,
        &["dist-tag", "add", "@acme/left-pad@1.1.0", "old"],
    );
    let listed = run(&project, &list);
    assert_eq!(listed, "latest: 1.1.0\nold: 1.1.0");

    let removed = run(&project, &["dist-tag", "rm", "@acme/left-pad", "old"]);
    assert_eq!(removed, "-old: @acme/left-pad@1.1.0");
    let listed = run(&project, &list);
    assert_eq!(listed, "latest: 1.1.0");

    let latest = project.run(&["dist-tag", "rm", "@acme/left-pad", "latest"]);
    assert_eq!(
        stage.refusal(&latest),
        [
            "code E403",
            "403 403 Forbidden - DELETE REGISTRY/-/package/@acme%2fleft-pad/dist-tags/latest - \
             cannot delete the latest tag",
        ]
    );
    let missing = project.run(&["dist-tag", "add", "@acme/left-pad@9.9.9", "old"]);
    assert_eq!(
        stage.refusal(&missing),
        [
            "code E404",
            "404 Not Found - PUT REGISTRY/-/package/@acme%2fleft-pad/dist-tags/old - \
             version not found: 9.9.9",
        ]
    );
}

fn a_deprecation_is_told_to_who_installs_and_can_be_taken_back(npm: &NpmPackage) {
    let Some(stage) = Stage::of(npm) else { return };
    stage.publish(&package("@acme/left-pad", "1.0.0"));
    let project = stage.publish(&package("@acme/left-pad", "2.0.0"));
    let warning = "deprecated @acme/left-pad@1.0.0: use 2.0.0";
    let installs = || {
        let consumer = stage.project(&consumer(), Some(&stage.token));
        consumer
            .run(&["install", "@acme/left-pad@1"])
            .expect_success()
    };

    run(&project, &["deprecate", "@acme/left-pad@1", "use 2.0.0"]);
    let installed = installs();
    assert_eq!(notices(&installed, "warn"), [warning], "{installed}");
    let seen = viewed(&project, "@acme/left-pad@2");
    assert_eq!(seen["deprecated"], json!(null));

    run(&project, &["deprecate", "@acme/left-pad@1", ""]);
    let installed = installs();
    assert_eq!(notices(&installed, "warn"), [""; 0], "{installed}");
    let seen = viewed(&project, "@acme/left-pad@1");
    assert_eq!(seen.get("deprecated"), None);
}

fn one_version_is_unpublished_and_its_number_stays_taken(npm: &NpmPackage) {
    let Some(stage) = Stage::of(npm) else { return };
    stage.publish(&package("@acme/left-pad", "1.0.0"));
    let project = stage.publish(&package("@acme/left-pad", "1.1.0"));

    let removed = run(&project, &["unpublish", "@acme/left-pad@1.1.0"]);
    assert_eq!(removed, "- @acme/left-pad@1.1.0");
    let seen = viewed(&project, "@acme/left-pad");
    assert_eq!(seen["versions"], json!(["1.0.0"]));
    assert_eq!(seen["dist-tags"], json!({ "latest": "1.0.0" }));
    let gone = stage.project(&consumer(), Some(&stage.token));
    let gone = gone.run(&["install", "@acme/left-pad@1.1.0"]);
    assert_eq!(
        stage.refusal(&gone),
        [
            "code ETARGET",
            "notarget No matching version found for @acme/left-pad@1.1.0.",
        ]
    );

    let again = project.run(&["publish"]);
    assert_eq!(
        stage.refusal(&again),
        [
            "code E409",
            "409 Conflict - PUT REGISTRY/@acme%2fleft-pad - Cannot publish over existing version",
        ]
    );
}

fn a_whole_package_is_unpublished(npm: &NpmPackage) {
    let Some(stage) = Stage::of(npm) else { return };
    stage.publish(&package("@acme/left-pad", "1.0.0"));
    let project = stage.publish(&package("@acme/left-pad", "1.1.0"));

    let removed = run(&project, &["unpublish", "@acme/left-pad", "--force"]);
    assert_eq!(removed, "- @acme/left-pad");
    let gone = project.run(&["view", "@acme/left-pad"]);
    assert_eq!(
        stage.refusal(&gone),
        [
            "code E404",
            "404 Not Found - GET REGISTRY/@acme%2fleft-pad - Not found",
        ]
    );
}

fn unpublishing_without_the_right_to_delete_is_refused_and_not_swallowed(npm: &NpmPackage) {
    let Some(stage) = Stage::of(npm) else { return };
    let project = stage.publish(&package("@acme/left-pad", "1.0.0"));
    stage.publish(&package("@acme/left-pad", "1.1.0"));
    let writer = stage.server.token("ann", "read:packages,write:packages");

    stage.configure(&project, Some(&writer));
    for arguments in [
        ["unpublish", "@acme/left-pad@1.1.0", "--force"],
        ["unpublish", "@acme/left-pad", "--force"],
    ] {
        let refused = project.run(&arguments);
        let [code, said] = stage.refusal(&refused);
        assert_eq!(code, "code E403", "{refused}");
        assert!(said.starts_with("403 403 Forbidden - "), "{refused}");
    }
    let seen = project.run(&["view", "@acme/left-pad", "versions", "--json"]);
    assert_eq!(answer(seen), json!(["1.0.0", "1.1.0"]));
}
