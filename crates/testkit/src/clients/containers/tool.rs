//! Which clients there are, and how each gets onto a machine.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::alone;
use crate::clients::{folder, note, skip};
use crate::process;

const VERSION_DEADLINE: Duration = Duration::from_secs(60);

/// A program that talks to container registries, or that such a program needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tool {
    /// The program's name.
    pub name: &'static str,
    /// Where it comes from.
    pub source: Source,
}

/// Where a program comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// On `PATH`, from this package where Debian is.
    Debian(&'static str),
    /// In the folder of prepared clients, built from a module.
    Go(GoModule),
    /// On `PATH` or not at all.
    Path,
}

/// A Go module at one version that holds a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GoModule {
    /// The module's path.
    pub module: &'static str,
    /// The exact version, without its `v`.
    pub version: &'static str,
    /// The program's package.
    pub package: &'static str,
}

impl Tool {
    const fn debian(name: &'static str, package: &'static str) -> Self {
        let source = Source::Debian(package);
        Self { name, source }
    }

    /// The program, if it is there.
    #[must_use]
    pub fn path(&self, clients: &Path) -> Option<PathBuf> {
        match self.source {
            Source::Debian(_) | Source::Path => process::find(self.name),
            Source::Go(GoModule { version, .. }) => {
                let path = clients.join(format!("{}-{version}", self.name));
                path.is_file().then_some(path)
            }
        }
    }

    /// The program, or `None` if the test must be skipped, which a line on standard error says.
    ///
    /// # Panics
    ///
    /// In CI, where nothing may be skipped but what the set-up never fetches ([`Source::Path`]).
    #[must_use]
    #[track_caller]
    pub fn prepared(&self) -> Option<PathBuf> {
        let clients = folder();
        let found = self.path(&clients);
        if found.is_none() {
            let name = self.name;
            match self.source {
                Source::Path => note(&format!(
                    "{name} is not on PATH, nor does the set-up get it"
                )),
                Source::Debian(package) => {
                    skip(&format!("{name} is not on PATH (Debian: {package})"));
                }
                Source::Go(module) => {
                    let clients = clients.display();
                    skip(&format!("{name} {} is not in {clients}", module.version));
                }
            }
        }
        found
    }
}

impl Tool {
    /// As [`Tool::prepared`], for a program that only root can use.
    ///
    /// # Panics
    ///
    /// As [`Tool::prepared`].
    #[must_use]
    #[track_caller]
    pub fn prepared_for_root(&self) -> Option<PathBuf> {
        let found = self.prepared()?;
        if !alone::is_possible() {
            skip(&format!(
                "{} wants to be root, and root to mount",
                self.name
            ));
            return None;
        }
        Some(found)
    }
}

/// The client that copies.
pub const SKOPEO: Tool = Tool::debian("skopeo", "skopeo");

/// The engine without a daemon.
pub const PODMAN: Tool = Tool::debian("podman", "podman");

/// The builder without a daemon.
pub const BUILDAH: Tool = Tool::debian("buildah", "buildah");

/// Docker's command line.
pub const DOCKER: Tool = Tool::debian("docker", "docker.io");

/// Docker's engine.
pub const DOCKERD: Tool = Tool::debian("dockerd", "docker.io");

/// The engine below Docker's.
pub const CONTAINERD: Tool = Tool::debian("containerd", "containerd");

/// containerd's command line.
pub const CTR: Tool = Tool::debian("ctr", "containerd");

/// go-containerregistry's command line.
pub const CRANE: Tool = Tool {
    name: "crane",
    source: Source::Go(GoModule {
        module: "github.com/google/go-containerregistry",
        version: "0.22.1",
        package: "github.com/google/go-containerregistry/cmd/crane",
    }),
};

/// The client for artifacts of every kind.
pub const ORAS: Tool = Tool {
    name: "oras",
    source: Source::Go(GoModule {
        module: "oras.land/oras",
        version: "1.3.3",
        package: "oras.land/oras/cmd/oras",
    }),
};

/// regclient's command line.
pub const REGCTL: Tool = Tool {
    name: "regctl",
    source: Source::Go(GoModule {
        module: "github.com/regclient/regclient",
        version: "0.11.7",
        package: "github.com/regclient/regclient/cmd/regctl",
    }),
};

/// Kubernetes' package manager, whose charts are artifacts.
pub const HELM: Tool = Tool {
    name: "helm",
    source: Source::Go(GoModule {
        module: "helm.sh/helm/v3",
        version: "3.22.0",
        package: "helm.sh/helm/v3/cmd/helm",
    }),
};

/// The signer. It takes five minutes to build, so nobody is made to.
pub const COSIGN: Tool = Tool {
    name: "cosign",
    source: Source::Path,
};

/// What tests ask for and `cargo xtask setup` prepares.
pub const CONTAINER_TOOLS: &[Tool] = &[
    SKOPEO, PODMAN, BUILDAH, DOCKER, DOCKERD, CONTAINERD, CTR, CRANE, ORAS, REGCTL, HELM,
];

/// A version of Go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GoVersion {
    major: u32,
    minor: u32,
}

/// The oldest Go that builds every client.
pub const OLDEST_GO: GoVersion = GoVersion {
    major: 1,
    minor: 26,
};

impl GoVersion {
    /// The version of a `go` program; `None` if it does not tell.
    #[must_use]
    pub fn of(program: &Path) -> Option<Self> {
        let mut command = Command::new(program);
        command
            .args(["env", "GOVERSION"])
            .env("GOTOOLCHAIN", "local");
        let output = process::run(&mut command, VERSION_DEADLINE).ok()?;
        Self::parse(&output.stdout)
    }

    /// Reads `go1.26.8` or `go1.27rc1`.
    fn parse(printed: &str) -> Option<Self> {
        let mut numbers = printed.trim().strip_prefix("go")?.split('.');
        let major = numbers.next()?.parse().ok()?;
        let minor = numbers.next()?;
        let end = minor
            .find(|letter: char| !letter.is_ascii_digit())
            .unwrap_or(minor.len());
        let minor = minor.get(..end)?.parse().ok()?;
        Some(Self { major, minor })
    }
}

impl fmt::Display for GoVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_go_are_compared_as_numbers() {
        let parsed = |printed| GoVersion::parse(printed).unwrap();
        assert!(parsed("go1.9.7\n") < OLDEST_GO);
        assert_eq!(parsed("go1.26.8\n"), OLDEST_GO);
        assert!(parsed("go1.27rc1") > OLDEST_GO);
        assert_eq!(GoVersion::parse("devel"), None);
    }

    #[test]
    fn a_built_client_has_its_version_in_its_name() {
        let clients = tempfile::tempdir().unwrap();
        assert_eq!(CRANE.path(clients.path()), None);
        let built = clients.path().join("crane-0.22.1");
        std::fs::write(&built, "").unwrap();
        assert_eq!(CRANE.path(clients.path()), Some(built));
    }
}
