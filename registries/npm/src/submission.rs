//! The document that clients `PUT`: what is looked at of it, everything else passed over
//! (`spec/npm.md` 9.1, 9.2, 10).

use std::collections::HashSet;
use std::fmt;
use std::marker::PhantomData;

use packhouse_core::Fault;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::attestations;
use crate::body::{malformed, parse_object};

/// A document as it was sent, the data of its tarballs taken out.
#[derive(Debug, Deserialize)]
pub(crate) struct Submission<'a> {
    #[serde(rename = "_id")]
    pub(crate) id: Option<String>,
    pub(crate) name: Option<String>,
    #[serde(rename = "dist-tags")]
    tags: Option<Entries<String>>,
    #[serde(borrow)]
    versions: Option<Entries<&'a RawValue>>,
    #[serde(borrow)]
    pub(crate) readme: Option<&'a RawValue>,
    #[serde(borrow)]
    access: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(crate) users: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(crate) maintainers: Option<&'a RawValue>,
    #[serde(rename = "_attachments")]
    attachments: Option<Entries<Attachment>>,
}

/// A file that came with a document.
#[derive(Debug, Deserialize)]
#[serde(expecting = "an object")]
struct Attachment {
    data: Option<String>,
    /// Of a tarball in bytes; of a bundle in UTF-16 units, and not looked at.
    length: Option<Box<RawValue>>,
}

impl<'a> Submission<'a> {
    /// Reads a document.
    ///
    /// # Errors
    /// [`Fault::Invalid`] for what is not JSON, or not of this form.
    pub(crate) fn parse(text: &'a [u8]) -> Result<Self, Fault> {
        let submission: Self = parse_object("the document", text)?;
        submission.check_attachments()?;
        Ok(submission)
    }

    /// Data that is still here is a provenance bundle, or was hidden from the reader.
    fn check_attachments(&self) -> Result<(), Fault> {
        for (name, attachment) in self.attachments.iter().flat_map(Entries::iter) {
            let data = attachment.data.as_deref().unwrap_or_default();
            if !name.ends_with(attestations::SUFFIX) && !data.is_empty() {
                return Err(Fault::invalid(
                    "attachments",
                    "the data of an attachment cannot be read",
                ));
            }
        }
        Ok(())
    }

    /// Whether the document has versions at all; npm's owner and star documents have none.
    pub(crate) fn has_versions(&self) -> bool {
        self.versions.is_some()
    }

    /// The versions by their keys, in order.
    pub(crate) fn versions(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        let all = self.versions.iter().flat_map(Entries::iter);
        all.map(|(key, value)| (key, *value))
    }

    /// The tags and what they point at, in order.
    pub(crate) fn tags(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.tags.iter().flat_map(Entries::iter);
        all.map(|(tag, to)| (tag, to.as_str()))
    }

    /// The length that the document claims for an attachment, in bytes.
    ///
    /// # Errors
    /// [`Fault::Invalid`] for what is no length.
    pub(crate) fn length_of(&self, attachment: &str) -> Result<Option<u64>, Fault> {
        let mut all = self.attachments.iter().flat_map(Entries::iter);
        let claimed = all
            .find(|(name, _)| *name == attachment)
            .and_then(|(_, attachment)| attachment.length.as_deref());
        claimed
            .map(|length| {
                length.get().parse().map_err(|_no_count| {
                    Fault::invalid(
                        "attachments",
                        "the length of an attachment must be a whole number of bytes",
                    )
                })
            })
            .transpose()
    }

    /// The provenance bundle that came along.
    ///
    /// # Errors
    /// [`Fault::Invalid`] for more than one.
    pub(crate) fn bundle(&self) -> Result<Option<&str>, Fault> {
        let all = self.attachments.iter().flat_map(Entries::iter);
        let mut bundles = all.filter(|(name, _)| name.ends_with(attestations::SUFFIX));
        let bundle = bundles.next();
        if bundles.next().is_some() {
            return Err(Fault::invalid(
                "attachments",
                "a version is published with one provenance bundle at most",
            ));
        }
        Ok(bundle.map(|(_, attachment)| attachment.data.as_deref().unwrap_or_default()))
    }

    /// Whether the publisher asked for a public package.
    pub(crate) fn asks_public(&self) -> bool {
        self.access.and_then(as_text).as_deref() == Some("public")
    }

    /// The names that the document gives its package; each must be the one in the URL.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        [&self.id, &self.name]
            .into_iter()
            .flatten()
            .map(String::as_str)
    }
}

/// A value that is a string.
pub(crate) fn as_text(value: &RawValue) -> Option<String> {
    serde_json::from_str(value.get()).ok()
}

/// The entries of an object in their order. A key that comes twice is an error: two readers
/// could take different ones.
#[derive(Debug)]
pub(crate) struct Entries<V>(Vec<(String, V)>);

impl<V> Entries<V> {
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &V)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Entries<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader<V>(PhantomData<V>);
        impl<'de, V: Deserialize<'de>> Visitor<'de> for Reader<V> {
            type Value = Entries<V>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries: Vec<(String, V)> = Vec::new();
                let mut seen = HashSet::new();
                while let Some((key, value)) = map.next_entry::<String, V>()? {
                    if !seen.insert(key.clone()) {
                        return Err(A::Error::custom("a key comes twice in one object"));
                    }
                    entries.push((key, value));
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(Reader(PhantomData))
    }
}

/// What is looked at of a version that is there already.
#[derive(Debug, Deserialize)]
#[serde(expecting = "an object")]
pub(crate) struct KnownVersion {
    deprecated: Option<Deprecation>,
    dist: Option<Claims>,
}

/// What a document claims of a tarball's bytes.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(expecting = "an object")]
pub(crate) struct Claims {
    pub(crate) integrity: Option<String>,
    pub(crate) shasum: Option<String>,
}

/// npm sends a text; some registries' documents say `true` or `false`.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "deprecated must be a text")]
enum Deprecation {
    Said(String),
    Flag(bool),
}

/// The longest reason for a deprecation, in characters.
const MAX_REASON_CHARS: usize = 1024;

impl KnownVersion {
    /// Reads a version of a document.
    ///
    /// # Errors
    /// [`Fault::Invalid`] when it is not of this form.
    pub(crate) fn parse(value: &RawValue) -> Result<Self, Fault> {
        serde_json::from_str(value.get()).map_err(|error| malformed("a version", &error))
    }

    /// Why the version is deprecated; `None` where it is not.
    ///
    /// # Errors
    /// [`Fault::Invalid`] for more than 1024 characters.
    pub(crate) fn reason(&self) -> Result<Option<String>, Fault> {
        let text = match &self.deprecated {
            Some(Deprecation::Said(text)) => text.as_str(),
            Some(Deprecation::Flag(true)) => "this version is deprecated",
            Some(Deprecation::Flag(false)) | None => "",
        };
        let reason: String = text.chars().filter(|c| !c.is_control()).collect();
        if reason.chars().count() > MAX_REASON_CHARS {
            return Err(Fault::invalid(
                "deprecated",
                "a deprecation message has at most 1024 characters",
            ));
        }
        Ok((!reason.is_empty()).then_some(reason))
    }

    pub(crate) fn claims(&self) -> Claims {
        self.dist.clone().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        Submission::parse(text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn a_document_of_another_form_is_refused() {
        for (text, expected) in [
            (
                "",
                "invalid body: malformed JSON in the document: EOF while parsing a value",
            ),
            ("[]", "invalid body: the document must be a JSON object"),
            (
                r#"{"name":7}"#,
                "invalid body: malformed JSON in the document: invalid type: integer `7`, expected a string",
            ),
            (
                r#"{"versions":[]}"#,
                "invalid body: malformed JSON in the document: invalid type: sequence, expected an object",
            ),
            (
                r#"{"versions":{"1.0.0":{},"1.0.0":{}}}"#,
                "invalid body: malformed JSON in the document: a key comes twice in one object",
            ),
            (
                r#"{"_attachments":{},"_attachments":{}}"#,
                "invalid body: malformed JSON in the document: duplicate field `_attachments`",
            ),
            (
                r#"{"_attachments":{"a.tgz":{"data":"aGk="}}}"#,
                "invalid attachments: the data of an attachment cannot be read",
            ),
        ] {
            assert_eq!(refusal(text), expected, "{text}");
        }
    }

    #[test]
    fn what_clients_leave_out_or_say_otherwise_is_understood() {
        let text = br#"{"access":null,"_attachments":{"w-1.0.0.tgz":{"data":"","length":3},
            "w-1.0.0.sigstore":{"data":"{\"mediaType\":1}","length":9999}},"extra":[1]}"#;
        let submission = Submission::parse(text).unwrap();
        assert!(!submission.asks_public());
        assert_eq!(submission.length_of("w-1.0.0.tgz").unwrap(), Some(3));
        assert_eq!(submission.length_of("other").unwrap(), None);
        assert_eq!(submission.bundle().unwrap(), Some(r#"{"mediaType":1}"#));
        assert!(
            Submission::parse(br#"{"access":"public"}"#)
                .unwrap()
                .asks_public()
        );
    }

    #[test]
    fn a_deprecation_is_a_short_printable_reason() {
        let reason = |json: &str| {
            let raw: Box<RawValue> = serde_json::from_str(json).unwrap();
            KnownVersion::parse(&raw).and_then(|version| version.reason())
        };
        assert_eq!(reason("{}").unwrap(), None);
        assert_eq!(reason(r#"{"deprecated":""}"#).unwrap(), None);
        assert_eq!(reason(r#"{"deprecated":false}"#).unwrap(), None);
        assert_eq!(
            reason(r#"{"deprecated":"use\u0007 x\n"}"#)
                .unwrap()
                .as_deref(),
            Some("use x")
        );
        let long = format!(r#"{{"deprecated":"{}"}}"#, "é".repeat(1024));
        assert!(reason(&long).unwrap().is_some());
        assert!(reason(&long.replace("\"}", "x\"}")).is_err());
        assert!(reason(r#"{"deprecated":[]}"#).is_err());
    }
}
