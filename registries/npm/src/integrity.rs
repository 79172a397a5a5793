//! Whether the bytes that came are the ones that were meant (`spec/npm.md` 9.3).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use packhouse_core::{Digests, Fault};

use crate::submission::Claims;

/// Compares what a document claims of a tarball with what came.
///
/// # Errors
/// [`Fault::Invalid`] in the words that clients look for, `EINTEGRITY: …`.
pub(crate) fn check(
    claims: &Claims,
    length: Option<u64>,
    digests: &Digests,
    file: &str,
) -> Result<(), Fault> {
    if length.is_some_and(|length| length != digests.size) {
        return Err(mismatch("length", file));
    }
    if let Some(shasum) = claims.shasum.as_deref().filter(|text| !text.is_empty()) {
        let matches = digests
            .sha1
            .is_some_and(|sha1| sha1.to_string().eq_ignore_ascii_case(shasum.trim()));
        if !matches {
            return Err(mismatch("shasum", file));
        }
    }
    match claims.integrity.as_deref().filter(|text| !text.is_empty()) {
        Some(set) => check_set(set, digests, file),
        None => Ok(()),
    }
}

/// A set of hashes separated by white space: of each algorithm that we know one must match, and
/// one of them must be known.
fn check_set(set: &str, digests: &Digests, file: &str) -> Result<(), Fault> {
    let hashes: Vec<(&str, Vec<u8>)> = set
        .split_whitespace()
        .filter_map(|hash| {
            let (algorithm, rest) = hash.split_once('-')?;
            let base64 = rest.split('?').next().unwrap_or(rest);
            // what cannot be decoded matches nothing
            Some((algorithm, STANDARD.decode(base64).unwrap_or_default()))
        })
        .collect();
    let known: [(&str, Option<&[u8]>); 3] = [
        (
            "sha512",
            digests.sha512.as_ref().map(|sum| &sum.as_bytes()[..]),
        ),
        ("sha256", Some(&digests.sha256.as_bytes()[..])),
        ("sha1", digests.sha1.as_ref().map(|sum| &sum.as_bytes()[..])),
    ];
    let mut was_checked = false;
    for (algorithm, sum) in known {
        let mut claimed = hashes
            .iter()
            .filter(|(name, _)| *name == algorithm)
            .peekable();
        if claimed.peek().is_none() {
            continue;
        }
        was_checked = true;
        if !claimed.any(|(_, hash)| Some(hash.as_slice()) == sum) {
            return Err(mismatch(algorithm, file));
        }
    }
    if was_checked {
        Ok(())
    } else {
        Err(Fault::invalid(
            "integrity",
            format!("EINTEGRITY: no known algorithm in the integrity of {file}"),
        ))
    }
}

fn mismatch(what: &str, file: &str) -> Fault {
    Fault::invalid(
        "integrity",
        format!("EINTEGRITY: {what} mismatch for {file}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use packhouse_names::{Sha1, Sha256, Sha512};

    fn digests() -> Digests {
        Digests {
            sha256: Sha256::new([2; 32]),
            sha512: Some(Sha512::new([5; 64])),
            sha1: Some(Sha1::new([0xab; 20])),
            md5: None,
            size: 7,
        }
    }

    fn checked(
        integrity: Option<&str>,
        shasum: Option<&str>,
        length: Option<u64>,
    ) -> Option<String> {
        let claims = Claims {
            integrity: integrity.map(str::to_owned),
            shasum: shasum.map(str::to_owned),
        };
        check(&claims, length, &digests(), "widget-1.1.0.tgz")
            .err()
            .map(|fault| fault.to_string())
    }

    #[test]
    fn every_claim_must_hold_and_none_is_needed() {
        let sri = |algorithm: &str, byte: u8, count: usize| {
            format!("{algorithm}-{}", STANDARD.encode(vec![byte; count]))
        };
        let good = sri("sha512", 5, 64);
        let bad = sri("sha512", 6, 64);
        let good256 = sri("sha256", 2, 32);
        let upper = "AB".repeat(20);
        for (integrity, shasum, length) in [
            (None, None, None),
            (Some(good.clone()), Some("ab".repeat(20)), Some(7)),
            (Some(String::new()), Some(String::new()), None),
            (Some(format!("{bad} {good}?opt")), Some(upper), None),
            (Some(format!("{good}\n{good256}")), None, None),
            (Some(format!("{good} sha384-AAAA")), None, None),
        ] {
            assert_eq!(
                checked(integrity.as_deref(), shasum.as_deref(), length),
                None
            );
        }
        for (integrity, shasum, length, what) in [
            (Some(bad.clone()), None, None, "sha512 mismatch for"),
            (
                Some(format!("{good} {}", sri("sha256", 9, 32))),
                None,
                None,
                "sha256 mismatch for",
            ),
            (
                Some(format!("{bad} {good256}")),
                None,
                None,
                "sha512 mismatch for",
            ),
            (
                Some("sha512-!".to_owned()),
                None,
                None,
                "sha512 mismatch for",
            ),
            (Some(sri("sha1", 1, 20)), None, None, "sha1 mismatch for"),
            (
                Some("md5-AAAA".to_owned()),
                None,
                None,
                "no known algorithm in the integrity of",
            ),
            (
                Some("nonsense".to_owned()),
                None,
                None,
                "no known algorithm in the integrity of",
            ),
            (
                Some(good),
                Some("cd".repeat(20)),
                None,
                "shasum mismatch for",
            ),
            (None, Some("ab".to_owned()), None, "shasum mismatch for"),
            (None, None, Some(8), "length mismatch for"),
        ] {
            assert_eq!(
                checked(integrity.as_deref(), shasum.as_deref(), length),
                Some(format!(
                    "invalid integrity: EINTEGRITY: {what} widget-1.1.0.tgz"
                ))
            );
        }
    }
}
