//! The PostgreSQL server of a test run: one for all test processes.
//!
//! To be replaced by `packhouse_testkit::postgres` when both stand on one branch.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, bail};
use packhouse_testkit::ports;

use crate::command::{find, output};

/// Tells the tests which server to use.
pub(crate) const URL_VARIABLE: &str = "PACKHOUSE_TEST_POSTGRES_URL";

/// Where Debian puts the server programs of each major version, off `PATH`.
const DEBIAN_PROGRAMS: &str = "/usr/lib/postgresql";

/// What the server says once connections are taken.
const READY: &str = "database system is ready to accept connections";

/// Whether a server can be started on this machine.
pub(crate) fn is_installed() -> bool {
    programs().is_some()
}

/// A server on a free port with an empty cluster of its own, gone when this is dropped.
#[derive(Debug)]
pub(crate) struct Postgres {
    process: Child,
    folder: PathBuf,
    url: String,
}

impl Postgres {
    pub(crate) fn start() -> Result<Self> {
        let programs = programs().context("no PostgreSQL server programs")?;
        // Made by the user the server runs as, and short: it holds a socket, whose path may have
        // 107 bytes.
        let folder = output(unprivileged()?.args(["mktemp", "-d", "/tmp/packhouse-pg.XXXXXX"]))?;
        let folder = PathBuf::from(folder.trim());
        let data = folder.join("data");
        output(
            unprivileged()?
                .arg(programs.join("initdb"))
                .args(["-U", "packhouse", "-A", "trust", "-E", "UTF8"])
                .args(["--locale=C.UTF-8", "--no-sync", "-D"])
                .arg(&data),
        )?;

        let port = ports::free();
        let mut process = unprivileged()?
            // The server goes when this task goes, however that happens.
            .args(["setpriv", "--pdeathsig", "QUIT"])
            .arg(programs.join("postgres"))
            .arg("-D")
            .arg(&data)
            .args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1"])
            .arg("-c")
            .arg(format!("unix_socket_directories={}", folder.display()))
            .args(["-c", "max_connections=300"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot run postgres")?;
        let stderr = process.stderr.take().context("postgres has no log")?;
        let server = Self {
            process,
            folder,
            url: format!("postgres://packhouse@127.0.0.1:{port}/postgres"),
        };
        let mut log = BufReader::new(stderr).lines();
        let mut said = String::new();
        loop {
            let Some(line) = log.next() else {
                bail!("postgres ended before it was ready:\n{said}");
            };
            let line = line.context("cannot read the log of postgres")?;
            if line.contains(READY) {
                break;
            }
            said.push_str(&line);
            said.push('\n');
        }
        // Read to its end, or the server would wait for room in the pipe.
        std::thread::spawn(move || log.for_each(drop));
        Ok(server)
    }

    /// The address of its first database, of a superuser without a password.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Its data is not wanted any more, so it need not go gently, and errors change nothing.
        let _ = packhouse_testkit::process::signal(self.process.id(), "QUIT");
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The folder of `initdb` and `postgres`, the newest version's where there are several.
fn programs() -> Option<PathBuf> {
    let debian = std::fs::read_dir(DEBIAN_PROGRAMS)
        .into_iter()
        .flatten()
        .flatten();
    let versions = debian.filter_map(|entry| {
        let version: u32 = entry.file_name().to_str()?.parse().ok()?;
        let folder = entry.path().join("bin");
        folder.join("initdb").is_file().then_some((version, folder))
    });
    let newest = versions.max().map(|(_, folder)| folder);
    newest.or_else(|| Some(find("initdb")?.parent()?.to_owned()))
}

/// The beginning of a command that does not run as root: PostgreSQL refuses to.
fn unprivileged() -> Result<Command> {
    let mut command = Command::new("env");
    if output(Command::new("id").arg("-u"))?.trim() == "0" {
        command.args(["setpriv", "--reuid=nobody", "--regid=nogroup"]);
        command.arg("--clear-groups");
    }
    Ok(command)
}
