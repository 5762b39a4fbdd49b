//! Who is in a tenant: counted, not listed.

use sqlx::SqliteConnection;

use super::super::{Census, Error};

/// UNION, not UNION ALL: a cycle of composites, made by hand, ends.
const ADMINISTRATOR: &str = "
    WITH RECURSIVE held (username, namespace, name) AS (
        SELECT username, role_namespace, role_name FROM user_roles WHERE tenant_id = $1
        UNION
        SELECT held.username, part.role_namespace, part.role_name
        FROM held JOIN role_composites AS part
            ON part.tenant_id = $1 AND part.namespace = held.namespace AND part.name = held.name
    )
    SELECT min(held.username)
    FROM held JOIN roles
        ON roles.tenant_id = $1 AND roles.namespace = held.namespace AND roles.name = held.name
    WHERE roles.administrator";

/// Counts the users of a tenant and finds its first administrator.
pub async fn take(conn: &mut SqliteConnection, tenant: &str) -> Result<Census, Error> {
    let users: i64 = sqlx::query_scalar("SELECT count(*) FROM users WHERE tenant_id = $1")
        .bind(tenant)
        .fetch_one(&mut *conn)
        .await?;
    let administrator =
        sqlx::query_scalar(ADMINISTRATOR).bind(tenant).fetch_one(&mut *conn).await?;
    Ok(Census {
        users: u64::try_from(users).unwrap_or_default(),
        administrator,
        ..Census::default()
    })
}
