//! A packhouse process of the test's own.
//!
//! [`TestServer::start`] runs the built binary on a port of its own with a data folder of its
//! own, and returns once requests are answered. Dropping it kills the process and removes the
//! folder; if the test is failing, the server's log is printed first.

#![expect(
    clippy::panic,
    clippy::print_stderr,
    reason = "only tests link this crate: a broken expectation is a failed test with a log"
)]

mod log;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use log::Log;

use crate::http::{self, Request, Response};
use crate::ports;
use crate::process::{self, Output};

/// Names the binary under test when it is not beside the test's own.
pub const BINARY_VARIABLE: &str = "PACKHOUSE_BIN";

const START_DEADLINE: Duration = Duration::from_secs(60);
const STOP_DEADLINE: Duration = Duration::from_secs(60);
const ADMIN_DEADLINE: Duration = Duration::from_secs(60);
const LOG_DEADLINE: Duration = Duration::from_secs(30);

/// How to start a server; every option has a default that suits most tests.
#[derive(Clone, Debug, Default)]
pub struct TestServerBuilder {
    binary: Option<PathBuf>,
    data_dir: Option<PathBuf>,
    args: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    database_url: Option<String>,
    tls: Option<(PathBuf, PathBuf)>,
    public_localhost: bool,
    port: Option<u16>,
    more_listeners: usize,
}

impl TestServerBuilder {
    /// Runs this binary instead of the one found by [`binary`].
    #[must_use]
    pub fn binary(mut self, path: impl Into<PathBuf>) -> Self {
        self.binary = Some(path.into());
        self
    }

    /// Uses this data folder and leaves it behind, instead of one that is removed.
    #[must_use]
    pub fn data_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.data_dir = Some(path.into());
        self
    }

    /// Adds one argument to `packhouse serve`.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.args.push(argument.as_ref().to_owned());
        self
    }

    /// Adds arguments to `packhouse serve`.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(self, arguments: impl IntoIterator<Item = A>) -> Self {
        arguments.into_iter().fold(self, Self::arg)
    }

    /// Sets an environment variable of the server; no `PACKHOUSE_…` one is inherited.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.environment
            .push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Uses this database instead of SQLite in the data folder, for `admin` commands as well.
    #[must_use]
    pub fn database_url(mut self, url: impl Into<String>) -> Self {
        self.database_url = Some(url.into());
        self
    }

    /// Serves https with this certificate and key, both PEM files.
    #[must_use]
    pub fn tls(mut self, certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.tls = Some((certificate.into(), key.into()));
        self
    }

    /// Names the server `localhost:PORT` in every address it prints (`--public-url`).
    #[must_use]
    pub fn public_url_on_localhost(mut self) -> Self {
        self.public_localhost = true;
        self
    }

    /// Listens on this port of 127.0.0.1, instead of one the system chooses.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// Adds a listener for the repository-scoped Docker registry, on a port of its own.
    #[must_use]
    pub fn docker_listener(mut self) -> Self {
        self.more_listeners += 1;
        self.arg("--docker-listen").arg("127.0.0.1:0")
    }

    /// Starts the server and waits until it answers.
    ///
    /// # Panics
    ///
    /// When there is no binary, or the server does not listen within a minute.
    #[must_use]
    #[track_caller]
    pub fn start(self) -> TestServer {
        let binary = self.binary.clone().unwrap_or_else(binary);
        let (data_dir, folder) = match &self.data_dir {
            Some(path) => (path.clone(), None),
            None => match tempfile::Builder::new().prefix("packhouse-").tempdir() {
                Ok(folder) => (folder.path().to_owned(), Some(folder)),
                Err(error) => panic!("no folder for the server's data: {error}"),
            },
        };
        let mut server = TestServer {
            options: self,
            binary,
            data_dir,
            _folder: folder,
            bases: Vec::new(),
            running: None,
            log: Log::default(),
        };
        server.launch(server.options.port);
        server
    }
}

/// A running `packhouse serve`.
#[derive(Debug)]
pub struct TestServer {
    options: TestServerBuilder,
    binary: PathBuf,
    data_dir: PathBuf,
    /// Removed when the server is dropped.
    _folder: Option<TempDir>,
    bases: Vec<String>,
    running: Option<Running>,
    log: Log,
}

#[derive(Debug)]
struct Running {
    child: Child,
    /// `listening on` lines; closed when the process has ended.
    lines: mpsc::Receiver<String>,
    followers: Vec<JoinHandle<()>>,
}

impl TestServer {
    /// Starts a server with SQLite and a data folder of its own.
    ///
    /// # Panics
    ///
    /// As [`TestServerBuilder::start`].
    #[must_use]
    #[track_caller]
    pub fn start() -> Self {
        Self::builder().start()
    }

    /// Options first.
    #[must_use]
    pub fn builder() -> TestServerBuilder {
        TestServerBuilder::default()
    }

    /// The address of the main listener, `http://127.0.0.1:PORT`, without a slash at its end.
    #[must_use]
    pub fn base(&self) -> &str {
        self.bases.first().map_or("", String::as_str)
    }

    /// The addresses of all listeners in the order they were announced, the main one first.
    #[must_use]
    pub fn bases(&self) -> &[String] {
        &self.bases
    }

    /// The address of the main listener with `localhost` in the place of 127.0.0.1.
    #[must_use]
    pub fn localhost(&self) -> String {
        self.base().replacen("127.0.0.1", "localhost", 1)
    }

    /// The port of the main listener.
    ///
    /// # Panics
    ///
    /// When the announced address has none.
    #[must_use]
    #[track_caller]
    pub fn port(&self) -> u16 {
        let base = self.base();
        let port = base.rsplit(':').next().unwrap_or_default();
        port.parse()
            .unwrap_or_else(|error| panic!("no port in {base:?}: {error}"))
    }

    /// The process id.
    ///
    /// # Panics
    ///
    /// When the server does not run.
    #[must_use]
    #[track_caller]
    pub fn pid(&self) -> u32 {
        match &self.running {
            Some(running) => running.child.id(),
            None => panic!("the server is not running"),
        }
    }

    /// The data folder.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// The token of the site admin, as the server wrote it to its data folder.
    ///
    /// # Panics
    ///
    /// When the file is not there.
    #[must_use]
    #[track_caller]
    pub fn admin_token(&self) -> String {
        let path = self.data_dir.join("admin-token");
        match std::fs::read_to_string(&path) {
            Ok(text) => text.trim().to_owned(),
            Err(error) => panic!("{}: {error}\n{}", path.display(), self.logs()),
        }
    }

    /// Runs `packhouse admin …` on this server's data and returns what it printed.
    ///
    /// # Panics
    ///
    /// When the command fails.
    #[track_caller]
    pub fn admin(&self, arguments: &[&str]) -> String {
        let output = self.try_admin(arguments);
        assert!(
            output.success(),
            "packhouse admin {arguments:?}: {output}\n--- server\n{}",
            self.logs()
        );
        output.stdout
    }

    /// Runs `packhouse admin …`, whatever comes of it.
    ///
    /// # Panics
    ///
    /// When the command cannot be started or does not end within a minute.
    #[must_use]
    #[track_caller]
    pub fn try_admin(&self, arguments: &[&str]) -> Output {
        self.try_command(&[&["admin"], arguments].concat())
    }

    /// Runs `packhouse …` on this server's data, whatever comes of it.
    ///
    /// # Panics
    ///
    /// When the command cannot be started or does not end within a minute.
    #[must_use]
    #[track_caller]
    pub fn try_command(&self, arguments: &[&str]) -> Output {
        let mut command = self.command();
        command
            .args(arguments)
            .arg("--data-dir")
            .arg(&self.data_dir);
        if let Some(url) = &self.options.database_url {
            command.args(["--database-url", url]);
        }
        process::run(&mut command, ADMIN_DEADLINE)
            .unwrap_or_else(|error| panic!("packhouse {arguments:?}: {error}"))
    }

    /// A new token of `user`; `scopes` is a comma-separated list such as `read:packages`.
    ///
    /// # Panics
    ///
    /// When the user does not exist or a scope is unknown.
    #[must_use]
    #[track_caller]
    pub fn token(&self, user: &str, scopes: &str) -> String {
        let printed = self.admin(&["create-token", user, "--scopes", scopes]);
        printed.trim().to_owned()
    }

    /// Sends a request to the main listener on a connection of its own.
    ///
    /// # Panics
    ///
    /// When no complete answer comes back; the message holds the server's log.
    #[must_use]
    #[track_caller]
    pub fn send(&self, request: &Request) -> Response {
        match http::send(self.base(), request) {
            Ok(response) => response,
            Err(error) => panic!("{request:?}: {error}\n{}", self.logs()),
        }
    }

    /// The last lines of both output streams, of every run since [`TestServerBuilder::start`].
    #[must_use]
    pub fn logs(&self) -> String {
        self.log.text()
    }

    /// Waits until the log holds a line with `text` in it, and returns the first such line.
    ///
    /// # Panics
    ///
    /// When none comes within half a minute.
    #[track_caller]
    pub fn wait_for_log(&self, text: &str) -> String {
        match self.log.wait_for(text, Instant::now() + LOG_DEADLINE) {
            Some(line) => line,
            None => panic!("{text:?} is not in the log:\n{}", self.logs()),
        }
    }

    /// Sends SIGTERM and waits for a clean exit.
    ///
    /// # Panics
    ///
    /// When the server does not run, does not end within a minute, or ends with another code
    /// than 0.
    #[track_caller]
    pub fn stop(&mut self) {
        let status = self.end("TERM");
        assert!(status.success(), "SIGTERM: {status}\n{}", self.logs());
    }

    /// Kills the server as a crash would: no draining, no goodbye.
    ///
    /// # Panics
    ///
    /// When the server does not run.
    #[track_caller]
    pub fn kill(&mut self) {
        self.end("KILL");
    }

    /// Starts the server again on the same data, on a new port. A running one is stopped first.
    ///
    /// # Panics
    ///
    /// As [`TestServer::stop`] and [`TestServerBuilder::start`].
    #[track_caller]
    pub fn restart(&mut self) {
        if self.running.is_some() {
            self.stop();
        }
        self.launch(self.options.port);
    }

    /// Like [`TestServer::restart`], on the port it had: clients keep their configuration.
    ///
    /// # Panics
    ///
    /// As [`TestServer::restart`].
    #[track_caller]
    pub fn restart_on_same_port(&mut self) {
        let port = self.port();
        if self.running.is_some() {
            self.stop();
        }
        self.launch(Some(port));
    }

    /// Waits until the process ends by itself.
    ///
    /// # Panics
    ///
    /// When the server does not run.
    #[track_caller]
    pub fn wait(&mut self) -> ExitStatus {
        let Some(mut running) = self.running.take() else {
            panic!("the server is not running");
        };
        match running.reap() {
            Ok(status) => status,
            Err(error) => panic!("the server's exit status is lost: {error}"),
        }
    }

    #[track_caller]
    fn end(&mut self, signal: &str) -> ExitStatus {
        let Some(mut running) = self.running.take() else {
            panic!("the server is not running");
        };
        if let Err(error) = process::signal(running.child.id(), signal) {
            panic!("SIG{signal}: {error}\n{}", self.logs());
        }
        let ended = running.wait_for_end(Instant::now() + STOP_DEADLINE);
        if !ended {
            // The panic below is the news; a process that is gone needs no killing.
            let _ = running.child.kill();
        }
        let status = running.reap();
        assert!(
            ended,
            "still running {STOP_DEADLINE:?} after SIG{signal}\n{}",
            self.logs()
        );
        match status {
            Ok(status) => status,
            Err(error) => panic!("the server's exit status is lost: {error}"),
        }
    }

    #[track_caller]
    fn launch(&mut self, port: Option<u16>) {
        let port = match (port, self.options.public_localhost) {
            (Some(port), _) => port,
            // The address must be known before the server can choose its port.
            (None, true) => ports::free(),
            (None, false) => 0,
        };
        let mut command = self.command();
        command
            .arg("serve")
            .arg("--listen")
            .arg(format!("127.0.0.1:{port}"))
            .arg("--data-dir")
            .arg(&self.data_dir)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if let Some(url) = &self.options.database_url {
            command.args(["--database-url", url]);
        }
        if let Some((certificate, key)) = &self.options.tls {
            command.arg("--tls-cert").arg(certificate);
            command.arg("--tls-key").arg(key);
        }
        if self.options.public_localhost {
            let scheme = if self.options.tls.is_some() {
                "https"
            } else {
                "http"
            };
            command.args(["--public-url", &format!("{scheme}://localhost:{port}")]);
        }
        command.args(&self.options.args);

        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) => panic!("{}: {error}", self.binary.display()),
        };
        let (sender, lines) = mpsc::sync_channel(16);
        let stdout = child.stdout.take();
        let stderr = child.stderr.take();
        let followers = [
            stdout.map(|stream| self.log.follow(stream, Some(sender))),
            stderr.map(|stream| self.log.follow(stream, None)),
        ];
        let mut running = Running {
            child,
            lines,
            followers: followers.into_iter().flatten().collect(),
        };
        let wanted = 1 + self.options.more_listeners;
        let deadline = Instant::now() + START_DEADLINE;
        self.bases.clear();
        while self.bases.len() < wanted {
            let left = deadline.saturating_duration_since(Instant::now());
            match running.lines.recv_timeout(left) {
                Ok(base) => self.bases.push(base),
                Err(reason) => {
                    // A process that ended by itself cannot be killed, and need not be.
                    let _ = running.child.kill();
                    let status = running.reap();
                    let what = match reason {
                        RecvTimeoutError::Timeout => "does not listen in time",
                        RecvTimeoutError::Disconnected => "ended before it listened",
                    };
                    panic!("the server {what}: {status:?}\n{}", self.logs());
                }
            }
        }
        self.running = Some(running);
    }

    /// The binary, with nothing of this process's configuration.
    fn command(&self) -> Command {
        let mut command = Command::new(&self.binary);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PACKHOUSE_") {
                command.env_remove(name);
            }
        }
        command.envs(self.options.environment.iter().cloned());
        command
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        if let Some(mut running) = self.running.take() {
            // Nothing can be done about a failure here, and the test is over.
            let _ = running.child.kill();
            let _ = running.reap();
        }
        if thread::panicking() {
            eprintln!("--- server log\n{}", self.logs());
        }
    }
}

impl Running {
    /// Waits for the end of the process and of its log.
    fn reap(&mut self) -> std::io::Result<ExitStatus> {
        let status = self.child.wait();
        for follower in self.followers.drain(..) {
            // A follower only reads and stores; it has nothing to report.
            let _ = follower.join();
        }
        status
    }

    /// Whether the process closed its standard output by `deadline`, as it does when it ends.
    fn wait_for_end(&mut self, deadline: Instant) -> bool {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => return true,
                Err(RecvTimeoutError::Timeout) => return false,
            }
        }
    }
}

/// The packhouse binary: [`BINARY_VARIABLE`], or the one built into the same profile's folder as
/// the running test.
///
/// # Panics
///
/// When it is not built.
#[must_use]
#[track_caller]
pub fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os(BINARY_VARIABLE) {
        return PathBuf::from(path);
    }
    let test = match std::env::current_exe() {
        Ok(path) => path,
        Err(error) => panic!("the running test's own path is unknown: {error}"),
    };
    // target/PROFILE/deps/TEST, target/PROFILE/TASK
    let folders = test.ancestors().skip(1).take(2);
    for folder in folders {
        let candidate = folder.join("packhouse");
        if candidate.is_file() {
            return candidate;
        }
    }
    panic!(
        "no packhouse binary beside {}: run `cargo build -p packhouse` first, or `cargo xtask test`",
        test.display()
    );
}

#[cfg(test)]
mod tests;
