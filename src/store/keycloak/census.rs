//! Who and what is in a tenant.
//!
//! Users are counted by Keycloak. Of roles all are read, because who is an administrator goes through
//! what roles contain; then the few who hold such a role. What people get through groups is not seen.

use std::collections::{BTreeMap, HashSet};

use serde_json::Value;

use super::{
    KeycloakStore,
    document::{Carried, MANAGED},
    found::RoleId,
    namespaces,
    relations::{is_marked, role_path, roles_path},
    roles,
    server::path,
};
use crate::store::{Census, Counts, Error, RoleName};

/// How many users are read at a time.
const PAGE: usize = 500;

/// The roles of a tenant, and what they contain.
#[derive(Clone, Debug, Default)]
pub(super) struct Graph {
    pub roles: Vec<Node>,
}

/// One role.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub name: RoleName,
    pub role: RoleId,
    pub is_marked: bool,
    pub administrator: bool,
    pub is_composite: bool,
    pub contains: Vec<RoleName>,
}

impl Graph {
    /// The roles that make administrators, by themselves or by what they contain. A circle ends.
    pub(super) fn administering(&self) -> HashSet<&RoleName> {
        let own = self.roles.iter().filter(|node| node.administrator);
        let mut administering: HashSet<&RoleName> = own.map(|node| &node.name).collect();
        loop {
            let more: Vec<&RoleName> = self
                .roles
                .iter()
                .filter(|node| !administering.contains(&node.name))
                .filter(|node| node.contains.iter().any(|part| administering.contains(part)))
                .map(|node| &node.name)
                .collect();
            if more.is_empty() {
                return administering;
            }
            administering.extend(more);
        }
    }
}

impl KeycloakStore {
    pub(super) async fn take_census(&self, tenant: &str) -> Result<Census, Error> {
        let Some(users) = self.server.count(&path(&[tenant, "users", "count"])).await? else {
            return Ok(Census::default());
        };
        let clients = self.namespace_clients(tenant).await?;
        let graph = self.graph(tenant, &clients, false).await?;
        let administrators = self.administrators(tenant, &graph).await?;
        let counts = Counts {
            users: self.marked_users(tenant).await?,
            namespaces: number(clients.iter().filter(|client| is_marked_client(client)).count()),
            roles: number(graph.roles.iter().filter(|node| node.is_marked).count()),
            administrators: number(administrators.values().filter(|marked| **marked).count()),
        };
        Ok(Census { users, counts, administrator: administrators.into_keys().next() })
    }

    /// How many users carry a mark.
    pub(super) async fn marked_users(&self, tenant: &str) -> Result<u64, Error> {
        let count = format!("{}?q={MANAGED}:true", path(&[tenant, "users", "count"]));
        Ok(self.server.count(&count).await?.unwrap_or_default())
    }

    /// The clients that are Namespaces.
    pub(super) async fn namespace_clients(&self, tenant: &str) -> Result<Vec<Value>, Error> {
        let clients = path(&[tenant, "clients"]);
        let clients = format!("{clients}?clientId={}&search=true", namespaces::PREFIX);
        let mut clients = self.server.list(&clients).await?;
        clients.retain(|client| {
            namespaces::name_of(client["clientId"].as_str().unwrap_or_default()).is_some()
        });
        Ok(clients)
    }

    /// The roles of the realm and of its Namespaces. What they contain is read where it matters to who is
    /// an administrator: where there are any, or `appoints` says that there will be.
    pub(super) async fn graph(
        &self,
        tenant: &str,
        clients: &[Value],
        appoints: bool,
    ) -> Result<Graph, Error> {
        let mut graph = Graph::default();
        self.read_roles(tenant, None, &mut graph).await?;
        for client in clients {
            let text = |name: &str| client[name].as_str().unwrap_or_default();
            let Some(namespace) = namespaces::name_of(text("clientId")) else { continue };
            self.know_client(tenant, namespace, text("id"));
            self.read_roles(tenant, Some((namespace, text("id"))), &mut graph).await?;
        }
        if appoints || graph.roles.iter().any(|node| node.administrator) {
            for node in graph.roles.iter_mut().filter(|node| node.is_composite) {
                node.contains = self.names_in_role(tenant, &node.role).await?;
            }
        }
        Ok(graph)
    }

    async fn read_roles(
        &self,
        tenant: &str,
        place: Option<(&str, &str)>,
        graph: &mut Graph,
    ) -> Result<(), Error> {
        let client = place.map(|(_, client)| client);
        let all = format!("{}?briefRepresentation=false", roles_path(tenant, client));
        for role in self.server.list(&all).await? {
            let text = |name: &str| role[name].as_str().unwrap_or_default().to_owned();
            let id = RoleId { id: text("id"), client: client.map(Into::into), name: text("name") };
            let carried: Carried = roles::carried(&role);
            graph.roles.push(Node {
                name: RoleName {
                    namespace: place.map(|(name, _)| name.into()),
                    name: text("name"),
                },
                is_marked: is_marked(&role),
                administrator: carried.document.get("administrator") == Some(&true.into()),
                is_composite: role["composite"] == true,
                role: id,
                contains: Vec::new(),
            });
        }
        Ok(())
    }

    /// The users who hold a role that makes administrators, by name, and whether each carries a mark.
    pub(super) async fn administrators(
        &self,
        tenant: &str,
        graph: &Graph,
    ) -> Result<BTreeMap<String, bool>, Error> {
        let administering = graph.administering();
        let mut administrators = BTreeMap::new();
        for node in graph.roles.iter().filter(|node| administering.contains(&node.name)) {
            if node.role.id.is_empty() {
                continue; // It is not there yet: nobody holds it.
            }
            for first in (0..).step_by(PAGE) {
                let users = role_path(tenant, &node.role);
                let users =
                    format!("{users}/users?briefRepresentation=false&first={first}&max={PAGE}");
                let users = self.server.list(&users).await?;
                for user in &users {
                    let name = user["username"].as_str().unwrap_or_default().to_owned();
                    administrators.insert(name, user["attributes"][MANAGED][0] == "true");
                }
                if users.len() < PAGE {
                    break;
                }
            }
        }
        Ok(administrators)
    }
}

pub(super) fn is_marked_client(client: &Value) -> bool {
    client["attributes"][MANAGED] == "true"
}

pub(super) fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::conformance::samples::wide;

    #[test]
    fn administrators_are_made_by_what_roles_contain() {
        let node = |name: &str, administrator, contains: &[&str]| Node {
            name: wide(name),
            role: RoleId { id: name.into(), client: None, name: name.into() },
            is_marked: true,
            administrator,
            is_composite: !contains.is_empty(),
            contains: contains.iter().map(|name| wide(name)).collect(),
        };
        let graph = Graph {
            roles: vec![
                node("plain", false, &[]),
                node("boss", false, &["circle"]),
                node("circle", false, &["boss", "admin"]),
                node("admin", true, &["plain"]),
            ],
        };
        let mut names: Vec<_> =
            graph.administering().into_iter().map(|name| name.name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, ["admin", "boss", "circle"]);
    }
}
