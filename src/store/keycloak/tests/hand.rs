//! Another hand: an administrator who may do everything, and what that one does to a tenant.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::store::{
    Credentials, Key, RoleName, Source,
    keycloak::{
        Address, Options,
        failure::Failure,
        namespaces, profile,
        server::{Server, path, query},
    },
};

/// What dev/with-keycloak.sh says.
pub(super) fn variable(name: &str) -> String {
    let name = format!("KEYREEVE_TEST_KEYCLOAK{name}");
    std::env::var(&name).unwrap_or_else(|_| {
        panic!("{name} is not set: put `dev/with-keycloak.sh` in front of the command")
    })
}

pub(super) fn credentials(id: String, secret: Source) -> Credentials {
    Credentials { username: Some(Source::Value(id.into())), password: Some(secret) }
}

/// Keycloak at this address, for the client that these variables name.
pub(super) fn options(address: &str, id: &str, file: &str) -> Options {
    Options::new(
        Address::parse(address).unwrap(),
        credentials(variable(id), Source::File(PathBuf::from(variable(file)))),
    )
}

/// What comes of a write, which is tried a few times as long as something breaks in Keycloak.
///
/// Two requests that come at once to what it has just put into its cache of a role's composites
/// (`DefaultLazyLoader`), as after a realm was made, may be answered with a 500 before anything is done. The
/// controller tries again; so do the tests. What breaks each time still does so here.
macro_rules! unless_broken {
    ($write:expr, $broken:pat) => {{
        let mut done = $write.await;
        for _ in 0..3 {
            if matches!(done, Err($broken)) {
                done = $write.await;
            }
        }
        done
    }};
}
pub(super) use unless_broken;

pub(super) struct Hand(pub Server);

impl Hand {
    pub(super) fn new() -> Self {
        Self(Server::new(&options(&variable(""), "_HAND_ID", "_HAND_FILE")).unwrap())
    }

    pub(super) async fn post(&self, place: &str, body: &Value) -> Result<Value, Failure> {
        unless_broken!(self.0.post(place, body), Failure::Broken(..))
    }

    pub(super) async fn put(&self, place: &str, body: &Value) -> Result<(), Failure> {
        unless_broken!(self.0.put(place, body), Failure::Broken(..))
    }

    pub(super) async fn delete(&self, place: &str, body: Option<&Value>) -> Result<(), Failure> {
        unless_broken!(self.0.delete(place, body), Failure::Broken(..))
    }

    /// Where something is; what is in it, or about it, follows that.
    pub(super) async fn place(&self, key: &Key) -> String {
        let tenant = key.tenant();
        match key {
            Key::Tenant { .. } => path(&[tenant]),
            Key::Namespace { name, .. } => {
                path(&[tenant, "clients", &self.client(tenant, name).await])
            }
            Key::Role { role, .. } => {
                format!(
                    "{}{}",
                    self.roles(tenant, role.namespace.as_deref()).await,
                    path(&[&role.name])
                )
            }
            Key::User { username, .. } => {
                path(&[tenant, "users", &self.user(tenant, username).await])
            }
        }
    }

    pub(super) async fn read(&self, place: &str) -> Value {
        self.0.read(place).await.unwrap().unwrap_or_else(|| panic!("{place} is not there"))
    }

    async fn client(&self, tenant: &str, namespace: &str) -> String {
        let id = namespaces::client_id(namespace);
        let clients = format!("{}?clientId={}", path(&[tenant, "clients"]), query(&id));
        self.0.list(&clients).await.unwrap()[0]["id"].as_str().unwrap().to_owned()
    }

    pub(super) async fn user(&self, tenant: &str, username: &str) -> String {
        self.find_user(tenant, username).await.unwrap_or_else(|| panic!("{username} is not there"))
    }

    pub(super) async fn find_user(&self, tenant: &str, username: &str) -> Option<String> {
        let users = format!("{}?username={}&exact=true", path(&[tenant, "users"]), query(username));
        Some(self.0.list(&users).await.unwrap().first()?["id"].as_str()?.to_owned())
    }

    async fn roles(&self, tenant: &str, namespace: Option<&str>) -> String {
        match namespace {
            None => path(&[tenant, "roles"]),
            Some(namespace) => {
                format!(
                    "{}/roles",
                    path(&[tenant, "clients", &self.client(tenant, namespace).await])
                )
            }
        }
    }

    pub(super) async fn add(&self, key: &Key) {
        let tenant = key.tenant();
        match key {
            Key::Tenant { .. } => {
                // With keys, so that Keycloak does not have to make some.
                let keys = crate::store::keycloak::keys::components(tenant, &[]);
                let mut realm =
                    json!({"realm": tenant, "components": {"org.keycloak.keys.KeyProvider": keys}});
                // Its profile lets people have names of all characters, and knows nothing of us.
                let mut profile = profile::ours();
                let attributes = profile["attributes"].as_array_mut().unwrap();
                attributes.retain(|attribute| {
                    !attribute["name"].as_str().unwrap().starts_with("keyreeve.")
                });
                realm["components"][profile::PROVIDER] = json!([{
                    "providerId": "declarative-user-profile",
                    "config": {"kc.user.profile.config": [profile.to_string()]},
                }]);
                self.post("", &realm).await.unwrap();
                self.let_in(tenant).await;
            }
            Key::Namespace { name, .. } => {
                let client = json!({"clientId": namespaces::client_id(name)});
                self.post(&path(&[tenant, "clients"]), &client).await.unwrap();
            }
            Key::Role { role, .. } => {
                let roles = self.roles(tenant, role.namespace.as_deref()).await;
                self.post(&roles, &json!({"name": role.name})).await.unwrap();
            }
            Key::User { username, .. } => {
                let user = json!({"username": username});
                self.post(&path(&[tenant, "users"]), &user).await.unwrap();
            }
        }
    }

    /// Gives the operator its rights in a realm, as docs/stores-keycloak.md tells an administrator to.
    async fn let_in(&self, tenant: &str) {
        let client = |id: String| async move {
            let clients = format!("/master/clients?clientId={}", query(&id));
            self.0.list(&clients).await.unwrap()[0]["id"].as_str().unwrap().to_owned()
        };
        let operator = client(variable("_CLIENT_ID")).await;
        let account = self.read(&format!("/master/clients/{operator}/service-account-user")).await;
        let account = account["id"].as_str().unwrap();
        let realm = client(format!("{tenant}-realm")).await;
        let mut roles = Vec::new();
        for role in ["manage-realm", "manage-users", "manage-clients"] {
            roles.push(self.read(&format!("/master/clients/{realm}/roles/{role}")).await);
        }
        let mappings = format!("/master/users/{account}/role-mappings/clients/{realm}");
        self.post(&mappings, &roles.into()).await.unwrap();
    }

    /// Changes what is there, all of it as it was but for this.
    pub(super) async fn change(&self, key: &Key, change: impl FnOnce(&mut Value)) {
        let place = self.place(key).await;
        let mut there = self.read(&place).await;
        change(&mut there);
        self.put(&place, &there).await.unwrap();
    }

    pub(super) async fn set(&self, key: &Key, change: &Value) {
        let place = self.place(key).await;
        self.put(&place, change).await.unwrap();
    }

    pub(super) async fn remove(&self, key: &Key) {
        self.delete(&self.place(key).await, None).await.unwrap();
    }

    /// Where a holder's roles of the kind of this one are, and this one.
    async fn relation(&self, holder: &Key, role: &RoleName) -> (String, Value) {
        let tenant = holder.tenant();
        let key = Key::Role { tenant: tenant.into(), role: role.clone() };
        let role = self.read(&self.place(&key).await).await;
        let holding = self.place(holder).await;
        let place = match (holder, &role["clientRole"]) {
            (Key::User { .. }, Value::Bool(true)) => {
                let client = role["containerId"].as_str().unwrap();
                format!("{holding}/role-mappings/clients/{client}")
            }
            (Key::User { .. }, _) => format!("{holding}/role-mappings/realm"),
            _ => format!("{holding}/composites"),
        };
        (place, json!([role]))
    }

    pub(super) async fn give(&self, holder: &Key, role: &RoleName) {
        let (place, roles) = self.relation(holder, role).await;
        self.post(&place, &roles).await.unwrap();
    }

    pub(super) async fn take(&self, holder: &Key, role: &RoleName) {
        let (place, roles) = self.relation(holder, role).await;
        self.delete(&place, Some(&roles)).await.unwrap();
    }

    /// All roles that a user holds or a role contains, but for those that everybody has.
    pub(super) async fn held(&self, holder: &Key) -> Vec<RoleName> {
        let holding = self.place(holder).await;
        let mut held = Vec::new();
        if let Key::User { .. } = holder {
            let mappings = self.read(&format!("{holding}/role-mappings")).await;
            let realm = mappings["realmMappings"].as_array().cloned().unwrap_or_default();
            held.extend(realm.iter().map(|role| (None, role["name"].clone())));
            for (client, mapping) in mappings["clientMappings"].as_object().into_iter().flatten() {
                let namespace = namespaces::name_of(client).unwrap_or(client).to_owned();
                for role in mapping["mappings"].as_array().unwrap() {
                    held.push((Some(namespace.clone()), role["name"].clone()));
                }
            }
        } else {
            for role in self.0.list(&format!("{holding}/composites")).await.unwrap() {
                let client = role["containerId"].as_str().unwrap();
                let client = path(&[holder.tenant(), "clients", client]);
                let namespace = if role["clientRole"] == true {
                    let client = self.read(&client).await;
                    namespaces::name_of(client["clientId"].as_str().unwrap()).map(Into::into)
                } else {
                    None
                };
                held.push((namespace, role["name"].clone()));
            }
        }
        let name = |(namespace, name): (Option<String>, Value)| RoleName {
            namespace,
            name: name.as_str().unwrap().to_owned(),
        };
        let mut held: Vec<RoleName> = held.into_iter().map(name).collect();
        held.retain(|role| !role.name.starts_with("default-roles-"));
        held.sort();
        held
    }
}
