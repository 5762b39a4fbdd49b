//! The Secret that holds the webhook's certificates: shared by all replicas, so that they agree.

use std::collections::BTreeMap;

use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{
    Api, Client,
    api::{Patch, PatchParams},
    core::{ObjectMeta, PartialObjectMeta},
};
use serde_json::json;
use zeroize::{Zeroize as _, Zeroizing};

use super::held::{Content, Pair};
use crate::secrets;

/// By this label a Secret is known as the operator's own.
const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", "keyreeve");

// The names of its parts: the first two are those of the type kubernetes.io/tls.
const CERTIFICATE: &str = "tls.crt";
const KEY: &str = "tls.key";
const BUNDLE: &str = "ca.crt";
const AUTHORITY_KEY: &str = "ca.key";

/// The Secret, in its namespace.
#[derive(Clone)]
pub struct Place {
    pub client: Client,
    pub namespace: String,
    pub name: String,
}

/// The Secret as it is.
pub struct Found {
    /// What it holds; none if it is not the operator's own.
    pub content: Option<Content>,
    version: String,
}

impl Place {
    /// Reads it, if it is there.
    pub async fn read(&self) -> Result<Option<Found>, kube::Error> {
        let Some(mut secret) = secrets::read(&self.client, &self.namespace, &self.name).await?
        else {
            return Ok(None);
        };
        let version = secret.metadata.resource_version.take().unwrap_or_default();
        let label = secret.metadata.labels.as_ref().and_then(|labels| labels.get(MANAGED_BY.0));
        let is_ours = label.is_some_and(|label| label == MANAGED_BY.1);
        let content = is_ours.then(|| content(secret.data.as_ref()));
        secrets::wipe(secret);
        Ok(Some(Found { content, version }))
    }

    /// Puts this into it: into the one that was found, or a new one. Fails if it has changed since.
    pub async fn write(&self, found: Option<&Found>, content: &Content) -> Result<(), kube::Error> {
        let Some(found) = found else {
            return secrets::create(&self.client, &self.namespace, self.secret(content))
                .await
                .map(drop);
        };
        let api: Api<PartialObjectMeta<Secret>> =
            Api::namespaced(self.client.clone(), &self.namespace);
        let parts = parts(content);
        let patch = Patch::Merge(json!({
            "metadata": {"resourceVersion": found.version},
            "stringData": parts,
        }));
        for mut text in parts.into_values() {
            text.zeroize();
        }
        let written = api.patch_metadata(&self.name, &PatchParams::default(), &patch).await;
        secrets::wipe_patch(patch);
        written.map(drop)
    }

    fn secret(&self, content: &Content) -> Secret {
        Secret {
            metadata: ObjectMeta {
                name: Some(self.name.clone()),
                labels: Some(BTreeMap::from([(MANAGED_BY.0.into(), MANAGED_BY.1.into())])),
                ..ObjectMeta::default()
            },
            type_: Some("kubernetes.io/tls".into()),
            string_data: Some(parts(content)),
            ..Secret::default()
        }
    }
}

fn parts(content: &Content) -> BTreeMap<String, String> {
    let Content { authority, serving, .. } = content;
    BTreeMap::from([
        (CERTIFICATE.into(), serving.certificate.clone()),
        (KEY.into(), String::clone(&serving.key)),
        (BUNDLE.into(), content.bundle()),
        (AUTHORITY_KEY.into(), String::clone(&authority.key)),
    ])
}

/// What the parts say; one that is missing or no text is empty.
fn content(data: Option<&BTreeMap<String, ByteString>>) -> Content {
    let part = |name: &str| {
        data.and_then(|data| data.get(name))
            .and_then(|value| str::from_utf8(&value.0).ok())
            .unwrap_or_default()
    };
    Content::read(
        part(BUNDLE),
        Zeroizing::new(part(AUTHORITY_KEY).into()),
        Pair { certificate: part(CERTIFICATE).into(), key: Zeroizing::new(part(KEY).into()) },
    )
}
