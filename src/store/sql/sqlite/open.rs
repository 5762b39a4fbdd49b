//! Opening a file: its connections, its schema, its id.

use std::{path::Path, time::Duration};

use sqlx::{
    ConnectOptions, Connection, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use super::{
    SqliteFile,
    errors::explain,
    file::{StoreFile, file_error},
};
use crate::store::{
    OpenError,
    sql::{
        SqlStore,
        engine::Engine,
        explained::Explained,
        identity,
        migrations::{self, Dialect, Refused, STEPS, Step},
    },
};

/// How long a statement waits for a lock that another process holds.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a call waits for its turn among the operator's own.
const TURN_TIMEOUT: Duration = Duration::from_secs(5);
/// Connections that read.
const READERS: u32 = 4;

impl SqlStore {
    /// Opens a SQLite file, and makes it if there is none. It stays locked
    /// against other operators for the life of the store.
    pub async fn open_sqlite(path: &Path) -> Result<Self, OpenError> {
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
        migrate(path, &mut conn, &STEPS).await?;
        let id = store_id(&mut conn).await.map_err(refused)?;
        conn.close().await.map_err(refused)?;

        let writer = pool(1).connect_with(writing).await.map_err(refused)?;
        let readers = pool(READERS).connect_with(options.read_only(true)).await.map_err(refused)?;
        Ok(Self::new(Engine::Sqlite(SqliteFile { file, writer, readers }), id))
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

/// Brings the schema up to date.
pub(in crate::store::sql) async fn migrate(
    path: &Path,
    conn: &mut SqliteConnection,
    steps: &'static [Step],
) -> Result<(), OpenError> {
    migrations::migrate(conn, Dialect::Sqlite, steps).await.map_err(|refused| match refused {
        Refused::Newer { found, known } => {
            OpenError::Newer { store: path.display().to_string(), found, known }
        }
        Refused::Failed(error) => file_error(path, explain(&error)),
        Refused::Foreign(explained) => file_error(path, explained),
    })
}

/// The store's id, made with it.
async fn store_id(conn: &mut SqliteConnection) -> Result<String, sqlx::Error> {
    sqlx::query(identity::INSERT).bind(identity::new()?).execute(&mut *conn).await?;
    sqlx::query_scalar(identity::SELECT).fetch_one(conn).await
}
