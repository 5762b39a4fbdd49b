//! The database behind the statements: how transactions begin on it, and what is checked around them.

use super::{postgres::PostgresServer, sqlite::SqliteFile, tx::Tx};
use crate::store::Error;

/// One of the two databases.
pub(super) enum Engine {
    Sqlite(SqliteFile),
    Postgres(Box<PostgresServer>),
}

impl Engine {
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "sqlite",
            Self::Postgres(_) => "postgres",
        }
    }

    /// How many transactions may write at a time, each for tenants of its own.
    pub(super) const fn writers(&self) -> usize {
        match self {
            Self::Sqlite(_) => 1,
            Self::Postgres(_) => super::postgres::WRITERS,
        }
    }

    /// A transaction that reads one moment.
    pub(super) async fn read(&self) -> Result<Tx<'static>, Error> {
        match self {
            // In a box: connecting is a large state to carry through every call.
            Self::Sqlite(file) => Box::pin(file.read()).await,
            Self::Postgres(server) => Box::pin(server.read()).await,
        }
    }

    /// A transaction that writes, if the store is still ours.
    pub(super) async fn write(&self) -> Result<Tx<'static>, Error> {
        match self {
            // In a box: connecting is a large state to carry through every call.
            Self::Sqlite(file) => Box::pin(file.write()).await,
            Self::Postgres(server) => Box::pin(server.write()).await,
        }
    }

    /// After a commit: whether what was written is in the store.
    pub(super) fn check(&self) -> Result<(), Error> {
        match self {
            Self::Sqlite(file) => file.check(),
            Self::Postgres(_) => Ok(()),
        }
    }

    /// Done when another operator has taken the store over.
    pub(super) async fn taken_over(&self) {
        match self {
            // The lock beside the file is held for life.
            Self::Sqlite(_) => std::future::pending().await,
            Self::Postgres(server) => server.fence().broken().await,
        }
    }
}
