//! Who may see and who may publish, in npm's own words.

use packhouse_testkit::clients::NpmPackage;

use super::{EVERYTHING, Stage, consumer, package, run, told_by_each_npm};

told_by_each_npm! {
    a_private_package_is_shown_to_its_team_and_to_nobody_else,
    a_public_package_is_readable_without_a_token,
    a_first_publish_may_make_its_package_public,
    publishing_wants_a_good_token_with_the_right_to_write,
    a_token_that_is_revoked_is_refused_at_once,
}

const NOT_FOUND: [&str; 2] = [
    "code E404",
    "404 Not Found - GET REGISTRY/@acme%2fleft-pad - Not found",
];

fn a_private_package_is_shown_to_its_team_and_to_nobody_else(npm: &NpmPackage) {
    let Some(stage) = Stage::of(npm) else { return };
    stage.publish(&package("@acme/left-pad", "1.0.0"));
    let view = ["view", "@acme/left-pad", "version"];
    let install = ["install", "@acme/left-pad"];

    let stranger = stage.user("sam", EVERYTHING);
    let stranger = stage.project(&consumer(), Some(&stranger));
    assert_eq!(stage.refusal(&stranger.run(&view)), NOT_FOUND);
    assert_eq!(stage.refusal(&stranger.run(&install)), NOT_FOUND);

    let nobody = stage.project(&consumer(), None);
    let unauthorized = [
        "code E401",
        "Unable to authenticate, your authentication token seems to be invalid.",
    ];
    assert_eq!(stage.refusal(&nobody.run(&view)), unauthorized);
    assert_eq!(stage.refusal(&nobody.run(&install)), unauthorized);

    let reader = stage.user("tim", "read:packages");
    let server = &stage.server;
    server.admin(&["add-member", "acme", "tim"]);
    server.admin(&["create-team", "acme", "readers"]);
    server.admin(&["add-team-member", "acme/readers", "tim"]);
    let reader = stage.project(&consumer(), Some(&reader));
    assert_eq!(stage.refusal(&reader.run(&view)), NOT_FOUND);
    let package = "acme/npm/@acme/left-pad";
    server.admin(&["grant", package, "acme/readers", "--role", "read"]);
    let seen = run(&reader, &view);
    assert_eq!(seen, "1.0.0");
    run(&reader, &install);
}

fn a_public_package_is_readable_without_a_token(npm: &NpmPackage) {
    let Some(stage) = Stage::of(npm) else { return };
    let project = stage.publish(&package("@acme/left-pad", "1.0.0"));
    let server = &stage.server;
    server.admin(&["set-visibility", "acme/npm/@acme/left-pad", "public"]);

    let nobody = stage.project(&consumer(), None);
    run(&nobody, &["install", "@acme/left-pad"]);
    assert!(
        nobody
            .read("node_modules/@acme/left-pad/package.json")
            .contains("1.0.0")
    );

    // It is readable, and no more than that.
    stage.configure(&project, None);
    let refused = project.run(&["dist-tag", "add", "@acme/left-pad@1.0.0", "stable"]);
    assert_eq!(
        stage.refusal(&refused),
        [
            "code E401",
            "Unable to authenticate, your authentication token seems to be invalid.",
        ]
    );
}

fn a_first_publish_may_make_its_package_public(npm: &NpmPackage) {
    let Some(stage) = Stage::of(npm) else { return };
    let project = stage.project(&package("@ann/left-pad", "1.0.0"), Some(&stage.token));
    run(&project, &["publish", "--access=public"]);
    let nobody = stage.project(&consumer(), None);
    run(&nobody, &["install", "@ann/left-pad"]);
}

fn publishing_wants_a_good_token_with_the_right_to_write(npm: &NpmPackage) {
    let Some(stage) = Stage::of(npm) else { return };
    let manifest = package("@acme/left-pad", "1.0.0");
    let project = stage.project(&manifest, None);
    let needs_login = project.run(&["publish"]);
    assert_eq!(stage.refusal(&needs_login)[0], "code ENEEDAUTH");

    stage.configure(&project, Some("phk_wrong"));
    let wrong = project.run(&["publish", "--force"]);
    assert_eq!(
        stage.refusal(&wrong),
        [
            "code E401",
            "Unable to authenticate, your authentication token seems to be invalid.",
        ]
    );

    let reading = stage.server.token("ann", "read:packages");
    stage.configure(&project, Some(&reading));
    let read_only = project.run(&["publish"]);
    assert_eq!(
        stage.refusal(&read_only),
        [
            "code E403",
            "403 403 Forbidden - PUT REGISTRY/@acme%2fleft-pad - \
             Permission permission_denied: write_package",
        ]
    );

    let stranger = stage.user("sam", EVERYTHING);
    stage.configure(&project, Some(&stranger));
    let foreign = project.run(&["publish"]);
    assert_eq!(
        stage.refusal(&foreign),
        [
            "code E403",
            "403 403 Forbidden - PUT REGISTRY/@acme%2fleft-pad - \
             Permission permission_denied: create_package",
        ]
    );

    stage.configure(&project, Some(&stage.token));
    let seen = project.run(&["view", "@acme/left-pad"]);
    assert_eq!(stage.refusal(&seen), NOT_FOUND, "nothing was published");
}

fn a_token_that_is_revoked_is_refused_at_once(npm: &NpmPackage) {
    let Some(stage) = Stage::of(npm) else { return };
    let project = stage.publish(&package("@acme/left-pad", "1.0.0"));
    let view = ["view", "@acme/left-pad", "version"];
    run(&project, &view);

    stage.server.admin(&["revoke-token", &stage.token]);
    assert_eq!(
        stage.refusal(&project.run(&view)),
        [
            "code E401",
            "Unable to authenticate, your authentication token seems to be invalid.",
        ]
    );
}
