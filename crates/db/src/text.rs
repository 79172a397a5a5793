//! A query whose shape depends on what is asked, put together as text with its values.

use diesel::sql_types::{BigInt, Text};

/// A value of a query.
enum Value {
    Number(i64),
    Text(String),
}

/// SQL for both engines. Values are numbered in the order in which they are written: SQLite takes
/// `$1` for a name and counts names as they appear.
#[derive(Default)]
pub(crate) struct QueryText {
    sql: String,
    values: Vec<Value>,
}

impl QueryText {
    pub(crate) fn sql(&mut self, text: &str) -> &mut Self {
        self.sql.push_str(text);
        self
    }

    pub(crate) fn number(&mut self, value: i64) -> &mut Self {
        self.value(Value::Number(value))
    }

    pub(crate) fn text(&mut self, value: &str) -> &mut Self {
        self.value(Value::Text(value.to_owned()))
    }

    fn value(&mut self, value: Value) -> &mut Self {
        self.values.push(value);
        let number = self.values.len().to_string();
        self.sql("$").sql(&number)
    }

    /// A row for each of a query's, on either engine.
    pub(crate) fn load<T>(self, conn: &mut crate::Conn) -> crate::DbResult<Vec<T>>
    where
        T: diesel::deserialize::QueryableByName<diesel::pg::Pg>
            + diesel::deserialize::QueryableByName<diesel::sqlite::Sqlite>
            + 'static,
    {
        use diesel::RunQueryDsl as _;

        let rows = crate::conn::on_conn!(conn, |c| {
            let mut query = diesel::sql_query(self.sql).into_boxed();
            for value in self.values {
                query = match value {
                    Value::Number(number) => query.bind::<BigInt, _>(number),
                    Value::Text(text) => query.bind::<Text, _>(text),
                };
            }
            query.load(c)
        })?;
        Ok(rows)
    }
}
