//! A tenant's keystore: its Secret as an identity provider reads it, and its public keys in status.

use std::collections::BTreeMap;

use k8s_openapi::{ByteString, api::core::v1::Secret};
use keyreeve::api::{KeyState, ROTATE_ANNOTATION, Tenant};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, Patch, PatchParams, PostParams},
    core::ObjectMeta,
};
use serde_json::{Value, json};

use super::{Space, until_gone};

/// The Secret of a tenant.
#[derive(Clone, Debug)]
pub struct Keystore(pub Secret);

impl Keystore {
    pub fn text(&self, entry: &str) -> String {
        String::from_utf8(self.0.data.as_ref().unwrap()[entry].0.clone()).unwrap()
    }

    /// The kid that it says to sign with.
    pub fn active(&self) -> String {
        self.text("active")
    }

    pub fn ledger(&self) -> Value {
        serde_json::from_str(&self.text("keys.json")).unwrap()
    }

    /// The state of each key, by kid.
    pub fn states(&self) -> BTreeMap<String, String> {
        let ledger = self.ledger();
        let keys = ledger["keys"].as_array().unwrap().iter();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        keys.map(|key| (text(&key["key"]["kid"]), text(&key["state"]))).collect()
    }

    /// The private halves that are there, by kid.
    pub fn pems(&self) -> BTreeMap<String, String> {
        let names = self.0.data.as_ref().unwrap().keys();
        let kids = names.filter_map(|name| name.strip_suffix(".pem"));
        kids.map(|kid| (kid.to_owned(), self.text(&format!("{kid}.pem")))).collect()
    }

    pub fn version(&self) -> String {
        self.0.resource_version().unwrap()
    }

    /// The same as a new object, as a backup makes it.
    pub fn backup(&self) -> Secret {
        let metadata = ObjectMeta {
            name: self.0.metadata.name.clone(),
            annotations: self.0.metadata.annotations.clone(),
            labels: self.0.metadata.labels.clone(),
            ..ObjectMeta::default()
        };
        Secret { metadata, ..self.0.clone() }
    }
}

impl Space {
    pub fn secrets(&self) -> Api<Secret> {
        self.api()
    }

    /// The keystore of a tenant, if there is one.
    pub async fn keystore_opt(&self, tenant_id: &str) -> Option<Keystore> {
        self.secrets().get_opt(&format!("keystore-{tenant_id}")).await.unwrap().map(Keystore)
    }

    /// The keystore of a tenant.
    pub async fn keystore(&self, tenant_id: &str) -> Keystore {
        self.keystore_opt(tenant_id).await.unwrap()
    }

    /// Removes a keystore, as nobody should, and answers what it was.
    pub async fn lose_keystore(&self, tenant_id: &str) -> Keystore {
        let lost = self.keystore(tenant_id).await;
        let name = lost.0.name_any();
        self.secrets().delete(&name, &DeleteParams::default()).await.unwrap();
        until_gone(self.secrets(), &name).await;
        lost
    }

    /// Creates a Secret by hand.
    pub async fn plant(&self, secret: &Secret) -> Keystore {
        Keystore(self.secrets().create(&PostParams::default(), secret).await.unwrap())
    }

    /// Writes entries of a keystore by hand; none takes one away.
    pub async fn edit_keystore(
        &self,
        tenant_id: &str,
        entries: &[(&str, Option<&str>)],
    ) -> Keystore {
        let entries = entries.iter().map(|(name, text)| {
            let bytes = text.map(|text| ByteString(text.as_bytes().to_vec()));
            ((*name).to_owned(), json!(bytes))
        });
        let data: serde_json::Map<_, _> = entries.collect();
        let (name, patch) = (format!("keystore-{tenant_id}"), Patch::Merge(json!({"data": data})));
        Keystore(self.secrets().patch(&name, &PatchParams::default(), &patch).await.unwrap())
    }

    /// Asks for a rotation.
    pub async fn rotate(&self, tenant: &str, request: &str) {
        let asked = json!({"metadata": {"annotations": {ROTATE_ANNOTATION: request}}});
        self.merge::<Tenant>(tenant, asked).await;
    }

    /// Says which keys are revoked.
    pub async fn revoke(&self, tenant: &str, kids: &[&str]) {
        self.merge::<Tenant>(tenant, json!({"spec": {"keystore": {"revoke": kids}}})).await;
    }
}

/// What a test asks of the keys in a Tenant's status.
pub trait Keys {
    /// The kids of the keys in this state.
    fn kids(&self, state: KeyState) -> Vec<String>;

    /// The key that signs; there is never another number of them.
    fn active(&self) -> String {
        let mut active = self.kids(KeyState::Active);
        assert_eq!(active.len(), 1, "there is one Active key: {active:?}");
        active.remove(0)
    }

    /// Whether this key is there in this state.
    fn has(&self, kid: &str, state: KeyState) -> bool {
        self.kids(state).iter().any(|other| other == kid)
    }
}

impl Keys for Tenant {
    fn kids(&self, state: KeyState) -> Vec<String> {
        let keys = self.status.iter().flat_map(|status| &status.keystore);
        keys.filter(|key| key.state == state).map(|key| key.key.kid.clone()).collect()
    }
}
