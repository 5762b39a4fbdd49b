//! The SQL stores against the conformance suite, each with another hand that works on its database,
//! and what only they have: rows that another hand wrote badly (`rows`), passwords that an identity provider
//! changes (`passwords`), what is counted (`limits`), views and the steps to them (`schema`), and
//! writes that are collected (`batches`). What one of the two alone has is in its folder.

mod batches;
mod limits;
mod passwords;
pub(super) mod postgres;
mod rows;
mod schema;
mod sqlite;

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{
    SqlStore,
    table::{Form, Table, key_values},
};
use crate::store::{
    Key, Kind, RoleName, Store,
    conformance::{Backend, faults::Fault},
};

/// A store of its own, and another hand on its database.
struct Sql<H> {
    store: Arc<SqlStore>,
    hand: H,
}

/// A hand on a database.
#[async_trait]
trait Hand: Sized + Send + Sync {
    /// How it begins a transaction that writes.
    const BEGIN: &'static str;
    /// Expressions of values that do not belong into columns with text.
    const ODD: &'static [&'static str];
    /// Expressions of values that do not belong into columns with flags.
    const ODD_FLAGS: &'static [&'static str];
    /// Makes the hand write rows that refer to nothing.
    const WITHOUT_FOREIGN_KEYS: &'static str;

    /// A new store, and a hand on it.
    async fn start() -> Sql<Self>;
    /// The same, on a database that the first version made, with what was in it.
    async fn start_from_0001(rows: &'static str) -> Sql<Self>;
    /// Runs a statement.
    async fn sql(&self, sql: &str, values: &[&str]);
    /// The rows that a query answers: texts.
    async fn texts(&self, sql: &str, values: &[&str]) -> Vec<Vec<Option<String>>>;
    /// The columns of all views, as `view.column`.
    async fn views(&self) -> Vec<String>;
    /// Something that changes whenever the store writes.
    async fn fingerprint(&self) -> String;
    /// How many transactions have written tenants, since it was first asked or before.
    async fn transactions(&self) -> usize;
    /// Keeps others from writing, and lets them again.
    async fn lock(&self);
    async fn unlock(&self);

    /// As in [`Backend`].
    const SUFFERS: &'static [(Fault, &'static str)];
    /// A store that is to be disturbed.
    async fn start_to_disturb() -> Sql<Self> {
        Self::start().await
    }
    async fn disturb(backend: &Sql<Self>, fault: Fault, step: usize);
    async fn calm(backend: &Sql<Self>, fault: Fault) -> bool;
}

impl<H: Hand> Sql<H> {
    /// Runs a statement by another hand.
    async fn sql(&self, sql: &str, values: &[&str]) {
        self.hand.sql(sql, values).await;
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

    /// Changes the JSON in a column of the row of a key.
    async fn set_json(&self, key: &Key, column: &str, change: impl FnOnce(&mut Value)) {
        let table = Table::of(key.kind());
        let values = key_values(key);
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        let place = super::row::conditions(table.key, 1);
        let sql = format!("SELECT {column} FROM {} WHERE {place}", table.name);
        let rows = self.hand.texts(&sql, &values).await;
        let mut json = serde_json::from_str(rows[0][0].as_deref().unwrap()).unwrap();
        change(&mut json);
        let text = json.to_string().replace('\'', "''");
        self.set(key, column, &format!("'{text}'")).await;
    }
}

#[async_trait]
impl<H: Hand> Backend for Sql<H> {
    async fn start() -> Self {
        H::start().await
    }

    fn store(&self) -> Arc<dyn Store> {
        self.store.clone()
    }

    async fn fingerprint(&self) -> String {
        self.hand.fingerprint().await
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
        match key.kind() {
            Kind::Tenant => {
                self.set_json(key, "settings", |settings| settings["ttl"]["session"] = json!("1s"))
                    .await;
            }
            Kind::Role => {
                self.set_json(key, "rules", |rules| {
                    rules.as_array_mut().unwrap().remove(0);
                })
                .await;
            }
            Kind::User => {
                let other = json!("by another hand");
                self.set_json(key, "claims", |claims| claims["a.b"]["c"] = other).await;
            }
            Kind::Namespace => unreachable!("it has nothing nested"),
        }
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
        self.sql(H::BEGIN, &[]).await;
        for statement in statements.split_terminator(';') {
            self.sql(statement, &[&key[0], &key[1], "argon2id", hash, time]).await;
        }
        self.sql("COMMIT", &[]).await;
    }

    async fn held(&self, holder: &Key) -> Vec<RoleName> {
        let view = match holder {
            Key::User { .. } => {
                "SELECT role_namespace, role_name FROM v1_user_roles \
                 WHERE tenant_id = $1 AND username = $2"
            }
            _ => {
                "SELECT role_namespace, role_name FROM v1_role_composites \
                 WHERE tenant_id = $1 AND COALESCE(namespace, '') = $2 AND name = $3"
            }
        };
        let values = key_values(holder);
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        let rows = self.hand.texts(view, &values).await.into_iter().map(|mut row| RoleName {
            name: row.pop().flatten().unwrap(),
            namespace: row.pop().flatten(),
        });
        let mut held: Vec<RoleName> = rows.collect();
        held.sort();
        held
    }

    async fn unmark(&self, key: &Key) {
        for column in ["owner", "kind", "namespace", "name", "uid"] {
            self.set(key, &format!("mark_{column}"), "NULL").await;
        }
    }

    /// All that an identity provider reads.
    async fn seen(&self, key: &Key) -> Value {
        let table = Table::of(key.kind());
        let is_managed =
            |name: &str| table.relation.as_ref().is_some_and(|relation| relation.managed == name);
        let columns: Vec<_> =
            table.columns.iter().filter(|column| !is_managed(column.name)).collect();
        let texts: Vec<_> = columns
            .iter()
            .map(|column| match column.form {
                Form::Flag => format!("CASE WHEN {} THEN 'true' ELSE 'false' END", column.name),
                Form::Text | Form::Json => column.name.to_owned(),
            })
            .collect();
        let place = super::row::conditions(table.key, 1);
        let sql = format!("SELECT {} FROM {} WHERE {place}", texts.join(", "), table.name);
        let values = key_values(key);
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        let row = self.hand.texts(&sql, &values).await.remove(0);
        columns
            .iter()
            .zip(row)
            .map(|(column, text)| (column.name.to_owned(), json!(text)))
            .collect()
    }

    async fn put_back(&self, tenant: &Key, seen: &Value) {
        let settings = serde_json::from_str(seen["settings"].as_str().unwrap()).unwrap();
        self.set_json(tenant, "settings", |there| *there = settings).await;
    }

    async fn start_to_disturb() -> Self {
        H::start_to_disturb().await
    }

    fn suffers() -> &'static [(Fault, &'static str)] {
        H::SUFFERS
    }

    async fn disturb(&self, fault: Fault, step: usize) {
        H::disturb(self, fault, step).await;
    }

    async fn calm(&self, fault: Fault) -> bool {
        H::calm(self, fault).await
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

/// Cases about rows that run against both.
macro_rules! on_both {
    ($($case:ident),+ $(,)?) => {
        mod on_sqlite {
            use crate::store::sql::tests::{Hand, sqlite::SqliteHand};
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    super::$case(SqliteHand::start().await).await;
                }
            )+
        }
        mod on_postgres {
            use crate::store::sql::tests::{Hand, postgres::PostgresHand};
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    super::$case(PostgresHand::start().await).await;
                }
            )+
        }
    };
}
use on_both;
