//! Running other programs, and saying what could not be done.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use packhouse_testkit::clients::in_ci;
pub(crate) use packhouse_testkit::process::find;

/// The cargo that runs this task.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.args(arguments);
    // In CI a lock file that does not fit is an error; at a desk it is work in progress.
    if in_ci() && arguments.first() != Some(&"fmt") {
        command.arg("--locked");
    }
    command
}

/// Runs a command with this terminal's output.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    eprintln!("+ {}", shown(command));
    let status = command
        .status()
        .with_context(|| format!("cannot run {}", shown(command)))?;
    if !status.success() {
        bail!("{} failed: {status}", shown(command));
    }
    Ok(())
}

/// Runs a command without standard input and returns what it prints.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run {}", shown(command)))?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        bail!("{} failed: {}\n{stderr}", shown(command), output.status);
    }
    String::from_utf8(output.stdout).context("not text")
}

/// Says that something is left out; in CI, where nothing may be, fails instead.
pub(crate) fn skip(what: &str) -> Result<()> {
    if in_ci() {
        bail!("{what}");
    }
    eprintln!("SKIPPED: {what}");
    Ok(())
}

fn shown(command: &Command) -> String {
    let program = PathBuf::from(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str());
    let words = std::iter::once(name).chain(command.get_args());
    words
        .map(OsStr::to_string_lossy)
        .collect::<Vec<_>>()
        .join(" ")
}
