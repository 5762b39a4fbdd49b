//! Which roles a user holds and a role contains, and where roles are.
//!
//! Only roles that carry a mark are ours to give and take. A role that was applied carries one; of
//! another one Keycloak is asked, and that it carries none is remembered: only we mark roles.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde_json::{Value, json};

use super::{
    KeycloakStore,
    document::{Carried, MANAGED},
    failure::Failure,
    found::{HeldRole, RoleId},
    namespaces,
    server::{path, query},
};
use crate::store::{Error, RoleName};

/// What is known of names and ids in tenants.
#[derive(Default)]
pub(super) struct Names {
    /// The clients that are Namespaces: by tenant, from name to Keycloak's id.
    clients: Mutex<HashMap<String, HashMap<String, String>>>,
    /// The ids of the clients `account`, by tenant.
    accounts: Mutex<HashMap<String, String>>,
    /// The ids of clients that are none, by tenant.
    others: Mutex<HashMap<String, HashSet<String>>>,
    /// The ids of roles that carry no mark, by tenant.
    unmarked: Mutex<HashMap<String, HashSet<String>>>,
}

impl Names {
    /// Forgets a tenant: something of it is gone.
    pub(super) fn forget(&self, tenant: &str) {
        lock(&self.clients).remove(tenant);
        lock(&self.accounts).remove(tenant);
        lock(&self.others).remove(tenant);
        self.forget_unmarked(tenant);
    }

    /// The id of a tenant's client `account`, if it is known.
    pub(super) fn account(&self, tenant: &str) -> Option<String> {
        lock(&self.accounts).get(tenant).cloned()
    }

    pub(super) fn know_account(&self, tenant: &str, id: &str) {
        lock(&self.accounts).insert(tenant.into(), id.into());
    }

    /// Forgets which roles of a tenant carry no mark: one was adopted.
    pub(super) fn forget_unmarked(&self, tenant: &str) {
        lock(&self.unmarked).remove(tenant);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The path of roles in a tenant, or in one of its clients.
pub(super) fn roles_path(tenant: &str, client: Option<&str>) -> String {
    match client {
        None => path(&[tenant, "roles"]),
        Some(client) => path(&[tenant, "clients", client, "roles"]),
    }
}

/// The path of a role.
pub(super) fn role_path(tenant: &str, role: &RoleId) -> String {
    format!("{}{}", roles_path(tenant, role.client.as_deref()), path(&[&role.name]))
}

/// A role in the body of a request.
pub(super) fn reference(role: &RoleId) -> Value {
    json!({"id": role.id, "name": role.name})
}

/// Whether a role representation carries our mark.
pub(super) fn is_marked(role: &Value) -> bool {
    role["attributes"][MANAGED][0] == "true"
}

/// A role of a realm that Keycloak itself makes and everybody has.
pub(super) fn is_built_in(name: &RoleName) -> bool {
    name.namespace.is_none()
        && (name.name.starts_with("default-roles-")
            || ["offline_access", "uma_authorization"].contains(&name.name.as_str()))
}

/// The roles in a document that was applied.
pub(super) fn applied_roles(carried: &Carried, member: &str) -> Option<Vec<RoleName>> {
    let roles = carried.document.get(member)?;
    serde_json::from_value(roles.clone())
        .ok()
        .filter(|_| carried.mark.is_some() && !roles.is_null())
}

impl KeycloakStore {
    /// Keycloak's id of the client that is this Namespace.
    pub(super) async fn client_id(
        &self,
        tenant: &str,
        namespace: &str,
    ) -> Result<Option<String>, Failure> {
        let known = lock(&self.names.clients).get(tenant).and_then(|of| of.get(namespace).cloned());
        if known.is_some() {
            return Ok(known);
        }
        let client = self.read_client(tenant, namespace).await?;
        let id = client.as_ref().and_then(|client| client["id"].as_str()).map(ToOwned::to_owned);
        if let Some(id) = &id {
            self.know_client(tenant, namespace, id);
        }
        Ok(id)
    }

    pub(super) fn know_client(&self, tenant: &str, namespace: &str, id: &str) {
        let mut clients = lock(&self.names.clients);
        clients.entry(tenant.into()).or_default().insert(namespace.into(), id.into());
    }

    /// The representation of a role, with where it is. None where it, its Namespace or its tenant is not.
    pub(super) async fn read_role(
        &self,
        tenant: &str,
        name: &RoleName,
    ) -> Result<Option<(RoleId, Value)>, Failure> {
        // A client that was made anew has another id: so twice.
        for _ in 0..2 {
            let client = match &name.namespace {
                None => None,
                Some(namespace) => match self.client_id(tenant, namespace).await? {
                    None => return Ok(None),
                    client => client,
                },
            };
            let role = format!("{}{}", roles_path(tenant, client.as_deref()), path(&[&name.name]));
            if let Some(found) = self.server.read(&role).await? {
                let id = found["id"].as_str().unwrap_or_default().to_owned();
                return Ok(Some((RoleId { id, client, name: name.name.clone() }, found)));
            }
            let (Some(namespace), Some(_)) = (&name.namespace, client) else { return Ok(None) };
            if let Some(of) = lock(&self.names.clients).get_mut(tenant) {
                of.remove(namespace);
            }
        }
        Ok(None)
    }

    /// The roles that a user has.
    pub(super) async fn roles_of_user(
        &self,
        tenant: &str,
        id: &str,
        carried: &Carried,
    ) -> Result<Vec<HeldRole>, Error> {
        let mappings = path(&[tenant, "users", id, "role-mappings"]);
        let Some(mappings) = self.server.read(&mappings).await? else { return Ok(Vec::new()) };
        let mut held = Vec::new();
        for role in mappings["realmMappings"].as_array().into_iter().flatten() {
            held.push((None, role.clone()));
        }
        for (client, mapping) in mappings["clientMappings"].as_object().into_iter().flatten() {
            let Some(namespace) = namespaces::name_of(client) else { continue };
            for role in mapping["mappings"].as_array().into_iter().flatten() {
                held.push((Some(namespace.to_owned()), role.clone()));
            }
        }
        self.with_marks(tenant, held, applied_roles(carried, "roles")).await
    }

    /// The roles that a role contains.
    pub(super) async fn roles_in_role(
        &self,
        tenant: &str,
        role: &RoleId,
        carried: &Carried,
    ) -> Result<Vec<HeldRole>, Error> {
        let contained = self.composites(tenant, role).await?;
        self.with_marks(tenant, contained, applied_roles(carried, "composites")).await
    }

    /// Their names, whoever made them.
    pub(super) async fn names_in_role(
        &self,
        tenant: &str,
        role: &RoleId,
    ) -> Result<Vec<RoleName>, Error> {
        let contained = self.composites(tenant, role).await?;
        let name = |(namespace, role): (Option<String>, Value)| RoleName {
            namespace,
            name: role["name"].as_str().unwrap_or_default().to_owned(),
        };
        Ok(contained.into_iter().map(name).collect())
    }

    /// What a role contains of the realm and of Namespaces.
    async fn composites(
        &self,
        tenant: &str,
        role: &RoleId,
    ) -> Result<Vec<(Option<String>, Value)>, Error> {
        let composites = format!("{}/composites", role_path(tenant, role));
        let mut contained = Vec::new();
        for role in self.server.list(&composites).await? {
            if role["clientRole"] != true {
                contained.push((None, role));
                continue;
            }
            let client = role["containerId"].as_str().unwrap_or_default();
            if let Some(namespace) = self.namespace_of(tenant, client).await? {
                contained.push((Some(namespace), role));
            }
        }
        Ok(contained)
    }

    /// The Namespace that a client is, if it is one.
    pub(super) async fn namespace_of(
        &self,
        tenant: &str,
        client: &str,
    ) -> Result<Option<String>, Failure> {
        let known = lock(&self.names.clients).get(tenant).and_then(|of| {
            of.iter().find(|(_, id)| *id == client).map(|(namespace, _)| namespace.clone())
        });
        if known.is_some() {
            return Ok(known);
        }
        if lock(&self.names.others).get(tenant).is_some_and(|ids| ids.contains(client)) {
            return Ok(None);
        }
        let found = self.server.read(&path(&[tenant, "clients", client])).await?;
        let id = found.as_ref().and_then(|found| found["clientId"].as_str()).unwrap_or_default();
        let namespace = namespaces::name_of(id).map(ToOwned::to_owned);
        if let Some(namespace) = &namespace {
            self.know_client(tenant, namespace, client);
        } else if found.is_some() {
            // A client keeps its name.
            lock(&self.names.others).entry(tenant.into()).or_default().insert(client.into());
        }
        Ok(namespace)
    }

    /// Finds out which of these roles carry a mark.
    async fn with_marks(
        &self,
        tenant: &str,
        roles: Vec<(Option<String>, Value)>,
        applied: Option<Vec<RoleName>>,
    ) -> Result<Vec<HeldRole>, Error> {
        let applied = applied.unwrap_or_default();
        let mut held = Vec::new();
        for (namespace, role) in roles {
            let text = |name: &str| role[name].as_str().unwrap_or_default().to_owned();
            let name = RoleName { namespace, name: text("name") };
            let client = role["clientRole"] == true;
            let role = RoleId {
                id: text("id"),
                client: client.then(|| text("containerId")),
                name: text("name"),
            };
            let is_marked = applied.contains(&name)
                || (!is_built_in(&name) && self.is_marked_role(tenant, &role.id).await?);
            held.push(HeldRole { name, role, is_marked });
        }
        held.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(held)
    }

    async fn is_marked_role(&self, tenant: &str, id: &str) -> Result<bool, Error> {
        if lock(&self.names.unmarked).get(tenant).is_some_and(|ids| ids.contains(id)) {
            return Ok(false);
        }
        let role = self.server.read(&path(&[tenant, "roles-by-id", id])).await?;
        let is_marked = role.as_ref().is_some_and(is_marked);
        if role.is_some() && !is_marked {
            lock(&self.names.unmarked).entry(tenant.into()).or_default().insert(id.to_owned());
        }
        Ok(is_marked)
    }

    /// Whether other marked roles are held than were applied, but for those that are gone: a deleted
    /// role is taken from its holders.
    pub(super) async fn are_regrouped(
        &self,
        tenant: &str,
        applied: Option<&Vec<RoleName>>,
        held: &[HeldRole],
    ) -> Result<bool, Error> {
        let Some(applied) = applied else { return Ok(false) };
        if held.iter().any(|role| role.is_marked && !applied.contains(&role.name)) {
            return Ok(true);
        }
        for name in applied.iter().filter(|name| !held.iter().any(|role| role.name == **name)) {
            if self.read_role(tenant, name).await?.is_some_and(|(_, role)| is_marked(&role)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Where these roles are.
    ///
    /// # Errors
    /// One is not there, or was made by hand: that is not one to refer to until a Role adopts it.
    pub(super) async fn locate(
        &self,
        tenant: &str,
        names: &[RoleName],
        held: &[HeldRole],
    ) -> Result<Vec<RoleId>, Error> {
        let mut located = Vec::new();
        for name in names {
            if let Some(held) = held.iter().find(|held| held.is_marked && held.name == *name) {
                located.push(held.role.clone());
                continue;
            }
            match self.read_role(tenant, name).await? {
                Some((id, role)) if is_marked(&role) => located.push(id),
                _ => {
                    let place = name.namespace.as_ref().map(|n| format!(" in namespace {n}"));
                    return Err(Error::Missing(format!(
                        "the role {}{} of tenant {tenant}",
                        name.name,
                        place.unwrap_or_default(),
                    )));
                }
            }
        }
        Ok(located)
    }

    /// Checks that there is a realm.
    pub(super) async fn check_tenant(&self, tenant: &str) -> Result<(), Error> {
        self.default_role(tenant).await.map(|_| ())
    }

    /// The role that everybody in the realm has, whatever it is called there.
    pub(super) async fn default_role(&self, tenant: &str) -> Result<String, Error> {
        match self.server.read(&path(&[tenant])).await? {
            Some(realm) => match realm["defaultRole"]["name"].as_str() {
                Some(name) => Ok(name.to_owned()),
                None => Ok(format!("default-roles-{}", tenant.to_lowercase())),
            },
            None => Err(Error::Missing(format!("the tenant {tenant}"))),
        }
    }

    /// The client of this clientId.
    pub(super) async fn read_client(
        &self,
        tenant: &str,
        namespace: &str,
    ) -> Result<Option<Value>, Failure> {
        let id = namespaces::client_id(namespace);
        let clients = format!("{}?clientId={}", path(&[tenant, "clients"]), query(&id));
        let clients = self.server.list(&clients).await?;
        Ok(clients.into_iter().find(|client| client["clientId"] == id.as_str()))
    }
}
