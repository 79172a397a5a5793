//! What is inside a tarball (`spec/npm.md` 21.3, 22). The bytes are read, never changed.

use std::io::Read;

use packhouse_archive::{Limits, Member, TarGz};
use packhouse_core::Fault;

use crate::package_json::{self, Manifest};

/// The largest `package.json`, in bytes.
const MAX_MANIFEST_BYTES: u64 = 4 << 20;

/// How much of a README is kept, in bytes.
pub(crate) const MAX_README_BYTES: usize = 1 << 20;

/// What a tarball says of itself.
#[derive(Debug)]
pub(crate) struct Contents {
    /// As it stands in the archive.
    pub(crate) manifest: Manifest,
    /// Regular files.
    pub(crate) file_count: u64,
    /// Their sizes together, in bytes.
    pub(crate) unpacked_size: u64,
    /// npm installs by a lock file of the package's own.
    pub(crate) has_shrinkwrap: bool,
    /// npm builds what has a `*.gyp` at its root.
    pub(crate) has_gyp: bool,
    pub(crate) readme: Option<Readme>,
}

/// A README and the name of its file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Readme {
    pub(crate) file: String,
    pub(crate) text: String,
}

/// Looks inside.
///
/// # Errors
/// [`Fault::Invalid`] for an archive that installers could understand in different ways, or
/// without exactly one readable `package.json`.
pub(crate) fn inspect(archive: impl Read, limits: &Limits) -> Result<Contents, Fault> {
    let mut archive = TarGz::new(archive, limits);
    let mut manifest = None;
    let mut best_readme: Option<(ReadmeRank, Readme)> = None;
    let (mut file_count, mut unpacked_size) = (0, 0_u64);
    let (mut has_shrinkwrap, mut has_gyp) = (false, false);
    while let Some(mut member) = archive.next_member()? {
        file_count += 1;
        unpacked_size = unpacked_size.saturating_add(member.size());
        let Some(path) = member.path().below_first().map(str::to_owned) else {
            let path = member.path().as_str().escape_debug();
            return Err(invalid(format!("`{path}` lies in no folder")));
        };
        if path == "package.json" {
            if manifest.is_some() {
                return Err(invalid("there is more than one package.json"));
            }
            let bytes = member.read_at_most(MAX_MANIFEST_BYTES)?;
            manifest = Some(package_json::from_tarball(&bytes)?);
        } else if path == "npm-shrinkwrap.json" {
            has_shrinkwrap = true;
        } else if path.ends_with(".gyp") && !path.contains('/') {
            has_gyp = true;
        } else if let Some(rank) = ReadmeRank::of(&path)
            && best_readme.as_ref().is_none_or(|(best, _)| rank > *best)
        {
            let text = beginning(&mut member)?;
            best_readme = Some((rank, Readme { file: path, text }));
        }
    }
    Ok(Contents {
        manifest: manifest.ok_or_else(|| invalid("there is no package.json"))?,
        file_count,
        unpacked_size,
        has_shrinkwrap,
        has_gyp,
        readme: best_readme.map(|(_, readme)| readme),
    })
}

fn invalid(why: impl AsRef<str>) -> Fault {
    Fault::invalid("tarball", format!("invalid tarball: {}", why.as_ref()))
}

/// As much of a text as is kept; what is not UTF-8 in it is replaced.
fn beginning<R: Read>(member: &mut Member<'_, R>) -> Result<String, Fault> {
    let limit = u64::try_from(MAX_README_BYTES).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    member
        .take(limit)
        .read_to_end(&mut bytes)
        .map_err(|error| Fault::from(packhouse_archive::ArchiveError::from(error)))?;
    let mut text = String::from_utf8_lossy(&bytes).into_owned();
    cut(&mut text, MAX_README_BYTES);
    Ok(text)
}

/// Shortens a text to so many bytes, at the end of a character.
pub(crate) fn cut(text: &mut String, max_bytes: usize) {
    let end = (0..=max_bytes.min(text.len()))
        .rev()
        .find(|end| text.is_char_boundary(*end));
    text.truncate(end.unwrap_or_default());
}

/// How much a file at the root is a README; Markdown most of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum ReadmeRank {
    OtherKind,
    Bare,
    Markdown,
}

impl ReadmeRank {
    fn of(path: &str) -> Option<Self> {
        let (name, extension) = match path.split_once('.') {
            Some((name, rest)) => (name, Some(rest)),
            None => (path, None),
        };
        if !name.eq_ignore_ascii_case("readme") || path.contains('/') {
            return None;
        }
        Some(match extension {
            None => Self::Bare,
            Some(extension) if is_markdown(extension) => Self::Markdown,
            Some(_) => Self::OtherKind,
        })
    }
}

/// npm's own pattern, `/\.m?a?r?k?d?o?w?n?$/i`: letters of `markdown` in their order.
fn is_markdown(extension: &str) -> bool {
    let last = extension.rsplit('.').next().unwrap_or(extension);
    let mut letters = "markdown".chars();
    last.chars()
        .all(|c| letters.any(|letter| letter.eq_ignore_ascii_case(&c)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use packhouse_testkit::archives::{self, TarGz as Archive};
    use serde_json::json;

    fn inspected(bytes: &[u8]) -> Result<Contents, Fault> {
        inspect(bytes, &Limits::default())
    }

    fn refusal(bytes: &[u8]) -> String {
        inspected(bytes).unwrap_err().to_string()
    }

    const MANIFEST: &str = r#"{"name":"w","version":"1.0.0"}"#;

    #[test]
    fn an_honest_tarball_is_counted() {
        let extra = json!({"scripts": {"postinstall": "x"}});
        let files: &[(&str, &[u8])] = &[
            ("npm-shrinkwrap.json", b"{}"),
            ("binding.gyp", b"1234"),
            ("lib/other.gyp", b""),
            ("README", b"bare"),
            ("readme.MKD", b"# \xff"),
            ("README.txt", b"text"),
            ("lib/README.md", b"inner"),
        ];
        let contents = inspected(&archives::npm_tarball("w", "1.0.0", &extra, files)).unwrap();
        assert_eq!(contents.file_count, 8);
        let text = format!(
            "{:#}\n",
            json!({"name":"w","version":"1.0.0","scripts":{"postinstall":"x"}})
        );
        let sizes: usize = files.iter().map(|(_, bytes)| bytes.len()).sum();
        assert_eq!(
            contents.unpacked_size,
            u64::try_from(text.len() + sizes).unwrap()
        );
        assert!(contents.has_shrinkwrap && contents.has_gyp);
        assert!(contents.manifest.has_script("postinstall"));
        assert_eq!(
            contents.readme,
            Some(Readme {
                file: "readme.MKD".to_owned(),
                text: "# \u{fffd}".to_owned()
            })
        );
    }

    #[test]
    fn the_outer_folder_may_have_any_name() {
        let contents = inspected(
            &Archive::builder()
                .file("node/package.json", MANIFEST)
                .build(),
        );
        assert_eq!(
            contents.unwrap().manifest.text("name").as_deref(),
            Some("w")
        );
    }

    #[test]
    fn a_long_readme_is_cut() {
        let long = "é".repeat(MAX_README_BYTES);
        let archive = Archive::builder()
            .file("p/package.json", MANIFEST)
            .file("p/README.md", long)
            .build();
        let readme = inspected(&archive).unwrap().readme.unwrap().text;
        assert_eq!(readme.len(), MAX_README_BYTES);
    }

    #[test]
    fn what_installers_could_understand_differently_is_refused() {
        let twice = Archive::builder()
            .file("a/package.json", MANIFEST)
            .file("b/package.json", MANIFEST)
            .build();
        let root = Archive::builder().file("package.json", MANIFEST).build();
        let none = Archive::builder().file("p/index.js", "").build();
        let list = Archive::builder().file("p/package.json", "[]").build();
        for (archive, expected) in [
            (
                twice,
                "invalid tarball: invalid tarball: there is more than one package.json",
            ),
            (
                root,
                "invalid tarball: invalid tarball: `package.json` lies in no folder",
            ),
            (
                none,
                "invalid tarball: invalid tarball: there is no package.json",
            ),
            (
                list,
                "invalid tarball: package.json in the tarball: invalid type: sequence, expected an object at line 1 column 0",
            ),
            (
                b"no".to_vec(),
                "invalid archive: this is not a gzip archive",
            ),
            (
                archives::truncated(60),
                "invalid archive: the archive is truncated",
            ),
            (
                archives::symlink(),
                "invalid archive: `package/link` is a symbolic link, which a package must not hold",
            ),
            (
                archives::traversal(),
                "invalid archive: the path `package/../../etc/passwd` leads upward",
            ),
        ] {
            assert_eq!(refusal(&archive), expected);
        }
    }

    #[test]
    fn limits_hold() {
        let limits = Limits {
            members: 10,
            ..Limits::default()
        };
        assert_eq!(
            inspect(&*archives::many_members(11), &limits)
                .unwrap_err()
                .to_string(),
            "invalid archive: the archive has more than 10 members"
        );
        let limits = Limits {
            unpacked_bytes: 1 << 20,
            ..Limits::default()
        };
        assert!(inspect(&*archives::bomb(8 << 20), &limits).is_err());
    }

    #[test]
    fn readmes_are_known_by_their_names() {
        for (path, rank) in [
            ("README", Some(ReadmeRank::Bare)),
            ("readme.md", Some(ReadmeRank::Markdown)),
            ("Readme.markdown", Some(ReadmeRank::Markdown)),
            ("README.mdwn", Some(ReadmeRank::Markdown)),
            ("README.", Some(ReadmeRank::Markdown)),
            ("README.rst", Some(ReadmeRank::OtherKind)),
            ("README.en.md", Some(ReadmeRank::Markdown)),
            ("README.dm", Some(ReadmeRank::OtherKind)),
            ("README-old.md", None),
            ("docs/README.md", None),
        ] {
            assert_eq!(ReadmeRank::of(path), rank, "{path}");
        }
    }
}
