//! The tables as the code sees them: which columns carry the state of a kind,
//! and how a state becomes cells and back. What is the same for all kinds
//! (mark, memo, digest, times) is in [`super::row`].

use super::{
    cell::{Cell, Reader},
    namespaces, roles, tenants, users,
};
use crate::store::{Key, Kind, RoleName, State};

/// The table of one kind.
pub(super) struct Table {
    /// Its name.
    pub name: &'static str,
    /// The columns of its key.
    pub key: &'static [&'static str],
    /// The columns of its state.
    pub columns: &'static [Column],
    /// Where its relation to roles stands, if the kind has one.
    pub relation: Option<Relation>,
}

/// A column that carries a part of a state.
pub(super) struct Column {
    /// Its name in the table.
    pub name: &'static str,
    /// What it holds.
    pub form: Form,
}

/// What a column holds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Text,
    Flag,
    Json,
}

/// A relation to roles: who holds, or contains, which.
pub(super) struct Relation {
    /// The table of the relation; its first columns are the key of the holder's table.
    pub table: &'static str,
    /// What the relation is called when it changed.
    pub field: &'static str,
    /// The column with the roles that the operator wrote last; NULL if it does not manage them.
    pub managed: &'static str,
}

impl Column {
    pub(super) const fn text(name: &'static str) -> Self {
        Self { name, form: Form::Text }
    }

    pub(super) const fn flag(name: &'static str) -> Self {
        Self { name, form: Form::Flag }
    }

    pub(super) const fn json(name: &'static str) -> Self {
        Self { name, form: Form::Json }
    }
}

impl Table {
    pub(super) fn of(kind: Kind) -> &'static Self {
        match kind {
            Kind::Tenant => &tenants::TABLE,
            Kind::Namespace => &namespaces::TABLE,
            Kind::Role => &roles::TABLE,
            Kind::User => &users::TABLE,
        }
    }

    /// What a changed column is called.
    pub(super) fn field(&self, column: &Column) -> &'static str {
        match &self.relation {
            Some(relation) if relation.managed == column.name => relation.field,
            _ => column.name,
        }
    }
}

/// The values of the key's columns.
pub(super) fn key_values(key: &Key) -> Vec<String> {
    match key {
        Key::Tenant { tenant } => vec![tenant.clone()],
        Key::Namespace { tenant, name } => vec![tenant.clone(), name.clone()],
        Key::Role { tenant, role } => {
            vec![tenant.clone(), role.namespace.clone().unwrap_or_default(), role.name.clone()]
        }
        Key::User { tenant, username } => vec![tenant.clone(), username.clone()],
    }
}

/// The state's cells, in the order of its table's columns.
pub(super) fn cells(state: &State) -> Vec<Cell> {
    match state {
        State::Tenant(state) => tenants::cells(state),
        State::Namespace(state) => namespaces::cells(state),
        State::Role(state) => roles::cells(state),
        State::User(state) => users::cells(state),
    }
}

/// The state that these cells say; `held` are the marked roles that it holds or contains.
pub(super) fn state(key: &Key, cells: &mut Reader<'_>, held: &[RoleName]) -> State {
    match key {
        Key::Tenant { tenant } => State::Tenant(tenants::state(tenant, cells)),
        Key::Namespace { tenant, name } => State::Namespace(namespaces::state(tenant, name, cells)),
        Key::Role { tenant, role } => State::Role(roles::state(tenant, role, cells, held)),
        Key::User { tenant, username } => State::User(users::state(tenant, username, cells, held)),
    }
}

/// The roles that the state holds or contains, sorted; `None` if they are not managed.
pub(super) fn wanted_roles(state: &State) -> Option<Vec<RoleName>> {
    match state {
        State::Tenant(_) | State::Namespace(_) => None,
        State::Role(state) => state.composites.as_deref().map(sorted),
        State::User(state) => state.roles.as_deref().map(sorted),
    }
}

/// Sorted and without repetition.
pub(super) fn sorted(roles: &[RoleName]) -> Vec<RoleName> {
    let mut roles = roles.to_vec();
    roles.sort();
    roles.dedup();
    roles
}
