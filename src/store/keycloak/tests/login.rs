//! What people see of it: logins, tokens, and the keys that verify them.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::Method;
use hyper::body::Bytes;
use serde_json::{Value, json};

use super::{
    backend::Keycloak,
    hand::{Hand, variable},
    renamed::signing_key,
};
use crate::{
    api::{Algorithm, HashFunction, KeyState, RequiredAction},
    keystore::PrivateKey,
    password::Hasher,
    policy::ledger::KeyType,
    store::{
        Applied, Desired, Expected, Key, Kind, NewPassword, RoleName, SigningKey, State,
        conformance::{
            Backend,
            samples::{self, narrow, wide},
        },
        keycloak::{
            server::path,
            transport::{Call, Raw, Transport},
        },
    },
};

const PASSWORD: &str = "correct horse battery";

/// A request of a person's program: no token of the operator's.
async fn call(method: Method, place: &str, authorization: Option<&str>, form: &str) -> Raw {
    let url = format!("{}{place}", variable(""));
    let body = Some(("application/x-www-form-urlencoded", Bytes::from(form.to_owned())));
    let timeout = std::time::Duration::from_secs(30);
    let call = Call { method, url: &url, authorization, body, timeout };
    Transport::new(None).unwrap().send(call).await.ok().unwrap()
}

impl Keycloak {
    pub(super) fn realm(&self) -> String {
        self.renamed.tenant("acme")
    }

    /// A client to log in by, made by an administrator.
    pub(super) async fn add_client(&self, id: &str) {
        let client =
            json!({"clientId": id, "publicClient": true, "directAccessGrantsEnabled": true});
        self.hand.post(&path(&[&self.realm(), "clients"]), &client).await.unwrap();
    }

    /// The user ada, who can log in, and this client to do so by.
    pub(super) async fn add_person(&self, client: &str) {
        self.put(Desired { password: Some(password(PASSWORD).await), ..ada(&[]) }).await;
        self.add_client(client).await;
    }

    /// The access token of a login, or what was answered.
    async fn login(&self, username: &str, password: &str) -> Result<String, Value> {
        self.login_asking("shop", username, password, "openid").await
    }

    /// The same of a user with the usual password, by this client and with these scopes.
    pub(super) async fn login_by(
        &self,
        client: &str,
        username: &str,
        scopes: &str,
    ) -> Result<String, Value> {
        self.login_asking(client, username, PASSWORD, scopes).await
    }

    async fn login_asking(
        &self,
        client: &str,
        username: &str,
        password: &str,
        scopes: &str,
    ) -> Result<String, Value> {
        let place = format!("/realms/{}/protocol/openid-connect/token", self.realm());
        let form = format!(
            "grant_type=password&client_id={client}&scope={}&username={username}&password={}",
            scopes.replace(' ', "+"),
            password.replace(' ', "+")
        );
        let answer = call(Method::POST, &place, None, &form).await;
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        match body["access_token"].as_str() {
            Some(token) => Ok(token.to_owned()),
            None => Err(body),
        }
    }

    /// Whether Keycloak takes a token for one of its own.
    async fn accepts(&self, token: &str) -> bool {
        let place = format!("/realms/{}/protocol/openid-connect/userinfo", self.realm());
        call(Method::GET, &place, Some(&format!("Bearer {token}")), "").await.status.is_success()
    }

    /// What the realm tells clients of itself.
    pub(super) async fn discovery(&self) -> Value {
        let place = format!("/realms/{}/.well-known/openid-configuration", self.realm());
        serde_json::from_slice(&call(Method::GET, &place, None, "").await.body).unwrap()
    }

    /// The kids that are published for signatures.
    async fn kids(&self) -> Vec<String> {
        let place = format!("/realms/{}/protocol/openid-connect/certs", self.realm());
        let answer = call(Method::GET, &place, None, "").await;
        let keys: Value = serde_json::from_slice(&answer.body).unwrap();
        let keys = keys["keys"].as_array().unwrap().iter();
        let signing = keys.filter(|key| key["use"] == "sig");
        let mut kids: Vec<_> = signing.map(|key| key["kid"].as_str().unwrap().to_owned()).collect();
        kids.sort();
        kids
    }

    pub(super) async fn put(&self, desired: Desired) -> Applied {
        let record = self.store().observe(&desired.state.key()).await.unwrap();
        self.store().apply(&desired, &Expected::as_observed(record.as_ref())).await.unwrap()
    }

    /// As the controller does: private halves only of keys that are not there.
    async fn put_keys(&self, keys: &[SigningKey]) -> Applied {
        let record = self.store().observe(&samples::key(Kind::Tenant)).await.unwrap();
        let there = record.map(|record| record.signing_keys).unwrap_or_default();
        let mut keys = keys.to_vec();
        for key in keys.iter_mut().filter(|key| there.contains(&key.public.kid)) {
            key.private = None;
        }
        self.put(Desired { keys: Some(keys), ..samples::desired(tenant()) }).await
    }
}

/// A part of a token: its header, or its claims.
pub(super) fn part(token: &str, place: usize) -> Value {
    let part = URL_SAFE_NO_PAD.decode(token.split('.').nth(place).unwrap()).unwrap();
    serde_json::from_slice(&part).unwrap()
}

fn kid(token: &str) -> String {
    part(token, 0)["kid"].as_str().unwrap().to_owned()
}

fn tenant() -> State {
    tenant_with(json!({
        "policies": {"accountBlocking": {"enabled": true, "allowedAttempts": 5, "blockDuration": "15m",
            "duration": "1h"}},
    }))
}

/// The tenant of these settings, in which people can log in.
pub(super) fn tenant_with(settings: Value) -> State {
    let State::Tenant(mut tenant) = samples::tenant("acme") else { unreachable!() };
    tenant.enabled = true;
    tenant.settings = samples::object(settings);
    State::Tenant(tenant)
}

fn ada(roles: &[RoleName]) -> Desired {
    let State::User(mut ada) = samples::user("acme", "ada", Some(roles)) else { unreachable!() };
    ada.enabled = true;
    samples::desired(State::User(ada))
}

pub(super) async fn password(text: &str) -> NewPassword {
    let cost = crate::store::keycloak::credential::COST;
    let hashed = Hasher::new(1).hash_at(text.to_owned().into(), cost).await.unwrap();
    NewPassword {
        hash: hashed.phc,
        algorithm: hashed.algorithm,
        created_at: jiff::Timestamp::now(),
        remembered: 0,
    }
}

pub(super) fn new_key(algorithm: Algorithm, state: KeyState, later: i64) -> SigningKey {
    let key = PrivateKey::generate(KeyType { algorithm, size: 2048 }).unwrap();
    SigningKey {
        public: key.jwk().clone(),
        state,
        created_at: jiff::Timestamp::now() + jiff::SignedDuration::from_secs(later),
        private: Some(key.pem().to_owned().into()),
    }
}

pub(super) fn in_state(key: &SigningKey, state: KeyState) -> SigningKey {
    SigningKey { state, ..key.clone() }
}

#[tokio::test]
async fn a_user_logs_in_and_the_token_has_our_key_and_the_roles() {
    let backend = Keycloak::start().await;
    backend.put(samples::desired(tenant())).await;
    backend.put(samples::desired(samples::namespace("acme", "billing"))).await;
    let clerk = narrow("billing", "clerk");
    backend.put(samples::desired(samples::role("acme", &clerk, None))).await;
    let boss = samples::role("acme", &wide("boss"), Some(&[clerk]));
    backend.put(samples::desired(boss)).await;
    let desired = Desired { password: Some(password(PASSWORD).await), ..ada(&[wide("boss")]) };
    assert_eq!(backend.put(desired).await, Applied::Created);
    backend.add_client("shop").await;

    let token = backend.login("ada", PASSWORD).await.unwrap();
    assert_eq!(kid(&token), signing_key().public.kid);
    let claims = part(&token, 1);
    let has = |roles: &Value, role: &str| roles.as_array().unwrap().contains(&role.into());
    assert!(has(&claims["realm_access"]["roles"], "boss"), "{claims:#}");
    assert!(has(&claims["resource_access"]["ns:billing"]["roles"], "clerk"), "{claims:#}");
    assert!(backend.login("ada", "another one").await.is_err());

    // No roles of ours: what everybody has stays.
    backend.put(ada(&[])).await;
    let claims = part(&backend.login("ada", PASSWORD).await.unwrap(), 1);
    assert!(!has(&claims["realm_access"]["roles"], "boss"));
    assert!(has(&claims["realm_access"]["roles"], "offline_access"), "{claims:#}");

    // Another password from its Secret, and one that the person chose since, which stays.
    backend.put(Desired { password: Some(password("another horse").await), ..ada(&[]) }).await;
    backend.login("ada", "another horse").await.unwrap();
    backend.change_password(&samples::key(Kind::User), "").await;
    backend.put(ada(&[wide("boss")])).await;
    backend.login("ada", "by another hand").await.unwrap();
}

#[tokio::test]
async fn keys_rotate_and_a_revoked_one_is_gone_at_once() {
    let backend = Keycloak::start().await;
    let first = new_key(Algorithm::RS256, KeyState::Active, 0);
    backend.put_keys(std::slice::from_ref(&first)).await;
    let desired = Desired { password: Some(password(PASSWORD).await), ..ada(&[]) };
    backend.put(desired).await;
    backend.add_client("shop").await;
    let of_first = backend.login("ada", PASSWORD).await.unwrap();
    assert_eq!(backend.kids().await, std::slice::from_ref(&first.public.kid));

    // Published before it signs, and of another algorithm.
    let second = new_key(Algorithm::PS256, KeyState::Standby, 10);
    backend.put_keys(&[first.clone(), second.clone()]).await;
    let mut both = vec![first.public.kid.clone(), second.public.kid.clone()];
    both.sort();
    assert_eq!(backend.kids().await, both);
    assert_eq!(kid(&backend.login("ada", PASSWORD).await.unwrap()), first.public.kid);

    let rotated = [in_state(&first, KeyState::Retired), in_state(&second, KeyState::Active)];
    backend.put_keys(&rotated).await;
    let of_second = backend.login("ada", PASSWORD).await.unwrap();
    assert_eq!(kid(&of_second), second.public.kid);
    assert_eq!(part(&of_second, 0)["alg"], "PS256");
    assert_eq!(backend.kids().await, both);
    assert!(backend.accepts(&of_first).await && backend.accepts(&of_second).await);
    assert_eq!(backend.put_keys(&rotated).await, Applied::Unchanged);

    let third = new_key(Algorithm::RS256, KeyState::Active, 20);
    let revoked =
        [in_state(&first, KeyState::Retired), in_state(&second, KeyState::Revoked), third.clone()];
    backend.put_keys(&revoked).await;
    assert!(!backend.accepts(&of_second).await && backend.accepts(&of_first).await);
    assert!(!backend.kids().await.contains(&second.public.kid));
    assert_eq!(kid(&backend.login("ada", PASSWORD).await.unwrap()), third.public.kid);
    // Its time is over.
    backend.put_keys(std::slice::from_ref(&third)).await;
    assert_eq!(backend.kids().await, std::slice::from_ref(&third.public.kid));
    assert!(!backend.accepts(&of_first).await);
}

#[tokio::test]
async fn what_another_hand_does_to_our_keys_is_put_right_and_theirs_are_left() {
    let backend = Keycloak::start().await;
    let key = new_key(Algorithm::RS256, KeyState::Active, 0);
    let keys = std::slice::from_ref(&key);
    backend.put_keys(keys).await;
    let realm = Key::Tenant { tenant: backend.realm() };
    let components = format!("{}/components", path(&[&backend.realm()]));
    let theirs = json!({"name": "theirs", "providerId": "rsa-generated", "config": {"priority": ["5"]},
        "providerType": "org.keycloak.keys.KeyProvider"});
    backend.hand.post(&components, &theirs).await.unwrap();
    let kids = backend.kids().await;
    assert_eq!(kids.len(), 2);
    assert_eq!(backend.put_keys(keys).await, Applied::Unchanged);

    let id = crate::store::keycloak::keys::component_id(&backend.realm(), &key.public.kid);
    let ours = format!("{components}/{id}");
    let tenant = samples::key(Kind::Tenant);
    let other = new_key(Algorithm::RS256, KeyState::Active, 0);
    for change in [
        json!({"enabled": ["false"]}),
        json!({"priority": ["1"]}),
        json!({"privateKey": [other.private.as_deref().unwrap()], "certificate": []}),
    ] {
        let mut component = backend.hand.read(&ours).await;
        component["config"] = change.clone();
        backend.hand.put(&ours, &component).await.unwrap();
        let record = backend.store().observe(&tenant).await.unwrap().unwrap();
        assert!(record.drifted, "{change}");
        assert_eq!(backend.put_keys(keys).await, Applied::Updated(vec!["keys".into()]), "{change}");
        assert_eq!(backend.kids().await, kids);
        assert_eq!(backend.put_keys(keys).await, Applied::Unchanged);
    }
    // A retired one that somebody deletes stays gone, and is told of once.
    let retired = new_key(Algorithm::RS256, KeyState::Active, -10);
    backend.put_keys(&[retired.clone(), in_state(&key, KeyState::Standby)]).await;
    let both = [in_state(&retired, KeyState::Retired), key.clone()];
    backend.put_keys(&both).await;
    let both = [SigningKey { private: None, ..both[0].clone() }, key.clone()];
    let id = crate::store::keycloak::keys::component_id(&backend.realm(), &retired.public.kid);
    backend.hand.delete(&format!("{components}/{id}"), None).await.unwrap();
    assert!(backend.store().observe(&tenant).await.unwrap().unwrap().drifted);
    assert_eq!(backend.put_keys(&both).await, Applied::Updated(vec!["keys".into()]));
    assert!(!backend.store().observe(&tenant).await.unwrap().unwrap().drifted);
    assert_eq!(backend.put_keys(&both).await, Applied::Unchanged);
    assert_eq!(backend.kids().await, kids);
    backend.put_keys(keys).await;

    // Deleted, ours that signs comes back with the same kid.
    backend.hand.delete(&ours, None).await.unwrap();
    assert!(backend.store().observe(&tenant).await.unwrap().unwrap().signing_keys.is_empty());
    backend.put_keys(keys).await;
    assert_eq!(backend.kids().await, kids);
    assert_eq!(backend.hand.place(&realm).await, path(&[&backend.realm()]));
}

#[tokio::test]
async fn a_lock_out_survives_whatever_else_changes() {
    let backend = Keycloak::start().await;
    backend.put(samples::desired(tenant())).await;
    let desired = Desired { password: Some(password(PASSWORD).await), ..ada(&[]) };
    backend.put(desired.clone()).await;
    backend.add_client("shop").await;
    for _ in 0..5 {
        assert!(backend.login("ada", "wrong").await.is_err());
    }
    assert!(backend.login("ada", PASSWORD).await.is_err(), "she is locked out");
    let State::User(mut user) = desired.state else { unreachable!() };
    user.claims.insert("department".into(), "sales".into());
    let changed = samples::desired(State::User(user.clone()));
    assert_eq!(backend.put(changed).await, Applied::Updated(vec!["claims.department".into()]));
    assert!(backend.login("ada", PASSWORD).await.is_err(), "she still is");
    // Disabling and enabling is an administrator's word.
    for enabled in [false, true] {
        user.enabled = enabled;
        backend.put(samples::desired(State::User(user.clone()))).await;
    }
    backend.login("ada", PASSWORD).await.unwrap();
}

#[tokio::test]
async fn what_a_user_is_asked_stands_beside_what_others_ask() {
    let backend = Keycloak::start().await;
    backend.put(samples::desired(tenant())).await;
    let State::User(mut user) = ada(&[]).state else { unreachable!() };
    user.required_actions = vec![RequiredAction::UpdatePassword, RequiredAction::VerifyEmail];
    backend.put(samples::desired(State::User(user.clone()))).await;
    let hand: &Hand = &backend.hand;
    let key = backend.renamed.key(&samples::key(Kind::User));
    let place = hand.place(&key).await;
    let theirs = json!(["UPDATE_PASSWORD", "VERIFY_EMAIL", "webauthn-register"]);
    hand.put(&place, &json!({"requiredActions": theirs})).await.unwrap();
    let record = backend.store().observe(&samples::key(Kind::User)).await.unwrap().unwrap();
    assert_eq!((record.state, record.drifted), (State::User(user.clone()), false));
    user.required_actions = vec![RequiredAction::ConfigureTotp];
    backend.put(samples::desired(State::User(user))).await;
    let mut actions = hand.read(&place).await["requiredActions"].clone();
    actions.as_array_mut().unwrap().sort_by_key(ToString::to_string);
    assert_eq!(actions, json!(["CONFIGURE_TOTP", "webauthn-register"]));
}

#[tokio::test]
async fn bcrypt_is_refused_with_a_sentence() {
    let backend = Keycloak::start().await;
    backend.put(samples::desired(tenant())).await;
    let hashed = Hasher::new(1).hash("x".to_owned().into(), HashFunction::Bcrypt).await.unwrap();
    let password = NewPassword {
        hash: hashed.phc,
        algorithm: hashed.algorithm,
        created_at: jiff::Timestamp::now(),
        remembered: 0,
    };
    let desired = Desired { password: Some(password), ..ada(&[]) };
    let error = backend.store().apply(&desired, &Expected::Absent).await.unwrap_err();
    assert!(error.to_string().contains("argon2 only"), "{error}");
}
