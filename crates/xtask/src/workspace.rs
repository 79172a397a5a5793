//! Where this workspace lies, and where it is built.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use cargo_metadata::MetadataCommand;

/// The folders every task works in.
#[derive(Debug)]
pub(crate) struct Workspace {
    /// The folder of the root `Cargo.toml`.
    pub(crate) root: PathBuf,
    /// Where cargo builds, `CARGO_TARGET_DIR` included.
    pub(crate) target: PathBuf,
}

impl Workspace {
    pub(crate) fn find() -> Result<Self> {
        let metadata = MetadataCommand::new()
            .no_deps()
            .exec()
            .context("cargo metadata")?;
        Ok(Self {
            root: metadata.workspace_root.into_std_path_buf(),
            target: metadata.target_directory.into_std_path_buf(),
        })
    }

    /// The server's binary as `cargo build` leaves it.
    pub(crate) fn server(&self) -> PathBuf {
        self.target.join("debug/packhouse")
    }

    /// Where prepared clients are kept.
    pub(crate) fn clients(&self) -> PathBuf {
        self.target.join("clients")
    }
}
