//! Engines of a test's own: containerd, and Docker's on top of it.
//!
//! They must be root, and they touch nothing outside their folder: no network, no mount that
//! others see, no address but a socket.

use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::alone;
use super::kit::Kit;
use super::tool::{CONTAINERD, CTR, DOCKER, DOCKERD};
use crate::process::{self, Output};

const READY_DEADLINE: Duration = Duration::from_secs(60);
const PROBE_DEADLINE: Duration = Duration::from_secs(10);

/// Waits until its standard input closes, which the death of the parent does too, however it
/// comes; then stops the engine and removes its folder. If the engine ends first, so does this.
const KEEPER: &str = r#"
folder=$1; shift
( "$@" </dev/null >"$folder/log" 2>&1; kill -s TERM $$ ) &
read -r _
trap '' TERM
kill -s TERM "$(cat "$folder/engine")"
wait
rm -rf --one-file-system "$folder"
"#;

/// Says its process id before it becomes the engine.
const ENGINE: &str = r#"echo $$ >"$0/engine" && exec "$@""#;

/// What is needed for an engine.
struct Programs {
    containerd: PathBuf,
    ctr: PathBuf,
    dockerd: PathBuf,
    docker: PathBuf,
}

impl Programs {
    /// `None` if the test must be skipped.
    #[track_caller]
    fn prepared() -> Option<Self> {
        Some(Self {
            containerd: CONTAINERD.prepared_for_root()?,
            ctr: CTR.prepared()?,
            dockerd: DOCKERD.prepared_for_root()?,
            docker: DOCKER.prepared()?,
        })
    }
}

/// A running `containerd`; dropping it stops it and removes its files.
#[derive(Debug)]
pub struct Containerd {
    ctr: PathBuf,
    engine: Engine,
}

impl Containerd {
    #[track_caller]
    fn run(programs: Programs) -> Self {
        let folder = new_folder();
        let root = folder.path().display();
        let settings = format!(
            "version = 2\nroot = \"{root}/root\"\nstate = \"{root}/state\"\n\
             disabled_plugins = [\"io.containerd.grpc.v1.cri\", \"io.containerd.internal.v1.opt\"]\n\
             [grpc]\naddress = \"{root}/socket\"\n[ttrpc]\naddress = \"{root}/ttrpc\"\n"
        );
        let file = folder.path().join("config.toml");
        if let Err(error) = std::fs::write(&file, settings) {
            panic!("{}: {error}", file.display());
        }
        let words = ["--config".as_ref(), file.as_os_str()];
        let engine = Engine::start(folder, &programs.containerd, words);
        let ctr = programs.ctr;
        let mut containerd = Self { ctr, engine };
        let mut probe = Command::new(&containerd.ctr);
        probe.args(containerd.address()).arg("version");
        containerd.engine.wait_until_ready(&mut probe);
        containerd
    }

    /// Runs `ctr` in a kit's folder, whatever comes of it.
    ///
    /// # Panics
    ///
    /// As [`Kit::run`].
    #[must_use]
    #[track_caller]
    pub fn ctr(&self, kit: &Kit, arguments: &[&str]) -> Output {
        let arguments = arguments.iter().map(OsString::from);
        kit.run(&self.ctr, self.address().into_iter().chain(arguments))
    }

    fn socket(&self) -> PathBuf {
        self.engine.path("socket")
    }

    fn address(&self) -> [OsString; 2] {
        ["--address".into(), self.socket().into()]
    }
}

/// A running Docker engine; dropping it stops it and removes its files.
#[derive(Debug)]
pub struct DockerEngine {
    docker: PathBuf,
    // stopped before what it stands on
    engine: Engine,
    containerd: Containerd,
}

impl DockerEngine {
    /// The one engine of this test process, started now if it is not there yet; it ends with the
    /// process. `None` if the test must be skipped.
    ///
    /// # Panics
    ///
    /// As [`DockerEngine::start`].
    #[must_use]
    #[track_caller]
    pub fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<DockerEngine> = OnceLock::new();
        let programs = Programs::prepared()?;
        Some(SHARED.get_or_init(|| Self::run(programs)))
    }

    /// Starts one, or gives `None` if the test must be skipped, which a line on standard error
    /// says.
    ///
    /// # Panics
    ///
    /// When it does not start, or in CI, where nothing may be skipped.
    #[must_use]
    #[track_caller]
    pub fn start() -> Option<Self> {
        Programs::prepared().map(Self::run)
    }

    #[track_caller]
    fn run(programs: Programs) -> Self {
        let (docker, dockerd) = (programs.docker.clone(), programs.dockerd.clone());
        let containerd = Containerd::run(programs);
        let folder = new_folder();
        let path = |name: &str| folder.path().join(name).into_os_string();
        let words: [&OsStr; 17] = [
            "--containerd".as_ref(),
            &containerd.socket().into_os_string(),
            "--data-root".as_ref(),
            &path("root"),
            "--exec-root".as_ref(),
            &path("exec"),
            "--pidfile".as_ref(),
            &path("pid"),
            "--host".as_ref(),
            &host(folder.path()),
            "--storage-driver=vfs".as_ref(),
            "--iptables=false".as_ref(),
            "--ip6tables=false".as_ref(),
            "--ip-forward=false".as_ref(),
            "--ip-masq=false".as_ref(),
            "--bridge=none".as_ref(),
            "--shutdown-timeout=5".as_ref(),
        ];
        let engine = Engine::start(folder, &dockerd, words);
        let mut docker = Self {
            docker,
            engine,
            containerd,
        };
        let mut probe = Command::new(&docker.docker);
        probe.arg("version").env("DOCKER_HOST", docker.host());
        docker.engine.wait_until_ready(&mut probe);
        docker
    }

    /// What the engine stands on.
    #[must_use]
    pub fn containerd(&self) -> &Containerd {
        &self.containerd
    }

    /// Runs `docker` in a kit's folder, whatever comes of it. `docker build` is the engine's own
    /// builder.
    ///
    /// # Panics
    ///
    /// As [`Kit::run`].
    #[must_use]
    #[track_caller]
    pub fn docker(&self, kit: &Kit, arguments: &[&str]) -> Output {
        let mut command = kit.command(&self.docker, arguments);
        command
            .env("DOCKER_HOST", self.host())
            .env("DOCKER_BUILDKIT", "0");
        kit.finish(&mut command)
    }

    fn host(&self) -> OsString {
        host(&self.engine.folder)
    }
}

fn host(folder: &Path) -> OsString {
    let mut host = OsString::from("unix://");
    host.push(folder.join("docker.sock"));
    host
}

/// An engine and the shell that keeps it.
#[derive(Debug)]
struct Engine {
    folder: PathBuf,
    keeper: Child,
}

impl Engine {
    /// The keeper removes the folder from here on.
    #[track_caller]
    fn start<A: AsRef<OsStr>>(
        folder: TempDir,
        program: &Path,
        arguments: impl IntoIterator<Item = A>,
    ) -> Self {
        let folder = folder.keep();
        let places = folder.join("alone");
        if let Err(error) = alone::prepare(&places) {
            panic!("{}: {error}", places.display());
        }
        let alone = alone::command(&places);
        let mut keeper = Command::new("sh");
        keeper
            .args(["-c", KEEPER, "engine-keeper"])
            .arg(&folder)
            .arg(alone.get_program())
            .args(alone.get_args())
            .args(["sh", "-c", ENGINE])
            .arg(&folder)
            .arg(program)
            .args(arguments)
            .current_dir("/")
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", &folder)
            .env("TMPDIR", &folder)
            .envs(super::kit::PROXIES)
            .stdin(Stdio::piped())
            // what interrupts the tests must reach the keeper as a closed pipe, not as a signal
            .process_group(0);
        match keeper.spawn() {
            Ok(keeper) => Self { folder, keeper },
            Err(error) => panic!("no shell to keep {}: {error}", program.display()),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Waits until the probe ends well.
    #[track_caller]
    fn wait_until_ready(&mut self, probe: &mut Command) {
        let deadline = Instant::now() + READY_DEADLINE;
        loop {
            let answered = process::run(probe, PROBE_DEADLINE).is_ok_and(|output| output.success());
            if answered {
                return;
            }
            let ended = !matches!(self.keeper.try_wait(), Ok(None));
            if ended || Instant::now() > deadline {
                let log = std::fs::read_to_string(self.path("log")).unwrap_or_default();
                panic!("the engine does not answer {probe:?}:\n{log}");
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // closing its standard input is the word to stop
        drop(self.keeper.stdin.take());
        let _status = self.keeper.wait();
        // there only if the engine ended by itself
        let _gone = std::fs::remove_dir_all(&self.folder);
    }
}

/// With a short path: a socket's holds 107 bytes.
#[track_caller]
fn new_folder() -> TempDir {
    match tempfile::Builder::new().prefix("pheng-").tempdir() {
        Ok(folder) => folder,
        Err(error) => panic!("no folder for the engine: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_leaves_nothing() {
        let Some(docker) = DockerEngine::start() else {
            return;
        };
        let kit = Kit::new();
        let images = docker.docker(&kit, &["images", "--quiet"]).expect_success();
        assert_eq!(images.stdout, "");
        let folders = [
            docker.engine.folder.clone(),
            docker.containerd.engine.folder.clone(),
        ];
        drop(docker);
        for folder in folders {
            assert!(!folder.exists(), "{}", folder.display());
        }
    }
}
