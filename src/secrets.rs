//! Secrets of Kubernetes, between here and the API server, so that nothing in them gets into a log or
//! stays in memory.

use k8s_openapi::api::core::v1::Secret;
use kube::{
    Client, Resource as _,
    api::{GetParams, PostParams},
    core::{PartialObjectMeta, Request},
};
use serde::de::Error as _;
use zeroize::Zeroize as _;

/// What answers a write without what was written.
const METADATA_ALONE: http::HeaderValue =
    http::HeaderValue::from_static("application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1");

/// A whole Secret, if it is there. Its content is to be [wiped](wipe).
pub async fn read(
    client: &Client,
    namespace: &str,
    name: &str,
) -> Result<Option<Secret>, kube::Error> {
    let request = request(namespace).get(name, &GetParams::default());
    // As text: kube logs an answer that it cannot read.
    let mut text = match client.request_text(request.map_err(kube::Error::BuildRequest)?).await {
        Err(kube::Error::Api(status)) if status.is_not_found() => return Ok(None),
        answer => answer?,
    };
    let secret = serde_json::from_str(&text);
    text.zeroize();
    // What is said of a text that cannot be read may quote it.
    secret.map(Some).map_err(|_| {
        kube::Error::SerdeError(serde_json::Error::custom("the Secret cannot be read"))
    })
}

/// Creates a Secret, and wipes it. Fails if there is one.
pub async fn create(
    client: &Client,
    namespace: &str,
    secret: Secret,
) -> Result<PartialObjectMeta<Secret>, kube::Error> {
    let body = serde_json::to_vec(&secret);
    wipe(secret);
    let mut request = request(namespace)
        .create(&PostParams::default(), body.map_err(kube::Error::SerdeError)?)
        .map_err(kube::Error::BuildRequest)?;
    request.headers_mut().insert(http::header::ACCEPT, METADATA_ALONE);
    client.request(request).await
}

/// Wipes what is in a Secret that is not needed any more.
pub fn wipe(secret: Secret) {
    for mut value in secret.data.into_iter().flat_map(std::collections::BTreeMap::into_values) {
        value.0.zeroize();
    }
    for mut text in secret.string_data.into_iter().flat_map(std::collections::BTreeMap::into_values)
    {
        text.zeroize();
    }
}

/// Wipes the texts of a patch.
pub fn wipe_patch(patch: kube::api::Patch<serde_json::Value>) {
    let kube::api::Patch::Merge(mut patch) = patch else { return };
    let texts = patch.get_mut("stringData").and_then(serde_json::Value::as_object_mut);
    for value in texts.into_iter().flat_map(serde_json::Map::values_mut) {
        if let serde_json::Value::String(text) = value {
            text.zeroize();
        }
    }
}

fn request(namespace: &str) -> Request {
    Request::new(Secret::url_path(&(), Some(namespace)))
}
