//! Finding packages by words.
//!
//! The index holds one row for each package, in words that are told apart before they come here,
//! so that both engines index the same. It follows the packages' revisions: the statement that
//! moves one on says that it is not indexed, and whoever searches next indexes it first.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Double};
use diesel::upsert::excluded;
use packhouse_names::{AccountId, Ecosystem, PackageId, Timestamp, VersionId};

use crate::DbResult;
use crate::conn::{Conn, Link, Tx, on_conn};
use crate::readable::{Reader, is_readable, with_teams};
use crate::schema::{packages, search};
use crate::sql::Cached;
use crate::text::QueryText;

/// What a package is found by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub package: PackageId,
    /// The version whose texts these are.
    pub version: VersionId,
    /// Words of letters and digits in lower case, between single spaces; like the next three.
    pub name: String,
    pub keywords: String,
    pub description: String,
    pub people: String,
    /// Whole keywords in lower case, each between line feeds.
    pub keyword_list: String,
    pub is_unstable: bool,
}

/// What is looked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    pub ecosystem: Option<Ecosystem>,
    pub owner: Option<AccountId>,
    /// Words of letters and digits in lower case. Each must begin a word of the package.
    pub words: Vec<String>,
    /// A package whose key this is comes first.
    pub exact: Option<String>,
    /// Words of letters and digits that people of the package must have.
    pub people: Vec<String>,
    /// Of each group the package must have one keyword.
    pub keywords: Vec<Vec<String>>,
    /// Keywords that the package must not have.
    pub no_keywords: Vec<String>,
    pub is_unstable: Option<bool>,
}

/// A package that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Match {
    pub package: PackageId,
    pub version: VersionId,
    /// How well the words fit: more is better, on a scale of the engine's own.
    pub fit: f64,
    /// How much its publisher says of it, between 0 and 1.
    pub quality: f64,
    /// Whether it is the very package that was named.
    pub is_exact: bool,
    pub updated_at: Timestamp,
}

/// A part of what was found, and how much there is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Matches {
    pub total: u64,
    pub listed: Vec<Match>,
}

/// Up to `limit` packages whose index is behind them.
///
/// # Errors
/// The failure of the engine.
pub fn unindexed(conn: &mut Conn, limit: u32) -> DbResult<Vec<PackageId>> {
    let found: Vec<i64> = on_conn!(conn, |c| packages::table
        .filter(diesel::dsl::not(packages::indexed))
        .order(packages::id)
        .limit(i64::from(limit))
        .select(packages::id)
        .load(c))?;
    Ok(found.into_iter().map(PackageId::from).collect())
}

/// Writes what a package is found by, in place of what it was found by before; with nothing, it is
/// not found any more. The caller has [locked](crate::packages::lock) the package.
///
/// # Errors
/// [`DbError::Reference`](crate::DbError::Reference) when the package or the version is not there.
pub fn index(tx: &mut Tx<'_>, package: PackageId, entry: Option<&Entry>) -> DbResult<()> {
    match entry {
        None => {
            on_conn!(tx, |c| diesel::delete(search::table.find(package.get()))
                .execute(c))?;
        }
        Some(entry) => {
            on_conn!(tx, |c| Cached(
                diesel::insert_into(search::table)
                    .values((
                        search::package_id.eq(package.get()),
                        search::version_id.eq(entry.version.get()),
                        search::name.eq(&entry.name),
                        search::keywords.eq(&entry.keywords),
                        search::description.eq(&entry.description),
                        search::people.eq(&entry.people),
                        search::keyword_list.eq(&entry.keyword_list),
                        search::unstable.eq(entry.is_unstable),
                    ))
                    .on_conflict(search::package_id)
                    .do_update()
                    .set((
                        search::version_id.eq(excluded(search::version_id)),
                        search::name.eq(excluded(search::name)),
                        search::keywords.eq(excluded(search::keywords)),
                        search::description.eq(excluded(search::description)),
                        search::people.eq(excluded(search::people)),
                        search::keyword_list.eq(excluded(search::keyword_list)),
                        search::unstable.eq(excluded(search::unstable)),
                    ))
            )
            .execute(c))?;
        }
    }
    on_conn!(tx, |c| Cached(
        diesel::update(packages::table.find(package.get())).set(packages::indexed.eq(true))
    )
    .execute(c))?;
    Ok(())
}

#[derive(QueryableByName)]
struct MatchRow {
    #[diesel(sql_type = BigInt)]
    package_id: i64,
    #[diesel(sql_type = BigInt)]
    version_id: i64,
    #[diesel(sql_type = Double)]
    fit: f64,
    #[diesel(sql_type = Double)]
    quality: f64,
    #[diesel(sql_type = BigInt)]
    inexact: i64,
    #[diesel(sql_type = BigInt)]
    updated_at: i64,
    #[diesel(sql_type = BigInt)]
    total: i64,
}

#[derive(QueryableByName)]
struct CountRow {
    #[diesel(sql_type = BigInt)]
    total: i64,
}

/// What the reader may read of what is wanted, the best first; `total` counts all of it.
///
/// # Errors
/// The failure of the engine.
pub fn find(
    conn: &mut Conn,
    reader: Reader,
    wanted: &Wanted,
    offset: u32,
    limit: u32,
) -> DbResult<Matches> {
    let is_sqlite = matches!(conn.link, Link::Sqlite(_));
    let mut query = begin(reader, wanted, is_sqlite);
    query.sql("select s.package_id, s.version_id, p.updated_at, count(*) over () as total, ");
    fit(&mut query, wanted, is_sqlite);
    query.sql(" as fit, ").sql(QUALITY).sql(" as quality, ");
    match &wanted.exact {
        Some(exact) => query
            .sql("case when p.name_key = ")
            .text(exact)
            .sql(" then cast(0 as bigint) else cast(1 as bigint) end"),
        None => query.sql("cast(1 as bigint)"),
    };
    query.sql(" as inexact");
    candidates(&mut query, reader, wanted, is_sqlite);
    query
        .sql(" order by inexact, fit desc, p.id limit ")
        .number(i64::from(limit))
        .sql(" offset ")
        .number(i64::from(offset));
    let rows: Vec<MatchRow> = query.load(conn)?;
    let total = match rows.first() {
        Some(row) => row.total,
        None if offset == 0 => 0,
        // past the end there is no row to say how many there are
        None => count(conn, reader, wanted, is_sqlite)?,
    };
    Ok(Matches {
        total: u64::try_from(total).unwrap_or_default(),
        listed: rows
            .into_iter()
            .map(|row| Match {
                package: row.package_id.into(),
                version: row.version_id.into(),
                fit: row.fit,
                quality: row.quality,
                is_exact: row.inexact == 0,
                updated_at: Timestamp::from_micros(row.updated_at),
            })
            .collect(),
    })
}

/// The teams of the reader, and on SQLite what the words find: its ranking can be asked for in a
/// query on the index alone.
fn begin(reader: Reader, wanted: &Wanted, is_sqlite: bool) -> QueryText {
    let mut query = QueryText::default();
    with_teams(&mut query, reader);
    if is_sqlite && !wanted.words.is_empty() {
        query
            .sql(
                ", found (package_id, fit) as materialized (\
                 select rowid, -bm25(search_words, 8.0, 4.0, 2.0, 1.0) from search_words \
                 where search_words match ",
            )
            .text(&matching(&wanted.words, is_sqlite))
            .sql(") ");
    }
    query
}

fn count(conn: &mut Conn, reader: Reader, wanted: &Wanted, is_sqlite: bool) -> DbResult<i64> {
    let mut query = begin(reader, wanted, is_sqlite);
    query.sql("select count(*) as total");
    candidates(&mut query, reader, wanted, is_sqlite);
    let rows: Vec<CountRow> = query.load(conn)?;
    Ok(rows.first().map_or(0, |row| row.total))
}

const QUALITY: &str = "cast(case when s.description <> '' then 0.5 else 0 end \
     + case when s.keywords <> '' then 0.25 else 0 end \
     + case when s.unstable then 0 else 0.25 end as double precision)";

/// PostgreSQL uses its index for this very text alone.
const VECTOR: &str = "(setweight(to_tsvector('simple'::regconfig, s.name), 'A') \
     || setweight(to_tsvector('simple'::regconfig, s.keywords), 'B') \
     || setweight(to_tsvector('simple'::regconfig, s.description), 'C') \
     || setweight(to_tsvector('simple'::regconfig, s.people), 'D'))";

/// How well a row fits: a name counts eight times what a person does, a keyword four times, a
/// description twice (`spec/npm.md` 15).
fn fit(query: &mut QueryText, wanted: &Wanted, is_sqlite: bool) {
    if wanted.words.is_empty() {
        query.sql("cast(0 as double precision)");
    } else if is_sqlite {
        query.sql("found.fit");
    } else {
        query
            .sql("cast(ts_rank('{0.125, 0.25, 0.5, 1.0}', ")
            .sql(VECTOR)
            .sql(", to_tsquery('simple', ")
            .text(&matching(&wanted.words, is_sqlite))
            .sql(")) as double precision)");
    }
}

/// The words as the engine asks for them. Letters and digits alone have no meaning in either
/// language.
fn matching(words: &[String], is_sqlite: bool) -> String {
    let (prefix, and) = if is_sqlite { ("*", " ") } else { (":*", " & ") };
    let quote = if is_sqlite { '"' } else { '\'' };
    words
        .iter()
        .map(|word| format!("{quote}{word}{quote}{prefix}"))
        .collect::<Vec<_>>()
        .join(and)
}

fn candidates(query: &mut QueryText, reader: Reader, wanted: &Wanted, is_sqlite: bool) {
    let by_words = !wanted.words.is_empty();
    query.sql(" from search s");
    if by_words && is_sqlite {
        query.sql(" join found on found.package_id = s.package_id");
    }
    query.sql(
        " join packages p on p.id = s.package_id \
         left join repositories r on r.id = p.repository_id and r.deleted_at is null \
         where p.deleted_at is null and p.live_versions > 0 and ",
    );
    is_readable(query, reader);
    if by_words && !is_sqlite {
        query
            .sql(" and ")
            .sql(VECTOR)
            .sql(" @@ to_tsquery('simple', ")
            .text(&matching(&wanted.words, is_sqlite))
            .sql(")");
    }
    if let Some(ecosystem) = wanted.ecosystem {
        query.sql(" and p.ecosystem = ").text(ecosystem.as_str());
    }
    if let Some(owner) = wanted.owner {
        query.sql(" and p.owner_id = ").number(owner.get());
    }
    for person in &wanted.people {
        query.sql(" and ' ' || s.people || ' ' like ");
        query.text(&format!("% {person} %"));
    }
    for group in &wanted.keywords {
        query.sql(" and (false");
        for keyword in group {
            query.sql(" or ");
            has_keyword(query, keyword);
        }
        query.sql(")");
    }
    for keyword in &wanted.no_keywords {
        query.sql(" and not ");
        has_keyword(query, keyword);
    }
    match wanted.is_unstable {
        Some(true) => query.sql(" and s.unstable"),
        Some(false) => query.sql(" and not s.unstable"),
        None => query,
    };
}

fn has_keyword(query: &mut QueryText, keyword: &str) {
    let escaped: String = keyword
        .chars()
        .flat_map(|sign| {
            let is_special = matches!(sign, '%' | '_' | '\\');
            is_special.then_some('\\').into_iter().chain([sign])
        })
        .collect();
    query
        .sql("s.keyword_list like ")
        .text(&format!("%\n{escaped}\n%"))
        .sql(" escape '\\'");
}
