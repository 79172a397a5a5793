use std::io::Write as _;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::time::Instant;

use super::AdminCommand;
use super::socket::{Answer, Order, execute, send};
use crate::compose;
use crate::config::Config;
use crate::folder::{Attempt, DataFolder, HouseLock, Occupant};
use crate::house;

/// How long a command waits for a server that starts or for another command.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(50);

/// Runs one `admin` command: through the running server of a SQLite house, else on the house
/// itself. What it answers goes to stdout.
///
/// # Errors
/// What was refused, or what kept the command from running, in words for the operator.
pub async fn run(config: &Config, command: AdminCommand) -> anyhow::Result<()> {
    obey(config, Order::Admin(command)).await
}

/// Does what was ordered where the house is: in the running server of a SQLite house, else here.
pub(crate) async fn obey(config: &Config, order: Order) -> anyhow::Result<()> {
    let folder = DataFolder::prepare(&config.storage.data_dir)?;
    let answer = match occupy(config, &folder, &order).await? {
        Place::Answered(answer) => answer,
        Place::Ours(lock) => {
            let house = house::open(config, &folder).await?;
            let answer = execute(order, &house, &compose::registries(config)).await;
            house.close().await;
            drop(lock);
            answer
        }
    };
    match answer {
        Answer::Done(text) if text.is_empty() => Ok(()),
        Answer::Done(text) => {
            let mut out = std::io::stdout().lock();
            writeln!(out, "{text}").context("cannot write to stdout")?;
            out.flush().context("cannot write to stdout")
        }
        Answer::Refused(text) => bail!("{text}"),
    }
}

enum Place {
    /// A running server did it.
    Answered(Answer),
    /// The house is ours while the lock lives.
    Ours(HouseLock),
}

async fn occupy(config: &Config, folder: &DataFolder, order: &Order) -> anyhow::Result<Place> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let holder = match HouseLock::attempt(folder, &config.storage, Occupant::Command)? {
            Attempt::Taken(lock) => return Ok(Place::Ours(lock)),
            Attempt::HeldByServer(path) => {
                // one that is still opening its house listens soon
                let sent = send(folder, order).await;
                if let Some(answer) = sent.context("cannot talk to the running server")? {
                    return Ok(Place::Answered(answer));
                }
                path
            }
            Attempt::HeldByCommand(path) => path,
        };
        if Instant::now() >= deadline {
            bail!(
                "{} is held by another process that takes no commands through this data folder",
                holder.display()
            );
        }
        tokio::time::sleep(PAUSE).await;
    }
}
