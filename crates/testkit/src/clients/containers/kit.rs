//! A folder in which container clients keep everything they write.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;

use super::alone;
use crate::clients::NOWHERE;
use crate::process::{self, Output};

const CLIENT_DEADLINE: Duration = Duration::from_secs(180);

/// Requests to anybody but this machine end at a port that is never open.
pub(super) const PROXIES: [(&str, &str); 3] = [
    ("HTTP_PROXY", NOWHERE),
    ("HTTPS_PROXY", NOWHERE),
    ("NO_PROXY", "127.0.0.1,localhost"),
];

/// A home, a place for credentials and a storage of a test's own.
#[derive(Debug)]
pub struct Kit {
    folder: TempDir,
}

impl Kit {
    /// An empty one, without any credentials.
    ///
    /// # Panics
    ///
    /// When the folder cannot be written.
    #[must_use]
    #[track_caller]
    pub fn new() -> Self {
        // short, for there are sockets in it
        let folder = match tempfile::Builder::new().prefix("phct-").tempdir() {
            Ok(folder) => folder,
            Err(error) => panic!("no folder for the clients: {error}"),
        };
        let kit = Self { folder };
        kit.write("auth.json", "{}");
        kit.write(
            "home/.config/containers/policy.json",
            json!({"default": [{"type": "insecureAcceptAnything"}]}).to_string(),
        );
        // short names would be looked for at public registries
        kit.write("registries.conf", "unqualified-search-registries = []\n");
        let root = kit.folder.path().display();
        kit.write(
            "storage.conf",
            format!(
                "[storage]\ndriver = \"vfs\"\ngraphroot = \"{root}/storage\"\n\
                 runroot = \"{root}/run\"\n"
            ),
        );
        let folders = ["run", "tmp", "work"].map(|name| kit.path(name));
        let made = folders.iter().try_for_each(std::fs::create_dir_all);
        if let Err(error) = made.and_then(|()| alone::prepare(&kit.path("alone"))) {
            panic!("no folder for the clients: {error}");
        }
        kit
    }

    /// A path in the folder; relative paths in a command's arguments are below `work`.
    #[must_use]
    pub fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    /// Writes a file, folders included.
    ///
    /// # Panics
    ///
    /// When it cannot be written.
    #[track_caller]
    pub fn write(&self, file: &str, contents: impl AsRef<[u8]>) {
        let path = self.path(file);
        let written = path
            .parent()
            .map_or(Ok(()), std::fs::create_dir_all)
            .and_then(|()| std::fs::write(&path, contents));
        if let Err(error) = written {
            panic!("{}: {error}", path.display());
        }
    }

    /// Reads a file.
    ///
    /// # Panics
    ///
    /// When it is not there.
    #[must_use]
    #[track_caller]
    pub fn read(&self, file: &str) -> Vec<u8> {
        let path = self.path(file);
        match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) => panic!("{}: {error}", path.display()),
        }
    }

    /// A client's command.
    ///
    /// It sees `PATH`, and the kit's folders under every name that clients look for them; where
    /// that is possible also in the place of `/run`, `/var/lib` and `/dev/shm`, which podman and
    /// skopeo write to as root.
    #[must_use]
    pub fn command<A: AsRef<OsStr>>(
        &self,
        program: &Path,
        arguments: impl IntoIterator<Item = A>,
    ) -> Command {
        let mut command = if alone::is_possible() {
            let mut command = alone::command(&self.path("alone"));
            command.arg(program);
            command
        } else {
            Command::new(program)
        };
        command
            .args(arguments)
            .current_dir(self.path("work"))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.path("home"))
            .env("TMPDIR", self.path("tmp"))
            .env("XDG_CONFIG_HOME", self.path("home/.config"))
            .env("XDG_DATA_HOME", self.path("home/.local/share"))
            .env("XDG_CACHE_HOME", self.path("home/.cache"))
            .env("XDG_RUNTIME_DIR", self.path("run"))
            .env("DOCKER_CONFIG", self.path("home/.docker"))
            .env("REGISTRY_AUTH_FILE", self.path("auth.json"))
            .env("CONTAINERS_STORAGE_CONF", self.path("storage.conf"))
            .env("CONTAINERS_REGISTRIES_CONF", self.path("registries.conf"))
            .envs(PROXIES);
        command
    }

    /// Runs a client, whatever comes of it.
    ///
    /// # Panics
    ///
    /// When it cannot be started, or does not end within three minutes.
    #[must_use]
    #[track_caller]
    pub fn run<A: AsRef<OsStr>>(
        &self,
        program: &Path,
        arguments: impl IntoIterator<Item = A>,
    ) -> Output {
        self.finish(&mut self.command(program, arguments))
    }

    #[track_caller]
    pub(super) fn finish(&self, command: &mut Command) -> Output {
        process::run(command, CLIENT_DEADLINE)
            .unwrap_or_else(|error| panic!("{command:?}: {error}"))
    }
}

impl Default for Kit {
    fn default() -> Self {
        Self::new()
    }
}
