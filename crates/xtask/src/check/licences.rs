//! Licences: every dependency must be usable under a licence on the list.

use cargo_metadata::Metadata;

/// Licences that ask for no more than a notice.
const ALLOWED: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

pub(super) fn findings(metadata: &Metadata) -> Vec<String> {
    let packages = metadata.packages.iter();
    packages
        .filter_map(|package| {
            let licence = package.license.as_deref().unwrap_or_default();
            let complaint = match is_allowed(licence) {
                Some(true) => return None,
                Some(false) => "is not on the list",
                None => "is not a licence expression",
            };
            let (name, version) = (&package.name, &package.version);
            Some(format!("{name} {version}: licence {licence:?} {complaint}"))
        })
        .collect()
}

/// Whether the expression can be satisfied with [`ALLOWED`] alone; `None` if it cannot be read.
///
/// SPDX expressions with `OR`, `AND`, `WITH` and parentheses; a slash, which older manifests
/// have, means `OR`.
fn is_allowed(expression: &str) -> Option<bool> {
    let spaced = expression
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace('/', " OR ");
    let mut words = Words(spaced.split_whitespace().collect());
    let verdict = words.alternatives()?;
    words.0.is_empty().then_some(verdict)
}

/// What is left to read of an expression, by the grammar's rules from loose to tight.
struct Words<'a>(std::collections::VecDeque<&'a str>);

impl Words<'_> {
    fn alternatives(&mut self) -> Option<bool> {
        let mut verdict = self.conjunction()?;
        while self.take("OR") {
            verdict |= self.conjunction()?;
        }
        Some(verdict)
    }

    fn conjunction(&mut self) -> Option<bool> {
        let mut verdict = self.term()?;
        while self.take("AND") {
            verdict &= self.term()?;
        }
        Some(verdict)
    }

    fn term(&mut self) -> Option<bool> {
        if self.take("(") {
            let verdict = self.alternatives()?;
            return self.take(")").then_some(verdict);
        }
        let name = self.name()?;
        if self.take("WITH") {
            let exception = self.name()?;
            return Some(ALLOWED.contains(&format!("{name} WITH {exception}").as_str()));
        }
        Some(ALLOWED.contains(&name.as_str()))
    }

    fn name(&mut self) -> Option<String> {
        let word = self.0.pop_front()?;
        let is_name = !["(", ")", "OR", "AND", "WITH"].contains(&word);
        is_name.then(|| word.to_owned())
    }

    fn take(&mut self, word: &str) -> bool {
        let next = self.0.front() == Some(&word);
        if next {
            self.0.pop_front();
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_allowed_alternative_is_enough() {
        for expression in [
            "MIT",
            "MIT OR GPL-3.0-only",
            "GPL-3.0-only OR MIT",
            "MIT/Apache-2.0",
            "Apache-2.0 / MIT",
            "(MIT OR Apache-2.0) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception OR GPL-2.0-only",
            "ISC AND (GPL-3.0-only OR ISC) AND ((MIT))",
        ] {
            assert_eq!(is_allowed(expression), Some(true), "{expression}");
        }
    }

    #[test]
    fn every_conjunct_must_be_allowed() {
        for expression in [
            "GPL-3.0-only",
            "MIT AND GPL-3.0-only",
            "MIT AND (GPL-3.0-only OR AGPL-3.0-only)",
            "GPL-2.0-only WITH Classpath-exception-2.0",
            "MIT WITH LLVM-exception",
            "GPL-3.0-only OR MIT AND GPL-3.0-only",
        ] {
            assert_eq!(is_allowed(expression), Some(false), "{expression}");
        }
    }

    #[test]
    fn what_is_no_expression_is_not_guessed_at() {
        for expression in [
            "",
            "MIT OR",
            "(MIT",
            "MIT)",
            "MIT Apache-2.0",
            "OR MIT",
            "MIT WITH",
        ] {
            assert_eq!(is_allowed(expression), None, "{expression}");
        }
    }
}
