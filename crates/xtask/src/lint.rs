//! Formatting, clippy and rustdoc.

use anyhow::Result;

use crate::check;
use crate::command::{self, cargo};
use crate::workspace::Workspace;

pub(crate) fn check_format() -> Result<()> {
    command::run(&mut cargo(&["fmt", "--all", "--check"]))
}

pub(crate) fn mend_format() -> Result<()> {
    command::run(&mut cargo(&["fmt", "--all"]))
}

/// Clippy and rustdoc with warnings denied, then [`check::run`].
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let mut clippy = cargo(&["clippy", "--workspace", "--all-targets"]);
    command::run(clippy.args(["--", "-D", "warnings"]))?;
    let mut rustdoc = cargo(&["doc", "--workspace", "--no-deps"]);
    command::run(rustdoc.env("RUSTDOCFLAGS", "-D warnings"))?;
    check::run(workspace)
}
