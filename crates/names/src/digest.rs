use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a text or a byte string is not a digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    #[error("a digest of {expected} hex digits was expected")]
    Length { expected: usize },
    #[error("a digest holds hex digits only")]
    Digit,
    #[error("the digest algorithm must be sha256 or sha512")]
    Algorithm,
}

fn nibble(digit: u8) -> Result<u8, DigestError> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        b'A'..=b'F' => Ok(digit - b'A' + 10),
        _ => Err(DigestError::Digit),
    }
}

fn decode<const N: usize>(hex: &str) -> Result<[u8; N], DigestError> {
    let mut out = [0; N];
    if hex.len() != N * 2 {
        return Err(DigestError::Length { expected: N * 2 });
    }
    for (byte, pair) in out.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
        let [high, low] = pair else {
            return Err(DigestError::Digit);
        };
        *byte = (nibble(*high)? << 4) | nibble(*low)?;
    }
    Ok(out)
}

fn write_hex(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

macro_rules! digests {
    ($($(#[$doc:meta])* $name:ident = $bytes:literal),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name([u8; $bytes]);

        impl $name {
            /// Takes the raw bytes.
            #[must_use]
            pub const fn new(bytes: [u8; $bytes]) -> Self {
                Self(bytes)
            }

            /// The raw bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; $bytes] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_hex(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_hex(&self.0, f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = DigestError;
            fn from_str(hex: &str) -> Result<Self, DigestError> {
                decode(hex).map(Self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = DigestError;
            fn try_from(hex: String) -> Result<Self, DigestError> {
                hex.parse()
            }
        }

        impl TryFrom<Vec<u8>> for $name {
            type Error = DigestError;
            fn try_from(bytes: Vec<u8>) -> Result<Self, DigestError> {
                <[u8; $bytes]>::try_from(bytes)
                    .map(Self)
                    .map_err(|_bytes| DigestError::Length { expected: $bytes * 2 })
            }
        }

        impl From<$name> for Vec<u8> {
            fn from(digest: $name) -> Self {
                digest.0.to_vec()
            }
        }

        impl From<$name> for String {
            fn from(digest: $name) -> Self {
                digest.to_string()
            }
        }
    )+};
}

digests!(
    /// A blob's identity: the sha256 of its bytes.
    Sha256 = 32,
    /// npm's `integrity`, NuGet's package hash, containers' second algorithm.
    Sha512 = 64,
    /// npm's `shasum`, Maven's checksum file. Never trusted, only shown.
    Sha1 = 20,
    /// Maven's checksum file. Never trusted, only shown.
    Md5 = 16,
);

/// A digest with its algorithm, as OCI spells it: `sha256:…` or `sha512:…`, lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Digest {
    Sha256(Sha256),
    Sha512(Sha512),
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sha256(digest) => write!(f, "sha256:{digest}"),
            Self::Sha512(digest) => write!(f, "sha512:{digest}"),
        }
    }
}

impl std::str::FromStr for Digest {
    type Err = DigestError;
    fn from_str(text: &str) -> Result<Self, DigestError> {
        let (algorithm, hex) = text.split_once(':').ok_or(DigestError::Algorithm)?;
        if hex.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(DigestError::Digit);
        }
        match algorithm {
            "sha256" => hex.parse().map(Self::Sha256),
            "sha512" => hex.parse().map(Self::Sha512),
            _ => Err(DigestError::Algorithm),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn printing_and_parsing_a_digest_gives_it_back(bytes: [u8; 32]) {
            let digest = Digest::Sha256(Sha256::new(bytes));
            prop_assert_eq!(digest.to_string().parse::<Digest>().unwrap(), digest);
        }
    }

    #[test]
    fn malformed_digests_are_refused() {
        for text in ["", "sha256", "sha256:", "md5:00", "sha256:xyz", "SHA256:00"] {
            assert!(text.parse::<Digest>().is_err(), "{text}");
        }
        let upper = format!("sha256:{}", "A".repeat(64));
        assert!(upper.parse::<Digest>().is_err());
    }
}
