//! SQLite: one file, one writer, in write-ahead mode with full synchronisation.
//!
//! First `file`, which is ours alone, then `open`, which makes it a database; `errors` says what goes wrong.

mod errors;
mod file;
pub(super) mod open;

use sqlx::sqlite::SqlitePool;

use self::file::StoreFile;
use super::tx::Tx;
use crate::store::Error;

pub(super) use self::errors::error;

/// A database file and the connections to it.
pub(super) struct SqliteFile {
    file: StoreFile,
    writer: SqlitePool,
    readers: SqlitePool,
}

impl SqliteFile {
    /// A transaction, so that all that is read is of one moment.
    pub(super) async fn read(&self) -> Result<Tx<'static>, Error> {
        self.check()?;
        Ok(Tx::sqlite(self.readers.begin().await.map_err(error)?, false))
    }

    /// The one transaction that writes.
    pub(super) async fn write(&self) -> Result<Tx<'static>, Error> {
        self.check()?;
        Ok(Tx::sqlite(self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(error)?, true))
    }

    /// Whether the file is still the one that was opened: what is written to another is lost.
    pub(super) fn check(&self) -> Result<(), Error> {
        self.file.check()
    }

    /// The pool that writes, for tests that disturb it.
    #[cfg(test)]
    pub(super) fn writer(&self) -> &SqlitePool {
        &self.writer
    }
}
