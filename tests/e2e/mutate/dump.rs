//! Everything that the store has of a tenant, without time stamps.

use std::path::Path;

use serde_json::Value;
use sqlx::{AssertSqlSafe, ConnectOptions, SqliteConnection, sqlite::SqliteConnectOptions};

/// Every table and view that speaks of tenants, with its columns.
const COLUMNS: &str = "SELECT t.name, group_concat('''' || c.name || ''', ' || c.name) \
    FROM sqlite_schema t, pragma_table_xinfo(t.name) c \
    WHERE t.type IN ('table', 'view') AND c.name NOT IN ('created_at', 'updated_at') \
    GROUP BY t.name HAVING sum(c.name = 'tenant_id') > 0";

/// A look into the store of one tenant.
pub struct Dump {
    database: SqliteConnection,
    query: String,
    tenant: String,
}

impl Dump {
    pub async fn of(tenant: &str, file: &Path) -> Self {
        let mut database = SqliteConnectOptions::new().filename(file).connect().await.unwrap();
        let tables: Vec<(String, String)> =
            sqlx::query_as(COLUMNS).fetch_all(&mut database).await.unwrap();
        assert!(tables.len() > 12, "{tables:?}");
        let rows = tables.iter().map(|(table, columns)| {
            format!(
                "'{table}', (SELECT json_group_array(json(row)) FROM \
                 (SELECT json_object({columns}) AS row FROM {table} WHERE tenant_id = ?1 ORDER BY 1))"
            )
        });
        let query = format!("SELECT json_object({})", rows.collect::<Vec<_>>().join(", "));
        Self { database, query, tenant: tenant.into() }
    }

    /// Of each table and view its rows, with the marks and notes of the operator.
    pub async fn take(&mut self) -> Value {
        let query = sqlx::query_scalar(AssertSqlSafe(self.query.clone())).bind(&self.tenant);
        let text: String = query.fetch_one(&mut self.database).await.unwrap();
        let mut dump: Value = serde_json::from_str(&text).unwrap();
        for tenant in dump["tenants"].as_array_mut().unwrap() {
            let mut memo: Value = serde_json::from_str(tenant["memo"].as_str().unwrap()).unwrap();
            // A key keeps the longest life of the tokens that it has signed: that was so, and stays so.
            for key in memo["ledger"]["keys"].as_array_mut().unwrap() {
                assert!(key.as_object_mut().unwrap().remove("longestToken").is_some());
            }
            tenant["memo"] = memo;
        }
        dump
    }
}

/// Of a dump, what an identity provider reads.
pub fn views(dump: &Value) -> impl Iterator<Item = (&String, &Value)> {
    dump.as_object().unwrap().iter().filter(|(name, _)| name.starts_with("v1_"))
}

/// Where two of them differ, a line each.
pub fn differences(path: &str, old: &Value, new: &Value) -> Vec<String> {
    match (old, new) {
        _ if old == new => Vec::new(),
        (Value::Object(olds), Value::Object(_)) => {
            let each = olds
                .iter()
                .map(|(name, old)| differences(&format!("{path}.{name}"), old, &new[name]));
            each.flatten().collect()
        }
        (Value::Array(olds), Value::Array(news)) if olds.len() == news.len() => {
            let each = olds.iter().zip(news).enumerate();
            each.flat_map(|(at, (old, new))| differences(&format!("{path}[{at}]"), old, new))
                .collect()
        }
        _ => vec![format!("{path}: was {old}, is {new}")],
    }
}
