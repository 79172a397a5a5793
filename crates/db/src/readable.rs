//! Which packages somebody may read, as a condition of a query: for whoever lists or searches.
//!
//! It says for many packages at once what core's policy decides for one; a test of core compares
//! the two. Every set that it looks into is a subquery of its own that depends on the reader
//! alone: an engine makes it once a query, not once a package.

use diesel::prelude::*;
use diesel::sql_types::Text;
use packhouse_names::{AccountId, Ecosystem, RepositoryId};

use crate::text::QueryText;
use crate::{Conn, DbResult};

/// Somebody who lists or searches, their token's scopes looked at already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// Nobody in particular: public packages, of containers alone or of every ecosystem.
    Anybody {
        every_ecosystem: bool,
    },
    /// A site admin.
    SiteAdmin,
    Account(AccountId),
    /// A workflow of this repository, and of the account that owns it.
    Workflow {
        repository: RepositoryId,
        owner: AccountId,
    },
}

/// A full name by itself.
#[derive(QueryableByName)]
struct NameRow {
    #[diesel(sql_type = Text)]
    full_name: String,
}

/// Up to `limit` packages of an ecosystem that have versions and that the reader may read: their
/// full names (`owner/name`, by its keys) above `after`, in the order of the bytes of that name.
///
/// # Errors
/// The failure of the engine.
pub fn names(
    conn: &mut Conn,
    reader: Reader,
    ecosystem: Ecosystem,
    after: Option<&str>,
    limit: u32,
) -> DbResult<Vec<String>> {
    let after = after.unwrap_or_default();
    let (prefix, name) = after.split_at(after.find('/').map_or(after.len(), |slash| slash + 1));
    let mut query = QueryText::default();
    with_teams(&mut query, reader);
    // owners outside and their packages inside, each by an index: what comes first is met first,
    // and the walk ends with the page
    query
        .sql(
            "select o.prefix || p.name_key as full_name from accounts o cross join packages p \
             left join repositories r on r.id = p.repository_id and r.deleted_at is null \
             where p.owner_id = o.id and p.deleted_at is null and p.live_versions > 0 \
             and p.ecosystem = ",
        )
        .text(ecosystem.as_str())
        .sql(" and o.prefix >= ")
        .text(prefix)
        .sql(" and (o.prefix > ")
        .text(prefix)
        .sql(" or p.name_key > ")
        .text(name)
        .sql(") and ");
    is_readable(&mut query, reader);
    query
        .sql(" order by o.prefix, p.name_key limit ")
        .number(i64::from(limit));
    let rows: Vec<NameRow> = query.load(conn)?;
    Ok(rows.into_iter().map(|row| row.full_name).collect())
}

/// The reader's teams with their parents; a query that uses [`is_readable`] begins with it.
pub(crate) fn with_teams(query: &mut QueryText, reader: Reader) {
    let account = match reader {
        Reader::Account(account) => account.get(),
        // ids begin at 1, so 0 finds nothing
        _ => 0,
    };
    query
        .sql("with recursive mine (id) as (select team_id from team_members where user_id = ")
        .number(account)
        .sql(
            " union select t.parent_id from teams t join mine on t.id = mine.id \
             where t.parent_id is not null) ",
        );
}

/// Whether a package's permissions are always its repository's.
const IS_SCOPED: &str = "p.ecosystem in ('maven', 'docker')";

/// Whether access comes from the repository.
const INHERITS: &str =
    "(p.ecosystem in ('maven', 'docker') or (p.inherit_access and r.id is not null))";

const VISIBILITY: &str = "(case when p.ecosystem in ('maven', 'docker') \
     then coalesce(r.visibility, p.visibility) else p.visibility end)";

/// The condition, for a query with `packages p` and, joined from the left, the repository that is
/// linked and not deleted as `repositories r`.
pub(crate) fn is_readable(query: &mut QueryText, reader: Reader) {
    match reader {
        Reader::SiteAdmin => {
            query.sql("true");
        }
        Reader::Anybody { every_ecosystem } => {
            query.sql(VISIBILITY).sql(" = 'public'");
            if !every_ecosystem {
                query.sql(" and p.ecosystem = 'container'");
            }
        }
        Reader::Account(account) => by_account(query, account.get()),
        Reader::Workflow { repository, owner } => {
            query
                .sql("(")
                .sql(VISIBILITY)
                .sql(" = 'public' or (")
                .sql(VISIBILITY)
                .sql(" = 'internal' and p.owner_id = ")
                .number(owner.get())
                .sql(") or (p.repository_id = ")
                .number(repository.get())
                .sql(" and ")
                .sql(INHERITS)
                .sql(") or (not ")
                .sql(IS_SCOPED)
                .sql(" and p.id in (select package_id from actions_access where repository_id = ")
                .number(repository.get())
                .sql(")))");
        }
    }
}

fn by_account(query: &mut QueryText, me: i64) {
    // what visibility and the owner give
    query
        .sql("(")
        .sql(VISIBILITY)
        .sql(" = 'public' or p.owner_id = ")
        .number(me)
        .sql(
            " or p.owner_id in (select org_id from memberships where role = 'owner' and user_id = ",
        )
        .number(me)
        .sql(") or (")
        .sql(VISIBILITY)
        .sql(" = 'internal' and p.owner_id in (select org_id from memberships where user_id = ")
        .number(me)
        .sql("))");
    // what the package's own list gives
    query
        .sql(" or (not ")
        .sql(INHERITS)
        .sql(" and (p.id in (select package_id from user_grants where user_id = ")
        .number(me)
        .sql(
            ") or p.id in (select package_id from team_grants \
             where team_id in (select id from mine))))",
        );
    // what the repository gives
    query
        .sql(" or (")
        .sql(INHERITS)
        .sql(" and r.id is not null and (r.visibility = 'public' or r.owner_id = ")
        .number(me)
        .sql(
            " or r.owner_id in (select m.org_id from memberships m \
             join accounts a on a.id = m.org_id \
             where (m.role = 'owner' or a.base_permission is not null) and m.user_id = ",
        )
        .number(me)
        .sql(
            ") or (r.visibility = 'internal' \
             and r.owner_id in (select org_id from memberships where user_id = ",
        )
        .number(me)
        .sql(")) or r.id in (select repository_id from collaborators where user_id = ")
        .number(me)
        .sql(
            ") or r.id in (select repository_id from team_repositories \
             where team_id in (select id from mine)))))",
        );
}
