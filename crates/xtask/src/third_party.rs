//! `@verdaccio/e2e-cli`: somebody else's suite, which drives the package clients through a
//! registry and checks what they and plain HTTP see of it.
//!
//! Left out are `login`, which wants anybody to become a user by asking, and for yarn two tests that
//! fetch plug-ins which exist nowhere.

use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use packhouse_testkit::clients::{
    BUN, Client, DENO, NOWHERE, NPM_10, NPM_11, NPM_12, NpmPackage, PNPM_11, PNPM_12,
    VERDACCIO_E2E, YARN_4,
};
use packhouse_testkit::process;
use packhouse_testkit::server::TestServer;

use crate::command::skip;
use crate::workspace::Workspace;

/// The accounts whose names the suite publishes under; the first owns those without a scope.
const ACCOUNTS: [&str; 4] = ["verdaccio", "foo", "e2e-names", "con"];
const USER: &str = "e2e";
const SCOPES: &str = "read:packages,write:packages,delete:packages";

/// Checks that the suite leaves to registries that want them.
const STRICT: (&str, &str) = (
    "E2E_PENDING_CONTRACT_CHECKS",
    "search,tarballs,package-names",
);

/// For one test, in milliseconds: pnpm 11 starts slowly, and a busy machine has two cores.
const PATIENCE: &str = "300000";
const DEADLINE: Duration = Duration::from_secs(1800);
const WORKERS: usize = 2;

/// A client of the suite, and what is expected of it.
struct Expected {
    package: &'static NpmPackage,
    /// The suite's name for the client.
    manager: &'static str,
    skipped: &'static [&'static str],
    passed: u32,
}

/// Longest first, so that the two workers end together.
const EXPECTED: [Expected; 8] = [
    of(&PNPM_11, "pnpm", 10),
    of(&NPM_10, "npm", 15),
    of(&NPM_11, "npm", 15),
    of(&NPM_12, "npm", 15),
    Expected {
        package: &YARN_4,
        manager: "yarn-modern",
        skipped: &["login", "ping", "deprecate"],
        passed: 6,
    },
    of(&PNPM_12, "pnpm", 10),
    of(&BUN, "bun", 7),
    of(&DENO, "deno", 4),
];

const fn of(package: &'static NpmPackage, manager: &'static str, passed: u32) -> Expected {
    Expected {
        package,
        manager,
        skipped: &["login"],
        passed,
    }
}

impl Expected {
    /// The client as the suite's summary calls it.
    fn shown(&self) -> String {
        format!("{}@{}", self.manager, self.package.version)
    }
}

/// Runs the suite with every client against a server of its own, and fails unless exactly what
/// is expected passes.
pub(crate) fn run(workspace: &Workspace, clients: &Path) -> Result<()> {
    let suite = match Client::find(&VERDACCIO_E2E, clients) {
        Ok(suite) => suite,
        Err(missing) => return skip(&format!("the third-party suite is left out: {missing}")),
    };
    let mut runs = Vec::new();
    for expected in &EXPECTED {
        match Client::find(expected.package, clients) {
            Ok(client) => runs.push((expected, client)),
            Err(missing) => skip(&format!("the third-party suite lacks a client: {missing}"))?,
        }
    }
    let server = TestServer::builder()
        .binary(workspace.server())
        .public_url_on_localhost()
        .args(["--npm-unscoped-owner", ACCOUNTS[0]])
        .start();
    server.admin(&["create-user", USER]);
    for account in ACCOUNTS {
        let public = ["--default-visibility", "public"];
        server.admin(&[&["create-org", account, "--owner", USER], public.as_slice()].concat());
    }
    let token = server.token(USER, SCOPES);
    let port = server.port();

    eprintln!("+ {} with {} clients", VERDACCIO_E2E.name, runs.len());
    let waiting = Mutex::new(runs.into_iter());
    let outcomes = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                loop {
                    let next = waiting
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .next();
                    let Some((expected, client)) = next else {
                        return;
                    };
                    let outcome = run_one(&suite, expected, &client, port, &token);
                    outcomes
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push((expected, outcome));
                }
            });
        }
    });
    report(
        outcomes
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner),
    )
}

/// What the suite said of one client: its line of the summary, and everything before it.
struct Said {
    tally: Option<Tally>,
    everything: String,
}

fn run_one(
    suite: &Client,
    expected: &Expected,
    client: &Client,
    port: u16,
    token: &str,
) -> Result<Said> {
    let folder = tempfile::Builder::new()
        .prefix("packhouse-e2e-")
        .tempdir()
        .context("no folder for the suite")?;
    let launcher = folder.path().join("client");
    client
        .write_launcher(&launcher)
        .with_context(|| format!("cannot write {}", launcher.display()))?;

    // The suite waits five seconds for this and calls the client `unknown` after that, which a
    // first start on a busy machine can take.
    process::run(Command::new(&launcher).arg("--version"), DEADLINE)
        .with_context(|| format!("cannot run {}", launcher.display()))?;

    // The suite drops the slash at the registry's end, and npm then looks for the token under
    // the parent folder.
    let parent = format!("//localhost:{port}/_registry/");
    let home = folder.path().join("home");
    let settings = format!(
        "registry={NOWHERE}\nupdate-notifier=false\n\
         {parent}:_authToken={token}\n{parent}npm/:_authToken={token}\n"
    );
    std::fs::create_dir_all(&home)
        .and_then(|()| std::fs::write(home.join(".npmrc"), settings))
        .with_context(|| format!("cannot write to {}", home.display()))?;

    let mut command = suite.command();
    command
        .args(["--registry", &format!("http:{parent}npm")])
        .args(["--token", token, "--timeout", PATIENCE, "--pm"])
        .arg(format!("{}={}", expected.manager, launcher.display()))
        .args(
            expected
                .skipped
                .iter()
                .flat_map(|name| ["--skip-test", name]),
        )
        .env(STRICT.0, STRICT.1)
        .env("HOME", &home)
        .env("TMPDIR", folder.path())
        .env("DO_NOT_TRACK", "1")
        .env("DENO_NO_UPDATE_CHECK", "1")
        .env("JSR_URL", NOWHERE)
        .current_dir(folder.path());
    let output = process::run(&mut command, DEADLINE)?;
    let everything = without_colours(&format!("{}\n{}", output.stdout, output.stderr));
    Ok(Said {
        tally: tally(&everything, &expected.shown()),
        everything,
    })
}

fn report(mut outcomes: Vec<(&Expected, Result<Said>)>) -> Result<()> {
    outcomes.sort_by_key(|(expected, _)| expected.shown());
    let mut failed = Vec::new();
    let mut lines = Vec::new();
    for (expected, outcome) in outcomes {
        let (shown, passed) = (expected.shown(), expected.passed);
        let wanted = Tally { passed, failed: 0 };
        match outcome {
            Ok(said) => {
                let seen = said.tally.map_or_else(
                    || "no result".to_owned(),
                    |tally| format!("{} passed, {} failed", tally.passed, tally.failed),
                );
                lines.push(format!("{shown}: {seen}; expected {passed}"));
                if said.tally != Some(wanted) {
                    eprintln!("--- {shown}\n{}", said.everything);
                    failed.push(shown);
                }
            }
            Err(error) => {
                lines.push(format!("{shown}: {error:#}"));
                failed.push(shown);
            }
        }
    }
    eprintln!("{} {}:", VERDACCIO_E2E.name, VERDACCIO_E2E.version);
    for line in lines {
        eprintln!("  {line}");
    }
    if !failed.is_empty() {
        bail!("the third-party suite failed with {}", failed.join(", "));
    }
    Ok(())
}

/// How many of the suite's tests passed and failed with one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tally {
    passed: u32,
    failed: u32,
}

/// Reads `  v npm@10.9.9: 15 passed, 0 failed, 4 skipped (110.5s)`.
fn tally(printed: &str, shown: &str) -> Option<Tally> {
    let line = printed.lines().find_map(|line| {
        let (_, rest) = line.split_once(&format!("{shown}: "))?;
        rest.contains(" passed, ").then_some(rest)
    })?;
    let mut counts = line.split(", ");
    let mut next = |what: &str| counts.next()?.strip_suffix(what)?.parse().ok();
    Some(Tally {
        passed: next(" passed")?,
        failed: next(" failed")?,
    })
}

/// The text without `ESC [ … m`, which the suite prints whoever reads it.
fn without_colours(text: &str) -> String {
    let mut pieces = text.split("\u{1b}[");
    let mut plain = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        plain.push_str(piece.split_once('m').map_or(piece, |(_, rest)| rest));
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_is_read_without_its_colours() {
        let printed = "  \u{1b}[32mv\u{1b}[0m npm@12.2.0: \u{1b}[32m15 passed\u{1b}[0m, \
                       \u{1b}[31m0 failed\u{1b}[0m, \u{1b}[33m4 skipped\u{1b}[0m \u{1b}[2m(9.1s)\u{1b}[0m\n";
        let plain = without_colours(printed);
        let expected = Tally {
            passed: 15,
            failed: 0,
        };
        assert_eq!(tally(&plain, "npm@12.2.0"), Some(expected));
        assert_eq!(tally(&plain, "npm@10.9.9"), None);
        assert_eq!(tally("running npm@12.2.0: now", "npm@12.2.0"), None);
    }
}
