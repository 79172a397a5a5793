//! cosign: signatures, as referrers and as the tags that older releases look for.

use packhouse_testkit::clients::containers::COSIGN;
use packhouse_testkit::process::Output;

use crate::skopeo::Skopeo;
use crate::stage::{Stage, Tenancy, assert_succeeded, at_both_registries};

at_both_registries! {
    an_image_is_signed_and_verified,
}

fn an_image_is_signed_and_verified(tenancy: Tenancy) {
    let stage = Stage::of(tenancy);
    let (Some(cosign), Some(skopeo)) = (COSIGN.prepared(), Skopeo::on(&stage)) else {
        return;
    };
    let run = |arguments: &[&str]| -> Output {
        let words = ["COSIGN_PASSWORD=", cosign.to_str().unwrap()];
        stage.kit.run("env".as_ref(), words.iter().chain(arguments))
    };
    let login = ["login", "-u", "alice", "-p", &stage.token, stage.host()];
    assert_succeeded(&run(&login));
    for key in ["one", "two"] {
        assert_succeeded(&run(&["generate-key-pair", "--output-key-prefix", key]));
    }
    let digest = stage.image("app").digest;
    skopeo.push("app", "app:1");
    let image = stage.reference(&format!("app@{digest}"));
    let plain = "--allow-http-registry";
    let sign = [
        "sign",
        "--yes",
        plain,
        "--tlog-upload=false",
        "--use-signing-config=false",
    ];
    assert_succeeded(&run(&[&sign[..], &["--key", "one.key", &image]].concat()));

    let verify = |key: &str| {
        let verify = ["verify", plain, "--insecure-ignore-tlog=true", "--key", key];
        run(&[&verify[..], &[&image]].concat())
    };
    assert_succeeded(&verify("one.pub"));
    assert!(!verify("two.pub").success(), "signed with another key");
}
