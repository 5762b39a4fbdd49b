//! Who and what is in a tenant: counted, not listed.

use super::{table::Table, tx::Tx};
use crate::store::{Census, Counted, Counts, Error, Kind};

/// The beginning of a statement: `administrators` are the users of tenant `$1` who hold an
/// administrator role, directly or through composites, whoever made any of them. It goes from
/// the roles to those who hold them, because few users are administrators.
///
/// UNION, not UNION ALL: a cycle of composites, made by hand, ends.
const ADMINISTRATORS: &str = "
    WITH RECURSIVE administering (namespace, name) AS (
        SELECT namespace, name FROM roles WHERE tenant_id = $1 AND administrator
        UNION
        SELECT whole.namespace, whole.name
        FROM administering AS part JOIN role_composites AS whole
            ON whole.tenant_id = $1 AND whole.role_namespace = part.namespace AND whole.role_name = part.name
    ), administrators (username) AS (
        SELECT holder.username
        FROM administering AS role JOIN user_roles AS holder
            ON holder.tenant_id = $1 AND holder.role_namespace = role.namespace AND holder.role_name = role.name
    )";

/// Counts what is in a tenant, and finds its first administrator.
pub(super) async fn take(tx: &mut Tx<'_>, tenant: &str) -> Result<Census, Error> {
    let users = "SELECT count(*) AS number FROM users WHERE tenant_id = $1";
    let users = number(tx, tenant, users.into()).await?;
    let first = format!("{ADMINISTRATORS} SELECT min(username) AS first FROM administrators");
    let administrator = tx.row(first, &[tenant.into()]).await?.and_then(|row| row.text("first"));
    Ok(Census { users, counts: count(tx, tenant, &Counted::ALL).await?, administrator })
}

/// Counts these in a tenant, of each what carries a mark; the others are 0.
pub(super) async fn count(
    tx: &mut Tx<'_>,
    tenant: &str,
    counted: &[Counted],
) -> Result<Counts, Error> {
    let mut counts = Counts::default();
    for counted in counted {
        let (count, sql) = match counted {
            Counted::Users => (&mut counts.users, marked(Kind::User)),
            Counted::Namespaces => (&mut counts.namespaces, marked(Kind::Namespace)),
            Counted::Roles => (&mut counts.roles, marked(Kind::Role)),
            Counted::Administrators => (&mut counts.administrators, marked_administrators()),
        };
        *count = number(tx, tenant, sql).await?;
    }
    Ok(counts)
}

fn marked(kind: Kind) -> String {
    format!("SELECT count(mark_owner) AS number FROM {} WHERE tenant_id = $1", Table::of(kind).name)
}

fn marked_administrators() -> String {
    format!(
        "{ADMINISTRATORS} SELECT count(mark_owner) AS number FROM users \
         WHERE tenant_id = $1 AND username IN (SELECT username FROM administrators)"
    )
}

/// The number that a statement about a tenant counts.
async fn number(tx: &mut Tx<'_>, tenant: &str, sql: String) -> Result<u64, Error> {
    Ok(tx.row(sql, &[tenant.into()]).await?.map_or(0, |row| row.number("number")))
}
