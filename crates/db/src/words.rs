//! Closed vocabularies that only the tables know.

/// A column held another word than the schema allows.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a word of this column")]
pub struct StrangeWord(String);

macro_rules! words {
    ($(#[$doc:meta])* $type:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $type { $($(#[$variant_doc])* $variant),+ }

        impl $type {
            /// The word as the column holds it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl TryFrom<String> for $type {
            type Error = StrangeWord;
            fn try_from(text: String) -> Result<Self, StrangeWord> {
                match text.as_str() {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(StrangeWord(text)),
                }
            }
        }
    };
}

words!(
    /// What an account is.
    AccountKind { User = "user", Organization = "organization" }
);

words!(
    /// How a version stands with its publisher. Deleting is not a standing: a deleted version
    /// keeps the one it had.
    Standing {
        /// Offered to everybody who may read.
        Live = "live",
        /// Still offered, with a warning (npm).
        Deprecated = "deprecated",
        /// Left out of lists, still downloadable (NuGet).
        Unlisted = "unlisted",
        /// Left out of the index, still downloadable by exact version (RubyGems).
        Yanked = "yanked",
    }
);

words!(
    /// Whether a blob may be referred to.
    BlobState {
        /// Its bytes are durable under its storage key.
        Live = "live",
        /// Chosen by the collector; a new upload revives the row under a new key.
        Condemned = "condemned",
    }
);

words!(
    /// What a manifest names something as.
    ReferenceKind { Config = "config", Layer = "layer", Child = "child", Subject = "subject" }
);
