//! Audits are answered: the server knows no advisories.

use super::dialects::Dialect;
use super::{run, told_by};
use crate::stage::{Stage, package};

told_by! {
    [PNPM_10, PNPM_11, PNPM_12, YARN_4, BUN, DENO]
    an_audit_finds_nothing,
}

fn an_audit_finds_nothing(dialect: &Dialect) {
    let Some(stage) = Stage::of(dialect.client) else {
        return;
    };
    let (audit, clean) = dialect.audit.unwrap();
    stage.publish_by(dialect, &package("@acme/left-pad", "1.0.0"));
    let project = stage.at_home(Some(&stage.token));
    let left_pad = [("NAME", "@acme/left-pad"), ("VERSION", "1.0.0")];
    run(&project, dialect.add, &left_pad);
    stage.assert_said(&run(&project, audit, &[]), clean);
}
