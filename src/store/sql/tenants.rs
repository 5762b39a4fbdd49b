//! Tenants: columns, and the state that they say.

use super::{
    cell::{Cell, Reader},
    table::{Column, Table},
};
use crate::store::TenantState;

pub(super) const TABLE: Table = Table {
    name: "tenants",
    key: &["tenant_id"],
    columns: &[
        Column::text("short_id"),
        Column::text("display_name"),
        Column::text("type"),
        Column::text("region"),
        Column::text("domain"),
        Column::flag("enabled"),
        Column::flag("suspended"),
        Column::json("organization"),
        Column::json("settings"),
        Column::json("keystore"),
        Column::json("subscription"),
    ],
    relation: None,
};

pub(super) fn cells(state: &TenantState) -> Vec<Cell> {
    vec![
        Cell::Text(state.short_id.clone()),
        Cell::option(state.display_name.as_deref()),
        Cell::option(state.type_.as_deref()),
        Cell::option(state.region.as_deref()),
        Cell::option(state.domain.as_deref()),
        Cell::Flag(state.enabled),
        Cell::Flag(state.suspended),
        Cell::json(&state.organization),
        Cell::json(&state.settings),
        Cell::json(&state.keystore),
        Cell::json(&state.subscription),
    ]
}

pub(super) fn state(tenant: &str, cells: &mut Reader<'_>) -> TenantState {
    TenantState {
        tenant_id: tenant.into(),
        short_id: cells.text(),
        display_name: cells.option(),
        type_: cells.option(),
        region: cells.option(),
        domain: cells.option(),
        enabled: cells.flag(),
        suspended: cells.flag(),
        organization: cells.json(),
        settings: cells.json(),
        keystore: cells.json(),
        subscription: cells.json(),
    }
}
