//! crane: what ko, kaniko, cosign and tekton are made of as well.

use std::path::PathBuf;

use packhouse_testkit::clients::containers::CRANE;
use packhouse_testkit::process::Output;

use crate::stage::{
    Stage, Tenancy, Traffic, assert_refused, assert_said, assert_same_blobs, at_both_registries,
};

at_both_registries! {
    a_login_is_checked_when_it_is_used,
    an_image_goes_there_and_comes_back,
    every_architecture_is_pushed,
    a_copy_between_images_uploads_nothing,
    tags_are_moved_and_deleted,
    what_is_private_is_hidden,
    what_is_public_needs_no_token,
    a_token_to_read_does_not_write,
}

/// crane on a stage.
struct Crane<'a> {
    program: PathBuf,
    stage: &'a Stage,
}

impl<'a> Crane<'a> {
    /// `None` where it is not prepared: the test is to be skipped.
    fn on(stage: &'a Stage) -> Option<Self> {
        let program = CRANE.prepared()?;
        Some(Self { program, stage })
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let words = ["--insecure"].iter().chain(arguments);
        self.stage.kit.run(&self.program, words)
    }

    #[track_caller]
    fn do_well(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments).expect_success();
        output.stdout.trim().to_owned()
    }

    /// Logs in, in the place of whoever was; crane asks nobody.
    #[track_caller]
    fn log_in(&self, token: &str) {
        let host = self.stage.host();
        self.do_well(&["auth", "login", "-u", "somebody", "-p", token, host]);
    }

    /// Pushes a layout of the stage as alice, and gives its name.
    #[track_caller]
    fn push(&self, folder: &str, image: &str) -> String {
        self.log_in(&self.stage.token);
        let name = self.stage.reference(image);
        self.do_well(&["push", folder, &name]);
        name
    }

    /// An image's tags.
    #[track_caller]
    fn tags(&self, image: &str) -> Vec<String> {
        let tags = self.do_well(&["ls", &self.stage.reference(image)]);
        tags.lines().map(str::to_owned).collect()
    }
}

fn a_login_is_checked_when_it_is_used(tenancy: Tenancy) {
    let stage = Stage::of(tenancy);
    let Some(crane) = Crane::on(&stage) else {
        return;
    };
    stage.image("app");
    let name = crane.push("app", "app:1");
    crane.log_in("wrong");
    let words = "UNAUTHORIZED: the access token is wrong, expired or revoked";
    assert_refused(&crane.run(&["manifest", &name]), words);
    crane.do_well(&["auth", "logout", stage.host()]);
    let words = "UNAUTHORIZED: authentication required";
    assert_refused(&crane.run(&["manifest", &name]), words);
}

fn an_image_goes_there_and_comes_back(tenancy: Tenancy) {
    let stage = Stage::of(tenancy);
    let Some(crane) = Crane::on(&stage) else {
        return;
    };
    let image = stage.image("app");
    let mut name = String::new();
    let first = stage.traffic_of(|| name = crane.push("app", "app:1"));
    let expected = Traffic {
        uploaded: 3,
        mounted: 0,
    };
    assert_eq!(first, expected);
    let again = stage.traffic_of(|| drop(crane.push("app", "app:1")));
    assert_eq!(again, Traffic::NONE);

    assert_eq!(crane.do_well(&["digest", &name]), image.digest);
    let valid = crane.run(&["validate", "--remote", &name]);
    assert_said(&valid.expect_success(), "PASS");
    crane.do_well(&["pull", "--format=oci", &name, "back"]);
    assert_same_blobs(image.folder(), &stage.work("back"));
}

fn every_architecture_is_pushed(tenancy: Tenancy) {
    let stage = Stage::of(tenancy);
    let Some(crane) = Crane::on(&stage) else {
        return;
    };
    let index = stage.index("multi");
    let name = crane.push("multi", "multi:1");
    assert_eq!(crane.do_well(&["digest", &name]), index.digest);
    for architecture in ["amd64", "arm64"] {
        let platform = format!("linux/{architecture}");
        let config = crane.do_well(&["config", "--platform", &platform, &name]);
        let words = format!("\"architecture\":\"{architecture}\"");
        assert!(config.contains(&words), "{config}");
    }
    crane.do_well(&["pull", "--format=oci", &name, "back"]);
    assert_same_blobs(index.folder(), &stage.work("back"));
}

fn a_copy_between_images_uploads_nothing(tenancy: Tenancy) {
    let stage = Stage::of(tenancy);
    let Some(crane) = Crane::on(&stage) else {
        return;
    };
    let index = stage.index("multi");
    let one = crane.push("multi", "one:1");
    let two = stage.reference("two:1");
    let traffic = stage.traffic_of(|| drop(crane.do_well(&["copy", &one, &two])));
    let expected = Traffic {
        uploaded: 0,
        mounted: 5,
    };
    assert_eq!(traffic, expected);
    assert_eq!(crane.do_well(&["digest", &two]), index.digest);
    crane.do_well(&["validate", "--remote", &two]);
    let catalog = crane.do_well(&["catalog", stage.host()]);
    let names: Vec<&str> = catalog.lines().collect();
    assert_eq!(names, [stage.name("one"), stage.name("two")]);
}

fn tags_are_moved_and_deleted(tenancy: Tenancy) {
    let stage = Stage::of(tenancy);
    let Some(crane) = Crane::on(&stage) else {
        return;
    };
    let old = stage.image("old").digest;
    let new = stage.image("new").digest;
    let first = crane.push("old", "app:1");
    crane.push("new", "app:2");
    crane.do_well(&["tag", &first, "latest"]);
    let latest = stage.reference("app:latest");
    assert_eq!(crane.do_well(&["digest", &latest]), old);
    crane.do_well(&["tag", &stage.reference("app:2"), "latest"]);
    assert_eq!(crane.do_well(&["digest", &latest]), new);
    assert_eq!(crane.tags("app"), ["1", "2", "latest"]);

    crane.do_well(&["delete", &latest]);
    assert_eq!(crane.tags("app"), ["1", "2"]);
    crane.do_well(&["delete", &stage.reference(&format!("app@{old}"))]);
    assert_eq!(crane.tags("app"), ["2"]);
    assert_refused(&crane.run(&["manifest", &first]), "MANIFEST_UNKNOWN");
}

fn what_is_private_is_hidden(tenancy: Tenancy) {
    let stage = Stage::of(tenancy);
    let Some(crane) = Crane::on(&stage) else {
        return;
    };
    stage.image("app");
    let name = crane.push("app", "app:1");
    let absent = stage.reference("absent:1");
    crane.log_in(&stage.stranger());
    for image in [&name, &absent] {
        let words = "NAME_UNKNOWN: repository name not known to registry";
        assert_refused(&crane.run(&["manifest", image]), words);
    }
    let push = crane.run(&["push", "app", &stage.reference("app:2")]);
    assert_refused(&push, "DENIED: permission_denied: write_package");
    assert_eq!(crane.do_well(&["catalog", stage.host()]), "");
    crane.do_well(&["auth", "logout", stage.host()]);
    for image in [&name, &absent] {
        let words = "UNAUTHORIZED: authentication required";
        assert_refused(&crane.run(&["manifest", image]), words);
    }
}

fn what_is_public_needs_no_token(tenancy: Tenancy) {
    let stage = Stage::in_public(tenancy);
    let Some(crane) = Crane::on(&stage) else {
        return;
    };
    let image = stage.image("app");
    let name = crane.push("app", "app:1");
    stage.show("app");
    crane.do_well(&["auth", "logout", stage.host()]);
    crane.do_well(&["pull", "--format=oci", &name, "back"]);
    assert_same_blobs(image.folder(), &stage.work("back"));
    let push = crane.run(&["push", "app", &stage.reference("app:2")]);
    assert_refused(&push, "UNAUTHORIZED: authentication required");
}

fn a_token_to_read_does_not_write(tenancy: Tenancy) {
    let stage = Stage::of(tenancy);
    let Some(crane) = Crane::on(&stage) else {
        return;
    };
    let image = stage.image("app");
    let name = crane.push("app", "app:1");
    crane.log_in(&stage.reader());
    assert_eq!(crane.do_well(&["digest", &name]), image.digest);
    let words = "DENIED: permission_denied: The token provided does not match expected scopes.";
    for change in [
        &["push", "app", &stage.reference("app:2")][..],
        &["tag", &name, "latest"],
        &["delete", &name],
    ] {
        assert_refused(&crane.run(change), words);
    }
    assert_eq!(crane.tags("app"), ["1"]);
}
