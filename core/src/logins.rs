//! Logins by browser: a terminal waits, a person says yes on a page, the terminal gets a token.
//!
//! The state is a table, so that every process knows it and a restart forgets nothing. No secret
//! lies in it: keys are kept as hashes, and the token is made in the transaction that takes the
//! login away. A login becomes an event with its token; before that nothing has changed.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use packhouse_db::{accounts, logins, tokens};
use packhouse_names::{AccountId, Timestamp, TokenKind, TokenText};
use rand::RngExt as _;
use sha2::{Digest as _, Sha256};

use crate::events;
use crate::fault::{Fault, Thing};
use crate::house::{Done, House};
use crate::policy::{Identity, Principal, Scopes, TokenHash};
use crate::tokens::fresh_token;

/// How long a login waits for its answer.
pub const LOGIN_TTL: Duration = Duration::from_secs(5 * 60);

/// Logins that may wait at once; more are turned away, so that nobody fills the table.
pub const MAX_WAITING_LOGINS: i64 = 1_000;

/// What a token says that a login made.
const NOTE: &str = "npm login";

/// Letters that nobody mistakes for others and that make no words.
const CODE_LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
const CODE_LENGTH: usize = 8;

/// What the terminal asks with: whoever has it gets the token. It cannot be printed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TerminalKey([u8; 32]);

/// What the page is found by. It comes from the terminal's key and does not lead back to it: who
/// sees the page's address cannot take the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageKey([u8; 32]);

/// A login that has begun.
#[derive(Debug, Clone)]
pub struct BegunLogin {
    pub terminal: TerminalKey,
    pub page: PageKey,
    /// Shown in the terminal and on the page, for a person to compare.
    pub code: String,
}

/// What a terminal is told that asks for its token.
#[derive(Clone, PartialEq, Eq)]
pub enum Claim {
    /// Nobody has said yes yet.
    Waiting,
    /// The token; it is in this answer and nowhere else.
    Token(TokenText),
}

/// What came of saying yes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Approval {
    Approved,
    /// The login ended, or somebody said yes before.
    Gone,
    /// The token is a workflow's: a person must say yes.
    NotAPerson,
    /// The token may do nothing with packages, and neither could the login's.
    NoPackages,
}

impl TerminalKey {
    fn fresh() -> Self {
        Self(rand::rng().random())
    }

    /// Reads a key; `None` for what cannot be one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        decode(text).map(Self)
    }

    /// The key itself, for the address that the terminal asks.
    #[must_use]
    pub fn expose(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    fn page(&self) -> PageKey {
        PageKey(Sha256::digest(self.0).into())
    }
}

impl std::fmt::Debug for TerminalKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TerminalKey(…)")
    }
}

impl std::fmt::Debug for Claim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Waiting => "Waiting",
            Self::Token(_) => "Token(…)",
        })
    }
}

impl PageKey {
    /// Reads a key; `None` for what cannot be one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        decode(text).map(Self)
    }

    fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0).into()
    }
}

impl std::fmt::Display for PageKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

fn decode(text: &str) -> Option<[u8; 32]> {
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

/// `BCDF-GHJK`.
fn fresh_code() -> String {
    let mut random = rand::rng();
    let mut code = String::with_capacity(CODE_LENGTH + 1);
    for place in 0..CODE_LENGTH {
        if place == CODE_LENGTH / 2 {
            code.push('-');
        }
        let letter = CODE_LETTERS.get(random.random_range(0..CODE_LETTERS.len()));
        code.extend(letter.copied().map(char::from));
    }
    code
}

/// A login that began then or before is over at `now`.
fn since(now: Timestamp) -> Timestamp {
    let ttl = i64::try_from(LOGIN_TTL.as_micros()).unwrap_or(i64::MAX);
    Timestamp::from_micros(now.as_micros().saturating_sub(ttl))
}

fn ended() -> Fault {
    Fault::not_found(Thing::Login, String::new())
}

impl House {
    /// Begins a login; `None` while too many wait.
    pub(crate) async fn begin_login(&self) -> Result<Option<BegunLogin>, Fault> {
        let terminal = TerminalKey::fresh();
        let begun = BegunLogin {
            terminal,
            page: terminal.page(),
            code: fresh_code(),
        };
        let (hash, code, at) = (begun.page.hash(), begun.code.clone(), self.now());
        let has_room = self
            .db
            .write(move |tx| {
                logins::sweep(tx, since(at))?;
                if logins::count(tx)? >= MAX_WAITING_LOGINS {
                    return Ok(false);
                }
                logins::insert(tx, &hash, &code, at)?;
                Ok::<_, Fault>(true)
            })
            .await?;
        Ok(has_room.then_some(begun))
    }

    /// The code of a login that nobody has said yes to.
    pub(crate) async fn waiting_login(&self, page: PageKey) -> Result<String, Fault> {
        let (hash, since) = (page.hash(), since(self.now()));
        let found = self
            .db
            .read(move |conn| Ok::<_, Fault>(logins::find(conn, &hash, since)?))
            .await?;
        found
            .filter(|login| login.token_id.is_none())
            .map(|login| login.code)
            .ok_or_else(ended)
    }

    /// Says yes to a login in the name of whoever shows a token of theirs.
    pub(crate) async fn approve_login(
        &self,
        page: PageKey,
        by: &Principal,
    ) -> Result<Approval, Fault> {
        let credential = by
            .credential()
            .ok_or_else(|| Fault::internal("a login approved by nobody"))?;
        match &credential.identity {
            Identity::Workflow(_) => return Ok(Approval::NotAPerson),
            Identity::User { scopes, .. } if scopes.of_packages() == Scopes::NONE => {
                return Ok(Approval::NoPackages);
            }
            Identity::User { .. } => {}
        }
        let (token, hash, since) = (credential.token, page.hash(), since(self.now()));
        let is_approved = self
            .db
            .write(move |tx| Ok::<_, Fault>(logins::approve(tx, &hash, token, since)?))
            .await?;
        Ok(if is_approved {
            Approval::Approved
        } else {
            Approval::Gone
        })
    }

    /// Takes the token of a login that somebody said yes to. It does what theirs does with
    /// packages, no more and no longer.
    pub(crate) async fn claim_login(self: &Arc<Self>, key: TerminalKey) -> Result<Claim, Fault> {
        let (hash, at) = (key.page().hash(), self.now());
        let since = since(at);
        let found = self
            .db
            .read(move |conn| Ok::<_, Fault>(logins::find(conn, &hash, since)?))
            .await?;
        if found.ok_or_else(ended)?.token_id.is_none() {
            return Ok(Claim::Waiting);
        }
        let text = fresh_token(TokenKind::Classic);
        let made = self
            .commit(move |tx| {
                let Some(approving) = logins::take(tx, &hash, since)? else {
                    return Ok(Done::nothing(None));
                };
                let Some(approving) = tokens::find(tx, approving)? else {
                    return Ok(Done::nothing(None));
                };
                let owner = accounts::find(tx, approving.account_id)?;
                let holds = approving.revoked_at.is_none()
                    && approving.expires_at.is_none_or(|end| end > at)
                    && owner.is_some_and(|owner| owner.suspended_at.is_none());
                if !holds {
                    return Ok(Done::nothing(None));
                }
                let scopes = Scopes::parse(&approving.scopes).map_err(Fault::internal)?;
                let new = tokens::NewToken {
                    hash: *TokenHash::of(&text).as_bytes(),
                    shown_prefix: text.shown_prefix().to_owned(),
                    kind: TokenKind::Classic,
                    account_id: approving.account_id,
                    note: Some(NOTE.to_owned()),
                    scopes: scopes.of_packages().to_string(),
                    repository_id: None,
                    expires_at: approving.expires_at,
                    created_at: at,
                    by_login: true,
                };
                let id = tokens::insert(tx, &new)?;
                let owner = approving.account_id;
                Ok(Done {
                    answer: Some(text),
                    events: vec![events::about_token("token.created", id, owner, Some(owner))],
                })
            })
            .await?;
        made.map(Claim::Token).ok_or_else(ended)
    }

    /// Ends a login: its token is revoked. One that its owner made otherwise is left alone.
    pub(crate) async fn end_login(
        self: &Arc<Self>,
        account: AccountId,
        token: &str,
    ) -> Result<(), Fault> {
        let absent = || Fault::not_found(Thing::Token, String::new());
        let hash = TokenHash::of(&TokenText::parse(token).ok_or_else(absent)?);
        let at = self.now();
        self.commit(move |tx| {
            let token = tokens::find_by_hash(tx, hash.as_bytes())?
                .map(|row| row.token)
                .filter(|token| {
                    token.account_id == account
                        && token.revoked_at.is_none()
                        && token.expires_at.is_none_or(|end| end > at)
                })
                .ok_or_else(absent)?;
            if !token.by_login {
                return Ok(Done::nothing(()));
            }
            tokens::revoke(tx, token.id, at)?;
            Ok(Done {
                answer: (),
                events: vec![events::about_token(
                    "token.revoked",
                    token.id,
                    account,
                    Some(account),
                )],
            })
        })
        .await
    }

    /// Forgets the logins that nobody answered.
    pub(crate) async fn sweep_logins(&self) -> Result<usize, Fault> {
        let until = since(self.now());
        self.db
            .write(move |tx| Ok::<_, Fault>(logins::sweep(tx, until)?))
            .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_found_by_the_terminals_key_and_not_the_other_way() {
        let terminal = TerminalKey::fresh();
        let page = terminal.page();
        assert_eq!(TerminalKey::parse(&terminal.expose()), Some(terminal));
        assert_eq!(PageKey::parse(&page.to_string()), Some(page));
        assert_ne!(page.to_string(), terminal.expose());
        assert_ne!(TerminalKey(page.0).page(), page);
        for text in ["", "x", "phk_of-nobody", &format!("A{}", terminal.expose())] {
            assert_eq!(TerminalKey::parse(text), None, "{text}");
        }
        assert_eq!(format!("{terminal:?}"), "TerminalKey(…)");
    }

    #[test]
    fn a_code_is_two_groups_of_four_letters() {
        let code = fresh_code();
        let (first, second) = code.split_once('-').unwrap();
        for group in [first, second] {
            assert_eq!(group.len(), 4);
            assert!(group.bytes().all(|letter| CODE_LETTERS.contains(&letter)));
        }
    }
}
