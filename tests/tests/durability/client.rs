//! Somebody who publishes one version after the other.

use std::sync::mpsc::SyncSender;

use packhouse_testkit::http::Connection;

use crate::chance::Chance;
use crate::ledger::{Attempt, Fate};
use crate::release::Release;

/// What a client has to tell while it works.
#[derive(Debug)]
pub(crate) enum News {
    Acknowledged,
    Failed(String),
}

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
        news: &SyncSender<News>,
    ) -> Vec<Attempt> {
        let mut attempts = Vec::new();
        let mut connection = Connection::open(base);
        for number in 0.. {
            let (release, document) =
                Release::make(self.number, self.round, number, &mut self.chance);
            let open = match &mut connection {
                Ok(open) => open,
                Err(error) => {
                    tell(news, News::Failed(error.to_string()));
                    break;
                }
            };
            match open.send(&release.request(&document, self.token)) {
                Ok(answer) if answer.status == 201 => {
                    attempts.push(Attempt {
                        release,
                        fate: Fate::Published,
                    });
                    if news.send(News::Acknowledged).is_err() {
                        // The server was killed, or the test has failed.
                        break;
                    }
                    if !open.is_open() {
                        connection = Connection::open(base);
                    }
                }
                Ok(answer) => {
                    tell(news, News::Failed(format!("{release:?}: {answer}")));
                    panic!("{release:?}: {answer}");
                }
                Err(error) => {
                    let fate = Fate::InFlight(document);
                    attempts.push(Attempt { release, fate });
                    tell(news, News::Failed(error.to_string()));
                    break;
                }
            }
        }
        attempts
    }
}

fn tell(listener: &SyncSender<News>, news: News) {
    // Once the server was killed, nobody listens, and the failure is what was asked for.
    let _ = listener.send(news);
}
