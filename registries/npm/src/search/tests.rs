use super::*;
use http::{HeaderMap, Method};
use packhouse_wire::{BaseUrl, Path};

fn ask(query_text: &str) -> Option<Query> {
    let head = Head {
        method: Method::GET,
        path: Path::parse("/-/v1/search").unwrap(),
        query: query_text.to_owned(),
        headers: HeaderMap::new(),
        base: BaseUrl::new("https://npm.example").unwrap(),
    };
    let text = head.query_value("text").unwrap_or_default();
    query(&head, &text)
}

#[test]
fn sizes_and_weights_are_clamped_and_never_an_error() {
    for (given, size) in [
        ("text=a", 20),
        ("text=a&size=0", 1),
        ("text=a&size=251", 250),
        ("text=a&size=-3", 20),
        ("text=a&size=ten", 20),
    ] {
        assert_eq!(ask(given).unwrap().size, size, "{given}");
    }
    let asked = ask("text=a&quality=7&popularity=-1&maintenance=NaN&from=40").unwrap();
    assert_eq!(
        asked.weights,
        Weights {
            quality: 1.0,
            popularity: 0.0,
            maintenance: 0.5
        }
    );
    assert_eq!(asked.from, 40);
}

#[test]
fn qualifiers_are_taken_out_of_the_text() {
    let asked =
        ask("text=left+author:ann+scope:@Acme+maintainer:bo+keywords:a,B,-c%2Bd+not:unstable+pad")
            .unwrap();
    assert_eq!(asked.text, "left pad");
    assert_eq!(asked.exact, None);
    assert_eq!(asked.people, ["ann", "bo"]);
    assert_eq!(asked.owner.unwrap().as_str(), "Acme");
    assert_eq!(
        asked.keywords,
        [vec!["a".to_owned(), "b".to_owned()], vec!["d".to_owned()]]
    );
    assert_eq!(asked.no_keywords, ["c"]);
    assert_eq!(asked.is_unstable, Some(false));
}

#[test]
fn one_word_is_a_name_unless_the_client_says_otherwise() {
    assert_eq!(ask("text=Widget").unwrap().exact.as_deref(), Some("widget"));
    assert_eq!(ask("text=widget+boost-exact:false").unwrap().exact, None);
    assert_eq!(ask("text=left+pad").unwrap().exact, None);
}

#[test]
fn what_cannot_exist_is_not_looked_for() {
    assert!(ask("text=is:insecure").is_none());
    assert!(ask("text=scope:not%20..a+scope:..").is_none());
    assert!(ask("text=not:insecure").is_some());
}
