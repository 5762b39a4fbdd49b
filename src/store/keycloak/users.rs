//! Users: with hashed passwords, roles and links to other identity providers.

use serde_json::{Map, Value, json};

use super::{
    KeycloakStore,
    body::Secret,
    check_length, credential,
    document::{self, Attributes, Carried},
    failure::Failure,
    found::{self, Found, HeldRole, RoleId, applied},
    limits, namespaces,
    native::{self, Fields, Native, flag, native, read_text, text},
    relations::{applied_roles, reference},
    server::{path, query},
};
use crate::{
    api::AuthenticationProvider,
    store::{Applied, Desired, Error, Kind, RoleName, State, Unique, UserState},
};

const NATIVES: &[Native] = &[
    native(
        "email",
        &["email"],
        // Keycloak holds it in lower case; the way it was written is carried.
        |value, _| Some(vec![value.as_str().unwrap_or_default().to_lowercase().into()]),
        read_text,
    ),
    flag("emailVerified", &["emailVerified"]),
    flag("enabled", &["enabled"]),
    text("firstName", &["firstName"]),
    text("lastName", &["lastName"]),
    native("requiredActions", &["requiredActions"], write_actions, read_actions),
];

/// The actions that a User can ask for, as both call them.
const ACTIONS: [(&str, &str); 5] = [
    ("AcceptTerms", "TERMS_AND_CONDITIONS"),
    ("ConfigureTotp", "CONFIGURE_TOTP"),
    ("UpdatePassword", "UPDATE_PASSWORD"),
    ("UpdateProfile", "UPDATE_PROFILE"),
    ("VerifyEmail", "VERIFY_EMAIL"),
];

/// Members of the state with an attribute of their own: a mapper of Keycloak's puts it into tokens.
pub(super) const ALONE: &[&str] = &["claims"];

/// What an attribute of a user holds at most, by the profile.
const LONGEST: usize = 900_000;

/// Without an order: Keycloak keeps none.
fn write_actions(value: &Value, _: &Map<String, Value>) -> Option<Vec<Value>> {
    let asked = value.as_array()?;
    let asked_for = ACTIONS.iter().filter(|(ours, _)| asked.contains(&Value::from(*ours)));
    Some(vec![asked_for.map(|(_, theirs)| *theirs).collect::<Vec<_>>().into()])
}

fn read_actions(fields: &[Value]) -> Value {
    let there = fields[0].as_array().map(Vec::as_slice).unwrap_or_default();
    let known = ACTIONS.iter().filter(|(_, theirs)| there.contains(&Value::from(*theirs)));
    known.map(|(ours, _)| *ours).collect::<Vec<_>>().into()
}

/// A user's fields; of the required actions those that a User can ask for, in our order.
fn fields(user: &Value) -> Fields {
    let mut fields = user.as_object().cloned().unwrap_or_default();
    let known = read_actions(&[user["requiredActions"].clone()]);
    if let Some(known) = write_actions(&known, &Fields::new()) {
        fields.extend(known.into_iter().map(|known| ("requiredActions".to_owned(), known)));
    }
    let others: Vec<Value> = user["requiredActions"].as_array().cloned().unwrap_or_default();
    let is_other = |action: &Value| !ACTIONS.iter().any(|(_, theirs)| action == theirs);
    let others: Vec<Value> = others.into_iter().filter(is_other).collect();
    fields.insert(OTHER_ACTIONS.into(), others.into());
    fields
}

/// Required actions that a User cannot ask for: somebody else did.
const OTHER_ACTIONS: &str = "keyreeve.otherActions";

fn carried(user: &Value) -> Carried {
    document::read(|name| Some(user["attributes"][name][0].as_str()?.to_owned()), ALONE)
}

fn state(
    tenant: &str,
    username: &str,
    (fields, carried): (&Fields, &Carried),
    held: &[HeldRole],
) -> (UserState, bool) {
    let mut observed = carried.document.clone();
    native::overlay(NATIVES, &mut observed, fields, carried.is_ours());
    // It never changes here; a user of another one was made by another hand.
    observed.insert("id".into(), fields.get("id").cloned().unwrap_or_default());
    let is_as_applied = carried.is_whole && observed == carried.document;
    let base =
        UserState { tenant_id: tenant.into(), username: username.into(), ..UserState::default() };
    let mut state: UserState = document::state(&base, &observed);
    if state.roles.is_some() {
        let marked = held.iter().filter(|role| role.is_marked);
        state.roles = Some(marked.map(|role| role.name.clone()).collect());
    }
    (state, is_as_applied)
}

impl KeycloakStore {
    pub(super) async fn find_user(
        &self,
        tenant: &str,
        username: &str,
    ) -> Result<Option<Found>, Error> {
        let users = path(&[tenant, "users"]);
        let users =
            format!("{users}?username={}&exact=true&briefRepresentation=false", query(username));
        let users = self.server.list(&users).await?;
        let lower = username.to_lowercase();
        let Some(user) = users.into_iter().find(|user| user["username"] == lower.as_str()) else {
            return Ok(None);
        };
        let id = user["id"].as_str().unwrap_or_default().to_owned();
        let carried = carried(&user);
        let held = self.roles_of_user(tenant, &id, &carried).await?;
        let credentials = path(&[tenant, "users", &id, "credentials"]);
        let credentials = self.server.list(&credentials).await?;
        let fields = fields(&user);
        let (state, is_as_applied) = state(tenant, username, (&fields, &carried), &held);
        let regrouped =
            self.are_regrouped(tenant, applied_roles(&carried, "roles").as_ref(), &held).await?;
        let is_as_applied = is_as_applied && !regrouped;
        let mut found = Found::new(id, fields, carried, State::User(state), is_as_applied);
        found.record.credentials = credential::metadata(&credentials);
        Ok(Some(Found { roles: held, ..found }))
    }

    pub(super) async fn apply_user(
        &self,
        state: &UserState,
        desired: &Desired,
        found: Option<&Found>,
    ) -> Result<Applied, Error> {
        let tenant = &state.tenant_id;
        let wanted = found::wanted(&desired.state);
        let attributes = document::attributes(desired, &wanted, ALONE);
        check_length(&attributes, LONGEST)?;
        let names: Option<Vec<RoleName>> = state.roles.clone().map(|mut names| {
            names.sort();
            names.dedup();
            names
        });
        let held = found.map(|found| found.roles.as_slice()).unwrap_or_default();
        let roles = self.locate(tenant, names.as_deref().unwrap_or_default(), held).await?;
        let mut fields = found.map(|found| found.differences(desired, &wanted)).unwrap_or_default();
        let password = desired.password.as_ref().map(credential::credential).transpose()?;
        if found.is_some() {
            fields.extend(password.as_ref().map(|_| "password".to_owned()));
            if fields.is_empty() {
                return Ok(Applied::Unchanged);
            }
        }
        self.check_id(state, found).await?;
        if found.is_none() || fields.iter().any(|field| field == "email" || field == "email_key") {
            self.check_email(state).await?;
        }
        if limits::is_new(found) {
            self.check_limit(tenant, Kind::User, &desired.limits).await?;
        }
        self.check_administrators(desired, found).await?;
        match found {
            None => self.create_user(state, &wanted, &attributes, password, &roles).await?,
            Some(found) => {
                // What was applied is remembered last, so that an attempt that breaks off is made again.
                if names.is_some() {
                    self.give_roles(tenant, &roles, found).await?;
                }
                self.link(tenant, &state.authentication_providers, found).await?;
                self.update_user(tenant, &wanted, &attributes, password, found).await?;
            }
        }
        Ok(applied(found, fields))
    }

    /// Ids are given once, and are one user's alone.
    async fn check_id(&self, state: &UserState, found: Option<&Found>) -> Result<(), Error> {
        if found.is_some_and(|found| found.id == state.id) {
            return Ok(());
        }
        let other = path(&[&state.tenant_id, "users", &state.id]);
        if self.server.read(&other).await?.is_some() {
            return Err(Error::Taken(Unique::Id));
        }
        match found {
            None => Ok(()),
            Some(found) => Err(Error::Refused(format!(
                "Keycloak has the user {} with the id {}, which cannot change there: delete the user in Keycloak, and it is made anew with the id {}",
                state.username, found.id, state.id
            ))),
        }
    }

    async fn check_email(&self, state: &UserState) -> Result<(), Error> {
        let Some(email) = &state.email else { return Ok(()) };
        let users = path(&[&state.tenant_id, "users"]);
        let users = format!(
            "{users}?email={}&exact=true&briefRepresentation=true",
            query(&email.to_lowercase())
        );
        let users = self.server.list(&users).await?;
        let own = state.username.to_lowercase();
        if users.iter().any(|user| user["username"] != own.as_str()) {
            return Err(Error::Taken(Unique::EmailAddress));
        }
        Ok(())
    }

    /// By an import of one: only that takes an id, and it makes all of the user or nothing.
    async fn create_user(
        &self,
        state: &UserState,
        wanted: &Map<String, Value>,
        attributes: &Attributes,
        password: Option<Value>,
        roles: &[RoleId],
    ) -> Result<(), Error> {
        let tenant = &state.tenant_id;
        let mut secret = Secret(native::changes(NATIVES, wanted, &Fields::new()).into());
        let user = &mut secret.0;
        user["id"] = state.id.as_str().into();
        user["username"] = state.username.as_str().into();
        user["attributes"] = json!({});
        for (name, value) in attributes.iter().filter(|(_, value)| !value.is_empty()) {
            user["attributes"][name] = json!([value]);
        }
        user["credentials"] = password.into_iter().collect();
        // An import gives it nothing by itself.
        let mut realm_roles = vec![Value::from(self.default_role(tenant).await?)];
        let mut client_roles: Map<String, Value> = Map::new();
        for role in roles {
            let Some(client) = &role.client else {
                realm_roles.push(role.name.as_str().into());
                continue;
            };
            let namespace = self.namespace_of(tenant, client).await?.unwrap_or_default();
            let of = client_roles.entry(namespaces::client_id(&namespace)).or_insert(json!([]));
            if let Some(of) = of.as_array_mut() {
                of.push(role.name.as_str().into());
            }
        }
        user["realmRoles"] = realm_roles.into();
        user["clientRoles"] = client_roles.into();
        user["federatedIdentities"] = state.authentication_providers.iter().map(link).collect();
        let import = Secret(json!({"ifResourceExists": "FAIL", "users": [std::mem::take(user)]}));
        match self.server.post(&path(&[tenant, "partialImport"]), &import.0).await {
            Err(Failure::Conflict(what)) => {
                // The name was free: so it is the id, which is unique in all of Keycloak.
                match self.find_user(tenant, &state.username).await? {
                    Some(_) => Err(Failure::Conflict(what).into()),
                    None => Err(Error::Taken(Unique::Id)),
                }
            }
            done => Ok(done.map(|_| ())?),
        }
    }

    async fn update_user(
        &self,
        tenant: &str,
        wanted: &Map<String, Value>,
        attributes: &Attributes,
        password: Option<Value>,
        found: &Found,
    ) -> Result<(), Error> {
        let mut changes = native::changes(NATIVES, wanted, &found.fields);
        if let Some(Value::Array(actions)) = changes.get_mut("requiredActions")
            && let Some(Value::Array(others)) = found.fields.get(OTHER_ACTIONS)
        {
            actions.extend(others.iter().cloned());
        }
        let Some(mut body) = body(changes, attributes, password.is_some(), found) else {
            return Ok(());
        };
        if let Some(password) = password {
            body.insert("credentials".into(), json!([password]));
        }
        let body = Secret(body.into());
        self.server.put(&path(&[tenant, "users", &found.id]), &body.0).await?;
        Ok(())
    }

    async fn give_roles(&self, tenant: &str, roles: &[RoleId], found: &Found) -> Result<(), Error> {
        let is_held = |role: &&RoleId| found.marked().any(|held| held.role.id == role.id);
        let given: Vec<&RoleId> = roles.iter().filter(|role| !is_held(role)).collect();
        for (client, roles) in by_client(&given) {
            let place = mappings_path(tenant, &found.id, client);
            self.server.post(&place, &roles).await?;
        }
        let is_wanted = |held: &&HeldRole| roles.iter().any(|role| role.id == held.role.id);
        let taken = found.marked().filter(|held| !is_wanted(held));
        let taken: Vec<&RoleId> = taken.map(|held| &held.role).collect();
        for (client, roles) in by_client(&taken) {
            let place = mappings_path(tenant, &found.id, client);
            self.server.delete(&place, Some(&roles)).await?;
        }
        Ok(())
    }

    /// Links to other identity providers. Keycloak hides those of a provider that the realm has not yet,
    /// so what was applied last is what is compared. Because nobody can look at what an attempt that breaks off
    /// has done, all that it is about to touch is remembered first, as what was not applied as a whole.
    async fn link(
        &self,
        tenant: &str,
        wanted: &[AuthenticationProvider],
        found: &Found,
    ) -> Result<(), Error> {
        let applied = found.carried.document.get("authenticationProviders").cloned();
        let applied: Vec<AuthenticationProvider> =
            applied.and_then(|applied| serde_json::from_value(applied).ok()).unwrap_or_default();
        let is_whole = found.carried.is_whole;
        let gone: Vec<_> = applied.iter().filter(|link| !wanted.contains(link)).collect();
        let new: Vec<_> =
            wanted.iter().filter(|link| !is_whole || !applied.contains(link)).collect();
        if gone.is_empty() && new.is_empty() {
            return Ok(());
        }
        if is_whole {
            let mut touched = found.carried.document.clone();
            let all = gone.iter().copied().chain(wanted).map(|link| json!(link));
            touched.insert("authenticationProviders".into(), all.collect());
            let touched = document::unsettled(&touched, ALONE);
            if let Some(body) = body(Fields::new(), &touched, false, found) {
                self.server.put(&path(&[tenant, "users", &found.id]), &body.into()).await?;
            }
        }
        let all = path(&[tenant, "users", &found.id, "federated-identity"]);
        let place = |name: &str| path(&[tenant, "users", &found.id, "federated-identity", name]);
        let there = if gone.is_empty() { Vec::new() } else { self.server.list(&all).await? };
        for gone in gone {
            // An account that the user linked in place of ours is the user's own.
            let is_another = there.iter().any(|link| {
                link["identityProvider"] == gone.name.as_str()
                    && link["userId"] != gone.user_id.as_str()
            });
            if !is_another {
                self.server.delete(&place(&gone.name), None).await?;
            }
        }
        for new in new {
            match self.server.post(&place(&new.name), &link(new)).await {
                // There is one already, of an attempt that broke off or by another hand.
                Err(Failure::Conflict(_)) => {
                    self.server.delete(&place(&new.name), None).await?;
                    self.server.post(&place(&new.name), &link(new)).await?;
                }
                done => drop(done?),
            }
        }
        Ok(())
    }
}

/// The body of a request that makes these changes to a user, and no others; none if it would make none, unless it must.
fn body(
    mut changes: Fields,
    attributes: &Attributes,
    must: bool,
    found: &Found,
) -> Option<Map<String, Value>> {
    let there = found.fields.get("attributes").and_then(Value::as_object).cloned();
    let there = there.unwrap_or_default();
    let mut all = there.clone();
    for (name, value) in attributes {
        if value.is_empty() {
            all.remove(name);
        } else {
            all.insert(name.clone(), json!([value]));
        }
    }
    if changes.is_empty() && all == there && !must {
        return None;
    }
    // Where attributes are written, these go unless they are repeated. `enabled` must not be:
    // even the same one ends a lock-out.
    for name in ["email", "firstName", "lastName"] {
        if let (Some(value), false) = (found.fields.get(name), changes.contains_key(name)) {
            changes.insert(name.into(), value.clone());
        }
    }
    changes.insert("attributes".into(), all.into());
    Some(changes)
}

fn link(provider: &AuthenticationProvider) -> Value {
    json!({
        "identityProvider": provider.name,
        "userId": provider.user_id,
        "userName": provider.username.clone().unwrap_or_default(),
    })
}

/// The roles of the realm, and those of each client, as bodies of requests.
fn by_client<'a>(roles: &[&'a RoleId]) -> Vec<(Option<&'a str>, Value)> {
    let mut groups: Vec<(Option<&str>, Vec<Value>)> = Vec::new();
    for role in roles {
        let client = role.client.as_deref();
        match groups.iter_mut().find(|(of, _)| *of == client) {
            Some((_, group)) => group.push(reference(role)),
            None => groups.push((client, vec![reference(role)])),
        }
    }
    groups.into_iter().map(|(client, group)| (client, group.into())).collect()
}

fn mappings_path(tenant: &str, user: &str, client: Option<&str>) -> String {
    match client {
        None => path(&[tenant, "users", user, "role-mappings", "realm"]),
        Some(client) => path(&[tenant, "users", user, "role-mappings", "clients", client]),
    }
}
