//! The store's file, by another hand than the operator's.

use std::path::Path;

use sqlx::{ConnectOptions, Row, SqliteConnection, sqlite::SqliteConnectOptions};

/// A connection of a stranger.
pub struct Database(SqliteConnection);

impl Database {
    pub async fn open(file: &Path) -> Self {
        Self(SqliteConnectOptions::new().filename(file).connect().await.unwrap())
    }

    /// Runs a statement and answers how many rows it changed.
    pub async fn execute(&mut self, statement: &'static str) -> u64 {
        sqlx::query(statement).execute(&mut self.0).await.unwrap().rows_affected()
    }

    /// The one text that a query answers.
    pub async fn text(&mut self, query: &'static str) -> Option<String> {
        sqlx::query(query).fetch_optional(&mut self.0).await.unwrap().and_then(|row| row.get(0))
    }

    /// The one number that a query answers.
    pub async fn number(&mut self, query: &'static str) -> i64 {
        sqlx::query(query).fetch_one(&mut self.0).await.unwrap().get(0)
    }

    /// Changes whenever another connection has committed a write.
    pub async fn version(&mut self) -> i64 {
        self.number("PRAGMA data_version").await
    }
}
