//! What settings are made of: each value checks itself, from the command line and from the file
//! alike.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use packhouse_db::DbTarget;
use packhouse_wire::BaseUrl;
use tracing_subscriber::EnvFilter;
use url::Url;

/// A value that a setting does not take, in words for the operator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadValue(String);

impl BadValue {
    fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

/// Lets serde read a value by the same check as the command line.
macro_rules! read_as_text {
    ($($type:ident),+) => {$(
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )+};
}

read_as_text!(
    PublicUrl,
    Domain,
    DatabaseUrl,
    BlobLocation,
    LogFormat,
    LogFilter,
    Span
);

/// `--public-url`: the address that clients use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl(BaseUrl);

impl PublicUrl {
    /// The address as documents are rendered with it.
    #[must_use]
    pub fn base(&self) -> &BaseUrl {
        &self.0
    }
}

impl FromStr for PublicUrl {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        BaseUrl::new(text).map_err(|error| BadValue::new(error.to_string()))?;
        // in the form that clients send as Host: lower case, without the scheme's own port
        let url = Url::parse(text).map_err(|error| BadValue::new(error.to_string()))?;
        let base = BaseUrl::new(url.as_str()).map_err(|error| BadValue::new(error.to_string()))?;
        Ok(Self(base))
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// `--domain`: the name below which every ecosystem has a host of its own. Lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Domain(Box<str>);

impl Domain {
    /// The name, lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Domain {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        let is_label = |label: &str| {
            !label.is_empty()
                && label.len() <= 63
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-')
        };
        // 253 bytes is the longest name; the longest label before it is `containers.`
        if text.len() > 242 || !text.split('.').all(is_label) {
            return Err(BadValue::new(
                "a domain is a host name alone, such as pkg.example.com: no scheme, no port",
            ));
        }
        Ok(Self(text.to_ascii_lowercase().into()))
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `--database-url`. Printing masks the password.
#[derive(Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    Sqlite(PathBuf),
    /// As given, password included.
    Postgres(String),
}

impl DatabaseUrl {
    /// The database as the db crate opens it.
    #[must_use]
    pub fn target(&self) -> DbTarget {
        match self {
            Self::Sqlite(path) => DbTarget::Sqlite(path.clone()),
            Self::Postgres(url) => DbTarget::Postgres(url.clone()),
        }
    }
}

impl FromStr for DatabaseUrl {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        if let Some(path) = text.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            if path.is_empty() || path.starts_with(":memory:") {
                return Err(BadValue::new("sqlite: wants the path of a file"));
            }
            return Ok(Self::Sqlite(PathBuf::from(path)));
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            // the text is not repeated in the error: it may hold a password
            Url::parse(text)
                .map_err(|error| BadValue::new(format!("not a PostgreSQL address: {error}")))?;
            return Ok(Self::Postgres(text.to_owned()));
        }
        Err(BadValue::new(
            "a database is sqlite:PATH or postgres://USER:PASSWORD@HOST/NAME",
        ))
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(text) => f.write_str(&masked(text)),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A PostgreSQL address without its password, wherever it stands.
fn masked(text: &str) -> String {
    let Ok(mut url) = Url::parse(text) else {
        return "postgres://***".to_owned();
    };
    if url.password().is_some() && url.set_password(Some("***")).is_err() {
        return "postgres://***".to_owned();
    }
    if url.query().is_some() {
        let pairs: Vec<(String, String)> = url
            .query_pairs()
            .map(|(key, value)| {
                let secret = key.to_ascii_lowercase().contains("password");
                let value = if secret { "***".into() } else { value };
                (key.into_owned(), value.into_owned())
            })
            .collect();
        url.query_pairs_mut().clear().extend_pairs(pairs);
    }
    url.to_string()
}

/// `--blob-store`: where blobs lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobLocation(PathBuf);

impl BlobLocation {
    /// A folder of the local file system.
    #[must_use]
    pub fn folder(path: PathBuf) -> Self {
        Self(path)
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl FromStr for BlobLocation {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        if text.starts_with("s3://") {
            return Err(BadValue::new(
                "this version keeps blobs in local files only: use file:PATH",
            ));
        }
        match text.strip_prefix("file:") {
            Some(path) if !path.is_empty() => {
                Ok(Self(PathBuf::from(path.strip_prefix("//").unwrap_or(path))))
            }
            _ => Err(BadValue::new("a blob store is file:PATH")),
        }
    }
}

impl fmt::Display for BlobLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "file:{}", self.0.display())
    }
}

/// A setting that is on or off; the file may say `true` and `false` as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switch {
    On,
    Off,
}

impl Switch {
    /// Whether it is on.
    #[must_use]
    pub const fn is_on(self) -> bool {
        matches!(self, Self::On)
    }
}

impl FromStr for Switch {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        match text {
            "on" => Ok(Self::On),
            "off" => Ok(Self::Off),
            _ => Err(BadValue::new("on or off is expected")),
        }
    }
}

impl fmt::Display for Switch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_on() { "on" } else { "off" })
    }
}

impl serde::Serialize for Switch {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(if self.is_on() { "on" } else { "off" })
    }
}

impl<'de> serde::Deserialize<'de> for Switch {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl serde::de::Visitor<'_> for Visitor {
            type Value = Switch;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"on\" or \"off\"")
            }

            fn visit_bool<E>(self, on: bool) -> Result<Switch, E> {
                Ok(if on { Switch::On } else { Switch::Off })
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Switch, E> {
                text.parse().map_err(E::custom)
            }
        }

        from.deserialize_any(Visitor)
    }
}

/// A span of time such as 15m, 24h or 30d, or 0 for none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    seconds: u64,
}

impl Span {
    /// So many seconds.
    #[must_use]
    pub const fn seconds(seconds: u64) -> Self {
        Self { seconds }
    }

    /// The span as a duration.
    #[must_use]
    pub const fn duration(self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}

/// From the longest to the shortest.
const UNITS: [(char, u64); 6] = [
    ('y', 365 * 86_400),
    ('w', 7 * 86_400),
    ('d', 86_400),
    ('h', 3600),
    ('m', 60),
    ('s', 1),
];

impl FromStr for Span {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        if text == "0" {
            return Ok(Self::seconds(0));
        }
        // a thousand years is beyond any calendar that a database or a client counts in
        const MAX: u64 = 1000 * 365 * 86_400;
        UNITS
            .iter()
            .find_map(|(unit, seconds)| Some((text.strip_suffix(*unit)?, seconds)))
            .and_then(|(number, seconds)| number.parse::<u64>().ok()?.checked_mul(*seconds))
            .filter(|seconds| *seconds <= MAX)
            .map(Self::seconds)
            .ok_or_else(|| BadValue::new("a span is a number with s, m, h, d, w or y: 30d"))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = UNITS
            .iter()
            .find(|(_, seconds)| self.seconds > 0 && self.seconds.is_multiple_of(*seconds));
        match whole {
            Some((unit, seconds)) => write!(f, "{}{unit}", self.seconds / seconds),
            None => f.write_str("0"),
        }
    }
}

/// `--log-format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl FromStr for LogFormat {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(BadValue::new("text or json is expected")),
        }
    }
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Json => "json",
        })
    }
}

/// `--log-level`: a level, or directives per target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFilter(String);

impl LogFilter {
    /// What matters to an operator.
    #[must_use]
    pub fn info() -> Self {
        Self("info".to_owned())
    }

    /// The directives.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for LogFilter {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        let is_level = |text: &str| {
            ["off", "error", "warn", "info", "debug", "trace"]
                .iter()
                .any(|level| level.eq_ignore_ascii_case(text))
        };
        // a bare word that is no level would be read as a target and silence everything else
        let words_are_levels = text
            .split(',')
            .all(|word| word.contains('=') || is_level(word.trim()));
        if !words_are_levels {
            return Err(BadValue::new(
                "error, warn, info, debug, trace or TARGET=LEVEL is expected",
            ));
        }
        EnvFilter::try_new(text).map_err(|error| BadValue::new(error.to_string()))?;
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for LogFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_printed_wherever_it_stands() {
        for text in [
            "postgres://ann:hunter2@db.example.com/packhouse",
            "postgres://ann@db.example.com/packhouse?password=hunter2&sslmode=require",
            "postgresql://ann:hunter2@db.example.com:5433/packhouse",
        ] {
            let url: DatabaseUrl = text.parse().unwrap();
            for shown in [url.to_string(), format!("{url:?}")] {
                assert!(!shown.contains("hunter2"), "{shown}");
                assert!(shown.contains("db.example.com"), "{shown}");
            }
            assert!(matches!(url.target(), DbTarget::Postgres(kept) if kept == text));
        }
        let error = "postgres://ann:hunter2@[bad/x".parse::<DatabaseUrl>();
        assert!(!error.unwrap_err().to_string().contains("hunter2"));
    }

    #[test]
    fn a_public_url_is_kept_as_clients_name_it() {
        for (text, expected) in [
            ("https://Pkg.Example.com:443/", "https://pkg.example.com"),
            ("http://localhost:8080", "http://localhost:8080"),
            (
                "https://example.com/packages/",
                "https://example.com/packages",
            ),
        ] {
            assert_eq!(text.parse::<PublicUrl>().unwrap().to_string(), expected);
        }
        for text in ["pkg.example.com", "ftp://x", "https://a?b", "https://u@h"] {
            assert!(text.parse::<PublicUrl>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_domain_is_a_host_name_alone() {
        assert_eq!(
            "Pkg.Example.COM".parse::<Domain>().unwrap().as_str(),
            "pkg.example.com"
        );
        assert_eq!("localhost".parse::<Domain>().unwrap().as_str(), "localhost");
        for text in ["", "a..b", "https://a", "a:80", "a/b", "-a.b", "a_b"] {
            assert!(text.parse::<Domain>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_span_is_read_as_it_is_shown() {
        for (text, seconds, shown) in [
            ("0", 0, "0"),
            ("0s", 0, "0"),
            ("90s", 90, "90s"),
            ("15m", 900, "15m"),
            ("24h", 86_400, "1d"),
            ("30d", 30 * 86_400, "30d"),
        ] {
            let span: Span = text.parse().unwrap();
            assert_eq!(span.duration().as_secs(), seconds, "{text}");
            assert_eq!(span.to_string(), shown, "{text}");
        }
        for text in ["", "h", "30", "-1h", "1.5h", "1 h", "5000y", "1µs"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_bucket_is_refused_in_plain_words() {
        let error = "s3://bucket/prefix".parse::<BlobLocation>().unwrap_err();
        assert!(error.to_string().contains("local files only"), "{error}");
        assert_eq!(
            "file:/var/x".parse::<BlobLocation>().unwrap().path(),
            Path::new("/var/x")
        );
        assert_eq!(
            "file:///var/x".parse::<BlobLocation>().unwrap().path(),
            Path::new("/var/x")
        );
        assert!("/var/x".parse::<BlobLocation>().is_err());
    }

    #[test]
    fn a_word_that_is_no_level_is_refused_instead_of_silencing_the_log() {
        assert!("inof".parse::<LogFilter>().is_err());
        assert!("INFO".parse::<LogFilter>().is_ok());
        assert!("info,packhouse=debug".parse::<LogFilter>().is_ok());
        assert!("packhouse=loud".parse::<LogFilter>().is_err());
    }
}
