//! The socket on which a running server takes `admin` commands: one JSON line each way.
//!
//! Only the owner of the data folder can reach it; whoever can could open the database as well.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use packhouse_core::House;
use packhouse_core::gc::Pass;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tracing::{error, warn};

use super::{AdminCommand, resolve};
use crate::compose::Registries;
use crate::folder::DataFolder;
use crate::observe::causes;

const SOCKET_FILE: &str = "admin.sock";

/// The longest line that is read, in bytes.
const LINE_BYTES: u64 = 64 * 1024;

/// How long a peer may take to say its line.
const PATIENCE: Duration = Duration::from_secs(10);

/// Commands that are worked on at once.
const AT_ONCE: usize = 8;

/// What a running server can be asked to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Order {
    Admin(AdminCommand),
    /// `packhouse gc`
    Gc {
        dry_run: bool,
    },
}

/// What became of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Answer {
    /// What goes to stdout; empty for nothing.
    Done(String),
    /// What goes to stderr.
    Refused(String),
}

/// An address of the socket that fits the 107 bytes that the system allows: a data folder may lie
/// deeper, so it is named by an open handle on it. The handle must live while the path is used.
struct SocketPath {
    path: PathBuf,
    _folder: File,
}

impl SocketPath {
    fn of(folder: &DataFolder) -> io::Result<Self> {
        let handle = File::open(folder.file("."))?;
        Ok(Self {
            path: PathBuf::from(format!(
                "/proc/self/fd/{}/{SOCKET_FILE}",
                handle.as_raw_fd()
            )),
            _folder: handle,
        })
    }
}

/// The server's end.
#[derive(Debug)]
pub(crate) struct AdminSocket {
    listener: UnixListener,
    file: PathBuf,
}

impl AdminSocket {
    /// Opens the socket. Whoever calls holds the house's lock, so one that lies there is a dead
    /// server's.
    pub(crate) fn open(folder: &DataFolder) -> io::Result<Self> {
        let file = folder.file(SOCKET_FILE);
        match std::fs::remove_file(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let short = SocketPath::of(folder)?;
        let listener = UnixListener::bind(&short.path)?;
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600))?;
        Ok(Self { listener, file })
    }

    /// Takes commands until the future is dropped.
    pub(crate) async fn serve(&self, house: &Arc<House>, registries: &Registries) {
        let places = Arc::new(Semaphore::new(AT_ONCE));
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                return;
            };
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let (house, registries) = (Arc::clone(house), registries.clone());
                    tokio::spawn(async move {
                        if let Err(error) = converse(stream, &house, &registries).await {
                            warn!(error = %error, "an admin command was cut off");
                        }
                        drop(place);
                    });
                }
                Err(error) => {
                    warn!(error = %error, "cannot take an admin command");
                    // out of file handles: others have to close theirs first
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }
}

impl Drop for AdminSocket {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.file) {
            warn!(error = %error, "cannot remove the admin socket");
        }
    }
}

async fn converse(
    stream: UnixStream,
    house: &Arc<House>,
    registries: &Registries,
) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let line = tokio::time::timeout(PATIENCE, read_line(reader)).await??;
    let answer = match serde_json::from_str::<Order>(&line) {
        Ok(order) => execute(order, house, registries).await,
        Err(error) => Answer::Refused(format!(
            "the running server does not understand the command ({error}); is it another version?"
        )),
    };
    let mut line = serde_json::to_vec(&answer)?;
    line.push(b'\n');
    writer.write_all(&line).await?;
    writer.shutdown().await
}

async fn read_line(reader: impl tokio::io::AsyncRead + Unpin) -> io::Result<String> {
    let mut line = String::new();
    BufReader::new(reader.take(LINE_BYTES))
        .read_line(&mut line)
        .await?;
    Ok(line)
}

/// Does what was ordered to the house; whoever asked gets the safe text, the log the causes.
pub(crate) async fn execute(order: Order, house: &Arc<House>, registries: &Registries) -> Answer {
    let done = match order {
        Order::Admin(command) => match resolve(command, registries) {
            Ok(deed) => house.administer(deed).await,
            Err(fault) => return Answer::Refused(fault.to_string()),
        },
        Order::Gc { dry_run } => {
            let pass = if dry_run { Pass::Dry } else { Pass::Full };
            let collected = house.collect(pass).await;
            collected.map(|collected| Some(collected.to_string()))
        }
    };
    match done {
        Ok(text) => Answer::Done(text.unwrap_or_default()),
        Err(fault) => {
            if let packhouse_core::fault::Fault::Internal(_) = &fault {
                error!(error = %causes(&fault), "a command failed");
            }
            Answer::Refused(fault.to_string())
        }
    }
}

/// Hands a command to the server that runs on this folder; `None` when none listens.
pub(crate) async fn send(folder: &DataFolder, order: &Order) -> io::Result<Option<Answer>> {
    let short = SocketPath::of(folder)?;
    let stream = match UnixStream::connect(&short.path).await {
        Ok(stream) => stream,
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
            ) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let (reader, mut writer) = stream.into_split();
    let mut line = serde_json::to_vec(order)?;
    line.push(b'\n');
    writer.write_all(&line).await?;
    let answer = read_line(reader).await?;
    if answer.is_empty() {
        return Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            "the server went away before it answered",
        ));
    }
    Ok(Some(serde_json::from_str(&answer)?))
}
