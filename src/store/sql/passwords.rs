//! Passwords of users: the current one, and those before it.
//!
//! Identity providers write here too, when people change their passwords themselves
//! (docs/store-schema.md). What cannot be read is left out.

use sqlx::{Row as _, SqliteConnection, sqlite::SqliteRow};
use zeroize::Zeroizing;

use super::row::written;
use crate::{
    api::Credential,
    store::{Error, Key, NewPassword},
};

/// A password as it is stored.
struct Stored {
    algorithm: Option<String>,
    hash: Zeroizing<String>,
    created_at: Option<String>,
}

/// What a user can log in with, without the secrets.
pub(super) async fn credentials(
    conn: &mut SqliteConnection,
    key: &Key,
) -> Result<Vec<Credential>, Error> {
    let Key::User { tenant, username } = key else { return Ok(Vec::new()) };
    let rows = sqlx::query(
        "SELECT type, algorithm, created_at FROM user_credentials \
         WHERE tenant_id = $1 AND username = $2 ORDER BY type",
    )
    .bind(tenant.clone())
    .bind(username.clone())
    .fetch_all(conn)
    .await?;
    let credential = |row: &SqliteRow| {
        Some(Credential {
            type_: text(row, "type")?,
            algorithm: text(row, "algorithm"),
            created_at: text(row, "created_at")
                .and_then(|time| time.parse::<jiff::Timestamp>().ok())
                .map(Into::into),
        })
    };
    Ok(rows.iter().filter_map(credential).collect())
}

/// The hashes of the last passwords, the current one first, at most so many.
pub(super) async fn last(
    conn: &mut SqliteConnection,
    key: &Key,
    number: usize,
) -> Result<Vec<Zeroizing<String>>, Error> {
    let stored = stored(conn, key).await?;
    Ok(stored.into_iter().take(number).map(|password| password.hash).collect())
}

/// Sets a password, and remembers those before it as far as it says.
pub(super) async fn set(
    conn: &mut SqliteConnection,
    key: &Key,
    password: &NewPassword,
) -> Result<(), Error> {
    let Key::User { tenant, username } = key else { return Ok(()) };
    let mut former = stored(&mut *conn, key).await?;
    former.truncate(password.remembered.saturating_sub(1));
    // Written anew, and not numbered onwards: another hand may have written any number.
    sqlx::query("DELETE FROM user_former_passwords WHERE tenant_id = $1 AND username = $2")
        .bind(tenant.clone())
        .bind(username.clone())
        .execute(&mut *conn)
        .await?;
    for (former, number) in former.iter().rev().zip(1_i32..) {
        sqlx::query(
            "INSERT INTO user_former_passwords (tenant_id, username, number, algorithm, hash, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(tenant.clone())
        .bind(username.clone())
        .bind(number)
        .bind(former.algorithm.clone())
        .bind(former.hash.to_string())
        .bind(former.created_at.clone())
        .execute(&mut *conn)
        .await?;
    }
    sqlx::query(
        "INSERT INTO user_credentials (tenant_id, username, type, algorithm, hash, created_at) \
         VALUES ($1, $2, 'password', $3, $4, $5) \
         ON CONFLICT (tenant_id, username, type) DO UPDATE SET \
         algorithm = excluded.algorithm, hash = excluded.hash, created_at = excluded.created_at",
    )
    .bind(tenant.clone())
    .bind(username.clone())
    .bind(password.algorithm)
    .bind(password.hash.to_string())
    .bind(written(password.created_at))
    .execute(conn)
    .await?;
    Ok(())
}

/// The current password, then the former ones, youngest first.
async fn stored(conn: &mut SqliteConnection, key: &Key) -> Result<Vec<Stored>, Error> {
    let Key::User { tenant, username } = key else { return Ok(Vec::new()) };
    let rows = sqlx::query(
        "SELECT algorithm, hash, created_at, 1 AS is_current, 0 AS number FROM user_credentials \
         WHERE tenant_id = $1 AND username = $2 AND type = 'password' \
         UNION ALL \
         SELECT algorithm, hash, created_at, 0, number FROM user_former_passwords \
         WHERE tenant_id = $1 AND username = $2 \
         ORDER BY is_current DESC, number DESC",
    )
    .bind(tenant.clone())
    .bind(username.clone())
    .fetch_all(conn)
    .await?;
    let password = |row: &SqliteRow| {
        Some(Stored {
            algorithm: text(row, "algorithm"),
            hash: text(row, "hash")?.into(),
            created_at: text(row, "created_at"),
        })
    };
    Ok(rows.iter().filter_map(password).collect())
}

/// The text in a column, if there is some that can be read.
fn text(row: &SqliteRow, column: &str) -> Option<String> {
    row.try_get::<Option<String>, _>(column).ok().flatten()
}
