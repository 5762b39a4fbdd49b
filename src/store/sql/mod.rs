//! The SQL stores: an embedded SQLite file, and PostgreSQL, by the same statements on the same schema.
//!
//! What was applied is on the disk; readers, the identity provider among them, are never blocked.
//! What identity providers may rely on are the views `v1_*` (docs/store-schema.md).
//!
//! From the state to the database: one file a kind with its `table`, `row` with its `cell`s, and
//! `relations` between rows. A `change` writes a row and what is beside it: `passwords`; `emails`
//! and `limits` may hold it back. A `deletion` takes a row with all that is in it. `writes` collects both of many callers into few transactions.
//! A transaction is a [`tx::Tx`], whichever database it is on; the `engine` begins it, which is
//! `sqlite` or `postgres`. Both have the schema of `migrations`.

mod cell;
mod census;
mod change;
mod deletion;
mod emails;
mod engine;
mod explained;
mod identity;
mod limits;
mod migrations;
mod namespaces;
mod passwords;
mod postgres;
mod relations;
mod roles;
mod row;
mod sqlite;
mod table;
mod tenants;
#[cfg(test)]
mod tests;
mod tx;
mod users;
mod writes;

use async_trait::async_trait;
use futures::{FutureExt, future::BoxFuture};
use serde_json::Value;
use zeroize::Zeroizing;

pub use self::postgres::{Address, AddressError};
use self::{
    change::Change,
    deletion::Deletion,
    engine::Engine,
    row::Row,
    tx::Tx,
    writes::{BATCH, Write, Writes, Written},
};
use super::{
    Applied, Census, Deleted, Desired, Error, Expected, Key, Mark, Record, Store,
    attempts::Attempts,
};
use crate::policy::Support;

/// An identity store in a SQL database.
pub struct SqlStore {
    engine: Engine,
    reads: Attempts<Error>,
    writes: Writes,
    id: String,
}

impl SqlStore {
    fn new(engine: Engine, id: String) -> Self {
        let writes = Writes::new(engine.writers(), BATCH);
        Self { engine, reads: Attempts::default(), writes, id }
    }

    /// A transaction that reads one moment.
    async fn read(&self) -> Result<Tx<'static>, Error> {
        self.reads.make(self.engine.read(), Error::is_away).await
    }

    /// What a SQL database can do with a setting: it holds all, for the identity provider that reads it.
    #[must_use]
    pub fn supports(_path: &str, _value: &Value) -> Support {
        Support::Enforced
    }

    /// Writes so many changes in one transaction at most, instead of as many as is good for it:
    /// for benchmarks.
    #[must_use]
    pub fn with_batches_of(mut self, writes: usize) -> Self {
        self.writes = Writes::new(self.engine.writers(), writes);
        self
    }
}

#[async_trait]
impl Store for SqlStore {
    fn kind(&self) -> &'static str {
        self.engine.kind()
    }

    fn id(&self) -> &str {
        &self.id
    }

    fn support(&self, path: &str, value: &Value) -> Support {
        Self::supports(path, value)
    }

    async fn observe(&self, key: &Key) -> Result<Option<Record>, Error> {
        let mut tx = self.read().await?;
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
        let mut tx = self.read().await?;
        let last = passwords::last(&mut tx, key, number).await?;
        tx.rollback().await?;
        Ok(last)
    }

    async fn apply(&self, desired: &Desired, expected: &Expected) -> Result<Applied, Error> {
        // What is as desired needs no lock; so is it most of the time.
        let mut tx = self.read().await?;
        let found = Change::of(desired).find(&mut tx, expected).await?;
        tx.rollback().await?;
        if found.is_unchanged() {
            return Ok(Applied::Unchanged);
        }
        let write = Write::Apply(Box::new(desired.clone()), expected.clone());
        match self.writes.make(&self.engine, write).await? {
            Written::Applied(applied) => Ok(applied),
            Written::Deleted(_) => Err(Error::Raced),
        }
    }

    async fn delete(&self, key: &Key, mark: &Mark) -> Result<Deleted, Error> {
        loop {
            let write = Write::Delete(key.clone(), mark.clone());
            match self.writes.make(&self.engine, write).await? {
                Written::Deleted(Deletion::Begun) => {}
                Written::Deleted(Deletion::Done(deleted)) => return Ok(deleted),
                Written::Applied(_) => return Err(Error::Raced),
            }
        }
    }

    async fn census(&self, tenant: &str) -> Result<Census, Error> {
        let mut tx = self.read().await?;
        let census = census::take(&mut tx, tenant).await?;
        tx.rollback().await?;
        Ok(census)
    }

    async fn check(&self) -> Result<(), Error> {
        self.observe(&Key::nobodys()).await?;
        self.writes.check(&self.engine).await
    }

    fn taken_over(&self) -> BoxFuture<'_, ()> {
        self.engine.taken_over().boxed()
    }
}
