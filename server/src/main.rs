//! The `packhouse` binary: reads the command line and hands over.

use std::io::Write as _;
use std::process::ExitCode;

use packhouse::cli::{self, CliError, Task};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    keep_pages_small();
    let task = match cli::parse(std::env::args_os()) {
        Ok(task) => task,
        Err(CliError::Usage(error)) => error.exit(),
        Err(error) => return fail(&error.into()),
    };
    match run(task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

/// The allocator asks for huge pages where the system lends them, and whatever lies in one keeps all
/// of its two MiB: an idle server would take half as much again, for a speed that noise hides.
fn keep_pages_small() {
    // a kernel without them refuses
    #[cfg(target_os = "linux")]
    rustix::thread::disable_transparent_huge_pages(true).ok();
}

fn run(task: Task) -> anyhow::Result<()> {
    // chosen here once: with two providers in one binary rustls could not pick
    if rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .is_err()
    {
        anyhow::bail!("another TLS provider is installed already");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    match task {
        Task::Serve(config) => {
            packhouse::observe::logs::start(&config.logs)?;
            runtime.block_on(packhouse::serve::until_told_to_stop(config))
        }
        Task::Admin(config, command) => {
            packhouse::observe::logs::start(&config.logs)?;
            runtime.block_on(packhouse::admin::run(&config, command))
        }
        Task::Gc { config, dry_run } => {
            packhouse::observe::logs::start(&config.logs)?;
            runtime.block_on(packhouse::upkeep::collect(&config, dry_run))
        }
        Task::Fsck(config) => {
            packhouse::observe::logs::start(&config.logs)?;
            runtime.block_on(packhouse::upkeep::inspect(&config))
        }
        Task::Why(config, digest) => {
            packhouse::observe::logs::start(&config.logs)?;
            runtime.block_on(packhouse::upkeep::why(&config, digest))
        }
        Task::Describe(text) => Ok(std::io::stdout().write_all(text.as_bytes())?),
    }
}

fn fail(error: &anyhow::Error) -> ExitCode {
    // nobody is left to tell when stderr is closed
    drop(writeln!(std::io::stderr(), "packhouse: {error:#}"));
    ExitCode::FAILURE
}
