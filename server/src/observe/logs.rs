use std::error::Error;
use std::fmt::Write as _;
use std::io;

use anyhow::anyhow;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

use crate::config::{LogFormat, Logs};

/// Starts writing the log to stderr; stdout belongs to answers.
///
/// # Errors
/// When something else in this process logs already.
pub fn start(logs: &Logs) -> anyhow::Result<()> {
    // the framework greets at info; an operator's own words come later and win
    let filter = EnvFilter::try_new(format!("actix_server=warn,{}", logs.level))?;
    let lines = fmt().with_env_filter(filter).with_writer(io::stderr);
    let started = match logs.format {
        LogFormat::Text => lines.with_ansi(false).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| anyhow!("cannot start the log: {error}"))
}

/// An error with everything that led to it, for the log alone.
#[must_use]
pub fn causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        // writing to a text cannot fail
        let _infallible = write!(text, ": {cause}");
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_names_every_cause_in_order() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot publish")]
        struct Outer(#[source] io::Error);
        assert_eq!(
            causes(&Outer(io::Error::other("disk on fire"))),
            "cannot publish: disk on fire"
        );
    }
}
