//! The routes that the registry registers, with what each is for: what it needs, how to ask it
//! without changing anything, and what whoever is let in gets.
//!
//! A route joins the test by being registered. It needs a row in [`purposes`], and a value in
//! [`Subject::value`] for every placeholder.

use packhouse_testkit::http::{Request, Response};

use crate::callers::Caller;
use crate::estate::{self, Revisions, VERSION};
use crate::gets::{
    finds_what_may_be_read, is_attestation_list, is_done, is_key_list, is_manifest, is_object,
    is_packument, is_ping, is_tag_list, is_tarball, is_token_list, is_user, is_whoami,
};
use crate::oracle::{Column, Need};
use crate::people;
use crate::spelling::Spelling;

/// Whether an answer is as it must be, and what is not.
pub(crate) type Checked = Result<(), String>;

/// The package that a request is about.
#[derive(Debug)]
pub(crate) struct Subject {
    pub(crate) column: Column,
    /// The package's own name.
    pub(crate) name: String,
    /// The name as it stands in answers that repeat the caller's spelling.
    pub(crate) shown: String,
    /// The name as it stands in the address.
    written: String,
    /// The package's revision, which no case changes.
    revision: String,
}

impl Subject {
    pub(crate) fn new(column: Column, spelling: &Spelling, revisions: &Revisions) -> Self {
        let name = estate::name(column);
        Self {
            revision: revisions.of(&name),
            column,
            shown: spelling.shown(&name),
            written: spelling.name(&name),
            name,
        }
    }

    /// What stands in the place of a placeholder.
    fn value(&self, placeholder: &str) -> Option<String> {
        let (scope, unscoped) = match self.name.split_once('/') {
            Some((scope, unscoped)) => (Some(scope), unscoped),
            None => (None, self.name.as_str()),
        };
        let file = format!("{unscoped}-{VERSION}.tgz");
        let file_after = |sign| match scope {
            Some(scope) => format!("{scope}{sign}{file}"),
            None => file.clone(),
        };
        Some(match placeholder {
            "package" => self.written.clone(),
            "version" => VERSION.to_owned(),
            "dist-tag" => "latest".to_owned(),
            "file-with-scope" => file_after("/"),
            "file-with-encoded-scope" => file_after("%2f"),
            "file" => file,
            // a revision that no package ever has, and a tag that none has
            "rev" => "0-0".to_owned(),
            "current-rev" => self.revision.clone(),
            "tag" => "never-set".to_owned(),
            "user" => "org.couchdb.user:stranger".to_owned(),
            "token" => "phk_of-nobody".to_owned(),
            "key" => "999999999".to_owned(),
            "login" => "of-nobody".to_owned(),
            "owner" => "una".to_owned(),
            "nobody" => "nobody".to_owned(),
            "org" => "acme".to_owned(),
            "team" => "never-made".to_owned(),
            "subteam" => "sub-readers".to_owned(),
            _ => return None,
        })
    }

    /// Puts values in the places of all placeholders.
    ///
    /// # Panics
    ///
    /// For a placeholder that has no value yet.
    pub(crate) fn fill(&self, pattern: &str) -> String {
        let mut filled = String::new();
        let mut rest = pattern;
        while let Some((before, after)) = rest.split_once('{') {
            let (placeholder, after) = after.split_once('}').unwrap();
            let value = self.value(placeholder).unwrap_or_else(|| {
                panic!("{pattern}: give {{{placeholder}}} a value in Subject::value")
            });
            filled.push_str(before);
            filled.push_str(&value);
            rest = after;
        }
        filled + rest
    }
}

/// What somebody who is let in gets: proof that the request was let past the policy.
#[derive(Debug)]
pub(crate) enum Gets {
    /// A document with the right content.
    Content(fn(&Subject, &Caller, &Response) -> Checked),
    /// A refusal of what was sent, which only who was let in is told: status and `error`.
    Told(u16, &'static str),
    /// Too much: only those are to ask who must be refused.
    Unasked,
}

/// A route, or one of several ways to ask it.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) pattern: &'static str,
    pub(crate) method: &'static str,
    /// The pattern of the path; another spelling of the same shape for some.
    path: &'static str,
    /// What is decided, one after the other: the first that refuses is the answer. Of several
    /// needs at once one suffices, and the first is what the refusal is about.
    pub(crate) gates: Vec<&'static [Need]>,
    body: Option<&'static str>,
    /// Where the package is there, and where it is not and the caller may create it.
    pub(crate) there: Gets,
    pub(crate) absent: Gets,
}

impl Route {
    /// Whether whoever is let in may ask it: it changes nothing.
    pub(crate) fn is_harmless(&self) -> bool {
        !matches!(self.there, Gets::Unasked)
    }

    pub(crate) fn is_about_a_package(&self) -> bool {
        self.path.contains("{package}")
    }

    /// The path below the mount, its query without.
    pub(crate) fn path(&self, subject: &Subject) -> String {
        let filled = subject.fill(self.path);
        filled.split('?').next().unwrap_or_default().to_owned()
    }

    /// The request's target in a spelling.
    pub(crate) fn target(&self, subject: &Subject, spelling: &Spelling) -> String {
        spelling.path(&subject.fill(self.path))
    }

    pub(crate) fn request(&self, method: &str, target: &str, caller: &Caller) -> Request {
        let request = caller.sign(Request::new(method, target));
        match self.body {
            Some(body) => request
                .header("Content-Type", "application/json")
                .body(body),
            None => request,
        }
    }
}

/// Every way to ask every registered route.
///
/// # Panics
///
/// For a route that this test does not know.
pub(crate) fn routes(registered: &[&'static str]) -> Vec<Route> {
    registered
        .iter()
        .flat_map(|pattern| {
            let purposes = purposes(pattern);
            assert!(
                !purposes.is_empty(),
                "{pattern} is registered, but this test does not know what it needs: give it a \
                 row in `purposes`, by the decision tables and not by its code"
            );
            purposes
        })
        .collect()
}

const GREET: &[Need] = &[Need::Greet];
const SIGN_IN: &[Need] = &[Need::SignIn];
const ONESELF: &[Need] = &[Need::Oneself];
const TOKENS: &[Need] = &[Need::Tokens];
const READ: &[Need] = &[Need::Read];
const PUBLISH: &[Need] = &[Need::Publish];
const DELETE: &[Need] = &[Need::Delete];
const MANAGE: &[Need] = &[Need::Manage];
const BROWSE: &[Need] = &[Need::Browse];
const SEE_ORGANIZATION: &[Need] = &[Need::SeeOrganization];
const MANAGE_ORGANIZATION: &[Need] = &[Need::ManageOrganization];
const CHANGE: &[Need] = &[Need::Delete, Need::Publish];

const NOT_A_DOCUMENT: &str = "[]";

/// What a route is for; nothing for one that is not known.
#[rustfmt::skip]
fn purposes(pattern: &'static str) -> Vec<Route> {
    use Gets::{Content, Told, Unasked};

    let (method, path) = pattern.split_once(' ').unwrap();
    let gated = |path, gates, body, there, absent| Route {
        pattern, method, path, gates, body, there, absent,
    };
    let row = |path, need, body, there, absent| gated(path, vec![need], body, there, absent);
    let read = |path, content| row(path, READ, None, Content(content), never());
    match pattern {
        "GET /{package}" => vec![
            read(path, is_packument),
            read("/{package}?write=true", is_packument),
        ],
        "GET /{package}/{version}" => vec![
            read(path, is_manifest),
            read("/{package}/{dist-tag}", is_manifest),
        ],
        "GET /{package}/-/{file}" => vec![
            read(path, is_tarball),
            read("/{package}/-/{file-with-scope}", is_tarball),
            read("/{package}/-/{file-with-encoded-scope}", is_tarball),
        ],
        "GET /-/package/{package}/dist-tags" => vec![read(path, is_tag_list)],
        "GET /-/npm/v1/attestations/{package}@{version}" => vec![read(path, is_attestation_list)],
        "GET /-/npm/v1/keys" => vec![row(path, GREET, None, Content(is_key_list), Content(is_key_list))],

        "PUT /{package}" => {
            let told = || Told(400, "the document must be a JSON object");
            vec![row(path, PUBLISH, Some(NOT_A_DOCUMENT), told(), told())]
        }
        // what is asked is in the body: a document without some version deletes it; who may do
        // neither is turned away before, and who is out of date is told so first
        "PUT /{package}/-rev/{rev}" => {
            let current = "/{package}/-rev/{current-rev}";
            let deletes = Some(r#"{"versions":{"1.0.0":{}}}"#);
            let deprecates = Some(r#"{"versions":{"1.0.0":{"deprecated":"no"},"0.9.0":{}}}"#);
            let stale = || Told(409, "Document update conflict");
            vec![
                gated(path, vec![READ, CHANGE], deletes, stale(), never()),
                gated(path, vec![READ, CHANGE], deprecates, stale(), never()),
                gated(current, vec![READ, CHANGE, DELETE], deletes, Unasked, Unasked),
                gated(current, vec![READ, CHANGE, PUBLISH], deprecates, Unasked, Unasked),
            ]
        }
        "DELETE /{package}/-rev/{rev}" => {
            vec![row(path, DELETE, None, Told(409, "Document update conflict"), never())]
        }
        // the second half of an unpublish, whose first half did everything
        "DELETE /{package}/-/{file}/-rev/{rev}" => {
            vec![row(path, DELETE, None, Content(is_done), never())]
        }
        "PUT /-/package/{package}/dist-tags/{tag}" => {
            let told = || Told(400, "malformed JSON in the version: invalid type: sequence, expected a string");
            vec![row(path, PUBLISH, Some(NOT_A_DOCUMENT), told(), told())]
        }
        "DELETE /-/package/{package}/dist-tags/{tag}" => {
            let absent = Told(403, "Permission permission_denied: create_package");
            vec![row(path, PUBLISH, None, Told(404, "Not found"), absent)]
        }
        // nobody may, and everybody may know
        "PUT /-/package/{package}/dist-tags" | "POST /-/package/{package}/dist-tags" => {
            let told = || Told(405, "Tags are set and removed one at a time");
            vec![row(path, GREET, Some("{}"), told(), told())]
        }

        "GET /-/ping" => vec![row(path, GREET, None, Content(is_ping), Content(is_ping))],
        "GET /-/whoami" => vec![row(path, ONESELF, None, Content(is_whoami), Content(is_whoami))],
        "GET /-/user/{user}" => vec![row(path, ONESELF, None, Content(is_user), Content(is_user))],
        "PUT /-/user/{user}" | "PUT /-/user/{user}/-rev/{rev}" => {
            let told = || Told(400, "the login must be a JSON object");
            vec![row(path, SIGN_IN, Some(NOT_A_DOCUMENT), told(), told())]
        }
        "DELETE /-/user/token/{token}" => {
            let told = || Told(404, "Not found");
            vec![row(path, ONESELF, None, told(), told())]
        }
        "GET /-/v1/search" => {
            let everything = "/-/v1/search?text=not:insecure&size=250";
            let found = || Content(finds_what_may_be_read);
            vec![row(everything, BROWSE, None, found(), found())]
        }
        "GET /-/npm/v1/tokens" => vec![row(path, TOKENS, None, Content(is_token_list), Content(is_token_list))],
        "POST /-/npm/v1/tokens" => {
            let told = || Told(400, "the token request must be a JSON object");
            vec![row(path, TOKENS, Some(NOT_A_DOCUMENT), told(), told())]
        }
        "DELETE /-/npm/v1/tokens/token/{key}" => {
            let told = || Told(404, "Not found");
            vec![row(path, TOKENS, None, told(), told())]
        }
        "POST /-/npm/v1/security/advisories/bulk"
        | "POST /-/npm/v1/security/audits/quick"
        | "POST /-/npm/v1/security/audits" => {
            vec![row(path, GREET, Some("{}"), Content(is_object), Content(is_object))]
        }
        _ => about_people(pattern),
    }
}

/// The same of what is about people: logins, profiles, access lists, organizations.
#[rustfmt::skip]
fn about_people(pattern: &'static str) -> Vec<Route> {
    use Gets::{Content, Told};

    let (method, path) = pattern.split_once(' ').unwrap();
    let row = |path, need, body, there, absent| {
        vec![Route { pattern, method, path, gates: vec![need], body, there, absent }]
    };
    // for what is about no package, there and absent are the same
    let gets = |path, need, check: fn(&Subject, &Caller, &Response) -> Checked| {
        row(path, need, None, Content(check), Content(check))
    };
    let no_object = || Told(400, "the request must be a JSON object");
    let told = |path, need| row(path, need, Some(NOT_A_DOCUMENT), no_object(), no_object());
    match pattern {
        "POST /-/v1/login" => {
            let told = || Told(400, "the login must be a JSON object");
            row(path, SIGN_IN, Some(NOT_A_DOCUMENT), told(), told())
        }
        "GET /-/v1/done" => {
            let told = || Told(404, "Not found");
            row(path, SIGN_IN, None, told(), told())
        }
        "GET /-/v1/login/{login}" | "POST /-/v1/login/{login}" => gets(path, SIGN_IN, people::is_login_over),
        "GET /-/npm/v1/user" => gets(path, ONESELF, people::is_own_profile),
        "POST /-/npm/v1/user" => {
            let told = || Told(403, "Profiles are changed by the administrator of this registry");
            row(path, ONESELF, Some("{}"), told(), told())
        }
        "GET /-/_view/starredByUser" => gets("/-/_view/starredByUser?key=%22{owner}%22", BROWSE, people::is_stars_of_una),
        "GET /-/org/{org}/package" => gets(path, BROWSE, people::is_packages_of_acme),
        "GET /-/user/{owner}/package" => gets(path, BROWSE, people::is_packages_of_una),

        "GET /-/package/{package}/visibility" => row(path, READ, None, Content(people::is_visibility), never()),
        "GET /-/package/{package}/owners" => row(path, READ, None, Content(people::is_owners), never()),
        // who has a role is told to those who work on the package
        "GET /-/package/{package}/collaborators" => {
            row(path, PUBLISH, None, Content(people::is_collaborators), Told(404, "Not found"))
        }
        "POST /-/package/{package}/access" | "PUT /-/package/{package}/owners" => told(path, MANAGE),
        "DELETE /-/package/{package}/owners/{owner}" => {
            row("/-/package/{package}/owners/{nobody}", MANAGE, None, Content(people::is_no_owner), never())
        }

        "GET /-/org/{org}/user" => gets(path, SEE_ORGANIZATION, people::is_roster),
        "GET /-/org/{org}/team" => gets(path, SEE_ORGANIZATION, people::is_teams),
        "GET /-/team/{org}/{team}/user" => gets("/-/team/{org}/{subteam}/user", SEE_ORGANIZATION, people::is_team_members),
        "GET /-/team/{org}/{team}/package" => {
            gets("/-/team/{org}/{subteam}/package", SEE_ORGANIZATION, people::is_team_packages)
        }
        // which package must be managed besides is in the body
        "PUT /-/team/{org}/{team}/package" | "DELETE /-/team/{org}/{team}/package" => told(path, SEE_ORGANIZATION),
        "PUT /-/org/{org}/user" | "DELETE /-/org/{org}/user" | "PUT /-/org/{org}/team"
        | "PUT /-/team/{org}/{team}/user" | "DELETE /-/team/{org}/{team}/user" => told(path, MANAGE_ORGANIZATION),
        "DELETE /-/team/{org}/{team}" => {
            let told = || Told(404, "Not found");
            row(path, MANAGE_ORGANIZATION, None, told(), told())
        }
        _ => Vec::new(),
    }
}

/// What nobody gets of a package that is not there.
fn never() -> Gets {
    Gets::Content(|_, _, _| Err("nothing is there".to_owned()))
}
