//! Access tokens: made, listed and revoked by their owner.

use std::sync::Arc;

use packhouse_db::{Tx, tokens};
use packhouse_names::{AccountId, RepositoryId, Timestamp, TokenId, TokenKind, TokenText};
use rand::RngExt as _;

use crate::events;
use crate::fault::{Fault, Lack, Thing};
use crate::house::{Done, House};
use crate::policy::{Credential, Identity, Need, Scopes, TokenHash};

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// A token without its secret.
#[derive(Debug, Clone)]
pub struct TokenView {
    pub id: TokenId,
    /// The first characters, for a person to recognise it by.
    pub shown_prefix: String,
    pub note: Option<String>,
    pub scopes: Scopes,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    /// The day of the last use, at its midnight.
    pub last_used: Option<Timestamp>,
}

/// A token to be made.
#[derive(Debug, Clone)]
pub struct NewToken {
    pub note: Option<String>,
    pub scopes: Scopes,
    pub expires_at: Option<Timestamp>,
}

/// Whom a new token speaks for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bearer {
    pub(crate) account: AccountId,
    pub(crate) repository: Option<RepositoryId>,
}

impl House {
    pub(crate) async fn tokens_of(
        &self,
        account: AccountId,
        page: u32,
        per_page: u32,
    ) -> Result<(Vec<TokenView>, u64), Fault> {
        let now = self.now();
        let (rows, total) = self
            .db
            .read(move |conn| {
                let rows = tokens::page_of(conn, account, now, page, per_page)?;
                Ok::<_, Fault>((rows, tokens::count_of(conn, account, now)?))
            })
            .await?;
        let views = rows.into_iter().map(view).collect::<Result<_, _>>()?;
        Ok((views, total))
    }

    pub(crate) async fn create_token(
        self: &Arc<Self>,
        maker: &Credential,
        mut new: NewToken,
    ) -> Result<(TokenView, String), Fault> {
        let Identity::User { scopes, .. } = &maker.identity else {
            return Err(Fault::internal("a workflow token that makes a token"));
        };
        if !scopes.includes(new.scopes) {
            return Err(Fault::Denied {
                need: Box::new(Need::Tokens),
                lack: Lack::Scope,
            });
        }
        // a token that ends never makes one that outlives it
        new.expires_at = match (new.expires_at, maker.expires_at) {
            (Some(asked), Some(own)) => Some(asked.min(own)),
            (asked, own) => asked.or(own),
        };
        let bearer = Bearer {
            account: maker.account,
            repository: None,
        };
        let (actor, at) = (maker.account, self.now());
        let text = fresh_token(TokenKind::Classic);
        let secret = text.expose().to_owned();
        let id = self
            .commit(move |tx| {
                let id = insert(tx, &text, bearer, &new, at)?;
                let event = events::about_token("token.created", id, bearer.account, Some(actor));
                Ok(Done {
                    answer: (id, new, text),
                    events: vec![event],
                })
            })
            .await?;
        let (id, new, text) = id;
        let view = TokenView {
            id,
            shown_prefix: text.shown_prefix().to_owned(),
            note: new.note,
            scopes: new.scopes,
            created_at: at,
            expires_at: new.expires_at,
            last_used: None,
        };
        Ok((view, secret))
    }

    pub(crate) async fn revoke_own_token(
        self: &Arc<Self>,
        account: AccountId,
        which: &str,
    ) -> Result<(), Fault> {
        let which = Which::read(which);
        self.revoke(which, Some(account)).await
    }

    /// Revokes a token; with an owner only one of theirs.
    pub(crate) async fn revoke(
        self: &Arc<Self>,
        which: Option<Which>,
        owner: Option<AccountId>,
    ) -> Result<(), Fault> {
        let absent = || Fault::not_found(Thing::Token, String::new());
        let which = which.ok_or_else(absent)?;
        let at = self.now();
        self.commit(move |tx| {
            let found = match which {
                Which::Id(id) => tokens::find(tx, id)?,
                Which::Hash(hash) => {
                    tokens::find_by_hash(tx, hash.as_bytes())?.map(|row| row.token)
                }
            };
            let token = found
                .filter(|token| owner.is_none_or(|owner| owner == token.account_id))
                .ok_or_else(absent)?;
            if !tokens::revoke(tx, token.id, at)? {
                return Err(absent());
            }
            let event = events::about_token("token.revoked", token.id, token.account_id, owner);
            Ok(Done {
                answer: (),
                events: vec![event],
            })
        })
        .await
    }
}

/// A token, as somebody who wants it gone names it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Which {
    Id(TokenId),
    Hash(TokenHash),
}

impl Which {
    /// By its number or by its text.
    pub(crate) fn read(text: &str) -> Option<Self> {
        match TokenText::parse(text) {
            Some(token) => Some(Self::Hash(TokenHash::of(&token))),
            None => text.parse().ok().map(|id: i64| Self::Id(TokenId::from(id))),
        }
    }
}

/// A token that nobody has seen yet, from the system's randomness.
pub(crate) fn fresh_token(kind: TokenKind) -> TokenText {
    let mut random = rand::rng();
    TokenText::mint(kind, |below| random.random_range(0..below))
}

/// The row of a new token; the secret stays with the caller.
pub(crate) fn insert(
    tx: &mut Tx<'_>,
    text: &TokenText,
    bearer: Bearer,
    new: &NewToken,
    at: Timestamp,
) -> Result<TokenId, Fault> {
    let kind = if bearer.repository.is_some() {
        TokenKind::Workflow
    } else {
        TokenKind::Classic
    };
    Ok(tokens::insert(
        tx,
        &tokens::NewToken {
            hash: *TokenHash::of(text).as_bytes(),
            shown_prefix: text.shown_prefix().to_owned(),
            kind,
            account_id: bearer.account,
            note: new.note.clone(),
            scopes: new.scopes.to_string(),
            repository_id: bearer.repository,
            expires_at: new.expires_at,
            created_at: at,
            by_login: false,
        },
    )?)
}

fn view(row: tokens::Token) -> Result<TokenView, Fault> {
    Ok(TokenView {
        id: row.id,
        shown_prefix: row.shown_prefix,
        note: row.note,
        scopes: Scopes::parse(&row.scopes).map_err(Fault::internal)?,
        created_at: row.created_at,
        expires_at: row.expires_at,
        last_used: row
            .last_used_day
            .map(|day| Timestamp::from_micros(day.saturating_mul(MICROS_PER_DAY))),
    })
}
