use crate::error::{Kind, shown};
use crate::header::Header;
use crate::{ArchiveError, Limits, MemberPath};

/// A plain header's path field takes this much without a prefix; some writers already reach for
/// an extension at its last byte.
const PLAIN_PATH_BYTES: usize = 100;

/// What one extension header says about the member that follows it.
#[derive(Debug, Default)]
pub(crate) struct Extension {
    path: Option<Vec<u8>>,
    size: Option<u64>,
}

impl Extension {
    /// Reads PAX records: `LENGTH KEY=VALUE\n`, the length counting the whole record.
    pub(crate) fn pax(records: &[u8]) -> Result<Self, ArchiveError> {
        let mut this = Self::default();
        let mut rest = records;
        while !rest.is_empty() {
            let (key, value, after) =
                record(rest).ok_or(ArchiveError::Corrupt("a PAX record is malformed"))?;
            rest = after;
            let twice = match key {
                b"path" => this.path.replace(value.to_vec()).is_some(),
                b"size" => {
                    let size = decimal(value)
                        .ok_or(ArchiveError::Corrupt("a PAX size is not a number"))?;
                    this.size.replace(size).is_some()
                }
                _ if key.starts_with(b"GNU.sparse.") => {
                    return Err(ArchiveError::Forbidden {
                        kind: Kind::Sparse,
                        path: shown(this.path.as_deref().unwrap_or_default()),
                    });
                }
                _ => false,
            };
            if twice {
                return Err(ArchiveError::Corrupt("a PAX record is given twice"));
            }
        }
        Ok(this)
    }

    /// Reads PAX records that hold for all members. Comments and times are fine (git writes its
    /// commit there); a path or a size for everybody makes no sense that readers agree on.
    pub(crate) fn global_pax(records: &[u8]) -> Result<(), ArchiveError> {
        let this = Self::pax(records)?;
        let field = match (&this.path, this.size) {
            (None, None) => return Ok(()),
            (Some(_), _) => "path",
            (None, Some(_)) => "size",
        };
        Err(ArchiveError::HeaderMismatch {
            path: shown(this.path.as_deref().unwrap_or_default()),
            field,
        })
    }

    /// Reads GNU's long path, which ends with a NUL.
    pub(crate) fn long_path(bytes: &[u8]) -> Self {
        Self {
            path: Some(bytes.strip_suffix(&[0]).unwrap_or(bytes).to_vec()),
            size: None,
        }
    }

    /// The member's path, if both headers can mean the same file.
    pub(crate) fn apply(
        self,
        header: &Header,
        limits: &Limits,
    ) -> Result<MemberPath, ArchiveError> {
        let extended = self.path.as_deref().unwrap_or(&header.path);
        let mismatch = |field| ArchiveError::HeaderMismatch {
            path: shown(extended),
            field,
        };
        if self.size.is_some_and(|size| size != header.size) {
            return Err(mismatch("size"));
        }
        let path = MemberPath::new(without_slash(extended, header), limits)?;
        if !can_stand_for(&header.path, extended) {
            return Err(mismatch("path"));
        }
        Ok(path)
    }
}

/// Folders are written with a slash at the end.
fn without_slash<'a>(path: &'a [u8], header: &Header) -> &'a [u8] {
    match header.entry {
        crate::header::Entry::Folder => path.strip_suffix(b"/").unwrap_or(path),
        _ => path,
    }
}

/// Whether a writer that wanted to say `full` may have left `plain` in the plain header.
///
/// What fits there must be there. For the rest writers differ: GNU tar, Python, Go and node-tar cut
/// the end off, Go drops what is not ASCII and Python puts `?`, libarchive drops the middle,
/// tar-stream writes `PaxHeader`.
fn can_stand_for(plain: &[u8], full: &[u8]) -> bool {
    let trimmed = |path: &[u8]| path.strip_suffix(b"/").unwrap_or(path).to_vec();
    if trimmed(plain) == trimmed(full) {
        return true;
    }
    if full.len() < PLAIN_PATH_BYTES && full.is_ascii() {
        return false;
    }
    if plain == b"PaxHeader" {
        return true;
    }
    let mut letters = full.iter();
    plain
        .iter()
        .filter(|letter| **letter != b'?')
        .all(|letter| letters.any(|other| other == letter))
}

fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |sum, digit| match digit {
        b'0'..=b'9' => sum.checked_mul(10)?.checked_add(u64::from(digit - b'0')),
        _ => None,
    })
}

/// Key, value and what follows the first record.
fn record(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let blank = bytes.iter().position(|byte| *byte == b' ')?;
    let len = usize::try_from(decimal(bytes.get(..blank)?)?).ok()?;
    let (whole, after) = bytes.split_at_checked(len)?;
    let text = whole.get(blank + 1..)?.strip_suffix(b"\n")?;
    let sign = text.iter().position(|byte| *byte == b'=')?;
    Some((text.get(..sign)?, text.get(sign + 1..)?, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_by_their_length() {
        let records = b"20 comment=a\nb=c=d!\n12 path=abc\n";
        let extension = Extension::pax(records).unwrap();
        assert_eq!(extension.path.as_deref(), Some(&b"abc"[..]));
        for bad in [
            &b"x"[..],
            b"6 a=b",
            b"6 a=b\n9 c",
            b"4 a=b\n",
            b"99 a=b\n",
            b"0 a=b\n",
            b"6 abc\n",
            b" a=b\n",
            b"12 path=abc\n12 path=abd\n",
            b"10 size=x\n",
            b"9 size=\n",
            b"99999999999999999999999 a=b\n",
        ] {
            let refused = Extension::pax(bad);
            assert!(
                matches!(refused, Err(ArchiveError::Corrupt(_))),
                "{}",
                bad.escape_ascii()
            );
        }
    }

    #[test]
    fn every_writers_stand_in_for_a_long_path_is_accepted() {
        let long = [b"package/", [b'x'; 120].as_slice(), b"/index.js"].concat();
        let accented = "package/é.js".as_bytes();
        let cut = &long[..100];
        let middle_gone = b"package/xxxxxxxx/index.js";
        for plain in [&long[..], cut, middle_gone, b"PaxHeader"] {
            assert!(can_stand_for(plain, &long), "{}", plain.escape_ascii());
        }
        for plain in [&b"package/.js"[..], b"package/?.js", accented, b"PaxHeader"] {
            assert!(can_stand_for(plain, accented), "{}", plain.escape_ascii());
        }
    }

    #[test]
    fn a_plain_path_of_another_file_is_not() {
        let long = [b"package/", [b'x'; 120].as_slice()].concat();
        assert!(!can_stand_for(b"package/package.json", &long));
        assert!(!can_stand_for(b"package/a", b"package/b"));
        assert!(!can_stand_for(b"PaxHeader", b"package/b"));
        assert!(!can_stand_for(b"package", b"package/b"));
    }
}
