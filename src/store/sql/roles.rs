//! Roles: columns, and the state that they say.

use super::{
    cell::{Cell, Reader},
    table::{Column, Relation, Table, sorted},
};
use crate::store::{RoleName, RoleState};

pub(super) const TABLE: Table = Table {
    name: "roles",
    key: &["tenant_id", "namespace", "name"],
    columns: &[
        Column::text("description"),
        Column::flag("administrator"),
        Column::json("rules"),
        Column::json("managed_composites"),
    ],
    relation: Some(Relation {
        table: "role_composites",
        field: "composites",
        managed: "managed_composites",
    }),
};

pub(super) fn cells(state: &RoleState) -> Vec<Cell> {
    vec![
        Cell::option(state.description.as_deref()),
        Cell::Flag(state.administrator),
        Cell::json(&state.rules),
        state.composites.as_deref().map_or(Cell::Null, |roles| Cell::json(&sorted(roles))),
    ]
}

pub(super) fn state(
    tenant: &str,
    role: &RoleName,
    cells: &mut Reader<'_>,
    held: &[RoleName],
) -> RoleState {
    RoleState {
        tenant_id: tenant.into(),
        role: role.clone(),
        description: cells.option(),
        administrator: cells.flag(),
        rules: cells.json(),
        composites: cells.optional_json::<Vec<RoleName>>().map(|_| held.to_vec()),
    }
}
