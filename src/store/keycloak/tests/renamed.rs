//! The store with other names of tenants and other ids of users.
//!
//! The suite calls its tenants `acme` and `other` and its users `id-of-ada`, as if each case had a store
//! of its own. All cases share one Keycloak, in which realms have their names and users their ids
//! once; so each case has names of its own, and sees those of the suite. A tenant gets a signing key
//! with it, as it does from the controller: without one Keycloak makes four.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, OnceLock},
};

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::hand::{Hand, unless_broken};
use crate::{
    api::{Algorithm, KeyState},
    keystore::PrivateKey,
    policy::ledger::KeyType,
    store::{
        Applied, Census, Deleted, Desired, Error, Expected, Key, Mark, Record, SigningKey, State,
        Store,
        keycloak::{KeycloakStore, server::path},
        says_as_its_store,
    },
};

pub(super) struct Renamed {
    pub store: Arc<KeycloakStore>,
    pub hand: Arc<Hand>,
    pub prefix: String,
    memory: Memory,
}

/// What is known of the other names; stores of one case share it.
#[derive(Clone, Default)]
pub(super) struct Memory {
    /// The suite's ids of users, by those in Keycloak.
    ids: Arc<Mutex<HashMap<String, String>>>,
    /// What was observed, as the suite sees it and as it is.
    observed: Arc<Mutex<Vec<(Record, Record)>>>,
}

/// A key for all tenants of all cases.
pub(super) fn signing_key() -> SigningKey {
    static KEY: OnceLock<SigningKey> = OnceLock::new();
    KEY.get_or_init(|| {
        let key_type = KeyType { algorithm: Algorithm::RS256, size: 2048 };
        let key = PrivateKey::generate(key_type).unwrap();
        SigningKey {
            public: key.jwk().clone(),
            state: KeyState::Active,
            created_at: jiff::Timestamp::now(),
            private: Some(key.pem().to_owned().into()),
        }
    })
    .clone()
}

impl Renamed {
    pub(super) fn new(
        store: Arc<KeycloakStore>,
        hand: Arc<Hand>,
        prefix: String,
        memory: Memory,
    ) -> Self {
        Self { store, hand, prefix, memory }
    }

    pub(super) fn tenant(&self, tenant: &str) -> String {
        format!("{}{tenant}", self.prefix)
    }

    pub(super) fn key(&self, key: &Key) -> Key {
        let mut key = key.clone();
        match &mut key {
            Key::Tenant { tenant }
            | Key::Namespace { tenant, .. }
            | Key::Role { tenant, .. }
            | Key::User { tenant, .. } => *tenant = self.tenant(tenant),
        }
        key
    }

    /// An id that no other case has.
    fn id(&self, tenant: &str, id: &str) -> String {
        let hash = Sha256::digest(format!("{}/{tenant}/{id}", self.prefix));
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hash[..16]);
        uuid::Builder::from_custom_bytes(bytes).into_uuid().to_string()
    }

    /// What is desired, and the real id of a user.
    async fn desired(&self, desired: &Desired) -> (Desired, String) {
        let mut desired = desired.clone();
        let mut id = String::new();
        match &mut desired.state {
            State::Tenant(state) => {
                state.tenant_id = self.tenant(&state.tenant_id);
                desired.keys = desired.keys.or_else(|| Some(vec![signing_key()]));
            }
            State::Namespace(state) => state.tenant_id = self.tenant(&state.tenant_id),
            State::Role(state) => state.tenant_id = self.tenant(&state.tenant_id),
            State::User(state) => {
                let wanted = self.id(&state.tenant_id, &state.id);
                state.tenant_id = self.tenant(&state.tenant_id);
                let there = self.hand.find_user(&state.tenant_id, &state.username).await;
                let place = path(&[&state.tenant_id, "users", &wanted]);
                // Who is there has an id for good, as the controller knows.
                let real = match there {
                    Some(there) if self.hand.0.read(&place).await.unwrap().is_none() => there,
                    _ => wanted,
                };
                state.id.clone_from(&real);
                id = real;
            }
        }
        (desired, id)
    }

    /// What is expected, as it is.
    fn expected(&self, expected: &Expected) -> Expected {
        let Expected::Observed(before) = expected else { return expected.clone() };
        let observed = self.memory.observed.lock().unwrap();
        let real = observed.iter().rev().find(|(seen, _)| seen == &**before);
        Expected::Observed(real.map_or_else(|| before.clone(), |(_, real)| Box::new(real.clone())))
    }

    fn record(&self, mut record: Record) -> Record {
        let own = |tenant: &mut String| *tenant = tenant.replacen(&self.prefix, "", 1);
        match &mut record.state {
            State::Tenant(state) => own(&mut state.tenant_id),
            State::Namespace(state) => own(&mut state.tenant_id),
            State::Role(state) => own(&mut state.tenant_id),
            State::User(state) => {
                own(&mut state.tenant_id);
                if let Some(id) = self.memory.ids.lock().unwrap().get(&state.id) {
                    state.id.clone_from(id);
                }
            }
        }
        record
    }

    fn error(&self, error: Error) -> Error {
        match error {
            Error::Missing(what) => Error::Missing(what.replace(&self.prefix, "")),
            other => other,
        }
    }
}

#[async_trait]
impl Store for Renamed {
    says_as_its_store!();

    async fn observe(&self, key: &Key) -> Result<Option<Record>, Error> {
        let record = self.store.observe(&self.key(key)).await.map_err(|error| self.error(error))?;
        Ok(record.map(|real| {
            let seen = self.record(real.clone());
            self.memory.observed.lock().unwrap().push((seen.clone(), real));
            seen
        }))
    }

    async fn last_passwords(
        &self,
        key: &Key,
        number: usize,
    ) -> Result<Vec<Zeroizing<String>>, Error> {
        self.store.last_passwords(&self.key(key), number).await
    }

    async fn apply(&self, desired: &Desired, expected: &Expected) -> Result<Applied, Error> {
        let (real, id) = self.desired(desired).await;
        let expected = self.expected(expected);
        let applied = unless_broken!(self.store.apply(&real, &expected), Error::Broken(_));
        let applied = applied.map_err(|error| self.error(error))?;
        if let State::User(user) = &desired.state {
            self.memory.ids.lock().unwrap().insert(id, user.id.clone());
        }
        Ok(applied)
    }

    async fn delete(&self, key: &Key, mark: &Mark) -> Result<Deleted, Error> {
        let key = self.key(key);
        unless_broken!(self.store.delete(&key, mark), Error::Broken(_))
    }

    async fn census(&self, tenant: &str) -> Result<Census, Error> {
        self.store.census(&self.tenant(tenant)).await
    }

    async fn check(&self) -> Result<(), Error> {
        self.store.check().await
    }
}
