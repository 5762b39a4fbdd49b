//! Email addresses are unique in a tenant: by the index over `email_key`, and here
//! for users who have none because another hand made them.

use super::tx::Tx;
use crate::store::{Error, Unique, UserState};

/// Refuses a user whose email address another one has, of whom nobody said in which form it is compared.
pub(super) async fn check(tx: &mut Tx<'_>, user: &UserState) -> Result<(), Error> {
    let (Some(email), Some(key)) = (&user.email, &user.email_key) else { return Ok(()) };
    // SQLite knows the lower case of the letters A to Z, and so does PostgreSQL in byte order, in
    // which our columns are. Our own form knows all, so it counts too.
    let sql = "SELECT 1 FROM users WHERE tenant_id = $1 AND username <> $2 \
               AND email IS NOT NULL AND email_key IS NULL AND lower(email) IN ($3, $4) LIMIT 1";
    let lower = email.to_ascii_lowercase();
    let values = [(&user.tenant_id).into(), (&user.username).into(), (&lower).into(), key.into()];
    let taken = tx.row(sql, &values).await?;
    if taken.is_some() { Err(Error::Taken(Unique::EmailAddress)) } else { Ok(()) }
}
