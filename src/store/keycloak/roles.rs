//! Roles: realm roles, or roles of the client that is their Namespace.

use serde_json::{Map, Value, json};

use super::{
    KeycloakStore, document,
    document::{Attributes, Carried},
    found::{self, Found, HeldRole, RoleId, applied},
    limits,
    native::{self, Fields, Native, text},
    relations::{applied_roles, is_built_in, reference, role_path, roles_path},
    server::path,
};
use crate::store::{Applied, Desired, Error, Kind, RoleName, RoleState, State};

const NATIVES: &[Native] = &[text("description", &["description"])];

/// Members of the state with an attribute of their own.
pub(super) const ALONE: &[&str] = &["administrator", "rules"];

/// What one value of a role's attribute holds; longer ones are split.
const VALUE: usize = 255;
/// And all values of one together.
const LONGEST: usize = 250_000;

/// What our attributes say.
pub(super) fn carried(role: &Value) -> Carried {
    let attribute = |name: &str| {
        let values = role["attributes"][name].as_array()?;
        Some(values.iter().filter_map(Value::as_str).collect::<String>())
    };
    document::read(attribute, ALONE)
}

/// The attributes of a role: others' as they are, and ours.
fn all_attributes(there: &Value, ours: &Attributes) -> Value {
    let mut all = there.as_object().cloned().unwrap_or_default();
    for (name, value) in ours {
        if value.is_empty() {
            all.remove(name);
        } else {
            all.insert(name.clone(), document::chunks(value, VALUE).into());
        }
    }
    all.into()
}

fn state(
    tenant: &str,
    name: &RoleName,
    (fields, carried): (&Fields, &Carried),
    contained: &[HeldRole],
) -> (RoleState, bool) {
    let mut observed = carried.document.clone();
    native::overlay(NATIVES, &mut observed, fields, carried.is_ours());
    let is_as_applied = carried.is_whole && observed == carried.document;
    let base = RoleState {
        tenant_id: tenant.into(),
        role: name.clone(),
        description: None,
        administrator: false,
        rules: Vec::new(),
        composites: None,
    };
    let mut state: RoleState = document::state(&base, &observed);
    if state.composites.is_some() {
        let marked = contained.iter().filter(|role| role.is_marked);
        state.composites = Some(marked.map(|role| role.name.clone()).collect());
    }
    (state, is_as_applied)
}

impl KeycloakStore {
    pub(super) async fn find_role(
        &self,
        tenant: &str,
        name: &RoleName,
    ) -> Result<Option<Found>, Error> {
        let Some((id, role)) = self.read_role(tenant, name).await? else { return Ok(None) };
        let carried = carried(&role);
        let contained = if role["composite"] == true {
            self.roles_in_role(tenant, &id, &carried).await?
        } else {
            Vec::new()
        };
        let fields = role.as_object().cloned().unwrap_or_default();
        let (state, is_as_applied) = state(tenant, name, (&fields, &carried), &contained);
        let regrouped = self
            .are_regrouped(tenant, applied_roles(&carried, "composites").as_ref(), &contained)
            .await?;
        let is_as_applied = is_as_applied && !regrouped;
        let found = Found::new(id.id, fields, carried, State::Role(state), is_as_applied);
        Ok(Some(Found { roles: contained, ..found }))
    }

    pub(super) async fn apply_role(
        &self,
        state: &RoleState,
        desired: &Desired,
        found: Option<&Found>,
    ) -> Result<Applied, Error> {
        let tenant = &state.tenant_id;
        if is_built_in(&state.role) {
            return Err(Error::Refused(format!("{} is a role of Keycloak's own", state.role)));
        }
        let wanted = found::wanted(&desired.state);
        let attributes = document::attributes(desired, &wanted, ALONE);
        super::check_length(&attributes, LONGEST)?;
        let client = self.place_of(tenant, &state.role, found).await?;
        let own = RoleId {
            id: found.map(|found| found.id.clone()).unwrap_or_default(),
            client,
            name: state.role.name.clone(),
        };
        let names: Option<Vec<RoleName>> = state.composites.clone().map(|mut names| {
            names.sort();
            names.dedup();
            names
        });
        let held = found.map(|found| found.roles.as_slice()).unwrap_or_default();
        let others: Vec<RoleName> =
            names.iter().flatten().filter(|name| **name != state.role).cloned().collect();
        let contained = self.locate(tenant, &others, held).await?;
        let fields = found.map(|found| found.differences(desired, &wanted)).unwrap_or_default();
        if found.is_some() && fields.is_empty() {
            return Ok(Applied::Unchanged);
        }
        if limits::is_new(found) {
            self.check_limit(tenant, Kind::Role, &desired.limits).await?;
        }
        self.check_administrators(desired, found).await?;
        if limits::is_new(found) {
            // Adopted or made, it carries a mark from now on.
            self.names.forget_unmarked(tenant);
        }
        let written = match found {
            None => self.create_role(tenant, &own, &contained, &wanted, &attributes).await,
            Some(found) => {
                // What was applied is remembered last, so that an attempt that breaks off is made again.
                let regrouped = match names {
                    Some(_) => self.regroup(tenant, &own, &contained, found).await,
                    None => Ok(()),
                };
                match regrouped {
                    Ok(()) => self.update_role(tenant, &own, &wanted, &attributes, found).await,
                    Err(error) => Err(error),
                }
            }
        };
        if limits::is_new(found) {
            // Somebody may have looked while it had none; and one that failed may have been done.
            self.names.forget_unmarked(tenant);
        }
        written?;
        Ok(applied(found, fields))
    }

    /// The client that the role is in, if it is in one.
    async fn place_of(
        &self,
        tenant: &str,
        role: &RoleName,
        found: Option<&Found>,
    ) -> Result<Option<String>, Error> {
        if found.is_none() {
            self.check_tenant(tenant).await?;
        }
        let Some(namespace) = &role.namespace else { return Ok(None) };
        let client = self.client_id(tenant, namespace).await?;
        let missing = || Error::Missing(format!("the namespace {namespace} of tenant {tenant}"));
        client.map(Some).ok_or_else(missing)
    }

    /// With what it contains at once.
    async fn create_role(
        &self,
        tenant: &str,
        own: &RoleId,
        contained: &[RoleId],
        wanted: &Map<String, Value>,
        attributes: &Attributes,
    ) -> Result<(), Error> {
        let mut role = Value::Object(native::changes(NATIVES, wanted, &Fields::new()));
        role["name"] = own.name.as_str().into();
        role["attributes"] = all_attributes(&Value::Null, attributes);
        if !contained.is_empty() {
            let mut composites = json!({"realm": [], "client": {}});
            for contained in contained {
                let place = match &contained.client {
                    None => &mut composites["realm"],
                    Some(client) => {
                        let namespace =
                            self.namespace_of(tenant, client).await?.unwrap_or_default();
                        &mut composites["client"][super::namespaces::client_id(&namespace)]
                    }
                };
                match place {
                    Value::Array(names) => names.push(contained.name.as_str().into()),
                    other => *other = json!([contained.name]),
                }
            }
            role["composite"] = true.into();
            role["composites"] = composites;
        }
        self.server.post(&roles_path(tenant, own.client.as_deref()), &role).await?;
        Ok(())
    }

    async fn update_role(
        &self,
        tenant: &str,
        own: &RoleId,
        wanted: &Map<String, Value>,
        attributes: &Attributes,
        found: &Found,
    ) -> Result<(), Error> {
        let there = found.fields.get("attributes").cloned().unwrap_or_default();
        let all = all_attributes(&there, attributes);
        let changes = native::changes(NATIVES, wanted, &found.fields);
        if changes.is_empty() && all == there {
            return Ok(());
        }
        // A description that is left out goes, and attributes are replaced by those that are sent.
        let mut role = found.fields.clone();
        role.extend(changes);
        role.insert("attributes".into(), all);
        self.server.put(&role_path(tenant, own), &role.into()).await?;
        Ok(())
    }

    async fn regroup(
        &self,
        tenant: &str,
        own: &RoleId,
        contained: &[RoleId],
        found: &Found,
    ) -> Result<(), Error> {
        let place = path(&[tenant, "roles-by-id", &own.id, "composites"]);
        let is_there = |role: &&RoleId| found.marked().any(|held| held.role.id == role.id);
        let added: Vec<Value> =
            contained.iter().filter(|role| !is_there(role)).map(reference).collect();
        if !added.is_empty() {
            self.server.post(&place, &added.into()).await?;
        }
        let is_wanted = |held: &&HeldRole| contained.iter().any(|role| role.id == held.role.id);
        let taken: Vec<Value> = found
            .marked()
            .filter(|held| !is_wanted(held))
            .map(|held| reference(&held.role))
            .collect();
        if !taken.is_empty() {
            self.server.delete(&place, Some(&taken.into())).await?;
        }
        Ok(())
    }
}
