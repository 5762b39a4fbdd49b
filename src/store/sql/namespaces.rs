//! Namespaces: columns, and the state that they say.

use super::{
    cell::{Cell, Reader},
    table::{Column, Table},
};
use crate::store::NamespaceState;

pub(super) const TABLE: Table = Table {
    name: "namespaces",
    key: &["tenant_id", "name"],
    columns: &[Column::text("description")],
    relation: None,
};

pub(super) fn cells(state: &NamespaceState) -> Vec<Cell> {
    vec![Cell::option(state.description.as_deref())]
}

pub(super) fn state(tenant: &str, name: &str, cells: &mut Reader<'_>) -> NamespaceState {
    NamespaceState { tenant_id: tenant.into(), name: name.into(), description: cells.option() }
}
