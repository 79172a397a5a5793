//! What an operator decides.
//!
//! Every setting has one name in three places: the flag `--data-dir`, the environment variable
//! `PACKHOUSE_DATA_DIR` and the key `data-dir` of the file. The first of them that speaks wins.

mod access;
mod collection;
mod http;
mod layer;
mod limits;
mod logs;
mod storage;
mod values;

use std::fmt;
use std::path::PathBuf;

pub use access::Access;
pub use collection::Collection;
pub use http::{Http, TlsFiles};
pub use layer::{Layer, Layers, Shown, Toml};
pub use limits::Limits;
pub use logs::Logs;
pub use storage::Storage;
pub use values::{
    BadValue, BlobLocation, DatabaseUrl, Domain, LogFilter, LogFormat, PublicUrl, Span, Switch,
};

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    Flag,
    Environment,
    File,
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Flag => "flag",
            Self::Environment => "environment",
            Self::File => "file",
            Self::Default => "default",
        })
    }
}

/// Why a configuration does not hold; the text says all of it.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration file {path}: {error}", path = path.display())]
    Unreadable {
        path: PathBuf,
        error: std::io::Error,
    },
    /// The file holds a key that is no setting, or a value that is none.
    #[error("in the configuration file {path}: {error}", path = path.display())]
    File {
        path: PathBuf,
        error: Box<toml::de::Error>,
    },
    /// Settings that do not go together.
    #[error("{0}")]
    Mismatch(&'static str),
}

/// Everything an operator decided, defaults included.
#[derive(Debug, Clone)]
pub struct Config {
    pub http: Http,
    pub storage: Storage,
    pub access: Access,
    pub limits: Limits,
    pub collection: Collection,
    pub logs: Logs,
}

impl Config {
    /// Takes each value from the first layer that has it.
    ///
    /// # Errors
    /// [`ConfigError::Mismatch`] for settings that do not go together.
    pub fn resolve(layers: &mut Layers) -> Result<Self, ConfigError> {
        Ok(Self {
            http: Http::resolve(layers)?,
            storage: Storage::resolve(layers),
            access: Access::resolve(layers),
            limits: Limits::resolve(layers)?,
            collection: Collection::resolve(layers),
            logs: Logs::resolve(layers),
        })
    }
}

/// The effective settings as a configuration file, each with its origin; secrets are masked.
#[must_use]
pub fn describe(shown: &[Shown]) -> String {
    let mut text = String::new();
    for Shown {
        name,
        value,
        origin,
    } in shown
    {
        match value {
            Some(value) => text.push_str(&format!("{name} = {value}  # {origin}\n")),
            None => text.push_str(&format!("# {name} is not set\n")),
        }
    }
    text
}
