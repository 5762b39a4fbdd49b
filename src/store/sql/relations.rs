//! Which roles a user holds and a role contains. Only roles that carry a mark
//! are read and written here; rows that speak of roles made by hand stay as they are.

use super::{
    row::conditions,
    table::{Relation, Table, key_values},
    tx::{Tx, Value},
};
use crate::store::{Error, Key, RoleName};

/// The key's values as parameters.
fn parameters(key: &[String]) -> Vec<Value<'_>> {
    key.iter().map(Value::from).collect()
}

/// The columns of the holder's key in the table of the relation: those of its own table.
fn holder(table: &Table) -> String {
    table.key.join(", ")
}

/// The marked roles that the row under this key holds or contains, sorted.
pub(super) async fn held(
    tx: &mut Tx<'_>,
    table: &Table,
    relation: &Relation,
    key: &Key,
) -> Result<Vec<RoleName>, Error> {
    let holder: Vec<String> = table.key.iter().map(|column| format!("held.{column}")).collect();
    let holder: Vec<&str> = holder.iter().map(String::as_str).collect();
    let sql = format!(
        "SELECT roles.namespace, roles.name FROM {} AS held JOIN roles \
         ON roles.tenant_id = held.tenant_id AND roles.namespace = held.role_namespace \
         AND roles.name = held.role_name \
         WHERE {} AND roles.mark_owner IS NOT NULL",
        relation.table,
        conditions(&holder, 1),
    );
    let mut roles = Vec::new();
    for row in tx.rows(sql, &parameters(&key_values(key))).await? {
        // A name that is no text is not one that we wrote.
        if let (Some(namespace), Some(name)) = (row.text("namespace"), row.text("name")) {
            roles.push(RoleName { namespace: Some(namespace).filter(|n| !n.is_empty()), name });
        }
    }
    roles.sort();
    Ok(roles)
}

/// Takes and gives roles, so that the row under this key holds `wanted` instead of `held`.
pub(super) async fn write(
    tx: &mut Tx<'_>,
    table: &Table,
    relation: &Relation,
    key: &Key,
    (held, wanted): (&[RoleName], &[RoleName]),
) -> Result<(), Error> {
    let width = table.key.len();
    let delete = format!(
        "DELETE FROM {} WHERE {} AND role_namespace = ${} AND role_name = ${}",
        relation.table,
        conditions(table.key, 1),
        width + 1,
        width + 2,
    );
    let values: Vec<String> = (1..=width + 2).map(|n| format!("${n}")).collect();
    let insert = format!(
        "INSERT INTO {} ({}, role_namespace, role_name) VALUES ({}) ON CONFLICT DO NOTHING",
        relation.table,
        holder(table),
        values.join(", "),
    );
    let taken = held.iter().filter(|role| !wanted.contains(role)).map(|role| (&delete, role));
    let given = wanted.iter().filter(|role| !held.contains(role)).map(|role| (&insert, role));
    for (sql, role) in taken.chain(given) {
        let holder = key_values(key);
        let mut values = parameters(&holder);
        values.push(role.namespace.as_deref().unwrap_or_default().into());
        values.push((&role.name).into());
        tx.execute(sql, &values).await?;
    }
    Ok(())
}

/// Whether there is a role of this name that carries a mark.
pub(super) async fn is_marked(
    tx: &mut Tx<'_>,
    tenant: &str,
    role: &RoleName,
) -> Result<bool, Error> {
    let sql = "SELECT 1 FROM roles WHERE tenant_id = $1 AND namespace = $2 AND name = $3 AND mark_owner IS NOT NULL";
    let namespace = role.namespace.as_deref().unwrap_or_default();
    let row = tx.row(sql, &[tenant.into(), namespace.into(), (&role.name).into()]).await?;
    Ok(row.is_some())
}

/// Checks that all that a state refers to is there.
pub(super) async fn check(tx: &mut Tx<'_>, key: &Key, roles: &[RoleName]) -> Result<(), Error> {
    let tenant = key.tenant();
    if !matches!(key, Key::Tenant { .. }) {
        let sql = "SELECT 1 FROM tenants WHERE tenant_id = $1";
        if tx.row(sql, &[tenant.into()]).await?.is_none() {
            return Err(Error::Missing(format!("the tenant {tenant}")));
        }
    }
    if let Key::Role { role: RoleName { namespace: Some(namespace), .. }, .. } = key {
        let sql = "SELECT 1 FROM namespaces WHERE tenant_id = $1 AND name = $2";
        if tx.row(sql, &[tenant.into(), namespace.into()]).await?.is_none() {
            return Err(Error::Missing(format!("the namespace {namespace} of tenant {tenant}")));
        }
    }
    for role in roles {
        // A role made by hand is not one to refer to: it is there for us once a Role adopts it.
        let itself = matches!(key, Key::Role { role: own, .. } if own == role);
        if !itself && !is_marked(tx, tenant, role).await? {
            let place = role.namespace.as_ref().map(|n| format!(" in namespace {n}"));
            return Err(Error::Missing(format!(
                "the role {}{} of tenant {tenant}",
                role.name,
                place.unwrap_or_default(),
            )));
        }
    }
    Ok(())
}
