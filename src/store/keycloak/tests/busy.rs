//! A server that becomes too busy in the midst of a write that takes several requests.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{
    faults::Faults,
    hand::{Hand, unless_broken},
    login::{in_state, new_key},
    renamed::signing_key,
    statuses::start,
};
use crate::{
    api::{Algorithm, AuthenticationProvider, KeyState},
    store::{
        Applied, Desired, Error, Expected, Key, State, Store,
        conformance::samples::{self, wide},
        keycloak::{KeycloakStore, census::is_marked_client, keys::component_id, server::path},
    },
};

/// A tenant behind a server that is busy now and then.
struct Busy {
    faults: Faults,
    store: KeycloakStore,
    hand: Hand,
    tenant: String,
}

impl Busy {
    async fn start(tenant: &str) -> Self {
        let (faults, store, tenant) = start(tenant).await;
        // For longer than one request is tried.
        faults.ask_to_wait(3600);
        Self { faults, store, hand: Hand::new(), tenant }
    }

    /// As the controller does: private halves only of keys that are not there.
    async fn try_put(&self, desired: &Desired) -> Result<Applied, Error> {
        let record = self.store.observe(&desired.state.key()).await.unwrap();
        let expected = Expected::as_observed(record.as_ref());
        let there = record.map(|record| record.signing_keys).unwrap_or_default();
        let mut desired = desired.clone();
        for key in desired.keys.iter_mut().flatten() {
            if there.contains(&key.public.kid) {
                key.private = None;
            }
        }
        self.store.apply(&desired, &expected).await
    }

    async fn put(&self, desired: &Desired) -> Applied {
        unless_broken!(self.try_put(desired), Error::Broken(_)).unwrap()
    }

    /// Goes from one state to another while the server is too busy from this write on.
    async fn put_until(
        &self,
        from: &Desired,
        to: &Desired,
        writes: usize,
        status: u16,
    ) -> Result<Applied, Error> {
        self.put(from).await;
        self.faults.answer_writes(writes..usize::MAX, status);
        let applied = self.try_put(to).await;
        self.faults.answer(|_| None);
        self.store.server.end_pause();
        applied
    }

    async fn list(&self, place: &str) -> Vec<Value> {
        self.hand.0.list(&format!("{}/{place}", path(&[&self.tenant]))).await.unwrap()
    }

    /// What is there as others see it, lists in an order.
    async fn seen(&self, key: &Key) -> Value {
        let place = self.hand.place(key).await;
        let mut seen = self.hand.read(&place).await;
        if let Some(attributes) = seen["attributes"].as_object_mut() {
            attributes.retain(|name, _| !name.starts_with("keyreeve."));
        }
        let beside = match key {
            Key::Tenant { tenant } => {
                let keys = self.hand.read(&format!("{place}/keys")).await;
                let keys = keys["keys"].as_array().unwrap().iter();
                let keys: Vec<_> = keys.map(|key| json!([key["kid"], key["status"]])).collect();
                let clients = self.list("clients?clientId=ns:&search=true").await;
                let clients = clients.iter().filter(|client| is_marked_client(client));
                let scopes: Vec<_> =
                    clients.map(|client| client["optionalClientScopes"].clone()).collect();
                json!([keys, scopes, self.hand.beside(tenant).await])
            }
            Key::User { .. } => {
                let links = self.hand.0.list(&format!("{place}/federated-identity")).await;
                json!([self.hand.held(key).await, links.unwrap()])
            }
            _ => json!(self.hand.held(key).await),
        };
        seen["beside"] = beside;
        sort(&mut seen);
        seen
    }

    /// Goes from one state to another while the server becomes too busy at the first write, at the second and so on.
    /// The next look then brings it where it is to be all the same: on, or back where somebody thought better of it.
    /// How many writes it takes.
    async fn is_mended(&self, from: &Desired, to: &Desired, back: &Desired) -> usize {
        let key = from.state.key();
        let start = async |there: &Desired| {
            self.put(there).await;
            self.seen(&key).await
        };
        start(from).await;
        let (at_last, put_back) = (start(to).await, start(back).await);
        for writes in 0.. {
            let (status, desired, expected) =
                [(503, back, &put_back), (429, to, &at_last)][writes % 2];
            let what = format!("{key:?}: {status} from write {writes} on");
            let applied =
                unless_broken!(self.put_until(from, to, writes, status), Error::Broken(_));
            match applied {
                Ok(_) => return writes,
                Err(Error::Unavailable(why)) if why.contains("too busy") => {}
                Err(error) => panic!("{what}: {error:?}"),
            }
            self.put(desired).await;
            assert_eq!(self.seen(&key).await, *expected, "{what}");
            assert_eq!(self.put(desired).await, Applied::Unchanged, "{what}");
        }
        unreachable!()
    }
}

fn sort(value: &mut Value) {
    match value {
        Value::Array(items) => {
            items.iter_mut().for_each(sort);
            items.sort_by_key(ToString::to_string);
        }
        Value::Object(members) => members.values_mut().for_each(sort),
        _ => {}
    }
}

fn tenant_of(tenant: &str, settings: Value) -> Desired {
    let State::Tenant(mut state) = samples::tenant(tenant) else { unreachable!() };
    state.enabled = true;
    state.settings = samples::object(settings);
    let keys = vec![in_state(&signing_key(), KeyState::Active)];
    Desired { keys: Some(keys), ..samples::desired(State::Tenant(state)) }
}

#[tokio::test]
async fn a_write_is_sent_again_when_the_server_says() {
    let busy = Busy::start("wait").await;
    busy.faults.ask_to_wait(1);
    for (status, name) in [(429, "one"), (503, "two")] {
        busy.faults.answer_writes(0..1, status);
        let began = Instant::now();
        let role = samples::desired(samples::role(&busy.tenant, &wide(name), None));
        assert_eq!(busy.put(&role).await, Applied::Created);
        assert!(began.elapsed() >= Duration::from_secs(1));
    }
}

#[tokio::test]
async fn settings_that_are_half_written_are_mended() {
    let busy = Busy::start("settings").await;
    let desired = |settings: Value| tenant_of(&busy.tenant, settings);
    let off = desired(json!({"extraScopes": [], "userSelfDeletion": {"enabled": false}}));
    let on = desired(json!({"extraScopes": ["ours", "theirs"], "rememberMe": true,
        "userSelfDeletion": {"enabled": true}}));
    busy.put(&off).await;
    busy.put(&samples::desired(samples::namespace(&busy.tenant, "orders"))).await;
    busy.hand.add_scope(&busy.tenant, "theirs").await;
    assert!(busy.is_mended(&off, &on, &off).await > 6);
    assert!(busy.is_mended(&on, &off, &on).await > 5);
}

#[tokio::test]
async fn keys_that_are_half_rotated_are_mended() {
    let busy = Busy::start("keys").await;
    let first = signing_key();
    let with =
        |keys: &[_]| Desired { keys: Some(keys.to_vec()), ..tenant_of(&busy.tenant, json!({})) };
    // Of another algorithm, so that the realm signs by another one as well.
    let next = new_key(Algorithm::PS256, KeyState::Active, 10);
    let from = with(&[in_state(&first, KeyState::Active), in_state(&next, KeyState::Standby)]);
    // Keys only go on: what is rotated is not rotated back.
    let to = with(&[in_state(&first, KeyState::Retired), next]);
    assert!(busy.is_mended(&from, &to, &to).await > 2);
}

#[tokio::test]
async fn a_user_and_a_role_that_are_half_written_are_mended() {
    let busy = Busy::start("members").await;
    let names = ["one", "two"].map(wide);
    for name in &names {
        busy.put(&samples::desired(samples::role(&busy.tenant, name, None))).await;
    }
    // So that links are to be seen.
    for alias in ["x", "y"] {
        let provider = json!({"alias": alias, "providerId": "oidc", "enabled": true, "config": {
            "clientId": "us", "clientSecret": "x", "authorizationUrl": "https://id.example/auth",
            "tokenUrl": "https://id.example/token"}});
        let place = format!("{}/identity-provider/instances", path(&[&busy.tenant]));
        busy.hand.post(&place, &provider).await.unwrap();
    }
    let role = |parts: &[_], text: &str| {
        let role = samples::role(&busy.tenant, &wide("boss"), Some(parts));
        let State::Role(mut role) = role else { unreachable!() };
        role.description = Some(text.into());
        samples::desired(State::Role(role))
    };
    let (from, to) = (role(&names[..1], "one"), role(&names[1..], "two"));
    assert_eq!(busy.is_mended(&from, &to, &from).await, 3);

    let user = |roles: &[_], links: &[(&str, &str)]| {
        let user = samples::user(&busy.tenant, "ada", Some(roles));
        let State::User(mut user) = user else { unreachable!() };
        user.id = component_id(&busy.tenant, "ada");
        user.first_name = Some(format!("Ada {}", links.len()));
        let link = |(name, id): &(&str, &str)| AuthenticationProvider {
            name: (*name).into(),
            user_id: (*id).into(),
            username: None,
        };
        user.authentication_providers = links.iter().map(link).collect();
        samples::desired(State::User(user))
    };
    let from = user(&names[..1], &[("x", "1")]);
    let to = user(&names[1..], &[("x", "2"), ("y", "1")]);
    assert_eq!(busy.is_mended(&from, &to, &from).await, 7);
    let both = user(&names, &[("x", "1"), ("y", "1")]);
    assert_eq!(busy.is_mended(&from, &both, &from).await, 4);
}
