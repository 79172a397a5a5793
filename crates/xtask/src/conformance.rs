//! The conformance suites of the OCI distribution specification: the one of v1.1.1, and the
//! rewritten one (`spec/oci.md` 13).
//!
//! No package registry carries the two programs. Whoever has them names their folder in
//! `PACKHOUSE_CONFORMANCE_DIR`: `conformance.test` is the suite of v1.1.1, compiled with
//! `go test -c`, and `conformance` is the rewritten one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use packhouse_testkit::server::TestServer;

use crate::workspace::Workspace;

const FOLDER: &str = "PACKHOUSE_CONFORMANCE_DIR";
const OLD: &str = "conformance.test";
const NEW: &str = "conformance";

const OWNER: &str = "acme";
const SCOPES: &str = "read:packages,write:packages,delete:packages";

/// The second round finds what the first one left.
const ROUNDS: usize = 2;

/// What a suite's report has to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Tally {
    passed: usize,
    skipped: usize,
}

/// Tag set-up of read-only registries twice, the half of the automatic mount that was not asked
/// for, and the session of a mount that did not become one.
const OF_OLD: Tally = Tally {
    passed: 76,
    skipped: 4,
};

/// A way to run the rewritten suite.
struct Version {
    name: &'static str,
    /// `post-cancel` by sha256 and by sha512, which `stable` does not ask for.
    skipped: usize,
}

const VERSIONS: [Version; 2] = [
    Version {
        name: "dev",
        skipped: 0,
    },
    Version {
        name: "stable",
        skipped: 2,
    },
];

/// A registry of the server that is judged: where it is, and what it may be filled with.
struct Mount<'a> {
    shown: &'static str,
    base: &'a str,
    repositories: [String; 2],
}

/// Whether the programs' folder was named.
pub(crate) fn is_wanted() -> bool {
    std::env::var_os(FOLDER).is_some()
}

/// What to do to have the suites run.
pub(crate) fn missing() -> String {
    format!("set {FOLDER} to a folder with the programs {OLD} and {NEW}")
}

/// Runs both suites against both mounts, twice each, and the sparse group against a server that
/// takes images with missing parts.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let folder = std::env::var_os(FOLDER)
        .map(PathBuf::from)
        .with_context(missing)?;
    for program in [OLD, NEW] {
        if !folder.join(program).is_file() {
            bail!("no {program} in {}: {}", folder.display(), missing());
        }
    }
    println!("| suite | mount | round | passed | skipped |\n| --- | --- | --- | --- | --- |");
    let strict = Judge::start(workspace, &folder, &[])?;
    for round in 1..=ROUNDS {
        for mount in strict.mounts() {
            strict.original(&mount, round)?;
            for version in &VERSIONS {
                strict.rewritten(&mount, round, version, &[])?;
            }
        }
    }
    let sparse = Judge::start(workspace, &folder, &["--sparse-images", "on"])?;
    for mount in sparse.mounts() {
        for version in &VERSIONS {
            sparse.rewritten(&mount, 1, version, &[("OCI_DATA_SPARSE", "true")])?;
        }
    }
    Ok(())
}

/// A server, and the programs that judge it.
struct Judge<'a> {
    programs: &'a Path,
    server: TestServer,
    token: String,
}

impl<'a> Judge<'a> {
    fn start(workspace: &Workspace, programs: &'a Path, arguments: &[&str]) -> Result<Self> {
        let server = TestServer::builder()
            .binary(workspace.server())
            .docker_listener()
            .args(arguments)
            .start();
        server.admin(&["create-user", OWNER]);
        for repository in ["judged", "beside"] {
            server.admin(&["create-repo", &format!("{OWNER}/{repository}")]);
        }
        let token = server.token(OWNER, SCOPES);
        Ok(Self {
            programs,
            server,
            token,
        })
    }

    fn mounts(&self) -> Vec<Mount<'_>> {
        let shown = ["container", "docker"];
        let tails = ["", "/image"];
        let bases = self.server.bases().iter();
        bases
            .zip(shown)
            .zip(tails)
            .map(|((base, shown), tail)| Mount {
                shown,
                base,
                repositories: ["judged", "beside"].map(|name| format!("{OWNER}/{name}{tail}")),
            })
            .collect()
    }

    /// The suite of v1.1.1.
    fn original(&self, mount: &Mount<'_>, round: usize) -> Result<()> {
        let reports = tempfile::tempdir()?;
        let [repository, other] = &mount.repositories;
        let mut command = self.command(OLD, reports.path());
        command
            .env("OCI_ROOT_URL", mount.base)
            .env("OCI_NAMESPACE", repository)
            .env("OCI_CROSSMOUNT_NAMESPACE", other)
            .env("OCI_REPORT_DIR", reports.path())
            .env("OCI_AUTOMATIC_CROSSMOUNT", "1");
        for group in ["PULL", "PUSH", "CONTENT_DISCOVERY", "CONTENT_MANAGEMENT"] {
            command.env(format!("OCI_TEST_{group}"), "1");
        }
        let tally = judged(command, reports.path())?;
        if tally != OF_OLD {
            bail!("v1.1.1 on {}: {tally:?}, not {OF_OLD:?}", mount.shown);
        }
        row("v1.1.1", mount, round, tally);
        Ok(())
    }

    /// The rewritten suite. Its number of tests is its own business; that none fails and which
    /// are skipped is ours.
    fn rewritten(
        &self,
        mount: &Mount<'_>,
        round: usize,
        version: &Version,
        besides: &[(&str, &str)],
    ) -> Result<()> {
        let reports = tempfile::tempdir()?;
        let [repository, other] = &mount.repositories;
        let registry = mount.base.trim_start_matches("http://");
        let mut command = self.command(NEW, reports.path());
        command
            .env("OCI_REGISTRY", registry)
            .env("OCI_TLS", "disabled")
            .env("OCI_VERSION", version.name)
            .env("OCI_REPO1", repository)
            .env("OCI_REPO2", other)
            .env("OCI_RESULTS_DIR", reports.path())
            .env("OCI_LOG", "warn")
            .envs(besides.iter().copied());
        let tally = judged(command, reports.path())?;
        if tally.skipped != version.skipped || tally.passed == 0 {
            bail!(
                "{} on {}: {tally:?}, not {} skipped",
                version.name,
                mount.shown,
                version.skipped
            );
        }
        let shown = if besides.is_empty() {
            version.name.to_owned()
        } else {
            format!("{}, sparse", version.name)
        };
        row(&shown, mount, round, tally);
        Ok(())
    }

    /// A program without the environment of this one: both read more variables than they name.
    fn command(&self, program: &str, folder: &Path) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command
            .current_dir(folder)
            .env_clear()
            .env("OCI_USERNAME", OWNER)
            .env("OCI_PASSWORD", &self.token);
        command
    }
}

/// Runs a program to its end and reads the report it left in `folder`.
fn judged(mut command: Command, folder: &Path) -> Result<Tally> {
    let output = command
        .output()
        .with_context(|| format!("cannot run {command:?}"))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let report = fs::read_to_string(folder.join("junit.xml"))
        .with_context(|| format!("a suite left no report: {said}"))?;
    let count = |status: &str| {
        report
            .lines()
            .filter(|line| line.trim_start().starts_with("<testcase "))
            .filter(|line| line.contains(&format!("status=\"{status}\"")))
            .count()
    };
    let tally = Tally {
        passed: count("passed"),
        skipped: count("skipped"),
    };
    let all = report.matches("<testcase ").count();
    if !output.status.success() || tally.passed + tally.skipped != all {
        bail!("a suite failed: {tally:?} of {all}\n{said}");
    }
    Ok(tally)
}

fn row(suite: &str, mount: &Mount<'_>, round: usize, tally: Tally) {
    println!(
        "| {suite} | {} | {round} | {} | {} |",
        mount.shown, tally.passed, tally.skipped
    );
}
