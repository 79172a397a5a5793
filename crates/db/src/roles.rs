//! Roles in bulk: what one account has on many packages, and who has one on a package.
//!
//! [`crate::ties`] answers the same for one account and one package.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use packhouse_names::{
    AccountId, Ecosystem, Login, PackageId, RepoRole, RepositoryId, Role, TeamId,
};

use crate::conn::{Conn, on_conn};
use crate::packages::Package;
use crate::schema::{actions_access, packages};
use crate::sql::Cached;
use crate::{DbError, DbResult};

/// Values of one list in a statement; the engines take 32,766 and 65,535.
const MAX_IDS: usize = 10_000;

/// Somebody who has a role on a package, and one thing that it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    pub login: Login,
    pub by: Source,
}

/// What a role comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The package is the user's own, or the user owns the organization that it belongs to.
    Owner,
    /// The package's own list, by name or by a team, parents of the team included.
    List(Role),
    /// The linked repository.
    Repository(RepoRole),
}

#[derive(QueryableByName)]
struct RoleRow {
    #[diesel(sql_type = BigInt)]
    package_id: i64,
    #[diesel(sql_type = Text)]
    role: String,
}

#[derive(QueryableByName)]
struct HolderRow {
    #[diesel(sql_type = Text)]
    source: String,
    #[diesel(sql_type = Text)]
    login: String,
    #[diesel(sql_type = Text)]
    role: String,
}

/// Of a user: the lists that name it, and those that name its teams or their parents.
const ROLES: &str = "\
with recursive mine (id) as ( \
    select team_id from team_members where user_id = $1 \
    union \
    select t.parent_id from teams t join mine on t.id = mine.id where t.parent_id is not null \
) \
select package_id, role from user_grants where user_id = $1 \
union all \
select g.package_id, g.role from team_grants g join mine on mine.id = g.team_id";

/// Of a team: its own lists and its parents'.
const TEAM_ROLES: &str = "\
with recursive line (id) as ( \
    select id from teams where id = $1 \
    union \
    select t.parent_id from teams t join line on t.id = line.id where t.parent_id is not null \
) \
select g.package_id, g.role from team_grants g join line on line.id = g.team_id";

/// Everybody who has a role on a package by something else than its visibility. A team's role
/// is that of its child teams too.
const HOLDERS: &str = "\
with recursive \
listed (id, role) as ( \
    select team_id, role from team_grants where package_id = $1 \
    union \
    select t.id, l.role from teams t join listed l on t.parent_id = l.id \
), \
linked (id) as ( \
    select r.id from repositories r join packages p on p.repository_id = r.id \
    where p.id = $1 and r.deleted_at is null \
), \
helping (id, role) as ( \
    select k.team_id, k.role from team_repositories k join linked on linked.id = k.repository_id \
    union \
    select t.id, h.role from teams t join helping h on t.parent_id = h.id \
), \
found (source, user_id, role) as ( \
    select 'owner', p.owner_id, 'owner' from packages p \
        join accounts o on o.id = p.owner_id and o.kind = 'user' where p.id = $1 \
    union all \
    select 'owner', m.user_id, 'owner' from packages p \
        join memberships m on m.org_id = p.owner_id and m.role = 'owner' where p.id = $1 \
    union all \
    select 'list', user_id, role from user_grants where package_id = $1 \
    union all \
    select 'list', m.user_id, l.role from team_members m join listed l on l.id = m.team_id \
    union all \
    select 'repository', k.user_id, k.role from collaborators k \
        join linked on linked.id = k.repository_id \
    union all \
    select 'repository', m.user_id, h.role from team_members m join helping h on h.id = m.team_id \
    union all \
    select 'repository', o.id, 'admin' from linked join repositories r on r.id = linked.id \
        join accounts o on o.id = r.owner_id and o.kind = 'user' \
    union all \
    select 'repository', m.user_id, case when m.role = 'owner' then 'admin' else o.base_permission end \
        from linked join repositories r on r.id = linked.id \
        join accounts o on o.id = r.owner_id \
        join memberships m on m.org_id = o.id \
        where m.role = 'owner' or o.base_permission is not null \
) \
select f.source, a.login, f.role from found f join accounts a on a.id = f.user_id \
order by a.login_key";

fn word<T>(text: String) -> DbResult<T>
where
    T: TryFrom<String>,
    T::Error: std::error::Error + Send + Sync + 'static,
{
    T::try_from(text).map_err(|error| DbError::Malformed(Box::new(error)))
}

fn highest(rows: Vec<RoleRow>) -> DbResult<HashMap<PackageId, Role>> {
    let mut roles = HashMap::with_capacity(rows.len());
    for row in rows {
        let role: Role = word(row.role)?;
        let id = PackageId::from(row.package_id);
        let known = roles.entry(id).or_insert(role);
        *known = role.max(*known);
    }
    Ok(roles)
}

/// The highest role that packages' own lists give an account, by itself or by its teams.
///
/// # Errors
/// The failure of the engine; [`DbError::Malformed`] for a role that is none.
pub fn of_account(conn: &mut Conn, account: AccountId) -> DbResult<HashMap<PackageId, Role>> {
    let rows = on_conn!(conn, |c| Cached(
        diesel::sql_query(ROLES).bind::<BigInt, _>(account.get())
    )
    .load(c))?;
    highest(rows)
}

/// The highest role that packages' own lists give a team, by itself or by its parents.
///
/// # Errors
/// The failure of the engine; [`DbError::Malformed`] for a role that is none.
pub fn of_team(conn: &mut Conn, team: TeamId) -> DbResult<HashMap<PackageId, Role>> {
    let rows = on_conn!(conn, |c| Cached(
        diesel::sql_query(TEAM_ROLES).bind::<BigInt, _>(team.get())
    )
    .load(c))?;
    highest(rows)
}

/// The role that packages' lists give a repository's workflows.
///
/// # Errors
/// The failure of the engine; [`DbError::Malformed`] for a role that is none.
pub fn of_workflows(
    conn: &mut Conn,
    repository: RepositoryId,
) -> DbResult<HashMap<PackageId, Role>> {
    let rows: Vec<(i64, String)> = on_conn!(conn, |c| actions_access::table
        .filter(actions_access::repository_id.eq(repository.get()))
        .select((actions_access::package_id, actions_access::role))
        .load(c))?;
    let rows = rows.into_iter();
    rows.map(|(id, role)| Ok((PackageId::from(id), word(role)?)))
        .collect()
}

/// Everybody who has a role on a package by something else than its visibility, by login; once
/// for each thing that a role comes from.
///
/// # Errors
/// The failure of the engine; [`DbError::Malformed`] for a word that is none.
pub fn holders(conn: &mut Conn, package: PackageId) -> DbResult<Vec<Holder>> {
    let rows: Vec<HolderRow> = on_conn!(conn, |c| Cached(
        diesel::sql_query(HOLDERS).bind::<BigInt, _>(package.get())
    )
    .load(c))?;
    rows.into_iter()
        .map(|row| {
            let by = match row.source.as_str() {
                "owner" => Source::Owner,
                "list" => Source::List(word(row.role)?),
                _ => Source::Repository(word(row.role)?),
            };
            let login = word(row.login)?;
            Ok(Holder { login, by })
        })
        .collect()
}

/// Of these packages the listed ones of an ecosystem, by name.
///
/// # Errors
/// The failure of the engine.
pub fn listed(conn: &mut Conn, ids: &[PackageId], ecosystem: Ecosystem) -> DbResult<Vec<Package>> {
    let mut found = Vec::new();
    for part in ids.chunks(MAX_IDS) {
        let ids = part.iter().map(|id| id.get());
        let some: Vec<Package> = on_conn!(conn, |c| packages::table
            .filter(packages::id.eq_any(ids))
            .filter(packages::ecosystem.eq(ecosystem.as_str()))
            .filter(packages::deleted_at.is_null())
            .filter(packages::live_versions.gt(0))
            .order((packages::name_key, packages::id))
            .select(Package::as_select())
            .load(c))?;
        found.extend(some);
    }
    Ok(found)
}
