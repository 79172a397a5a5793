//! From credentials to a principal, from a need to a context: the one way in.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use moka::sync::Cache;
use packhouse_db::packages::HeadRow;
use packhouse_db::tokens::TokenRow;
use packhouse_db::{AccountKind, Conn, accounts, packages, repositories, teams, ties, tokens};
use packhouse_names::{
    AccountId, Ecosystem, Login, OrgRole, TokenId, TokenKind, TokenText, Visibility,
};

use crate::bearer::{self, Held};
use crate::cx::{ReadCx, WriteCx};
use crate::fault::{Fault, Lack, Thing, Unproven};
use crate::freshness::Moment;
use crate::heads::{Asker, PackageHead};
use crate::hits::Hits;
use crate::house::House;
use crate::model::PackageRef;
use crate::policy::{
    AnyTies, Creation, Credential, Declared, HouseRules, Identity, Need, Operation,
    OrganizationOperation, PackageFacts, Principal, Refusal, Scopes, Ties, TokenHash,
    WorkflowIdentity, WorkflowTies, decide, decide_browsing, decide_creation, decide_organization,
};
use crate::registry::Credentials;
use crate::uses::Uses;

/// Tokens and package heads kept in memory; beyond these the least used are read again.
const MAX_TOKENS: u64 = 10_000;
const MAX_HEADS: u64 = 20_000;

/// What is kept so that a warm request asks the database nothing.
#[derive(Debug)]
pub(crate) struct Admission {
    tokens: Cache<TokenHash, Arc<KeptToken>>,
    /// The same tokens, as short-lived ones name them.
    token_ids: Cache<TokenId, Arc<KeptToken>>,
    bearers: Cache<Box<str>, Arc<Held>>,
    heads: Cache<PackageRef, Arc<PackageHead>>,
    uses: Uses,
    token_hits: Hits,
    head_hits: Hits,
}

#[derive(Debug)]
struct KeptToken {
    credential: Arc<Credential>,
    read_at: Moment,
    used_on: AtomicI64,
}

/// What a need was granted on.
#[derive(Debug, Clone)]
pub(crate) enum Granted {
    /// The need is about no package.
    Plain,
    /// A package that exists.
    Package(Arc<PackageHead>),
    /// A package that the deed may create.
    Creation,
    /// An organization.
    Organization(AccountId),
}

impl Admission {
    pub(crate) fn new() -> Self {
        Self {
            tokens: Cache::new(MAX_TOKENS),
            token_ids: Cache::new(MAX_TOKENS),
            bearers: Cache::new(MAX_TOKENS),
            heads: Cache::new(MAX_HEADS),
            uses: Uses::default(),
            token_hits: Hits::of("tokens"),
            head_hits: Hits::of("packages"),
        }
    }

    /// Token uses that are not written yet.
    pub(crate) fn uses(&self) -> &Uses {
        &self.uses
    }
}

impl House {
    /// Says who asks at the registry of an ecosystem. A need to sign in looks at no header; every
    /// other accepts what came only if it holds: a wrong token is never taken for nobody.
    ///
    /// # Errors
    /// [`Fault::Unauthenticated`] for credentials that do not hold.
    pub async fn authenticate(
        &self,
        credentials: Option<&Credentials>,
        need: &Need,
        at: Ecosystem,
    ) -> Result<Principal, Fault> {
        self.news.catch_up(&self.db, &self.freshness).await?;
        match credentials {
            Some(credentials) if *need != Need::SignIn => {
                if bearer::has_form(credentials) {
                    return self.prove_bearer(credentials, need, at).await;
                }
                Ok(Principal::Known(self.prove(credentials, need).await?))
            }
            _ => Ok(Principal::Anonymous),
        }
    }

    /// Checks a short-lived token, and the credential that it was made from as that is now.
    async fn prove_bearer(
        &self,
        credentials: &Credentials,
        need: &Need,
        at: Ecosystem,
    ) -> Result<Principal, Fault> {
        let invalid = || Fault::Unauthenticated {
            need: Box::new(need.clone()),
            why: Unproven::Invalid(credentials.scheme),
        };
        let text = credentials.secret.as_str();
        let held = match self.admission.bearers.get(text) {
            Some(held) => held,
            None => {
                let held = Arc::new(self.bearer_key.open(text).ok_or_else(invalid)?);
                self.admission
                    .bearers
                    .insert(text.into(), Arc::clone(&held));
                held
            }
        };
        if !held.holds(at, self.now()) {
            return Err(invalid());
        }
        let Some(id) = held.credential else {
            return Ok(Principal::Anonymous);
        };
        let kept = self.admission.token_ids.get(&id);
        let kept = kept.filter(|kept| self.freshness.holds_token(id, kept.read_at));
        let kept = match self.admission.token_hits.count(kept) {
            Some(kept) => kept,
            None => {
                let found = self.read_token(move |conn| Ok(tokens::find_row(conn, id)?));
                found.await?.ok_or_else(invalid)?
            }
        };
        let credential = self.in_time(&kept).ok_or_else(invalid)?;
        Ok(Principal::Narrowed(credential, Arc::clone(&held.access)))
    }

    /// Checks credentials and finds whose they are.
    pub(crate) async fn prove(
        &self,
        credentials: &Credentials,
        need: &Need,
    ) -> Result<Arc<Credential>, Fault> {
        let invalid = || Fault::Unauthenticated {
            need: Box::new(need.clone()),
            why: Unproven::Invalid(credentials.scheme),
        };
        let text = TokenText::parse(&credentials.secret).ok_or_else(invalid)?;
        let hash = TokenHash::of(&text);
        let kept = match self.admission.token_hits.count(self.kept_token(&hash)) {
            Some(kept) => kept,
            None => {
                let found = self
                    .read_token(move |conn| Ok(tokens::find_by_hash(conn, hash.as_bytes())?))
                    .await?
                    .ok_or_else(invalid)?;
                self.admission.tokens.insert(hash, Arc::clone(&found));
                found
            }
        };
        self.in_time(&kept).ok_or_else(invalid)
    }

    /// The credential where it has not expired; notes that it was used.
    fn in_time(&self, kept: &KeptToken) -> Option<Arc<Credential>> {
        let now = self.now();
        if kept.credential.expires_at.is_some_and(|at| at <= now) {
            return None;
        }
        if kept.used_on.swap(now.day(), Ordering::Relaxed) != now.day() {
            self.admission.uses.note(kept.credential.token, now.day());
        }
        Some(Arc::clone(&kept.credential))
    }

    fn kept_token(&self, hash: &TokenHash) -> Option<Arc<KeptToken>> {
        let kept = self.admission.tokens.get(hash)?;
        self.freshness
            .holds_token(kept.credential.token, kept.read_at)
            .then_some(kept)
    }

    async fn read_token(
        &self,
        find: impl FnMut(&mut Conn) -> Result<Option<TokenRow>, Fault> + Send + 'static,
    ) -> Result<Option<Arc<KeptToken>>, Fault> {
        let read_at = self.freshness.moment();
        let found = self.db.read(find).await?;
        let Some(row) =
            found.filter(|row| row.token.revoked_at.is_none() && row.bearer.suspended_at.is_none())
        else {
            return Ok(None);
        };
        let used_on = AtomicI64::new(row.token.last_used_day.unwrap_or(i64::MIN));
        let credential = Arc::new(credential(row)?);
        let kept = Arc::new(KeptToken {
            credential,
            read_at,
            used_on,
        });
        self.admission
            .token_ids
            .insert(kept.credential.token, Arc::clone(&kept));
        Ok(Some(kept))
    }

    /// Grants a need to read.
    ///
    /// # Errors
    /// What [`Fault`] says of the refusal.
    pub async fn admit_read(
        self: &Arc<Self>,
        principal: Principal,
        need: Need,
    ) -> Result<ReadCx, Fault> {
        let granted = self.grant(&principal, &need).await?;
        Ok(ReadCx {
            house: Arc::clone(self),
            principal,
            need,
            granted,
        })
    }

    /// Grants a need to change something.
    ///
    /// # Errors
    /// What [`Fault`] says of the refusal.
    pub async fn admit_write(
        self: &Arc<Self>,
        principal: Principal,
        need: Need,
    ) -> Result<WriteCx, Fault> {
        Ok(WriteCx(self.admit_read(principal, need).await?))
    }

    pub(crate) async fn grant(&self, principal: &Principal, need: &Need) -> Result<Granted, Fault> {
        let granted = self.decided(principal, need).await?;
        // last: what its owner may not do either, no wider token would allow
        if principal.allows(need) {
            Ok(granted)
        } else {
            Err(Fault::Unauthenticated {
                need: Box::new(need.clone()),
                why: Unproven::TooNarrow,
            })
        }
    }

    async fn decided(&self, principal: &Principal, need: &Need) -> Result<Granted, Fault> {
        let Some(package) = need.package() else {
            return self.grant_plain(principal, need).await;
        };
        let operation = need.operation();
        let kept = self.admission.head_hits.count(self.kept_head(package));
        let ties = kept
            .as_ref()
            .and_then(|head| self.known_ties(principal, head));
        let (head, ties) = match (kept, ties) {
            (Some(head), Some(ties)) => (Some(head), Asked::Package(ties)),
            _ => self.read_head(principal, package).await?,
        };
        let decision = match (&head, ties) {
            (Some(head), Asked::Package(ties)) => decide(
                operation,
                principal,
                &head.facts,
                &ties,
                self.settings.rules(),
            ),
            (_, Asked::Creation(creation, ties)) => decide_creation(
                operation,
                principal,
                &creation,
                &ties,
                self.settings.rules(),
            ),
            (None, Asked::Package(_)) => Err(Refusal::Hidden),
        };
        match decision {
            Ok(()) => Ok(head.map_or(Granted::Creation, Granted::Package)),
            Err(refusal) => Err(refused(refusal, need)),
        }
    }

    async fn grant_plain(&self, principal: &Principal, need: &Need) -> Result<Granted, Fault> {
        let (operation, login) = match need {
            Need::Browse(_) => {
                return decide_browsing(principal, self.settings.rules())
                    .map(|()| Granted::Plain)
                    .map_err(|refusal| refused(refusal, need));
            }
            Need::SeeOrganization(login) => (OrganizationOperation::See, login),
            Need::ManageOrganization(login) => (OrganizationOperation::Manage, login),
            _ => return decide_plain(principal, need).map(|()| Granted::Plain),
        };
        let (wanted, caller) = (login.clone(), principal.clone());
        let (organization, role) = self
            .db
            .read(move |conn| standing(conn, &wanted, &caller))
            .await?;
        decide_organization(operation, principal, organization.is_some(), role)
            .map_err(|refusal| refused(refusal, need))?;
        let id = organization.ok_or_else(|| refused(Refusal::Hidden, need))?;
        Ok(Granted::Organization(id))
    }

    fn kept_head(&self, package: &PackageRef) -> Option<Arc<PackageHead>> {
        let head = self.admission.heads.get(package)?;
        if self.freshness.holds_package(head.id, head.read_at) {
            return Some(head);
        }
        self.documents.forget(&head);
        None
    }

    fn known_ties(&self, principal: &Principal, head: &PackageHead) -> Option<AnyTies> {
        match asker(principal) {
            Some(asker) => head.ties(asker),
            None => Some(AnyTies::Account(Ties::default())),
        }
    }

    async fn read_head(
        &self,
        principal: &Principal,
        package: &PackageRef,
    ) -> Result<(Option<Arc<PackageHead>>, Asked), Fault> {
        let read_at = self.freshness.moment();
        let (wanted, who) = (package.clone(), principal.clone());
        let (row, asked) = self
            .db
            .read(move |conn| resolve(conn, &wanted, &who))
            .await?;
        let Some(row) = row else {
            return Ok((None, asked));
        };
        let head = Arc::new(PackageHead::new(
            row.package.id,
            row.package.revision,
            facts(&row),
            row.package.live_versions > 0,
            read_at,
        ));
        if let (Some(asker), Asked::Package(ties)) = (asker(principal), asked) {
            head.remember(asker, ties);
        }
        self.admission
            .heads
            .insert(package.clone(), Arc::clone(&head));
        Ok((Some(head), asked))
    }
}

/// What a decision is made on: a package that is there, or the place where it would be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Asked {
    Package(AnyTies),
    Creation(Creation, Ties),
}

/// Finds an organization, and the principal's place in it.
fn standing(
    conn: &mut Conn,
    login: &Login,
    principal: &Principal,
) -> Result<(Option<AccountId>, Option<OrgRole>), Fault> {
    let organization = accounts::find_by_login(conn, &login.key())?
        .filter(|account| account.kind == AccountKind::Organization)
        .map(|account| account.id);
    let role = match (organization, principal.credential()) {
        (Some(id), Some(credential)) => teams::membership(conn, id, credential.account)?,
        _ => None,
    };
    Ok((organization, role))
}

/// Finds a package and what ties the principal to it, or to the place where it would be.
pub(crate) fn resolve(
    conn: &mut Conn,
    package: &PackageRef,
    principal: &Principal,
) -> Result<(Option<HeadRow>, Asked), Fault> {
    let owner_key = package.namespace.owner.key();
    let found = packages::find_head(conn, &owner_key, package.ecosystem, &package.key)?
        .filter(|row| is_addressed(row, package));
    match found {
        Some(row) => {
            let ties = package_ties(conn, principal, &row)?;
            Ok((Some(row), Asked::Package(ties)))
        }
        None => {
            let (creation, ties) = creation(conn, package, principal)?;
            Ok((None, Asked::Creation(creation, ties)))
        }
    }
}

/// A repository-scoped package is found under its own repository alone.
fn is_addressed(row: &HeadRow, package: &PackageRef) -> bool {
    match &package.namespace.repository {
        None => true,
        Some(name) => row
            .repository
            .as_ref()
            .is_some_and(|repository| repository.name == *name),
    }
}

/// Whether a principal may read a package that was found by other ways than its address.
pub(crate) fn may_read(
    conn: &mut Conn,
    principal: &Principal,
    row: &HeadRow,
    rules: HouseRules,
) -> Result<bool, Fault> {
    let ties = package_ties(conn, principal, row)?;
    let facts = facts(row);
    Ok(decide(Operation::Read, principal, &facts, &ties, rules).is_ok())
}

fn package_ties(conn: &mut Conn, principal: &Principal, row: &HeadRow) -> Result<AnyTies, Fault> {
    let Some(credential) = principal.credential() else {
        return Ok(AnyTies::Account(Ties::default()));
    };
    Ok(match &credential.identity {
        Identity::User { .. } => {
            AnyTies::Account(ties::load(conn, credential.account, row.package.id)?.into())
        }
        Identity::Workflow(workflow) => {
            let found = ties::load_workflow(conn, workflow.repository, row.package.id)?;
            AnyTies::Workflow(WorkflowTies {
                is_linked: found.is_linked,
                has_same_owner: workflow.owner == row.owner.id,
                actions_role: found.actions_role,
            })
        }
    })
}

fn creation(
    conn: &mut Conn,
    package: &PackageRef,
    principal: &Principal,
) -> Result<(Creation, Ties), Fault> {
    let is_repository_scoped = package.ecosystem.is_repository_scoped();
    let nowhere = Creation {
        owner_exists: false,
        is_repository_scoped,
        visibility: Visibility::Private,
        members_may_create: false,
    };
    let Some(owner) = accounts::find_by_login(conn, &package.namespace.owner.key())? else {
        return Ok((nowhere, Ties::default()));
    };
    let repository = match &package.namespace.repository {
        Some(name) => match repositories::find(conn, owner.id, &name.key())? {
            Some(repository) => Some(repository),
            None => return Ok((nowhere, Ties::default())),
        },
        None => None,
    };
    let visibility = repository
        .as_ref()
        .map_or(owner.default_visibility, |repository| repository.visibility);
    let place = Creation {
        owner_exists: true,
        is_repository_scoped,
        visibility,
        members_may_create: may_members_create(&owner, visibility),
    };
    let ties = match principal.credential() {
        None => Ties::default(),
        Some(Credential {
            identity: Identity::Workflow(workflow),
            ..
        }) => Ties {
            // a workflow creates in its own owner's namespace, or in its own repository
            owns: match &repository {
                Some(repository) => repository.id == workflow.repository,
                None => owner.id == workflow.owner,
            },
            ..Ties::default()
        },
        Some(credential) => {
            let repository_id = repository.map(|repository| repository.id);
            ties::load_namespace(conn, credential.account, owner.id, repository_id)?.into()
        }
    };
    Ok((place, ties))
}

/// Whether members of an organization may create packages of this visibility.
pub(crate) fn may_members_create(owner: &accounts::Account, visibility: Visibility) -> bool {
    owner.kind == AccountKind::Organization
        && match visibility {
            Visibility::Private => owner.create_private,
            Visibility::Internal => owner.create_internal,
            Visibility::Public => owner.create_public,
        }
}

pub(crate) fn facts(row: &HeadRow) -> PackageFacts {
    let is_repository_scoped = row.package.ecosystem.is_repository_scoped();
    let visibility = match &row.repository {
        Some(repository) if is_repository_scoped => repository.visibility,
        _ => row.package.visibility,
    };
    let first_visibility = if is_repository_scoped {
        visibility
    } else {
        row.owner.default_visibility
    };
    PackageFacts {
        is_container: row.package.ecosystem == Ecosystem::Container,
        is_repository_scoped,
        inherits: row.package.inherit_access && row.repository.is_some(),
        visibility,
        first_visibility,
    }
}

fn asker(principal: &Principal) -> Option<Asker> {
    principal
        .credential()
        .map(|credential| match &credential.identity {
            Identity::User { .. } => Asker::Account(credential.account),
            Identity::Workflow(workflow) => Asker::Repository(workflow.repository),
        })
}

fn credential(row: TokenRow) -> Result<Credential, Fault> {
    let TokenRow {
        token,
        bearer,
        repository_owner_id,
    } = row;
    let scopes = Scopes::parse(&token.scopes).map_err(Fault::internal)?;
    let identity = match (token.kind, token.repository_id, repository_owner_id) {
        (TokenKind::Workflow, Some(repository), Some(owner)) => {
            let declared = Declared::from_scopes(scopes);
            Identity::Workflow(WorkflowIdentity {
                repository,
                owner,
                declared,
            })
        }
        (TokenKind::Workflow, ..) => {
            return Err(Fault::internal("a workflow token without a repository"));
        }
        (TokenKind::Classic, ..) => Identity::User {
            scopes,
            site_admin: bearer.site_admin,
        },
    };
    Ok(Credential {
        token: token.id,
        account: token.account_id,
        login: bearer.login,
        identity,
        expires_at: token.expires_at,
    })
}

fn decide_plain(principal: &Principal, need: &Need) -> Result<(), Fault> {
    let unauthenticated = || Fault::Unauthenticated {
        need: Box::new(need.clone()),
        why: Unproven::Missing,
    };
    match need {
        Need::Oneself => principal
            .credential()
            .map(|_| ())
            .ok_or_else(unauthenticated),
        Need::Tokens => match principal
            .credential()
            .map(|credential| &credential.identity)
        {
            None => Err(unauthenticated()),
            Some(Identity::User { .. }) => Ok(()),
            Some(Identity::Workflow(_)) => Err(Fault::Denied {
                need: Box::new(need.clone()),
                lack: Lack::Scope,
            }),
        },
        _ => Ok(()),
    }
}

/// A refusal as the fault that formats word; the package is named as the caller spelt it.
pub(crate) fn refused(refusal: Refusal, need: &Need) -> Fault {
    match refusal {
        Refusal::Unauthenticated => Fault::Unauthenticated {
            need: Box::new(need.clone()),
            why: Unproven::Missing,
        },
        Refusal::NotPublic => Fault::Unauthenticated {
            need: Box::new(need.clone()),
            why: Unproven::NotPublic,
        },
        Refusal::Hidden => match need {
            Need::SeeOrganization(login) | Need::ManageOrganization(login) => {
                Fault::not_found(Thing::Account, login.as_str())
            }
            _ => Fault::not_found(
                Thing::Package,
                need.package()
                    .map(|package| package.name.to_string())
                    .unwrap_or_default(),
            ),
        },
        Refusal::Denied(lack) => Fault::Denied {
            need: Box::new(need.clone()),
            lack,
        },
    }
}

impl Need {
    /// The operation that a need about a package asks for.
    pub(crate) const fn operation(&self) -> Operation {
        match self {
            Self::Publish(_) => Operation::Publish,
            Self::Curate(_) => Operation::Curate,
            Self::Restore(_) => Operation::Restore,
            Self::Manage(_) => Operation::Manage,
            Self::Read(_)
            | Self::Greet
            | Self::SignIn
            | Self::Oneself
            | Self::Tokens
            | Self::Browse(_)
            | Self::SeeOrganization(_)
            | Self::ManageOrganization(_) => Operation::Read,
        }
    }
}

impl From<ties::Ties> for Ties {
    fn from(found: ties::Ties) -> Self {
        Self {
            owns: found.owns,
            org_role: found.org_role,
            package_role: found.package_role,
            repository_role: found.repository_role,
        }
    }
}
