//! One run of the load generator.

use std::process::Command;

use anyhow::{Context as _, Result};

use crate::command;

/// Requests a second, one thread and sixteen connections for three seconds.
pub(super) fn requests_per_second(url: &str, token: Option<&str>, accept: &str) -> Result<f64> {
    let mut wrk = Command::new("wrk");
    wrk.args(["-t1", "-c16", "-d3s", "-H"])
        .arg(format!("Accept: {accept}"));
    if let Some(token) = token {
        wrk.arg("-H").arg(format!("Authorization: Bearer {token}"));
    }
    let printed = command::output(wrk.arg(url))?;
    if printed.contains("Non-2xx") {
        anyhow::bail!("{url} was not answered with 200:\n{printed}");
    }
    printed
        .lines()
        .find_map(|line| line.trim().strip_prefix("Requests/sec:"))
        .context("wrk printed no rate")?
        .trim()
        .parse()
        .context("wrk's rate is not a number")
}
