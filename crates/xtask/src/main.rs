//! The tasks people type: `cargo xtask <task>`.
//!
//! Each is a job that CI runs as well, so that a laptop can reproduce any red cross. They need
//! Rust and a C compiler; `setup` fetches the rest.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a task talks to the person who typed it"
)]

mod bench;
mod check;
mod command;
mod conformance;
mod dev;
mod lint;
mod postgres;
mod setup;
mod test;
mod third_party;
mod workspace;

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::test::Tier;
use crate::workspace::Workspace;

const TASKS: &str = "\
usage: cargo xtask <task>

  setup          fetch what the tests need and this machine lacks
  test [ARGS]    set up, build, and run every test and the third-party suite; with ARGS, which
                 go to `cargo test`, without the suite
  test-pg        only the tests of the database crate, with PostgreSQL required
  test-clients   only the tests with real package clients, and the third-party suite
  test-third-party  only the third-party suite of the npm family
  conformance    the OCI conformance suites, whose programs PACKHOUSE_CONFORMANCE_DIR holds
  fmt [--fix]    check the formatting, or mend it
  lint           clippy and rustdoc with warnings denied, and `check`
  check          dependencies, licences, sources, and names of package registries
  bench [NAMES]  load runs against a release build, beside nginx: reads, publishes, memory,
                 install; and by name containers, peers and scale
  dev [ARGS]     run a server with sample data; ARGS go to `packhouse serve`
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[&str]) -> Result<()> {
    let workspace = Workspace::find;
    match words {
        ["setup"] => setup::prepare(&workspace()?).map(drop),
        ["test", arguments @ ..] => test::run(&workspace()?, Tier::Everything, arguments),
        ["test-pg", arguments @ ..] => test::run(&workspace()?, Tier::PostgreSql, arguments),
        ["test-clients", arguments @ ..] => test::run(&workspace()?, Tier::Clients, arguments),
        ["test-third-party"] => test::third_party(&workspace()?),
        ["conformance"] => test::conformance(&workspace()?),
        ["fmt"] => lint::check_format(),
        ["fmt", "--fix"] => lint::mend_format(),
        ["lint"] => lint::run(&workspace()?),
        ["check"] => check::run(&workspace()?),
        ["bench", names @ ..] => bench::run(&workspace()?, names),
        ["dev", arguments @ ..] => dev::run(&workspace()?, arguments),
        [] | ["help" | "--help" | "-h"] => {
            print!("{TASKS}");
            Ok(())
        }
        [task, ..] => bail!("no such task: {task}, or not with these arguments\n\n{TASKS}"),
    }
}
