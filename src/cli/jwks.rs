//! `keyreeve jwks`: a tenant's public signing keys, from its Tenant's status.

use std::{
    io::{self, Write},
    time::Duration,
};

use clap::Args;
use kube::{Client, Config, Resource, api::GetParams, core::Request};
use serde::{Deserialize, Serialize};

use crate::{
    api::{Condition, Jwk, Key, KeyState, Tenant},
    controller::root_cause,
    keystore::jwk,
};

/// How long the API server may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Print a tenant's public signing keys as a JWKS, or one of them as PEM.
///
/// It finds the cluster as kubectl does (KUBECONFIG, ~/.kube/config), and needs
/// nothing but the right to get the Tenant. Every key that is published is printed,
/// the one that signs first; a revoked one never is.
#[derive(Debug, Args)]
pub struct Jwks {
    /// The Tenant's name.
    #[arg(value_name = "TENANT", value_parser = object_name)]
    tenant: String,

    /// The Tenant's Kubernetes namespace. Default: that of the kubeconfig's context.
    #[arg(short, long, value_name = "NAMESPACE", value_parser = object_name)]
    namespace: Option<String>,

    /// Print the public key of this kid instead, as PEM.
    // One kid in 64 begins with a hyphen.
    #[arg(long, value_name = "KID", allow_hyphen_values = true)]
    pem: Option<String>,
}

/// A Tenant's status, as far as it is needed: what the rest of the object looks like does not matter.
#[derive(Debug, Default, Deserialize)]
struct Status {
    #[serde(default)]
    keystore: Vec<Key>,
    #[serde(default)]
    conditions: Vec<Condition>,
}

/// A JSON Web Key Set (RFC 7517, section 5).
#[derive(Debug, Serialize)]
struct KeySet<'a> {
    keys: Vec<&'a Jwk>,
}

impl Jwks {
    pub fn execute(self) -> Result<(), String> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| format!("the runtime cannot be started: {error}"))?;
        let (namespace, status) = runtime.block_on(async {
            tokio::time::timeout(PATIENCE, self.read()).await.unwrap_or_else(|_| {
                Err(unreachable(&format!("it gave no answer within {} s", PATIENCE.as_secs())))
            })
        })?;
        let text = answer(&status, self.pem.as_deref()).map_err(|error| {
            format!("Tenant {} in the namespace {namespace} {error}", self.tenant)
        })?;
        match io::stdout().write_all(text.as_bytes()) {
            // The reader has seen enough, as `| head` has.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            end => end.map_err(|error| format!("the keys cannot be printed: {error}")),
        }
    }

    /// The Tenant's status, and in which namespace it was found.
    async fn read(&self) -> Result<(String, Status), String> {
        #[derive(Deserialize)]
        struct Read {
            #[serde(default)]
            status: Status,
        }
        let config = Config::infer()
            .await
            .map_err(|error| format!("no cluster is configured: {error}. Set KUBECONFIG"))?;
        let namespace = self.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
        let client = Client::try_from(config)
            .map_err(|error| format!("the cluster's configuration cannot be used: {error}"))?;
        let refused = |error| explain(error, &self.tenant, &namespace);
        let request = Request::new(Tenant::url_path(&(), Some(&namespace)))
            .get(&self.tenant, &GetParams::default())
            .map_err(|error| refused(kube::Error::BuildRequest(error)))?;
        let read: Read = client.request(request).await.map_err(refused)?;
        Ok((namespace, read.status))
    }
}

/// What is printed; or, to go on after the Tenant's name, why it cannot be.
fn answer(status: &Status, kid: Option<&str>) -> Result<String, String> {
    let published = published(&status.keystore);
    if status.keystore.is_empty() {
        return Err(no_keys(&status.conditions));
    }
    let Some(kid) = kid else {
        let text = serde_json::to_string_pretty(&KeySet { keys: published });
        return text
            .map(|text| text + "\n")
            .map_err(|error| format!("has keys that cannot be written as JSON: {error}"));
    };
    match status.keystore.iter().find(|key| key.key.kid == kid) {
        Some(key) if key.state == KeyState::Revoked => Err(format!(
            "has revoked the key {kid}: nothing that it signed is to be trusted, so it is not printed"
        )),
        Some(key) => jwk::public_pem(&key.key)
            .map_err(|error| format!("has a key that is none: {error}; look into its status")),
        None if published.is_empty() => Err(format!("has no key {kid}, and publishes none")),
        None => {
            let kids: Vec<_> = published.iter().map(|jwk| jwk.kid.as_str()).collect();
            Err(format!("has no key {kid}: say one of {}", kids.join(", ")))
        }
    }
}

/// The keys of the JWKS, the one that signs first.
fn published(keys: &[Key]) -> Vec<&Jwk> {
    [KeyState::Active, KeyState::Standby, KeyState::Retired]
        .iter()
        .flat_map(|state| keys.iter().filter(move |key| key.state == *state))
        .map(|key| &key.key)
        .collect()
}

/// Why there are none, as the Tenant says itself.
fn no_keys(conditions: &[Condition]) -> String {
    match conditions.iter().find(|condition| condition.type_ == "Ready") {
        Some(ready) if ready.status != "True" => {
            format!("has no keys: {} ({})", ready.message, ready.reason)
        }
        _ => "has no keys yet: it has some as soon as the operator has worked on it".into(),
    }
}

fn explain(error: kube::Error, tenant: &str, namespace: &str) -> String {
    match error {
        kube::Error::Api(status) if status.code == 404 => {
            // Where the kind itself is not known, the answer is about no object.
            if status.details.as_ref().is_some_and(|details| !details.name.is_empty()) {
                format!(
                    "there is no Tenant {tenant} in the namespace {namespace}: `kubectl get tnt --all-namespaces` lists them, and --namespace says where to look"
                )
            } else {
                "the cluster does not know tenants.keyreeve.dev: install the CRDs and the operator, or set KUBECONFIG to the cluster that has them".into()
            }
        }
        kube::Error::Api(status) if status.is_forbidden() => format!(
            "you may not get Tenant {tenant} in the namespace {namespace}: {}. Ask for a Role that allows `get` on tenants.keyreeve.dev",
            status.message
        ),
        kube::Error::Api(status) => {
            format!("the Kubernetes API server refused to get Tenant {tenant}: {}", status.message)
        }
        kube::Error::SerdeError(error) => {
            format!(
                "the status of Tenant {tenant} cannot be read: {error}. Is keyreeve as new as the operator?"
            )
        }
        other => unreachable(&root_cause(&other)),
    }
}

fn unreachable(why: &str) -> String {
    format!(
        "the Kubernetes API server cannot be reached: {why}. Check the kubeconfig and that the server runs"
    )
}

/// A name as Kubernetes has it: anything else would be a part of the request's path.
fn object_name(text: &str) -> Result<String, String> {
    let is_name = !text.is_empty()
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c));
    if is_name {
        Ok(text.into())
    } else {
        Err("must be a name: lower-case letters, digits, '-' and '.'".into())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn status(keys: &[(&str, &str)]) -> Status {
        let keys: Vec<_> = keys
            .iter()
            .map(|(kid, state)| {
                json!({
                    "key": {
                        "kty": "OKP", "use": "sig", "alg": "EdDSA", "kid": kid, "crv": "Ed25519",
                        // RFC 8037, appendix A.2.
                        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
                    },
                    "state": state, "createdAt": "2026-01-01T00:00:00Z",
                })
            })
            .collect();
        serde_json::from_value(json!({ "keystore": keys })).unwrap()
    }

    #[test]
    fn the_jwks_has_what_is_published_with_the_key_that_signs_first() {
        let status = status(&[
            ("leaked", "Revoked"),
            ("old", "Retired"),
            ("present", "Active"),
            ("next", "Standby"),
        ]);
        let text = answer(&status, None).unwrap();
        assert!(text.ends_with("}\n"), "{text}");
        let set: Value = serde_json::from_str(&text).unwrap();
        let kids: Vec<_> = set["keys"].as_array().unwrap().iter().map(|key| &key["kid"]).collect();
        assert_eq!(kids, ["present", "next", "old"]);
        assert_eq!(set["keys"][0], serde_json::to_value(&status.keystore[2].key).unwrap());
    }

    #[test]
    fn a_kid_may_begin_with_a_hyphen() {
        #[derive(Debug, clap::Parser)]
        struct Line {
            #[command(flatten)]
            jwks: Jwks,
        }
        let line = <Line as clap::Parser>::try_parse_from(["jwks", "acme", "--pem", "-n8f"]);
        assert_eq!(line.unwrap().jwks.pem.as_deref(), Some("-n8f"));
    }

    #[test]
    fn one_key_is_printed_as_pem_unless_it_is_revoked() {
        let status = status(&[("leaked", "Revoked"), ("present", "Active")]);
        let pem = answer(&status, Some("present")).unwrap();
        assert!(pem.starts_with("-----BEGIN PUBLIC KEY-----\n"), "{pem}");
        assert!(pem.ends_with("-----END PUBLIC KEY-----\n"), "{pem}");
        let error = answer(&status, Some("leaked")).unwrap_err();
        assert!(error.starts_with("has revoked the key leaked"), "{error}");
        let error = answer(&status, Some("other")).unwrap_err();
        assert_eq!(error, "has no key other: say one of present");
    }

    #[test]
    fn a_tenant_without_keys_says_why() {
        let error = answer(&Status::default(), None).unwrap_err();
        assert!(error.starts_with("has no keys yet"), "{error}");
        let conditions = json!({"conditions": [{
            "type": "Ready", "status": "False", "reason": "Conflict", "message": "it is taken",
            "observedGeneration": 1, "lastTransitionTime": "2026-01-01T00:00:00Z",
        }]});
        let status: Status = serde_json::from_value(conditions).unwrap();
        for kid in [None, Some("any")] {
            assert_eq!(answer(&status, kid).unwrap_err(), "has no keys: it is taken (Conflict)");
        }
    }

    #[test]
    fn a_name_is_a_part_of_a_path() {
        assert_eq!(object_name("acme-1.eu"), Ok("acme-1.eu".into()));
        for other in ["", "a/b", "a b", "Acme", "a?b", "ä"] {
            assert!(object_name(other).is_err(), "{other:?}");
        }
    }
}
