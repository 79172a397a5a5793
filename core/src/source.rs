//! The repository that a package says it comes from (`spec/github-packages.md` 5.4).

use packhouse_names::{Login, RepoName};

use crate::model::RepositoryRef;

/// The repository of this house that a text names, where it is the owner's.
///
/// An address must name this host (`host`, its port is not looked at); a shorthand,
/// `owner/name`, is always ours. Any other repository is somebody else's, and the package is
/// published without a link.
#[must_use]
pub fn repository(text: &str, host: &str, owner: &Login) -> Option<RepositoryRef> {
    let text = text.trim();
    let (found, name) = match shorthand(text) {
        Some(pair) => pair,
        None => in_url(text, host)?,
    };
    let found = Login::new(found).ok()?;
    (found == *owner).then_some(RepositoryRef {
        owner: found,
        name: RepoName::new(name).ok()?,
    })
}

/// `owner/name`, without a host.
#[must_use]
pub fn shorthand(text: &str) -> Option<(&str, &str)> {
    let (owner, name) = text.split_once('/')?;
    let is_plain = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
    };
    let name = without_suffix(name);
    (is_plain(owner) && !owner.starts_with('.') && is_plain(name)).then_some((owner, name))
}

/// `https://`, `git://` and `ssh://` addresses, each also with `git+` before it, and `git@host:`.
fn in_url<'a>(text: &'a str, host: &str) -> Option<(&'a str, &'a str)> {
    let text = text.strip_prefix("git+").unwrap_or(text);
    let (authority, path) = match text.split_once("://") {
        Some(("http" | "https" | "git" | "ssh", rest)) => rest.split_once('/')?,
        Some(_) => return None,
        None => text.strip_prefix("git@")?.split_once(':')?,
    };
    let named = authority
        .rsplit_once('@')
        .map_or(authority, |(_user, host)| host);
    if !without_port(named).eq_ignore_ascii_case(without_port(host)) {
        return None;
    }
    let (owner, rest) = path.split_once('/')?;
    let name = without_suffix(rest).trim_end_matches('/');
    Some((owner, name))
}

fn without_suffix(name: &str) -> &str {
    let name = name.split(['#', '?']).next().unwrap_or(name);
    name.strip_suffix(".git").unwrap_or(name)
}

fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => authority,
    }
}
