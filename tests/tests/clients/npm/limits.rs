//! Refusals of bodies that are too large to be read first: npm must show them, and soon.

use std::time::{Duration, Instant};

use packhouse_testkit::clients::NpmProject;
use packhouse_testkit::process::Output;
use packhouse_testkit::server::TestServer;

use super::{EVERYTHING, Stage, notices, package};

/// npm alone needs two of them to pack 30 MB, more on a busy machine.
const SOON: Duration = Duration::from_secs(30);

const LARGE: usize = 30_000_000;

/// Bytes that gzip cannot shorten.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    let mut bytes: Vec<u8> = words.take(length.div_ceil(8)).flatten().collect();
    bytes.truncate(length);
    bytes
}

fn large_package(stage: &Stage, token: Option<&str>, length: usize) -> NpmProject {
    let project = stage.project(&package("@acme/large", "1.0.0"), token);
    project.write("noise.bin", noise(length));
    project
}

/// Publishes with the retries that people have: two, ten seconds and a minute later, for whatever
/// npm takes for an accident. There must be none.
fn publish_at_once(project: &NpmProject) -> Output {
    let began = Instant::now();
    let arguments = ["--fetch-retries=2", "--force", "--loglevel=http"];
    let output = project.run(&[&["publish"], arguments.as_slice()].concat());
    let took = began.elapsed();
    let requests = notices(&output, "http");
    let sent: Vec<&str> = requests
        .into_iter()
        .filter(|line| line.starts_with("fetch PUT "))
        .collect();
    assert!(
        sent.len() == 1 && !output.stderr.contains("attempt"),
        "{took:?}: {output}"
    );
    assert!(took < SOON, "{took:?}: {output}");
    output
}

#[test]
fn a_package_over_the_limit_is_refused_with_the_limit() {
    let server = TestServer::builder().args(["--max-package-bytes", "100000"]);
    let Some(stage) = Stage::set_on(server) else {
        return;
    };
    // Slightly over, and far over: the first is read to its end, the second is not.
    for length in [110_000, LARGE] {
        let project = large_package(&stage, Some(&stage.token), length);
        assert_eq!(
            stage.refusal(&publish_at_once(&project)),
            [
                "code E413",
                "413 Payload Too Large - PUT REGISTRY/@acme%2flarge - \
                 payload too large: limit 100000 bytes",
            ]
        );
    }
    let project = large_package(&stage, Some(&stage.token), 90_000);
    let published = publish_at_once(&project).expect_success();
    assert_eq!(published.stdout.trim(), "+ @acme/large@1.0.0");
}

#[test]
fn a_denied_publish_of_a_large_package_shows_the_reason() {
    let Some(stage) = Stage::set() else { return };
    let project = large_package(&stage, Some("phk_wrong"), LARGE);
    assert_eq!(
        stage.refusal(&publish_at_once(&project)),
        [
            "code E401",
            "Unable to authenticate, your authentication token seems to be invalid.",
        ]
    );

    let stranger = stage.user("sam", EVERYTHING);
    stage.configure(&project, Some(&stranger));
    assert_eq!(
        stage.refusal(&publish_at_once(&project)),
        [
            "code E403",
            "403 403 Forbidden - PUT REGISTRY/@acme%2flarge - \
             Permission permission_denied: create_package",
        ]
    );

    stage.configure(&project, Some(&stage.token));
    let published = publish_at_once(&project).expect_success();
    assert_eq!(published.stdout.trim(), "+ @acme/large@1.0.0");
}
