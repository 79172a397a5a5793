use super::*;
use http::HeaderMap;
use packhouse_wire::{BaseUrl, Path};

fn head(path: &str, accept: Option<&str>) -> Head {
    let headers = accept.map(|accept| (http::header::ACCEPT, accept.parse().unwrap()));
    Head {
        method: Method::GET,
        path: Path::parse(path).unwrap(),
        query: String::new(),
        headers: HeaderMap::from_iter(headers),
        base: BaseUrl::new("https://npm.example").unwrap(),
    }
}

#[test]
fn the_short_form_is_for_those_who_name_it() {
    for (accept, expected) in [
        (
            Some("application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8, */*"),
            true,
        ),
        (Some("application/vnd.npm.install-v1+json"), true),
        (
            Some("text/html, Application/vnd.npm.install-v1+json;q=0.1"),
            true,
        ),
        (Some("application/vnd.npm.install-v1+json;q=0, */*"), false),
        (Some("application/vnd.npm.install-v1+json; q=0.0"), false),
        (Some("application/json"), false),
        (Some("*/*"), false),
        (None, false),
    ] {
        let asked = route(&head("/@s%2fn", accept), None).unwrap();
        let Asked::Read(_, read) = asked else {
            panic!("a packument is read");
        };
        assert_eq!(
            read,
            Read::Packument {
                abbreviated: expected
            },
            "{accept:?}"
        );
    }
}

#[test]
fn a_tarball_is_named_with_or_without_its_own_scope() {
    for (path, expected) in [
        ("/@s/n/-/n-1.0.0.tgz", Some("n-1.0.0.tgz")),
        ("/@s/n/-/@s/n-1.0.0.tgz", Some("n-1.0.0.tgz")),
        ("/@s/n/-/@s%2fn-1.0.0.tgz", Some("n-1.0.0.tgz")),
        ("/@s/n/-/n-1.0.0%2Bb.tgz", Some("n-1.0.0+b.tgz")),
        ("/@s/n/-/@other/n-1.0.0.tgz", None),
        ("/@s/n/-/x%2fn-1.0.0.tgz", None),
    ] {
        let Ok(Asked::Read(_, Read::Tarball { file })) = route(&head(path, None), None) else {
            panic!("{path} names a tarball");
        };
        assert_eq!(file.as_ref().map(FileName::as_str), expected, "{path}");
    }
}
