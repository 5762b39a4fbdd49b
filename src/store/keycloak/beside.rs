//! What two settings of a tenant stand for beside the fields of its realm: client scopes (`extraScopes`), and a
//! required action and a default role (`userSelfDeletion`).
//!
//! What is found of them are fields like the realm's own, with names that begin with [`PREFIX`] and are in no body of
//! a request. What of it is ours to take away again is remembered in an attribute of the realm, and before anything of
//! it is made: so nothing is left behind by an attempt that breaks off.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{
    KeycloakStore,
    census::is_marked_client,
    document::{self, Attributes, Carried, MANAGED},
    failure::Failure,
    found::RoleId,
    native::Fields,
    realm,
    relations::reference,
    server::path,
};
use crate::{api::paths::look_up, store::Error};

/// What the names of these fields begin with.
pub(super) const PREFIX: &str = "beside.";
/// The extra scopes that clients may ask for, sorted.
pub(super) const SCOPES: &str = "beside.scopes";
/// Whether everybody may delete the own account.
pub(super) const SELF_DELETION: &str = "beside.selfDeletion";
/// The required action of deleting it, as Keycloak has it.
const ACTION: &str = "beside.action";

/// The attribute that remembers what is ours.
pub(super) const OURS: &str = "keyreeve.beside";

/// How Keycloak calls the required action, the client of the pages where people manage their accounts, and the role there.
const DELETE_ACTION: &str = "delete_account";
const ACCOUNT: &str = "account";
const DELETE_ROLE: &str = "delete-account";

/// The scope of `OpenID` Connect itself, which every client may ask for.
const OPENID: &str = "openid";

/// What we put there, and take away again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Ours {
    /// The scopes that clients may ask for because of us.
    scopes: BTreeSet<String>,
    /// Whether it was us who enabled the required action.
    action: bool,
    /// Whether it was us who gave everybody the role.
    role: bool,
}

impl Ours {
    fn of(fields: &Fields) -> Self {
        let text = fields.get(&format!("attributes.{OURS}")).and_then(Value::as_str);
        text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }

    fn attribute(&self) -> String {
        if *self == Self::default() { String::new() } else { document::ascii(self) }
    }
}

/// The extra scopes in a document; none where it does not say.
fn scopes(document: &Map<String, Value>) -> Option<BTreeSet<String>> {
    let names = look_up(document, "settings.extraScopes")?.as_array()?;
    Some(names.iter().filter_map(Value::as_str).map(ToOwned::to_owned).collect())
}

fn self_deletion(document: &Map<String, Value>) -> Option<bool> {
    look_up(document, "settings.userSelfDeletion.enabled")?.as_bool()
}

/// Whether a new realm is not as this document wants it.
pub(super) fn asks_for_something(document: &Map<String, Value>) -> bool {
    scopes(document).is_some_and(|names| !names.is_empty()) || self_deletion(document) == Some(true)
}

/// The settings of which something is left over that nobody wants: of an attempt that broke off before its time.
pub(super) fn left_over(document: &Map<String, Value>, fields: &Fields) -> Vec<&'static str> {
    let ours = Ours::of(fields);
    let mut left = Vec::new();
    if scopes(document).is_some_and(|names| !ours.scopes.is_subset(&names)) {
        left.push("settings.extraScopes");
    }
    if self_deletion(document) == Some(false) && (ours.action || ours.role) {
        left.push("settings.userSelfDeletion.enabled");
    }
    left
}

fn names(scopes: &[Value]) -> impl Iterator<Item = &str> {
    scopes.iter().filter_map(|scope| scope["name"].as_str())
}

fn optional_scopes(tenant: &str) -> String {
    path(&[tenant, "default-optional-client-scopes"])
}

fn action_path(tenant: &str) -> String {
    path(&[tenant, "authentication", "required-actions", DELETE_ACTION])
}

/// Where what everybody has is said: the roles in the realm's default role.
fn default_roles(tenant: &str, fields: &Fields) -> String {
    let id = fields.get("defaultRole").and_then(|role| role["id"].as_str()).unwrap_or_default();
    path(&[tenant, "roles-by-id", id, "composites"])
}

impl KeycloakStore {
    /// Adds to a realm's fields what is found beside it. Of scopes only those are looked for that were applied.
    pub(super) async fn look_beside(
        &self,
        tenant: &str,
        carried: &Carried,
        fields: &mut Fields,
    ) -> Result<(), Error> {
        let applied = scopes(&carried.document).unwrap_or_default();
        let mut looked_for = Ours::of(fields).scopes;
        looked_for.extend(applied.iter().cloned());
        if !looked_for.is_empty() {
            let offered = self.offered_scopes(tenant, &applied).await?;
            looked_for.retain(|name| offered.contains(name));
        }
        fields.insert(SCOPES.into(), looked_for.into_iter().collect());
        let action = self.server.read(&action_path(tenant)).await?.unwrap_or_default();
        let is_on = action["enabled"] == true
            && match self.account_client(tenant, false).await? {
                None => false,
                Some(account) => self.everybody_has_it(tenant, fields, &account).await?,
            };
        fields.insert(SELF_DELETION.into(), is_on.into());
        fields.insert(ACTION.into(), action);
        Ok(())
    }

    /// The scopes that new clients may ask for. Those that they have without asking are looked at where one is missed.
    async fn offered_scopes(
        &self,
        tenant: &str,
        wanted: &BTreeSet<String>,
    ) -> Result<BTreeSet<String>, Error> {
        let mut offered = BTreeSet::from([OPENID.to_owned()]);
        let optional = self.server.list(&optional_scopes(tenant)).await?;
        offered.extend(names(&optional).map(ToOwned::to_owned));
        if !wanted.is_subset(&offered) {
            let given = path(&[tenant, "default-default-client-scopes"]);
            let given = self.server.list(&given).await?;
            offered.extend(names(&given).map(ToOwned::to_owned));
        }
        Ok(offered)
    }

    /// Keycloak's id of the client of the pages where people manage their accounts.
    async fn account_client(&self, tenant: &str, anew: bool) -> Result<Option<String>, Failure> {
        if let (false, Some(known)) = (anew, self.names.account(tenant)) {
            return Ok(Some(known));
        }
        let clients = format!("{}?clientId={ACCOUNT}", path(&[tenant, "clients"]));
        let clients = self.server.list(&clients).await?;
        let id = clients.iter().find(|client| client["clientId"] == ACCOUNT);
        let id = id.and_then(|client| client["id"].as_str()).map(ToOwned::to_owned);
        if let Some(id) = &id {
            self.names.know_account(tenant, id);
        }
        Ok(id)
    }

    /// Whether the role by which people delete their accounts is one that everybody has.
    async fn everybody_has_it(
        &self,
        tenant: &str,
        fields: &Fields,
        account: &str,
    ) -> Result<bool, Failure> {
        let roles = self.server.list(&default_roles(tenant, fields)).await?;
        Ok(roles.iter().any(|role| role["name"] == DELETE_ROLE && role["containerId"] == account))
    }

    /// Makes what is beside a realm as the document wants it. The attribute that is to be remembered afterwards.
    pub(super) async fn apply_beside(
        &self,
        tenant: &str,
        document: &Map<String, Value>,
        fields: &mut Fields,
    ) -> Result<String, Error> {
        let mut ours = Ours::of(fields);
        if let Some(wanted) = scopes(document) {
            self.apply_scopes(tenant, &wanted, fields, &mut ours).await?;
        }
        if let Some(wanted) = self_deletion(document) {
            self.apply_self_deletion(tenant, wanted, fields, &mut ours).await?;
        }
        Ok(ours.attribute())
    }

    /// Remembers what is about to be made.
    async fn remember_beside(
        &self,
        tenant: &str,
        ours: &Ours,
        fields: &mut Fields,
    ) -> Result<(), Error> {
        let attributes = Attributes::from([(OURS.to_owned(), ours.attribute())]);
        if let Some(change) = realm::changes(&Map::new(), &attributes, &Fields::new(), fields) {
            self.server.put(&path(&[tenant]), &change).await?;
            fields.insert(format!("attributes.{OURS}"), ours.attribute().into());
        }
        Ok(())
    }

    async fn apply_scopes(
        &self,
        tenant: &str,
        wanted: &BTreeSet<String>,
        fields: &mut Fields,
        ours: &mut Ours,
    ) -> Result<(), Error> {
        let found = fields.get(SCOPES).and_then(Value::as_array);
        let is_found = |name: &&String| found.is_some_and(|found| found.contains(&json!(name)));
        let mut missing: BTreeSet<String> =
            wanted.iter().filter(|name| !is_found(name)).cloned().collect();
        let gone: BTreeSet<String> = ours.scopes.difference(wanted).cloned().collect();
        if !missing.is_empty() {
            let offered = self.offered_scopes(tenant, &missing).await?;
            missing.retain(|name| !offered.contains(name));
            ours.scopes.extend(missing.iter().cloned());
            self.remember_beside(tenant, ours, fields).await?;
        }
        if missing.is_empty() && gone.is_empty() {
            return Ok(());
        }
        let all = path(&[tenant, "client-scopes"]);
        let mut there = self.server.list(&all).await?;
        let is_there = |there: &[Value], name: &String| names(there).any(|there| there == name);
        let new: Vec<&String> = missing.iter().filter(|name| !is_there(&there, name)).collect();
        for name in &new {
            self.server.post(&all, &new_scope(name)).await?;
        }
        if !new.is_empty() {
            there = self.server.list(&all).await?;
        }
        let clients = self.namespace_clients(tenant).await?;
        let clients: Vec<&Value> = clients.iter().filter(|it| is_marked_client(it)).collect();
        for scope in &there {
            let text = |name: &str| scope[name].as_str().unwrap_or_default();
            let (id, name) = (text("id"), text("name"));
            if missing.contains(name) {
                self.offer_scope(tenant, (id, name), &clients).await?;
            } else if gone.contains(name) {
                if scope["attributes"][MANAGED] == "true" {
                    self.server.delete(&format!("{all}{}", path(&[id])), None).await?;
                } else {
                    self.withdraw_scope(tenant, (id, name), &clients).await?;
                }
            }
        }
        ours.scopes.retain(|name| wanted.contains(name));
        Ok(())
    }

    /// To the clients that are Namespaces, and last to those that will be made: that is what is looked at.
    async fn offer_scope(
        &self,
        tenant: &str,
        (id, name): (&str, &str),
        clients: &[&Value],
    ) -> Result<(), Error> {
        for client in clients.iter().filter(|client| !has_scope(client, name)) {
            self.server.put(&scope_of_client(tenant, client, id), &Value::Null).await?;
        }
        let place = format!("{}{}", optional_scopes(tenant), path(&[id]));
        match self.server.put(&place, &Value::Null).await {
            // It is one of them.
            Ok(()) | Err(Failure::Conflict(_)) => Ok(()),
            Err(failure) => Err(failure.into()),
        }
    }

    /// A scope that another hand made stays, for whoever else has it. What is looked at goes first: so what was begun
    /// is seen.
    async fn withdraw_scope(
        &self,
        tenant: &str,
        (id, name): (&str, &str),
        clients: &[&Value],
    ) -> Result<(), Error> {
        let place = format!("{}{}", optional_scopes(tenant), path(&[id]));
        self.server.delete(&place, None).await?;
        for client in clients.iter().filter(|client| has_scope(client, name)) {
            self.server.delete(&scope_of_client(tenant, client, id), None).await?;
        }
        Ok(())
    }

    async fn apply_self_deletion(
        &self,
        tenant: &str,
        wanted: bool,
        fields: &mut Fields,
        ours: &mut Ours,
    ) -> Result<(), Error> {
        let is_on = fields.get(SELF_DELETION) == Some(&Value::Bool(true));
        if wanted == is_on && (wanted || !(ours.action || ours.role)) {
            return Ok(());
        }
        let action = fields.get(ACTION).cloned().unwrap_or_default();
        let is_enabled = action["enabled"] == true;
        let role = self.delete_role(tenant).await?;
        let account = role.client.as_deref().unwrap_or_default();
        let is_given = self.everybody_has_it(tenant, fields, account).await?;
        let (role, place) = (json!([reference(&role)]), default_roles(tenant, fields));
        if wanted {
            ours.action |= !is_enabled;
            ours.role |= !is_given;
            self.remember_beside(tenant, ours, fields).await?;
            if !is_given {
                self.server.post(&place, &role).await?;
            }
            if !is_enabled {
                self.enable_action(tenant, action, true).await?;
            }
            return Ok(());
        }
        if ours.role && is_given {
            self.server.delete(&place, Some(&role)).await?;
        }
        // Where another hand gave everybody the role, the action alone holds people back.
        if is_enabled && (ours.action || (is_given && !ours.role)) {
            self.enable_action(tenant, action, false).await?;
        }
        (ours.action, ours.role) = (false, false);
        Ok(())
    }

    /// The role by which people delete their accounts.
    async fn delete_role(&self, tenant: &str) -> Result<RoleId, Error> {
        if let Some(client) = self.account_client(tenant, true).await? {
            let role = path(&[tenant, "clients", &client, "roles", DELETE_ROLE]);
            if let Some(role) = self.server.read(&role).await? {
                let id = role["id"].as_str().unwrap_or_default().to_owned();
                return Ok(RoleId { id, client: Some(client), name: DELETE_ROLE.into() });
            }
        }
        Err(Error::Refused(format!(
            "the realm {tenant} has no role {DELETE_ROLE} of the client {ACCOUNT}, by which people delete their accounts: make it in Keycloak, or switch settings.userSelfDeletion off"
        )))
    }

    async fn enable_action(
        &self,
        tenant: &str,
        mut action: Value,
        enabled: bool,
    ) -> Result<(), Error> {
        if action.is_null() {
            // Another hand took it out of the realm's list; in it, it is enabled.
            let place = path(&[tenant, "authentication", "register-required-action"]);
            let action = json!({"providerId": DELETE_ACTION, "name": "Delete Account"});
            self.server.post(&place, &action).await?;
            return Ok(());
        }
        action["enabled"] = enabled.into();
        Ok(self.server.put(&action_path(tenant), &action).await?)
    }
}

/// A scope that says no more than its own name in tokens.
fn new_scope(name: &str) -> Value {
    json!({
        "name": name,
        "protocol": "openid-connect",
        "attributes": {
            "include.in.token.scope": "true",
            "display.on.consent.screen": "true",
            MANAGED: "true",
        },
    })
}

fn has_scope(client: &Value, name: &str) -> bool {
    ["optionalClientScopes", "defaultClientScopes"]
        .iter()
        .any(|list| client[list].as_array().is_some_and(|names| names.contains(&name.into())))
}

fn scope_of_client(tenant: &str, client: &Value, scope: &str) -> String {
    let id = client["id"].as_str().unwrap_or_default();
    path(&[tenant, "clients", id, "optional-client-scopes", scope])
}
