use std::path::PathBuf;

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use packhouse_names::Digest;

use crate::admin::AdminCommand;
use crate::config::{self, Config, ConfigError, Layer, Layers, Shown};

/// A package registry for npm, RubyGems, Maven, Gradle, NuGet, Docker and OCI containers
#[derive(Debug, Parser)]
#[command(name = "packhouse", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server; migrates the database first
    Serve(Settings),
    /// Change accounts, permissions and tokens, whether or not a server runs
    Admin(Admin),
    /// Collect what nothing holds any more, now, whether or not a server runs
    Gc(Gc),
    /// Compare every blob with what the database says of it; changes nothing
    Fsck(Settings),
    /// Ask about what lies in the store
    Storage(StorageQuestion),
    /// Print the effective settings with their origin, or what is wrong with them
    CheckConfig(Settings),
}

#[derive(Debug, Args)]
struct Settings {
    /// Configuration file (TOML); flags and environment come before it
    #[arg(long, env = "PACKHOUSE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    layer: Layer,
}

#[derive(Debug, Args)]
struct Gc {
    /// Change nothing, and say what there would be to do first
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Debug, Args)]
struct StorageQuestion {
    #[command(subcommand)]
    question: Question,
}

#[derive(Debug, Subcommand)]
enum Question {
    /// Say what holds a blob, and when it goes if nothing does
    Why {
        /// As `sha256:…` or `sha512:…`
        digest: Digest,
        #[command(flatten)]
        settings: Settings,
    },
}

#[derive(Debug, Args)]
struct Admin {
    /// Configuration file (TOML); flags and environment come before it
    #[arg(long, env = "PACKHOUSE_CONFIG", value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// Folder for the database, the blobs and the lock
    #[arg(long, env = "PACKHOUSE_DATA_DIR", value_name = "FOLDER", global = true)]
    data_dir: Option<PathBuf>,
    /// `sqlite:PATH` or `postgres://…`; default: SQLite in the data folder
    #[arg(
        long,
        env = "PACKHOUSE_DATABASE_URL",
        value_name = "URL",
        global = true,
        hide_env_values = true
    )]
    database_url: Option<config::DatabaseUrl>,
    #[command(subcommand)]
    command: AdminCommand,
}

/// What the command line asks for, with its settings resolved.
#[derive(Debug)]
pub enum Task {
    Serve(Config),
    Admin(Config, AdminCommand),
    Gc {
        config: Config,
        dry_run: bool,
    },
    Fsck(Config),
    Why(Config, Digest),
    /// Print this.
    Describe(String),
}

/// Why there is nothing to do.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// Not a command line, or a question that clap answers itself (`--help`).
    #[error(transparent)]
    Usage(#[from] clap::Error),
    #[error(transparent)]
    Config(#[from] ConfigError),
}

/// Reads the command line, the environment and the configuration file.
///
/// # Errors
/// [`CliError`], for the operator.
pub fn parse(line: impl IntoIterator<Item = std::ffi::OsString>) -> Result<Task, CliError> {
    let mut line: Vec<_> = line.into_iter().collect();
    if line.len() <= 1 {
        // `packhouse` alone, and so `cargo run --release`, serves
        line.resize(1, "packhouse".into());
        line.push("serve".into());
    }
    let matches = Cli::command().try_get_matches_from(line)?;
    let cli = Cli::from_arg_matches(&matches)?;
    Ok(match cli.command {
        Command::Serve(settings) => Task::Serve(resolve(settings, below(&matches))?.0),
        Command::Gc(Gc { dry_run, settings }) => Task::Gc {
            config: resolve(settings, None)?.0,
            dry_run,
        },
        Command::Fsck(settings) => Task::Fsck(resolve(settings, None)?.0),
        Command::Storage(StorageQuestion {
            question: Question::Why { digest, settings },
        }) => Task::Why(resolve(settings, None)?.0, digest),
        Command::CheckConfig(settings) => {
            let (_, shown) = resolve(settings, below(&matches))?;
            Task::Describe(config::describe(&shown))
        }
        Command::Admin(admin) => Task::Admin(admin_config(&admin)?, admin.command),
    })
}

fn below(matches: &ArgMatches) -> Option<&ArgMatches> {
    matches.subcommand().map(|(_, below)| below)
}

fn resolve(
    settings: Settings,
    matches: Option<&ArgMatches>,
) -> Result<(Config, Vec<Shown>), ConfigError> {
    let file = match &settings.config {
        Some(path) => Layer::from_file(path)?,
        None => Layer::default(),
    };
    let from_environment = matches.map(environment_names).unwrap_or_default();
    let mut layers = Layers::new(settings.layer, file, from_environment);
    let config = Config::resolve(&mut layers)?;
    Ok((config, layers.into_shown()))
}

/// The settings that only the environment gave, as flags are named.
fn environment_names(matches: &ArgMatches) -> Vec<String> {
    matches
        .ids()
        .filter(|id| matches.value_source(id.as_str()) == Some(ValueSource::EnvVariable))
        .map(|id| id.as_str().replace('_', "-"))
        .collect()
}

/// An `admin` command has the flags that say which house is meant; everything else comes from
/// the environment and the file, as it does for the server.
fn admin_config(admin: &Admin) -> Result<Config, CliError> {
    #[derive(Parser)]
    struct Environment {
        #[command(flatten)]
        layer: Layer,
    }
    let Environment { layer } = Environment::try_parse_from(["packhouse"])?;
    let settings = Settings {
        config: admin.config.clone(),
        layer: Layer {
            data_dir: admin.data_dir.clone(),
            database_url: admin.database_url.clone(),
            ..layer
        },
    };
    Ok(resolve(settings, None)?.0)
}
