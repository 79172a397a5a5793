//! A project folder with a client that keeps everything it writes to itself.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use super::client::Client;
use super::packages::Settings;
use crate::process::{self, Output};

/// The default registry of every client: a port that is never open.
pub const NOWHERE: &str = "http://127.0.0.1:9/";

const CLIENT_DEADLINE: Duration = Duration::from_secs(180);

/// What every client is told besides its settings: no colours, and no news of its makers.
const QUIET: [(&str, &str); 4] = [
    ("NO_COLOR", "1"),
    ("DO_NOT_TRACK", "1"),
    ("DENO_NO_UPDATE_CHECK", "1"),
    ("JSR_URL", NOWHERE),
];

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
        let npm_path = project.npm_path();
        match client.package.settings {
            Settings::Npmrc | Settings::PnpmWorkspace => project.write_below(
                "home/.npmrc",
                format!(
                    "registry={NOWHERE}\n\
                     cache={root}/cache\n\
                     prefix={root}/prefix\n\
                     fetch-retries=0\n\
                     min-release-age=0\n\
                     update-notifier=false\n\
                     audit=false\n\
                     fund=false\n\
                     {npm_path}"
                ),
            ),
            Settings::Yarnrc => project.write_below(
                "home/.yarnrc.yml",
                format!(
                    "npmRegistryServer: \"{NOWHERE}\"\n\
                     npmMinimalAgeGate: 0\n\
                     httpRetry: 0\n\
                     unsafeHttpWhitelist: [\"127.0.0.1\", \"localhost\"]\n\
                     enableTelemetry: false\n\
                     enableGlobalCache: false\n\
                     nodeLinker: node-modules\n"
                ),
            ),
        }
        if client.package.settings == Settings::PnpmWorkspace {
            project.write("pnpm-workspace.yaml", "minimumReleaseAge: 0\n");
        }
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

    /// Writes the project's settings, in place of earlier ones: which registry the scopes such
    /// as `@acme` live in, and the token for it, if any. Without a scope it is the registry of
    /// every package.
    ///
    /// # Panics
    ///
    /// When `registry` is not an http address, or the file cannot be written.
    #[track_caller]
    pub fn use_registry(&self, scopes: &[&str], registry: &str, token: Option<&str>) {
        let registry = registry.trim_end_matches('/');
        let Some((_, address)) = registry.split_once("://") else {
            panic!("not an address: {registry:?}");
        };
        match self.client.package.settings {
            Settings::Npmrc | Settings::PnpmWorkspace => {
                let mut settings: String = scopes
                    .iter()
                    .map(|scope| format!("{scope}:registry={registry}/\n"))
                    .collect();
                if scopes.is_empty() {
                    settings.push_str(&format!("registry={registry}/\n"));
                }
                if let Some(token) = token {
                    settings.push_str(&format!("//{address}/:_authToken={token}\n"));
                }
                self.write(".npmrc", settings);
            }
            Settings::Yarnrc => self.write(".yarnrc.yml", yarnrc(scopes, registry, token)),
        }
    }

    /// Sets an environment variable for the runs that follow.
    pub fn env(&mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) {
        self.environment
            .push((name.as_ref().to_owned(), value.as_ref().to_owned()));
    }

    /// The client's command in the project folder.
    ///
    /// It sees `PATH`, `HOME`, `TMPDIR`, what keeps it quiet, and what [`NpmProject::env`] added:
    /// no `npm_…` setting, no proxy.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.client.command();
        command
            .args(arguments)
            .current_dir(self.path())
            .env("HOME", self.folder.path().join("home"))
            .env("TMPDIR", self.folder.path())
            .envs(QUIET)
            .envs(self.environment.iter().cloned());
        command
    }

    /// Runs the client in the project folder, whatever comes of it.
    ///
    /// # Panics
    ///
    /// When it cannot be started, or does not end within three minutes.
    #[must_use]
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> Output {
        process::run(&mut self.command(arguments), CLIENT_DEADLINE)
            .unwrap_or_else(|error| panic!("{arguments:?}: {error}"))
    }

    /// The setting that names the npm which the client calls: it would take the one beside its
    /// own Node, whatever its version.
    #[track_caller]
    fn npm_path(&self) -> String {
        let Some(npm) = &self.client.npm else {
            return String::new();
        };
        let launcher = self.folder.path().join("bin/npm");
        if let Err(error) = npm.write_launcher(&launcher) {
            panic!("{}: {error}", launcher.display());
        }
        format!("npm-path={}\n", launcher.display())
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

/// yarn berry's settings. A scope needs all four lines: what it does not say falls back to yarn's
/// own defaults, not to the settings above it.
fn yarnrc(scopes: &[&str], registry: &str, token: Option<&str>) -> String {
    let token = token.map(|token| format!("npmAuthToken: \"{token}\"\n"));
    let token = token.unwrap_or_default();
    if scopes.is_empty() {
        return format!(
            "npmRegistryServer: \"{registry}\"\nnpmPublishRegistry: \"{registry}\"\n\
             npmAlwaysAuth: {}\n{token}",
            !token.is_empty()
        );
    }
    let mut settings = "npmScopes:\n".to_owned();
    for scope in scopes {
        let scope = scope.trim_start_matches('@');
        settings.push_str(&format!(
            "  {scope}:\n    npmRegistryServer: \"{registry}\"\n    \
             npmPublishRegistry: \"{registry}\"\n    npmMinimalAgeGate: 0\n"
        ));
        if !token.is_empty() {
            settings.push_str(&format!("    {token}"));
        }
    }
    settings
}
