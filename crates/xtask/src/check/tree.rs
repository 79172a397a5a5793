//! Where dependencies come from, and which are turned down wherever they stand in the tree.

use std::collections::BTreeSet;
use std::process::Command;

use cargo_metadata::Metadata;
use cargo_metadata::semver::Version;

use crate::command::cargo;

/// Crates that may not be linked, not even by another dependency, and why.
const TURNED_DOWN: &[(&str, &str)] = &[
    (
        "native-tls",
        "one TLS provider is enough, and that is aws-lc",
    ),
    ("openssl", "one TLS provider is enough, and that is aws-lc"),
    (
        "openssl-sys",
        "one TLS provider is enough, and that is aws-lc",
    ),
    ("ring", "one TLS provider is enough, and that is aws-lc"),
    ("serde_yaml", "unmaintained"),
    ("serde_yml", "unsound"),
    ("serde_norway", "unsafe code from a C-shaped parser"),
    ("actix-web-actors", "the actor framework is deprecated"),
    ("async-tar", "reads archives differently than others do"),
    ("tokio-tar", "reads archives differently than others do"),
];

/// Crates that must be at least this new, and why.
const NO_OLDER_THAN: &[(&str, &str, &str)] = &[
    (
        "quick-xml",
        "0.41.0",
        "RUSTSEC-2026-0194 and RUSTSEC-2026-0195",
    ),
    (
        "actix-http",
        "3.20.0",
        "request smuggling and hangs after early replies",
    ),
];

pub(super) fn findings(metadata: &Metadata, linked: &str) -> Vec<String> {
    let foreign = metadata.packages.iter().filter_map(|package| {
        let source = package.source.as_ref()?;
        let name = &package.name;
        (!source.is_crates_io()).then(|| format!("{name}: from {source}, not the crate registry"))
    });
    foreign.chain(turned_down(linked)).collect()
}

/// Findings on the lines of [`listing`], each once.
fn turned_down(linked: &str) -> BTreeSet<String> {
    let judged = linked.lines().filter_map(|line| {
        // "quick-xml v0.41.0", and "(*)" or a path behind it
        let (name, rest) = line.split_once(" v")?;
        let version = rest.split(' ').next()?;
        match Version::parse(version) {
            Ok(version) => judge(name, &version),
            Err(error) => Some(format!("cargo tree: {line:?}: {error}")),
        }
    });
    judged.collect()
}

/// The command that lists what is built into our crates on any platform, one a line.
///
/// Only `cargo tree` knows: the lock file and `cargo metadata` also hold optional dependencies
/// that nobody switches on.
pub(super) fn listing() -> Command {
    let mut tree = cargo(&["tree", "--workspace", "--all-features", "--target=all"]);
    tree.args(["--edges=normal,build", "--prefix=none", "--format={p}"]);
    tree
}

fn judge(name: &str, version: &Version) -> Option<String> {
    if let Some((_, reason)) = TURNED_DOWN.iter().find(|(refused, _)| *refused == name) {
        return Some(format!("{name} {version}: turned down, {reason}"));
    }
    let (_, oldest, reason) = NO_OLDER_THAN.iter().find(|(known, _, _)| *known == name)?;
    match Version::parse(oldest) {
        Ok(oldest) if *version < oldest => Some(format!(
            "{name} {version}: must be {oldest} or newer, {reason}"
        )),
        Ok(_) => None,
        Err(error) => Some(format!(
            "{name}: bad entry {oldest:?} in the table: {error}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_turned_down_is_refused_at_any_version() {
        let finding = judge("openssl-sys", &Version::new(99, 0, 0)).unwrap();
        assert!(finding.contains("turned down"), "{finding}");
        assert_eq!(judge("openssl-probe", &Version::new(0, 1, 0)), None);
    }

    #[test]
    fn a_crate_with_a_known_fault_is_refused_below_its_fix() {
        assert!(judge("quick-xml", &Version::new(0, 40, 9)).is_some());
        assert_eq!(judge("quick-xml", &Version::new(0, 41, 0)), None);
        assert!(judge("actix-http", &Version::new(3, 19, 0)).is_some());
        assert_eq!(judge("actix-http", &Version::new(3, 20, 0)), None);
    }

    #[test]
    fn the_lines_of_the_tree_are_read_with_what_stands_behind_them() {
        let tree = "packhouse v0.1.0 (/src/server)\n\nring v0.17.14\nring v0.17.14 (*)\n\
                    quick-xml v0.42.0 (*)\nquick-xml v0.40.1\nfoo vX\n";
        let found: Vec<String> = turned_down(tree).into_iter().collect();
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found[0].starts_with("cargo tree: \"foo vX\""), "{found:?}");
        assert!(found[1].starts_with("quick-xml 0.40.1: "), "{found:?}");
        assert!(found[2].starts_with("ring 0.17.14: "), "{found:?}");
    }

    #[test]
    fn every_version_in_the_table_can_be_read() {
        for (name, oldest, _) in NO_OLDER_THAN {
            assert!(Version::parse(oldest).is_ok(), "{name} {oldest}");
        }
    }
}
