//! Somebody who publishes one version after the other.

use std::sync::mpsc::SyncSender;

use packhouse_testkit::http::Connection;

use crate::chance::Chance;
use crate::ledger::{Attempt, Fate};
use crate::release::Release;

pub(crate) struct Client<'a> {
    number: usize,
    round: u64,
    token: &'a str,
    chance: Chance,
}

impl<'a> Client<'a> {
    pub(crate) fn new(number: usize, round: u64, token: &'a str, chance: Chance) -> Self {
        Self {
            number,
            round,
            token,
            chance,
        }
    }

    /// Publishes until no answer comes, and tells what was tried: of the last one it does not
    /// know what became.
    pub(crate) fn publish_until_it_fails(
        mut self,
        base: &str,
        trouble: &SyncSender<String>,
    ) -> Vec<Attempt> {
        let mut attempts = Vec::new();
        let mut connection = Connection::open(base);
        for number in 0.. {
            let (release, document) =
                Release::make(self.number, self.round, number, &mut self.chance);
            let open = match &mut connection {
                Ok(open) => open,
                Err(error) => {
                    report(trouble, error.to_string());
                    break;
                }
            };
            match open.send(&release.request(&document, self.token)) {
                Ok(answer) if answer.status == 201 => {
                    attempts.push(Attempt {
                        release,
                        fate: Fate::Published,
                    });
                    if !open.is_open() {
                        connection = Connection::open(base);
                    }
                }
                Ok(answer) => {
                    report(trouble, format!("{release:?}: {answer}"));
                    panic!("{release:?}: {answer}");
                }
                Err(error) => {
                    let fate = Fate::InFlight(document);
                    attempts.push(Attempt { release, fate });
                    report(trouble, error.to_string());
                    break;
                }
            }
        }
        attempts
    }
}

fn report(trouble: &SyncSender<String>, text: String) {
    // Once the server was killed, nobody asks any more.
    let _ = trouble.try_send(text);
}
