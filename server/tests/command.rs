//! The binary as an operator meets it: command line, configuration, data folder, signals.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test that cannot be set up has failed, and a skip is said loudly"
)]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Nothing here takes longer, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(30);

fn packhouse() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_packhouse"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PACKHOUSE_")) {
        command.env_remove(name);
    }
    command
}

fn run(command: &mut Command) -> (bool, String, String) {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let code = wait(&mut child);
    let Output { stdout, stderr, .. } = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (code == Some(0), text(stdout), text(stderr))
}

/// The exit code; `None` for a process that had to be killed because it does not end.
fn wait(child: &mut Child) -> Option<i32> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match child.try_wait().unwrap() {
            Some(status) => return status.code(),
            None if Instant::now() > deadline => {
                child.kill().unwrap();
                return None;
            }
            None => std::thread::yield_now(),
        }
    }
}

fn admin(data_dir: &Path, line: &str) -> (bool, String, String) {
    run(packhouse()
        .arg("admin")
        .args(line.split(' '))
        .arg("--data-dir")
        .arg(data_dir))
}

/// A running server; killed when the test forgets it.
struct Server {
    child: Child,
    /// After `listening on `.
    url: String,
}

impl Server {
    fn start(data_dir: &Path, arguments: &[&str]) -> Self {
        let mut child = packhouse()
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(data_dir)
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let Some(url) = line.trim_end().strip_prefix("listening on ") else {
            let mut errors = String::new();
            child
                .stderr
                .take()
                .unwrap()
                .read_to_string(&mut errors)
                .unwrap();
            panic!("no server, but {line:?} and {errors}");
        };
        Self {
            url: url.to_owned(),
            child,
        }
    }

    fn address(&self) -> SocketAddr {
        self.url.split_once("://").unwrap().1.parse().unwrap()
    }

    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(self.address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args([name, &pid])
                .status()
                .unwrap()
                .success()
        );
    }

    /// The exit code and what the log says.
    fn wait(mut self) -> (Option<i32>, String) {
        let code = wait(&mut self.child);
        let mut log = String::new();
        self.child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut log)
            .unwrap();
        (code, log)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // it may have ended already
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn the_nearest_layer_wins_and_check_config_names_it() {
    let scratch = TempDir::new().unwrap();
    let file = scratch.path().join("packhouse.toml");
    fs::write(
        &file,
        "listen = \"127.0.0.1:1\"\ndomain = \"file.example.com\"\nanonymous-read = false\n\
         max-package-bytes = 7\n",
    )
    .unwrap();
    let (succeeded, shown, errors) = run(packhouse()
        .args(["check-config", "--listen", "127.0.0.1:3"])
        .env("PACKHOUSE_CONFIG", &file)
        .env("PACKHOUSE_LISTEN", "127.0.0.1:2")
        .env("PACKHOUSE_DOMAIN", "environment.example.com")
        .env("PACKHOUSE_NPM_ATTESTATIONS", "on"));
    assert!(succeeded, "{errors}");
    for line in [
        "listen = \"127.0.0.1:3\"  # flag",
        "domain = \"environment.example.com\"  # environment",
        "anonymous-read = \"off\"  # file",
        "max-package-bytes = 7  # file",
        "npm-attestations = \"on\"  # environment",
        "log-level = \"info\"  # default",
        "# public-url is not set",
    ] {
        assert!(
            shown.lines().any(|shown| shown == line),
            "{line} is missing in\n{shown}"
        );
    }
    // what is shown is itself a configuration file that says the same
    fs::write(&file, &shown).unwrap();
    let (_, again, errors) = run(packhouse().args(["check-config", "--config"]).arg(&file));
    let values = |text: &str| -> Vec<String> {
        text.lines()
            .map(|line| line.split("  #").next().unwrap().to_owned())
            .collect()
    };
    assert_eq!(values(&again), values(&shown), "{errors}");
}

#[test]
fn a_setting_that_does_not_exist_or_does_not_fit_is_an_error() {
    let scratch = TempDir::new().unwrap();
    let file = scratch.path().join("packhouse.toml");
    for (text, complaint) in [
        ("listne = \"127.0.0.1:1\"", "unknown field `listne`"),
        ("[http]\nlisten = \"127.0.0.1:1\"", "unknown field `http`"),
        ("listen = \"here\"", "invalid socket address"),
        ("anonymous-read = \"yes\"", "on or off is expected"),
        ("database-url = \"mysql://x\"", "sqlite:PATH or postgres://"),
        ("blob-store = \"s3://bucket\"", "local files only"),
        (
            "tls-cert = \"cert.pem\"",
            "tls-cert and tls-key are needed together",
        ),
        ("max-package-bytes = 0", "must not be 0"),
        ("npm-unscoped-owner = \"-\"", "login"),
        ("npm-attestations = \"maybe\"", "on or off is expected"),
    ] {
        fs::write(&file, text).unwrap();
        for command in ["check-config", "serve"] {
            let (succeeded, shown, errors) =
                run(packhouse().args([command, "--config"]).arg(&file));
            assert!(!succeeded && shown.is_empty(), "{text}: {shown}");
            assert_eq!(errors.matches(complaint).count(), 1, "{text}: {errors}");
        }
    }
    let (succeeded, _, errors) = run(packhouse().args(["serve", "--listne", "127.0.0.1:1"]));
    assert!(!succeeded && errors.contains("--listne"), "{errors}");
    let missing = scratch.path().join("missing.toml");
    let (succeeded, _, errors) = run(packhouse().args(["check-config", "--config"]).arg(missing));
    assert!(!succeeded && errors.contains("missing.toml"), "{errors}");
}

#[test]
fn no_secret_leaves_check_config() {
    let url = "postgres://ann:hunter2@db.example.com/packhouse";
    for command in [
        packhouse().args(["check-config", "--database-url", url]),
        packhouse()
            .arg("check-config")
            .env("PACKHOUSE_DATABASE_URL", url),
    ] {
        let (succeeded, shown, errors) = run(command);
        assert!(succeeded, "{errors}");
        assert!(
            shown.contains("postgres://ann:***@db.example.com/packhouse"),
            "{shown}"
        );
        assert!(!format!("{shown}{errors}").contains("hunter2"));
    }
    let (_, help, _) = run(packhouse()
        .args(["serve", "--help"])
        .env("PACKHOUSE_DATABASE_URL", url));
    assert!(!help.contains("hunter2"), "{help}");
}

#[test]
fn the_first_start_leaves_a_token_that_the_log_does_not_show() {
    let scratch = TempDir::new().unwrap();
    let data_dir = scratch.path().join("data");
    let server = Server::start(&data_dir, &[]);
    assert!(server.get("/readyz").starts_with("HTTP/1.1 200"));
    let token_file = data_dir.join("admin-token");
    let token = fs::read_to_string(&token_file).unwrap();
    assert!(
        token.starts_with("phk_") && token.ends_with('\n'),
        "{token}"
    );
    assert_eq!(
        [&data_dir, &token_file, &data_dir.join("admin.sock")].map(|path| mode(path)),
        [0o700, 0o600, 0o600]
    );
    server.signal("-TERM");
    let (code, log) = server.wait();
    assert_eq!(code, Some(0), "{log}");
    assert!(
        log.contains("admin-token") && !log.contains(token.trim()),
        "{log}"
    );

    // the second start makes nothing
    fs::remove_file(&token_file).unwrap();
    let server = Server::start(&data_dir, &[]);
    server.signal("-INT");
    assert_eq!(server.wait().0, Some(0));
    assert!(!token_file.exists());
}

#[test]
fn a_second_server_on_the_same_house_is_refused() {
    let scratch = TempDir::new().unwrap();
    let _server = Server::start(scratch.path(), &[]);
    let elsewhere = TempDir::new().unwrap();
    let database = format!("sqlite:{}", scratch.path().join("packhouse.db").display());
    let (succeeded, out, errors) = run(packhouse()
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(scratch.path()));
    assert!(!succeeded && out.is_empty());
    assert!(errors.contains("another server has this house"), "{errors}");
    // a folder of its own does not make the database its own
    let (succeeded, out, errors) = run(packhouse()
        .args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--database-url",
            &database,
            "--data-dir",
        ])
        .arg(elsewhere.path()));
    assert!(!succeeded && out.is_empty());
    assert!(errors.contains("another server has this house"), "{errors}");
}

#[test]
fn admin_works_before_beside_and_after_a_server() {
    let scratch = TempDir::new().unwrap();
    // deeper than the address of a socket may be long
    let data_dir: PathBuf = scratch.path().join("d".repeat(80)).join("e".repeat(80));
    let succeeds = |line: &str| {
        let (succeeded, out, errors) = admin(&data_dir, line);
        assert!(succeeded, "{line}: {errors}");
        out
    };
    assert_eq!(succeeds("create-user ann"), "");
    assert!(data_dir.join("admin-token").exists());

    let server = Server::start(&data_dir, &[]);
    assert_eq!(succeeds("create-org acme --owner ann"), "");
    let token = succeeds("create-token ann --scopes read:packages,write:packages --expires 30d");
    assert!(
        token.starts_with("phk_") && token.lines().count() == 1,
        "{token}"
    );
    let (succeeded, out, errors) = admin(&data_dir, "create-user ann");
    assert!(
        !succeeded && out.is_empty() && errors.contains("already exists"),
        "{errors}"
    );
    let (succeeded, out, errors) = admin(&data_dir, "suspend-user nobody");
    assert!(
        !succeeded && out.is_empty() && errors.contains("not found"),
        "{errors}"
    );
    server.signal("-TERM");
    assert_eq!(server.wait().0, Some(0));

    assert_eq!(succeeds(&format!("revoke-token {}", token.trim())), "");
    let (succeeded, _, errors) = admin(&data_dir, "create-org acme --owner ann");
    assert!(!succeeded && errors.contains("already exists"), "{errors}");
}

#[test]
fn commands_at_the_same_time_wait_for_each_other() {
    let scratch = TempDir::new().unwrap();
    let results: Vec<_> = std::thread::scope(|scope| {
        let commands: Vec<_> = (0..4)
            .map(|n| {
                let data_dir = scratch.path();
                scope.spawn(move || admin(data_dir, &format!("create-user user{n}")))
            })
            .collect();
        commands
            .into_iter()
            .map(|command| command.join().unwrap())
            .collect()
    });
    for (succeeded, _, errors) in results {
        assert!(succeeded, "{errors}");
    }
}

#[test]
fn a_taken_port_is_said_in_plain_words() {
    let scratch = TempDir::new().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (succeeded, out, errors) = run(packhouse()
        .args(["serve", "--listen", &address, "--data-dir"])
        .arg(scratch.path()));
    assert!(!succeeded && out.is_empty());
    assert!(
        errors.contains(&format!("cannot listen on {address}")),
        "{errors}"
    );
}

/// A certificate for localhost that lasts longer than this code, made by the `openssl` program;
/// `None`, loudly, where there is none.
fn certificate(folder: &Path) -> Option<(PathBuf, PathBuf)> {
    let (certificate, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
        ])
        .args(["-nodes", "-days", "3650", "-subj", "/CN=localhost"])
        .args([
            "-addext",
            "subjectAltName=DNS:localhost,IP:127.0.0.1",
            "-keyout",
        ])
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output();
    match made {
        Ok(output) => {
            assert!(
                output.status.success(),
                "{}",
                String::from_utf8_lossy(&output.stderr)
            );
            Some((certificate, key))
        }
        Err(error) => {
            eprintln!("SKIPPED: no openssl program ({error})");
            None
        }
    }
}

#[test]
fn with_a_certificate_the_listener_speaks_tls() {
    let scratch = TempDir::new().unwrap();
    let Some((certificate, key)) = certificate(scratch.path()) else {
        return;
    };
    let data_dir = scratch.path().join("data");
    let paths = [&certificate, &key].map(|path| path.to_str().unwrap().to_owned());
    let server = Server::start(
        &data_dir,
        &["--tls-cert", &paths[0], "--tls-key", &paths[1]],
    );
    assert!(
        server.url.starts_with("https://127.0.0.1:"),
        "{}",
        server.url
    );

    let mut client = Command::new("openssl")
        .args([
            "s_client",
            "-quiet",
            "-verify_return_error",
            "-verify_hostname",
            "localhost",
        ])
        .args([
            "-CAfile",
            &paths[0],
            "-connect",
            &server.address().to_string(),
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let request = "GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    client
        .stdin
        .as_mut()
        .unwrap()
        .write_all(request.as_bytes())
        .unwrap();
    let mut answer = String::new();
    client
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut answer)
        .unwrap();
    client.wait().unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("ok\n"),
        "{answer}"
    );
}

#[test]
fn a_certificate_that_cannot_be_used_is_said_before_anything_is_made() {
    let scratch = TempDir::new().unwrap();
    let data_dir = scratch.path().join("data");
    let file = scratch.path().join("empty.pem");
    fs::write(&file, "").unwrap();
    let (succeeded, _, errors) = run(packhouse()
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(&data_dir)
        .arg("--tls-cert")
        .arg(&file)
        .arg("--tls-key")
        .arg(&file));
    assert!(!succeeded && errors.contains("empty.pem"), "{errors}");
    assert!(!data_dir.exists());
}
