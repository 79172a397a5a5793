use super::*;

fn normalized(text: &str) -> String {
    let mut manifest = Manifest::parse(text).unwrap();
    manifest.normalize("@acme/widget");
    manifest.to_json(|_| true)
}

#[test]
fn every_field_is_brought_into_one_form() {
    for (given, expected) in [
        (r#"{"bin":"./cli.js"}"#, r#"{"bin":{"widget":"cli.js"}}"#),
        (
            r#"{"bin":["./a/b.js","../../../c.js",1]}"#,
            r#"{"bin":{"b.js":"a/b.js","c.js":"c.js"}}"#,
        ),
        (
            r#"{"bin":{"../../evil":"x\\y.js","gone":5,"":"a","up":".."}}"#,
            r#"{"bin":{"evil":"x/y.js"}}"#,
        ),
        (r#"{"bin":7}"#, "{}"),
        (
            r#"{"bundledDependencies":["a",1]}"#,
            r#"{"bundleDependencies":["a"]}"#,
        ),
        (
            r#"{"dependencies":{"a":"1","b":"2"},"bundleDependencies":true}"#,
            r#"{"dependencies":{"a":"1","b":"2"},"bundleDependencies":["a","b"]}"#,
        ),
        (
            r#"{"bundleDependencies":{"a":"1"}}"#,
            r#"{"bundleDependencies":["a"]}"#,
        ),
        (r#"{"bundleDependencies":false}"#, "{}"),
        (
            r#"{"dependencies":{"a":"1","b":"2"},"optionalDependencies":{"b":"2"}}"#,
            r#"{"dependencies":{"a":"1"},"optionalDependencies":{"b":"2"}}"#,
        ),
        (
            r#"{"dependencies":["a@^1","@s/b@2","c >=3","d",4]}"#,
            r#"{"dependencies":{"@s/b":"2","a":"^1","c":">=3","d":""}}"#,
        ),
        (
            r#"{"dependencies":"a@1, b@2"}"#,
            r#"{"dependencies":{"a":"1","b":"2"}}"#,
        ),
        (
            r#"{"dependencies":{"a":"1","b":null,"c":{}}}"#,
            r#"{"dependencies":{"a":"1"}}"#,
        ),
        (
            r#"{"repository":"https://h/a/b"}"#,
            r#"{"repository":{"type":"git","url":"https://h/a/b"}}"#,
        ),
        (
            r#"{"repository":"acme/widget"}"#,
            r#"{"repository":{"type":"git","url":"git+https://github.com/acme/widget.git"}}"#,
        ),
        (
            r#"{"repository":{"url":"x","directory":"d"}}"#,
            r#"{"repository":{"directory":"d","type":"git","url":"x"}}"#,
        ),
        (r#"{"repository":["x"]}"#, "{}"),
        (
            r#"{"funding":["https://x",{"url":"y"},3]}"#,
            r#"{"funding":[{"url":"https://x"},{"url":"y"}]}"#,
        ),
        (r#"{"funding":"z"}"#, r#"{"funding":{"url":"z"}}"#),
        (
            r#"{"bugs":"https://x/issues"}"#,
            r#"{"bugs":{"url":"https://x/issues"}}"#,
        ),
        (
            r#"{"bugs":"bugs@acme.example"}"#,
            r#"{"bugs":{"email":"bugs@acme.example"}}"#,
        ),
        (
            r#"{"author":"Ann Other <ann@acme.example> (https://ann.example)"}"#,
            r#"{"author":{"email":"ann@acme.example","name":"Ann Other","url":"https://ann.example"}}"#,
        ),
        (
            r#"{"contributors":["Bob",{"name":"C"},9,""]}"#,
            r#"{"contributors":[{"name":"Bob"},{"name":"C"}]}"#,
        ),
        (r#"{"keywords":"a, b,,c"}"#, r#"{"keywords":["a","b","c"]}"#),
        (r#"{"keywords":["a",1]}"#, r#"{"keywords":["a"]}"#),
        (
            r#"{"license":{"type":"MIT","url":"u"}}"#,
            r#"{"license":"MIT"}"#,
        ),
        (
            r#"{"licenses":[{"type":"MIT"},{"type":"ISC"}]}"#,
            r#"{"licenses":[{"type":"MIT"},{"type":"ISC"}],"license":"MIT OR ISC"}"#,
        ),
        (
            r#"{"licence":"ISC"}"#,
            r#"{"licence":"ISC","license":"ISC"}"#,
        ),
        (r#"{"license":["MIT",""]}"#, r#"{"license":"MIT"}"#),
        (r#"{"license":7}"#, "{}"),
        (
            r#"{"_id":"x","_from":"y","_npmVersion":"11","_hasShrinkwrap":true}"#,
            r#"{"_npmVersion":"11"}"#,
        ),
        (
            r#"{"scripts":{"test":"t","bad":{},"worse":null}}"#,
            r#"{"scripts":{"test":"t"}}"#,
        ),
        (r#"{"scripts":"x"}"#, "{}"),
        (r#"{"description":{"a":1}}"#, "{}"),
        (
            r#"{"readme":"r","dist":{},"maintainers":["x"],"deprecated":"d","main":"i.js"}"#,
            r#"{"main":"i.js"}"#,
        ),
    ] {
        assert_eq!(normalized(given), expected, "{given}");
        assert_eq!(normalized(expected), expected, "again: {given}");
    }
}

#[test]
fn what_has_no_one_form_is_kept_in_its_own_order_without_white_space() {
    assert_eq!(
        normalized("{ \"exports\" : { \"import\" : \"a b\" ,\n\"default\": [ 1 , \"\\\" :\" ] } }"),
        r#"{"exports":{"import":"a b","default":[1,"\" :"]}}"#
    );
}

#[test]
fn of_a_key_that_comes_twice_the_last_value_holds() {
    assert_eq!(
        normalized(r#"{"main":"a","x":1,"main":"b"}"#),
        r#"{"main":"b","x":1}"#
    );
}

#[test]
fn only_an_object_of_bearable_depth_is_a_manifest() {
    for text in ["", "[]", "7", "{", "{\"a\":}", "{}x"] {
        assert!(Manifest::parse(text).is_err(), "{text}");
    }
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(500), "]".repeat(500));
    assert_eq!(
        Manifest::parse(&deep),
        Err("it is nested too deeply".to_owned())
    );
    let fields: Vec<String> = (0..=MAX_FIELDS).map(|n| format!("\"{n}\":1")).collect();
    assert_eq!(
        Manifest::parse(&format!("{{{}}}", fields.join(","))),
        Err("it has more than 1000 fields".to_owned())
    );
    assert!(from_tarball(b"\xef\xbb\xbf{}").is_ok());
    assert!(from_tarball(b"\xff{}").is_err());
}

#[test]
fn a_script_counts_only_when_it_says_something() {
    let manifest =
        Manifest::parse(r#"{"scripts":{"install":" ","postinstall":"x","test":1}}"#).unwrap();
    assert!(manifest.has_script("postinstall"));
    for name in ["install", "test", "none"] {
        assert!(!manifest.has_script(name), "{name}");
    }
}
