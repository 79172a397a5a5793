//! `packhouse serve`: from a configuration to a listener that answers, and back to nothing.

use std::io::{self, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_http::{Extensions, HttpService};
use actix_server::{Server, ServerHandle};
use actix_service::{ServiceFactoryExt as _, fn_service, map_config};
use actix_web::HttpServer;
use actix_web::dev::AppConfig;
use anyhow::{Context as _, bail};
use futures_util::future::join_all;
use packhouse_core::House;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpSocket, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::{info, warn};

use crate::admin::socket::AdminSocket;
use crate::compose::{self, Registries};
use crate::config::{Config, TlsFiles};
use crate::door::{Addresses, Connection, Door, DoorFactory, Mounts, Patience};
use crate::folder::{Attempt, DataFolder, HouseLock, Occupant};
use crate::house;
use crate::observe::health::Readiness;
use crate::observe::metrics::Exposition;

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 4096;

/// npm, pnpm and bun keep sockets open between requests; a server that closes first costs them
/// a failed request.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// How long a client whose body was refused may go on sending before its connection is closed:
/// it has the answer, and a reset could make it retry for minutes instead of reading it.
const LINGER: Duration = Duration::from_secs(10);

/// How long requests that are being answered may take once the server was told to stop.
const DRAIN: Duration = Duration::from_secs(30);

/// How long a start waits for an `admin` command that has the house.
const COMMAND_PATIENCE: Duration = Duration::from_secs(30);

/// A server that answers.
#[derive(Debug)]
pub struct Serving {
    main: Listening,
    /// The Docker registry's, where it has one of its own.
    docker: Option<Listening>,
    readiness: Arc<Readiness>,
    house: Arc<House>,
    background: Vec<JoinHandle<()>>,
    stop: watch::Sender<bool>,
    /// Given up last: until then nobody else opens the house.
    _lock: HouseLock,
}

/// A listener that answers.
#[derive(Debug)]
struct Listening {
    address: SocketAddr,
    is_tls: bool,
    handle: ServerHandle,
    server: JoinHandle<io::Result<()>>,
}

impl Listening {
    fn url(&self) -> String {
        let scheme = if self.is_tls { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }
}

impl Serving {
    /// Opens the house, starts the listener and returns once requests are answered.
    ///
    /// # Errors
    /// What keeps the server from starting, in words for the operator.
    pub async fn start(
        config: &Config,
        registries: Registries,
        patience: Patience,
    ) -> anyhow::Result<Self> {
        let tls = match &config.http.tls {
            Some(files) => Some(tls_config(files)?),
            None => None,
        };
        let folder = DataFolder::prepare(&config.storage.data_dir)?;
        let lock = occupy(config, &folder).await?;
        // before the house, which registers counters of its own
        let exposition = Exposition::install()?;
        let house = house::open(config, &folder).await?;
        if lock.is_exclusive() {
            house.take_over().await?;
        }
        let readiness = Arc::new(Readiness::new(Arc::clone(&house)));
        let door = |mounts| {
            Arc::new(Door::new(
                Arc::clone(&house),
                registries.clone(),
                mounts,
                exposition.clone(),
                Arc::clone(&readiness),
                patience,
            ))
        };
        let (listener, addresses) = bound(config.http.listen, tls.is_some())?;
        let mounts = Mounts::new(&config.http, &addresses, &registries)?;
        let main = run(door(mounts), listener, &addresses, tls.clone()).await?;
        let docker = match config.http.docker_listen {
            None => None,
            Some(wanted) => {
                let (listener, addresses) = bound(wanted, tls.is_some())?;
                let mounts = Mounts::of_docker(&config.http, &addresses, &registries)?;
                Some(run(door(mounts), listener, &addresses, tls).await?)
            }
        };
        let (stop, stopping) = watch::channel(false);
        let mut background = vec![
            tokio::spawn(Arc::clone(&house).tend(stopping.clone())),
            tokio::spawn(Arc::clone(&house).keep_collecting(stopping.clone())),
            tokio::spawn(until(stopping.clone(), exposition.tend())),
        ];
        if lock.is_exclusive() {
            let socket = AdminSocket::open(&folder).context("cannot open the admin socket")?;
            let house = Arc::clone(&house);
            background.push(tokio::spawn(async move {
                until(stopping, socket.serve(&house, &registries)).await;
            }));
        }
        Ok(Self {
            main,
            docker,
            readiness,
            house,
            background,
            stop,
            _lock: lock,
        })
    }

    /// The address that the listener took, its port included.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.main.address
    }

    /// Where the server is, as the line on stdout says it.
    #[must_use]
    pub fn url(&self) -> String {
        self.main.url()
    }

    /// Where every listener is, the main one first.
    fn urls(&self) -> Vec<String> {
        self.listeners().map(Listening::url).collect()
    }

    fn listeners(&self) -> impl Iterator<Item = &Listening> {
        std::iter::once(&self.main).chain(&self.docker)
    }

    /// Stops: not ready any more, no new connections, what is being answered is finished within
    /// half a minute, then the house is closed.
    ///
    /// # Errors
    /// What the listener failed with.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.readiness.drain();
        let stops = self.listeners().map(|listener| listener.handle.stop(true));
        join_all(stops).await;
        let mut ended = Ok(());
        for listener in std::iter::once(self.main).chain(self.docker) {
            ended = ended.and(listener.server.await.context("the listener's task")?);
        }
        self.stop.send_replace(true);
        for task in self.background {
            if let Err(error) = task.await {
                warn!(error = %error, "a background task ended badly");
            }
        }
        self.house.close().await;
        ended.context("the listener")
    }

    /// Waits until the listener ends by itself, which it does only when it fails.
    async fn failed(&mut self) -> anyhow::Result<()> {
        let docker = async {
            match &mut self.docker {
                Some(docker) => (&mut docker.server).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            ended = &mut self.main.server => ended,
            ended = docker => ended,
        }
        .context("the listener's task")??;
        bail!("the listener ended");
    }
}

/// Serves until SIGTERM or SIGINT; a second signal does not wait for open requests.
///
/// # Errors
/// What keeps the server from starting or running.
pub async fn until_told_to_stop(config: Config) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let registries = compose::registries(&config);
    let mut serving = Serving::start(&config, registries, Patience::default()).await?;
    announce(&serving.urls()).context("cannot write to stdout")?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        failed = serving.failed() => return failed,
    }
    info!("told to stop; finishing what is being answered");
    let handles: Vec<ServerHandle> = serving
        .listeners()
        .map(|listener| listener.handle.clone())
        .collect();
    let hurry = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        warn!("told again; open requests are cut off");
        join_all(handles.iter().map(|handle| handle.stop(false))).await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        stopped = serving.stop() => stopped,
        () = hurry => Ok(()),
    }
}

fn announce(urls: &[String]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for url in urls {
        writeln!(out, "listening on {url}")?;
    }
    out.flush()
}

async fn occupy(config: &Config, folder: &DataFolder) -> anyhow::Result<HouseLock> {
    let deadline = Instant::now() + COMMAND_PATIENCE;
    loop {
        match HouseLock::attempt(folder, &config.storage, Occupant::Server)? {
            Attempt::Taken(lock) => return Ok(lock),
            Attempt::HeldByServer(path) => {
                bail!(
                    "another server has this house: {} is locked",
                    path.display()
                );
            }
            Attempt::HeldByCommand(path) if Instant::now() >= deadline => {
                bail!(
                    "another process has this house: {} is locked",
                    path.display()
                );
            }
            Attempt::HeldByCommand(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

/// A listener, and what it really took.
fn bound(wanted: SocketAddr, is_tls: bool) -> anyhow::Result<(TcpListener, Addresses)> {
    let listener = listen(wanted).with_context(|| format!("cannot listen on {wanted}"))?;
    let addresses = Addresses {
        listener: listener.local_addr()?,
        is_tls,
    };
    Ok((listener, addresses))
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // a server that restarts takes its port back at once
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)?.into_std()
}

/// Runs the framework's server and waits until every worker can take requests.
async fn run(
    door: Arc<Door>,
    listener: TcpListener,
    addresses: &Addresses,
    tls: Option<ServerConfig>,
) -> anyhow::Result<Listening> {
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    let (started, mut starts) = mpsc::channel(workers);
    let server = match tls {
        None => plain(&door, listener, &started, workers)?,
        Some(config) => HttpServer::new(move || {
            let factory = DoorFactory::new(Arc::clone(&door), started.clone());
            map_config(factory, |_: AppConfig| ())
        })
        .workers(workers)
        .keep_alive(KEEP_ALIVE)
        .tcp_nodelay(true)
        .client_disconnect_timeout(LINGER)
        .shutdown_timeout(DRAIN.as_secs())
        .disable_signals()
        .listen_rustls_0_23(listener, config)?
        .run(),
    };
    let handle = server.handle();
    let mut server = tokio::spawn(server);
    for _ in 0..workers {
        tokio::select! {
            _ = starts.recv() => {}
            ended = &mut server => {
                ended.context("the listener's task")?.context("cannot start the listener")?;
                bail!("the listener ended before it answered");
            }
        }
    }
    Ok(Listening {
        address: addresses.listener,
        is_tls: addresses.is_tls,
        handle,
        server,
    })
}

/// What the framework's own server does for plain connections, over connections of ours.
fn plain(
    door: &Arc<Door>,
    listener: TcpListener,
    started: &mpsc::Sender<()>,
    workers: usize,
) -> io::Result<Server> {
    let builder = Server::build()
        .workers(workers)
        .shutdown_timeout(DRAIN.as_secs())
        .disable_signals();
    let stopping = builder.graceful_shutdown_signal();
    let (door, started) = (Arc::clone(door), started.clone());
    let builder = builder.listen("packhouse", listener, move || {
        let stopping = stopping.clone();
        let http = HttpService::build()
            .keep_alive(KEEP_ALIVE)
            .client_disconnect_timeout(LINGER)
            .graceful_shutdown_signal(move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            })
            // a head goes out by itself before its body is asked for
            .h1_write_buffer_size(1)
            .on_connect_ext(|connection: &Connection, data: &mut Extensions| {
                data.insert(connection.socket());
            })
            .h1(DoorFactory::new(Arc::clone(&door), started.clone()));
        fn_service(|stream: TcpStream| async {
            // answers are written whole: waiting for more only delays them
            let _already_gone = stream.set_nodelay(true);
            let peer = stream.peer_addr().ok();
            Ok((Connection::new(stream), peer))
        })
        .and_then(http)
    })?;
    Ok(builder.run())
}

/// Runs a task that has no end of its own until the server stops.
async fn until(mut stopping: watch::Receiver<bool>, task: impl Future<Output = ()>) {
    tokio::select! {
        // a sender that is gone has stopped, too
        _ = stopping.wait_for(|stop| *stop) => {}
        () = task => {}
    }
}

fn tls_config(files: &TlsFiles) -> anyhow::Result<ServerConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let certificates = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .with_context(|| {
            format!(
                "cannot read the certificate {}",
                files.certificate.display()
            )
        })?;
    if certificates.is_empty() {
        bail!(
            "{} holds no certificate in PEM",
            files.certificate.display()
        );
    }
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .with_context(|| format!("cannot read the private key {}", files.key.display()))?;
    ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context("TLS versions")?
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .context("certificate and private key do not go together")
}
