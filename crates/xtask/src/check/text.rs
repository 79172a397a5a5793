//! Texts that must not name a package registry: the lock file and every tracked file.
//!
//! Builds and tests work behind mirrors and without a network. An address of a public registry in
//! the tree is either a mirror's blind spot or a test that leaves the machine.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

/// The one source a lock file may name.
const CRATE_REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// A registry's host is one of these words, a dot, and one of [`REGISTRIES`].
const HOSTS: &[&str] = &[
    "registry", "index", "static", "files", "repo", "repo1", "proxy", "deb",
];
const REGISTRIES: &[&str] = &["npm", "crates", "python", "maven", "golang", "debian"];

/// Where these names are data and not addresses.
const LOCK_FILE: &str = "Cargo.lock";

/// Source lines of a lock file that name anything but the crate registry.
pub(super) fn lock_findings(lock: &str) -> Vec<String> {
    let lines = (1..).zip(lock.lines().map(str::trim));
    lines
        .filter(|(_, line)| line.contains("://"))
        .filter(|(_, line)| *line != format!("source = {CRATE_REGISTRY:?}"))
        .map(|(number, line)| format!("{LOCK_FILE}:{number}: {line} is not the crate registry"))
        .collect()
}

/// The files git tracks or would track, relative to the root; `None` outside a checkout.
pub(super) fn tracked_files(root: &Path) -> Result<Option<Vec<PathBuf>>> {
    // CI systems check out as another user than they build; git would refuse that.
    let arguments = ["-c", "safe.directory=*", "ls-files", "-z"];
    let output = Command::new("git")
        .args(arguments)
        .args(["--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .stdin(Stdio::null())
        .output();
    let Ok(output) = output else { return Ok(None) };
    if !output.status.success() {
        return Ok(None);
    }
    let listing = String::from_utf8(output.stdout).context("a tracked file's name")?;
    let names = listing.split('\0').filter(|name| !name.is_empty());
    Ok(Some(names.map(PathBuf::from).collect()))
}

/// Lines of the files that name a package registry's host.
pub(super) fn findings(root: &Path, files: &[PathBuf]) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    for file in files {
        let path = root.join(file);
        if file == Path::new(LOCK_FILE) || !path.is_file() {
            continue;
        }
        let bytes = std::fs::read(&path).with_context(|| format!("cannot read {file:?}"))?;
        let text = String::from_utf8_lossy(&bytes);
        let lines = (1..).zip(text.lines());
        let naming = lines.filter(|(_, line)| names_registry(line));
        findings.extend(naming.map(|(number, _)| {
            let file = file.display();
            format!("{file}:{number}: names a package registry's host")
        }));
    }
    Ok(findings)
}

fn names_registry(line: &str) -> bool {
    let line = line.to_ascii_lowercase();
    line.match_indices('.').any(|(at, _)| {
        let (before, after) = line.split_at(at);
        let after = after.trim_start_matches('.');
        HOSTS.iter().any(|host| before.ends_with(host))
            && REGISTRIES.iter().any(|name| after.starts_with(name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_registries_are_found_wherever_they_stand() {
        for host in HOSTS {
            for registry in REGISTRIES {
                let line = format!("see HTTPS://{host}.{registry}js.org/left-pad");
                assert!(names_registry(&line), "{line}");
                assert!(names_registry(&line.to_uppercase()), "{line}");
            }
        }
    }

    #[test]
    fn other_words_and_addresses_are_left_alone() {
        for line in [
            "registry/npm",
            "an index. npm reads it",
            "http://127.0.0.1:9/",
            "https://docs.example.com/registry.html",
            "packhouse.npm",
        ] {
            assert!(!names_registry(line), "{line}");
        }
    }

    #[test]
    fn a_lock_file_names_one_source_only() {
        let good = format!("name = \"a\"\nsource = {CRATE_REGISTRY:?}\nchecksum = \"00\"\n");
        assert_eq!(lock_findings(&good), Vec::<String>::new());
        let git = good.replace("registry+", "git+");
        assert_eq!(lock_findings(&git).len(), 1);
        let mirror = good.replace("github.com", "mirror.example.com");
        assert_eq!(lock_findings(&mirror).len(), 1);
    }

    #[test]
    fn findings_carry_file_and_line() {
        let folder = tempfile::tempdir().unwrap();
        let host = ["registry", "npmjs"].join(".");
        std::fs::write(folder.path().join("a.md"), format!("x\n{host}\n")).unwrap();
        std::fs::write(folder.path().join(LOCK_FILE), &host).unwrap();
        let files = ["a.md", LOCK_FILE, "removed"].map(PathBuf::from);
        let found = findings(folder.path(), &files).unwrap();
        assert_eq!(found, ["a.md:2: names a package registry's host"]);
    }
}
