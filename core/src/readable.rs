//! Lists of packages: those of an account, with what the caller may do with each.

use std::collections::{HashMap, HashSet};

use packhouse_db::accounts::Account;
use packhouse_db::packages::Package;
use packhouse_db::readable as db_readable;
use packhouse_db::{AccountKind, Conn, accounts, packages, repositories, roles, teams, ties};
use packhouse_names::{
    AccountId, Ecosystem, Login, OrgRole, PackageId, PackageName, RepoRole, RepositoryId, Role,
    Visibility,
};

use crate::fault::{Fault, Thing};
use crate::house::House;
use crate::policy::{
    AnyTies, Credential, HouseRules, Identity, Operation, PackageFacts, Principal, Ties,
    WorkflowTies, decide, role_of,
};

/// Packages that are read at once, and the most that one list looks at.
const PAGE: u32 = 1_000;
const PAGE_LENGTH: usize = 1_000;
const MAX_LISTED: usize = 10_000;

/// Whose packages are listed.
#[derive(Debug, Clone)]
pub(crate) enum Whose {
    Organization(Login),
    User(Login),
}

impl House {
    /// The packages of an account that the caller may read, with the caller's role on each. Of
    /// oneself also those of one's organizations, and those that one was given a role on.
    ///
    /// An account that has nothing for the caller and that the caller does not belong to is as
    /// good as absent.
    pub(crate) async fn packages_of(
        &self,
        principal: Principal,
        whose: Whose,
        ecosystem: Ecosystem,
    ) -> Result<Vec<(PackageName, Role)>, Fault> {
        let rules = self.settings.rules();
        let rows = self
            .db
            .read(move |conn| {
                conn.snapshot(|conn| list(conn, &principal, &whose, ecosystem, rules))
            })
            .await?;
        let mut listed: Vec<_> = rows
            .into_iter()
            .map(|(row, role)| (row.name, role))
            .collect();
        listed.sort_by(|(a, _), (b, _)| a.as_str().cmp(b.as_str()));
        Ok(listed)
    }
}

fn list(
    conn: &mut Conn,
    principal: &Principal,
    whose: &Whose,
    ecosystem: Ecosystem,
    rules: HouseRules,
) -> Result<Vec<(Package, Role)>, Fault> {
    let (login, kind) = match whose {
        Whose::Organization(login) => (login, AccountKind::Organization),
        Whose::User(login) => (login, AccountKind::User),
    };
    let absent = || Fault::not_found(Thing::Account, login.as_str());
    let account = accounts::find_by_login(conn, &login.key())?
        .filter(|account| account.kind == kind)
        .ok_or_else(absent)?;
    let belongs = belongs(conn, principal, &account)?;
    let mut rows = all_of(conn, account.id, ecosystem)?;
    if belongs && account.kind == AccountKind::User {
        rows.extend(elsewhere(conn, account.id, ecosystem, &rows)?);
    }
    let readable = of(conn, principal, rows, rules)?;
    if readable.is_empty() && !belongs {
        return Err(absent());
    }
    Ok(readable)
}

/// Whether the caller is the user, or a member of the organization.
fn belongs(conn: &mut Conn, principal: &Principal, account: &Account) -> Result<bool, Fault> {
    let Some(Credential {
        account: caller,
        identity: Identity::User { .. },
        ..
    }) = principal.credential()
    else {
        return Ok(false);
    };
    Ok(*caller == account.id || teams::membership(conn, account.id, *caller)?.is_some())
}

fn all_of(conn: &mut Conn, owner: AccountId, ecosystem: Ecosystem) -> Result<Vec<Package>, Fault> {
    let mut rows: Vec<Package> = Vec::new();
    loop {
        let after = rows.last().map(|row| row.id);
        let page = packages::list_by_owner(conn, owner, Some(ecosystem), after, PAGE)?;
        let is_full = page.len() >= PAGE_LENGTH;
        rows.extend(page);
        if !is_full || rows.len() >= MAX_LISTED {
            return Ok(rows);
        }
    }
}

/// What a user has to do with that is not their own.
fn elsewhere(
    conn: &mut Conn,
    user: AccountId,
    ecosystem: Ecosystem,
    own: &[Package],
) -> Result<Vec<Package>, Fault> {
    let mut rows = Vec::new();
    for membership in teams::memberships_of(conn, user)? {
        if rows.len() < MAX_LISTED {
            rows.extend(all_of(conn, membership.org_id, ecosystem)?);
        }
    }
    let seen: HashSet<PackageId> = own.iter().chain(&rows).map(|row| row.id).collect();
    let mut granted: Vec<PackageId> = roles::of_account(conn, user)?
        .into_keys()
        .filter(|id| !seen.contains(id))
        .collect();
    granted.sort_unstable();
    granted.truncate(MAX_LISTED);
    rows.extend(roles::listed(conn, &granted, ecosystem)?);
    Ok(rows)
}

/// Of these packages those that the principal may read, with its role.
pub(crate) fn of(
    conn: &mut Conn,
    principal: &Principal,
    rows: Vec<Package>,
    rules: HouseRules,
) -> Result<Vec<(Package, Role)>, Fault> {
    let mut reader = Reader::of(conn, principal, rules)?;
    let mut readable = Vec::with_capacity(rows.len());
    for row in rows {
        if let Some(role) = reader.role(conn, &row)? {
            readable.push((row, role));
        }
    }
    Ok(readable)
}

/// Who lists or searches, as a query knows them. Scopes were decided on before.
pub(crate) fn reader(principal: &Principal, rules: HouseRules) -> db_readable::Reader {
    match principal.credential() {
        None => db_readable::Reader::Anybody {
            every_ecosystem: rules.anonymous_read,
        },
        Some(credential) => match &credential.identity {
            Identity::User {
                site_admin: true, ..
            } => db_readable::Reader::SiteAdmin,
            Identity::User { .. } => db_readable::Reader::Account(credential.account),
            Identity::Workflow(workflow) => db_readable::Reader::Workflow {
                repository: workflow.repository,
                owner: workflow.owner,
            },
        },
    }
}

/// What a principal's roles come from, read once for many packages.
struct Reader<'a> {
    principal: &'a Principal,
    rules: HouseRules,
    /// By packages' own lists; a workflow's by their lists of repositories.
    listed: HashMap<PackageId, Role>,
    organizations: HashMap<AccountId, OrgRole>,
    /// Of the repositories met so far their visibility, `None` for a deleted one, and the
    /// principal's role on them.
    repositories: HashMap<RepositoryId, (Option<Visibility>, Option<RepoRole>)>,
}

impl<'a> Reader<'a> {
    fn of(conn: &mut Conn, principal: &'a Principal, rules: HouseRules) -> Result<Self, Fault> {
        let mut reader = Self {
            principal,
            rules,
            listed: HashMap::new(),
            organizations: HashMap::new(),
            repositories: HashMap::new(),
        };
        if let Some(credential) = principal.credential() {
            match &credential.identity {
                Identity::User { .. } => {
                    reader.listed = roles::of_account(conn, credential.account)?;
                    let memberships = teams::memberships_of(conn, credential.account)?;
                    reader.organizations = memberships
                        .into_iter()
                        .map(|membership| (membership.org_id, membership.role))
                        .collect();
                }
                Identity::Workflow(workflow) => {
                    reader.listed = roles::of_workflows(conn, workflow.repository)?;
                }
            }
        }
        Ok(reader)
    }

    fn role(&mut self, conn: &mut Conn, row: &Package) -> Result<Option<Role>, Fault> {
        let (repository, repository_role) = self.repository(conn, row)?;
        let is_repository_scoped = row.ecosystem.is_repository_scoped();
        let facts = PackageFacts {
            is_container: row.ecosystem == Ecosystem::Container,
            is_repository_scoped,
            inherits: row.inherit_access && repository.is_some(),
            visibility: repository
                .filter(|_| is_repository_scoped)
                .unwrap_or(row.visibility),
            // only words a refusal, and nothing is refused here
            first_visibility: Visibility::Private,
        };
        let listed = self.listed.get(&row.id).copied();
        let ties = match self.principal.credential() {
            None => AnyTies::Account(Ties::default()),
            Some(credential) => match &credential.identity {
                Identity::User { .. } => AnyTies::Account(Ties {
                    owns: credential.account == row.owner_id,
                    org_role: self.organizations.get(&row.owner_id).copied(),
                    package_role: listed,
                    repository_role,
                }),
                Identity::Workflow(workflow) => AnyTies::Workflow(WorkflowTies {
                    is_linked: row.repository_id == Some(workflow.repository),
                    has_same_owner: workflow.owner == row.owner_id,
                    actions_role: listed,
                }),
            },
        };
        let may_read = decide(Operation::Read, self.principal, &facts, &ties, self.rules).is_ok();
        Ok(may_read
            .then(|| role_of(self.principal, &facts, &ties))
            .flatten())
    }

    fn repository(
        &mut self,
        conn: &mut Conn,
        row: &Package,
    ) -> Result<(Option<Visibility>, Option<RepoRole>), Fault> {
        let Some(id) = row.repository_id else {
            return Ok((None, None));
        };
        if let Some(known) = self.repositories.get(&id) {
            return Ok(*known);
        }
        let repository = repositories::by_id(conn, id)?;
        let role = match self.principal.credential() {
            Some(credential) if repository.is_some() => {
                ties::load_namespace(conn, credential.account, row.owner_id, Some(id))?
                    .repository_role
            }
            _ => None,
        };
        let found = (repository.map(|repository| repository.visibility), role);
        self.repositories.insert(id, found);
        Ok(found)
    }
}
