//! What ties an account, or a workflow, to a package: the facts that a decision is made of.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use packhouse_names::{AccountId, OrgRole, PackageId, RepoRole, RepositoryId, Role, Visibility};

use crate::conn::{Conn, on_conn};
use crate::grants::actions_role;
use crate::schema::packages;
use crate::sql::Cached;
use crate::{DbError, DbResult};

/// What ties an account to a package and its namespace. What the roles add up to, and whether the
/// package's visibility gives more, is not decided here.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ties {
    /// The account owns the package itself.
    pub owns: bool,
    /// Its place in the organization that owns the package.
    pub org_role: Option<OrgRole>,
    /// The highest role by the package's own list: its own, or of a team it is in, parents of
    /// the team included.
    pub package_role: Option<Role>,
    /// The highest role on the linked repository: as its owner or an owner of its organization,
    /// as a collaborator, by a team, by what the organization gives its members, or because
    /// everybody may read it.
    pub repository_role: Option<RepoRole>,
}

/// What ties the workflows of a repository to a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WorkflowTies {
    /// The package is linked to the repository.
    pub is_linked: bool,
    /// The role by the package's list of repositories.
    pub actions_role: Option<Role>,
}

/// The ties of an account to a package, deleted or not; none to one that does not exist.
///
/// # Errors
/// The failure of the engine; [`DbError::Malformed`] for a role that is none.
pub fn load(conn: &mut Conn, account: AccountId, package: PackageId) -> DbResult<Ties> {
    let found: Option<(i64, Option<i64>)> = on_conn!(conn, |c| packages::table
        .find(package.get())
        .select((packages::owner_id, packages::repository_id))
        .first(c)
        .optional())?;
    let Some((owner, repository)) = found else {
        return Ok(Ties::default());
    };
    gather(
        conn,
        account,
        AccountId::from(owner),
        repository.map(RepositoryId::from),
        Some(package),
    )
}

/// The ties of an account to a package that is not there yet: to its owner, and to the repository
/// it would be linked to.
///
/// # Errors
/// The failure of the engine; [`DbError::Malformed`] for a role that is none.
pub fn load_namespace(
    conn: &mut Conn,
    account: AccountId,
    owner: AccountId,
    repository: Option<RepositoryId>,
) -> DbResult<Ties> {
    gather(conn, account, owner, repository, None)
}

/// The ties of a repository's workflows to a package.
///
/// # Errors
/// The failure of the engine; [`DbError::Malformed`] for a role that is none.
pub fn load_workflow(
    conn: &mut Conn,
    repository: RepositoryId,
    package: PackageId,
) -> DbResult<WorkflowTies> {
    let linked: Option<Option<i64>> = on_conn!(conn, |c| packages::table
        .find(package.get())
        .select(packages::repository_id)
        .first(c)
        .optional())?;
    Ok(WorkflowTies {
        is_linked: linked.flatten() == Some(repository.get()),
        actions_role: actions_role(conn, package, repository)?,
    })
}

/// One row per tie, as two words. A parameter must come first in the order of its number:
/// SQLite takes `$1` for a name and counts names as they appear.
const TIES: &str = "\
with recursive mine (id) as ( \
    select team_id from team_members where user_id = $1 \
    union \
    select t.parent_id from teams t join mine on t.id = mine.id where t.parent_id is not null \
) \
select 'organization' as tie, role as word from memberships \
    where user_id = $1 and org_id = $2 \
union all \
select 'repository owner', case when m.role is null then 'user' else m.role end \
    from repositories r left join memberships m on m.org_id = r.owner_id and m.user_id = $1 \
    where r.id = $3 and r.deleted_at is null and (r.owner_id = $1 or m.role is not null) \
union all \
select 'base', a.base_permission \
    from repositories r \
    join memberships m on m.org_id = r.owner_id and m.user_id = $1 \
    join accounts a on a.id = r.owner_id \
    where r.id = $3 and r.deleted_at is null and a.base_permission is not null \
union all \
select 'visibility', visibility from repositories where id = $3 and deleted_at is null \
union all \
select 'repository', k.role from collaborators k join repositories r on r.id = k.repository_id \
    where k.repository_id = $3 and k.user_id = $1 and r.deleted_at is null \
union all \
select 'repository', k.role from team_repositories k \
    join repositories r on r.id = k.repository_id join mine on mine.id = k.team_id \
    where k.repository_id = $3 and r.deleted_at is null \
union all \
select 'package', role from user_grants where package_id = $4 and user_id = $1 \
union all \
select 'package', g.role from team_grants g join mine on mine.id = g.team_id \
    where g.package_id = $4";

#[derive(QueryableByName)]
struct TieRow {
    #[diesel(sql_type = Text)]
    tie: String,
    #[diesel(sql_type = Text)]
    word: String,
}

fn word<T>(text: String) -> DbResult<T>
where
    T: TryFrom<String>,
    T::Error: std::error::Error + Send + Sync + 'static,
{
    T::try_from(text).map_err(|error| DbError::Malformed(Box::new(error)))
}

fn gather(
    conn: &mut Conn,
    account: AccountId,
    owner: AccountId,
    repository: Option<RepositoryId>,
    package: Option<PackageId>,
) -> DbResult<Ties> {
    // ids begin at 1, so 0 finds nothing
    let rows: Vec<TieRow> = on_conn!(conn, |c| Cached(
        diesel::sql_query(TIES)
            .bind::<BigInt, _>(account.get())
            .bind::<BigInt, _>(owner.get())
            .bind::<BigInt, _>(repository.map_or(0, RepositoryId::get))
            .bind::<BigInt, _>(package.map_or(0, PackageId::get))
    )
    .load(c))?;
    let mut ties = Ties {
        owns: account == owner,
        ..Ties::default()
    };
    let mut visibility = None;
    let mut is_member = false;
    for row in rows {
        let repository_role = match row.tie.as_str() {
            "organization" => {
                ties.org_role = Some(word(row.word)?);
                None
            }
            "package" => {
                ties.package_role = ties.package_role.max(Some(word(row.word)?));
                None
            }
            "visibility" => {
                visibility = Some(word::<Visibility>(row.word)?);
                None
            }
            "repository owner" if row.word == "user" => Some(RepoRole::Admin),
            "repository owner" => {
                is_member = true;
                let role: OrgRole = word(row.word)?;
                (role == OrgRole::Owner).then_some(RepoRole::Admin)
            }
            _ => Some(word(row.word)?),
        };
        ties.repository_role = ties.repository_role.max(repository_role);
    }
    let by_visibility = match visibility {
        Some(Visibility::Public) => Some(RepoRole::Read),
        Some(Visibility::Internal) if is_member => Some(RepoRole::Read),
        Some(Visibility::Internal | Visibility::Private) | None => None,
    };
    ties.repository_role = ties.repository_role.max(by_visibility);
    Ok(ties)
}
