//! The rules that a compiler cannot hold: `cargo xtask check`.
//!
//! Each rule is a table in one of the modules below and a function from the facts to a list of
//! findings. Nothing is fetched and nothing is installed.

mod house;
mod licences;
mod text;
mod tree;

use anyhow::{Context as _, Result, bail};
use cargo_metadata::{CargoOpt, MetadataCommand};

use crate::command;
use crate::workspace::Workspace;

pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let metadata = MetadataCommand::new()
        .manifest_path(workspace.root.join("Cargo.toml"))
        .features(CargoOpt::AllFeatures)
        .other_options(["--locked".to_owned()])
        .exec()
        .context("cargo metadata --locked")?;
    let linked = command::output(&mut tree::listing())?;
    let lock_path = workspace.root.join("Cargo.lock");
    let lock = std::fs::read_to_string(&lock_path)
        .with_context(|| format!("cannot read {}", lock_path.display()))?;

    let mut findings = house::findings(&metadata);
    findings.extend(tree::findings(&metadata, &linked));
    findings.extend(licences::findings(&metadata));
    findings.extend(text::lock_findings(&lock));
    match text::tracked_files(&workspace.root)? {
        Some(files) => findings.extend(text::findings(&workspace.root, &files)?),
        None => command::skip("not a git checkout: tracked files were not read")?,
    }

    for finding in &findings {
        eprintln!("{finding}");
    }
    if !findings.is_empty() {
        bail!("check: {} findings", findings.len());
    }
    eprintln!(
        "check: {} crates of the house, {} dependencies, nothing to report",
        metadata.workspace_members.len(),
        metadata.packages.len() - metadata.workspace_members.len()
    );
    Ok(())
}
