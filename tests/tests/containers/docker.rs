//! docker: its command line and an engine of the tests' own, which all stories share. Each story
//! has its own server, credentials and file contents.

use packhouse_testkit::clients::containers::DockerEngine;
use packhouse_testkit::process::Output;
use serde_json::{Value, json};

use crate::skopeo::Skopeo;
use crate::stage::{Stage, Tenancy, Traffic, assert_refused, assert_said, at_both_registries};

at_both_registries! {
    a_login_is_checked,
    an_image_goes_there_and_comes_back,
    a_second_name_for_an_image_mounts_its_layers,
    every_architecture_has_its_image,
    a_deleted_image_cannot_be_pulled,
    what_is_private_is_hidden,
    what_is_public_needs_no_token,
    a_token_to_read_does_not_write,
}

/// docker on a stage.
struct Docker<'a> {
    engine: &'static DockerEngine,
    stage: &'a Stage,
}

impl<'a> Docker<'a> {
    /// `None` where it is not prepared: the test is to be skipped.
    fn on(stage: &'a Stage) -> Option<Self> {
        let engine = DockerEngine::shared()?;
        Some(Self { engine, stage })
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.engine.docker(&self.stage.kit, arguments)
    }

    #[track_caller]
    fn do_well(&self, arguments: &[&str]) -> String {
        self.run(arguments).expect_success().stdout
    }

    /// Logs in, in the place of whoever was.
    #[track_caller]
    fn log_in(&self, token: &str) {
        let login = ["login", "-u", "somebody", "-p", token, self.stage.host()];
        assert_said(&self.run(&login).expect_success(), "Login Succeeded");
    }

    /// Builds an image of two layers, whose contents nobody else has, and gives its name.
    #[track_caller]
    fn build(&self, image: &str, arguments: &[&str]) -> String {
        let (stage, name) = (self.stage, self.stage.reference(image));
        stage.kit.write(
            "work/context/Dockerfile",
            "FROM scratch\nCOPY one /one\nCOPY two /two\n",
        );
        stage.kit.write("work/context/one", stage.host());
        stage.kit.write("work/context/two", &name);
        // looking into the cache fails while another story removes an image
        let build = ["build", "-q", "--no-cache", "-t", &name];
        let build = [&build[..], arguments, &["context"]].concat();
        self.do_well(&build);
        name
    }

    /// Builds and pushes as alice.
    #[track_caller]
    fn push(&self, image: &str) -> String {
        self.log_in(&self.stage.token);
        let name = self.build(image, &[]);
        self.do_well(&["push", &name]);
        name
    }

    fn inspect(&self, name: &str) -> Value {
        let printed = self.do_well(&["image", "inspect", name]);
        serde_json::from_str(&printed).unwrap()
    }

    /// What the engine knows of an image by its content.
    #[track_caller]
    fn id(&self, name: &str) -> Value {
        self.inspect(name)[0]["Id"].clone()
    }
}

fn a_login_is_checked(tenancy: Tenancy) {
    let stage = Stage::of(tenancy);
    let Some(docker) = Docker::on(&stage) else {
        return;
    };
    let login = ["login", "-u", "alice", "-p", "wrong", stage.host()];
    let words = "unauthorized: the access token is wrong, expired or revoked";
    assert_refused(&docker.run(&login), words);

    let name = docker.push("app:1");
    docker.do_well(&["logout", stage.host()]);
    let words = "denied: requested access to the resource is denied";
    assert_refused(&docker.run(&["push", &name]), words);
    let words = "repository does not exist or may require 'docker login'";
    assert_refused(&docker.run(&["pull", &name]), words);
}

fn an_image_goes_there_and_comes_back(tenancy: Tenancy) {
    let stage = Stage::of(tenancy);
    let Some(docker) = Docker::on(&stage) else {
        return;
    };
    docker.log_in(&stage.token);
    let name = docker.build("app:1", &[]);
    let id = docker.id(&name);
    let push = || docker.run(&["push", &name]).expect_success();
    let first = stage.traffic_of(|| drop(push()));
    let expected = Traffic {
        uploaded: 3,
        mounted: 0,
    };
    assert_eq!(first, expected);
    let again = stage.traffic_of(|| assert_said(&push(), "Layer already exists"));
    assert_eq!(again, Traffic::NONE);

    docker.do_well(&["rmi", &name]);
    assert_said(&docker.run(&["image", "inspect", &name]), "No such image");
    let pull = docker.run(&["pull", &name]).expect_success();
    assert_said(&pull, "Status: Downloaded newer image");
    // the digest of a configuration that holds the digests of all files
    assert_eq!(docker.id(&name), id);
}

fn a_second_name_for_an_image_mounts_its_layers(tenancy: Tenancy) {
    let stage = Stage::of(tenancy);
    let Some(docker) = Docker::on(&stage) else {
        return;
    };
    let one = docker.push("one:1");
    let two = stage.reference("two:1");
    docker.do_well(&["tag", &one, &two]);
    let traffic = stage.traffic_of(|| {
        let push = docker.run(&["push", &two]).expect_success();
        assert_said(&push, &format!("Mounted from {}", stage.name("one")));
    });
    // it never asks for a configuration to be mounted
    let expected = Traffic {
        uploaded: 1,
        mounted: 2,
    };
    assert_eq!(traffic, expected);
}

fn every_architecture_has_its_image(tenancy: Tenancy) {
    let stage = Stage::of(tenancy);
    let Some(docker) = Docker::on(&stage) else {
        return;
    };
    docker.log_in(&stage.token);
    let mut ids = Vec::new();
    let mut names = Vec::new();
    for architecture in ["amd64", "arm64"] {
        let platform = format!("linux/{architecture}");
        let name = docker.build(&format!("app:{architecture}"), &["--platform", &platform]);
        docker.do_well(&["push", &name]);
        ids.push(docker.id(&name));
        names.push(name);
    }
    let all = stage.reference("app:1");
    let create = ["manifest", "create", "--insecure", &all];
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    docker.do_well(&[&create[..], &names].concat());
    docker.do_well(&["manifest", "push", "--insecure", &all]);

    let inspected = docker.do_well(&["manifest", "inspect", "--insecure", &all]);
    let list: Value = serde_json::from_str(&inspected).unwrap();
    let architecture = |at: usize| list["manifests"][at]["platform"]["architecture"].clone();
    assert_eq!([architecture(0), architecture(1)], ["amd64", "arm64"]);

    docker.do_well(&[&["rmi"], &names[..]].concat());
    for (architecture, id) in ["amd64", "arm64"].iter().zip(&ids) {
        let platform = format!("linux/{architecture}");
        docker.do_well(&["pull", "--platform", &platform, &all]);
        assert_eq!(docker.id(&all), *id);
    }
}

fn a_deleted_image_cannot_be_pulled(tenancy: Tenancy) {
    let stage = Stage::of(tenancy);
    let (Some(docker), Some(skopeo)) = (Docker::on(&stage), Skopeo::on(&stage)) else {
        return;
    };
    let name = docker.push("app:1");
    skopeo.delete("app:1");
    let words = format!("manifest for {name} not found: manifest unknown");
    assert_refused(&docker.run(&["pull", &name]), &words);
    // it remembers that it has pushed these layers, and believes the registry
    docker.do_well(&["push", &name]);
    docker.do_well(&["pull", &name]);
    assert_eq!(skopeo.tags("app"), json!(["1"]));
}

fn what_is_private_is_hidden(tenancy: Tenancy) {
    let stage = Stage::of(tenancy);
    let Some(docker) = Docker::on(&stage) else {
        return;
    };
    let name = docker.push("app:1");
    docker.log_in(&stage.stranger());
    for image in ["app", "absent"] {
        let words = format!(
            "repository {} not found: name unknown",
            stage.reference(image)
        );
        let pull = docker.run(&["pull", &stage.reference(&format!("{image}:1"))]);
        assert_refused(&pull, &words);
    }
    let words = "denied: permission_denied: write_package";
    assert_refused(&docker.run(&["push", &name]), words);
    docker.do_well(&["logout", stage.host()]);
    let words = "repository does not exist or may require 'docker login'";
    assert_refused(&docker.run(&["pull", &name]), words);
}

fn what_is_public_needs_no_token(tenancy: Tenancy) {
    let stage = Stage::in_public(tenancy);
    let Some(docker) = Docker::on(&stage) else {
        return;
    };
    let name = docker.push("app:1");
    stage.show("app");
    let id = docker.id(&name);
    docker.do_well(&["logout", stage.host()]);
    docker.do_well(&["rmi", &name]);
    docker.do_well(&["pull", &name]);
    assert_eq!(docker.id(&name), id);
    let words = "unauthorized: authentication required";
    assert_refused(&docker.run(&["push", &name]), words);
}

fn a_token_to_read_does_not_write(tenancy: Tenancy) {
    let stage = Stage::of(tenancy);
    let Some(docker) = Docker::on(&stage) else {
        return;
    };
    let name = docker.push("app:1");
    docker.log_in(&stage.reader());
    docker.do_well(&["rmi", &name]);
    docker.do_well(&["pull", &name]);
    let other = stage.reference("app:2");
    docker.do_well(&["tag", &name, &other]);
    let words = "denied: permission_denied: The token provided does not match expected scopes.";
    assert_refused(&docker.run(&["push", &other]), words);
}
