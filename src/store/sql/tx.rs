//! One transaction, on either database: our statements with our values in, cells out. So all other
//! files here are written once, for both.
//!
//! What they send is SQL that both understand, with parameters as `$1`. The dialects differ in
//! three places: how a transaction begins ([`super::engine`]), how a row is locked (here), and in
//! the steps of the schema ([`super::migrations`]).

use std::time::Duration;

use sqlx::{
    Acquire, AssertSqlSafe, Postgres, Row as _, Sqlite, Transaction, postgres::PgRow,
    sqlite::SqliteRow,
};

use super::{
    cell::Cell,
    postgres, sqlite,
    table::{Column, Form},
};
use crate::store::Error;

/// How long a transaction that has waited enough for locks still waits for each.
const HURRY: &str = "SET LOCAL lock_timeout = '100ms'";

/// A transaction, or a savepoint in one. Dropped before [`Tx::commit`], it is rolled back.
pub(super) struct Tx<'c> {
    inner: Inner<'c>,
    /// Whether what is read is to be written: its rows are locked then.
    writes: bool,
}

enum Inner<'c> {
    Sqlite(Transaction<'c, Sqlite>),
    /// With how long it may keep silent.
    Postgres(Transaction<'c, Postgres>, Duration),
}

/// A value of a parameter.
#[derive(Clone, Copy)]
pub(super) enum Value<'a> {
    Null,
    Text(&'a str),
    Flag(bool),
    Number(i32),
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<Option<&'a str>> for Value<'a> {
    fn from(text: Option<&'a str>) -> Self {
        text.map_or(Self::Null, Self::Text)
    }
}

impl<'a> From<&'a Cell> for Value<'a> {
    fn from(cell: &'a Cell) -> Self {
        match cell {
            Cell::Text(text) => Self::Text(text),
            Cell::Flag(flag) => Self::Flag(*flag),
            Cell::Null | Cell::Odd => Self::Null,
        }
    }
}

/// A query with its values, for either database.
macro_rules! query {
    ($sql:expr, $values:expr) => {{
        let mut query = sqlx::query(AssertSqlSafe($sql));
        for value in $values {
            query = match *value {
                Value::Null => query.bind(None::<String>),
                Value::Text(text) => query.bind(text.to_owned()),
                Value::Flag(flag) => query.bind(flag),
                Value::Number(number) => query.bind(number),
            };
        }
        query
    }};
}

impl<'c> Tx<'c> {
    pub(super) fn sqlite(tx: Transaction<'c, Sqlite>, writes: bool) -> Self {
        Self { inner: Inner::Sqlite(tx), writes }
    }

    /// One of a server that may keep silent for so long.
    pub(super) fn postgres(tx: Transaction<'c, Postgres>, writes: bool, answer: Duration) -> Self {
        Self { inner: Inner::Postgres(tx, answer), writes }
    }

    /// All rows that a query answers.
    pub(super) async fn rows(
        &mut self,
        sql: impl Into<String>,
        values: &[Value<'_>],
    ) -> Result<Vec<Fetched>, Error> {
        let sql = sql.into();
        match &mut self.inner {
            Inner::Sqlite(tx) => {
                let rows = query!(sql, values).fetch_all(&mut **tx).await;
                Ok(rows.map_err(sqlite::error)?.into_iter().map(Fetched::Sqlite).collect())
            }
            Inner::Postgres(tx, answer) => {
                let rows = answered(*answer, query!(sql, values).fetch_all(&mut **tx)).await?;
                Ok(rows.into_iter().map(Fetched::Postgres).collect())
            }
        }
    }

    /// The first row that a query answers, if there is one.
    pub(super) async fn row(
        &mut self,
        sql: impl Into<String>,
        values: &[Value<'_>],
    ) -> Result<Option<Fetched>, Error> {
        Ok(self.rows(sql, values).await?.into_iter().next())
    }

    /// Runs a statement, and answers how many rows it wrote.
    pub(super) async fn execute(
        &mut self,
        sql: impl Into<String>,
        values: &[Value<'_>],
    ) -> Result<u64, Error> {
        let sql = sql.into();
        Ok(match &mut self.inner {
            Inner::Sqlite(tx) => {
                let done = query!(sql, values).execute(&mut **tx).await;
                done.map_err(sqlite::error)?.rows_affected()
            }
            Inner::Postgres(tx, answer) => {
                answered(*answer, query!(sql, values).execute(&mut **tx)).await?.rows_affected()
            }
        })
    }

    /// What a query ends in, so that the rows that it reads stay as they are until the transaction
    /// ends. SQLite has one writer at a time and needs nothing; readers lock nothing.
    ///
    /// Weaker than `FOR UPDATE`: another hand may add rows that refer to these meanwhile, such as
    /// an identity provider a password.
    pub(super) fn locking(&self) -> &'static str {
        match self.inner {
            Inner::Postgres(..) if self.writes => " FOR NO KEY UPDATE",
            _ => "",
        }
    }

    /// Makes writers of one tenant wait for each other, so that what they count and what they find
    /// free is so until they commit.
    pub(super) async fn lock(&mut self, tenant: &str) -> Result<(), Error> {
        let locking = self.locking();
        if !locking.is_empty() {
            let sql = format!("SELECT 1 FROM tenants WHERE tenant_id = $1{locking}");
            self.row(sql, &[tenant.into()]).await?;
        }
        Ok(())
    }

    /// From now on it hardly waits for the locks of others.
    pub(super) async fn hurry(&mut self) -> Result<(), Error> {
        if let Inner::Postgres(..) = self.inner {
            self.execute(HURRY, &[]).await?;
        }
        Ok(())
    }

    /// A savepoint: what fails in it fails alone.
    pub(super) async fn savepoint(&mut self) -> Result<Tx<'_>, Error> {
        let inner = match &mut self.inner {
            Inner::Sqlite(tx) => Inner::Sqlite(tx.begin().await.map_err(sqlite::error)?),
            Inner::Postgres(tx, answer) => {
                Inner::Postgres(answered(*answer, tx.begin()).await?, *answer)
            }
        };
        Ok(Tx { inner, writes: self.writes })
    }

    pub(super) async fn commit(self) -> Result<(), Error> {
        match self.inner {
            Inner::Sqlite(tx) => tx.commit().await.map_err(sqlite::error),
            Inner::Postgres(tx, answer) => answered(answer, tx.commit()).await,
        }
    }

    pub(super) async fn rollback(self) -> Result<(), Error> {
        match self.inner {
            Inner::Sqlite(tx) => tx.rollback().await.map_err(sqlite::error),
            Inner::Postgres(tx, answer) => answered(answer, tx.rollback()).await,
        }
    }
}

/// What PostgreSQL answers, unless it keeps silent for so long.
async fn answered<T>(
    limit: Duration,
    answer: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, Error> {
    match tokio::time::timeout(limit, answer).await {
        Ok(answer) => answer.map_err(postgres::error),
        Err(_) => Err(postgres::silent(limit)),
    }
}

/// A row that a query answered.
pub(super) enum Fetched {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

impl Fetched {
    /// What a column holds.
    pub(super) fn cell(&self, column: &Column) -> Cell {
        match (column.form, self) {
            (Form::Text | Form::Json, Self::Sqlite(row)) => text(row.try_get(column.name)),
            (Form::Text | Form::Json, Self::Postgres(row)) => text(row.try_get(column.name)),
            // As a number, because SQLite has no BOOLEAN and another hand may have written 2.
            (Form::Flag, Self::Sqlite(row)) => match row.try_get::<Option<i64>, _>(column.name) {
                Ok(None) => Cell::Null,
                Ok(Some(0)) => Cell::Flag(false),
                Ok(Some(1)) => Cell::Flag(true),
                _ => Cell::Odd,
            },
            (Form::Flag, Self::Postgres(row)) => row
                .try_get::<Option<bool>, _>(column.name)
                .map_or(Cell::Odd, |flag| flag.map_or(Cell::Null, Cell::Flag)),
        }
    }

    /// The text in a column, if there is some that can be read.
    pub(super) fn text(&self, column: &str) -> Option<String> {
        match self {
            Self::Sqlite(row) => row.try_get(column).ok().flatten(),
            Self::Postgres(row) => row.try_get(column).ok().flatten(),
        }
    }

    /// The number in a column; what is none counts as 0.
    pub(super) fn number(&self, column: &str) -> u64 {
        let number: Option<i64> = match self {
            Self::Sqlite(row) => row.try_get(column).ok().flatten(),
            Self::Postgres(row) => row.try_get(column).ok().flatten(),
        };
        number.and_then(|number| u64::try_from(number).ok()).unwrap_or_default()
    }
}

fn text(text: Result<Option<String>, sqlx::Error>) -> Cell {
    text.map_or(Cell::Odd, |text| text.map_or(Cell::Null, Cell::Text))
}
