//! One run of the load generator.

use std::process::Command;

use anyhow::{Context as _, Result};

use crate::command;

/// What one run measured.
pub(super) struct Measured {
    pub(super) requests_per_second: f64,
    pub(super) bytes_per_second: f64,
}

/// Requests a second, one thread and sixteen connections for three seconds.
pub(super) fn requests_per_second(url: &str, token: Option<&str>, accept: &str) -> Result<f64> {
    Ok(measure(url, token, accept, 16)?.requests_per_second)
}

/// One thread for three seconds.
pub(super) fn measure(
    url: &str,
    token: Option<&str>,
    accept: &str,
    connections: u32,
) -> Result<Measured> {
    let mut wrk = Command::new("wrk");
    wrk.args(["-t1", "-d3s"])
        .arg(format!("-c{connections}"))
        .arg("-H")
        .arg(format!("Accept: {accept}"));
    if let Some(token) = token {
        wrk.arg("-H").arg(format!("Authorization: Bearer {token}"));
    }
    let printed = command::output(wrk.arg(url))?;
    if printed.contains("Non-2xx") {
        anyhow::bail!("{url} was not answered with 200:\n{printed}");
    }
    let said = |what: &str| {
        let found = printed
            .lines()
            .find_map(|line| line.trim().strip_prefix(what));
        found.map(str::trim).context("wrk printed no rate")
    };
    Ok(Measured {
        requests_per_second: said("Requests/sec:")?
            .parse()
            .context("wrk's rate is not a number")?,
        bytes_per_second: bytes(said("Transfer/sec:")?)?,
    })
}

/// A number as wrk shows it: `2.91GB`, with units of 1024.
fn bytes(text: &str) -> Result<f64> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = match text.get(digits.len()..) {
        Some("KB") => 1024.0,
        Some("MB") => 1024.0 * 1024.0,
        Some("GB") => 1024.0 * 1024.0 * 1024.0,
        _ => 1.0,
    };
    let number: f64 = digits.parse().context("wrk's transfer is not a number")?;
    Ok(number * unit)
}
