//! The registration at the API server. The chart makes it; the operator only says in it whose
//! certificates are to be trusted, and puts that right when another hand has changed it.

use k8s_openapi::{
    ByteString, api::admissionregistration::v1::ValidatingWebhookConfiguration as Configuration,
};
use kube::{
    Api, Client,
    api::{Patch, PatchParams},
};
use serde_json::{Value, json};

/// The path of the webhook.
pub const VALIDATE: &str = "/validate";

/// The registration cannot be put right. It is tried again.
#[derive(Debug, thiserror::Error)]
pub enum RegistrationError {
    /// It is not there.
    #[error(
        "the ValidatingWebhookConfiguration {0} is not there, so nothing is sent to the webhook: install it by the chart's webhook.enabled, or leave --webhook-configuration out"
    )]
    Missing(String),
    /// The API server says no, or nothing.
    #[error("the ValidatingWebhookConfiguration {0}: {1}")]
    Api(String, kube::Error),
}

/// Has the API server trust these certificates, as PEM, in all that the configuration calls. Writes
/// only what differs, and answers whether anything did.
pub async fn trust(client: &Client, name: &str, bundle: &str) -> Result<bool, RegistrationError> {
    let api: Api<Configuration> = Api::all(client.clone());
    let failed = |error| RegistrationError::Api(name.into(), error);
    let found = api.get_opt(name).await.map_err(failed)?;
    let found = found.ok_or_else(|| RegistrationError::Missing(name.into()))?;
    let Some(patch) = patch(&found, bundle) else { return Ok(false) };
    api.patch(name, &PatchParams::default(), &Patch::Strategic(patch)).await.map_err(failed)?;
    Ok(true)
}

/// What differs, on condition that the configuration is as it was read. The list is merged by name.
fn patch(found: &Configuration, bundle: &str) -> Option<Value> {
    let bundle = ByteString(bundle.as_bytes().to_vec());
    let differing: Vec<_> = found
        .webhooks
        .iter()
        .flatten()
        .filter(|webhook| webhook.client_config.ca_bundle.as_ref() != Some(&bundle))
        .map(|webhook| json!({"name": webhook.name, "clientConfig": {"caBundle": bundle}}))
        .collect();
    let version = &found.metadata.resource_version;
    (!differing.is_empty())
        .then(|| json!({"metadata": {"resourceVersion": version}, "webhooks": differing}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_written() {
        let webhook = |name: &str, bundle: Option<&str>| {
            let bundle = bundle.map(|bundle| ByteString(bundle.into()));
            json!({"name": name, "clientConfig": {"caBundle": bundle}, "admissionReviewVersions": [], "sideEffects": "None"})
        };
        let found = |webhooks: &[Value]| -> Configuration {
            serde_json::from_value(
                json!({"metadata": {"resourceVersion": "7"}, "webhooks": webhooks}),
            )
            .unwrap()
        };
        assert_eq!(patch(&found(&[webhook("a", Some("trusted"))]), "trusted"), None);
        assert_eq!(patch(&found(&[]), "trusted"), None);
        let differing = found(&[
            webhook("a", Some("trusted")),
            webhook("b", None),
            webhook("c", Some("other")),
        ]);
        assert_eq!(
            patch(&differing, "trusted"),
            Some(json!({"metadata": {"resourceVersion": "7"}, "webhooks": [
                {"name": "b", "clientConfig": {"caBundle": "dHJ1c3RlZA=="}},
                {"name": "c", "clientConfig": {"caBundle": "dHJ1c3RlZA=="}},
            ]}))
        );
    }
}
