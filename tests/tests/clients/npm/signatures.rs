//! `npm audit signatures`.

use serde_json::json;

use packhouse_testkit::archives::npm_tarball;
use packhouse_testkit::clients::{NpmPackage, NpmProject};
use packhouse_testkit::http::Request;
use packhouse_testkit::npm::{publish_document, with_provenance};

use super::{Stage, answer, consumer, package, run, told_by_each_npm};

told_by_each_npm! {
    every_version_has_a_signature_that_npm_verifies,
}

/// npm looks for keys in the public sigstore mirror first. This is what it finds there of a
/// registry that the mirror does not know; then npm's own code asks the registry.
const NO_MIRROR: &str = "
const Module = require('module')
const load = Module._load
Module._load = function (name, ...rest) {
  const loaded = load.call(this, name, ...rest)
  if (name !== '@sigstore/tuf') return loaded
  const getTarget = async () => {
    throw Object.assign(new Error('no such target'), { code: 'TUF_FIND_TARGET_ERROR' })
  }
  return { ...loaded, initTUF: async () => ({ getTarget }) }
}
";

/// A project of somebody who installed both packages.
fn installed(stage: &Stage) -> NpmProject {
    let mut project = stage.project(&consumer(), Some(&stage.token));
    project.write("no-mirror.js", NO_MIRROR);
    let stub = project.path().join("no-mirror.js");
    project.env("NODE_OPTIONS", format!("--require={}", stub.display()));
    run(&project, &["install", "@acme/left-pad", "@acme/right-pad"]);
    project
}

fn every_version_has_a_signature_that_npm_verifies(npm: &NpmPackage) {
    let Some(stage) = Stage::of(npm) else { return };
    stage.publish(&package("@acme/left-pad", "1.0.0"));
    // provenance does not hinder: npm before 2026 would fail on what it cannot verify by our key
    let tarball = npm_tarball("@acme/right-pad", "2.0.0-rc.1", &json!({}), &[]);
    let document = publish_document("@acme/right-pad", "2.0.0-rc.1", &tarball);
    let document = with_provenance(document, "@acme/right-pad", "2.0.0-rc.1", &tarball);
    let _created = stage
        .server
        .send(
            &Request::put("/_registry/npm/@acme%2fright-pad")
                .bearer(&stage.token)
                .json(&document),
        )
        .expect_status(201);

    let project = installed(&stage);
    let said = run(&project, &["audit", "signatures"]);
    assert!(
        said.ends_with("2 packages have verified registry signatures"),
        "{said}"
    );
    let found = answer(project.run(&["audit", "signatures", "--json"]));
    assert_eq!(found, json!({ "invalid": [], "missing": [] }));
}
