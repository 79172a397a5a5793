use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, Method};
use percent_encoding::percent_decode_str;

use crate::Path;

/// The head of a request, as a format sees it.
///
/// HEAD arrives as GET: only the door knows the difference.
#[derive(Debug, Clone)]
pub struct Head {
    /// The method; never HEAD.
    pub method: Method,
    /// The path below the mount, split and decoded.
    pub path: Path,
    /// The raw query, without `?`; empty when there is none.
    pub query: String,
    /// The headers as received.
    pub headers: HeaderMap,
    /// The configured base that the request came in by.
    pub base: BaseUrl,
}

impl Head {
    /// The first value of a query parameter, decoded; `+` is a space.
    #[must_use]
    pub fn query_value(&self, name: &str) -> Option<String> {
        form_values(&self.query, name).next()
    }

    /// Every value of a query parameter that may stand there more than once, decoded.
    pub fn query_values(&self, name: &str) -> impl Iterator<Item = String> {
        form_values(&self.query, name)
    }

    /// A header's value where it is there and plain text.
    #[must_use]
    pub fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The declared length of the body in bytes; `None` for a chunked one or none.
    #[must_use]
    pub fn content_length(&self) -> Option<u64> {
        self.header(&http::header::CONTENT_LENGTH)?.parse().ok()
    }
}

/// The values of one field of a form (`application/x-www-form-urlencoded`), decoded, in their
/// order.
pub fn form_values(form: &str, name: &str) -> impl Iterator<Item = String> {
    form.split('&').filter_map(move |pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (form_decode(key) == name).then(|| form_decode(value).into_owned())
    })
}

fn form_decode(text: &str) -> Cow<'_, str> {
    if !text.contains(['%', '+']) {
        return Cow::Borrowed(text);
    }
    let spaced = text.replace('+', " ");
    Cow::Owned(percent_decode_str(&spaced).decode_utf8_lossy().into_owned())
}

/// Why a text is not a base URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BaseUrlError {
    #[error("a base URL begins with http:// or https://")]
    Scheme,
    #[error("a base URL names a host")]
    Host,
    #[error("a base URL has no query, fragment, user or white space")]
    Extra,
}

/// An absolute address that documents are rendered with: one of the configured ones, never an
/// unchecked `Host`. Has no trailing slash. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct BaseUrl(Arc<str>);

impl BaseUrl {
    /// Checks an address; a trailing slash is dropped.
    ///
    /// # Errors
    /// [`BaseUrlError`] says what is missing or too much.
    pub fn new(text: &str) -> Result<Self, BaseUrlError> {
        let rest = text
            .strip_prefix("http://")
            .or_else(|| text.strip_prefix("https://"))
            .ok_or(BaseUrlError::Scheme)?;
        if rest.is_empty() || rest.starts_with('/') {
            return Err(BaseUrlError::Host);
        }
        if rest.contains(['?', '#', '@', '\\', '"', '<', '>'])
            || rest.contains(char::is_whitespace)
            || rest.contains(char::is_control)
        {
            return Err(BaseUrlError::Extra);
        }
        Ok(Self(text.trim_end_matches('/').into()))
    }

    /// The base with a path below it; `path` begins with `/`.
    #[must_use]
    pub fn join(&self, path: &str) -> Self {
        Self(format!("{}{}", self.0, path.trim_end_matches('/')).into())
    }

    /// The text, without a trailing slash.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Scheme and authority, without the path.
    #[must_use]
    pub fn origin(&self) -> &str {
        let path = self
            .0
            .split_once("://")
            .and_then(|(_, rest)| rest.split_once('/'))
            .map_or(0, |(_, path)| path.len() + 1);
        self.0.get(..self.0.len() - path).unwrap_or(&self.0)
    }

    /// `host` or `host:port`, as a `Host` header names it.
    #[must_use]
    pub fn authority(&self) -> &str {
        let rest = self.0.split_once("://").map_or(&*self.0, |(_, rest)| rest);
        rest.split('/').next().unwrap_or(rest)
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_has_a_host_and_nothing_after_its_path() {
        let base = BaseUrl::new("http://localhost:8080/").unwrap();
        assert_eq!(base.as_str(), "http://localhost:8080");
        assert_eq!(
            base.join("/_registry/npm").as_str(),
            "http://localhost:8080/_registry/npm"
        );
        assert_eq!(base.join("/_registry/npm").authority(), "localhost:8080");
        for path in ["", "/a", "/a/b"] {
            assert_eq!(base.join(path).origin(), "http://localhost:8080", "{path}");
        }
        for text in [
            "localhost",
            "ftp://x",
            "http:///x",
            "http://x?y",
            "http://a@b",
            "http://a b",
        ] {
            assert!(BaseUrl::new(text).is_err(), "{text}");
        }
    }

    #[test]
    fn query_values_are_decoded_as_forms_are() {
        let head = Head {
            method: Method::GET,
            path: Path::parse("/").unwrap(),
            query: "text=a+b%2Fc&write=true&flag".to_owned(),
            headers: HeaderMap::new(),
            base: BaseUrl::new("http://h").unwrap(),
        };
        assert_eq!(head.query_value("text").as_deref(), Some("a b/c"));
        assert_eq!(head.query_value("write").as_deref(), Some("true"));
        assert_eq!(head.query_value("flag").as_deref(), Some(""));
        assert_eq!(head.query_value("none"), None);
    }
}
