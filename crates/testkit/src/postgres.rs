//! A PostgreSQL server of the tests' own.
//!
//! Debian starts a cluster on port 5432 with the package; that one is never touched.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "only tests link this crate: a broken expectation is a failed test, and a skipped \
              suite must be seen"
)]

use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

/// Names a server that runs already: `postgres://USER@HOST:PORT/DATABASE`. Its databases are left
/// to whoever started it.
pub const URL_VARIABLE: &str = "PACKHOUSE_TEST_POSTGRES_URL";

const USER: &str = "packhouse";

/// Waits until its standard input closes, which the death of the parent does too, however it
/// comes; then stops the server at once, without a last checkpoint, and removes its folder. If the server ends first, so does
/// this, and leaves the folder for another attempt.
const KEEPER: &str = r#"
folder=$1; shift
( "$@" </dev/null >"$folder/log" 2>&1; kill -s TERM $$ ) &
read -r _
trap '' TERM
kill -s QUIT "$(head -n 1 "$folder/data/postmaster.pid")"
wait
rm -rf "$folder"
"#;

/// Whether commits wait for the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// As in production: for tests about commits.
    Full,
    /// Lost with the machine, which a test does not outlive either.
    None,
}

/// A running server; dropping it stops it and removes its files.
#[derive(Debug)]
pub struct PostgresServer {
    url: String,
    psql: PathBuf,
    keeper: Option<Child>,
}

impl PostgresServer {
    /// The one server of this test process: the one that [`URL_VARIABLE`] names, or one that is
    /// started now and ends with the process. `None`, said on standard error, where PostgreSQL is
    /// not installed.
    ///
    /// # Panics
    ///
    /// When it cannot be started, or is not installed in CI (`CI=true`).
    #[must_use]
    pub fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<PostgresServer>> = OnceLock::new();
        SHARED
            .get_or_init(|| match std::env::var(URL_VARIABLE) {
                Ok(url) => Some(Self {
                    url,
                    psql: binaries().map_or_else(|| "psql".into(), |folder| folder.join("psql")),
                    keeper: None,
                }),
                Err(_unset) => Self::start(Path::new("/tmp"), Durability::Full),
            })
            .as_ref()
    }

    /// Starts a server with its files in a new folder of `parent`, whose path must be short:
    /// a socket's path holds 107 bytes. `None` where PostgreSQL is not installed.
    ///
    /// # Panics
    ///
    /// When it cannot be started, or is not installed in CI (`CI=true`).
    #[must_use]
    pub fn start(parent: &Path, durability: Durability) -> Option<Self> {
        let Some(binaries) = binaries() else {
            assert!(
                std::env::var("CI").as_deref() != Ok("true"),
                "CI must have PostgreSQL's server: apt-get install postgresql"
            );
            eprintln!(
                "SKIPPED: nothing is tested on PostgreSQL, for /usr/lib/postgresql is not there"
            );
            return None;
        };
        let folder = tempfile::Builder::new()
            .prefix("phpg")
            .tempdir_in(parent)
            .expect("a folder for PostgreSQL")
            .keep();
        let account = Account::for_server();
        account.own(&folder);
        let data = folder.join("data");
        let mut initdb = account.command(&binaries.join("initdb"));
        initdb
            .args(["-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8"])
            .arg("--no-sync")
            .arg("-D")
            .arg(&data);
        run(&mut initdb);

        // another process can take the port between our asking and the server's binding
        for _attempt in 0..3 {
            let port = free_port();
            let mut keeper = serve(&account, &binaries, &folder, port, durability);
            if is_ready(&mut keeper, &binaries, port) {
                return Some(Self {
                    url: format!("postgres://{USER}@127.0.0.1:{port}/postgres"),
                    psql: binaries.join("psql"),
                    keeper: Some(keeper),
                });
            }
        }
        let log = fs::read_to_string(folder.join("log")).unwrap_or_default();
        fs::remove_dir_all(&folder).expect("the folder can be removed");
        panic!("PostgreSQL does not start:\n{log}");
    }

    /// The address of the server's own database, for a process that is to share the server.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Makes an empty database and gives its address. It goes when the server goes.
    ///
    /// # Panics
    ///
    /// When the server refuses.
    #[must_use]
    pub fn new_database(&self) -> String {
        let name = format!("test_{:016x}", RandomState::new().hash_one(()));
        let mut psql = Command::new(&self.psql);
        psql.args(["--no-psqlrc", "--quiet", "--command"])
            .arg(format!("create database {name}"))
            .arg(&self.url);
        run(&mut psql);
        let (server, query) = match self.url.split_once('?') {
            Some((server, query)) => (server, format!("?{query}")),
            None => (self.url.as_str(), String::new()),
        };
        let (server, _database) = server
            .rsplit_once('/')
            .expect("the server's address ends with a database");
        format!("{server}/{name}{query}")
    }

    /// Waits until nobody is connected to a database of this server. What a killed process asked
    /// for last goes on without it: only then is it known what became of that.
    ///
    /// # Panics
    ///
    /// When somebody still is after half a minute.
    pub fn wait_until_left(&self, database_url: &str) {
        const SESSIONS: &str = "select count(*) from pg_stat_activity \
             where datname = current_database() and pid <> pg_backend_pid() \
             and backend_type = 'client backend'";
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let mut psql = Command::new(&self.psql);
            psql.args(["--no-psqlrc", "-tAc", SESSIONS])
                .arg(database_url);
            let sessions = run(&mut psql);
            if sessions.trim() == "0" {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "{} sessions are still open",
                sessions.trim()
            );
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        if let Some(mut keeper) = self.keeper.take() {
            // closing its standard input is the word to stop
            drop(keeper.stdin.take());
            let _status = keeper.wait();
        }
    }
}

/// The newest installed server's programs.
fn binaries() -> Option<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .ok()?
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let version = path.file_name()?.to_str()?.parse().ok()?;
            path.join("bin/postgres")
                .is_file()
                .then(|| (version, path.join("bin")))
        })
        .collect();
    versions.sort();
    versions.pop().map(|(_, folder)| folder)
}

/// Who runs the server: PostgreSQL refuses to be root.
enum Account {
    Ourselves,
    Nobody,
}

impl Account {
    fn for_server() -> Self {
        let is_root = fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
        if is_root {
            Self::Nobody
        } else {
            Self::Ourselves
        }
    }

    fn own(&self, folder: &Path) {
        if matches!(self, Self::Nobody) {
            run(Command::new("chown").arg("nobody:nogroup").arg(folder));
        }
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = match self {
            Self::Ourselves => Command::new(program),
            Self::Nobody => {
                let mut command = Command::new("setpriv");
                command
                    .args(["--reuid=nobody", "--regid=nogroup", "--clear-groups"])
                    .arg(program);
                command
            }
        };
        // nobody may not look into the folder that the tests run in
        command.current_dir("/");
        command
    }
}

fn serve(
    account: &Account,
    binaries: &Path,
    folder: &Path,
    port: u16,
    durability: Durability,
) -> Child {
    let server = account.command(&binaries.join("postgres"));
    let mut keeper = Command::new("sh");
    keeper
        .args(["-c", KEEPER, "postgres-keeper"])
        .arg(folder)
        .arg(server.get_program())
        .args(server.get_args())
        .arg("-D")
        .arg(folder.join("data"))
        .args(["-p", &port.to_string()])
        .args(["-c", "listen_addresses=127.0.0.1"])
        .args(["-c", "max_connections=200"])
        .arg("-c")
        .arg(format!("unix_socket_directories={}", folder.display()))
        .args(match durability {
            Durability::Full => ["-c", "fsync=on"],
            Durability::None => ["-c", "fsync=off"],
        })
        .current_dir("/")
        .stdin(Stdio::piped())
        // what interrupts the tests must reach the keeper as a closed pipe, not as a signal
        .process_group(0);
    keeper.spawn().expect("a shell that keeps PostgreSQL")
}

fn is_ready(keeper: &mut Child, binaries: &Path, port: u16) -> bool {
    let deadline = Instant::now() + Duration::from_secs(60);
    while Instant::now() < deadline {
        let answer = Command::new(binaries.join("pg_isready"))
            .args(["-q", "-h", "127.0.0.1", "-p", &port.to_string()])
            .status()
            .expect("pg_isready runs");
        if answer.success() {
            return true;
        }
        if keeper.try_wait().expect("the keeper is a child").is_some() {
            return false;
        }
        thread::sleep(Duration::from_millis(50));
    }
    false
}

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .expect("the system has a free loopback port")
        .port()
}

/// Runs a command that must succeed, and gives what it printed.
fn run(command: &mut Command) -> String {
    let output = command.output().expect("the command can be started");
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::sync::mpsc::{self, RecvTimeoutError};

    use super::*;

    #[test]
    fn a_server_gives_databases_and_leaves_nothing_behind() {
        let parent = tempfile::tempdir_in("/tmp").unwrap();
        // nobody must pass through it
        run(Command::new("chmod").arg("755").arg(parent.path()));
        let Some(server) = PostgresServer::start(parent.path(), Durability::None) else {
            return;
        };
        let (first, second) = (server.new_database(), server.new_database());
        assert_ne!(first, second);
        let one = Command::new(&server.psql)
            .args(["--no-psqlrc", "-tAc", "select 1"])
            .arg(&first)
            .output()
            .unwrap();
        assert_eq!(String::from_utf8_lossy(&one.stdout), "1\n");

        drop(server);
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_database_is_left_when_its_last_session_ends() {
        let parent = tempfile::tempdir_in("/tmp").unwrap();
        run(Command::new("chmod").arg("755").arg(parent.path()));
        let Some(server) = PostgresServer::start(parent.path(), Durability::None) else {
            return;
        };
        let database = server.new_database();
        server.wait_until_left(&database);

        let mut session = Command::new(&server.psql)
            .args(["--no-psqlrc", "-tA"])
            .arg(&database)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = session.stdin.take().unwrap();
        writeln!(input, "select 1;").unwrap();
        let mut line = String::new();
        BufReader::new(session.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        assert_eq!(line, "1\n");
        thread::scope(|scope| {
            let (sender, left) = mpsc::sync_channel(1);
            let (server, database) = (&server, &database);
            scope.spawn(move || {
                server.wait_until_left(database);
                sender.send(()).unwrap();
            });
            let early = left.recv_timeout(Duration::from_millis(300));
            drop(input);
            assert_eq!(early, Err(RecvTimeoutError::Timeout));
            left.recv().unwrap();
        });
        assert!(session.wait().unwrap().success());
    }
}
