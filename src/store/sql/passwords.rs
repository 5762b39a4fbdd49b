//! Passwords of users: the current one, and those before it.
//!
//! Identity providers write here too, when people change their passwords themselves
//! (docs/store-schema.md). What cannot be read is left out.

use zeroize::Zeroizing;

use super::{
    row::written,
    tx::{Fetched, Tx, Value},
};
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
pub(super) async fn credentials(tx: &mut Tx<'_>, key: &Key) -> Result<Vec<Credential>, Error> {
    let Key::User { tenant, username } = key else { return Ok(Vec::new()) };
    let sql = "SELECT type, algorithm, created_at FROM user_credentials \
               WHERE tenant_id = $1 AND username = $2 ORDER BY type";
    let rows = tx.rows(sql, &[tenant.into(), username.into()]).await?;
    let credential = |row: &Fetched| {
        Some(Credential {
            type_: row.text("type")?,
            algorithm: row.text("algorithm"),
            created_at: row
                .text("created_at")
                .and_then(|time| time.parse::<jiff::Timestamp>().ok())
                .map(Into::into),
        })
    };
    Ok(rows.iter().filter_map(credential).collect())
}

/// The hashes of the last passwords, the current one first, at most so many.
pub(super) async fn last(
    tx: &mut Tx<'_>,
    key: &Key,
    number: usize,
) -> Result<Vec<Zeroizing<String>>, Error> {
    let stored = stored(tx, key).await?;
    Ok(stored.into_iter().take(number).map(|password| password.hash).collect())
}

/// Sets a password, and remembers those before it as far as it says.
pub(super) async fn set(tx: &mut Tx<'_>, key: &Key, password: &NewPassword) -> Result<(), Error> {
    let Key::User { tenant, username } = key else { return Ok(()) };
    let mut former = stored(tx, key).await?;
    former.truncate(password.remembered.saturating_sub(1));
    // Written anew, and not numbered onwards: another hand may have written any number.
    let sql = "DELETE FROM user_former_passwords WHERE tenant_id = $1 AND username = $2";
    tx.execute(sql, &[tenant.into(), username.into()]).await?;
    for (former, number) in former.iter().rev().zip(1_i32..) {
        let sql = "INSERT INTO user_former_passwords \
                   (tenant_id, username, number, algorithm, hash, created_at) VALUES ($1, $2, $3, $4, $5, $6)";
        let values = [
            tenant.into(),
            username.into(),
            Value::Number(number),
            former.algorithm.as_deref().into(),
            former.hash.as_str().into(),
            former.created_at.as_deref().into(),
        ];
        tx.execute(sql, &values).await?;
    }
    let sql = "INSERT INTO user_credentials (tenant_id, username, type, algorithm, hash, created_at) \
               VALUES ($1, $2, 'password', $3, $4, $5) \
               ON CONFLICT (tenant_id, username, type) DO UPDATE SET \
               algorithm = excluded.algorithm, hash = excluded.hash, created_at = excluded.created_at";
    let created_at = written(password.created_at);
    let values = [
        tenant.into(),
        username.into(),
        password.algorithm.into(),
        password.hash.as_str().into(),
        created_at.as_str().into(),
    ];
    tx.execute(sql, &values).await?;
    Ok(())
}

/// The current password, then the former ones, youngest first.
async fn stored(tx: &mut Tx<'_>, key: &Key) -> Result<Vec<Stored>, Error> {
    let Key::User { tenant, username } = key else { return Ok(Vec::new()) };
    let sql = "SELECT algorithm, hash, created_at, 1 AS is_current, 0 AS number FROM user_credentials \
               WHERE tenant_id = $1 AND username = $2 AND type = 'password' \
               UNION ALL \
               SELECT algorithm, hash, created_at, 0, number FROM user_former_passwords \
               WHERE tenant_id = $1 AND username = $2 \
               ORDER BY is_current DESC, number DESC";
    let rows = tx.rows(sql, &[tenant.into(), username.into()]).await?;
    let password = |row: &Fetched| {
        Some(Stored {
            algorithm: row.text("algorithm"),
            hash: row.text("hash")?.into(),
            created_at: row.text("created_at"),
        })
    };
    Ok(rows.iter().filter_map(password).collect())
}
