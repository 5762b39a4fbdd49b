//! Tenants: realms, with their keys and their user profile.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{
    KeycloakStore, beside,
    body::Secret,
    check_length, document,
    found::{self, Found, applied},
    keys::{self, HeldKey},
    native::Fields,
    profile, realm,
    server::path,
};
use crate::{
    api::KeyState,
    store::{Applied, Desired, Error, SigningKey, State, TenantState},
};

/// What a realm's attribute holds at most; Keycloak takes more.
const LONGEST: usize = 1_000_000;

/// The attribute that remembers which keys were applied, and how.
const KEYS: &str = "keyreeve.keys";

impl KeycloakStore {
    pub(super) async fn find_tenant(&self, tenant: &str) -> Result<Option<Found>, Error> {
        let Some(realm) = self.server.read(&path(&[tenant])).await? else { return Ok(None) };
        let Some(id) = realm["id"].as_str() else {
            // Who may not see a realm is shown its name alone.
            return Err(Error::Forbidden(format!(
                "Keycloak shows nothing of the realm {tenant} to the operator: give its service account the roles manage-realm, manage-users and manage-clients of that realm (docs/stores-keycloak.md)"
            )));
        };
        let mut fields = realm::fields(&realm);
        let carried = realm::carried(&fields);
        self.look_beside(tenant, &carried, &mut fields).await?;
        let (state, mut is_as_applied) = realm::state(tenant, &fields);
        let keys = self.server.read(&path(&[tenant, "keys"])).await?.unwrap_or_default();
        let keys = keys::held(&keys);
        let mut has_profile = true;
        if carried.mark.is_some() {
            let profile = self.server.read(&path(&[tenant, "users", "profile"])).await?;
            has_profile = profile::with_ours(&profile.unwrap_or_default()).is_none();
            is_as_applied &= has_profile;
            is_as_applied &= keys::are_as_applied(tenant, &remembered_keys(&fields), &keys);
        }
        let id = id.to_owned();
        let mut found = Found::new(id, fields, carried, State::Tenant(state), is_as_applied);
        found.record.signing_keys = keys::ours(tenant, &keys);
        Ok(Some(Found { keys, has_profile, ..found }))
    }

    pub(super) async fn apply_tenant(
        &self,
        state: &TenantState,
        desired: &Desired,
        found: Option<&Found>,
    ) -> Result<Applied, Error> {
        let wanted = found::wanted(&desired.state);
        let held = found.map(|found| found.keys.as_slice()).unwrap_or_default();
        let attributes = attributes(desired, &wanted, &state.tenant_id, held);
        check_length(&attributes, LONGEST)?;
        match found {
            None => {
                self.create_tenant(state, desired, &wanted, &attributes).await?;
                if beside::asks_for_something(&wanted) {
                    let made = self.find_tenant(&state.tenant_id).await?.ok_or(Error::Raced)?;
                    self.update_tenant(&state.tenant_id, desired, &wanted, &attributes, &made)
                        .await?;
                }
            }
            Some(found) => {
                let mut fields = found.differences(desired, &wanted);
                if !keys_are_right(found, desired) {
                    fields.push("keys".into());
                }
                if fields.is_empty() {
                    return Ok(Applied::Unchanged);
                }
                self.update_tenant(&state.tenant_id, desired, &wanted, &attributes, found).await?;
                return Ok(applied(Some(found), fields));
            }
        }
        Ok(Applied::Created)
    }

    async fn create_tenant(
        &self,
        state: &TenantState,
        desired: &Desired,
        wanted: &Map<String, Value>,
        attributes: &document::Attributes,
    ) -> Result<(), Error> {
        let tenant = &state.tenant_id;
        let mut extra = Fields::new();
        if let Some(algorithm) = desired.keys.as_deref().and_then(keys::signs_with) {
            extra.insert("defaultSignatureAlgorithm".into(), algorithm.into());
        }
        let changes = realm::changes(wanted, attributes, &extra, &Fields::new());
        let mut secret = Secret(changes.unwrap_or_else(|| json!({})));
        let realm = &mut secret.0;
        realm["realm"] = tenant.as_str().into();
        realm["enabled"] = state.enabled.into();
        realm["components"][profile::PROVIDER] = json!([{
            "providerId": "declarative-user-profile",
            "config": {"kc.user.profile.config": [profile::ours().to_string()]},
        }]);
        if let Some(keys) = &desired.keys {
            // Without it Keycloak would sign with a key of its own making.
            if keys.iter().any(|key| key.state == KeyState::Active && key.private.is_none()) {
                return Err(Error::Missing("the private half of the key that signs".into()));
            }
            realm["components"][keys::PROVIDER] = keys::components(tenant, keys);
        }
        let _turn = self.server.realm_turn().await?;
        self.server.post("", realm).await?;
        Ok(())
    }

    /// What was applied is remembered last, so that an attempt that breaks off is made again. The keys come first: the new one signs before the old one stops, whatever happens between.
    async fn update_tenant(
        &self,
        tenant: &str,
        desired: &Desired,
        wanted: &Map<String, Value>,
        attributes: &document::Attributes,
        found: &Found,
    ) -> Result<(), Error> {
        if let Some(wanted) = &desired.keys {
            self.apply_keys(tenant, wanted, found).await?;
        }
        let mut fields = found.fields.clone();
        let mut attributes = attributes.clone();
        let beside = self.apply_beside(tenant, wanted, &mut fields).await?;
        attributes.insert(beside::OURS.into(), beside);
        if let Some(changes) = realm::changes(wanted, &attributes, &Fields::new(), &fields) {
            self.server.put(&path(&[tenant]), &changes).await?;
        }
        // Where it was not ours a moment ago, nobody looked yet.
        if !found.has_profile || found.carried.mark.is_none() {
            let place = path(&[tenant, "users", "profile"]);
            let there = self.server.read(&place).await?.unwrap_or_default();
            if let Some(profile) = profile::with_ours(&there) {
                self.server.put(&place, &profile).await?;
            }
        }
        Ok(())
    }

    async fn apply_keys(
        &self,
        tenant: &str,
        wanted: &[SigningKey],
        found: &Found,
    ) -> Result<(), Error> {
        let plan = keys::plan(tenant, wanted, &remembered_keys(&found.fields), &found.keys)?;
        let components = path(&[tenant, "components"]);
        let component = |id: &str| format!("{components}{}", path(&[id]));
        for id in &plan.replace {
            self.server.delete(&component(id), None).await?;
        }
        let algorithm = keys::signs_with(wanted);
        let mut signs = false;
        for (key, is_new) in &plan.write {
            if key.state != KeyState::Active && !signs {
                self.sign_with(tenant, algorithm, found).await?;
                self.delete_keys(tenant, &plan.delete).await?;
                signs = true;
            }
            let mut secret = Secret(keys::component(tenant, key, *is_new));
            let body = &mut secret.0;
            body["providerType"] = keys::PROVIDER.into();
            body["parentId"] = found.id.as_str().into();
            if *is_new {
                self.server.post(&components, body).await?;
            } else {
                let id = body["id"].as_str().unwrap_or_default().to_owned();
                self.server.put(&component(&id), body).await?;
            }
        }
        if !signs {
            self.sign_with(tenant, algorithm, found).await?;
            self.delete_keys(tenant, &plan.delete).await?;
        }
        Ok(())
    }

    /// Those that were revoked go as soon as another one signs, whatever becomes of the rest.
    async fn delete_keys(&self, tenant: &str, ids: &[String]) -> Result<(), Error> {
        for id in ids {
            self.server.delete(&path(&[tenant, "components", id]), None).await?;
        }
        Ok(())
    }

    /// Without a key of the algorithm that it signs with by default, Keycloak would make one.
    async fn sign_with(
        &self,
        tenant: &str,
        algorithm: Option<&str>,
        found: &Found,
    ) -> Result<(), Error> {
        let Some(algorithm) = algorithm else { return Ok(()) };
        if signature_algorithm(&found.fields) != algorithm {
            let change =
                Fields::from_iter([("defaultSignatureAlgorithm".into(), algorithm.into())]);
            self.server.put(&path(&[tenant]), &realm::body(&change, &found.fields)).await?;
        }
        Ok(())
    }
}

/// Whether the keys are as desired, where they are ours to say.
pub(super) fn keys_are_right(found: &Found, desired: &Desired) -> bool {
    let (Some(wanted), State::Tenant(tenant)) = (&desired.keys, &desired.state) else {
        return true;
    };
    let remembered = remembered_keys(&found.fields);
    let algorithm = keys::signs_with(wanted);
    keys::plan(&tenant.tenant_id, wanted, &remembered, &found.keys)
        .is_ok_and(|plan| plan.is_empty())
        && remembered == keys::remembered(&tenant.tenant_id, wanted, &found.keys)
        && algorithm.is_none_or(|algorithm| signature_algorithm(&found.fields) == algorithm)
}

fn signature_algorithm(fields: &Fields) -> &str {
    let algorithm = fields.get("defaultSignatureAlgorithm").and_then(Value::as_str);
    algorithm.filter(|algorithm| !algorithm.is_empty()).unwrap_or("RS256")
}

fn attributes(
    desired: &Desired,
    wanted: &Map<String, Value>,
    tenant: &str,
    held: &[HeldKey],
) -> document::Attributes {
    let mut attributes = document::attributes(desired, wanted, realm::ALONE);
    if let Some(keys) = &desired.keys {
        attributes.insert(KEYS.into(), document::ascii(&keys::remembered(tenant, keys, held)));
    }
    attributes
}

fn remembered_keys(fields: &Fields) -> BTreeMap<String, String> {
    let keys = fields.get(&format!("attributes.{KEYS}")).and_then(Value::as_str);
    keys.and_then(|keys| serde_json::from_str(keys).ok()).unwrap_or_default()
}
