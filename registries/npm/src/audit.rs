//! Advisories, of which this house has none of its own (`spec/npm.md` 16). `npm install` asks
//! each time, so the answer is quick and exact rather than a 404 that clients retry elsewhere.

use std::fmt;
use std::io::{self, Read};

use http::{StatusCode, header};
use packhouse_archive::Gunzip;
use packhouse_core::cx::WriteCx;
use packhouse_core::{Fault, Sums};
use packhouse_wire::{Body, Head, Reply};
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::json;

use crate::body::malformed;
use crate::route::Audit;

/// The largest question, as sent and inflated.
const MAX_SENT_BYTES: u64 = 8 << 20;
const MAX_INFLATED_BYTES: u64 = 64 << 20;

pub(crate) async fn answer(
    cx: &WriteCx,
    head: &Head,
    audit: Audit,
    body: Body,
) -> Result<Reply, Fault> {
    let is_gzip = is_gzip(head)?;
    let mut staged = cx.stage(body, Sums::NONE, MAX_SENT_BYTES).await?;
    let text = cx
        .inspect(&mut staged, move |sent, limits| {
            if is_gzip {
                reply_to(
                    audit,
                    Bounded::new(Gunzip::new(sent, &limits), MAX_INFLATED_BYTES),
                )
            } else {
                reply_to(audit, Bounded::new(sent, MAX_INFLATED_BYTES))
            }
        })
        .await?;
    Ok(Reply::json(StatusCode::OK, text))
}

/// npm's and bun's questions are packed, pnpm's and yarn's are not.
fn is_gzip(head: &Head) -> Result<bool, Fault> {
    match head.header(&header::CONTENT_ENCODING) {
        None => Ok(false),
        Some(coding) if coding.trim().eq_ignore_ascii_case("identity") => Ok(false),
        Some(coding) if coding.trim().eq_ignore_ascii_case("gzip") => Ok(true),
        Some(_) => Err(Fault::invalid(
            "content-encoding",
            "the body may be sent as it is or as gzip",
        )),
    }
}

fn reply_to(audit: Audit, mut question: Bounded<impl Read>) -> Result<String, Fault> {
    match audit {
        Audit::Bulk => {
            read::<Packages>(&mut question)?;
            Ok("{}".to_owned())
        }
        Audit::Quick | Audit::Full => {
            let tree: Tree = read(&mut question)?;
            Ok(no_advisories(&tree.counts()))
        }
    }
}

fn read<T: for<'de> Deserialize<'de>>(question: &mut Bounded<impl Read>) -> Result<T, Fault> {
    let buffered = io::BufReader::with_capacity(64 << 10, &mut *question);
    let read = serde_json::from_reader(buffered);
    if question.is_over {
        return Err(Fault::TooLarge {
            limit: question.limit,
        });
    }
    read.map_err(|error| match error.classify() {
        serde_json::error::Category::Io => Fault::invalid("body", "the body cannot be unpacked"),
        _ => malformed("the audit", &error),
    })
}

/// A reader that fails past its limit instead of ending early.
struct Bounded<R> {
    inner: R,
    limit: u64,
    left: u64,
    is_over: bool,
}

impl<R> Bounded<R> {
    fn new(inner: R, limit: u64) -> Self {
        Self {
            inner,
            limit,
            left: limit,
            is_over: false,
        }
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(out)?;
        match self
            .left
            .checked_sub(u64::try_from(read).unwrap_or(u64::MAX))
        {
            Some(left) => {
                self.left = left;
                Ok(read)
            }
            None => {
                self.is_over = true;
                Err(io::Error::other("the body unpacks to too much"))
            }
        }
    }
}

/// The bulk form: from names to lists of versions. Nothing of it is kept.
struct Packages;

impl<'de> Deserialize<'de> for Packages {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Packages;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object from names to lists of versions")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Packages, A::Error> {
                while map.next_entry::<IgnoredAny, Vec<String>>()?.is_some() {}
                Ok(Packages)
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

/// The quick form: a tree of what is installed.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Tree {
    dependencies: Nodes,
}

#[derive(Deserialize)]
struct Node {
    #[serde(default)]
    dev: bool,
    #[serde(default)]
    optional: bool,
    #[serde(default)]
    dependencies: Nodes,
}

/// How many packages of each kind are in a tree.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Counts {
    dependencies: u64,
    dev: u64,
    optional: u64,
}

/// The children of a node, counted as they are read.
#[derive(Default)]
struct Nodes(Counts);

impl Tree {
    fn counts(&self) -> Counts {
        self.dependencies.0
    }
}

impl<'de> Deserialize<'de> for Nodes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Nodes;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of dependencies")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Nodes, A::Error> {
                let mut counts = Counts::default();
                while let Some((_, node)) = map.next_entry::<IgnoredAny, Node>()? {
                    let below = node.dependencies.0;
                    counts.dependencies += below.dependencies;
                    counts.dev += below.dev;
                    counts.optional += below.optional;
                    match node {
                        Node { dev: true, .. } => counts.dev += 1,
                        Node { optional: true, .. } => counts.optional += 1,
                        Node { .. } => counts.dependencies += 1,
                    }
                }
                Ok(Nodes(counts))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

fn no_advisories(counts: &Counts) -> String {
    json!({
        "actions": [],
        "advisories": {},
        "muted": [],
        "metadata": {
            "vulnerabilities": {"info": 0, "low": 0, "moderate": 0, "high": 0, "critical": 0},
            "dependencies": counts.dependencies,
            "devDependencies": counts.dev,
            "optionalDependencies": counts.optional,
            "totalDependencies": counts.dependencies + counts.dev + counts.optional,
        },
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use packhouse_archive::Limits;
    use packhouse_testkit::archives::gzip;

    fn answered(audit: Audit, body: &[u8]) -> Result<String, String> {
        reply_to(audit, Bounded::new(body, 1 << 20)).map_err(|fault| fault.to_string())
    }

    #[test]
    fn a_bulk_question_has_an_empty_answer() {
        let body = br#"{"lodash":["4.17.20"],"@acme/widget":["1.0.0","1.1.0"]}"#;
        assert_eq!(answered(Audit::Bulk, body), Ok("{}".to_owned()));
        let packed = gzip(body);
        let inflated = Bounded::new(Gunzip::new(&*packed, &Limits::default()), 1 << 20);
        assert_eq!(reply_to(Audit::Bulk, inflated).unwrap(), "{}");
    }

    #[test]
    fn a_tree_is_counted_by_kind() {
        let body = br#"{"name":"x","requires":{"a":"1"},"dependencies":{
            "a":{"version":"1.0.0","dependencies":{"b":{"version":"1.0.0"},"c":{"dev":true}}},
            "d":{"optional":true,"requires":{}},"e":{"dev":true,"optional":true}},"metadata":{}}"#;
        let expected = r#"{"actions":[],"advisories":{},"metadata":{"dependencies":2,"devDependencies":2,"optionalDependencies":1,"totalDependencies":5,"vulnerabilities":{"critical":0,"high":0,"info":0,"low":0,"moderate":0}},"muted":[]}"#;
        assert_eq!(answered(Audit::Quick, body), Ok(expected.to_owned()));
        assert_eq!(answered(Audit::Full, body), Ok(expected.to_owned()));
    }

    #[test]
    fn what_is_no_question_is_refused() {
        for (audit, body, expected) in [
            (
                Audit::Bulk,
                "[]",
                "invalid body: malformed JSON in the audit: invalid type: sequence, expected an object from names to lists of versions",
            ),
            (
                Audit::Bulk,
                r#"{"a":"1"}"#,
                "invalid body: malformed JSON in the audit: invalid type: string \"1\", expected a sequence",
            ),
            (
                Audit::Quick,
                "{",
                "invalid body: malformed JSON in the audit: EOF while parsing an object",
            ),
        ] {
            assert_eq!(
                answered(audit, body.as_bytes()),
                Err(expected.to_owned()),
                "{body}"
            );
        }
        let not_gzip = Bounded::new(Gunzip::new(&b"plain"[..], &Limits::default()), 1 << 20);
        assert_eq!(
            reply_to(Audit::Bulk, not_gzip).unwrap_err().to_string(),
            "invalid body: the body cannot be unpacked"
        );
    }

    #[test]
    fn a_bomb_is_refused_when_its_limit_is_reached() {
        let endless = io::repeat(b' ');
        assert!(matches!(
            reply_to(Audit::Bulk, Bounded::new(endless, 4096)),
            Err(Fault::TooLarge { limit: 4096 })
        ));
    }
}
