//! A package's own access list: users, teams, and the repositories whose workflows may use it.

use diesel::prelude::*;
use diesel::upsert::excluded;
use packhouse_names::{
    AccountId, Login, PackageId, RepoName, RepositoryId, Role, TeamId, TeamSlug,
};

use crate::conn::{Conn, Tx, on_conn};
use crate::schema::{
    accounts, actions_access, packages, repositories, team_grants, teams, user_grants,
};
use crate::sql::Cached;
use crate::{DbError, DbResult};

/// A user's role on a package.
#[derive(Debug, Clone, Queryable)]
pub struct UserGrant {
    #[diesel(deserialize_as = i64)]
    pub user_id: AccountId,
    #[diesel(deserialize_as = String)]
    pub login: Login,
    #[diesel(deserialize_as = String)]
    pub role: Role,
}

/// A team's role on a package.
#[derive(Debug, Clone, Queryable)]
pub struct TeamGrant {
    #[diesel(deserialize_as = i64)]
    pub team_id: TeamId,
    #[diesel(deserialize_as = String)]
    pub slug: TeamSlug,
    #[diesel(deserialize_as = String)]
    pub role: Role,
}

/// Who has a role on a package by its own list.
#[derive(Debug, Clone)]
pub struct Grants {
    /// By login.
    pub users: Vec<UserGrant>,
    /// By slug.
    pub teams: Vec<TeamGrant>,
}

/// A repository whose workflows have a role on a package.
#[derive(Debug, Clone, Queryable)]
pub struct ActionsAccess {
    #[diesel(deserialize_as = i64)]
    pub repository_id: RepositoryId,
    #[diesel(deserialize_as = i64)]
    pub owner_id: AccountId,
    #[diesel(deserialize_as = String)]
    pub name: RepoName,
    #[diesel(deserialize_as = String)]
    pub role: Role,
}

/// Gives a user a role on a package, or changes it.
///
/// # Errors
/// [`DbError::Reference`] when the package or the user is not there.
pub fn put_user(tx: &mut Tx<'_>, package: PackageId, user: AccountId, role: Role) -> DbResult<()> {
    on_conn!(tx, |c| Cached(
        diesel::insert_into(user_grants::table)
            .values((
                user_grants::package_id.eq(package.get()),
                user_grants::user_id.eq(user.get()),
                user_grants::role.eq(role.as_str()),
            ))
            .on_conflict((user_grants::package_id, user_grants::user_id))
            .do_update()
            .set(user_grants::role.eq(excluded(user_grants::role)))
    )
    .execute(c))?;
    Ok(())
}

/// Gives a team a role on a package, or changes it.
///
/// # Errors
/// [`DbError::Reference`] when the package or the team is not there.
pub fn put_team(tx: &mut Tx<'_>, package: PackageId, team: TeamId, role: Role) -> DbResult<()> {
    on_conn!(tx, |c| Cached(
        diesel::insert_into(team_grants::table)
            .values((
                team_grants::package_id.eq(package.get()),
                team_grants::team_id.eq(team.get()),
                team_grants::role.eq(role.as_str()),
            ))
            .on_conflict((team_grants::package_id, team_grants::team_id))
            .do_update()
            .set(team_grants::role.eq(excluded(team_grants::role)))
    )
    .execute(c))?;
    Ok(())
}

/// Takes a user's role on a package away; says whether there was one.
///
/// # Errors
/// The failure of the engine.
pub fn remove_user(tx: &mut Tx<'_>, package: PackageId, user: AccountId) -> DbResult<bool> {
    let removed = on_conn!(tx, |c| diesel::delete(
        user_grants::table.find((package.get(), user.get()))
    )
    .execute(c))?;
    Ok(removed > 0)
}

/// Takes a team's role on a package away; says whether there was one.
///
/// # Errors
/// The failure of the engine.
pub fn remove_team(tx: &mut Tx<'_>, package: PackageId, team: TeamId) -> DbResult<bool> {
    let removed = on_conn!(tx, |c| diesel::delete(
        team_grants::table.find((package.get(), team.get()))
    )
    .execute(c))?;
    Ok(removed > 0)
}

/// Takes every user's and team's role on a package away.
///
/// # Errors
/// The failure of the engine.
pub fn clear(tx: &mut Tx<'_>, package: PackageId) -> DbResult<()> {
    on_conn!(tx, |c| diesel::delete(
        user_grants::table.filter(user_grants::package_id.eq(package.get()))
    )
    .execute(c))?;
    on_conn!(tx, |c| diesel::delete(
        team_grants::table.filter(team_grants::package_id.eq(package.get()))
    )
    .execute(c))?;
    Ok(())
}

/// The users and teams of a package's own list.
///
/// # Errors
/// The failure of the engine.
pub fn list(conn: &mut Conn, package: PackageId) -> DbResult<Grants> {
    let users = on_conn!(conn, |c| user_grants::table
        .inner_join(accounts::table.on(accounts::id.eq(user_grants::user_id)))
        .filter(user_grants::package_id.eq(package.get()))
        .order(accounts::login_key)
        .select((accounts::id, accounts::login, user_grants::role))
        .load(c))?;
    let teams = on_conn!(conn, |c| team_grants::table
        .inner_join(teams::table.on(teams::id.eq(team_grants::team_id)))
        .filter(team_grants::package_id.eq(package.get()))
        .order(teams::slug_key)
        .select((teams::id, teams::slug, team_grants::role))
        .load(c))?;
    Ok(Grants { users, teams })
}

/// Gives a repository's workflows a role on a package, or changes it.
///
/// # Errors
/// [`DbError::Reference`] when the package or the repository is not there.
pub fn put_actions(
    tx: &mut Tx<'_>,
    package: PackageId,
    repository: RepositoryId,
    role: Role,
) -> DbResult<()> {
    on_conn!(tx, |c| Cached(
        diesel::insert_into(actions_access::table)
            .values((
                actions_access::package_id.eq(package.get()),
                actions_access::repository_id.eq(repository.get()),
                actions_access::role.eq(role.as_str()),
            ))
            .on_conflict((actions_access::package_id, actions_access::repository_id))
            .do_update()
            .set(actions_access::role.eq(excluded(actions_access::role)))
    )
    .execute(c))?;
    Ok(())
}

/// Takes the role of a repository's workflows away; says whether there was one.
///
/// # Errors
/// The failure of the engine.
pub fn remove_actions(
    tx: &mut Tx<'_>,
    package: PackageId,
    repository: RepositoryId,
) -> DbResult<bool> {
    let removed = on_conn!(tx, |c| diesel::delete(
        actions_access::table.find((package.get(), repository.get()))
    )
    .execute(c))?;
    Ok(removed > 0)
}

/// The repositories whose workflows have a role on a package, by name.
///
/// # Errors
/// The failure of the engine.
pub fn list_actions(conn: &mut Conn, package: PackageId) -> DbResult<Vec<ActionsAccess>> {
    let found = on_conn!(conn, |c| actions_access::table
        .inner_join(repositories::table.on(repositories::id.eq(actions_access::repository_id)))
        .filter(actions_access::package_id.eq(package.get()))
        .filter(repositories::deleted_at.is_null())
        .order((repositories::name_key, repositories::id))
        .select((
            repositories::id,
            repositories::owner_id,
            repositories::name,
            actions_access::role,
        ))
        .load(c))?;
    Ok(found)
}

/// The role that a repository's workflows have on a package by its list.
///
/// # Errors
/// The failure of the engine.
pub fn actions_role(
    conn: &mut Conn,
    package: PackageId,
    repository: RepositoryId,
) -> DbResult<Option<Role>> {
    let role: Option<String> = on_conn!(conn, |c| actions_access::table
        .find((package.get(), repository.get()))
        .select(actions_access::role)
        .first(c)
        .optional())?;
    role.map(Role::try_from)
        .transpose()
        .map_err(|error| DbError::Malformed(Box::new(error)))
}

/// The packages of an owner on which a user has a role by their own lists, in the order of their
/// ids.
///
/// # Errors
/// The failure of the engine.
pub fn granted_in(conn: &mut Conn, owner: AccountId, user: AccountId) -> DbResult<Vec<PackageId>> {
    let found: Vec<i64> = on_conn!(conn, |c| user_grants::table
        .inner_join(packages::table.on(packages::id.eq(user_grants::package_id)))
        .filter(packages::owner_id.eq(owner.get()))
        .filter(user_grants::user_id.eq(user.get()))
        .order(packages::id)
        .select(packages::id)
        .load(c))?;
    Ok(found.into_iter().map(PackageId::from).collect())
}
