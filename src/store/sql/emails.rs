//! Email addresses are unique in a tenant: by the index over `email_key`, and here
//! for users who have none because another hand made them.

use sqlx::SqliteConnection;

use crate::store::{Error, UserState};

/// What is unique, as people call it.
pub(super) const FIELD: &str = Error::EMAIL;

/// Refuses a user whose email address another one has, of whom nobody said in which form it is compared.
pub(super) async fn check(conn: &mut SqliteConnection, user: &UserState) -> Result<(), Error> {
    let (Some(email), Some(key)) = (&user.email, &user.email_key) else { return Ok(()) };
    // The database knows the lower case of fewer letters than we do, so our own form counts too.
    let taken = sqlx::query(
        "SELECT 1 FROM users WHERE tenant_id = $1 AND username <> $2 \
         AND email IS NOT NULL AND email_key IS NULL AND lower(email) IN (lower($3), $4) LIMIT 1",
    )
    .bind(user.tenant_id.clone())
    .bind(user.username.clone())
    .bind(email.clone())
    .bind(key.clone())
    .fetch_optional(conn)
    .await?;
    if taken.is_some() { Err(Error::Taken(FIELD)) } else { Ok(()) }
}
