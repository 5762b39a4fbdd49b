//! The SQL store: an embedded SQLite file.
//!
//! One writer, in write-ahead mode with full synchronisation, so that what was
//! applied is on the disk; readers, the identity provider among them, are never
//! blocked. The statements are standard SQL, and schema and migrations are
//! meant for PostgreSQL too. What identity providers may rely on are the views
//! `v1_*` (docs/store-schema.md).
//!
//! From the file to the state: `file` and `open`, then `row` with its `cell`s,
//! `relations` between rows, and one file a kind with its `table`. A `change` writes
//! a row and what is beside it: `passwords`; `emails` and `limits` may hold it back.

mod cell;
mod census;
mod change;
mod emails;
mod errors;
mod file;
mod limits;
mod namespaces;
mod open;
mod passwords;
mod relations;
mod roles;
mod row;
mod table;
mod tenants;
#[cfg(test)]
mod tests;
mod users;

use async_trait::async_trait;
use serde_json::Value;
use sqlx::{AssertSqlSafe, sqlite::SqlitePool};
use zeroize::Zeroizing;

use self::{change::Change, file::StoreFile, row::Row, table::Table};
use super::{Applied, Census, Deleted, Desired, Error, Expected, Key, Mark, Record, Store};
use crate::policy::Support;

/// An identity store in a SQLite file.
pub struct SqliteStore {
    file: StoreFile,
    writer: SqlitePool,
    readers: SqlitePool,
    id: String,
}

#[async_trait]
impl Store for SqliteStore {
    fn kind(&self) -> &'static str {
        "sqlite"
    }

    fn id(&self) -> &str {
        &self.id
    }

    fn support(&self, _path: &str, _value: &Value) -> Support {
        Support::Enforced
    }

    async fn observe(&self, key: &Key) -> Result<Option<Record>, Error> {
        self.file.check()?;
        // A transaction, so that the row and its roles are of one moment.
        let mut tx = self.readers.begin().await?;
        let record = match Row::read(&mut tx, key).await? {
            Some(row) => Some(row.record(&mut tx, key).await?),
            None => None,
        };
        tx.rollback().await?;
        Ok(record)
    }

    async fn last_passwords(
        &self,
        key: &Key,
        number: usize,
    ) -> Result<Vec<Zeroizing<String>>, Error> {
        self.file.check()?;
        passwords::last(&mut *self.readers.acquire().await?, key, number).await
    }

    async fn apply(&self, desired: &Desired, expected: &Expected) -> Result<Applied, Error> {
        self.file.check()?;
        let change = Change::of(desired);
        // What is as desired needs no lock; so is it most of the time.
        let mut tx = self.readers.begin().await?;
        let found = change.find(&mut tx, expected).await?;
        tx.rollback().await?;
        if found.is_unchanged() {
            return Ok(Applied::Unchanged);
        }
        let mut tx = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let found = change.find(&mut tx, expected).await?;
        change.make(&mut tx, &found).await?;
        tx.commit().await?;
        self.file.check()?;
        Ok(found.applied())
    }

    async fn delete(&self, key: &Key, mark: &Mark) -> Result<Deleted, Error> {
        self.file.check()?;
        let mut tx = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        match Row::read(&mut tx, key).await? {
            None => return Ok(Deleted::NotThere),
            Some(row) if row.mark.as_ref() != Some(mark) => return Ok(Deleted::NotOurs(row.mark)),
            Some(_) => {}
        }
        // Foreign keys take with it what is in it, and a role from its holders.
        let table = Table::of(key.kind());
        let sql = format!("DELETE FROM {} WHERE {}", table.name, row::conditions(table.key, 1));
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for value in table::key_values(key) {
            query = query.bind(value);
        }
        query.execute(&mut *tx).await?;
        tx.commit().await?;
        self.file.check()?;
        Ok(Deleted::Removed)
    }

    async fn census(&self, tenant: &str) -> Result<Census, Error> {
        self.file.check()?;
        // A transaction, so that all is of one moment.
        let mut tx = self.readers.begin().await?;
        let census = census::take(&mut tx, tenant).await?;
        tx.rollback().await?;
        Ok(census)
    }
}
