//! regctl: regclient's command line; regsync and regbot are made of the same library.

use std::ops::Deref;

use packhouse_testkit::clients::containers::REGCTL;
use packhouse_testkit::process::Output;
use serde_json::Value;

use crate::stage::{
    Cli, Stage, Tenancy, Traffic, assert_refused, assert_same_blobs, assert_succeeded,
    at_both_registries,
};

const SBOM: &str = "application/vnd.example.sbom";

at_both_registries! {
    a_login_is_checked,
    every_architecture_goes_there_and_comes_back,
    a_copy_between_images_uploads_nothing,
    what_is_attached_is_listed_and_copied_along,
    a_large_blob_goes_in_chunks,
    a_deleted_tag_leaves_its_image,
    what_is_private_is_hidden,
    what_is_public_needs_no_token,
    a_token_to_read_does_not_write,
}

/// regctl on a stage.
struct Regctl<'a>(Cli<'a>);

impl<'a> Deref for Regctl<'a> {
    type Target = Cli<'a>;

    fn deref(&self) -> &Cli<'a> {
        &self.0
    }
}

impl<'a> Regctl<'a> {
    /// `None` where it is not prepared: the test is to be skipped.
    fn on(stage: &'a Stage) -> Option<Self> {
        let regctl = Self(Cli::on(stage, &REGCTL)?);
        let set = ["registry", "set", "--tls", "disabled", "--skip-check"];
        regctl.do_well(&[&set[..], &[stage.host()]].concat());
        Some(regctl)
    }

    fn try_log_in(&self, token: &str) -> Output {
        self.0.try_log_in(&["registry", "login"], token)
    }

    #[track_caller]
    fn log_in(&self, token: &str) {
        assert_succeeded(&self.try_log_in(token));
    }

    #[track_caller]
    fn log_out(&self) {
        self.do_well(&["registry", "logout", self.stage.host()]);
    }

    /// Pushes a layout of the stage as alice, and gives its name.
    #[track_caller]
    fn push(&self, folder: &str, image: &str) -> String {
        self.log_in(&self.stage.token);
        let name = self.stage.reference(image);
        self.do_well(&["image", "copy", &format!("ocidir://{folder}:latest"), &name]);
        name
    }

    #[track_caller]
    fn digest(&self, name: &str) -> String {
        self.do_well(&["image", "digest", name])
    }

    /// Attaches a file to what is there.
    #[track_caller]
    fn attach(&self, name: &str) {
        self.stage.kit.write("work/sbom.json", "{}\n");
        let put = [
            "artifact",
            "put",
            "--artifact-type",
            SBOM,
            "--subject",
            name,
        ];
        let file = ["-m", "application/json", "-f", "sbom.json"];
        self.do_well(&[&put[..], &file].concat());
    }

    /// The types of what refers to something.
    #[track_caller]
    fn referrers(&self, name: &str, options: &[&str]) -> Vec<String> {
        let list = ["artifact", "list", "--format", "{{json .}}"];
        let said = self.do_well(&[&list[..], options, &[name]].concat());
        let found: Value = serde_json::from_str(&said).unwrap();
        let descriptors = found["descriptors"].as_array().into_iter().flatten();
        descriptors
            .map(|descriptor| descriptor["artifactType"].as_str().unwrap().to_owned())
            .collect()
    }

    /// An image's tags.
    #[track_caller]
    fn tags(&self, image: &str) -> Vec<String> {
        let tags = self.do_well(&["tag", "ls", &self.stage.reference(image)]);
        tags.lines().map(str::to_owned).collect()
    }
}

fn a_login_is_checked(tenancy: Tenancy) {
    let stage = Stage::of(tenancy);
    let Some(regctl) = Regctl::on(&stage) else {
        return;
    };
    let words = format!("failed to ping registry {}: unauthorized", stage.host());
    assert_refused(&regctl.try_log_in("wrong"), &words);
    regctl.log_in(&stage.token);
}

fn every_architecture_goes_there_and_comes_back(tenancy: Tenancy) {
    let stage = Stage::of(tenancy);
    let Some(regctl) = Regctl::on(&stage) else {
        return;
    };
    let index = stage.index("multi");
    let mut name = String::new();
    let first = stage.traffic_of(|| name = regctl.push("multi", "app:1"));
    let expected = Traffic {
        uploaded: 5,
        mounted: 0,
    };
    assert_eq!(first, expected);
    let again = stage.traffic_of(|| drop(regctl.push("multi", "app:2")));
    assert_eq!(again, Traffic::NONE);

    assert_eq!(regctl.digest(&name), index.digest);
    assert_eq!(regctl.tags("app"), ["1", "2"]);
    let names = regctl.do_well(&["repo", "ls", stage.host()]);
    assert_eq!(names, stage.name("app"));
    regctl.do_well(&["image", "copy", &name, "ocidir://back:latest"]);
    assert_same_blobs(index.folder(), &stage.work("back"));
}

fn a_copy_between_images_uploads_nothing(tenancy: Tenancy) {
    let stage = Stage::of(tenancy);
    let Some(regctl) = Regctl::on(&stage) else {
        return;
    };
    let index = stage.index("multi");
    let one = regctl.push("multi", "one:1");
    let two = stage.reference("two:1");
    let traffic = stage.traffic_of(|| drop(regctl.do_well(&["image", "copy", &one, &two])));
    let expected = Traffic {
        uploaded: 0,
        mounted: 5,
    };
    assert_eq!(traffic, expected);
    regctl.do_well(&["image", "copy", &two, "ocidir://back:latest"]);
    assert_same_blobs(index.folder(), &stage.work("back"));
}

fn what_is_attached_is_listed_and_copied_along(tenancy: Tenancy) {
    let stage = Stage::of(tenancy);
    let Some(regctl) = Regctl::on(&stage) else {
        return;
    };
    stage.image("app");
    let one = regctl.push("app", "one:1");
    assert_eq!(regctl.referrers(&one, &[]), [""; 0]);
    regctl.attach(&one);
    assert_eq!(regctl.referrers(&one, &[]), [SBOM]);
    let other = ["--filter-artifact-type", "text/other"];
    assert_eq!(regctl.referrers(&one, &other), [""; 0]);
    let get = ["artifact", "get", "--subject", &one];
    assert_eq!(regctl.do_well(&get), "{}");

    let two = stage.reference("two:1");
    regctl.do_well(&["image", "copy", "--referrers", &one, &two]);
    assert_eq!(regctl.referrers(&two, &[]), [SBOM]);
}

fn a_large_blob_goes_in_chunks(tenancy: Tenancy) {
    let stage = Stage::of(tenancy);
    let Some(regctl) = Regctl::on(&stage) else {
        return;
    };
    regctl.log_in(&stage.token);
    let large: Vec<u8> = (0..=250).cycle().take(3_000_001).collect();
    stage.kit.write("work/large", &large);
    let set = ["registry", "set", "--blob-max", "1000000", "--blob-chunk"];
    regctl.do_well(&[&set[..], &["1000000", "--skip-check", stage.host()]].concat());
    let name = stage.reference("app");
    let put = format!("'{}' blob put {name} <large", regctl.program.display());
    let put = stage.kit.run("sh".as_ref(), ["-c", &put]).expect_success();
    let digest = put.stdout.trim();
    let get = format!(
        "'{}' blob get {name} {digest} | cmp - large",
        regctl.program.display()
    );
    assert_succeeded(&stage.kit.run("sh".as_ref(), ["-c", &get]));
}

fn a_deleted_tag_leaves_its_image(tenancy: Tenancy) {
    let stage = Stage::of(tenancy);
    let Some(regctl) = Regctl::on(&stage) else {
        return;
    };
    let digest = stage.image("app").digest;
    let one = regctl.push("app", "app:1");
    let two = stage.reference("app:2");
    regctl.do_well(&["image", "copy", &one, &two]);
    regctl.do_well(&["tag", "delete", &two]);
    assert_eq!(regctl.tags("app"), ["1"]);
    assert_eq!(regctl.digest(&one), digest);

    let named = stage.reference(&format!("app@{digest}"));
    regctl.do_well(&["manifest", "delete", &named]);
    assert_eq!(regctl.tags("app"), [""; 0]);
    assert_refused(&regctl.run(&["manifest", "get", &one]), "MANIFEST_UNKNOWN");
}

fn what_is_private_is_hidden(tenancy: Tenancy) {
    let stage = Stage::of(tenancy);
    let Some(regctl) = Regctl::on(&stage) else {
        return;
    };
    stage.image("app");
    let name = regctl.push("app", "app:1");
    let absent = stage.reference("absent:1");
    regctl.log_in(&stage.stranger());
    for image in [&name, &absent] {
        let words = "repository name not known to registry";
        assert_refused(&regctl.run(&["manifest", "get", image]), words);
    }
    let push = [
        "image",
        "copy",
        "ocidir://app:latest",
        &stage.reference("app:2"),
    ];
    assert_refused(&regctl.run(&push), "permission_denied: write_package");
    regctl.log_out();
    for image in [&name, &absent] {
        assert_refused(&regctl.run(&["manifest", "get", image]), "unauthorized");
    }
}

fn what_is_public_needs_no_token(tenancy: Tenancy) {
    let stage = Stage::in_public(tenancy);
    let Some(regctl) = Regctl::on(&stage) else {
        return;
    };
    let image = stage.image("app");
    let name = regctl.push("app", "app:1");
    regctl.attach(&name);
    stage.show("app");
    regctl.log_out();
    regctl.do_well(&["image", "copy", &name, "ocidir://back:latest"]);
    assert_same_blobs(image.folder(), &stage.work("back"));
    assert_eq!(regctl.referrers(&name, &[]), [SBOM]);
    let push = [
        "image",
        "copy",
        "ocidir://app:latest",
        &stage.reference("app:2"),
    ];
    assert_refused(&regctl.run(&push), "unauthorized");
}

fn a_token_to_read_does_not_write(tenancy: Tenancy) {
    let stage = Stage::of(tenancy);
    let Some(regctl) = Regctl::on(&stage) else {
        return;
    };
    let digest = stage.image("app").digest;
    let name = regctl.push("app", "app:1");
    regctl.log_in(&stage.reader());
    assert_eq!(regctl.digest(&name), digest);
    let words = "permission_denied: The token provided does not match expected scopes.";
    for change in [
        &[
            "image",
            "copy",
            "ocidir://app:latest",
            &stage.reference("app:2"),
        ][..],
        &["tag", "delete", &name],
        &[
            "manifest",
            "delete",
            &stage.reference(&format!("app@{digest}")),
        ],
    ] {
        assert_refused(&regctl.run(change), words);
    }
    assert_eq!(regctl.tags("app"), ["1"]);
}
