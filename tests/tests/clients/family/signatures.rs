//! What the registry signed, pnpm verifies; npm tells its own story, and the others cannot.

use super::dialects::Dialect;
use super::{run, told_by};
use crate::stage::{Stage, package};

told_by! {
    [PNPM_11, PNPM_12]
    every_version_has_a_signature_that_is_verified,
}

fn every_version_has_a_signature_that_is_verified(dialect: &Dialect) {
    let Some(stage) = Stage::of(dialect.client) else {
        return;
    };
    stage.publish_by(dialect, &package("@acme/left-pad", "1.0.0"));
    let project = stage.at_home(Some(&stage.token));
    let left_pad = [("NAME", "@acme/left-pad"), ("VERSION", "1.0.0")];
    run(&project, dialect.add, &left_pad);
    let audited = run(&project, "audit signatures", &[]);
    stage.assert_said(&audited, "audited 1 package");
    stage.assert_said(&audited, "1 package has a verified registry signature");
}
