//! Scopes of tokens (`spec/oci.md` 5.4): what clients ask for, as needs, and back.

use packhouse_core::policy::Need;
use packhouse_wire::Head;

use crate::Tenancy;
use crate::name;
use crate::route::{Source, mount_source};

/// The needs that scopes ask for. What is malformed or unknown is passed over: a client learns
/// by what it is granted.
pub(crate) fn needs<'a>(
    scopes: impl Iterator<Item = &'a str>,
    head: &Head,
    tenancy: Tenancy,
) -> Vec<Need> {
    scopes
        .flat_map(str::split_whitespace)
        .filter_map(|scope| parse(scope, head, tenancy))
        .flatten()
        .collect()
}

/// `type[(class)]:name:action,…`; the name may hold a port, so the outer colons separate.
fn parse(scope: &str, head: &Head, tenancy: Tenancy) -> Option<Vec<Need>> {
    let (kind, rest) = scope.split_once(':')?;
    let (name, actions) = rest.rsplit_once(':')?;
    let kind = kind.split('(').next().unwrap_or(kind);
    let actions: Vec<&str> = actions.split(',').collect();
    let has = |action| actions.contains(&action) || actions.contains(&"*");
    match kind {
        "repository" => {
            let own_host = format!("{}/", head.base.authority());
            let name = name.strip_prefix(&own_host).unwrap_or(name);
            let package = name::package(name, tenancy).ok()?;
            let mut needs = Vec::with_capacity(3);
            if has("pull") {
                needs.push(Need::Read(package.clone()));
            }
            if has("push") {
                needs.push(Need::Publish(package.clone()));
            }
            if has("delete") {
                needs.push(Need::Curate(package));
            }
            Some(needs)
        }
        "registry" if name == "catalog" && has("*") => Some(vec![Need::Browse(None)]),
        _ => None,
    }
}

/// What was granted, in the words of scopes: one a repository.
pub(crate) fn granted(needs: &[Need]) -> String {
    let mut scopes: Vec<(String, Vec<&str>)> = Vec::new();
    for need in needs {
        let (resource, action) = match need {
            Need::Read(package) => (format!("repository:{}", name::full(package)), "pull"),
            Need::Publish(package) => (format!("repository:{}", name::full(package)), "push"),
            Need::Curate(package) => (format!("repository:{}", name::full(package)), "delete"),
            Need::Browse(_) => ("registry:catalog".to_owned(), "*"),
            _ => continue,
        };
        match scopes.iter_mut().find(|(known, _)| *known == resource) {
            Some((_, actions)) => actions.push(action),
            None => scopes.push((resource, vec![action])),
        }
    }
    let texts: Vec<String> = scopes
        .into_iter()
        .map(|(resource, actions)| format!("{resource}:{}", actions.join(",")))
        .collect();
    texts.join(" ")
}

/// What a challenge asks for; nothing for a need that any token grants.
pub(crate) fn wanted(need: &Need, head: &Head, tenancy: Tenancy) -> Option<String> {
    match need {
        Need::Read(package) => Some(format!("repository:{}:pull", name::full(package))),
        Need::Publish(package) => {
            let mut scope = format!("repository:{}:pull,push", name::full(package));
            if head.query_value("mount").is_some()
                && let Source::Package(from) = mount_source(head, tenancy)
            {
                scope.push_str(&format!(" repository:{}:pull", name::full(&from)));
            }
            Some(scope)
        }
        Need::Curate(package) => Some(format!("repository:{}:delete", name::full(package))),
        Need::Browse(_) => Some("registry:catalog:*".to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, Method};
    use packhouse_wire::{BaseUrl, Path};

    use super::*;

    fn head() -> Head {
        Head {
            method: Method::GET,
            path: Path::parse("/token").unwrap(),
            query: String::new(),
            headers: HeaderMap::new(),
            base: BaseUrl::new("https://reg.example.com:5000").unwrap(),
        }
    }

    fn read(scopes: &[&str]) -> String {
        let scopes = scopes.iter().copied();
        granted(&needs(scopes, &head(), Tenancy::Container))
    }

    #[test]
    fn scopes_are_read_as_sets() {
        let both = "repository:acme/app:pull,push";
        assert_eq!(read(&[both]), both);
        assert_eq!(read(&["repository:acme/app:push,pull"]), both);
        assert_eq!(read(&["repository(plugin):acme/app:pull,push"]), both);
        assert_eq!(
            read(&["repository:reg.example.com:5000/acme/app:pull,push"]),
            both
        );
        assert_eq!(
            read(&[
                "repository:a/x:pull repository:b/y:pull,push",
                "registry:catalog:*"
            ]),
            "repository:a/x:pull repository:b/y:pull,push registry:catalog:*"
        );
        assert_eq!(
            read(&["repository:acme/app:*"]),
            "repository:acme/app:pull,push,delete"
        );
    }

    #[test]
    fn what_is_no_scope_is_passed_over() {
        for scope in [
            "",
            "repository",
            "repository::pull",
            "repository:acme/app:",
            "repository:acme/app:frobnicate",
            "repository:app:pull",
            "package:acme/app:pull",
            "registry:other:*",
            "registry:catalog:pull",
        ] {
            assert_eq!(read(&[scope]), "", "{scope}");
        }
    }
}
