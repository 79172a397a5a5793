//! skopeo: the copying client, and the library that podman, buildah and CRI-O are made of.

use std::path::PathBuf;

use packhouse_testkit::clients::containers::SKOPEO;
use packhouse_testkit::process::Output;
use serde_json::{Value, json};

use crate::stage::{
    Stage, Tenancy, Traffic, assert_refused, assert_said, assert_same_blobs, assert_succeeded,
    at_both_registries,
};

at_both_registries! {
    a_login_is_checked,
    an_image_goes_there_and_comes_back,
    every_architecture_is_copied,
    a_copy_between_images_mounts_their_layers,
    a_deleted_image_is_gone_with_its_tags,
    what_is_private_is_hidden,
    what_is_public_needs_no_token,
    a_token_to_read_does_not_write,
}

/// skopeo on a stage.
pub(crate) struct Skopeo<'a> {
    program: PathBuf,
    stage: &'a Stage,
}

impl<'a> Skopeo<'a> {
    /// `None` where it is not prepared: the test is to be skipped.
    pub(crate) fn on(stage: &'a Stage) -> Option<Self> {
        let program = SKOPEO.prepared()?;
        Some(Self { program, stage })
    }

    /// Runs it with a token, or with none where it is empty.
    pub(crate) fn run(&self, token: &str, arguments: &[&str]) -> Output {
        let credentials = format!("alice:{token}");
        let options: &[&str] = match (arguments, token) {
            (["copy", ..], "") => &["--src-tls-verify=false", "--dest-tls-verify=false"],
            (["copy", ..], _) => &[
                "--src-tls-verify=false",
                "--dest-tls-verify=false",
                "--src-creds",
                &credentials,
                "--dest-creds",
                &credentials,
            ],
            (_, "") => &["--tls-verify=false"],
            (_, _) => &["--tls-verify=false", "--creds", &credentials],
        };
        self.stage
            .kit
            .run(&self.program, arguments.iter().chain(options))
    }

    /// Pushes a layout of the stage as alice.
    #[track_caller]
    pub(crate) fn push(&self, folder: &str, image: &str) {
        let push = ["copy", "--all", &local(folder), &self.remote(image)];
        assert_succeeded(&self.run(&self.stage.token, &push));
    }

    /// Deletes what a tag stands for.
    #[track_caller]
    pub(crate) fn delete(&self, image: &str) {
        assert_succeeded(&self.run(&self.stage.token, &["delete", &self.remote(image)]));
    }

    /// An image's tags.
    #[track_caller]
    pub(crate) fn tags(&self, image: &str) -> Value {
        let listed = self.run(&self.stage.token, &["list-tags", &self.remote(image)]);
        json(&listed.expect_success())["Tags"].clone()
    }

    /// What a tag stands for, as it was pushed.
    #[track_caller]
    pub(crate) fn raw(&self, image: &str) -> Value {
        let inspect = ["inspect", "--raw", &self.remote(image)];
        json(&self.run(&self.stage.token, &inspect).expect_success())
    }

    fn remote(&self, image: &str) -> String {
        format!("docker://{}", self.stage.reference(image))
    }
}

fn local(folder: &str) -> String {
    format!("oci:{folder}:latest")
}

#[track_caller]
fn json(output: &Output) -> Value {
    serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output}"))
}

fn a_login_is_checked(tenancy: Tenancy) {
    let stage = Stage::of(tenancy);
    let Some(skopeo) = Skopeo::on(&stage) else {
        return;
    };
    let login = |password: &str| {
        let host = stage.host();
        let words = [
            "login",
            "--tls-verify=false",
            "-u",
            "alice",
            "-p",
            password,
            host,
        ];
        stage.kit.run(&skopeo.program, words)
    };
    assert_refused(&login("wrong"), "invalid username/password");
    let login = login(&stage.token).expect_success();
    assert_said(&login, "Login Succeeded!");
    // from here on it knows the token by itself
    stage.image("app");
    let copy = ["copy", &local("app"), &skopeo.remote("app:1")];
    assert_succeeded(&skopeo.run("", &copy));
    let inspect = skopeo.run("", &["inspect", &skopeo.remote("app:1")]);
    assert_eq!(json(&inspect.expect_success())["RepoTags"], json!(["1"]));
}

fn an_image_goes_there_and_comes_back(tenancy: Tenancy) {
    let stage = Stage::of(tenancy);
    let Some(skopeo) = Skopeo::on(&stage) else {
        return;
    };
    let image = stage.image("app");
    let first = stage.traffic_of(|| skopeo.push("app", "app:1"));
    let expected = Traffic {
        uploaded: 3,
        mounted: 0,
    };
    assert_eq!(first, expected);
    let again = stage.traffic_of(|| skopeo.push("app", "app:2"));
    assert_eq!(again, Traffic::NONE);

    let inspect = skopeo.run(&stage.token, &["inspect", &skopeo.remote("app:2")]);
    let inspected = json(&inspect.expect_success());
    assert_eq!(inspected["Digest"], image.digest.as_str());
    assert_eq!(inspected["RepoTags"], json!(["1", "2"]));
    let back = ["copy", &skopeo.remote("app:1"), &local("back")];
    assert_succeeded(&skopeo.run(&stage.token, &back));
    assert_same_blobs(image.folder(), &stage.work("back"));
}

fn every_architecture_is_copied(tenancy: Tenancy) {
    let stage = Stage::of(tenancy);
    let Some(skopeo) = Skopeo::on(&stage) else {
        return;
    };
    let index = stage.index("multi");
    skopeo.push("multi", "multi:1");
    let back = ["copy", "--all", &skopeo.remote("multi:1"), &local("back")];
    assert_succeeded(&skopeo.run(&stage.token, &back));
    assert_same_blobs(index.folder(), &stage.work("back"));

    for architecture in ["amd64", "arm64"] {
        let image = skopeo.remote("multi:1");
        let words = ["inspect", "--override-arch", architecture, &image];
        let inspected = json(&skopeo.run(&stage.token, &words).expect_success());
        assert_eq!(inspected["Architecture"], architecture);
        assert_eq!(inspected["Digest"], index.digest.as_str());
    }
}

fn a_copy_between_images_mounts_their_layers(tenancy: Tenancy) {
    let stage = Stage::of(tenancy);
    let Some(skopeo) = Skopeo::on(&stage) else {
        return;
    };
    stage.index("multi");
    skopeo.push("multi", "one:1");
    let traffic = stage.traffic_of(|| {
        let copy = [
            "copy",
            "--all",
            &skopeo.remote("one:1"),
            &skopeo.remote("two:1"),
        ];
        assert_succeeded(&skopeo.run(&stage.token, &copy));
    });
    // three layers; it knows configurations by their content, so it sends them
    let expected = Traffic {
        uploaded: 2,
        mounted: 3,
    };
    assert_eq!(traffic, expected);
    let back = ["copy", "--all", &skopeo.remote("two:1"), &local("back")];
    assert_succeeded(&skopeo.run(&stage.token, &back));
    assert_same_blobs(&stage.work("multi"), &stage.work("back"));
}

fn a_deleted_image_is_gone_with_its_tags(tenancy: Tenancy) {
    let stage = Stage::of(tenancy);
    let Some(skopeo) = Skopeo::on(&stage) else {
        return;
    };
    for (folder, tags) in [("old", &["1", "stable"][..]), ("new", &["2"])] {
        stage.image(folder);
        for tag in tags {
            skopeo.push(folder, &format!("app:{tag}"));
        }
    }
    assert_eq!(skopeo.tags("app"), json!(["1", "2", "stable"]));
    skopeo.delete("app:1");
    assert_eq!(skopeo.tags("app"), json!(["2"]));
    let inspect = skopeo.run(&stage.token, &["inspect", &skopeo.remote("app:stable")]);
    assert_refused(&inspect, "manifest unknown");
}

fn what_is_private_is_hidden(tenancy: Tenancy) {
    let stage = Stage::of(tenancy);
    let Some(skopeo) = Skopeo::on(&stage) else {
        return;
    };
    stage.image("app");
    skopeo.push("app", "app:1");
    let inspect = |token: &str, image: &str| skopeo.run(token, &["inspect", &skopeo.remote(image)]);
    let stranger = stage.stranger();
    for image in ["app:1", "absent:1"] {
        let words = "unauthorized: authentication required";
        assert_refused(&inspect("", image), words);
        let words = "name unknown: repository name not known to registry";
        assert_refused(&inspect(&stranger, image), words);
    }
    let push = ["copy", &local("app"), &skopeo.remote("app:2")];
    let words = "denied: permission_denied: write_package";
    assert_refused(&skopeo.run(&stranger, &push), words);
    assert_eq!(skopeo.tags("app"), json!(["1"]));
}

fn what_is_public_needs_no_token(tenancy: Tenancy) {
    let stage = Stage::in_public(tenancy);
    let Some(skopeo) = Skopeo::on(&stage) else {
        return;
    };
    let image = stage.image("app");
    skopeo.push("app", "app:1");
    stage.show("app");
    let back = ["copy", &skopeo.remote("app:1"), &local("back")];
    assert_succeeded(&skopeo.run("", &back));
    assert_same_blobs(image.folder(), &stage.work("back"));
    let push = ["copy", &local("app"), &skopeo.remote("app:2")];
    assert_refused(
        &skopeo.run("", &push),
        "unauthorized: authentication required",
    );
}

fn a_token_to_read_does_not_write(tenancy: Tenancy) {
    let stage = Stage::of(tenancy);
    let Some(skopeo) = Skopeo::on(&stage) else {
        return;
    };
    stage.image("app");
    skopeo.push("app", "app:1");
    let reader = stage.reader();
    let back = ["copy", &skopeo.remote("app:1"), &local("back")];
    assert_succeeded(&skopeo.run(&reader, &back));
    let words = "permission_denied: The token provided does not match expected scopes.";
    for change in [
        &["copy", &local("app"), &skopeo.remote("app:2")][..],
        &["delete", &skopeo.remote("app:1")],
    ] {
        assert_refused(&skopeo.run(&reader, change), words);
    }
    assert_eq!(skopeo.tags("app"), json!(["1"]));
}
