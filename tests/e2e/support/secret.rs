//! Secrets with passwords, as the teams that own them make and change them.

use std::collections::BTreeMap;

use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::api::{ObjectMeta, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use super::Space;

impl Space {
    pub async fn make_secret(&self, name: &str, data: &[(&str, &[u8])]) {
        let data = data.iter().map(|(key, value)| ((*key).to_owned(), ByteString(value.to_vec())));
        let secret = Secret {
            metadata: ObjectMeta { name: Some(name.into()), ..ObjectMeta::default() },
            data: Some(data.collect::<BTreeMap<_, _>>()),
            ..Secret::default()
        };
        self.secrets().create(&PostParams::default(), &secret).await.unwrap();
    }

    pub async fn edit_secret(&self, name: &str, change: Value) {
        let patch = Patch::Merge(change);
        self.secrets().patch(name, &PatchParams::default(), &patch).await.unwrap();
    }

    pub async fn set_password(&self, name: &str, password: &str) {
        self.edit_secret(name, json!({"stringData": {"password": password}})).await;
    }
}
