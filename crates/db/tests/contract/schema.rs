//! The two migrations and `schema.rs` say the same.

use std::collections::{BTreeMap, BTreeSet};

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use packhouse_db::DbTarget;

use crate::house::House;

/// A column's type and whether it may be null, by table and column.
type Columns = BTreeMap<(String, String), (&'static str, bool)>;
/// The columns of every unique key, the primary one included, and whether it is partial.
type Keys = BTreeSet<(String, Vec<String>, bool)>;

pub(crate) async fn client(url: &str) -> tokio_postgres::Client {
    let (client, line) = tokio_postgres::connect(url, tokio_postgres::NoTls)
        .await
        .unwrap();
    tokio::spawn(line);
    client
}

fn declared() -> Columns {
    let mut columns = Columns::new();
    let mut table = String::new();
    for line in include_str!("../../src/schema.rs").lines() {
        let line = line.trim();
        if let Some((name, kind)) = line.trim_end_matches(',').split_once(" -> ") {
            let (kind, is_nullable) = match kind.strip_prefix("Nullable<") {
                Some(kind) => (kind.trim_end_matches('>'), true),
                None => (kind, false),
            };
            columns.insert(
                (table.clone(), name.to_owned()),
                (
                    known(kind, &["BigInt", "Text", "Bool", "Binary"]),
                    is_nullable,
                ),
            );
        } else if let Some((name, _)) = line.split_once(" (").filter(|_| line.ends_with(") {")) {
            table = name.to_owned();
        }
    }
    columns
}

fn known(kind: &str, names: &[&str; 4]) -> &'static str {
    let place = names.iter().position(|name| *name == kind);
    ["number", "text", "truth", "bytes"][place.unwrap_or_else(|| panic!("{kind}"))]
}

#[derive(QueryableByName)]
struct SqliteColumn {
    #[diesel(sql_type = Text)]
    table: String,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = BigInt)]
    not_null: i64,
}

#[derive(QueryableByName)]
struct SqliteKey {
    #[diesel(sql_type = Text)]
    table: String,
    #[diesel(sql_type = Text)]
    columns: String,
    #[diesel(sql_type = BigInt)]
    partial: i64,
}

fn split(columns: &str) -> Vec<String> {
    columns.split(',').map(str::to_owned).collect()
}

async fn sqlite() -> (Columns, Keys) {
    let house = House::sqlite().await;
    let DbTarget::Sqlite(path) = &house.settings.target else {
        unreachable!()
    };
    let mut conn = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    let columns: Vec<SqliteColumn> = diesel::sql_query(
        "select t.name as \"table\", c.name as name, c.type as kind, c.\"notnull\" as not_null \
         from sqlite_schema t join pragma_table_xinfo(t.name) c \
         where t.type = 'table' and t.name not like 'sqlite_%' and t.name not like 'search\\_%' escape '\\' \
         and t.name not like '\\_\\_%' escape '\\'",
    )
    .load(&mut conn)
    .unwrap();
    // a lone integer primary key is the row id and has no index of its own
    let keys: Vec<SqliteKey> = diesel::sql_query(
        "select t.name as \"table\", i.partial as partial, \
         (select group_concat(name) from (select name from pragma_index_info(i.name) order by seqno)) as columns \
         from sqlite_schema t join pragma_index_list(t.name) i \
         where t.type = 'table' and i.\"unique\" and t.name not like '\\_\\_%' escape '\\' \
         and t.name not like 'search\\_%' escape '\\' \
         union \
         select t.name, 0, c.name from sqlite_schema t join pragma_table_info(t.name) c \
         where t.type = 'table' and c.pk = 1 and c.type = 'INTEGER' \
         and t.sql not like '%without rowid%' and t.name not like 'sqlite_%' \
         and t.name not like 'search\\_%' escape '\\'",
    )
    .load(&mut conn)
    .unwrap();
    (
        columns
            .into_iter()
            .map(|c| {
                let kind = known(&c.kind, &["INTEGER", "TEXT", "-", "BLOB"]);
                ((c.table, c.name), (kind, c.not_null == 0))
            })
            .collect(),
        keys.into_iter()
            .map(|key| (key.table, split(&key.columns), key.partial == 1))
            .collect(),
    )
}

async fn postgres() -> Option<(Columns, Keys)> {
    let house = House::postgres().await?;
    let client = client(house.url().unwrap()).await;
    let columns = client
        .query(
            "select table_name::text, column_name::text, data_type::text, is_nullable = 'YES' \
             from information_schema.columns \
             where table_schema = 'public' and table_name not like '\\_\\_%'",
            &[],
        )
        .await
        .unwrap();
    let keys = client
        .query(
            "select t.relname::text, i.indpred is not null, \
             (select string_agg(a.attname, ',' order by k.place) \
              from unnest(i.indkey::int2[]) with ordinality k (number, place) \
              join pg_attribute a on a.attrelid = t.oid and a.attnum = k.number) \
             from pg_index i join pg_class t on t.oid = i.indrelid \
             join pg_namespace n on n.oid = t.relnamespace \
             where n.nspname = 'public' and i.indisunique and t.relname not like '\\_\\_%'",
            &[],
        )
        .await
        .unwrap();
    Some((
        columns
            .iter()
            .map(|row| {
                let kind = known(
                    row.get::<_, &str>(2),
                    &["bigint", "text", "boolean", "bytea"],
                );
                ((row.get(0), row.get(1)), (kind, row.get(3)))
            })
            .collect(),
        keys.iter()
            .map(|row| (row.get(0), split(row.get(2)), row.get(1)))
            .collect(),
    ))
}

#[tokio::test(flavor = "multi_thread")]
async fn both_migrations_make_the_tables_that_the_code_expects() {
    let declared = declared();
    assert!(declared.len() > 150, "schema.rs was not understood");

    let (mut on_sqlite, sqlite_keys) = sqlite().await;
    for (column, (kind, _)) in &mut on_sqlite {
        // SQLite keeps a truth as 0 or 1
        if declared
            .get(column)
            .is_some_and(|(kind, _)| *kind == "truth")
        {
            assert_eq!(*kind, "number", "{column:?}");
            *kind = "truth";
        }
    }
    assert_eq!(on_sqlite, declared);

    let Some((on_postgres, postgres_keys)) = postgres().await else {
        return;
    };
    assert_eq!(on_postgres, declared);
    assert_eq!(sqlite_keys, postgres_keys);
    assert!(sqlite_keys.contains(&("accounts".into(), vec!["id".into()], false)));
    assert!(sqlite_keys.contains(&(
        "packages".into(),
        vec!["owner_id".into(), "ecosystem".into(), "name_key".into()],
        true
    )));
}
