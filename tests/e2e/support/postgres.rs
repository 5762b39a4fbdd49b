//! A PostgreSQL server of a test's own, with a database for an operator.

use std::{fs, path::PathBuf};

use sqlx::{AssertSqlSafe, PgConnection, Row};

use super::Space;

// The one that the tests of the store start.
#[allow(dead_code, clippy::pedantic)]
#[path = "../../../src/store/sql/tests/postgres/server.rs"]
mod server;

use server::Server;

/// The operator's role, its database, and its password.
const NAME: &str = "keyreeve";
const PASSWORD: &str = "tests-only";

/// A server, and files with the operator's credentials.
pub struct Postgres {
    server: Server,
    username: PathBuf,
    password: PathBuf,
}

impl Postgres {
    pub async fn start(space: &Space) -> Self {
        let server = Server::own(tempfile::tempdir().unwrap(), &[]);
        let mut admin = server.admin("postgres").await;
        for sql in [
            format!("CREATE ROLE {NAME} LOGIN PASSWORD '{PASSWORD}'"),
            format!("CREATE DATABASE {NAME} OWNER {NAME}"),
        ] {
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut admin).await.unwrap();
        }
        let [username, password] =
            [("username", NAME), ("password", PASSWORD)].map(|(file, content)| {
                let path = space.folder().join(file);
                fs::write(&path, content).unwrap();
                path
            });
        Self { server, username, password }
    }

    /// The flags of an operator that works on it.
    pub fn flags(&self) -> [String; 6] {
        [
            "--store".into(),
            format!("postgres://{}/{NAME}", self.server.address()),
            "--store-username-file".into(),
            self.username.display().to_string(),
            "--store-password-file".into(),
            self.password.display().to_string(),
        ]
    }

    /// What commands in documents find in their environment: the database's address, and who the operator is there.
    pub fn environment(&self) -> [(&'static str, String); 5] {
        let address = format!("postgres://{}/{NAME}", self.server.address());
        [
            ("STORE", address.clone()),
            ("DATABASE", address),
            ("PGUSER", NAME.into()),
            ("PGPASSWORD", PASSWORD.into()),
            ("PASSWORD", PASSWORD.into()),
        ]
    }

    /// Runs a statement that may do everything in the operator's database.
    pub async fn execute(&self, statement: &'static str) {
        sqlx::raw_sql(statement).execute(&mut self.server.admin(NAME).await).await.unwrap();
    }

    /// `HOST:PORT`.
    pub fn address(&self) -> &str {
        self.server.address()
    }

    /// Ends it in order, as an administrator does.
    pub fn stop(&self) {
        self.server.stop();
    }

    /// Starts it again, with what was in it.
    pub fn start_again(&self) {
        self.server.start();
    }

    /// The texts that a query answers, a row each.
    pub async fn texts(&self, query: &'static str) -> Vec<String> {
        let mut conn: PgConnection = self.server.admin(NAME).await;
        let rows = sqlx::query(query).fetch_all(&mut conn).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }
}
