use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use packhouse_names::Login;
use serde::Deserialize;

use super::values::{
    BlobLocation, DatabaseUrl, Domain, LogFilter, LogFormat, PublicUrl, Span, Switch,
};
use super::{ConfigError, Origin};

/// Every setting once: the field is the flag, the environment variable and the key of the file.
/// The command line and the environment fill one of these, the file another.
#[derive(Debug, Clone, Default, clap::Args, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Layer {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, env = "PACKHOUSE_LISTEN", value_name = "ADDR:PORT")]
    pub listen: Option<SocketAddr>,
    /// The address that clients use, for links inside documents
    #[arg(long, env = "PACKHOUSE_PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<PublicUrl>,
    /// Answer under host names below this one as well: npm.NAME
    #[arg(long, env = "PACKHOUSE_DOMAIN", value_name = "NAME")]
    pub domain: Option<Domain>,
    /// Address to listen on for the Docker registry of repositories (OWNER/REPO/IMAGE)
    #[arg(long, env = "PACKHOUSE_DOCKER_LISTEN", value_name = "ADDR:PORT")]
    pub docker_listen: Option<SocketAddr>,
    /// The address of that registry that clients use
    #[arg(long, env = "PACKHOUSE_DOCKER_PUBLIC_URL", value_name = "URL")]
    pub docker_public_url: Option<PublicUrl>,
    /// Folder for the database, the blobs and the lock
    #[arg(long, env = "PACKHOUSE_DATA_DIR", value_name = "FOLDER")]
    pub data_dir: Option<PathBuf>,
    /// `sqlite:PATH` or `postgres://…`; default: SQLite in the data folder
    #[arg(
        long,
        env = "PACKHOUSE_DATABASE_URL",
        value_name = "URL",
        hide_env_values = true
    )]
    pub database_url: Option<DatabaseUrl>,
    /// Where blobs lie, as `file:PATH`; default: the data folder
    #[arg(long, env = "PACKHOUSE_BLOB_STORE", value_name = "URL")]
    pub blob_store: Option<BlobLocation>,
    /// Certificate chain in PEM; the listener speaks TLS then
    #[arg(long, env = "PACKHOUSE_TLS_CERT", value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,
    /// Private key in PEM
    #[arg(long, env = "PACKHOUSE_TLS_KEY", value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
    /// Public packages need no token
    #[arg(long, env = "PACKHOUSE_ANONYMOUS_READ", value_name = "on|off")]
    pub anonymous_read: Option<Switch>,
    /// The account that owns npm names without a scope
    #[arg(long, env = "PACKHOUSE_NPM_UNSCOPED_OWNER", value_name = "LOGIN")]
    pub npm_unscoped_owner: Option<Login>,
    /// Say in npm documents where a version's provenance is; npm before 2026 fails on it
    #[arg(long, env = "PACKHOUSE_NPM_ATTESTATIONS", value_name = "on|off")]
    pub npm_attestations: Option<Switch>,
    /// Largest file of a package, in bytes; containers have a limit of their own
    #[arg(long, env = "PACKHOUSE_MAX_PACKAGE_BYTES", value_name = "BYTES")]
    pub max_package_bytes: Option<u64>,
    /// Largest blob of a container image, in bytes
    #[arg(long, env = "PACKHOUSE_MAX_LAYER_BYTES", value_name = "BYTES")]
    pub max_layer_bytes: Option<u64>,
    /// Accept images whose layers or platforms are not all there
    #[arg(long, env = "PACKHOUSE_SPARSE_IMAGES", value_name = "on|off")]
    pub sparse_images: Option<Switch>,
    /// How often what nothing holds any more is collected; 0 is only when `packhouse gc` says so
    #[arg(long, env = "PACKHOUSE_GC_INTERVAL", value_name = "SPAN")]
    pub gc_interval: Option<Span>,
    /// How long a blob stays after a client was told that it is there
    #[arg(long, env = "PACKHOUSE_GC_PROMISE", value_name = "SPAN")]
    pub gc_promise: Option<Span>,
    /// How long bytes stay after their blob became invisible: longer than reading them takes
    #[arg(long, env = "PACKHOUSE_GC_GRACE", value_name = "SPAN")]
    pub gc_grace: Option<Span>,
    /// How long deleted versions and packages can be restored, and keep their bytes
    #[arg(long, env = "PACKHOUSE_RESTORE_WINDOW", value_name = "SPAN")]
    pub restore_window: Option<Span>,
    /// Form of the log lines
    #[arg(long, env = "PACKHOUSE_LOG_FORMAT", value_name = "text|json")]
    pub log_format: Option<LogFormat>,
    /// What is logged: error, warn, info, debug, trace, or TARGET=LEVEL,…
    #[arg(long, env = "PACKHOUSE_LOG_LEVEL", value_name = "LEVEL")]
    pub log_level: Option<LogFilter>,
}

impl Layer {
    /// Reads a configuration file.
    ///
    /// # Errors
    /// [`ConfigError::Unreadable`], and [`ConfigError::File`] with the line of a key that is not
    /// a setting or a value that is not one.
    pub fn from_file(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|error| ConfigError::Unreadable {
            path: path.to_owned(),
            error,
        })?;
        toml::from_str(&text).map_err(|error| ConfigError::File {
            path: path.to_owned(),
            error: Box::new(error),
        })
    }
}

/// The layers above each other, and a note of what was taken from which.
#[derive(Debug)]
pub struct Layers {
    given: Layer,
    file: Layer,
    from_environment: Vec<String>,
    shown: Vec<Shown>,
}

/// A setting as `check-config` prints it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    pub name: &'static str,
    /// As a TOML value, secrets masked; `None` where it is not set.
    pub value: Option<String>,
    pub origin: Origin,
}

impl Layers {
    /// `given` is what the command line and the environment say; `from_environment` names those
    /// settings (as flags are named) that only the environment gave.
    #[must_use]
    pub fn new(given: Layer, file: Layer, from_environment: Vec<String>) -> Self {
        Self {
            given,
            file,
            from_environment,
            shown: Vec::new(),
        }
    }

    /// What was taken so far, in that order.
    #[must_use]
    pub fn into_shown(self) -> Vec<Shown> {
        self.shown
    }

    pub(super) fn optional<T: Clone + Toml>(
        &mut self,
        name: &'static str,
        field: impl Fn(&Layer) -> &Option<T>,
    ) -> Option<T> {
        let (value, origin) = self.find(name, field);
        self.note(name, value.as_ref().map(Toml::to_toml), origin);
        value
    }

    pub(super) fn required<T: Clone + Toml>(
        &mut self,
        name: &'static str,
        field: impl Fn(&Layer) -> &Option<T>,
        default: T,
    ) -> T {
        let (value, origin) = self.find(name, field);
        let value = value.unwrap_or(default);
        self.note(name, Some(value.to_toml()), origin);
        value
    }

    fn find<T: Clone>(
        &self,
        name: &'static str,
        field: impl Fn(&Layer) -> &Option<T>,
    ) -> (Option<T>, Origin) {
        if let Some(value) = field(&self.given) {
            let origin = if self.from_environment.iter().any(|given| given == name) {
                Origin::Environment
            } else {
                Origin::Flag
            };
            (Some(value.clone()), origin)
        } else if let Some(value) = field(&self.file) {
            (Some(value.clone()), Origin::File)
        } else {
            (None, Origin::Default)
        }
    }

    fn note(&mut self, name: &'static str, value: Option<String>, origin: Origin) {
        self.shown.push(Shown {
            name,
            value,
            origin,
        });
    }
}

/// How a value is shown as TOML; a type that holds a secret masks it here.
pub trait Toml {
    /// The value as the right side of a TOML line.
    fn to_toml(&self) -> String;
}

/// A text as a basic TOML string.
pub(super) fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

impl Toml for u64 {
    fn to_toml(&self) -> String {
        self.to_string()
    }
}

impl Toml for PathBuf {
    fn to_toml(&self) -> String {
        quoted(&self.to_string_lossy())
    }
}

macro_rules! shown_as_text {
    ($($type:ty),+) => {$(
        impl Toml for $type {
            fn to_toml(&self) -> String {
                quoted(&self.to_string())
            }
        }
    )+};
}

shown_as_text!(
    SocketAddr,
    Login,
    PublicUrl,
    Domain,
    DatabaseUrl,
    BlobLocation,
    Switch,
    LogFormat,
    LogFilter,
    Span
);
