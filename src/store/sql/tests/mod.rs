//! The SQLite store against the conformance suite, and what only SQLite has:
//! its file (`file`), rows that another hand wrote badly (`rows`), passwords that an identity
//! provider changes (`passwords`), what is counted (`limits`), and its views and the steps to them (`schema`).

mod file;
mod limits;
mod passwords;
mod rows;
mod schema;

use std::{path::PathBuf, sync::Arc};

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};
use sqlx::{
    AssertSqlSafe, Connection, Executor, Row as _, SqliteConnection, sqlite::SqliteConnectOptions,
};
use tempfile::TempDir;
use tokio::sync::Mutex;

use super::{
    SqliteStore,
    table::{Table, key_values},
};
use crate::store::{
    Key, Kind, RoleName, Store,
    conformance::{Backend, conformance},
};

conformance!(Sqlite);

/// A store in a folder of its own, and a connection of another hand.
struct Sqlite {
    folder: TempDir,
    store: Arc<SqliteStore>,
    hand: Mutex<SqliteConnection>,
}

impl Sqlite {
    fn path(&self) -> PathBuf {
        self.folder.path().join("store.db")
    }

    /// Runs a statement by another hand.
    async fn sql(&self, sql: &str, values: &[&str]) {
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for value in values {
            query = query.bind((*value).to_owned());
        }
        query.execute(&mut *self.hand.lock().await).await.unwrap();
    }

    /// Runs a statement on the row of a key, whose values come first in the parameters.
    async fn on_row(&self, before: &str, key: &Key) {
        let table = Table::of(key.kind());
        let values = key_values(key);
        let sql = format!("{before} WHERE {}", super::row::conditions(table.key, 1));
        self.sql(&sql, &values.iter().map(String::as_str).collect::<Vec<_>>()).await;
    }

    /// Sets a column of the row of a key to what an SQL expression says.
    async fn set(&self, key: &Key, column: &str, expression: &str) {
        let table = Table::of(key.kind()).name;
        self.on_row(&format!("UPDATE {table} SET {column} = {expression}"), key).await;
    }
}

#[async_trait]
impl Backend for Sqlite {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let store = Arc::new(SqliteStore::open(&path).await.unwrap());
        let hand = SqliteConnectOptions::new().filename(&path);
        let hand = Mutex::new(SqliteConnection::connect_with(&hand).await.unwrap());
        Self { folder, store, hand }
    }

    fn store(&self) -> Arc<dyn Store> {
        self.store.clone()
    }

    async fn fingerprint(&self) -> String {
        let version: i64 = sqlx::query_scalar("PRAGMA data_version")
            .fetch_one(&mut *self.hand.lock().await)
            .await
            .unwrap();
        let files = ["store.db", "store.db-wal"].map(|name| {
            let content = std::fs::read(self.folder.path().join(name)).unwrap();
            (content.len(), Sha256::digest(content))
        });
        format!("{version} {files:?}")
    }

    async fn add(&self, key: &Key) {
        let table = Table::of(key.kind());
        let mut columns = table.key.to_vec();
        let mut values = key_values(key);
        if key.kind() == Kind::User {
            columns.push("id");
            values.push(format!("by hand {key:?}"));
        }
        let places: Vec<_> = (1..=values.len()).map(|n| format!("${n}")).collect();
        let (columns, places) = (columns.join(", "), places.join(", "));
        let sql = format!("INSERT INTO {} ({columns}) VALUES ({places})", table.name);
        self.sql(&sql, &values.iter().map(String::as_str).collect::<Vec<_>>()).await;
    }

    async fn edit(&self, key: &Key) {
        let column = match key.kind() {
            Kind::Tenant => "display_name",
            Kind::Namespace | Kind::Role => "description",
            Kind::User => "first_name",
        };
        self.set(key, column, "'by another hand'").await;
    }

    async fn edit_nested(&self, key: &Key) {
        let (column, json) = match key.kind() {
            Kind::Tenant => ("settings", "json_set(settings, '$.ttl.session', '1s')"),
            Kind::Role => ("rules", "json_remove(rules, '$[0]')"),
            Kind::User => ("claims", r#"json_set(claims, '$."a.b".c', 'by another hand')"#),
            Kind::Namespace => unreachable!("it has nothing nested"),
        };
        self.set(key, column, json).await;
    }

    async fn remove(&self, key: &Key) {
        self.on_row(&format!("DELETE FROM {}", Table::of(key.kind()).name), key).await;
    }

    async fn give(&self, holder: &Key, role: &RoleName) {
        let (table, values) = relation(holder, role);
        let places: Vec<_> = (1..=values.len()).map(|n| format!("${n}")).collect();
        let sql = format!("INSERT INTO {table} VALUES ({})", places.join(", "));
        self.sql(&sql, &values.iter().map(String::as_str).collect::<Vec<_>>()).await;
    }

    async fn take(&self, holder: &Key, role: &RoleName) {
        let (table, values) = relation(holder, role);
        let columns = [Table::of(holder.kind()).key, &["role_namespace", "role_name"]].concat();
        let sql = format!("DELETE FROM {table} WHERE {}", super::row::conditions(&columns, 1));
        self.sql(&sql, &values.iter().map(String::as_str).collect::<Vec<_>>()).await;
    }

    async fn appoint(&self, role: &Key) {
        self.set(role, "administrator", "TRUE").await;
    }

    async fn give_email(&self, user: &Key, email: &str) {
        self.set(user, "email", &format!("'{email}'")).await;
    }

    /// As the documentation says.
    async fn change_password(&self, user: &Key, hash: &str) {
        let key = key_values(user);
        let time = "2026-11-22T09:00:00.000Z";
        let statements = schema::example("INSERT INTO user_former_passwords");
        self.sql("BEGIN IMMEDIATE", &[]).await;
        for statement in statements.split_terminator(';') {
            self.sql(statement, &[&key[0], &key[1], "argon2id", hash, time]).await;
        }
        self.sql("COMMIT", &[]).await;
    }

    async fn held(&self, holder: &Key) -> Vec<RoleName> {
        let view = match holder {
            Key::User { .. } => {
                "SELECT role_namespace, role_name FROM v1_user_roles \
                 WHERE tenant_id = $1 AND username = $2 ORDER BY 1, 2"
            }
            _ => {
                "SELECT role_namespace, role_name FROM v1_role_composites \
                 WHERE tenant_id = $1 AND COALESCE(namespace, '') = $2 AND name = $3 ORDER BY 1, 2"
            }
        };
        let mut query = sqlx::query(view);
        for value in key_values(holder) {
            query = query.bind(value);
        }
        let rows = query.fetch_all(&mut *self.hand.lock().await).await.unwrap();
        rows.iter().map(|row| RoleName { namespace: row.get(0), name: row.get(1) }).collect()
    }

    async fn fail(&self) {
        self.hand.lock().await.execute("BEGIN EXCLUSIVE").await.unwrap();
    }

    async fn heal(&self) {
        self.hand.lock().await.execute("ROLLBACK").await.unwrap();
    }
}

/// The table and the row that say that the holder has the role.
fn relation(holder: &Key, role: &RoleName) -> (&'static str, Vec<String>) {
    let table = Table::of(holder.kind()).relation.as_ref().unwrap().table;
    let mut values = key_values(holder);
    values.push(role.namespace.clone().unwrap_or_default());
    values.push(role.name.clone());
    (table, values)
}
