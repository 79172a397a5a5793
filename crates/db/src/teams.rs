//! Who belongs to an organization, and its nested teams.

use diesel::prelude::*;
use diesel::upsert::excluded;
use packhouse_names::{AccountId, Login, OrgRole, TeamId, TeamRole, TeamSlug, Timestamp};

use crate::columns::Opt;
use crate::conn::{Conn, Tx, on_conn};
use crate::schema::{accounts, memberships, team_members, teams};
use crate::sql::Cached;
use crate::{DbError, DbResult};

/// A team of an organization.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = teams)]
pub struct Team {
    #[diesel(deserialize_as = i64)]
    pub id: TeamId,
    #[diesel(deserialize_as = i64)]
    pub org_id: AccountId,
    #[diesel(deserialize_as = String)]
    pub slug: TeamSlug,
    pub name: String,
    pub description: Option<String>,
    /// Members of this team have what the parent was given.
    #[diesel(deserialize_as = Opt<i64>)]
    pub parent_id: Option<TeamId>,
    #[diesel(deserialize_as = i64)]
    pub created_at: Timestamp,
}

/// A team to be.
#[derive(Debug, Clone)]
pub struct NewTeam {
    pub org_id: AccountId,
    pub slug: TeamSlug,
    pub name: String,
    pub description: Option<String>,
    pub parent_id: Option<TeamId>,
    pub created_at: Timestamp,
}

/// A member of an organization.
#[derive(Debug, Clone, Queryable)]
pub struct Member {
    #[diesel(deserialize_as = i64)]
    pub user_id: AccountId,
    #[diesel(deserialize_as = String)]
    pub login: Login,
    #[diesel(deserialize_as = String)]
    pub role: OrgRole,
}

/// A user's place in one organization.
#[derive(Debug, Clone, Queryable)]
pub struct Membership {
    #[diesel(deserialize_as = i64)]
    pub org_id: AccountId,
    #[diesel(deserialize_as = String)]
    pub org_login: Login,
    #[diesel(deserialize_as = String)]
    pub role: OrgRole,
}

/// The place a user has in an organization, if any.
///
/// # Errors
/// The failure of the engine; [`DbError::Malformed`] for a role that is none.
pub fn membership(conn: &mut Conn, org: AccountId, user: AccountId) -> DbResult<Option<OrgRole>> {
    let role: Option<String> = on_conn!(conn, |c| memberships::table
        .find((org.get(), user.get()))
        .select(memberships::role)
        .first(c)
        .optional())?;
    role.map(OrgRole::try_from)
        .transpose()
        .map_err(|error| DbError::Malformed(Box::new(error)))
}

/// Makes a user a member of an organization, or changes the role of one.
///
/// # Errors
/// [`DbError::Reference`] when either account is not there.
pub fn put_membership(
    tx: &mut Tx<'_>,
    org: AccountId,
    user: AccountId,
    role: OrgRole,
    at: Timestamp,
) -> DbResult<()> {
    on_conn!(tx, |c| Cached(
        diesel::insert_into(memberships::table)
            .values((
                memberships::org_id.eq(org.get()),
                memberships::user_id.eq(user.get()),
                memberships::role.eq(role.as_str()),
                memberships::created_at.eq(at.as_micros()),
            ))
            .on_conflict((memberships::org_id, memberships::user_id))
            .do_update()
            .set(memberships::role.eq(excluded(memberships::role)))
    )
    .execute(c))?;
    Ok(())
}

/// Removes a user from an organization and from all of its teams; says whether there was a
/// membership.
///
/// # Errors
/// The failure of the engine.
pub fn remove_membership(tx: &mut Tx<'_>, org: AccountId, user: AccountId) -> DbResult<bool> {
    on_conn!(tx, |c| diesel::delete(
        team_members::table
            .filter(team_members::user_id.eq(user.get()))
            .filter(
                team_members::team_id.eq_any(
                    teams::table
                        .filter(teams::org_id.eq(org.get()))
                        .select(teams::id)
                )
            )
    )
    .execute(c))?;
    let removed = on_conn!(tx, |c| diesel::delete(
        memberships::table.find((org.get(), user.get()))
    )
    .execute(c))?;
    Ok(removed > 0)
}

/// The members of an organization, by login.
///
/// # Errors
/// The failure of the engine.
pub fn members(conn: &mut Conn, org: AccountId) -> DbResult<Vec<Member>> {
    let found = on_conn!(conn, |c| memberships::table
        .inner_join(accounts::table.on(accounts::id.eq(memberships::user_id)))
        .filter(memberships::org_id.eq(org.get()))
        .order(accounts::login_key)
        .select((accounts::id, accounts::login, memberships::role))
        .load(c))?;
    Ok(found)
}

/// The organizations a user belongs to, by login.
///
/// # Errors
/// The failure of the engine.
pub fn memberships_of(conn: &mut Conn, user: AccountId) -> DbResult<Vec<Membership>> {
    let found = on_conn!(conn, |c| memberships::table
        .inner_join(accounts::table.on(accounts::id.eq(memberships::org_id)))
        .filter(memberships::user_id.eq(user.get()))
        .order(accounts::login_key)
        .select((accounts::id, accounts::login, memberships::role))
        .load(c))?;
    Ok(found)
}

/// Makes a team.
///
/// # Errors
/// [`DbError::Duplicate`] when the organization has one of this slug; [`DbError::Reference`]
/// when the organization or the parent is not there.
pub fn insert_team(tx: &mut Tx<'_>, new: &NewTeam) -> DbResult<Team> {
    let made = on_conn!(tx, |c| diesel::insert_into(teams::table)
        .values((
            teams::org_id.eq(new.org_id.get()),
            teams::slug.eq(new.slug.as_str()),
            teams::slug_key.eq(&*new.slug.key()),
            teams::name.eq(&new.name),
            teams::description.eq(new.description.as_deref()),
            teams::parent_id.eq(new.parent_id.map(TeamId::get)),
            teams::created_at.eq(new.created_at.as_micros()),
        ))
        .on_conflict((teams::org_id, teams::slug_key))
        .do_nothing()
        .returning(Team::as_returning())
        .get_result(c)
        .optional())?;
    made.ok_or(DbError::Duplicate)
}

/// The team of an organization whose slug has this key ([`TeamSlug::key`]).
///
/// # Errors
/// The failure of the engine.
pub fn find_team(conn: &mut Conn, org: AccountId, slug_key: &str) -> DbResult<Option<Team>> {
    let found = on_conn!(conn, |c| teams::table
        .filter(teams::org_id.eq(org.get()))
        .filter(teams::slug_key.eq(slug_key))
        .select(Team::as_select())
        .first(c)
        .optional())?;
    Ok(found)
}

/// Adds a user to a team, or changes the role of a member.
///
/// # Errors
/// [`DbError::Reference`] when the team or the user is not there.
pub fn put_team_member(
    tx: &mut Tx<'_>,
    team: TeamId,
    user: AccountId,
    role: TeamRole,
) -> DbResult<()> {
    on_conn!(tx, |c| Cached(
        diesel::insert_into(team_members::table)
            .values((
                team_members::team_id.eq(team.get()),
                team_members::user_id.eq(user.get()),
                team_members::role.eq(role.as_str()),
            ))
            .on_conflict((team_members::team_id, team_members::user_id))
            .do_update()
            .set(team_members::role.eq(excluded(team_members::role)))
    )
    .execute(c))?;
    Ok(())
}

/// Removes a user from a team; says whether there was such a member.
///
/// # Errors
/// The failure of the engine.
pub fn remove_team_member(tx: &mut Tx<'_>, team: TeamId, user: AccountId) -> DbResult<bool> {
    let removed = on_conn!(tx, |c| diesel::delete(
        team_members::table.find((team.get(), user.get()))
    )
    .execute(c))?;
    Ok(removed > 0)
}

/// The teams of an organization, by slug.
///
/// # Errors
/// The failure of the engine.
pub fn teams_of(conn: &mut Conn, org: AccountId) -> DbResult<Vec<Team>> {
    let found = on_conn!(conn, |c| teams::table
        .filter(teams::org_id.eq(org.get()))
        .order(teams::slug_key)
        .select(Team::as_select())
        .load(c))?;
    Ok(found)
}

/// The logins of a team's own members, by login; those of its child teams are not among them.
///
/// # Errors
/// The failure of the engine; [`DbError::Malformed`] for a login that is none.
pub fn team_members(conn: &mut Conn, team: TeamId) -> DbResult<Vec<Login>> {
    let found: Vec<String> = on_conn!(conn, |c| team_members::table
        .inner_join(accounts::table.on(accounts::id.eq(team_members::user_id)))
        .filter(team_members::team_id.eq(team.get()))
        .order(accounts::login_key)
        .select(accounts::login)
        .load(c))?;
    let logins = found.into_iter().map(Login::new);
    logins
        .collect::<Result<_, _>>()
        .map_err(|error| DbError::Malformed(Box::new(error)))
}

/// Removes a team with all that it was given; says whether it was there. Its child teams stay,
/// without a parent.
///
/// # Errors
/// The failure of the engine.
pub fn remove_team(tx: &mut Tx<'_>, team: TeamId) -> DbResult<bool> {
    let removed = on_conn!(tx, |c| diesel::delete(teams::table.find(team.get()))
        .execute(c))?;
    Ok(removed > 0)
}
