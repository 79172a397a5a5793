//! oras: artifacts of every kind, and what refers to them. helm and flux are made of its library.

use std::ops::Deref;

use packhouse_testkit::clients::containers::ORAS;
use packhouse_testkit::process::Output;
use serde_json::Value;

use crate::stage::{
    Cli, Stage, Tenancy, Traffic, assert_refused, assert_said, assert_same_blobs,
    at_both_registries,
};

const SBOM: &str = "application/vnd.example.sbom";

at_both_registries! {
    a_login_is_checked,
    a_file_goes_there_and_comes_back,
    every_architecture_is_copied,
    what_is_attached_is_discovered_and_copied_along,
    a_deleted_referrer_is_not_discovered,
    tags_are_listed_and_go_with_what_is_deleted,
    what_is_private_is_hidden,
    what_is_public_needs_no_token,
    a_token_to_read_does_not_write,
}

/// oras on a stage.
struct Oras<'a>(Cli<'a>);

impl<'a> Deref for Oras<'a> {
    type Target = Cli<'a>;

    fn deref(&self) -> &Cli<'a> {
        &self.0
    }
}

impl<'a> Oras<'a> {
    /// `None` where it is not prepared: the test is to be skipped.
    fn on(stage: &'a Stage) -> Option<Self> {
        Cli::on(stage, &ORAS).map(Self)
    }

    fn try_log_in(&self, token: &str) -> Output {
        self.0.try_log_in(&["login", "--plain-http"], token)
    }

    #[track_caller]
    fn log_in(&self, token: &str) {
        assert_said(&self.try_log_in(token).expect_success(), "Login Succeeded");
    }

    #[track_caller]
    fn log_out(&self) {
        self.do_well(&["logout", self.stage.host()]);
    }

    /// Pushes a file of this content as alice, and gives its name.
    #[track_caller]
    fn push(&self, image: &str, content: &str) -> String {
        self.log_in(&self.stage.token);
        self.stage.kit.write("work/file.txt", content);
        let name = self.stage.reference(image);
        self.do_well(&["push", "--plain-http", &name, "file.txt:text/plain"]);
        name
    }

    /// Attaches a file to what is there, and gives the digest of what refers to it.
    #[track_caller]
    fn attach(&self, name: &str) -> String {
        self.stage.kit.write("work/sbom.json", "{}\n");
        let attach = ["attach", "--plain-http", "--artifact-type", SBOM, name];
        let said = self.do_well(&[&attach[..], &["sbom.json:application/json"]].concat());
        let digest = said.lines().find_map(|line| line.strip_prefix("Digest: "));
        digest.unwrap_or_else(|| panic!("{said}")).to_owned()
    }

    /// The digests of what refers to something.
    #[track_caller]
    fn referrers(&self, name: &str, options: &[&str]) -> Vec<String> {
        let discover = ["discover", "--plain-http", "--format", "json"];
        let said = self.do_well(&[&discover[..], options, &[name]].concat());
        let found: Value = serde_json::from_str(&said).unwrap();
        let referrers = found["referrers"].as_array().unwrap().iter();
        referrers
            .map(|referrer| referrer["digest"].as_str().unwrap().to_owned())
            .collect()
    }

    /// An image's tags.
    #[track_caller]
    fn tags(&self, image: &str) -> Vec<String> {
        let name = self.stage.reference(image);
        let tags = self.do_well(&["repo", "tags", "--plain-http", &name]);
        tags.lines().map(str::to_owned).collect()
    }
}

fn a_login_is_checked(tenancy: Tenancy) {
    let stage = Stage::of(tenancy);
    let Some(oras) = Oras::on(&stage) else {
        return;
    };
    let words = "unauthorized: the access token is wrong, expired or revoked";
    assert_refused(&oras.try_log_in("wrong"), words);
    oras.log_in(&stage.token);
}

fn a_file_goes_there_and_comes_back(tenancy: Tenancy) {
    let stage = Stage::of(tenancy);
    let Some(oras) = Oras::on(&stage) else {
        return;
    };
    let mut name = String::new();
    let first = stage.traffic_of(|| name = oras.push("app:1", "some words\n"));
    let expected = Traffic {
        uploaded: 2,
        mounted: 0,
    };
    assert_eq!(first, expected);
    let again = stage.traffic_of(|| drop(oras.push("app:2", "some words\n")));
    assert_eq!(again, Traffic::NONE);
    oras.do_well(&["pull", "--plain-http", "-o", "back", &name]);
    assert_eq!(stage.kit.read("work/back/file.txt"), b"some words\n");
}

fn every_architecture_is_copied(tenancy: Tenancy) {
    let stage = Stage::of(tenancy);
    let Some(oras) = Oras::on(&stage) else {
        return;
    };
    oras.log_in(&stage.token);
    let index = stage.index("multi");
    let (one, two) = (stage.reference("one:1"), stage.reference("two:1"));
    let push = ["cp", "--from-oci-layout", "multi:latest", "--to-plain-http"];
    oras.do_well(&[&push[..], &[&one]].concat());

    let between = ["cp", "--from-plain-http", "--to-plain-http", &one, &two];
    let traffic = stage.traffic_of(|| drop(oras.do_well(&between)));
    let expected = Traffic {
        uploaded: 0,
        mounted: 5,
    };
    assert_eq!(traffic, expected);

    let pull = ["cp", "--from-plain-http", "--to-oci-layout", &two];
    oras.do_well(&[&pull[..], &["back:latest"]].concat());
    assert_same_blobs(index.folder(), &stage.work("back"));
    for architecture in ["amd64", "arm64"] {
        let platform = format!("linux/{architecture}");
        let fetch = ["manifest", "fetch-config", "--plain-http", "--platform"];
        let config = oras.do_well(&[&fetch[..], &[&platform, &two]].concat());
        let config: Value = serde_json::from_str(&config).unwrap();
        assert_eq!(config["architecture"], architecture);
    }
}

fn what_is_attached_is_discovered_and_copied_along(tenancy: Tenancy) {
    let stage = Stage::of(tenancy);
    let Some(oras) = Oras::on(&stage) else {
        return;
    };
    let one = oras.push("one:1", "some words\n");
    assert_eq!(oras.referrers(&one, &[]), [""; 0]);
    let attached = [oras.attach(&one)];
    assert_eq!(oras.referrers(&one, &[]), attached);
    let typed = |kind: &'static str| ["--artifact-type", kind];
    assert_eq!(oras.referrers(&one, &typed(SBOM)), attached);
    assert_eq!(oras.referrers(&one, &typed("text/other")), [""; 0]);
    // what refers to something has no tag of its own
    assert_eq!(oras.tags("one"), ["1"]);

    let two = stage.reference("two:1");
    let copy = ["copy", "-r", "--from-plain-http", "--to-plain-http"];
    oras.do_well(&[&copy[..], &[&one, &two]].concat());
    assert_eq!(oras.referrers(&two, &[]), attached);
}

fn a_deleted_referrer_is_not_discovered(tenancy: Tenancy) {
    let stage = Stage::of(tenancy);
    let Some(oras) = Oras::on(&stage) else {
        return;
    };
    let name = oras.push("app:1", "some words\n");
    let sbom = oras.attach(&name);
    let named = stage.reference(&format!("app@{sbom}"));
    oras.do_well(&["manifest", "delete", "--plain-http", "-f", &named]);
    assert_eq!(oras.referrers(&name, &[]), [""; 0]);
}

fn tags_are_listed_and_go_with_what_is_deleted(tenancy: Tenancy) {
    let stage = Stage::of(tenancy);
    let Some(oras) = Oras::on(&stage) else {
        return;
    };
    let old = oras.push("app:1", "old words\n");
    oras.push("app:2", "new words\n");
    oras.do_well(&["tag", "--plain-http", &old, "stable"]);
    assert_eq!(oras.tags("app"), ["1", "2", "stable"]);
    let names = oras.do_well(&["repo", "ls", "--plain-http", stage.host()]);
    assert_eq!(names, stage.name("app"));

    // it asks what the tag stands for, and deletes that
    oras.do_well(&["manifest", "delete", "--plain-http", "-f", &old]);
    assert_eq!(oras.tags("app"), ["2"]);
}

fn what_is_private_is_hidden(tenancy: Tenancy) {
    let stage = Stage::of(tenancy);
    let Some(oras) = Oras::on(&stage) else {
        return;
    };
    let name = oras.push("app:1", "some words\n");
    oras.log_in(&stage.stranger());
    for image in ["app:1", "absent:1"] {
        let image = stage.reference(image);
        let pull = oras.run(&["pull", "--plain-http", &image]);
        assert_refused(&pull, &format!("{image}: not found"));
        // a list of what refers to the hidden is as empty as that of what is not there
        assert_refused(
            &oras.run(&["discover", "--plain-http", &image]),
            "not found",
        );
    }
    let push = ["push", "--plain-http", &name, "file.txt:text/plain"];
    let words = "denied: permission_denied: write_package";
    assert_refused(&oras.run(&push), words);
    oras.log_out();
    let words = "unauthorized: authentication required";
    assert_refused(&oras.run(&["pull", "--plain-http", &name]), words);
}

fn what_is_public_needs_no_token(tenancy: Tenancy) {
    let stage = Stage::in_public(tenancy);
    let Some(oras) = Oras::on(&stage) else {
        return;
    };
    let name = oras.push("app:1", "some words\n");
    let sbom = oras.attach(&name);
    stage.show("app");
    oras.log_out();
    oras.do_well(&["pull", "--plain-http", "-o", "back", &name]);
    assert_eq!(stage.kit.read("work/back/file.txt"), b"some words\n");
    assert_eq!(oras.referrers(&name, &[]), [sbom]);
    let push = ["push", "--plain-http", &name, "file.txt:text/plain"];
    assert_refused(&oras.run(&push), "unauthorized: authentication required");
}

fn a_token_to_read_does_not_write(tenancy: Tenancy) {
    let stage = Stage::of(tenancy);
    let Some(oras) = Oras::on(&stage) else {
        return;
    };
    let name = oras.push("app:1", "some words\n");
    oras.log_in(&stage.reader());
    oras.do_well(&["pull", "--plain-http", "-o", "back", &name]);
    let other = stage.reference("app:2");
    let words = "denied: permission_denied: The token provided does not match expected scopes.";
    for change in [
        &["push", "--plain-http", &other, "file.txt:text/plain"][..],
        &["tag", "--plain-http", &name, "stable"],
        &["manifest", "delete", "--plain-http", "-f", &name],
    ] {
        assert_refused(&oras.run(change), words);
    }
    assert_eq!(oras.tags("app"), ["1"]);
}
