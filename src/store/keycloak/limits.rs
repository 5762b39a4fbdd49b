//! Limits of the plan: what is counted before a write that could go beyond one.

use super::{
    KeycloakStore,
    census::{Graph, Node, is_marked_client, number},
    found::{Found, RoleId},
};
use crate::store::{Counted, Desired, Error, Kind, Limits, RoleName, State};

/// Whether it counts only from now on: it was not there, or carried no mark.
pub(super) fn is_new(found: Option<&Found>) -> bool {
    found.is_none_or(|found| found.carried.mark.is_none())
}

impl KeycloakStore {
    /// Refuses one more of a kind where there are as many as there may be.
    pub(super) async fn check_limit(
        &self,
        tenant: &str,
        kind: Kind,
        limits: &Limits,
    ) -> Result<(), Error> {
        let counted = match kind {
            Kind::User => Counted::Users,
            Kind::Namespace => Counted::Namespaces,
            Kind::Role => Counted::Roles,
            Kind::Tenant => return Ok(()),
        };
        let Some(limit) = limits.of(counted) else { return Ok(()) };
        let count = match counted {
            Counted::Users => self.marked_users(tenant).await?,
            Counted::Namespaces => {
                let clients = self.namespace_clients(tenant).await?;
                number(clients.iter().filter(|client| is_marked_client(client)).count())
            }
            Counted::Roles | Counted::Administrators => {
                let clients = self.namespace_clients(tenant).await?;
                let graph = self.graph(tenant, &clients, false).await?;
                number(graph.roles.iter().filter(|node| node.is_marked).count())
            }
        };
        if count < limit { Ok(()) } else { Err(Error::LimitReached { counted, limit }) }
    }

    /// Refuses what would make more administrators than there may be.
    pub(super) async fn check_administrators(
        &self,
        desired: &Desired,
        found: Option<&Found>,
    ) -> Result<(), Error> {
        let counted = Counted::Administrators;
        let Some(limit) = desired.limits.of(counted) else { return Ok(()) };
        if !may_raise(&desired.state, found) {
            return Ok(());
        }
        let key = desired.state.key();
        let tenant = key.tenant();
        let clients = self.namespace_clients(tenant).await?;
        let appoints = matches!(&desired.state, State::Role(role) if role.administrator);
        let graph = self.graph(tenant, &clients, appoints).await?;
        let mut before = self.administrators(tenant, &graph).await?;
        before.retain(|_, is_marked| *is_marked);
        let after = match &desired.state {
            State::User(user) => {
                let administering = graph.administering();
                let mut after = before.clone();
                after.remove(&user.username);
                let holds = will_hold(user.roles.as_deref(), found);
                if holds.iter().any(|role| administering.contains(role)) {
                    after.insert(user.username.clone(), true);
                }
                after.len()
            }
            State::Role(role) => {
                let contains = will_hold(role.composites.as_deref(), found);
                let graph = with(&graph, &role.role, role.administrator, contains);
                let after = self.administrators(tenant, &graph).await?;
                after.values().filter(|is_marked| **is_marked).count()
            }
            State::Tenant(_) | State::Namespace(_) => return Ok(()),
        };
        if number(after) > limit && after > before.len() {
            return Err(Error::LimitReached { counted, limit });
        }
        Ok(())
    }
}

/// Whether there could be more administrators after it than before.
fn may_raise(state: &State, found: Option<&Found>) -> bool {
    let gains = |wanted: Option<&[RoleName]>| {
        let wanted = wanted.unwrap_or_default();
        wanted
            .iter()
            .any(|name| !found.is_some_and(|found| found.marked().any(|held| held.name == *name)))
    };
    match state {
        State::User(user) => is_new(found) || gains(user.roles.as_deref()),
        State::Role(role) => {
            let was = found.is_some_and(
                |found| matches!(&found.record.state, State::Role(was) if was.administrator),
            );
            gains(role.composites.as_deref()) || (role.administrator && !was)
        }
        State::Tenant(_) | State::Namespace(_) => false,
    }
}

/// The roles that will be held: those that are wanted, and those that are not ours to take.
fn will_hold(wanted: Option<&[RoleName]>, found: Option<&Found>) -> Vec<RoleName> {
    let held = found.map(|found| found.roles.as_slice()).unwrap_or_default();
    let stays = held.iter().filter(|role| wanted.is_none() || !role.is_marked);
    let stays = stays.map(|role| role.name.clone());
    wanted.unwrap_or_default().iter().cloned().chain(stays).collect()
}

/// The roles with one of them as it will be.
fn with(graph: &Graph, name: &RoleName, administrator: bool, contains: Vec<RoleName>) -> Graph {
    let mut graph = graph.clone();
    if let Some(node) = graph.roles.iter_mut().find(|node| node.name == *name) {
        node.administrator = administrator;
        node.contains = contains;
    } else {
        let role = RoleId { id: String::new(), client: None, name: name.name.clone() };
        let name = name.clone();
        let is_composite = !contains.is_empty();
        graph.roles.push(Node {
            name,
            role,
            is_marked: true,
            administrator,
            is_composite,
            contains,
        });
    }
    graph
}
