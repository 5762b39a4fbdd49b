//! The store's file, by another hand than the operator's.

use std::{collections::BTreeMap, path::Path};

use serde_json::Value;
use sqlx::{ConnectOptions, Row, SqliteConnection, sqlite::SqliteConnectOptions};

use super::eventually;

/// All of `v1_tenants` but the time stamps, with JSON as the text that it is.
const TENANTS: &str = "SELECT tenant_id, json_object('short_id', short_id, 'display_name', display_name, 'type', type,
    'region', region, 'domain', domain, 'enabled', enabled, 'suspended', suspended, 'organization', organization,
    'settings', settings, 'keystore', keystore, 'subscription', subscription) FROM v1_tenants";

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

    /// Waits until a query answers so large a number. It may take long, as long as it rises.
    pub async fn reaches(&mut self, query: &'static str, number: usize) {
        let (mut reached, number) = (self.number(query).await, i64::try_from(number).unwrap());
        while reached < number {
            let before = reached;
            eventually(&format!("{query} is more than {before}"), async || {
                reached = self.number(query).await;
                reached > before
            })
            .await;
        }
    }

    /// The texts that a query answers, a row each.
    pub async fn texts(&mut self, query: &'static str) -> Vec<String> {
        let rows = sqlx::query(query).fetch_all(&mut self.0).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// What an identity provider reads of all namespaces, sorted: `tenant/name description`.
    pub async fn namespaces(&mut self) -> Vec<String> {
        self.texts("SELECT tenant_id || '/' || name || coalesce(' ' || description, '') FROM v1_namespaces ORDER BY 1").await
    }

    /// What an identity provider reads of all roles, sorted: `namespace/name description`, `!` for an administrator, rules.
    pub async fn roles(&mut self) -> Vec<String> {
        self.texts(
            "SELECT coalesce(namespace || '/', '') || name || coalesce(' ' || description, '') || \
             iif(administrator, ' !', '') || iif(rules = '[]', '', ' ' || rules) FROM v1_roles ORDER BY 1",
        )
        .await
    }

    /// What roles contain, sorted: `namespace/name > namespace/name`.
    pub async fn composites(&mut self) -> Vec<String> {
        self.texts(
            "SELECT coalesce(namespace || '/', '') || name || ' > ' || coalesce(role_namespace || '/', '') || role_name \
             FROM v1_role_composites ORDER BY 1",
        )
        .await
    }

    /// What an identity provider reads of all users, sorted: `tenant/username email`, `!` for a disabled one,
    /// `?` for an address that is not verified.
    pub async fn users(&mut self) -> Vec<String> {
        self.texts(
            "SELECT tenant_id || '/' || username || coalesce(' ' || email || iif(email_verified, '', '?'), '') || \
             iif(enabled, '', ' !') FROM v1_users ORDER BY 1",
        )
        .await
    }

    /// Who holds which role, sorted: `username > namespace/name`.
    pub async fn grants(&mut self) -> Vec<String> {
        self.texts(
            "SELECT username || ' > ' || coalesce(role_namespace || '/', '') || role_name \
             FROM v1_user_roles ORDER BY 1",
        )
        .await
    }

    /// Changes whenever another connection has committed a write.
    pub async fn version(&mut self) -> i64 {
        self.number("PRAGMA data_version").await
    }

    /// What an identity provider reads of all tenants, without time stamps.
    pub async fn tenants(&mut self) -> BTreeMap<String, Value> {
        let rows = sqlx::query(TENANTS).fetch_all(&mut self.0).await.unwrap();
        rows.iter().map(|row| (row.get(0), serde_json::from_str(row.get(1)).unwrap())).collect()
    }

    /// What an identity provider reads of the tenant `acme`.
    pub async fn acme(&mut self) -> Option<Value> {
        self.tenants().await.remove("acme")
    }
}
