//! A client that is ready to run.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::node::node;
use super::packages::{NPM_10, NPM_11, NpmPackage, PNPM_10, RunsOn};
use super::{folder, skip};

/// A client that is ready to run.
#[derive(Clone, Debug)]
pub struct Client {
    pub(super) package: NpmPackage,
    pub(super) program: PathBuf,
    pub(super) script: Option<PathBuf>,
    /// The npm that it hands commands to.
    pub(super) npm: Option<Box<Client>>,
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

    /// A client in a folder of prepared ones, or what is missing.
    ///
    /// # Errors
    ///
    /// When the client, its Node or the npm that it calls is not there, with a text that says so.
    pub fn find(package: &NpmPackage, clients: &Path) -> Result<Self, String> {
        let entry = package.path(clients);
        if !entry.is_file() {
            let NpmPackage { name, version, .. } = package;
            return Err(format!("{name} {version} is not in {}", clients.display()));
        }
        let (program, script) = match package.runs_on {
            RunsOn::Itself => (entry, None),
            RunsOn::Node(at_least) => match node(clients, at_least) {
                Some(program) => (program, Some(entry)),
                None => return Err(format!("there is no Node {at_least} or newer")),
            },
        };
        let npm = if *package == PNPM_10 {
            Some(Box::new(Self::find(&NPM_10, clients)?))
        } else {
            None
        };
        Ok(Self {
            package: *package,
            program,
            script,
            npm,
        })
    }

    /// The client's command with its environment cut down to `PATH`, which finds the same Node.
    #[must_use]
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.script);
        let own = self.program.parent().map(Path::to_owned);
        let inherited = std::env::var_os("PATH").unwrap_or_default();
        let folders = own.into_iter().chain(std::env::split_paths(&inherited));
        let path = std::env::join_paths(folders).unwrap_or(inherited);
        command.env_clear().env("PATH", path);
        command
    }

    /// Makes the client a program of one file, for those who can only be given a path.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn write_launcher(&self, file: &Path) -> io::Result<()> {
        let words = std::iter::once(&self.program).chain(&self.script);
        let words: Vec<String> = words.map(|word| quoted(word)).collect();
        let script = format!("#!/bin/sh\nexec {} \"$@\"\n", words.join(" "));
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(file, script)?;
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o755))
    }
}

/// A path as one word of a shell script.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.to_string_lossy().replace('\'', r"'\''"))
}
