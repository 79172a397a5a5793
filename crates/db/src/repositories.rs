//! Repositories: named permission holders that packages are linked to.

use diesel::prelude::*;
use diesel::upsert::excluded;
use packhouse_names::{AccountId, RepoName, RepoRole, RepositoryId, TeamId, Timestamp, Visibility};

use crate::columns::Opt;
use crate::conn::{Conn, Tx, on_conn};
use crate::schema::{collaborators, repositories, team_repositories};
use crate::sql::Cached;
use crate::{DbError, DbResult};

/// A repository that is not deleted.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = repositories)]
pub struct Repository {
    #[diesel(deserialize_as = i64)]
    pub id: RepositoryId,
    #[diesel(deserialize_as = i64)]
    pub owner_id: AccountId,
    #[diesel(deserialize_as = String)]
    pub name: RepoName,
    pub description: Option<String>,
    #[diesel(deserialize_as = String)]
    pub visibility: Visibility,
    #[diesel(deserialize_as = Opt<i64>)]
    pub archived_at: Option<Timestamp>,
    #[diesel(deserialize_as = i64)]
    pub created_at: Timestamp,
    #[diesel(deserialize_as = i64)]
    pub updated_at: Timestamp,
}

/// A repository to be.
#[derive(Debug, Clone)]
pub struct NewRepository {
    pub owner_id: AccountId,
    pub name: RepoName,
    pub description: Option<String>,
    pub visibility: Visibility,
    pub created_at: Timestamp,
}

/// The repository of an owner whose name has this key ([`RepoName::key`]).
///
/// # Errors
/// The failure of the engine.
pub fn find(conn: &mut Conn, owner: AccountId, name_key: &str) -> DbResult<Option<Repository>> {
    let found = on_conn!(conn, |c| repositories::table
        .filter(repositories::owner_id.eq(owner.get()))
        .filter(repositories::name_key.eq(name_key))
        .filter(repositories::deleted_at.is_null())
        .select(Repository::as_select())
        .first(c)
        .optional())?;
    Ok(found)
}

/// The repository with this id, unless it is deleted.
///
/// # Errors
/// The failure of the engine.
pub fn by_id(conn: &mut Conn, id: RepositoryId) -> DbResult<Option<Repository>> {
    let found = on_conn!(conn, |c| repositories::table
        .find(id.get())
        .filter(repositories::deleted_at.is_null())
        .select(Repository::as_select())
        .first(c)
        .optional())?;
    Ok(found)
}

/// Makes a repository.
///
/// # Errors
/// [`DbError::Duplicate`] when the owner has one of this name; [`DbError::Reference`] when there
/// is no such owner.
pub fn insert(tx: &mut Tx<'_>, new: &NewRepository) -> DbResult<Repository> {
    let made = on_conn!(tx, |c| diesel::insert_into(repositories::table)
        .values((
            repositories::owner_id.eq(new.owner_id.get()),
            repositories::name.eq(new.name.as_str()),
            repositories::name_key.eq(&*new.name.key()),
            repositories::description.eq(new.description.as_deref()),
            repositories::visibility.eq(new.visibility.as_str()),
            repositories::created_at.eq(new.created_at.as_micros()),
            repositories::updated_at.eq(new.created_at.as_micros()),
        ))
        .on_conflict_do_nothing()
        .returning(Repository::as_returning())
        .get_result(c)
        .optional())?;
    made.ok_or(DbError::Duplicate)
}

/// Changes who may see a repository; says whether it exists. Packages of repository-scoped
/// ecosystems follow by their caller's hand.
///
/// # Errors
/// The failure of the engine.
pub fn set_visibility(
    tx: &mut Tx<'_>,
    id: RepositoryId,
    visibility: Visibility,
    at: Timestamp,
) -> DbResult<bool> {
    let changed = on_conn!(tx, |c| Cached(
        diesel::update(repositories::table.find(id.get())).set((
            repositories::visibility.eq(visibility.as_str()),
            repositories::updated_at.eq(at.as_micros()),
        ))
    )
    .execute(c))?;
    Ok(changed > 0)
}

/// Gives a user a role on a repository, or changes it.
///
/// # Errors
/// [`DbError::Reference`] when the repository or the user is not there.
pub fn put_collaborator(
    tx: &mut Tx<'_>,
    repository: RepositoryId,
    user: AccountId,
    role: RepoRole,
) -> DbResult<()> {
    on_conn!(tx, |c| Cached(
        diesel::insert_into(collaborators::table)
            .values((
                collaborators::repository_id.eq(repository.get()),
                collaborators::user_id.eq(user.get()),
                collaborators::role.eq(role.as_str()),
            ))
            .on_conflict((collaborators::repository_id, collaborators::user_id))
            .do_update()
            .set(collaborators::role.eq(excluded(collaborators::role)))
    )
    .execute(c))?;
    Ok(())
}

/// Takes a user's role on a repository away; says whether there was one.
///
/// # Errors
/// The failure of the engine.
pub fn remove_collaborator(
    tx: &mut Tx<'_>,
    repository: RepositoryId,
    user: AccountId,
) -> DbResult<bool> {
    let removed = on_conn!(tx, |c| diesel::delete(
        collaborators::table.find((repository.get(), user.get()))
    )
    .execute(c))?;
    Ok(removed > 0)
}

/// Gives a team a role on a repository, or changes it.
///
/// # Errors
/// [`DbError::Reference`] when the repository or the team is not there.
pub fn put_team_repository(
    tx: &mut Tx<'_>,
    team: TeamId,
    repository: RepositoryId,
    role: RepoRole,
) -> DbResult<()> {
    on_conn!(tx, |c| Cached(
        diesel::insert_into(team_repositories::table)
            .values((
                team_repositories::team_id.eq(team.get()),
                team_repositories::repository_id.eq(repository.get()),
                team_repositories::role.eq(role.as_str()),
            ))
            .on_conflict((team_repositories::team_id, team_repositories::repository_id))
            .do_update()
            .set(team_repositories::role.eq(excluded(team_repositories::role)))
    )
    .execute(c))?;
    Ok(())
}
