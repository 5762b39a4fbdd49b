//! What stands beside the fields of a realm: client scopes, and the right to delete the own account.

use serde_json::{Value, json};

use super::{
    backend::Keycloak,
    hand::Hand,
    login::{part, tenant_with},
};
use crate::store::{
    Applied, Expected, Kind, State,
    conformance::{Backend, samples},
    keycloak::server::path,
};

const ACTION: &str = "authentication/required-actions/delete_account";

impl Hand {
    fn in_realm(realm: &str, place: &str) -> String {
        format!("{}/{place}", path(&[realm]))
    }

    async fn all(&self, realm: &str, place: &str) -> Vec<Value> {
        self.0.list(&Self::in_realm(realm, place)).await.unwrap()
    }

    async fn default_roles(&self, realm: &str) -> String {
        let there = self.read(&path(&[realm])).await;
        format!("roles-by-id/{}/composites", there["defaultRole"]["id"].as_str().unwrap())
    }

    /// What a realm has of it, as others see it.
    pub(super) async fn beside(&self, realm: &str) -> Value {
        let names = |items: Vec<Value>| {
            let names = items.iter().map(|item| item["name"].as_str().unwrap().to_owned());
            let mut names: Vec<String> = names.collect();
            names.sort();
            names
        };
        let scopes = names(self.all(realm, "client-scopes").await);
        let optional = names(self.all(realm, "default-optional-client-scopes").await);
        let roles = names(self.all(realm, &self.default_roles(realm).await).await);
        let action = self.read(&Self::in_realm(realm, ACTION)).await;
        json!({"scopes": scopes, "optional": optional, "roles": roles, "action": action["enabled"]})
    }

    /// Takes away what is there and was not seen.
    pub(super) async fn put_back_beside(&self, realm: &str, seen: &Value) {
        let was_seen = |list: &str, item: &Value| seen[list].as_array().unwrap().contains(item);
        for scope in self.all(realm, "client-scopes").await {
            if !was_seen("scopes", &scope["name"]) {
                let id = scope["id"].as_str().unwrap();
                let place = Self::in_realm(realm, &format!("client-scopes/{id}"));
                self.delete(&place, None).await.unwrap();
            }
        }
        let place = self.default_roles(realm).await;
        for role in self.all(realm, &place).await {
            if !was_seen("roles", &role["name"]) {
                let place = Self::in_realm(realm, &place);
                self.delete(&place, Some(&json!([role]))).await.unwrap();
            }
        }
        self.enable_deletion(realm, seen["action"] == true).await;
    }

    async fn enable_deletion(&self, realm: &str, enabled: bool) {
        let place = Self::in_realm(realm, ACTION);
        let mut action = self.read(&place).await;
        action["enabled"] = enabled.into();
        self.put(&place, &action).await.unwrap();
    }

    /// Gives everybody the role by which accounts are deleted.
    async fn let_everybody_delete(&self, realm: &str) {
        let account = self.all(realm, "clients?clientId=account").await;
        let account = account[0]["id"].as_str().unwrap();
        let role = format!("clients/{account}/roles/delete-account");
        let role = self.read(&Self::in_realm(realm, &role)).await;
        let place = Self::in_realm(realm, &self.default_roles(realm).await);
        self.post(&place, &json!([role])).await.unwrap();
    }

    pub(super) async fn add_scope(&self, realm: &str, name: &str) {
        let scope = json!({"name": name, "protocol": "openid-connect",
            "attributes": {"include.in.token.scope": "true"}});
        self.post(&Self::in_realm(realm, "client-scopes"), &scope).await.unwrap();
    }
}

fn with(settings: Value) -> State {
    tenant_with(settings)
}

fn has(beside: &Value, list: &str, name: &str) -> bool {
    beside[list].as_array().unwrap().contains(&name.into())
}

async fn drifted(backend: &Keycloak) -> bool {
    backend.store().observe(&samples::key(Kind::Tenant)).await.unwrap().unwrap().drifted
}

#[tokio::test]
async fn a_scope_can_be_asked_for_and_comes_back_in_the_token() {
    let backend = Keycloak::start().await;
    let scopes = |names: &[&str]| samples::desired(with(json!({"extraScopes": names})));
    backend.put(scopes(&[])).await;
    backend.put(samples::desired(samples::namespace("acme", "billing"))).await;
    backend.add_person("shop").await;
    let realm = backend.realm();
    backend.hand.add_scope(&realm, "by-hand").await;
    let plain = backend.hand.beside(&realm).await;

    // `phone` is there and offered, `openid` and `profile` are everybody's.
    let all = ["orders:read", "by-hand", "phone", "openid", "profile"];
    assert_eq!(
        backend.put(scopes(&all)).await,
        Applied::Updated(vec!["settings.extraScopes".into()])
    );
    assert!(!drifted(&backend).await);
    assert_eq!(backend.put(scopes(&all)).await, Applied::Unchanged);
    backend.add_client("later").await;
    let scope = async |client: &str, asked: &str| {
        let token = backend.login_by(client, "ada", asked).await.ok()?;
        Some(part(&token, 1)["scope"].as_str().unwrap().to_owned())
    };
    let held = scope("later", "openid orders:read by-hand").await.unwrap();
    assert!(held.contains("orders:read") && held.contains("by-hand"), "{held}");
    assert!(!scope("later", "openid").await.unwrap().contains("orders:read"), "only who asks");
    assert_eq!(scope("shop", "openid orders:read").await, None, "it was there before");
    let clients = backend.hand.all(&realm, "clients?clientId=ns:billing").await;
    assert!(has(&clients[0], "optionalClientScopes", "orders:read"), "{:#}", clients[0]);
    assert!(has(&clients[0], "optionalClientScopes", "by-hand"));

    // One that is withdrawn by hand is offered again.
    for place in ["default-optional-client-scopes", "client-scopes"] {
        let there = backend.hand.all(&realm, place).await;
        let ours = there.iter().find(|scope| scope["name"] == "orders:read").unwrap();
        let place = format!("{place}/{}", ours["id"].as_str().unwrap());
        let place = Hand::in_realm(&realm, &place);
        backend.hand.delete(&place, None).await.unwrap();
        assert!(drifted(&backend).await);
        backend.put(scopes(&all)).await;
        assert!(has(&backend.hand.beside(&realm).await, "optional", "orders:read"));
    }

    // Out of the list, ours go and theirs stay as they were.
    assert_eq!(
        backend.put(scopes(&[])).await,
        Applied::Updated(vec!["settings.extraScopes".into()])
    );
    assert_eq!(backend.hand.beside(&realm).await, plain);
    assert_eq!(scope("later", "openid orders:read").await, None);
    assert_eq!(backend.put(scopes(&[])).await, Applied::Unchanged);
}

#[tokio::test]
async fn a_new_tenant_has_its_scopes_and_lets_people_delete_their_accounts() {
    let backend = Keycloak::start().await;
    let settings = json!({"extraScopes": ["a"], "userSelfDeletion": {"enabled": true}});
    let desired = samples::desired(with(settings));
    let applied = backend.store().apply(&desired, &Expected::Absent).await.unwrap();
    assert_eq!(applied, Applied::Created);
    let beside = backend.hand.beside(&backend.realm()).await;
    assert!(has(&beside, "optional", "a") && has(&beside, "roles", "delete-account"), "{beside:#}");
    assert_eq!(beside["action"], true);
    assert_eq!(backend.put(desired).await, Applied::Unchanged);
    assert!(!drifted(&backend).await);
}

#[tokio::test]
async fn who_may_delete_an_account_is_put_right_and_taken_back() {
    let backend = Keycloak::start().await;
    let deletion = |on: bool| samples::desired(with(json!({"userSelfDeletion": {"enabled": on}})));
    backend.put(deletion(false)).await;
    let (realm, hand) = (backend.realm(), backend.hand.clone());
    let plain = hand.beside(&realm).await;
    let updated = Applied::Updated(vec!["settings.userSelfDeletion.enabled".into()]);
    assert_eq!(backend.put(deletion(true)).await, updated);
    let on = hand.beside(&realm).await;
    assert!(on["action"] == true && has(&on, "roles", "delete-account"), "{on:#}");

    // Another hand takes the one or the other away, or all of the action.
    hand.enable_deletion(&realm, false).await;
    assert!(drifted(&backend).await);
    backend.put(deletion(true)).await;
    hand.delete(&Hand::in_realm(&realm, ACTION), None).await.unwrap();
    assert!(drifted(&backend).await);
    backend.put(deletion(true)).await;
    assert_eq!(hand.beside(&realm).await, on);
    assert_eq!(backend.put(deletion(true)).await, Applied::Unchanged);
    assert_eq!(backend.put(deletion(false)).await, updated);
    assert_eq!(hand.beside(&realm).await, plain);

    // Off, another hand switches it on: the role that it gave stays, and nobody can use it.
    hand.let_everybody_delete(&realm).await;
    assert!(!drifted(&backend).await, "the role alone lets nobody do it");
    hand.enable_deletion(&realm, true).await;
    assert!(drifted(&backend).await);
    assert_eq!(backend.put(deletion(false)).await, updated);
    let off = hand.beside(&realm).await;
    assert!(off["action"] == false && has(&off, "roles", "delete-account"), "{off:#}");
    // And neither is it taken when what we did is taken back.
    backend.put(deletion(true)).await;
    backend.put(deletion(false)).await;
    assert_eq!(hand.beside(&realm).await, off);
}

#[tokio::test]
async fn what_was_found_stays_until_somebody_sets_it() {
    let backend = Keycloak::start().await;
    let key = samples::key(Kind::Tenant);
    backend.add(&key).await;
    let (realm, hand) = (backend.realm(), backend.hand.clone());
    hand.let_everybody_delete(&realm).await;
    hand.enable_deletion(&realm, true).await;
    hand.add_scope(&realm, "by-hand").await;
    let found = hand.beside(&realm).await;
    let record = backend.store().observe(&key).await.unwrap().unwrap();
    let State::Tenant(state) = &record.state else { unreachable!() };
    assert_eq!(state.settings["userSelfDeletion"]["enabled"], true);
    assert_eq!(state.settings["extraScopes"], json!([]));
    backend.put(samples::desired(record.state.clone())).await;
    assert_eq!(hand.beside(&realm).await, found);
    assert!(!drifted(&backend).await);
    let mut state = state.clone();
    state.settings.insert("userSelfDeletion".into(), json!({"enabled": false}));
    backend.put(samples::desired(State::Tenant(state))).await;
    let mut off = found;
    off["action"] = false.into();
    assert_eq!(hand.beside(&realm).await, off, "the role that another hand gave stays");
}

#[tokio::test]
async fn acr_values_are_told_and_nothing_asks_for_more() {
    let backend = Keycloak::start().await;
    backend.put(samples::desired(with(json!({"acrValues": ["silver", "gold"]})))).await;
    backend.add_person("shop").await;
    let token = backend.login_by("shop", "ada", "openid").await.unwrap();
    assert_eq!(part(&token, 1)["acr"], "silver", "the first one is what a login reaches");
    let told = backend.discovery().await["acr_values_supported"].clone();
    assert!(["silver", "gold"].iter().all(|value| has(&json!({"": told}), "", value)), "{told}");
}
