//! The routes that the registry registers, with what each is for: what it needs, how to ask it
//! without changing anything, and what whoever is let in gets.
//!
//! A route joins the test by being registered. It needs a row in [`purposes`], and a value in
//! [`Subject::value`] for every placeholder.

use packhouse_testkit::http::{Request, Response};
use serde_json::{Value, json};

use crate::callers::Caller;
use crate::estate::{self, VERSION};
use crate::oracle::{Column, Need};
use crate::spelling::Spelling;

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
}

impl Subject {
    pub(crate) fn new(column: Column, spelling: &Spelling) -> Self {
        let name = estate::name(column);
        Self {
            column,
            shown: spelling.shown(&name),
            written: spelling.name(&name),
            name,
        }
    }

    /// What stands in the place of a placeholder.
    fn value(&self, placeholder: &str) -> Option<String> {
        let unscoped = self.name.rsplit('/').next()?;
        let scope = self.name.split('/').next()?;
        Some(match placeholder {
            "package" => self.written.clone(),
            "version" => VERSION.to_owned(),
            "dist-tag" => "latest".to_owned(),
            "file" => format!("{unscoped}-{VERSION}.tgz"),
            "file-with-scope" => format!("{scope}/{unscoped}-{VERSION}.tgz"),
            "file-with-encoded-scope" => format!("{scope}%2f{unscoped}-{VERSION}.tgz"),
            // a revision that no package ever has, and a tag that none has
            "rev" => "0-0".to_owned(),
            "tag" => "never-set".to_owned(),
            "user" => "org.couchdb.user:stranger".to_owned(),
            "token" => "phk_of-nobody".to_owned(),
            "key" => "999999999".to_owned(),
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
    Content(fn(&Subject, &Caller, &Response)),
    /// A refusal of what was sent, which only who was let in is told: status and `error`.
    Told(u16, &'static str),
}

/// A route, or one of several ways to ask it.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) pattern: &'static str,
    pub(crate) method: &'static str,
    /// The pattern of the path; another spelling of the same shape for some.
    path: &'static str,
    pub(crate) need: Need,
    body: Option<&'static str>,
    /// Where the package is there, and where it is not and the caller may create it.
    pub(crate) there: Gets,
    pub(crate) absent: Gets,
}

impl Route {
    pub(crate) fn is_about_a_package(&self) -> bool {
        self.path.contains("{package}")
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

const NOT_A_DOCUMENT: &str = "[]";

/// What a route is for; nothing for one that is not known.
#[rustfmt::skip]
fn purposes(pattern: &'static str) -> Vec<Route> {
    use Gets::{Content, Told};

    let (method, path) = pattern.split_once(' ').unwrap();
    let row = |path, need, body, there, absent| Route {
        pattern, method, path, need, body, there, absent,
    };
    let read = |path, content| row(path, Need::Read, None, Content(content), never());
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

        "PUT /{package}" => {
            let told = || Told(400, "malformed JSON in the document: invalid type: sequence, expected an object");
            vec![row(path, Need::Publish, Some(NOT_A_DOCUMENT), told(), told())]
        }
        // what is asked is in the body: a document without its versions deletes them
        "PUT /{package}/-rev/{rev}" => {
            let stale = || Told(409, "Document update conflict");
            vec![row(path, Need::Delete, Some(r#"{"versions":{}}"#), stale(), never())]
        }
        "DELETE /{package}/-rev/{rev}" => {
            vec![row(path, Need::Delete, None, Told(409, "Document update conflict"), never())]
        }
        // the second half of an unpublish, whose first half did everything
        "DELETE /{package}/-/{file}/-rev/{rev}" => {
            vec![row(path, Need::Delete, None, Content(is_ok), never())]
        }
        "PUT /-/package/{package}/dist-tags/{tag}" => {
            let told = || Told(400, "the body must be a version in quotes");
            vec![row(path, Need::Publish, Some(NOT_A_DOCUMENT), told(), told())]
        }
        "DELETE /-/package/{package}/dist-tags/{tag}" => {
            let told = || Told(404, "Not found");
            vec![row(path, Need::Publish, None, told(), told())]
        }
        // nobody may, and everybody may know
        "PUT /-/package/{package}/dist-tags" | "POST /-/package/{package}/dist-tags" => {
            let told = || Told(405, "Tags are set and removed one at a time");
            vec![row(path, Need::Greet, Some("{}"), told(), told())]
        }

        "GET /-/ping" => vec![row(path, Need::Greet, None, Content(is_ping), Content(is_ping))],
        "GET /-/whoami" => vec![row(path, Need::Oneself, None, Content(is_whoami), Content(is_whoami))],
        "GET /-/user/{user}" => vec![row(path, Need::Oneself, None, Content(is_profile), Content(is_profile))],
        "PUT /-/user/{user}" | "PUT /-/user/{user}/-rev/{rev}" => {
            let told = || Told(400, "");
            vec![row(path, Need::SignIn, Some(NOT_A_DOCUMENT), told(), told())]
        }
        "DELETE /-/user/token/{token}" => {
            let told = || Told(404, "Not found");
            vec![row(path, Need::Tokens, None, told(), told())]
        }
        "GET /-/npm/v1/tokens" => vec![row(path, Need::Tokens, None, Content(is_token_list), Content(is_token_list))],
        "POST /-/npm/v1/tokens" => {
            let told = || Told(400, "");
            vec![row(path, Need::Tokens, Some(NOT_A_DOCUMENT), told(), told())]
        }
        "DELETE /-/npm/v1/tokens/token/{key}" => {
            let told = || Told(404, "Not found");
            vec![row(path, Need::Tokens, None, told(), told())]
        }
        "POST /-/npm/v1/security/advisories/bulk"
        | "POST /-/npm/v1/security/audits/quick"
        | "POST /-/npm/v1/security/audits" => {
            vec![row(path, Need::Greet, Some("{}"), Content(is_object), Content(is_object))]
        }
        _ => Vec::new(),
    }
}

/// What nobody gets of a package that is not there.
fn never() -> Gets {
    Gets::Content(|subject, _, response| {
        panic!("{} is not there, yet:\n{response}", subject.name);
    })
}

fn is_packument(subject: &Subject, _: &Caller, response: &Response) {
    let document = read(response);
    assert_eq!(document["name"], json!(subject.name));
    assert_eq!(document["dist-tags"], json!({"latest": VERSION}));
    assert_eq!(document["versions"][VERSION]["name"], json!(subject.name));
}

fn is_manifest(subject: &Subject, _: &Caller, response: &Response) {
    let document = read(response);
    assert_eq!(document["name"], json!(subject.name));
    assert_eq!(document["version"], json!(VERSION));
}

fn is_tarball(subject: &Subject, _: &Caller, response: &Response) {
    assert_eq!(response.status, 200, "{response}");
    assert!(response.body == estate::tarball(&subject.name), "other bytes than were published");
}

fn is_tag_list(_: &Subject, _: &Caller, response: &Response) {
    assert_eq!(read(response), json!({"latest": VERSION}));
}

fn is_ok(_: &Subject, _: &Caller, response: &Response) {
    assert_eq!(response.status, 201, "{response}");
    assert_eq!(response.json()["ok"], json!(true));
}

fn is_object(_: &Subject, _: &Caller, response: &Response) {
    assert!(read(response).is_object());
}

fn is_ping(_: &Subject, _: &Caller, response: &Response) {
    assert_eq!(read(response), json!({}));
}

fn is_whoami(_: &Subject, caller: &Caller, response: &Response) {
    assert_eq!(read(response), json!({"username": caller.login}));
    assert_eq!(response.header("cache-control"), Some("no-store"));
}

/// What is known of a user is told to themselves.
fn is_profile(_: &Subject, caller: &Caller, response: &Response) {
    if caller.login == "stranger" {
        assert_eq!(read(response)["name"], json!("stranger"));
    } else {
        assert_eq!(response.status, 404, "{response}");
    }
}

/// Everybody has the same number of tokens; a page shows ten.
fn is_token_list(_: &Subject, _: &Caller, response: &Response) {
    let list = read(response);
    let objects = list["objects"].as_array().unwrap();
    assert!(!objects.is_empty(), "{response}");
    assert!(list["urls"].is_object(), "{response}");
}

#[track_caller]
fn read(response: &Response) -> Value {
    assert_eq!(response.status, 200, "{response}");
    response.json()
}
