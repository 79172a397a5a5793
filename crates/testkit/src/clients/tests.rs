use std::io::Write as _;
use std::path::PathBuf;

use serde_json::json;

use super::*;

/// A client that shows its surroundings.
fn shell() -> Client {
    Client {
        package: NPM_11,
        program: PathBuf::from("/bin/sh"),
        script: None,
        npm: None,
    }
}

#[test]
fn a_client_that_is_not_prepared_is_named_with_its_version() {
    let folder = tempfile::tempdir().unwrap();
    let missing = Client::find(&NPM_11, folder.path()).unwrap_err();
    let expected = format!("npm 11.21.2 is not in {}", folder.path().display());
    assert_eq!(missing, expected);
}

#[test]
fn a_client_sees_nothing_of_the_test_s_own_environment() {
    let mut project = NpmProject::new(&shell(), &json!({"name": "x"}));
    project.env("GIVEN", "yes");
    let output = project.run(&["-c", "env | cut -d= -f1 | sort"]);
    let names: Vec<&str> = output.stdout.lines().collect();
    for name in &names {
        assert!(
            [
                "GIVEN",
                "HOME",
                "PATH",
                "PWD",
                "OLDPWD",
                "SHLVL",
                "TMPDIR",
                "_",
                "NO_COLOR",
                "DO_NOT_TRACK",
                "DENO_NO_UPDATE_CHECK",
                "JSR_URL"
            ]
            .contains(name),
            "{names:?}"
        );
    }
    assert!(names.contains(&"GIVEN"), "{names:?}");
}

#[test]
fn a_project_s_settings_hold_scope_registry_and_token() {
    let project = NpmProject::new(&shell(), &json!({"name": "x"}));
    project.use_registry(
        &["@acme"],
        "http://127.0.0.1:8080/_registry/npm",
        Some("phk_1"),
    );
    assert_eq!(
        project.read(".npmrc"),
        "@acme:registry=http://127.0.0.1:8080/_registry/npm/\n\
         //127.0.0.1:8080/_registry/npm/:_authToken=phk_1\n"
    );
    project.use_registry(&["@acme"], "http://127.0.0.1:8080/_registry/npm/", None);
    assert!(!project.read(".npmrc").contains("_authToken"));
}

#[test]
fn the_default_registry_is_a_closed_port() {
    let Some(npm) = Client::npm11() else { return };
    let project = NpmProject::new(&npm, &json!({"name": "x", "version": "1.0.0"}));
    let registry = project.run(&["config", "get", "registry"]).expect_success();
    assert_eq!(registry.stdout.trim(), NOWHERE);
    let install = project.run(&["install", "left-pad"]);
    assert!(!install.success());
    assert!(install.stderr.contains("ECONNREFUSED"), "{install}");
}

#[test]
fn npm_asks_a_scope_s_own_registry_with_its_token() {
    use std::io::{BufRead, BufReader};

    let Some(npm) = Client::npm11() else { return };
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let base = format!("http://{}/_registry/npm/", listener.local_addr().unwrap());
    let serving = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let head: Vec<String> = BufReader::new(&stream)
            .lines()
            .map_while(Result::ok)
            .take_while(|line| !line.is_empty())
            .collect();
        stream
            .write_all(
                b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}",
            )
            .unwrap();
        head
    });
    let project = NpmProject::new(&npm, &json!({"name": "x", "version": "1.0.0"}));
    project.use_registry(&["@acme"], &base, Some("phk_1"));
    let install = project.run(&["view", "@acme/left-pad"]);
    assert!(install.stderr.contains("E404"), "{install}");
    let head = serving.join().unwrap();
    assert_eq!(head[0], "GET /_registry/npm/@acme%2fleft-pad HTTP/1.1");
    assert!(
        head.contains(&"authorization: Bearer phk_1".to_owned()),
        "{head:?}"
    );
}
