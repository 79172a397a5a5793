//! Which Node runs a client.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use super::packages::{NODE_22, NPM_PACKAGES, RunsOn};
use crate::process;

const VERSION_DEADLINE: Duration = Duration::from_secs(60);

/// A version of Node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeVersion {
    major: u32,
    minor: u32,
    patch: u32,
}

impl NodeVersion {
    /// Node `major.minor.patch`.
    #[must_use]
    pub const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self {
            major,
            minor,
            patch,
        }
    }

    /// Reads what `node --version` prints, such as `v20.20.2`.
    fn parse(printed: &str) -> Option<Self> {
        let mut numbers = printed.trim().strip_prefix('v')?.split('.');
        let mut next = || numbers.next()?.parse().ok();
        Some(Self::new(next()?, next()?, next()?))
    }
}

impl fmt::Display for NodeVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// The oldest Node that runs every client.
#[must_use]
pub fn newest_wanted() -> NodeVersion {
    let wanted = NPM_PACKAGES
        .iter()
        .filter_map(|package| match package.runs_on {
            RunsOn::Node(version) => Some(version),
            RunsOn::Itself => None,
        });
    wanted.max().unwrap_or(NodeVersion::new(0, 0, 0))
}

/// A Node that is new enough: the one on `PATH`, else the prepared one.
#[must_use]
pub fn node(clients: &Path, at_least: NodeVersion) -> Option<PathBuf> {
    static ON_PATH: OnceLock<Option<(PathBuf, NodeVersion)>> = OnceLock::new();
    let on_path = ON_PATH.get_or_init(|| {
        let folders = std::env::var_os("PATH").unwrap_or_default();
        let program = std::env::split_paths(&folders)
            .map(|folder| folder.join("node"))
            .find(|program| program.is_file())?;
        let version = version_of(&program)?;
        Some((program, version))
    });
    match on_path {
        Some((program, version)) if *version >= at_least => Some(program.clone()),
        _ => {
            let prepared = NODE_22.path(clients);
            prepared.is_file().then_some(prepared)
        }
    }
}

fn version_of(program: &Path) -> Option<NodeVersion> {
    let mut command = Command::new(program);
    command.arg("--version");
    let output = process::run(&mut command, VERSION_DEADLINE).ok()?;
    NodeVersion::parse(&output.stdout)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        let parsed = NodeVersion::parse("v22.9.0\n").unwrap();
        assert!(parsed < NodeVersion::new(22, 13, 0));
        assert!(parsed > NodeVersion::new(20, 20, 2));
        assert_eq!(NodeVersion::parse("v22"), None);
        assert_eq!(newest_wanted().to_string(), "22.22.2");
    }
}
