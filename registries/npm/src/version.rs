//! Versions and tags (`spec/npm.md` 21.2).

use std::cmp::Ordering;

use packhouse_core::Fault;
use packhouse_names::{NormalizedVersion, TagName, VersionText};

use crate::name::is_url_friendly;

/// The longest version, as node-semver has it.
const MAX_VERSION_CHARS: usize = 256;

/// The largest number that JavaScript counts to without a gap: 2^53 - 1.
const MAX_COMPONENT: u64 = 9_007_199_254_740_991;

/// A version by the rules of Semantic Versioning 2.0, without build metadata: two versions that
/// differ only there are one version to every client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NpmVersion {
    text: String,
    parsed: semver::Version,
}

impl NpmVersion {
    /// Reads a version the way clients clean one: surrounding white space, a leading `v` or `=`
    /// and build metadata are dropped.
    ///
    /// # Errors
    /// [`Fault::Invalid`] for what is not a version.
    pub(crate) fn parse(text: &str) -> Result<Self, Fault> {
        Self::clean(text).ok_or_else(|| {
            let shown: String = text.chars().take(64).collect();
            let shown = shown.escape_debug();
            Fault::invalid("version", format!("invalid version: \"{shown}\""))
        })
    }

    /// As [`parse`](Self::parse); `None` for what is not a version.
    pub(crate) fn clean(text: &str) -> Option<Self> {
        if text.len() > MAX_VERSION_CHARS {
            return None;
        }
        let text = text.trim().trim_start_matches(['v', '=', ' ']);
        let mut parsed = semver::Version::parse(text).ok()?;
        parsed.build = semver::BuildMetadata::EMPTY;
        if [parsed.major, parsed.minor, parsed.patch]
            .iter()
            .any(|component| *component > MAX_COMPONENT)
        {
            return None;
        }
        let text = parsed.to_string();
        Some(Self { text, parsed })
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) fn is_prerelease(&self) -> bool {
        !self.parsed.pre.is_empty()
    }

    /// As documents show it.
    ///
    /// # Errors
    /// Never in practice: every version is a legal text.
    pub(crate) fn to_text(&self) -> Result<VersionText, Fault> {
        Ok(VersionText::new(self.text.as_str())?)
    }

    /// As look-ups compare it.
    ///
    /// # Errors
    /// Never in practice: every version is a legal text.
    pub(crate) fn to_key(&self) -> Result<NormalizedVersion, Fault> {
        Ok(NormalizedVersion::new(self.text.as_str())?)
    }

    /// The order that picks the highest: every release above every prerelease, then precedence.
    fn rank(&self, other: &Self) -> Ordering {
        other
            .is_prerelease()
            .cmp(&self.is_prerelease())
            .then_with(|| self.parsed.cmp_precedence(&other.parsed))
    }
}

impl std::fmt::Display for NpmVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

/// The highest release, or the highest prerelease where there is no release. Versions are read
/// loosely; what is none even so ranks below all others.
pub(crate) fn highest<'a>(versions: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    versions
        .map(|text| (text, loose(text)))
        // of equals the first stays
        .reduce(|best, next| {
            let order = match (&next.1, &best.1) {
                (Some(next), Some(best)) => next.rank(best),
                (next, best) => next.is_some().cmp(&best.is_some()),
            };
            if order == Ordering::Greater {
                next
            } else {
                best
            }
        })
        .map(|(text, _)| text)
}

/// A version as clients read old ones: numbers may begin with zeros, a prerelease needs no
/// hyphen, and missing numbers are zero.
fn loose(text: &str) -> Option<NpmVersion> {
    let text = text.trim().trim_start_matches(['v', '=', ' ']);
    let (text, _build) = text.split_once('+').unwrap_or((text, ""));
    let mut rest = text;
    let mut numbers = [0_u64; 3];
    for (place, number) in numbers.iter_mut().enumerate() {
        if place > 0 {
            match rest.strip_prefix('.') {
                Some(after) => rest = after,
                None => break,
            }
        }
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, after) = rest.split_at_checked(digits)?;
        *number = digits.parse().ok()?;
        rest = after;
    }
    let [major, minor, patch] = numbers;
    let ids: Vec<&str> = match rest.strip_prefix('-').unwrap_or(rest) {
        "" => Vec::new(),
        ids => ids.split('.').map(without_zeros).collect(),
    };
    let mut parsed = semver::Version::new(major, minor, patch);
    parsed.pre = semver::Prerelease::new(&ids.join(".")).ok()?;
    Some(NpmVersion {
        text: parsed.to_string(),
        parsed,
    })
}

/// A number of a prerelease without the zeros before it.
fn without_zeros(id: &str) -> &str {
    if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_digit()) {
        return id;
    }
    match id.trim_start_matches('0') {
        "" => "0",
        number => number,
    }
}

/// A tag: what cannot be taken for a version or a range of versions.
///
/// # Errors
/// [`Fault::Invalid`] with the rule that it breaks.
pub(crate) fn tag(text: &str) -> Result<TagName, Fault> {
    if !is_url_friendly(text) {
        return Err(Fault::invalid(
            "tag",
            "a tag must not be empty nor hold characters that need escaping in a URL",
        ));
    }
    if is_range(text) {
        return Err(Fault::invalid(
            "tag",
            format!("Tag name must not be a valid SemVer range: {text}"),
        ));
    }
    Ok(TagName::new(text)?)
}

/// Whether node-semver would read a tag's characters as a range, loosely. What needs escaping in
/// a URL cannot stand in a tag, so of the operators only `~` is left.
fn is_range(text: &str) -> bool {
    let text = text.strip_prefix('~').unwrap_or(text);
    let text = text.trim_start_matches('v');
    let mut parts = text.splitn(3, '.');
    let (Some(major), minor, patch) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    if !is_number_or_wildcard(major) || !minor.is_none_or(is_number_or_wildcard) {
        return false;
    }
    let Some(patch) = patch else { return true };
    let end = match patch.strip_prefix(['x', 'X', '*']) {
        Some(rest) => rest,
        None => {
            let rest = patch.trim_start_matches(|c: char| c.is_ascii_digit());
            if rest.len() == patch.len() {
                return false;
            }
            rest
        }
    };
    // loosely, a prerelease needs no hyphen
    let prerelease = end.strip_prefix('-').unwrap_or(end);
    end.is_empty()
        || prerelease
            .split('.')
            .all(|id| !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'))
}

fn is_number_or_wildcard(text: &str) -> bool {
    matches!(text, "x" | "X" | "*")
        || (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cleaned(text: &str) -> Option<String> {
        NpmVersion::clean(text).map(|version| version.as_str().to_owned())
    }

    #[test]
    fn a_version_is_cleaned_the_way_clients_clean_it() {
        let long = format!("1.0.0-{}", "a".repeat(251));
        for (text, expected) in [
            ("1.0.0", Some("1.0.0")),
            (" v1.2.3 ", Some("1.2.3")),
            ("=1.2.3", Some("1.2.3")),
            ("= v1.2.3", Some("1.2.3")),
            ("1.2.3-beta.1", Some("1.2.3-beta.1")),
            ("1.2.3+build.7", Some("1.2.3")),
            ("1.2.3-rc.1+build", Some("1.2.3-rc.1")),
            ("9007199254740991.0.0", Some("9007199254740991.0.0")),
            ("9007199254740992.0.0", None),
            ("1.2", None),
            ("01.2.3", None),
            ("1.2.3-01", None),
            ("1.2.3beta", None),
            ("", None),
            ("latest", None),
            ("1.0.0/..", None),
            (&long, None),
        ] {
            assert_eq!(cleaned(text).as_deref(), expected, "{text}");
        }
    }

    /// The example of the specification, from low to high.
    const ASCENDING: &[&str] = &[
        "0.0.1",
        "1.0.0-alpha",
        "1.0.0-alpha.1",
        "1.0.0-alpha.beta",
        "1.0.0-beta",
        "1.0.0-beta.2",
        "1.0.0-beta.11",
        "1.0.0-rc.1",
        "1.0.0",
        "1.0.1",
        "1.2.0",
        "1.10.0",
        "2.0.0",
    ];

    #[test]
    fn versions_are_ordered_by_precedence_and_releases_rank_above_prereleases() {
        for (place, low) in ASCENDING.iter().enumerate() {
            for high in &ASCENDING[place + 1..] {
                let (a, b) = (
                    NpmVersion::clean(low).unwrap(),
                    NpmVersion::clean(high).unwrap(),
                );
                if a.is_prerelease() == b.is_prerelease() {
                    assert_eq!(a.rank(&b), Ordering::Less, "{low} {high}");
                }
            }
        }
        let all = || ASCENDING.iter().copied();
        assert_eq!(highest(all()), Some("2.0.0"));
        assert_eq!(highest(["2.0.0-rc.1", "1.0.0"].into_iter()), Some("1.0.0"));
        assert_eq!(
            highest(["2.0.0-rc.1", "2.0.0-rc.10"].into_iter()),
            Some("2.0.0-rc.10")
        );
        assert_eq!(highest([].into_iter()), None);
    }

    #[test]
    fn versions_that_are_none_are_ranked_as_clients_read_them_and_never_dropped() {
        for (versions, expected) in [
            (&["1.0.0beta", "0.9.9"][..], "0.9.9"),
            (&["1.0.0beta", "1.0.0alpha"], "1.0.0beta"),
            (&["1.0.0-rc.09", "1.0.0-rc.010"], "1.0.0-rc.010"),
            (&["01.2.3", "1.2.2"], "01.2.3"),
            (&["1.2.4", "v1.3"], "v1.3"),
            (&["= v2.0.0", "1.0.0"], "= v2.0.0"),
            (&["not one", "0.0.1-a"], "0.0.1-a"),
            (&["not one", "nor this"], "not one"),
            (&["1.0.0+b", "1.0.0+a"], "1.0.0+b"),
        ] {
            assert_eq!(highest(versions.iter().copied()), Some(expected));
        }
    }

    #[test]
    fn a_tag_is_never_a_version_or_a_range() {
        for text in [
            "next", "beta-1", "latest", "aux", "con", "1.2-beta", "v", "xx", "a.b", "rc.1",
        ] {
            assert!(tag(text).is_ok(), "{text}");
        }
        for text in [
            "",
            "1",
            "v1",
            "1.x",
            "1.X",
            "*",
            "x",
            "v2",
            "~1",
            "1.2.3",
            "1.2.3-beta",
            "1.2.3beta",
            "v1.2.3",
            "1.*",
            "latest||x",
            ">1",
            "^1",
            "a b",
            "a/b",
            "é",
        ] {
            assert!(tag(text).is_err(), "{text}");
        }
        assert!(tag(&"t".repeat(128)).is_ok());
        assert!(tag(&"t".repeat(129)).is_err());
    }

    fn any_version() -> impl Strategy<Value = NpmVersion> {
        "[0-9]{1,2}\\.[0-3]\\.[0-3](-[a-c0-9]{1,2}(\\.[a-c1-9]{1,2})?)?"
            .prop_filter_map("not a version", |text| NpmVersion::clean(&text))
    }

    proptest! {
        #[test]
        fn the_order_is_total_and_transitive(
            a in any_version(), b in any_version(), c in any_version()
        ) {
            prop_assert_eq!(a.rank(&b), b.rank(&a).reverse());
            prop_assert_eq!(a.rank(&b) == Ordering::Equal, a == b);
            if a.rank(&b) != Ordering::Greater && b.rank(&c) != Ordering::Greater {
                prop_assert_ne!(a.rank(&c), Ordering::Greater);
            }
        }

        #[test]
        fn cleaning_twice_changes_nothing(version in any_version()) {
            let text = version.as_str().to_owned();
            prop_assert_eq!(cleaned(&text), Some(text));
        }
    }
}
