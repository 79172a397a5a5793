//! Where a version comes from, as its builder attests it (`spec/npm.md` 17.2, 17.3).
//!
//! A publish may bring a sigstore bundle. What it says is compared with the tarball that came
//! with it; whether it is signed by whom it names is for clients to verify. It is kept as it
//! came, as a file of the version.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::{StatusCode, header};
use packhouse_core::Fault;
use packhouse_core::cx::ReadCx;
use packhouse_core::fault::Thing;
use packhouse_names::{FileName, Sha512};
use packhouse_wire::Reply;
use serde::Deserialize;

use crate::body::parse_object;
use crate::documents::tarball_name;
use crate::name::unscoped;
use crate::package_json::json_string;
use crate::reads::revalidated;
use crate::submission::Entries;
use crate::version::NpmVersion;

/// What the names of bundles end in, among a document's attachments and a version's files.
pub(crate) const SUFFIX: &str = ".sigstore";

pub(crate) const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle+json";

/// The largest bundle, in bytes.
pub(crate) const MAX_BUNDLE_BYTES: usize = 1 << 20;

/// The longest predicate type, in bytes; every document repeats it.
const MAX_TYPE_BYTES: usize = 1024;

/// Padding may be missing.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A bundle that is about the tarball it came with.
#[derive(Debug)]
pub(crate) struct Bundle {
    /// As it came.
    pub(crate) text: String,
    pub(crate) predicate_type: String,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct Sigstore {
    #[serde(rename = "dsseEnvelope")]
    envelope: Option<Envelope>,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct Envelope {
    payload: String,
}

/// A statement of in-toto.
#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct Statement {
    #[serde(default)]
    subject: Vec<Subject>,
    #[serde(rename = "predicateType")]
    predicate_type: String,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct Subject {
    name: String,
    digest: Entries<String>,
}

impl Bundle {
    /// Takes a bundle that says where this very tarball comes from.
    ///
    /// # Errors
    /// [`Fault::Invalid`] for one that is too large, of another form, or about something else.
    pub(crate) fn check(
        text: &str,
        package: &str,
        version: &str,
        sha512: &Sha512,
    ) -> Result<Self, Fault> {
        if text.len() > MAX_BUNDLE_BYTES {
            return Err(invalid("the provenance bundle is larger than 1 MiB"));
        }
        let statement = statement(text.as_bytes())?;
        let [subject] = &*statement.subject else {
            return Err(invalid(
                "the provenance statement must have exactly one subject",
            ));
        };
        let expected = purl(package, version);
        if subject.name != expected {
            let found = json_string(&subject.name);
            return Err(invalid(format!(
                "the provenance is of {found}, not of {expected}"
            )));
        }
        let mut digests = subject.digest.iter();
        let is_same = digests.any(|(algorithm, digest)| {
            algorithm == "sha512" && digest.eq_ignore_ascii_case(&sha512.to_string())
        });
        if !is_same {
            let file = tarball_name(package, version);
            return Err(invalid(format!(
                "EINTEGRITY: the provenance is of another tarball than {file}"
            )));
        }
        if statement.predicate_type.len() > MAX_TYPE_BYTES {
            return Err(invalid("the predicate type of the provenance is too long"));
        }
        Ok(Self {
            text: text.to_owned(),
            predicate_type: statement.predicate_type,
        })
    }
}

/// What a bundle attests.
fn statement(bundle: &[u8]) -> Result<Statement, Fault> {
    let bundle: Sigstore = parse_object("the provenance bundle", bundle)?;
    let envelope = bundle
        .envelope
        .ok_or_else(|| invalid("the provenance bundle holds no dsseEnvelope"))?;
    let payload = BASE64
        .decode(envelope.payload)
        .map_err(|_position| invalid("the payload of the provenance bundle is not base64"))?;
    parse_object("the provenance statement", &payload)
}

fn invalid(reason: impl Into<String>) -> Fault {
    Fault::invalid("attachments", reason)
}

/// A version as package URLs write it; npm escapes the sign of the scope and nothing else.
fn purl(package: &str, version: &str) -> String {
    match package.strip_prefix('@') {
        Some(rest) => format!("pkg:npm/%40{rest}@{version}"),
        None => format!("pkg:npm/{package}@{version}"),
    }
}

/// The file of a version that holds its bundle.
pub(crate) fn file_name(package: &str, version: &str) -> Result<FileName, Fault> {
    Ok(FileName::new(format!(
        "{}-{version}{SUFFIX}",
        unscoped(package)
    ))?)
}

/// `GET /-/npm/v1/attestations/{package}@{version}`
pub(crate) async fn show(cx: &ReadCx, version: &str) -> Result<Reply, Fault> {
    let package = cx
        .need()
        .package()
        .ok_or_else(|| Fault::internal("attestations without a package"))?;
    let absent = || Fault::not_found(Thing::File, version);
    let version = NpmVersion::clean(version).ok_or_else(absent)?;
    let file = cx
        .file(&file_name(package.name.as_str(), version.as_str())?)
        .await?;
    let limit = u64::try_from(MAX_BUNDLE_BYTES).unwrap_or(u64::MAX);
    let bundle = cx.read_file(&file, limit).await?;
    let answer = cx.compute(move || answer(&bundle)).await?;
    // what is around the bundle follows from it
    let tag = file.tag.clone();
    Ok(revalidated(cx, Reply::json(StatusCode::OK, answer)).with(header::ETAG, tag))
}

/// The bundle in what clients expect around it, byte for byte.
fn answer(bundle: &[u8]) -> Result<Vec<u8>, Fault> {
    let kind = statement(bundle).map_err(Fault::internal)?.predicate_type;
    let kind = json_string(&kind);
    let mut answer =
        format!(r#"{{"attestations":[{{"predicateType":{kind},"bundle":"#).into_bytes();
    answer.extend_from_slice(bundle);
    answer.extend_from_slice(b"}]}");
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use packhouse_testkit::npm::{bundle_of, provenance};
    use serde_json::{Value, json};

    const NAME: &str = "@acme/widget";

    fn digest() -> Sha512 {
        Sha512::new([0xab; 64])
    }

    fn checked(text: &str) -> Result<Bundle, Fault> {
        Bundle::check(text, NAME, "1.1.0", &digest())
    }

    fn good_statement() -> Value {
        json!({
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{
                "name": "pkg:npm/%40acme/widget@1.1.0",
                "digest": {"sha512": "AB".repeat(64)},
            }],
            "predicateType": "https://slsa.dev/provenance/v0.2",
        })
    }

    fn refusal(change: impl FnOnce(&mut Value)) -> String {
        let mut statement = good_statement();
        change(&mut statement);
        checked(&bundle_of(&statement)).unwrap_err().to_string()
    }

    #[test]
    fn a_bundle_about_its_tarball_is_taken_as_it_is() {
        let text = bundle_of(&good_statement());
        let bundle = checked(&text).unwrap();
        assert_eq!(bundle.text, text);
        assert_eq!(bundle.predicate_type, "https://slsa.dev/provenance/v0.2");
        let text = text.replace('=', "");
        assert!(checked(&text).is_ok(), "padding may be missing");
        let of_unscoped = provenance("widget", "1.1.0", b"x");
        let sum = <sha2::Sha512 as sha2::Digest>::digest(b"x");
        let sum = Sha512::new(sum.into());
        assert!(Bundle::check(&of_unscoped, "widget", "1.1.0", &sum).is_ok());
    }

    #[test]
    fn a_bundle_about_something_else_is_refused_in_words() {
        let one_subject =
            "invalid attachments: the provenance statement must have exactly one subject";
        assert_eq!(refusal(|s| s["subject"] = json!([])), one_subject);
        assert_eq!(
            refusal(|s| {
                let again = s["subject"][0].clone();
                s["subject"].as_array_mut().unwrap().push(again);
            }),
            one_subject
        );
        for name in [
            "pkg:npm/@acme/widget@1.1.0",
            "pkg:npm/%40acme%2Fwidget@1.1.0",
            "pkg:npm/%40acme/widget@1.1.1",
            "pkg:npm/widget@1.1.0",
        ] {
            assert_eq!(
                refusal(|s| s["subject"][0]["name"] = json!(name)),
                format!(
                    "invalid attachments: the provenance is of \"{name}\", not of pkg:npm/%40acme/widget@1.1.0"
                )
            );
        }
        for digest in [
            json!({"sha512": "ac".repeat(64)}),
            json!({"sha256": "ab".repeat(64)}),
            json!({}),
        ] {
            assert_eq!(
                refusal(|s| s["subject"][0]["digest"] = digest),
                "invalid attachments: EINTEGRITY: the provenance is of another tarball than widget-1.1.0.tgz"
            );
        }
        assert_eq!(
            refusal(|s| s["predicateType"] = json!("t".repeat(1025))),
            "invalid attachments: the predicate type of the provenance is too long"
        );
    }

    #[test]
    fn a_bundle_of_another_form_is_refused_in_words() {
        let envelope = |payload: &str| json!({"dsseEnvelope": {"payload": payload}}).to_string();
        let large = format!("{}{}", bundle_of(&good_statement()), " ".repeat(1 << 20));
        for (text, expected) in [
            (
                "{".to_owned(),
                "invalid body: malformed JSON in the provenance bundle: EOF while parsing an object",
            ),
            (
                "7".to_owned(),
                "invalid body: the provenance bundle must be a JSON object",
            ),
            (
                "{}".to_owned(),
                "invalid attachments: the provenance bundle holds no dsseEnvelope",
            ),
            (
                envelope("!!!"),
                "invalid attachments: the payload of the provenance bundle is not base64",
            ),
            (
                envelope("e30="),
                "invalid body: malformed JSON in the provenance statement: missing field `predicateType`",
            ),
            (
                large,
                "invalid attachments: the provenance bundle is larger than 1 MiB",
            ),
        ] {
            assert_eq!(checked(&text).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn the_answer_holds_the_bundle_byte_for_byte() {
        let text = format!(" {}\n", bundle_of(&good_statement()));
        let answer = String::from_utf8(answer(text.as_bytes()).unwrap()).unwrap();
        assert_eq!(
            answer,
            format!(
                r#"{{"attestations":[{{"predicateType":"https://slsa.dev/provenance/v0.2","bundle":{text}}}]}}"#
            )
        );
    }
}
