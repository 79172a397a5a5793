//! Who may depend on whom, and which crate alone may name a dependency.

use cargo_metadata::{DependencyKind, Metadata};

const NAMES: &str = "packhouse-names";
const WIRE: &str = "packhouse-wire";
const DB: &str = "packhouse-db";
const BLOB: &str = "packhouse-blob";
const ARCHIVE: &str = "packhouse-archive";
const CORE: &str = "packhouse-core";
const SERVER: &str = "packhouse";
const TESTKIT: &str = "packhouse-testkit";
const TESTS: &str = "packhouse-tests";
const XTASK: &str = "packhouse-xtask";

/// Stands for every crate below `registries/`.
const FORMATS: &str = "registries/*";

/// Each crate of the house and the others it may use. A crate that is not here may not exist.
const MAY_USE: &[(&str, &[&str])] = &[
    (NAMES, &[]),
    (WIRE, &[NAMES]),
    (DB, &[NAMES]),
    (BLOB, &[NAMES]),
    (ARCHIVE, &[]),
    (CORE, &[NAMES, WIRE, DB, BLOB, ARCHIVE]),
    (FORMATS, &[NAMES, WIRE, CORE, ARCHIVE]),
    (SERVER, &[NAMES, WIRE, DB, BLOB, CORE, FORMATS]),
    (TESTKIT, &[]),
    (TESTS, &[NAMES, WIRE, CORE, FORMATS, TESTKIT]),
    (XTASK, &[TESTKIT]),
];

/// What every crate may use in its tests besides: the testkit knows packhouse from outside only.
const TESTS_MAY_USE: &[&str] = &[TESTKIT];

/// Dependencies that only the named crates may declare, tests aside. A name that ends in `*`
/// stands for every crate that begins so.
const RESERVED: &[(&str, &[&str])] = &[
    // one crate knows SQL
    ("diesel*", &[DB]),
    ("libsqlite3-sys", &[DB]),
    ("tokio-postgres*", &[DB]),
    // one crate knows the web framework, the command line and the environment
    ("actix*", &[SERVER]),
    ("clap", &[SERVER]),
    ("toml", &[SERVER]),
    ("mimalloc", &[SERVER]),
    ("metrics-exporter-prometheus", &[SERVER]),
    ("tracing-subscriber", &[SERVER]),
    // one crate knows where bytes lie
    ("object_store", &[BLOB]),
    // hashes of what comes in, and the registry's signature
    ("aws-lc-rs", &[BLOB, CORE]),
    // sockets of our own: the server's, and the link to PostgreSQL
    ("rustls*", &[SERVER, DB]),
    // one crate opens archives; core compresses documents, tests pack fixtures
    ("tar", &[ARCHIVE, TESTKIT]),
    ("zip", &[ARCHIVE]),
    ("flate2", &[ARCHIVE, CORE, TESTKIT]),
    // vocabulary and formats do not know the runtime
    ("tokio", &[DB, BLOB, CORE, SERVER, TESTKIT]),
    // callers of a library need to tell its errors apart
    ("anyhow", &[SERVER, XTASK]),
];

/// One declared dependency, as a manifest has it.
#[derive(Clone, Copy, Debug)]
struct Edge<'a> {
    from: Crate<'a>,
    to: Crate<'a>,
    kind: DependencyKind,
}

/// A crate's name and whether it is a format's.
#[derive(Clone, Copy, Debug)]
struct Crate<'a> {
    name: &'a str,
    is_format: bool,
}

impl Crate<'_> {
    /// How the tables call it.
    fn row(&self) -> &str {
        if self.is_format { FORMATS } else { self.name }
    }
}

pub(super) fn findings(metadata: &Metadata) -> Vec<String> {
    let members = metadata.workspace_packages();
    let registries = metadata.workspace_root.join("registries");
    let house: Vec<Crate<'_>> = members
        .iter()
        .map(|member| Crate {
            name: member.name.as_str(),
            is_format: member.manifest_path.starts_with(&registries),
        })
        .collect();
    let named = |name: &str| house.iter().find(|known| known.name == name).copied();

    let mut findings: Vec<String> = house.iter().filter_map(unknown).collect();
    for member in members {
        let Some(from) = named(member.name.as_str()) else {
            continue;
        };
        for dependency in &member.dependencies {
            let kind = dependency.kind;
            let finding = match named(&dependency.name) {
                Some(to) if dependency.path.is_some() => judge_house(Edge { from, to, kind }),
                _ => judge_reserved(from, &dependency.name, kind),
            };
            findings.extend(finding);
        }
    }
    findings
}

fn unknown(found: &Crate<'_>) -> Option<String> {
    let known = MAY_USE.iter().any(|(row, _)| *row == found.row());
    (!known).then(|| {
        format!(
            "{}: a crate that the table in crates/xtask/src/check/house.rs does not know",
            found.name
        )
    })
}

fn judge_house(edge: Edge<'_>) -> Option<String> {
    let Edge { from, to, kind } = edge;
    let rows = MAY_USE.iter().filter(|(row, _)| *row == from.row());
    let mut allowed: Vec<&str> = rows.flat_map(|(_, to)| to.iter().copied()).collect();
    if kind == DependencyKind::Development {
        allowed.extend(TESTS_MAY_USE);
    }
    (!allowed.contains(&to.row())).then(|| {
        let tests = match kind {
            DependencyKind::Development => "the tests of ",
            _ => "",
        };
        format!("{tests}{} may not use {}", from.name, to.name)
    })
}

fn judge_reserved(from: Crate<'_>, dependency: &str, kind: DependencyKind) -> Option<String> {
    if kind == DependencyKind::Development {
        return None;
    }
    let (_, holders) = RESERVED
        .iter()
        .find(|(pattern, _)| match pattern.strip_suffix('*') {
            Some(beginning) => dependency.starts_with(beginning),
            None => dependency == *pattern,
        })?;
    (!holders.contains(&from.row())).then(|| {
        format!(
            "{} may not use {dependency}, only {} may",
            from.name,
            holders.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn krate(name: &str) -> Crate<'_> {
        Crate {
            name,
            is_format: ["packhouse-npm", "packhouse-maven"].contains(&name),
        }
    }

    fn edge<'a>(from: &'a str, to: &'a str, kind: DependencyKind) -> Edge<'a> {
        let (from, to) = (krate(from), krate(to));
        Edge { from, to, kind }
    }

    #[test]
    fn the_layers_allow_what_points_inward() {
        for (from, to) in [
            (WIRE, NAMES),
            (CORE, DB),
            (CORE, BLOB),
            ("packhouse-npm", CORE),
            ("packhouse-npm", ARCHIVE),
            (SERVER, "packhouse-maven"),
            (XTASK, TESTKIT),
        ] {
            let finding = judge_house(edge(from, to, DependencyKind::Normal));
            assert_eq!(finding, None, "{from} -> {to}");
        }
    }

    #[test]
    fn the_layers_refuse_what_points_outward_or_sideways() {
        for (from, to) in [
            (NAMES, WIRE),
            (DB, CORE),
            (DB, BLOB),
            (ARCHIVE, NAMES),
            (CORE, "packhouse-npm"),
            (CORE, SERVER),
            ("packhouse-npm", "packhouse-maven"),
            ("packhouse-npm", DB),
            ("packhouse-npm", BLOB),
            (SERVER, TESTKIT),
            (TESTKIT, CORE),
            (TESTKIT, DB),
            (TESTKIT, BLOB),
        ] {
            let finding = judge_house(edge(from, to, DependencyKind::Normal));
            assert_eq!(finding, Some(format!("{from} may not use {to}")));
        }
    }

    #[test]
    fn tests_may_use_the_testkit_and_nothing_else_besides() {
        let development = DependencyKind::Development;
        assert_eq!(judge_house(edge(SERVER, TESTKIT, development)), None);
        assert_eq!(
            judge_house(edge("packhouse-npm", DB, development)),
            Some("the tests of packhouse-npm may not use packhouse-db".to_owned())
        );
    }

    #[test]
    fn a_reserved_dependency_is_refused_outside_its_crate() {
        let judge = |from, dependency, kind| judge_reserved(krate(from), dependency, kind);
        let normal = DependencyKind::Normal;
        assert_eq!(judge(DB, "diesel_migrations", normal), None);
        assert_eq!(judge(CORE, "serde", normal), None);
        assert_eq!(
            judge(CORE, "diesel-async", normal),
            Some("packhouse-core may not use diesel-async, only packhouse-db may".to_owned())
        );
        assert_eq!(
            judge("packhouse-npm", "actix-web", normal),
            Some("packhouse-npm may not use actix-web, only packhouse may".to_owned())
        );
        assert_eq!(
            judge("packhouse-npm", "tokio", DependencyKind::Development),
            None
        );
    }

    #[test]
    fn a_crate_without_a_row_is_refused() {
        assert_eq!(unknown(&krate("packhouse-npm")), None);
        assert!(unknown(&krate("packhouse-shed")).is_some());
    }
}
