use std::fmt;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

/// An instant in UTC, to the microsecond; the database keeps the bare number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Microseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Whole days since 1970-01-01: the bucket that downloads are counted in.
    #[must_use]
    pub const fn day(self) -> i64 {
        self.0.div_euclid(86_400_000_000)
    }

    /// The instant `span` later; far beyond any calendar it stays where it is.
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        Self(
            self.0
                .saturating_add(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)),
        )
    }

    /// The instant `span` earlier.
    #[must_use]
    pub fn before(self, span: Duration) -> Self {
        Self(
            self.0
                .saturating_sub(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)),
        )
    }

    /// The first whole second that is not earlier: what an HTTP date must say to stay an upper
    /// bound (pnpm compares `modified` with second precision).
    #[must_use]
    pub const fn rounded_up_to_second(self) -> Self {
        Self((self.0 + 999_999).div_euclid(1_000_000) * 1_000_000)
    }

    fn utc(self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.0).unwrap_or(DateTime::UNIX_EPOCH)
    }

    /// `2026-02-01T08:00:00.123Z`
    #[must_use]
    pub fn to_rfc3339_millis(self) -> String {
        self.utc().to_rfc3339_opts(SecondsFormat::Millis, true)
    }

    /// `2026-02-01T08:00:00Z`, GitHub's form.
    #[must_use]
    pub fn to_rfc3339_seconds(self) -> String {
        self.utc().to_rfc3339_opts(SecondsFormat::Secs, true)
    }

    /// `Sun, 01 Feb 2026 08:00:00 GMT`, for HTTP headers.
    #[must_use]
    pub fn to_http_date(self) -> String {
        self.utc().format("%a, %d %b %Y %H:%M:%S GMT").to_string()
    }

    /// Reads an HTTP date in its preferred form; others are `None`, as RFC 9110 allows.
    #[must_use]
    pub fn from_http_date(text: &str) -> Option<Self> {
        let naive =
            chrono::NaiveDateTime::parse_from_str(text, "%a, %d %b %Y %H:%M:%S GMT").ok()?;
        Some(Self(naive.and_utc().timestamp_micros()))
    }

    /// Reads an RFC 3339 instant.
    #[must_use]
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        DateTime::parse_from_rfc3339(text)
            .ok()
            .map(|at| Self(at.timestamp_micros()))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_rfc3339_millis())
    }
}

impl From<i64> for Timestamp {
    fn from(micros: i64) -> Self {
        Self(micros)
    }
}

impl From<Timestamp> for i64 {
    fn from(at: Timestamp) -> Self {
        at.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_printed_the_way_each_protocol_wants_it() {
        let at = Timestamp::from_rfc3339("2026-02-01T08:00:00.123456Z").unwrap();
        assert_eq!(at.to_rfc3339_millis(), "2026-02-01T08:00:00.123Z");
        assert_eq!(at.to_rfc3339_seconds(), "2026-02-01T08:00:00Z");
        assert_eq!(
            at.rounded_up_to_second().to_http_date(),
            "Sun, 01 Feb 2026 08:00:01 GMT"
        );
        assert_eq!(
            Timestamp::from_http_date("Sun, 01 Feb 2026 08:00:01 GMT"),
            Some(at.rounded_up_to_second())
        );
    }
}
