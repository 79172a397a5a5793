//! Which versions of a package are part of something, and so are not "untagged" whatever their
//! tags: the one rule for deleting, for retention and for lists.

use std::collections::BTreeMap;

use packhouse_db::references::{self, Relation};
use packhouse_db::{Conn, ReferenceKind, tags, versions};
use packhouse_names::{PackageId, TagName, VersionId};

use crate::fault::Fault;
use crate::house::House;

/// A live version that is a document, as far as the rule looks at it.
#[derive(Debug, Clone, Default)]
pub struct Member {
    /// The digest that it is named by.
    pub digest: String,
    pub tags: Vec<TagName>,
    /// Digests of its children; only a list of documents has any.
    pub children: Vec<String>,
    /// The digest of what it is about.
    pub subject: Option<String>,
}

/// Why a version is protected.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// A tag names it.
    Tagged(TagName),
    /// A live list of this digest has it as a child: a platform, an attestation.
    Child { of: String },
    /// It is about a live version of this digest: a signature, an SBOM.
    About { subject: String },
    /// The list that this tag names has it, in place of a referrers API.
    Listed { under: TagName },
}

impl Reason {
    /// Whether deleting the version would break something that is asked for by another name. A
    /// client that names a signature's digest means it.
    #[must_use]
    pub const fn forbids_deletion(&self) -> bool {
        matches!(self, Self::Child { .. })
    }
}

/// What protects each of these live versions of one package, by digest; one that nothing protects
/// has no entry. A version that is asked about must come with everything that names it.
#[must_use]
pub fn protections(members: &[Member]) -> BTreeMap<&str, Vec<Reason>> {
    let mut reasons: BTreeMap<&str, Vec<Reason>> = BTreeMap::new();
    let live: BTreeMap<&str, &Member> = members
        .iter()
        .map(|member| (member.digest.as_str(), member))
        .collect();
    let mut protect = |digest: &str, reason: Reason| {
        if let Some((digest, _)) = live.get_key_value(digest) {
            let known = reasons.entry(digest).or_default();
            if !known.contains(&reason) {
                known.push(reason);
            }
        }
    };
    for member in members {
        for tag in &member.tags {
            protect(&member.digest, Reason::Tagged(tag.clone()));
        }
        if let Some(subject) = &member.subject
            && live.contains_key(subject.as_str())
        {
            let subject = subject.clone();
            protect(&member.digest, Reason::About { subject });
        }
        let fallback = fallback_tag(member);
        for child in &member.children {
            protect(
                child,
                match fallback {
                    Some(tag) => Reason::Listed { under: tag.clone() },
                    None => Reason::Child {
                        of: member.digest.clone(),
                    },
                },
            );
        }
    }
    for known in reasons.values_mut() {
        known.sort();
    }
    reasons
}

/// The tag by which a list stands in for the referrers API, if it is asked for by no other.
fn fallback_tag(member: &Member) -> Option<&TagName> {
    let first = member.tags.first()?;
    member.tags.iter().all(is_fallback).then_some(first)
}

/// Whether a tag is a digest with a minus for its colon (`sha256-…`), as the distribution
/// specification names lists of referrers.
fn is_fallback(tag: &TagName) -> bool {
    let Some((algorithm, hex)) = tag.as_str().split_once('-') else {
        return false;
    };
    let length = match algorithm {
        "sha256" | "sha512" => 64,
        _ => return false,
    };
    hex.len() == length && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// The version of this digest and the live versions that name it.
pub(crate) fn around(
    conn: &mut Conn,
    package: PackageId,
    digest: &str,
) -> Result<Vec<Member>, Fault> {
    let mut members = related(references::relations(conn, package, Some(digest))?);
    name_tags(conn, &mut members)?;
    let mut members: Vec<Member> = members.into_values().collect();
    if members.iter().all(|member| member.digest != digest) {
        members.push(Member {
            digest: digest.to_owned(),
            ..Member::default()
        });
    }
    Ok(members)
}

/// Versions with what they name, by id.
fn related(relations: Vec<Relation>) -> BTreeMap<VersionId, Member> {
    let mut members: BTreeMap<VersionId, Member> = BTreeMap::new();
    for relation in relations {
        let member = members.entry(relation.version_id).or_default();
        member.digest = relation.version;
        if relation.kind == ReferenceKind::Subject.as_str() {
            member.subject = Some(relation.digest);
        } else {
            member.children.push(relation.digest);
        }
    }
    members
}

fn name_tags(conn: &mut Conn, members: &mut BTreeMap<VersionId, Member>) -> Result<(), Fault> {
    let ids: Vec<VersionId> = members.keys().copied().collect();
    for (id, tag) in tags::of_versions(conn, &ids)? {
        if let Some(member) = members.get_mut(&id) {
            member.tags.push(tag);
        }
    }
    Ok(())
}

impl House {
    /// All live versions of a package as [`protections`] asks for them.
    pub(crate) async fn relations(&self, package: PackageId) -> Result<Vec<Member>, Fault> {
        self.db
            .read(move |conn| {
                conn.snapshot(|conn| {
                    let mut members = related(references::relations(conn, package, None)?);
                    for (key, id) in versions::keys(conn, package)? {
                        members.entry(id).or_default().digest = key.to_string();
                    }
                    for tag in tags::list(conn, package)? {
                        if let Some(member) = members.get_mut(&tag.version_id) {
                            member.tags.push(tag.name);
                        }
                    }
                    Ok::<_, Fault>(members.into_values().collect())
                })
            })
            .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(seed: char) -> String {
        format!("sha256:{}", String::from(seed).repeat(64))
    }

    fn tag(text: &str) -> TagName {
        TagName::new(text).unwrap()
    }

    struct Set(Vec<Member>);

    impl Set {
        fn with(
            mut self,
            seed: char,
            tags: &[&str],
            children: &[char],
            about: Option<char>,
        ) -> Self {
            self.0.push(Member {
                digest: digest(seed),
                tags: tags.iter().map(|text| tag(text)).collect(),
                children: children.iter().copied().map(digest).collect(),
                subject: about.map(digest),
            });
            self
        }

        fn of(&self, seed: char) -> Vec<Reason> {
            protections(&self.0)
                .remove(digest(seed).as_str())
                .unwrap_or_default()
        }

        fn may_go(&self, seed: char) -> bool {
            !self.of(seed).iter().any(Reason::forbids_deletion)
        }
    }

    #[test]
    fn nested_lists_protect_their_children_down_to_the_last() {
        let set = Set(Vec::new())
            .with('a', &["latest", "v1"], &['b', 'c'], None)
            .with('b', &[], &['d', 'e'], None)
            // an attestation: a child like any other
            .with('c', &[], &[], None)
            .with('d', &["also"], &[], None)
            .with('f', &[], &['1'], None)
            .with('1', &[], &[], None);
        assert_eq!(
            set.of('a'),
            [Reason::Tagged(tag("latest")), Reason::Tagged(tag("v1"))]
        );
        assert_eq!(set.of('b'), [Reason::Child { of: digest('a') }]);
        assert_eq!(set.of('c'), [Reason::Child { of: digest('a') }]);
        assert_eq!(
            set.of('d'),
            [
                Reason::Tagged(tag("also")),
                Reason::Child { of: digest('b') }
            ]
        );
        assert_eq!(set.of('f'), [], "nothing asks for this list");
        assert_eq!(
            set.of('1'),
            [Reason::Child { of: digest('f') }],
            "its list goes first"
        );
        assert_eq!(set.of('e'), [], "it is not there");
        for (seed, may_go) in [('a', true), ('b', false), ('c', false), ('d', false)] {
            assert_eq!(set.may_go(seed), may_go, "{seed}");
        }
    }

    #[test]
    fn what_is_about_something_live_is_protected_and_may_still_be_deleted() {
        let set = Set(Vec::new())
            .with('a', &["latest"], &[], None)
            .with('b', &[], &[], Some('a'))
            // the signature of an SBOM
            .with('c', &[], &[], Some('b'))
            .with('d', &[], &[], Some('e'));
        let about = |seed| Reason::About {
            subject: digest(seed),
        };
        assert_eq!(set.of('b'), [about('a')]);
        assert_eq!(set.of('c'), [about('b')]);
        assert_eq!(set.of('d'), [], "its subject is gone");
        assert!(set.may_go('b') && set.may_go('c'));
    }

    #[test]
    fn a_list_in_place_of_the_referrers_api_protects_but_does_not_forbid() {
        let fallback = format!("sha256-{}", "a".repeat(64));
        let set = Set(Vec::new())
            .with('a', &["latest"], &[], None)
            .with('b', &[&fallback], &['c', 'd'], None)
            .with('c', &[], &[], Some('a'))
            .with('d', &[], &[], None)
            // asked for by a name of its own as well: a list like any other
            .with('e', &[&fallback, "signed"], &['d'], None);
        let listed = Reason::Listed {
            under: tag(&fallback),
        };
        let about = Reason::About {
            subject: digest('a'),
        };
        assert_eq!(set.of('c'), [about, listed.clone()]);
        assert!(set.may_go('c'));
        assert_eq!(set.of('d'), [Reason::Child { of: digest('e') }, listed]);
        assert!(!set.may_go('d'));
    }

    #[test]
    fn only_a_digest_makes_a_fallback_tag() {
        let hex = "a".repeat(64);
        for (text, expected) in [
            (format!("sha256-{hex}"), true),
            (format!("sha512-{hex}"), true),
            (format!("sha256-{hex}.sig"), false),
            (format!("sha1-{hex}"), false),
            (format!("sha256-{}", "A".repeat(64)), false),
            ("latest".to_owned(), false),
        ] {
            assert_eq!(is_fallback(&tag(&text)), expected, "{text}");
        }
    }
}
