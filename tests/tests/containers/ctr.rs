//! ctr: containerd's own command line. Docker's newer engines, Kubernetes and nerdctl pull and push
//! with the same library. The containerd is that of the tests' Docker engine.

use packhouse_testkit::clients::containers::{Containerd, DockerEngine, Layout};
use packhouse_testkit::process::Output;

use crate::stage::{Stage, Tenancy, Traffic, assert_refused, assert_succeeded, at_both_registries};

at_both_registries! {
    a_token_is_checked,
    every_architecture_goes_there_and_comes_back,
    a_second_name_for_a_pulled_image_mounts_its_blobs,
    what_is_private_is_hidden,
    what_is_public_needs_no_token,
    a_token_to_read_does_not_write,
}

/// ctr on a stage, in a namespace of its own.
struct Ctr<'a> {
    containerd: &'static Containerd,
    stage: &'a Stage,
}

impl<'a> Ctr<'a> {
    /// `None` where it is not prepared: the test is to be skipped.
    fn on(stage: &'a Stage) -> Option<Self> {
        let containerd = DockerEngine::shared()?.containerd();
        Some(Self { containerd, stage })
    }

    fn say(&self, arguments: &[&str]) -> Output {
        let namespace = self.stage.host().replace([':', '.'], "-");
        let words = [&["--namespace", &namespace], arguments].concat();
        self.containerd.ctr(&self.stage.kit, &words)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.say(&[&["images"], arguments].concat())
    }

    #[track_caller]
    fn do_well(&self, arguments: &[&str]) -> String {
        self.run(arguments).expect_success().stdout
    }

    fn push(&self, token: &str, name: &str) -> Output {
        let user = format!("somebody:{token}");
        self.run(&["push", "--plain-http", "--user", &user, name])
    }

    /// Pulls with a token, or with none where it is empty.
    fn pull(&self, token: &str, name: &str) -> Output {
        let user = format!("somebody:{token}");
        let pull = [
            "pull",
            "--plain-http",
            "--snapshotter",
            "native",
            "--all-platforms",
        ];
        let who: &[&str] = match token {
            "" => &[],
            _ => &["--user", &user],
        };
        self.run(&[&pull[..], who, &[name]].concat())
    }

    /// Loads an index of two images under the name of `IMAGE:1`.
    #[track_caller]
    fn load(&self, image: &str) -> String {
        self.stage.index("multi");
        let pack = ["-cf", "multi.tar", "-C", "multi", "."];
        assert_succeeded(&self.stage.kit.run("tar".as_ref(), pack));
        let base = self.stage.reference(image);
        let import = ["import", "--snapshotter", "native", "--all-platforms"];
        self.do_well(&[&import[..], &["--base-name", &base, "multi.tar"]].concat());
        let name = format!("{base}:1");
        self.do_well(&["tag", &format!("{base}:latest"), &name]);
        self.forget(&format!("{base}:latest"));
        name
    }

    /// Removes a name and whatever nothing else names.
    #[track_caller]
    fn forget(&self, name: &str) {
        self.do_well(&["rm", "--sync", name]);
    }

    /// Loads it and pushes it as alice.
    #[track_caller]
    fn publish(&self, image: &str) -> String {
        let name = self.load(image);
        assert_succeeded(&self.push(&self.stage.token, &name));
        name
    }

    /// The digests of all blobs.
    #[track_caller]
    fn blobs(&self) -> Vec<String> {
        let said = self.say(&["content", "ls", "--quiet"]).expect_success();
        let mut digests: Vec<String> = said.stdout.lines().map(str::to_owned).collect();
        digests.sort();
        digests
    }

    /// Fails unless everything is there that was loaded.
    #[track_caller]
    fn assert_complete(&self) {
        let blobs = Layout::blobs(&self.stage.work("multi")).into_iter();
        let digests: Vec<String> = blobs
            .map(|(digest, _)| format!("sha256:{digest}"))
            .collect();
        assert_eq!(self.blobs(), digests);
    }
}

fn a_token_is_checked(tenancy: Tenancy) {
    let stage = Stage::of(tenancy);
    let Some(ctr) = Ctr::on(&stage) else {
        return;
    };
    let name = ctr.load("app");
    let words = "failed to fetch oauth token: unexpected status: 401 Unauthorized";
    assert_refused(&ctr.push("wrong", &name), words);
    assert_succeeded(&ctr.push(&stage.token, &name));
    assert_refused(&ctr.pull("wrong", &name), words);
}

fn every_architecture_goes_there_and_comes_back(tenancy: Tenancy) {
    let stage = Stage::of(tenancy);
    let Some(ctr) = Ctr::on(&stage) else {
        return;
    };
    let name = ctr.load("app");
    let push = || drop(ctr.push(&stage.token, &name).expect_success());
    let expected = Traffic {
        uploaded: 5,
        mounted: 0,
    };
    assert_eq!(stage.traffic_of(push), expected);
    assert_eq!(stage.traffic_of(push), Traffic::NONE);
    ctr.forget(&name);
    assert_eq!(ctr.blobs(), [""; 0]);
    assert_succeeded(&ctr.pull(&stage.token, &name));
    ctr.assert_complete();
}

fn a_second_name_for_a_pulled_image_mounts_its_blobs(tenancy: Tenancy) {
    let stage = Stage::of(tenancy);
    let Some(ctr) = Ctr::on(&stage) else {
        return;
    };
    let one = ctr.publish("one");
    ctr.forget(&one);
    // pulling is what makes it remember where a blob comes from
    assert_succeeded(&ctr.pull(&stage.token, &one));
    let two = stage.reference("two:1");
    ctr.do_well(&["tag", &one, &two]);
    let traffic = stage.traffic_of(|| drop(ctr.push(&stage.token, &two).expect_success()));
    let expected = Traffic {
        uploaded: 0,
        mounted: 5,
    };
    assert_eq!(traffic, expected);
    ctr.forget(&one);
    ctr.forget(&two);
    assert_eq!(ctr.blobs(), [""; 0]);
    assert_succeeded(&ctr.pull(&stage.token, &two));
    ctr.assert_complete();
}

fn what_is_private_is_hidden(tenancy: Tenancy) {
    let stage = Stage::of(tenancy);
    let Some(ctr) = Ctr::on(&stage) else {
        return;
    };
    let name = ctr.publish("app");
    let stranger = stage.stranger();
    for image in ["app:1", "absent:1"] {
        let image = stage.reference(image);
        let words = format!("{image}: not found");
        assert_refused(&ctr.pull(&stranger, &image), &words);
        let words = "pull access denied, repository does not exist or may require authorization";
        assert_refused(&ctr.pull("", &image), words);
    }
    let push = ctr.push(&stranger, &name);
    assert_refused(&push, "unexpected status: 403 Forbidden");
}

fn what_is_public_needs_no_token(tenancy: Tenancy) {
    let stage = Stage::in_public(tenancy);
    let Some(ctr) = Ctr::on(&stage) else {
        return;
    };
    let name = ctr.publish("app");
    stage.show("app");
    ctr.forget(&name);
    assert_succeeded(&ctr.pull("", &name));
    ctr.assert_complete();
    let push = ctr.run(&["push", "--plain-http", &stage.reference("app:1")]);
    assert!(push.success(), "there is nothing to push: {push}");
    let other = stage.reference("app:2");
    ctr.do_well(&["tag", &name, &other]);
    let push = ctr.run(&["push", "--plain-http", &other]);
    let words = "server message: insufficient_scope: authorization failed";
    assert_refused(&push, words);
}

fn a_token_to_read_does_not_write(tenancy: Tenancy) {
    let stage = Stage::of(tenancy);
    let Some(ctr) = Ctr::on(&stage) else {
        return;
    };
    let name = ctr.publish("app");
    ctr.forget(&name);
    let reader = stage.reader();
    assert_succeeded(&ctr.pull(&reader, &name));
    ctr.assert_complete();
    let other = stage.reference("app:2");
    ctr.do_well(&["tag", &name, &other]);
    let push = ctr.push(&reader, &other);
    assert_refused(&push, "unexpected status: 403 Forbidden");
}
