//! What npm calls a valid name (`spec/npm.md` 21.1).

use packhouse_core::Fault;
use packhouse_names::{NormalizedName, PackageName};

/// The longest name that may be published, in bytes; older ones are longer and stay readable.
const MAX_NEW_BYTES: usize = 214;

/// Names that would be mistaken for something else in every project.
const NEVER: &[&str] = &["node_modules", "favicon.ico"];

/// Keys that JavaScript gives a meaning of its own.
const MAGIC: &[&str] = &["__proto__", "constructor", "prototype"];

/// Modules that come with Node: an unscoped package of that name could never be required.
const NODE_MODULES: &[&str] = &[
    "assert",
    "async_hooks",
    "buffer",
    "child_process",
    "cluster",
    "console",
    "constants",
    "crypto",
    "dgram",
    "diagnostics_channel",
    "dns",
    "domain",
    "events",
    "fs",
    "http",
    "http2",
    "https",
    "inspector",
    "module",
    "net",
    "os",
    "path",
    "perf_hooks",
    "process",
    "punycode",
    "querystring",
    "readline",
    "repl",
    "stream",
    "string_decoder",
    "sys",
    "timers",
    "tls",
    "trace_events",
    "tty",
    "url",
    "util",
    "v8",
    "vm",
    "wasi",
    "worker_threads",
    "zlib",
];

/// A name that npm accepts for reading, legacy spellings included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NpmName {
    /// As spelt.
    pub(crate) name: PackageName,
    /// The scope, which is compared as an account's name is, in lower case; the rest as spelt:
    /// `JSONStream` and `jsonstream` are two packages.
    pub(crate) key: NormalizedName,
}

impl NpmName {
    /// Takes what any npm client would ask for.
    ///
    /// # Errors
    /// [`Fault::Invalid`] for a name that npm itself rejects, old packages' included.
    pub(crate) fn parse(text: &str) -> Result<Self, Fault> {
        if let Some(rule) = broken_rule(text) {
            return Err(Fault::invalid("name", format!("the package name {rule}")));
        }
        let key = match split(text) {
            (Some(scope), rest) => format!("@{}/{rest}", scope.to_ascii_lowercase()),
            (None, rest) => rest.to_owned(),
        };
        Ok(Self {
            name: PackageName::new(text)?,
            key: NormalizedName::new(key)?,
        })
    }

    /// The scope without `@`, which names the owner.
    pub(crate) fn scope(&self) -> Option<&str> {
        split(self.name.as_str()).0
    }

    /// Checks what is asked of a name that is published now.
    ///
    /// # Errors
    /// [`Fault::Invalid`] with the rule that it breaks.
    pub(crate) fn check_new(&self) -> Result<(), Fault> {
        let text = self.name.as_str();
        match broken_rule_of_new(text) {
            Some(rule) => Err(Fault::invalid("name", format!("the package name {rule}"))),
            None => Ok(()),
        }
    }
}

/// The scope without `@`, and the rest.
pub(crate) fn split(name: &str) -> (Option<&str>, &str) {
    match name.strip_prefix('@').and_then(|rest| rest.split_once('/')) {
        Some((scope, rest)) => (Some(scope), rest),
        None => (None, name),
    }
}

/// The name without its scope, as it begins tarball names.
pub(crate) fn unscoped(name: &str) -> &str {
    split(name).1
}

/// Whether `encodeURIComponent` leaves the text as it is.
pub(crate) fn is_url_friendly(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| {
            byte.is_ascii_alphanumeric()
                || matches!(
                    byte,
                    b'-' | b'_' | b'.' | b'!' | b'~' | b'*' | b'\'' | b'(' | b')'
                )
        })
}

fn broken_rule(text: &str) -> Option<&'static str> {
    if text.is_empty() {
        return Some("is empty");
    }
    let (scope, rest) = split(text);
    if scope.is_none() && text.starts_with(['.', '_']) {
        return Some("must not begin with a period or an underscore");
    }
    if !scope.is_none_or(is_url_friendly) || !is_url_friendly(rest) {
        return Some("holds characters that need escaping in a URL");
    }
    if NEVER.iter().any(|never| text.eq_ignore_ascii_case(never)) {
        return Some("is not allowed");
    }
    None
}

fn broken_rule_of_new(text: &str) -> Option<&'static str> {
    let (scope, rest) = split(text);
    if text.len() > MAX_NEW_BYTES {
        return Some("is longer than 214 characters");
    }
    if scope.is_some() && text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Some("must be in lower case");
    }
    if rest.contains(['~', '\'', '!', '(', ')', '*']) {
        return Some("must not hold any of ~'!()*");
    }
    if rest.starts_with('.') || scope.is_some_and(|scope| scope.starts_with(['.', '_'])) {
        return Some("must not begin with a period, and its scope not with an underscore");
    }
    if text.contains("..") {
        return Some("must not hold two periods in a row");
    }
    if MAGIC.contains(&rest) {
        return Some("means something else to JavaScript");
    }
    if scope.is_none() && NODE_MODULES.contains(&rest) {
        return Some("is the name of a module that comes with Node");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn readable(text: &str) -> bool {
        NpmName::parse(text).is_ok()
    }

    fn publishable(text: &str) -> bool {
        NpmName::parse(text).is_ok_and(|name| name.check_new().is_ok())
    }

    #[test]
    fn names_are_sorted_into_new_old_and_impossible() {
        let long = "a".repeat(215);
        for (text, reads, publishes) in [
            ("@acme/widget", true, true),
            ("widget", true, true),
            ("@acme/_x", true, true),
            ("-x", true, true),
            ("-", true, true),
            ("@con/nul", true, true),
            ("JSONStream", true, true),
            ("@acme/a..b", true, false),
            ("@ac..me/b", true, false),
            ("a..b", true, false),
            ("@acme/Widget", true, false),
            ("@Acme/widget", true, false),
            ("wid~get!", true, false),
            ("@acme/it's", true, false),
            ("@acme/.hidden", true, false),
            ("@_acme/x", true, false),
            ("@.acme/x", true, false),
            ("http", true, false),
            ("@acme/http", true, true),
            ("constructor", true, false),
            ("@acme/prototype", true, false),
            (&long, true, false),
            ("", false, false),
            ("_x", false, false),
            (".x", false, false),
            ("@x", false, false),
            ("@x/", false, false),
            ("@/x", false, false),
            ("@a/b/c", false, false),
            ("x@y", false, false),
            (" x", false, false),
            ("x:y", false, false),
            ("x%2fy", false, false),
            ("a/b", false, false),
            ("node_modules", false, false),
            ("favicon.ico", false, false),
            ("é", false, false),
        ] {
            assert_eq!(readable(text), reads, "{text}");
            assert_eq!(publishable(text), publishes, "{text}");
        }
    }

    #[test]
    fn a_scope_is_compared_without_regard_to_case_and_the_rest_with() {
        let name = NpmName::parse("@Acme/JSONStream").unwrap();
        assert_eq!(name.key.as_str(), "@acme/JSONStream");
        assert_eq!(name.scope(), Some("Acme"));
        assert_eq!(unscoped(name.name.as_str()), "JSONStream");
        assert_eq!(NpmName::parse("JSONStream").unwrap().scope(), None);
    }

    proptest! {
        #[test]
        fn normalizing_a_name_twice_changes_nothing(text in "(@[a-zA-Z]{1,5}/)?[a-zA-Z._-]{1,8}") {
            if let Ok(name) = NpmName::parse(&text) {
                let again = NpmName::parse(name.key.as_str()).unwrap();
                prop_assert_eq!(again.key, name.key);
            }
        }
    }
}
