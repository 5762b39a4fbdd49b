//! Opening a store: the file, its connections, its schema, its id.

use std::{path::Path, time::Duration};

use sqlx::{
    ConnectOptions, Connection, SqlSafeStr, SqliteConnection,
    migrate::{MigrateError, Migration, MigrationType, Migrator},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use super::{
    SqliteStore,
    errors::{Explained, explain},
    file::{StoreFile, file_error},
};
use crate::store::OpenError;

/// The schema, step by step; a step that was released never changes.
pub(super) const MIGRATIONS: [Step; 2] = [
    (1, "identities", include_str!("migrations/0001_identities.sql")),
    (2, "passwords", include_str!("migrations/0002_passwords.sql")),
];
/// A step of the schema: its number, its name, its SQL.
pub(super) type Step = (i64, &'static str, &'static str);

/// How long a statement waits for a lock that another process holds.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a call waits for its turn among the operator's own.
const TURN_TIMEOUT: Duration = Duration::from_secs(5);
/// Connections that read.
const READERS: u32 = 4;

impl SqliteStore {
    /// Opens the database, and makes it if there is none. It stays locked
    /// against other operators for the life of the store.
    pub async fn open(path: &Path) -> Result<Self, OpenError> {
        let file = StoreFile::claim(path)?;
        let refused = |error: sqlx::Error| file_error(path, explain(&error));

        let options = SqliteConnectOptions::new()
            .filename(file.path())
            .busy_timeout(BUSY_TIMEOUT)
            .foreign_keys(true)
            .disable_statement_logging();
        let writing = options
            .clone()
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full);

        // Looked at before anything is set: to set the mode would alter another program's file.
        let mut conn = SqliteConnection::connect_with(&options).await.map_err(refused)?;
        inspect(path, &mut conn).await?;
        conn.close().await.map_err(refused)?;
        let mut conn = SqliteConnection::connect_with(&writing).await.map_err(refused)?;
        check_mode(path, &mut conn).await?;
        migrate(path, &mut conn, &MIGRATIONS).await?;
        let id = store_id(&mut conn).await.map_err(refused)?;
        conn.close().await.map_err(refused)?;

        let writer = pool(1).connect_with(writing).await.map_err(refused)?;
        let readers = pool(READERS).connect_with(options.read_only(true)).await.map_err(refused)?;
        Ok(Self { file, writer, readers, id })
    }
}

/// Connections stay open: a connection opened later might find another file.
fn pool(size: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(size)
        .min_connections(size)
        .acquire_timeout(TURN_TIMEOUT)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        // On a full disk and the like SQLite ends the transaction by itself, of which sqlx does
        // not know: it would go on refusing to begin another. The ping waits for its rollback.
        .after_release(|conn, _| {
            Box::pin(async move {
                conn.ping().await?;
                Ok(!conn.is_in_transaction())
            })
        })
}

/// Refuses a database that cannot be in the mode that readers need.
async fn check_mode(path: &Path, conn: &mut SqliteConnection) -> Result<(), OpenError> {
    let refused = |error: sqlx::Error| file_error(path, explain(&error));
    let mode: String =
        sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&mut *conn).await.map_err(refused)?;
    if mode != "wal" {
        let hint = "Use a local volume whose file system has shared memory maps.";
        return Err(file_error(path, Explained::new("its file system cannot hold a WAL", hint)));
    }
    Ok(())
}

/// Refuses a database that is damaged or foreign. Reads only.
async fn inspect(path: &Path, conn: &mut SqliteConnection) -> Result<(), OpenError> {
    let refused = |error: sqlx::Error| file_error(path, explain(&error));
    let check: String =
        sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(&mut *conn).await.map_err(refused)?;
    if check != "ok" {
        let hint = "Restore it from a backup.";
        return Err(file_error(path, Explained::new("the database is damaged", hint)));
    }
    let (tables, ours): (i64, i64) = sqlx::query_as(
        "SELECT COUNT(*), COALESCE(SUM(name = '_sqlx_migrations'), 0) FROM sqlite_master \
         WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
    )
    .fetch_one(&mut *conn)
    .await
    .map_err(refused)?;
    if tables > 0 && ours == 0 {
        let hint = "Name a file of its own for the store.";
        return Err(file_error(path, Explained::new("it is another program's database", hint)));
    }
    Ok(())
}

/// Brings the schema up to date, each step in a transaction.
pub(super) async fn migrate(
    path: &Path,
    conn: &mut SqliteConnection,
    steps: &'static [Step],
) -> Result<(), OpenError> {
    let known = steps.iter().map(|(version, ..)| *version).max().unwrap_or_default();
    let steps = steps.iter().map(|(version, name, sql)| {
        Migration::new(
            *version,
            (*name).into(),
            MigrationType::Simple,
            (*sql).into_sql_str(),
            false,
        )
    });
    match Migrator::with_migrations(steps.collect()).run_direct(None, conn, false).await {
        Ok(()) => Ok(()),
        Err(MigrateError::VersionMissing(found)) => {
            Err(OpenError::Newer { path: path.display().to_string(), found, known })
        }
        Err(MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) => {
            Err(file_error(path, explain(&error)))
        }
        Err(_) => Err(file_error(
            path,
            Explained::new(
                "its schema is not one that a keyreeve made",
                "Restore it from a backup, or name another file.",
            ),
        )),
    }
}

/// The store's id, made with it.
async fn store_id(conn: &mut SqliteConnection) -> Result<String, sqlx::Error> {
    let select = "SELECT value FROM meta WHERE name = 'store_id'";
    if let Some(id) = sqlx::query_scalar(select).fetch_optional(&mut *conn).await? {
        return Ok(id);
    }
    let id: String =
        sqlx::query_scalar("SELECT lower(hex(randomblob(16)))").fetch_one(&mut *conn).await?;
    sqlx::query("INSERT INTO meta (name, value) VALUES ('store_id', $1)")
        .bind(id.clone())
        .execute(conn)
        .await?;
    Ok(id)
}

impl SqliteStore {
    /// The pool that writes, for tests that disturb it.
    #[cfg(test)]
    pub(super) fn writer(&self) -> &sqlx::SqlitePool {
        &self.writer
    }
}
