//! Every way in which clients and the proxies before them spell one address.

use crate::estate::MOUNT;

/// A way to write a name and the path around it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spelling {
    pub(crate) what: &'static str,
    name: fn(&str) -> String,
    path: fn(&str) -> String,
    /// The scope is compared as an account's name is, without regard to case.
    pub(crate) is_upper: bool,
}

/// The spelling that npm, yarn and bun use.
pub(crate) const USUAL: Spelling = Spelling {
    what: "@s%2fn",
    name: |name| name.replace('/', "%2f"),
    path: mounted,
    is_upper: false,
};

/// All others.
pub(crate) const OTHERS: [Spelling; 13] = [
    Spelling {
        what: "@s%2Fn",
        name: |name| name.replace('/', "%2F"),
        path: mounted,
        is_upper: false,
    },
    Spelling {
        what: "@s/n",
        name: str::to_owned,
        path: mounted,
        is_upper: false,
    },
    Spelling {
        what: "%40s%2Fn",
        name: |name| name.replace('@', "%40").replace('/', "%2F"),
        path: mounted,
        is_upper: false,
    },
    Spelling {
        what: "%40s/n",
        name: |name| name.replace('@', "%40"),
        path: mounted,
        is_upper: false,
    },
    Spelling {
        what: "@s%252fn",
        name: |name| name.replace('/', "%252f"),
        path: mounted,
        is_upper: false,
    },
    Spelling {
        what: "%2540s%252Fn",
        name: |name| name.replace('@', "%2540").replace('/', "%252F"),
        path: mounted,
        is_upper: false,
    },
    Spelling {
        what: "letters encoded",
        name: |name| name.replace('a', "%61").replace('/', "%2f"),
        path: mounted,
        is_upper: false,
    },
    Spelling {
        what: "scope in upper case",
        name: |name| {
            let (scope, rest) = name.split_once('/').unwrap();
            format!("{}%2f{rest}", scope.to_ascii_uppercase())
        },
        path: mounted,
        is_upper: true,
    },
    Spelling {
        what: "doubled slashes",
        name: str::to_owned,
        path: |path| mounted(path).replace('/', "//"),
        is_upper: false,
    },
    Spelling {
        what: "a trailing slash",
        name: |name| name.replace('/', "%2f"),
        path: |path| format!("{}/", mounted(path)),
        is_upper: false,
    },
    Spelling {
        what: "doubled mount",
        name: |name| name.replace('/', "%2f"),
        path: |path| format!("{MOUNT}{}", mounted(path)),
        is_upper: false,
    },
    Spelling {
        what: "doubled mount and a raw slash",
        name: str::to_owned,
        path: |path| format!("{MOUNT}{}", mounted(path)),
        is_upper: false,
    },
    Spelling {
        what: "mount encoded",
        name: |name| name.replace('/', "%2f"),
        path: |path| format!("/%5Fregistry/n%70m{path}"),
        is_upper: false,
    },
];

fn mounted(path: &str) -> String {
    format!("{MOUNT}{path}")
}

impl Spelling {
    /// The name as it comes out when the address is decoded.
    pub(crate) fn shown(&self, name: &str) -> String {
        match name.split_once('/') {
            Some((scope, rest)) if self.is_upper => {
                format!("{}/{rest}", scope.to_ascii_uppercase())
            }
            _ => name.to_owned(),
        }
    }

    /// A package's name as this spelling writes it.
    pub(crate) fn name(&self, name: &str) -> String {
        (self.name)(name)
    }

    /// A path below the mount as this spelling writes it, its query kept.
    pub(crate) fn path(&self, path: &str) -> String {
        match path.split_once('?') {
            Some((path, query)) => format!("{}?{query}", (self.path)(path)),
            None => (self.path)(path),
        }
    }
}
