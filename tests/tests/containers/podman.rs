//! podman and buildah: engines without a daemon, for builds and what becomes of them.

use std::ops::Deref;
use std::path::PathBuf;

use packhouse_testkit::clients::containers::{BUILDAH, PODMAN, Tool};
use packhouse_testkit::process::Output;
use serde_json::Value;

use crate::skopeo::Skopeo;
use crate::stage::{
    Cli, Stage, Tenancy, Traffic, assert_refused, assert_said, assert_succeeded, at_both_registries,
};

at_both_registries! {
    a_login_is_checked,
    an_image_goes_there_and_comes_back,
    a_second_name_for_an_image_mounts_its_layers,
    every_architecture_is_built_and_pushed,
    what_is_private_is_hidden,
    what_is_public_needs_no_token,
    a_token_to_read_does_not_write,
    buildah_builds_and_pushes,
}

/// podman, or buildah, on a stage; both know the same words.
struct Engine<'a>(Cli<'a>);

impl<'a> Deref for Engine<'a> {
    type Target = Cli<'a>;

    fn deref(&self) -> &Cli<'a> {
        &self.0
    }
}

impl<'a> Engine<'a> {
    /// `None` where it cannot be used: the test is to be skipped.
    fn on(stage: &'a Stage, tool: &Tool) -> Option<Self> {
        let program = tool.prepared_for_root()?;
        Some(Self(Cli { program, stage }))
    }

    fn podman(stage: &'a Stage) -> Option<Self> {
        Self::on(stage, &PODMAN)
    }

    fn try_log_in(&self, token: &str) -> Output {
        self.0.try_log_in(&["login", "--tls-verify=false"], token)
    }

    #[track_caller]
    fn log_in(&self, token: &str) {
        assert_said(&self.try_log_in(token).expect_success(), "Login Succeeded!");
    }

    /// Builds an image of two layers, and gives its name.
    #[track_caller]
    fn build(&self, image: &str) -> String {
        let name = self.stage.reference(image);
        self.write_context();
        self.do_well(&["build", "-q", "--layers", "-t", &name, "context"]);
        name
    }

    fn write_context(&self) {
        let kit = &self.stage.kit;
        kit.write(
            "work/context/Containerfile",
            "FROM scratch\nCOPY one /one\nCOPY two /two\n",
        );
        kit.write("work/context/one", "one\n");
        kit.write("work/context/two", "two\n");
    }

    fn push(&self, name: &str) -> Output {
        self.run(&["push", "--tls-verify=false", name])
    }

    fn pull(&self, name: &str) -> Output {
        self.run(&["pull", "--tls-verify=false", name])
    }

    /// Builds and pushes as alice.
    #[track_caller]
    fn publish(&self, image: &str) -> String {
        self.log_in(&self.stage.token);
        let name = self.build(image);
        assert_succeeded(&self.push(&name));
        name
    }

    /// What podman knows of an image by its content.
    #[track_caller]
    fn id(&self, name: &str) -> String {
        self.do_well(&["image", "inspect", "--format", "{{.Id}}", name])
    }
}

fn a_login_is_checked(tenancy: Tenancy) {
    let stage = Stage::of(tenancy);
    for tool in [PODMAN, BUILDAH] {
        let Some(engine) = Engine::on(&stage, &tool) else {
            return;
        };
        assert_refused(&engine.try_log_in("wrong"), "invalid username/password");
        engine.log_in(&stage.token);
        engine.do_well(&["logout", stage.host()]);
    }
}

fn an_image_goes_there_and_comes_back(tenancy: Tenancy) {
    let stage = Stage::of(tenancy);
    let Some(podman) = Engine::podman(&stage) else {
        return;
    };
    let mut name = String::new();
    let first = stage.traffic_of(|| name = podman.publish("app:1"));
    let expected = Traffic {
        uploaded: 3,
        mounted: 0,
    };
    assert_eq!(first, expected);
    let again = stage.traffic_of(|| drop(podman.push(&name).expect_success()));
    assert_eq!(again, Traffic::NONE);

    let id = podman.id(&name);
    podman.do_well(&["rmi", &name]);
    assert_succeeded(&podman.pull(&name));
    assert_eq!(podman.id(&name), id);
}

fn a_second_name_for_an_image_mounts_its_layers(tenancy: Tenancy) {
    let stage = Stage::of(tenancy);
    let Some(podman) = Engine::podman(&stage) else {
        return;
    };
    let one = podman.publish("one:1");
    let two = stage.reference("two:1");
    podman.do_well(&["tag", &one, &two]);
    let traffic = stage.traffic_of(|| drop(podman.push(&two).expect_success()));
    // it never asks for a configuration to be mounted
    let expected = Traffic {
        uploaded: 1,
        mounted: 2,
    };
    assert_eq!(traffic, expected);
}

fn every_architecture_is_built_and_pushed(tenancy: Tenancy) {
    let stage = Stage::of(tenancy);
    let (Some(podman), Some(skopeo)) = (Engine::podman(&stage), Skopeo::on(&stage)) else {
        return;
    };
    podman.log_in(&stage.token);
    podman.write_context();
    // whose layer it finds in its cache it takes the architecture of
    let build = [
        "build",
        "-q",
        "--no-cache",
        "--manifest",
        "all",
        "--platform",
    ];
    podman.do_well(&[&build[..], &["linux/amd64,linux/arm64", "context"]].concat());
    let name = stage.reference("app:1");
    let push = ["manifest", "push", "--all", "--tls-verify=false", "all"];
    podman.do_well(&[&push[..], &[&format!("docker://{name}")]].concat());

    let index: Value = skopeo.raw("app:1");
    let manifests = index["manifests"].as_array().unwrap().iter();
    let mut architectures: Vec<&str> = manifests
        .map(|manifest| manifest["platform"]["architecture"].as_str().unwrap())
        .collect();
    architectures.sort_unstable();
    assert_eq!(architectures, ["amd64", "arm64"]);
    for architecture in architectures {
        let pull = ["pull", "--tls-verify=false", "--arch", architecture, &name];
        podman.do_well(&pull);
        let format = ["image", "inspect", "--format", "{{.Architecture}}", &name];
        assert_eq!(podman.do_well(&format), architecture);
    }
}

fn what_is_private_is_hidden(tenancy: Tenancy) {
    let stage = Stage::of(tenancy);
    let Some(podman) = Engine::podman(&stage) else {
        return;
    };
    let name = podman.publish("app:1");
    let absent = stage.reference("absent:1");
    podman.log_in(&stage.stranger());
    for image in [&name, &absent] {
        let words = "name unknown: repository name not known to registry";
        assert_refused(&podman.pull(image), words);
    }
    let words = "denied: permission_denied: write_package";
    assert_refused(&podman.push(&name), words);
    podman.do_well(&["logout", stage.host()]);
    for image in [&name, &absent] {
        assert_refused(&podman.pull(image), "unauthorized: authentication required");
    }
}

fn what_is_public_needs_no_token(tenancy: Tenancy) {
    let stage = Stage::in_public(tenancy);
    let Some(podman) = Engine::podman(&stage) else {
        return;
    };
    let name = podman.publish("app:1");
    stage.show("app");
    let id = podman.id(&name);
    podman.do_well(&["logout", stage.host()]);
    podman.do_well(&["rmi", &name]);
    assert_succeeded(&podman.pull(&name));
    assert_eq!(podman.id(&name), id);
    let other = stage.reference("app:2");
    podman.do_well(&["tag", &name, &other]);
    assert_refused(
        &podman.push(&other),
        "unauthorized: authentication required",
    );
}

fn a_token_to_read_does_not_write(tenancy: Tenancy) {
    let stage = Stage::of(tenancy);
    let Some(podman) = Engine::podman(&stage) else {
        return;
    };
    let name = podman.publish("app:1");
    podman.log_in(&stage.reader());
    podman.do_well(&["rmi", &name]);
    assert_succeeded(&podman.pull(&name));
    let other = stage.reference("app:2");
    podman.do_well(&["tag", &name, &other]);
    let words = "denied: permission_denied: The token provided does not match expected scopes.";
    assert_refused(&podman.push(&other), words);
}

fn buildah_builds_and_pushes(tenancy: Tenancy) {
    let stage = Stage::of(tenancy);
    let (Some(buildah), Some(skopeo)) = (Engine::on(&stage, &BUILDAH), Skopeo::on(&stage)) else {
        return;
    };
    buildah.log_in(&stage.token);
    buildah.write_context();
    let container = buildah.do_well(&["from", "scratch"]);
    buildah.do_well(&["copy", &container, "context/one", "/one"]);
    let name = stage.reference("app:1");
    let image = buildah.do_well(&["commit", "--rm", &container, &name]);
    assert_succeeded(&buildah.push(&name));
    assert_eq!(skopeo.raw("app:1")["layers"].as_array().unwrap().len(), 1);

    buildah.do_well(&["rmi", &image]);
    let pulled = buildah.pull(&name).expect_success();
    assert_eq!(pulled.stdout.trim(), image);
    let container = buildah.do_well(&["from", "--tls-verify=false", &name]);
    let mounted = PathBuf::from(buildah.do_well(&["mount", &container]));
    assert_eq!(std::fs::read(mounted.join("one")).unwrap(), b"one\n");
}
