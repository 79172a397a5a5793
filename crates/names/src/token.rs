use std::fmt;

use crate::words;
use serde::{Deserialize, Serialize};

/// What a token was made for; it shows in the prefix, so that a scanner and a person can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum TokenKind {
    /// A person's token with classic scopes.
    Classic,
    /// A machine's token, bound to one repository.
    Workflow,
}

words!(TokenKind, "a token kind", { Classic => "classic", Workflow => "workflow" });

impl TokenKind {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Classic => "phk_",
            Self::Workflow => "phw_",
        }
    }
}

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const PREFIX_CHARS: usize = 4;
const CHECKSUM_CHARS: usize = 6;

/// A secret access token: a prefix that names its kind, 40 random letters and digits (about 238
/// bits) and a checksum of six, so that typos and noise die without a question to the database.
///
/// It cannot be printed: only [`TokenText::expose`] shows it, once, to its owner.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenText(Box<str>);

impl TokenText {
    /// Random characters in a token.
    pub const RANDOM_CHARS: usize = 40;
    const CHARS: usize = PREFIX_CHARS + Self::RANDOM_CHARS + CHECKSUM_CHARS;

    /// Builds a token from randomness: `draw` gives uniform numbers below its argument.
    pub fn mint(kind: TokenKind, mut draw: impl FnMut(u32) -> u32) -> Self {
        let mut text = String::with_capacity(Self::CHARS);
        text.push_str(kind.prefix());
        for _ in 0..Self::RANDOM_CHARS {
            text.push(digit(draw(62)));
        }
        let checksum = checksum(&text);
        text.push_str(&checksum);
        Self(text.into())
    }

    /// Recognises a token by form and checksum; anything else is `None`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != Self::CHARS || !text.is_ascii() {
            return None;
        }
        let (body, tail) = text.split_at(Self::CHARS - CHECKSUM_CHARS);
        let known = [TokenKind::Classic, TokenKind::Workflow]
            .iter()
            .any(|kind| body.starts_with(kind.prefix()));
        (known && checksum(body) == tail).then(|| Self(text.into()))
    }

    /// The secret itself: for hashing, and for showing it to its owner once.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The first eight characters: enough for a person to recognise the token in a list.
    #[must_use]
    pub fn shown_prefix(&self) -> &str {
        self.0.get(..8).unwrap_or_default()
    }
}

fn digit(value: u32) -> char {
    let index = usize::try_from(value % 62).unwrap_or_default();
    ALPHABET.get(index).copied().map_or('0', char::from)
}

fn checksum(text: &str) -> String {
    let mut rest = crc32fast::hash(text.as_bytes());
    let mut digits = ['0'; CHECKSUM_CHARS];
    for place in digits.iter_mut().rev() {
        *place = digit(rest % 62);
        rest /= 62;
    }
    digits.iter().collect()
}

impl fmt::Debug for TokenText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenText({}…)", self.shown_prefix())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample(seed: u32) -> TokenText {
        let mut state = seed;
        TokenText::mint(TokenKind::Classic, |below| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) % below
        })
    }

    proptest! {
        #[test]
        fn a_minted_token_is_recognised_and_a_changed_one_is_not(seed: u32, at in 0usize..50) {
            let token = sample(seed);
            prop_assert_eq!(TokenText::parse(token.expose()), Some(token.clone()));
            let mut bytes = token.expose().as_bytes().to_vec();
            bytes[at] = if bytes[at] == b'x' { b'y' } else { b'x' };
            prop_assert_eq!(TokenText::parse(std::str::from_utf8(&bytes).unwrap()), None);
        }
    }

    #[test]
    fn a_token_never_prints_its_secret() {
        let token = sample(7);
        let shown = format!("{token:?}");
        let secret = token.expose().trim_start_matches(token.shown_prefix());
        assert!(!shown.contains(secret), "{shown}");
    }
}
