//! Short-lived tokens that a registry signs: made from a credential, good at the ecosystem that
//! made them, for what they list.
//!
//! A token holds no right. It names the credential that it was made from, whose roles, scopes,
//! expiry and revocation count at each use; its list only narrows them.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use packhouse_names::{
    Ecosystem, Login, NormalizedName, PackageName, RepoName, Timestamp, TokenId,
};
use rand::RngExt as _;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::fault::Fault;
use crate::house::House;
use crate::model::{Namespace, PackageRef};
use crate::policy::{Access, Need, Principal};
use crate::registry::{Credentials, Scheme};

/// How long a token lives, unless its credential ends earlier.
const LIFETIME: Duration = Duration::from_secs(15 * 60);

/// How far the clocks of two servers may be apart.
const LEEWAY: Duration = Duration::from_secs(60);

/// Needs that one token lists; clients add one for each place they may mount a layer from.
const MAX_NEEDS: usize = 100;

/// The one header of every token: no other is accepted, so nobody chooses the algorithm for us.
const HEADER: &str = r#"{"typ":"JWT","alg":"HS256","kid":"1"}"#;

/// A token, and what it lists.
#[derive(Debug, Clone)]
pub struct Bearer {
    /// Opaque to whoever gets it.
    pub text: String,
    /// Those of the asked needs that the principal holds now.
    pub granted: Vec<Need>,
    pub issued_at: Timestamp,
    pub lifetime: Duration,
}

/// The key that this house's tokens are signed with, the same in all of its processes.
pub(crate) struct BearerKey(Hmac<Sha256>);

/// A token whose signature holds.
#[derive(Debug)]
pub(crate) struct Held {
    /// `None` for nobody's token.
    pub(crate) credential: Option<TokenId>,
    pub(crate) access: Arc<Access>,
    at: Ecosystem,
    not_before: Timestamp,
    expires_at: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: String,
    exp: i64,
    nbf: i64,
    iat: i64,
    jti: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    credential: Option<i64>,
    access: Vec<Entry>,
}

/// One need, in the words of the model.
#[derive(Serialize, Deserialize)]
#[serde(tag = "need", rename_all = "lowercase")]
enum Entry {
    Browse,
    Read(Named),
    Publish(Named),
    Curate(Named),
}

#[derive(Serialize, Deserialize)]
struct Named {
    owner: Login,
    #[serde(skip_serializing_if = "Option::is_none")]
    repository: Option<RepoName>,
    name: NormalizedName,
}

/// Whether credentials look like a token of ours: three parts, which no access token has.
pub(crate) fn has_form(credentials: &Credentials) -> bool {
    credentials.scheme == Scheme::Bearer && credentials.secret.matches('.').count() == 2
}

/// A key that nobody has seen yet, as it is stored.
pub(crate) fn fresh_key() -> String {
    let key: [u8; 32] = rand::rng().random();
    URL_SAFE_NO_PAD.encode(key)
}

impl BearerKey {
    /// Reads the stored key.
    pub(crate) fn read(stored: &str) -> Result<Self, Fault> {
        let key = URL_SAFE_NO_PAD.decode(stored).map_err(Fault::internal)?;
        Hmac::new_from_slice(&key)
            .map(Self)
            .map_err(Fault::internal)
    }

    fn sign(&self, claims: &Claims) -> Result<String, Fault> {
        let claims = serde_json::to_vec(claims).map_err(Fault::internal)?;
        let mut text = URL_SAFE_NO_PAD.encode(HEADER);
        text.push('.');
        URL_SAFE_NO_PAD.encode_string(claims, &mut text);
        let mut mac = self.0.clone();
        mac.update(text.as_bytes());
        text.push('.');
        URL_SAFE_NO_PAD.encode_string(mac.finalize().into_bytes(), &mut text);
        Ok(text)
    }

    /// Checks a token's signature and reads it; whether it holds now is another question.
    pub(crate) fn open(&self, text: &str) -> Option<Held> {
        let (signed, signature) = text.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let mut mac = self.0.clone();
        mac.update(signed.as_bytes());
        mac.verify_slice(&URL_SAFE_NO_PAD.decode(signature).ok()?)
            .ok()?;
        if URL_SAFE_NO_PAD.decode(header).ok()? != HEADER.as_bytes() {
            return None;
        }
        let claims: Claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
        let at: Ecosystem = claims.aud.parse().ok()?;
        let needs = claims.access.into_iter().map(|entry| entry.need(at));
        Some(Held {
            credential: claims.credential.map(TokenId::from),
            access: Arc::new(Access::new(needs.collect::<Option<_>>()?)),
            at,
            not_before: seconds(claims.nbf),
            expires_at: seconds(claims.exp),
        })
    }
}

impl std::fmt::Debug for BearerKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BearerKey(…)")
    }
}

impl Held {
    pub(crate) fn holds(&self, at: Ecosystem, now: Timestamp) -> bool {
        self.at == at && self.not_before <= now.after(LEEWAY) && now < self.expires_at.after(LEEWAY)
    }
}

impl Entry {
    fn of(need: &Need) -> Option<Self> {
        let named = |package: &PackageRef| Named {
            owner: package.namespace.owner.clone(),
            repository: package.namespace.repository.clone(),
            name: package.key.clone(),
        };
        match need {
            Need::Browse(None) => Some(Self::Browse),
            Need::Read(package) => Some(Self::Read(named(package))),
            Need::Publish(package) => Some(Self::Publish(named(package))),
            Need::Curate(package) => Some(Self::Curate(named(package))),
            Need::Greet
            | Need::SignIn
            | Need::Oneself
            | Need::Tokens
            | Need::Browse(Some(_))
            | Need::Restore(_)
            | Need::Manage(_)
            | Need::SeeOrganization(_)
            | Need::ManageOrganization(_) => None,
        }
    }

    fn need(self, ecosystem: Ecosystem) -> Option<Need> {
        let package = |named: Named| {
            Some(PackageRef {
                ecosystem,
                namespace: Namespace {
                    owner: named.owner,
                    repository: named.repository,
                },
                name: PackageName::new(named.name.as_str().to_owned()).ok()?,
                key: named.name,
            })
        };
        Some(match self {
            Self::Browse => Need::Browse(None),
            Self::Read(named) => Need::Read(package(named)?),
            Self::Publish(named) => Need::Publish(package(named)?),
            Self::Curate(named) => Need::Curate(package(named)?),
        })
    }
}

impl House {
    /// Signs a token for those of `asked` that `to` holds now; the rest is left out in silence.
    pub(crate) async fn bearer(
        &self,
        to: &Principal,
        at: Ecosystem,
        asked: Vec<Need>,
    ) -> Result<Bearer, Fault> {
        let mut granted: Vec<Need> = Vec::with_capacity(asked.len().min(MAX_NEEDS));
        let mut refused = Vec::new();
        for need in asked.into_iter().take(MAX_NEEDS) {
            if Entry::of(&need).is_none() || granted.contains(&need) {
                continue;
            }
            match self.grant(to, &need).await {
                Ok(_) => granted.push(need),
                Err(fault @ (Fault::Internal(_) | Fault::Busy(_))) => return Err(fault),
                Err(_refused) => refused.push(need),
            }
        }
        // whoever makes a package may read it as soon as it is there, by the same token
        for need in refused {
            if let Need::Read(package) = &need
                && granted.contains(&Need::Publish(package.clone()))
            {
                granted.push(need);
            }
        }
        let issued_at = self.now();
        let credential = to.credential();
        let expires_at = credential
            .and_then(|credential| credential.expires_at)
            .map_or(issued_at.after(LIFETIME), |end| {
                end.min(issued_at.after(LIFETIME))
            });
        let text = self.bearer_key.sign(&Claims {
            iss: self.instance.clone(),
            sub: to.login().map(ToString::to_string).unwrap_or_default(),
            aud: at.to_string(),
            exp: whole_seconds(expires_at),
            nbf: whole_seconds(issued_at).saturating_sub(5),
            iat: whole_seconds(issued_at),
            jti: uuid::Uuid::now_v7().simple().to_string(),
            credential: credential.map(|credential| credential.token.get()),
            access: granted.iter().filter_map(Entry::of).collect(),
        })?;
        let lifetime = expires_at.as_micros().saturating_sub(issued_at.as_micros());
        Ok(Bearer {
            text,
            granted,
            issued_at,
            lifetime: Duration::from_micros(u64::try_from(lifetime).unwrap_or_default()),
        })
    }
}

const MICROS_PER_SECOND: i64 = 1_000_000;

fn whole_seconds(at: Timestamp) -> i64 {
    at.as_micros().div_euclid(MICROS_PER_SECOND)
}

fn seconds(count: i64) -> Timestamp {
    Timestamp::from_micros(count.saturating_mul(MICROS_PER_SECOND))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> BearerKey {
        BearerKey::read(&fresh_key()).unwrap()
    }

    fn claims() -> Claims {
        Claims {
            iss: "house".to_owned(),
            sub: "alice".to_owned(),
            aud: "container".to_owned(),
            exp: 1_900,
            nbf: 1_000,
            iat: 1_000,
            jti: "1".to_owned(),
            credential: Some(7),
            access: vec![Entry::Read(Named {
                owner: Login::new("acme").unwrap(),
                repository: None,
                name: NormalizedName::new("app").unwrap(),
            })],
        }
    }

    #[test]
    fn a_token_says_what_was_signed() {
        let key = key();
        let held = key.open(&key.sign(&claims()).unwrap()).unwrap();
        assert_eq!(held.credential, Some(TokenId::from(7)));
        assert_eq!(held.access.needs().len(), 1);
        assert!(held.holds(Ecosystem::Container, seconds(1_000)));
        assert!(held.holds(Ecosystem::Container, seconds(940)));
        assert!(!held.holds(Ecosystem::Container, seconds(939)));
        assert!(held.holds(Ecosystem::Container, seconds(1_959)));
        assert!(!held.holds(Ecosystem::Container, seconds(1_960)));
        assert!(!held.holds(Ecosystem::Docker, seconds(1_000)));
    }

    #[test]
    fn a_changed_token_is_none() {
        let signer = key();
        let text = signer.sign(&claims()).unwrap();
        assert!(key().open(&text).is_none(), "another house's key");
        let (signed, _) = text.rsplit_once('.').unwrap();
        assert!(signer.open(&format!("{signed}.")).is_none());
        let unsigned = URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#);
        let (_, claims) = signed.split_once('.').unwrap();
        assert!(signer.open(&format!("{unsigned}.{claims}.")).is_none());
        for at in [0, text.len() / 2, text.len() - 2] {
            let mut bytes = text.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            assert!(signer.open(&changed).is_none(), "{at}");
        }
    }
}
