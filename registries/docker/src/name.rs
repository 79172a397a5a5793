//! Names of repositories and tags (`spec/oci.md` 2.1), and the packages that they name.

use packhouse_core::Fault;
use packhouse_core::model::{Namespace, PackageRef};
use packhouse_names::{Digest, Login, NormalizedName, PackageName, RepoName, TagName};

use crate::Tenancy;

/// Clients cap host and name together at this many characters.
const MAX_BYTES: usize = 255;

/// The package that a repository's name means, as `OWNER/IMAGE…` or `OWNER/REPOSITORY/IMAGE`.
pub(crate) fn package(text: &str, tenancy: Tenancy) -> Result<PackageRef, Fault> {
    let (owner, rest) = text
        .split_once('/')
        .ok_or_else(|| invalid(text, "names an owner and an image: OWNER/IMAGE"))?;
    if text.len() > MAX_BYTES {
        return Err(Fault::invalid("name", "the name is longer than 255 bytes"));
    }
    if !is_part(owner) {
        return Err(invalid(text, BAD_PART));
    }
    let (name, key) = image(rest, tenancy)?;
    let repository = match tenancy {
        Tenancy::Container => None,
        Tenancy::RepositoryScoped => {
            let (repository, _) = rest.split_once('/').unwrap_or((rest, ""));
            Some(RepoName::new(repository)?)
        }
    };
    Ok(PackageRef {
        ecosystem: tenancy.ecosystem(),
        namespace: Namespace {
            owner: Login::new(owner)?,
            repository,
        },
        name,
        key,
    })
}

/// The name below an owner.
pub(crate) fn image(text: &str, tenancy: Tenancy) -> Result<(PackageName, NormalizedName), Fault> {
    if !text.split('/').all(is_part) {
        return Err(invalid(text, BAD_PART));
    }
    if tenancy == Tenancy::RepositoryScoped && text.matches('/').count() != 1 {
        return Err(invalid(
            text,
            "names an owner, a repository and an image: OWNER/REPOSITORY/IMAGE",
        ));
    }
    Ok((PackageName::new(text)?, NormalizedName::new(text)?))
}

/// As clients write it.
pub(crate) fn full(package: &PackageRef) -> String {
    format!("{}/{}", package.namespace.owner, package.name)
}

const BAD_PART: &str =
    "has parts of lower-case letters and digits, separated by one `.`, one or two `_`, or `-`";

fn invalid(text: &str, rule: &str) -> Fault {
    Fault::invalid("name", format!("the repository name `{text}` {rule}"))
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_part(text: &str) -> bool {
    let is_word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = text.as_bytes();
    let ends_well = |at: Option<&u8>| at.is_some_and(|b| is_word(*b));
    if !ends_well(bytes.first()) || !ends_well(bytes.last()) {
        return false;
    }
    text.split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        .filter(|separator| !separator.is_empty())
        .all(|separator| {
            matches!(separator, "." | "_" | "__") || separator.bytes().all(|b| b == b'-')
        })
}

/// What a manifest is asked for by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reference {
    Digest(Digest),
    Tag(TagName),
}

impl Reference {
    /// What holds a colon is a digest, all else is a tag.
    pub(crate) fn parse(text: &str) -> Result<Self, Fault> {
        if text.contains(':') {
            digest(text).map(Self::Digest)
        } else {
            tag(text).map(Self::Tag)
        }
    }
}

pub(crate) fn digest(text: &str) -> Result<Digest, Fault> {
    text.parse()
        .map_err(|error| Fault::invalid("digest", format!("`{text}` is no digest: {error}")))
}

/// `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`
pub(crate) fn tag(text: &str) -> Result<TagName, Fault> {
    let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let is_tag = text.len() <= TagName::MAX_BYTES
        && text.bytes().next().is_some_and(is_word)
        && text.bytes().all(|b| is_word(b) || matches!(b, b'.' | b'-'));
    if !is_tag {
        return Err(Fault::invalid("tag", format!("`{text}` is no tag")));
    }
    Ok(TagName::new(text)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_grammar() {
        for good in [
            "acme/app",
            "acme/a.b_c__d-e---f/x",
            "a/b/c/d/e",
            "acme/blobs/uploads",
            "0/0",
        ] {
            let found = package(good, Tenancy::Container).unwrap();
            assert_eq!(full(&found), good);
        }
        for bad in [
            "",
            "acme",
            "acme/",
            "/app",
            "Acme/app",
            "acme/App",
            "acme//app",
            "acme/a..b",
            "acme/a___b",
            "acme/a._b",
            "acme/-a",
            "acme/a-",
            "acme/a b",
            "acme/é",
            "v2/app",
            "_x/app",
        ] {
            assert!(package(bad, Tenancy::Container).is_err(), "{bad}");
        }
        let of_length = |length: usize| format!("acme/{}", "a".repeat(length - 5));
        assert!(package(&of_length(256), Tenancy::Container).is_err());
        assert!(package(&of_length(255), Tenancy::Container).is_ok());
    }

    #[test]
    fn a_repository_scoped_name_has_three_parts() {
        let found = package("acme/tools/cli", Tenancy::RepositoryScoped).unwrap();
        assert_eq!(
            found.namespace.repository,
            Some(RepoName::new("tools").unwrap())
        );
        assert_eq!(found.key.as_str(), "tools/cli");
        for bad in ["acme/cli", "acme/tools/a/b"] {
            assert!(package(bad, Tenancy::RepositoryScoped).is_err(), "{bad}");
        }
    }

    #[test]
    fn references_are_digests_or_tags() {
        let digest = format!("sha256:{}", "a".repeat(64));
        assert!(matches!(
            Reference::parse(&digest),
            Ok(Reference::Digest(_))
        ));
        assert!(matches!(
            Reference::parse("v1.0_x-Y"),
            Ok(Reference::Tag(_))
        ));
        for bad in [
            "",
            ".x",
            "-x",
            "a b",
            "sha256:totallywrong",
            "md5:00",
            &"a".repeat(129),
        ] {
            assert!(Reference::parse(bad).is_err(), "{bad}");
        }
    }
}
