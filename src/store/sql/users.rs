//! Users: columns, and the state that they say.

use super::{
    cell::{Cell, Reader},
    table::{Column, Relation, Table, sorted},
};
use crate::store::{RoleName, UserState};

pub(super) const TABLE: Table = Table {
    name: "users",
    key: &["tenant_id", "username"],
    columns: &[
        Column::text("id"),
        Column::text("email"),
        Column::text("email_key"),
        Column::flag("email_verified"),
        Column::text("first_name"),
        Column::text("last_name"),
        Column::flag("enabled"),
        Column::json("claims"),
        Column::json("authentication_providers"),
        Column::json("required_actions"),
        Column::json("managed_roles"),
    ],
    relation: Some(Relation { table: "user_roles", field: "roles", managed: "managed_roles" }),
};

pub(super) fn cells(state: &UserState) -> Vec<Cell> {
    vec![
        Cell::Text(state.id.clone()),
        Cell::option(state.email.as_deref()),
        Cell::option(state.email_key.as_deref()),
        Cell::Flag(state.email_verified),
        Cell::option(state.first_name.as_deref()),
        Cell::option(state.last_name.as_deref()),
        Cell::Flag(state.enabled),
        Cell::json(&state.claims),
        Cell::json(&state.authentication_providers),
        Cell::json(&state.required_actions),
        state.roles.as_deref().map_or(Cell::Null, |roles| Cell::json(&sorted(roles))),
    ]
}

pub(super) fn state(
    tenant: &str,
    username: &str,
    cells: &mut Reader<'_>,
    held: &[RoleName],
) -> UserState {
    UserState {
        tenant_id: tenant.into(),
        username: username.into(),
        id: cells.text(),
        email: cells.option(),
        email_key: cells.option(),
        email_verified: cells.flag(),
        first_name: cells.option(),
        last_name: cells.option(),
        enabled: cells.flag(),
        claims: cells.json(),
        authentication_providers: cells.json(),
        required_actions: cells.json(),
        roles: cells.optional_json::<Vec<RoleName>>().map(|_| held.to_vec()),
    }
}
