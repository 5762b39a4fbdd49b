//! Namespaces: clients, whose client roles are the roles in the Namespace.

use serde_json::{Value, json};

use super::{
    KeycloakStore, check_length,
    document::{self, Attributes, Carried},
    found::{self, Found, applied},
    limits,
    native::{self, Fields, Native, text},
    server::path,
};
use crate::store::{Applied, Desired, Error, Kind, NamespaceState, State};

const NATIVES: &[Native] = &[text("description", &["description"])];

/// What a client's attribute holds at most.
const LONGEST: usize = 200_000;

/// What the clientId of a Namespace begins with.
pub(super) const PREFIX: &str = "ns:";

/// The clientId of a Namespace.
pub(super) fn client_id(namespace: &str) -> String {
    format!("{PREFIX}{namespace}")
}

/// The Namespace that a client of this clientId is, if it is one.
pub(super) fn name_of(client_id: &str) -> Option<&str> {
    client_id.strip_prefix(PREFIX)
}

/// What our attributes say.
pub(super) fn carried(client: &Value) -> Carried {
    document::read(|name| Some(client["attributes"][name].as_str()?.to_owned()), &[])
}

/// The state as it is, and whether that is what was applied.
fn state(tenant: &str, name: &str, client: &Fields, carried: &Carried) -> (NamespaceState, bool) {
    let mut observed = carried.document.clone();
    native::overlay(NATIVES, &mut observed, client, carried.is_ours());
    let is_as_applied = carried.is_whole && observed == carried.document;
    let base =
        NamespaceState { tenant_id: tenant.into(), name: name.into(), ..NamespaceState::default() };
    (document::state(&base, &observed), is_as_applied)
}

/// A client that holds roles and nothing else: nobody logs in by it.
fn new_client(name: &str, changes: &Fields, attributes: &Attributes) -> Value {
    let mut client = json!({
        "clientId": client_id(name),
        "name": name,
        "enabled": true,
        "bearerOnly": true,
        "fullScopeAllowed": false,
        // Where the realm says ping, a client without an endpoint is refused.
        "attributes": {"ciba.backchannel.token.delivery.mode": "poll"},
    });
    for (field, value) in changes {
        client[field] = value.clone();
    }
    for (name, value) in attributes.iter().filter(|(_, value)| !value.is_empty()) {
        client["attributes"][name] = value.as_str().into();
    }
    client
}

impl KeycloakStore {
    pub(super) async fn find_namespace(
        &self,
        tenant: &str,
        name: &str,
    ) -> Result<Option<Found>, Error> {
        let Some(client) = self.read_client(tenant, name).await? else { return Ok(None) };
        let id = client["id"].as_str().unwrap_or_default().to_owned();
        self.know_client(tenant, name, &id);
        let carried = carried(&client);
        let fields = client.as_object().cloned().unwrap_or_default();
        let (state, is_as_applied) = state(tenant, name, &fields, &carried);
        let state = State::Namespace(state);
        Ok(Some(Found::new(id, fields, carried, state, is_as_applied)))
    }

    pub(super) async fn apply_namespace(
        &self,
        state: &NamespaceState,
        desired: &Desired,
        found: Option<&Found>,
    ) -> Result<Applied, Error> {
        let tenant = &state.tenant_id;
        let wanted = found::wanted(&desired.state);
        let attributes = document::attributes(desired, &wanted, &[]);
        check_length(&attributes, LONGEST)?;
        if found.is_none() {
            self.check_tenant(tenant).await?;
        }
        let fields = found.map(|found| found.differences(desired, &wanted)).unwrap_or_default();
        if found.is_some() && fields.is_empty() {
            return Ok(Applied::Unchanged);
        }
        if limits::is_new(found) {
            self.check_limit(tenant, Kind::Namespace, &desired.limits).await?;
        }
        let none = Fields::new();
        let changes = native::changes(NATIVES, &wanted, found.map_or(&none, |found| &found.fields));
        match found {
            None => {
                let client = new_client(&state.name, &changes, &attributes);
                self.server.post(&path(&[tenant, "clients"]), &client).await?;
            }
            Some(found) => {
                // What is left out stays, attributes as well; an empty one goes.
                let mut client = Value::Object(changes);
                client["clientId"] = client_id(&state.name).into();
                client["attributes"] = json!(attributes);
                self.server.put(&path(&[tenant, "clients", &found.id]), &client).await?;
            }
        }
        Ok(applied(found, fields))
    }
}
