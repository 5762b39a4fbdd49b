//! The SQLite store: the suite, its file (`file`), and what only SQLite takes into a column (`odd`).

mod file;
mod odd;

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};
use sqlx::{
    AssertSqlSafe, Connection, Executor, Row as _, SqliteConnection, sqlite::SqliteConnectOptions,
};
use tempfile::TempDir;
use tokio::sync::Mutex;

use super::{Hand, Sql};
use crate::store::{
    conformance::{conformance, faults::Fault},
    sql::{SqlStore, engine::Engine, migrations::STEPS, sqlite::open::migrate},
};

pub(super) type Sqlite = Sql<SqliteHand>;

conformance!(Sqlite);

/// A connection of another hand, and the folder of the file.
pub(super) struct SqliteHand {
    folder: TempDir,
    conn: Mutex<SqliteConnection>,
}

impl Sqlite {
    fn folder(&self) -> &Path {
        self.hand.folder.path()
    }

    fn path(&self) -> PathBuf {
        self.folder().join("store.db")
    }

    /// Where nobody looks for the file.
    fn aside(&self) -> PathBuf {
        self.folder().join("aside.db")
    }

    /// Ends store and hand; the folder stays for as long as it is held.
    fn closed(self) -> TempDir {
        self.hand.folder
    }

    /// The pool that writes.
    fn writer(&self) -> &sqlx::SqlitePool {
        let Engine::Sqlite(file) = &self.store.engine else { unreachable!() };
        file.writer()
    }
}

impl SqliteHand {
    async fn open(folder: TempDir) -> Sqlite {
        let path = folder.path().join("store.db");
        let store = SqlStore::open_sqlite(&path).await.unwrap().into();
        let conn = SqliteConnectOptions::new().filename(&path);
        let conn = Mutex::new(SqliteConnection::connect_with(&conn).await.unwrap());
        Sql { store, hand: Self { folder, conn } }
    }
}

#[async_trait]
impl Hand for SqliteHand {
    const BEGIN: &'static str = "BEGIN IMMEDIATE";
    const ODD: &'static [&'static str] = &["x'ff00'", "7.5"];
    const ODD_FLAGS: &'static [&'static str] =
        &["'{'", "'nonsense'", "'7'", "''", "x'ff00'", "7.5"];
    const WITHOUT_FOREIGN_KEYS: &'static str = "PRAGMA foreign_keys = OFF";

    async fn start() -> Sqlite {
        Self::open(tempfile::tempdir().unwrap()).await
    }

    async fn start_from_0001(rows: &'static str) -> Sqlite {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
        let mut conn = SqliteConnection::connect_with(&options).await.unwrap();
        migrate(&path, &mut conn, &STEPS[..1]).await.unwrap();
        conn.execute(rows).await.unwrap();
        conn.close().await.unwrap();
        Self::open(folder).await
    }

    async fn sql(&self, sql: &str, values: &[&str]) {
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for value in values {
            query = query.bind((*value).to_owned());
        }
        query.execute(&mut *self.conn.lock().await).await.unwrap();
    }

    async fn texts(&self, sql: &str, values: &[&str]) -> Vec<Vec<Option<String>>> {
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for value in values {
            query = query.bind((*value).to_owned());
        }
        let rows = query.fetch_all(&mut *self.conn.lock().await).await.unwrap();
        rows.iter().map(|row| (0..row.len()).map(|n| row.get(n)).collect()).collect()
    }

    async fn views(&self) -> Vec<String> {
        let rows = self.texts(
            "SELECT view.name || '.' || field.name FROM sqlite_master AS view, pragma_table_info(view.name) AS field \
             WHERE view.type = 'view'",
            &[],
        );
        rows.await.into_iter().filter_map(|mut row| row.pop().flatten()).collect()
    }

    async fn fingerprint(&self) -> String {
        let version: i64 = sqlx::query_scalar("PRAGMA data_version")
            .fetch_one(&mut *self.conn.lock().await)
            .await
            .unwrap();
        let files = ["store.db", "store.db-wal"].map(|name| {
            let content = std::fs::read(self.folder.path().join(name)).unwrap();
            (content.len(), Sha256::digest(content))
        });
        format!("{version} {files:?}")
    }

    /// The frames of the log that end a transaction (<https://www.sqlite.org/fileformat2.html#walformat>).
    async fn transactions(&self) -> usize {
        let log = std::fs::read(self.folder.path().join("store.db-wal")).unwrap();
        let number = |at: usize| u32::from_be_bytes(log[at..at + 4].try_into().unwrap());
        let frames = (32..log.len()).step_by(24 + usize::try_from(number(8)).unwrap());
        frames.filter(|frame| number(frame + 4) > 0).count()
    }

    async fn lock(&self) {
        self.conn.lock().await.execute("BEGIN EXCLUSIVE").await.unwrap();
    }

    async fn unlock(&self) {
        self.conn.lock().await.execute("ROLLBACK").await.unwrap();
    }

    const SUFFERS: &'static [(Fault, &'static str)] = &[
        (Fault::Gone, "was deleted or moved away. Put it back"),
        (Fault::Locked, "another process has locked the database. "),
        (Fault::ReadOnly, "the database is read-only. "),
    ];

    async fn disturb(backend: &Sqlite, fault: Fault, _: usize) {
        match fault {
            Fault::Gone => std::fs::rename(backend.path(), backend.aside()).unwrap(),
            Fault::Locked => backend.hand.lock().await,
            Fault::ReadOnly => {
                backend.writer().execute("PRAGMA query_only = ON").await.unwrap();
            }
            other => unreachable!("{other:?}"),
        }
    }

    async fn calm(backend: &Sqlite, fault: Fault) -> bool {
        match fault {
            Fault::Gone => std::fs::rename(backend.aside(), backend.path()).unwrap(),
            Fault::Locked => backend.hand.unlock().await,
            _ => {
                backend.writer().execute("PRAGMA query_only = OFF").await.unwrap();
            }
        }
        true
    }
}
