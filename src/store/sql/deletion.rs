//! Deleting: what is ours, with all that is in it.

use super::{
    row::{self, Row},
    table::{self, Table},
    tx::{Tx, Value},
};
use crate::store::{Deleted, Error, Key, Mark};

/// How many users of a tenant go in one transaction at most. Each takes its roles and passwords with it, at some
/// 50 µs: so others wait for it for a moment only, and a statement is far from its time limit.
pub(super) const USERS: u16 = 5_000;

/// How far a deletion came.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Deletion {
    Done(Deleted),
    /// So many users are gone, and the tenant is still there with others: once more.
    Begun,
}

/// Deletes what a key names, if it has this mark; of a large tenant a part.
pub(super) async fn delete(tx: &mut Tx<'_>, key: &Key, mark: &Mark) -> Result<Deletion, Error> {
    tx.lock(key.tenant()).await?;
    match Row::read(tx, key).await? {
        None => return Ok(Deletion::Done(Deleted::NotThere)),
        Some(row) if row.mark.as_ref() != Some(mark) => {
            return Ok(Deletion::Done(Deleted::NotOurs(row.mark)));
        }
        Some(_) => {}
    }
    if let Key::Tenant { .. } = key
        && delete_users(tx, key.tenant()).await? == u64::from(USERS)
    {
        return Ok(Deletion::Begun);
    }
    // Foreign keys take with it what is in it, and a role from its holders.
    let table = Table::of(key.kind());
    let sql = format!("DELETE FROM {} WHERE {}", table.name, row::conditions(table.key, 1));
    let values = table::key_values(key);
    let values: Vec<Value<'_>> = values.iter().map(Value::from).collect();
    tx.execute(sql, &values).await?;
    Ok(Deletion::Done(Deleted::Removed))
}

/// Deletes so many users of a tenant, and answers how many there were.
async fn delete_users(tx: &mut Tx<'_>, tenant: &str) -> Result<u64, Error> {
    let sql = format!(
        "DELETE FROM users WHERE tenant_id = $1 AND username IN \
         (SELECT username FROM users WHERE tenant_id = $1 LIMIT {USERS})"
    );
    tx.execute(sql, &[tenant.into()]).await
}
