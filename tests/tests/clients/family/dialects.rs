//! How each client says what the stories need, and what it prints when the answer is no.
//!
//! In a phrase `NAME`, `VERSION`, `TAG`, `FIELD` and `TEXT` stand for what the story means; in an
//! answer `REGISTRY/` stands for the registry's address, and line breaks do not count.

use packhouse_testkit::clients::{self, NpmPackage};

/// What a client can say. `None` is what it has no command for.
pub(crate) struct Dialect {
    pub(crate) client: &'static NpmPackage,
    /// What yarn berry wants before it publishes: a lockfile.
    pub(crate) before_publish: Option<&'static str>,
    pub(crate) publish: Option<&'static str>,
    /// Prints one field of a package.
    pub(crate) view: &'static str,
    pub(crate) add: &'static str,
    /// Installs what the lockfile says, and nothing else.
    pub(crate) frozen: &'static str,
    pub(crate) lockfile: &'static str,
    pub(crate) tags: Option<Tags>,
    pub(crate) deprecate: Option<Deprecate>,
    pub(crate) unpublish: Option<Unpublish>,
    /// The command, and what it says of packages without advisories.
    pub(crate) audit: Option<(&'static str, &'static str)>,
    pub(crate) whoami: Option<&'static str>,
    pub(crate) no_such_version: &'static str,
    pub(crate) refused: Refused,
    /// When publishing; of no meaning to clients that cannot.
    pub(crate) unpublishable: Unpublishable,
}

pub(crate) struct Tags {
    pub(crate) add: &'static str,
    pub(crate) list: &'static str,
    pub(crate) remove: &'static str,
    /// Of a tag on a version that does not exist.
    pub(crate) no_such_version: &'static str,
    /// Of taking `latest` away.
    pub(crate) latest_stays: &'static str,
}

pub(crate) struct Deprecate {
    pub(crate) set: &'static str,
    pub(crate) unset: &'static str,
    /// What whoever installs it reads.
    pub(crate) warning: &'static str,
}

pub(crate) struct Unpublish {
    pub(crate) version: &'static str,
    pub(crate) done: &'static str,
    /// By a token without `delete:packages`.
    pub(crate) refused: &'static str,
}

/// What looking at and installing a private package prints.
pub(crate) struct Refused {
    pub(crate) stranger: Told,
    pub(crate) nobody: Told,
    /// By a token without a package scope.
    pub(crate) scopeless: Told,
}

pub(crate) struct Told {
    pub(crate) view: &'static str,
    pub(crate) add: &'static str,
}

/// What publishing prints where it is refused.
pub(crate) struct Unpublishable {
    pub(crate) stranger: &'static str,
    pub(crate) nobody: &'static str,
    /// By a token without `write:packages`.
    pub(crate) read_only: &'static str,
    pub(crate) twice: &'static str,
}

const fn both(text: &'static str) -> Told {
    Told {
        view: text,
        add: text,
    }
}

const NPM_TAGS: Tags = Tags {
    add: "dist-tag add NAME@VERSION TAG",
    list: "dist-tag ls NAME",
    remove: "dist-tag rm NAME TAG",
    no_such_version: "npm error code E404
        npm error 404 Not Found - PUT REGISTRY/-/package/@acme%2fleft-pad/dist-tags/old - version not found: 9.9.9",
    latest_stays: "npm error code E403
        npm error 403 403 Forbidden - DELETE REGISTRY/-/package/@acme%2fleft-pad/dist-tags/latest - cannot delete the latest tag",
};

const NPM_UNPUBLISHABLE: Unpublishable = Unpublishable {
    stranger: "npm error code E403
        npm error 403 403 Forbidden - PUT REGISTRY/@acme%2fleft-pad - Permission permission_denied: create_package",
    nobody: "npm error code ENEEDAUTH
        npm error need auth This command requires you to be logged in to REGISTRY/",
    read_only: "npm error code E403
        npm error 403 403 Forbidden - PUT REGISTRY/@acme%2fleft-pad - Permission permission_denied: write_package",
    twice: "npm error code E409
        npm error 409 Conflict - PUT REGISTRY/@acme%2fleft-pad - Cannot publish over existing version",
};

const NPM_REFUSED: Refused = Refused {
    stranger: both(
        "npm error code E404
        npm error 404 Not Found - GET REGISTRY/@acme%2fleft-pad - Not found",
    ),
    nobody: both(
        "npm error code E401
        npm error Unable to authenticate, your authentication token seems to be invalid.",
    ),
    scopeless: both(
        "npm error code E403
        npm error 403 403 Forbidden - GET REGISTRY/@acme%2fleft-pad - Permission permission_denied: read_package",
    ),
};

const NPM_UNPUBLISH: Unpublish = Unpublish {
    version: "unpublish NAME@VERSION --force",
    done: "- NAME@VERSION",
    refused: "npm error code E403
        npm error 403 403 Forbidden - PUT REGISTRY/@acme%2fleft-pad/-rev/",
};

/// What the others differ from; npm tells most stories in a room of its own.
pub(crate) const NPM_10: Dialect = Dialect {
    client: &clients::NPM_10,
    before_publish: None,
    publish: Some("publish"),
    view: "view NAME FIELD",
    add: "install NAME@VERSION",
    frozen: "ci",
    lockfile: "package-lock.json",
    tags: Some(NPM_TAGS),
    deprecate: Some(Deprecate {
        set: "deprecate NAME@VERSION TEXT",
        unset: "deprecate NAME@VERSION TEXT",
        warning: "npm warn deprecated NAME@VERSION: TEXT",
    }),
    unpublish: Some(NPM_UNPUBLISH),
    audit: Some(("audit", "found 0 vulnerabilities")),
    whoami: Some("whoami"),
    no_such_version: "npm error code ETARGET
        npm error notarget No matching version found for NAME@VERSION.",
    refused: NPM_REFUSED,
    unpublishable: NPM_UNPUBLISHABLE,
};

pub(crate) const NPM_12: Dialect = Dialect {
    client: &clients::NPM_12,
    unpublishable: Unpublishable {
        // it looks first, and does not send what is there already
        twice: "npm error You cannot publish over the previously published versions: 1.0.0.",
        ..NPM_UNPUBLISHABLE
    },
    ..NPM_10
};

/// It hands what it publishes and changes to npm, and installs by itself.
pub(crate) const PNPM_10: Dialect = Dialect {
    client: &clients::PNPM_10,
    publish: Some("publish --no-git-checks"),
    add: "add NAME@VERSION",
    frozen: "install --frozen-lockfile",
    lockfile: "pnpm-lock.yaml",
    deprecate: Some(Deprecate {
        set: "deprecate NAME@VERSION TEXT",
        unset: "deprecate NAME@VERSION TEXT",
        warning: "WARN deprecated NAME@VERSION: TEXT",
    }),
    audit: Some(("audit", "No known vulnerabilities found")),
    no_such_version: "No matching version found for NAME@VERSION while fetching it from REGISTRY/",
    refused: Refused {
        stranger: Told {
            add: "ERR_PNPM_FETCH_404 GET REGISTRY/@acme%2Fleft-pad: Not Found - 404",
            ..NPM_REFUSED.stranger
        },
        nobody: Told {
            add: "ERR_PNPM_FETCH_401 GET REGISTRY/@acme%2Fleft-pad: Unauthorized - 401",
            ..NPM_REFUSED.nobody
        },
        scopeless: Told {
            add: "ERR_PNPM_FETCH_403 GET REGISTRY/@acme%2Fleft-pad: Forbidden - 403",
            ..NPM_REFUSED.scopeless
        },
    },
    ..NPM_10
};

pub(crate) const PNPM_11: Dialect = Dialect {
    client: &clients::PNPM_11,
    tags: Some(Tags {
        no_such_version: r#"[ERR_PNPM_REGISTRY_ERROR] Failed to set dist-tag "old" on package: 404 Not Found. {"error":"version not found: 9.9.9","message":"version not found: 9.9.9"}"#,
        latest_stays: r#"[ERR_PNPM_DIST_TAG_RM_LATEST] Removing the "latest" dist-tag is not allowed"#,
        ..NPM_TAGS
    }),
    deprecate: Some(Deprecate {
        set: "deprecate NAME@VERSION TEXT",
        unset: "undeprecate NAME@VERSION",
        // the text stands in the document, and in `view` alone
        warning: "[WARN] deprecated NAME@VERSION",
    }),
    unpublish: Some(Unpublish {
        done: "Successfully unpublished 1 version(s) of NAME",
        refused: "[ERR_PNPM_FORBIDDEN] You do not have permission to unpublish this package",
        ..NPM_UNPUBLISH
    }),
    refused: Refused {
        stranger: both("[ERR_PNPM_FETCH_404] GET REGISTRY/@acme%2Fleft-pad: Not Found - 404"),
        nobody: both("[ERR_PNPM_FETCH_401] GET REGISTRY/@acme%2Fleft-pad: Unauthorized - 401"),
        scopeless: both("[ERR_PNPM_FETCH_403] GET REGISTRY/@acme%2Fleft-pad: Forbidden - 403"),
    },
    unpublishable: Unpublishable {
        stranger: "[E403] 403 Forbidden - PUT REGISTRY/@acme%2fleft-pad - Permission permission_denied: create_package",
        nobody: r#"[E401] Unable to authenticate, need: Bearer realm="packhouse""#,
        read_only: "[E403] 403 Forbidden - PUT REGISTRY/@acme%2fleft-pad - Permission permission_denied: write_package",
        twice: "[E409] 409 Conflict - PUT REGISTRY/@acme%2fleft-pad - Cannot publish over existing version",
    },
    ..PNPM_10
};

pub(crate) const PNPM_12: Dialect = Dialect {
    client: &clients::PNPM_12,
    tags: Some(Tags {
        no_such_version: r#"Error: ERR_PNPM_REGISTRY_ERROR
            × Failed to set dist-tag "old" on package: 404 Not Found. {"error":"version not found: 9.9.9","message":"version not found: 9.9.9"}"#,
        latest_stays: r#"Error: ERR_PNPM_DIST_TAG_RM_LATEST
            × Removing the "latest" dist-tag is not allowed"#,
        ..NPM_TAGS
    }),
    unpublish: Some(Unpublish {
        done: "Successfully unpublished 1 version(s) of NAME",
        refused: "Error: ERR_PNPM_FORBIDDEN
            × You do not have permission to unpublish this package.",
        ..NPM_UNPUBLISH
    }),
    refused: Refused {
        stranger: Told {
            view: "Error: ERR_PNPM_FETCH_404
                × GET REGISTRY/@acme%2fleft-pad: Not Found - 404",
            add: "Failed to fetch metadata from REGISTRY/@acme%2Fleft-pad: HTTP status client error (404 Not Found)",
        },
        nobody: both(
            "Failed to fetch metadata from REGISTRY/@acme%2Fleft-pad: HTTP status client error (401 Unauthorized)",
        ),
        scopeless: both(
            "Failed to fetch metadata from REGISTRY/@acme%2Fleft-pad: HTTP status client error (403 Forbidden)",
        ),
    },
    unpublishable: Unpublishable {
        stranger: r#"Error: ERR_PNPM_FAILED_TO_PUBLISH
            × Failed to publish package @acme/left-pad@1.0.0 (status 403 Forbidden): {"error":"Permission permission_denied: create_package","#,
        nobody: r#"Error: ERR_PNPM_FAILED_TO_PUBLISH
            × Failed to publish package @acme/left-pad@1.0.0 (status 401 Unauthorized): {"error":"authentication required","message":"Send an access token for this registry"}"#,
        read_only: r#"Error: ERR_PNPM_FAILED_TO_PUBLISH
            × Failed to publish package @acme/left-pad@1.0.0 (status 403 Forbidden): {"error":"Permission permission_denied: write_package","message":"your token lacks the scope for it"}"#,
        twice: r#"Error: ERR_PNPM_FAILED_TO_PUBLISH
            × Failed to publish package @acme/left-pad@1.0.0 (status 409 Conflict): {"error":"Cannot publish over existing version","message":"You cannot publish over the previously published versions: 1.0.0."}"#,
    },
    ..PNPM_11
};

/// Its audit asks an address of its own, whatever the settings say, and it has no `whoami`.
pub(crate) const YARN_1: Dialect = Dialect {
    client: &clients::YARN_1,
    publish: Some("publish --non-interactive"),
    view: "info NAME FIELD",
    add: "add NAME@VERSION",
    frozen: "install --frozen-lockfile",
    lockfile: "yarn.lock",
    tags: Some(Tags {
        add: "tag add NAME@VERSION TAG",
        list: "tag list NAME",
        remove: "tag remove NAME TAG",
        no_such_version: "error Error: REGISTRY/-/package/@acme%2fleft-pad/dist-tags/old: version not found: 9.9.9",
        latest_stays: "error Error: REGISTRY/-/package/@acme%2fleft-pad/dist-tags/latest: cannot delete the latest tag",
    }),
    deprecate: None,
    unpublish: None,
    audit: None,
    whoami: None,
    no_such_version: r#"error Couldn't find any versions for "NAME" that matches "VERSION""#,
    refused: Refused {
        stranger: Told {
            view: YARN_1_SEES_NOTHING,
            add: "error Error: REGISTRY/@acme%2fleft-pad: Not found",
        },
        nobody: Told {
            view: YARN_1_SEES_NOTHING,
            add: "error Error: REGISTRY/@acme%2fleft-pad: authentication required",
        },
        scopeless: Told {
            view: YARN_1_SEES_NOTHING,
            add: "error Error: REGISTRY/@acme%2fleft-pad: Permission permission_denied: read_package",
        },
    },
    unpublishable: Unpublishable {
        stranger: r#"error Couldn't publish package: "REGISTRY/@acme%2fleft-pad: Permission permission_denied: create_package""#,
        nobody: "error No token found and can't prompt for login when running with --non-interactive.",
        read_only: r#"error Couldn't publish package: "REGISTRY/@acme%2fleft-pad: Permission permission_denied: write_package""#,
        twice: r#"error Couldn't publish package: "REGISTRY/@acme%2fleft-pad: Cannot publish over existing version""#,
    },
    ..NPM_10
};

/// Its `info` shows no answer that is an error, and ends well all the same.
const YARN_1_SEES_NOTHING: &str = "error Received invalid response from npm.";

pub(crate) const YARN_4: Dialect = Dialect {
    client: &clients::YARN_4,
    before_publish: Some("install"),
    publish: Some("npm publish"),
    view: "npm info NAME --fields FIELD",
    add: "add NAME@VERSION",
    frozen: "install --immutable",
    lockfile: "yarn.lock",
    tags: Some(Tags {
        add: "npm tag add NAME@VERSION TAG",
        list: "npm tag list NAME",
        remove: "npm tag remove NAME TAG",
        no_such_version: "YN0035: version not found: 9.9.9",
        latest_stays: "Usage Error: The 'latest' tag cannot be removed.",
    }),
    deprecate: None,
    unpublish: None,
    audit: Some(("npm audit", "No audit suggestions")),
    whoami: Some("npm whoami"),
    no_such_version: "YN0082: │ NAME@npm:VERSION: No candidates found",
    refused: Refused {
        stranger: both(
            "Package not found
            ➤ YN0035: Response Code: 404 (Not Found)",
        ),
        nobody: both("Invalid authentication (as an anonymous user)"),
        scopeless: both(
            "The remote server failed to provide the requested resource
            ➤ YN0035: Response Code: 403 (Forbidden)",
        ),
    },
    unpublishable: Unpublishable {
        stranger: "YN0035: Permission permission_denied: create_package
            ➤ YN0035: Response Code: 403 (Forbidden)",
        nobody: "YN0033: No authentication configured for request",
        read_only: "YN0035: Permission permission_denied: write_package
            ➤ YN0035: Response Code: 403 (Forbidden)",
        twice: "YN0035: Cannot publish over existing version
            ➤ YN0035: Response Code: 409 (Conflict)",
    },
};

pub(crate) const BUN: Dialect = Dialect {
    client: &clients::BUN,
    publish: Some("publish"),
    view: "info NAME FIELD",
    add: "add NAME@VERSION",
    frozen: "install --frozen-lockfile",
    lockfile: "bun.lock",
    tags: None,
    deprecate: None,
    unpublish: None,
    audit: Some(("audit", "No vulnerabilities found")),
    whoami: Some("pm whoami"),
    no_such_version: r#"error: No version matching "VERSION" found for specifier "NAME" (but package exists)"#,
    refused: Refused {
        stranger: Told {
            view: "404 Not Found: REGISTRY/@acme%2fleft-pad - '@acme/left-pad@latest' does not exist in this registry",
            add: "error: GET REGISTRY/@acme%2fleft-pad - 404",
        },
        nobody: Told {
            view: "401 Unauthorized: REGISTRY/@acme%2fleft-pad - authentication required",
            add: "error: GET REGISTRY/@acme%2fleft-pad - 401",
        },
        scopeless: Told {
            view: "403 Forbidden: REGISTRY/@acme%2fleft-pad - Permission permission_denied: read_package",
            add: "error: GET REGISTRY/@acme%2fleft-pad - 403",
        },
    },
    unpublishable: Unpublishable {
        stranger: "403 Forbidden: REGISTRY/@acme%2fleft-pad - Permission permission_denied: create_package",
        nobody: "error: missing authentication (run `bunx npm login`)",
        read_only: "403 Forbidden: REGISTRY/@acme%2fleft-pad - Permission permission_denied: write_package",
        twice: "409 Conflict: REGISTRY/@acme%2fleft-pad - Cannot publish over existing version",
    },
    ..NPM_10
};

/// It installs and shows what it installs, and publishes nowhere but to its own registry.
pub(crate) const DENO: Dialect = Dialect {
    client: &clients::DENO,
    publish: None,
    view: "info --node-modules-dir=auto --json npm:NAME",
    add: "add npm:NAME@VERSION",
    frozen: "install --frozen",
    lockfile: "deno.lock",
    tags: None,
    deprecate: None,
    unpublish: None,
    audit: Some(("audit", "No known vulnerabilities found")),
    whoami: None,
    no_such_version: "error: Could not find npm package 'NAME' matching 'VERSION'.",
    refused: Refused {
        stranger: Told {
            view: "npm package '@acme/left-pad' does not exist.",
            add: DENO_ADDS_NOTHING,
        },
        nobody: Told {
            view: DENO_SEES_NOTHING,
            add: DENO_ADDS_NOTHING,
        },
        scopeless: Told {
            view: DENO_SEES_NOTHING,
            add: DENO_ADDS_NOTHING,
        },
    },
    ..NPM_10
};

const DENO_SEES_NOTHING: &str = "Failed loading REGISTRY/@acme%2fleft-pad for package";
const DENO_ADDS_NOTHING: &str = "error: npm:@acme/left-pad was not found.";
