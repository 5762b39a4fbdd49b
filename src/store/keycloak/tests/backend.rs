//! Keycloak as a backend of the conformance suite.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{
    disturbance::{Disturbance, SUFFERS},
    hand::{Hand, options, variable},
    renamed::{Memory, Renamed},
};
use crate::store::{
    Key, Kind, RoleName, Store,
    conformance::{Backend, faults::Fault},
    keycloak::KeycloakStore,
};

pub(super) struct Keycloak {
    pub renamed: Arc<Renamed>,
    pub hand: Arc<Hand>,
    pub disturbance: Option<Disturbance>,
}

/// How the tenants of a case of its own begin.
fn prefix() -> String {
    static CASES: AtomicU32 = AtomicU32::new(0);
    let case = CASES.fetch_add(1, Ordering::Relaxed);
    // Of another run on the same Keycloak something may be left.
    format!("t{}-{case}-", std::process::id())
}

#[async_trait]
impl Backend for Keycloak {
    async fn start() -> Self {
        let options = options(&variable(""), "_CLIENT_ID", "_SECRET_FILE");
        let store = Arc::new(KeycloakStore::open(&options).await.unwrap());
        let hand = Arc::new(Hand::new());
        let renamed = Arc::new(Renamed::new(store, hand.clone(), prefix(), Memory::default()));
        Self { renamed, hand, disturbance: None }
    }

    async fn start_to_disturb() -> Self {
        let (hand, prefix) = (Arc::new(Hand::new()), prefix());
        let memory = Memory::default();
        let rename =
            |store| Renamed::new(Arc::new(store), hand.clone(), prefix.clone(), memory.clone());
        let (disturbance, renamed) = Disturbance::start(rename).await;
        Self { renamed, hand: hand.clone(), disturbance: Some(disturbance) }
    }

    fn suffers() -> &'static [(Fault, &'static str)] {
        SUFFERS
    }

    async fn disturb(&self, fault: Fault, step: usize) {
        self.disturbance.as_ref().unwrap().begin(fault, step);
    }

    async fn calm(&self, _: Fault) -> bool {
        self.disturbance.as_ref().unwrap().end()
    }

    fn store(&self) -> Arc<dyn Store> {
        match &self.disturbance {
            Some(disturbance) if disturbance.is_hasty.load(Ordering::SeqCst) => {
                disturbance.hasty.clone()
            }
            _ => self.renamed.clone(),
        }
    }

    async fn fingerprint(&self) -> String {
        self.renamed.store.server.requests().both().1.to_string()
    }

    async fn add(&self, key: &Key) {
        self.hand.add(&self.renamed.key(key)).await;
    }

    async fn edit(&self, key: &Key) {
        let key = self.renamed.key(key);
        let by_hand = "by another hand";
        match key.kind() {
            Kind::Tenant => self.hand.set(&key, &json!({"displayName": by_hand})).await,
            Kind::Namespace | Kind::Role => {
                self.hand.change(&key, |there| there["description"] = by_hand.into()).await;
            }
            Kind::User => self.hand.set(&key, &json!({"firstName": by_hand})).await,
        }
    }

    async fn edit_nested(&self, key: &Key) {
        let key = self.renamed.key(key);
        match key.kind() {
            Kind::Tenant => self.hand.set(&key, &json!({"ssoSessionIdleTimeout": 61})).await,
            Kind::Role => {
                let change = json!(["[]"]);
                self.hand
                    .change(&key, |there| there["attributes"]["keyreeve.rules"] = change)
                    .await;
            }
            Kind::User => {
                let change = json!([r#"{"a.b":{"c":"by another hand"}}"#]);
                self.hand
                    .change(&key, |there| there["attributes"]["keyreeve.claims"] = change)
                    .await;
            }
            Kind::Namespace => unreachable!("it has nothing nested"),
        }
    }

    async fn remove(&self, key: &Key) {
        self.hand.remove(&self.renamed.key(key)).await;
    }

    async fn give(&self, holder: &Key, role: &RoleName) {
        self.hand.give(&self.renamed.key(holder), role).await;
    }

    async fn take(&self, holder: &Key, role: &RoleName) {
        self.hand.take(&self.renamed.key(holder), role).await;
    }

    async fn appoint(&self, role: &Key) {
        let appoint = |there: &mut Value| {
            there["attributes"]["keyreeve.administrator"] = json!(["true"]);
        };
        self.hand.change(&self.renamed.key(role), appoint).await;
    }

    /// Keycloak gives no address twice: then nothing is changed.
    async fn give_email(&self, user: &Key, email: &str) {
        let place = self.hand.place(&self.renamed.key(user)).await;
        let given = self.hand.put(&place, &json!({"email": email})).await;
        assert!(
            matches!(given, Ok(()) | Err(crate::store::keycloak::failure::Failure::Conflict(_))),
            "{given:?}"
        );
    }

    /// The hash cannot be given to Keycloak by a person: it makes its own.
    async fn change_password(&self, user: &Key, _: &str) {
        let place = self.hand.place(&self.renamed.key(user)).await;
        let password = json!({"type": "password", "value": "by another hand", "temporary": false});
        self.hand.put(&format!("{place}/reset-password"), &password).await.unwrap();
    }

    async fn held(&self, holder: &Key) -> Vec<RoleName> {
        self.hand.held(&self.renamed.key(holder)).await
    }

    async fn unmark(&self, key: &Key) {
        let unmark = |there: &mut Value| {
            let attributes = there["attributes"].as_object_mut().unwrap();
            // As docs/stores-keycloak.md says. Of a client those that are left out stay.
            for name in ["keyreeve.mark", "keyreeve.managed"] {
                if key.kind() == Kind::Namespace {
                    attributes.insert(name.into(), "".into());
                } else {
                    attributes.remove(name);
                }
            }
        };
        self.hand.change(&self.renamed.key(key), unmark).await;
    }

    /// The representation without what is ours.
    async fn seen(&self, key: &Key) -> Value {
        let mut there = self.hand.read(&self.hand.place(&self.renamed.key(key)).await).await;
        if let Some(attributes) = there["attributes"].as_object_mut() {
            // After any write some stand there as a zero or false, which are as good as none.
            let is_none = |value: &Value| value == "0" || value == "false";
            attributes.retain(|name, value| !name.starts_with("keyreeve.") && !is_none(value));
        }
        if let Key::Tenant { tenant } = self.renamed.key(key) {
            there["beside"] = self.hand.beside(&tenant).await;
        }
        there
    }

    async fn put_back(&self, tenant: &Key, seen: &Value) {
        let put_back = |there: &mut Value| {
            let mut attributes = there["attributes"].as_object().unwrap().clone();
            attributes.retain(|name, _| name.starts_with("keyreeve."));
            attributes.extend(seen["attributes"].as_object().unwrap().clone());
            *there = seen.clone();
            there["attributes"] = attributes.into();
            there.as_object_mut().unwrap().remove("beside");
        };
        let key = self.renamed.key(tenant);
        self.hand.change(&key, put_back).await;
        self.hand.put_back_beside(key.tenant(), &seen["beside"]).await;
    }

    fn tells_hashes(&self) -> bool {
        false
    }

    fn ids_change(&self) -> bool {
        false
    }

    /// It makes one realm at a time, and some in a second.
    fn many(&self) -> usize {
        8
    }
}
