//! The Secrets that passwords come from, and the key of their fingerprints.

use std::collections::BTreeMap;

use getrandom::SysRng;
use k8s_openapi::{
    ByteString,
    api::core::v1::Secret,
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference},
};
use kube::{Client, ResourceExt};
use rand_core::UnwrapErr;
use tokio::sync::OnceCell;
use zeroize::Zeroizing;

use super::{api_error, index::ObjectId};
use crate::{
    password::{FingerprintKey, Hasher},
    policy::{Problem, Reason},
    secrets,
};

/// The Secret with the key of all fingerprints, in the operator's namespace.
const FINGERPRINT_SECRET: &str = "keyreeve-fingerprint";
/// The key in it.
const FINGERPRINT_KEY: &str = "key";

/// What passwords need beside the store.
pub struct Passwords {
    client: Client,
    operator_namespace: String,
    /// Kubernetes namespaces whose Secrets may be read; all that are watched if empty.
    namespaces: Vec<String>,
    key: OnceCell<FingerprintKey>,
    /// Hashes them.
    pub hasher: Hasher,
}

/// A Secret that holds a password.
pub struct PasswordSecret {
    /// The UIDs of its owners.
    pub owners: Vec<String>,
    /// What is under the key, if there is one.
    pub value: Option<Zeroizing<Vec<u8>>>,
}

impl Passwords {
    /// Passwords from the Secrets of these namespaces.
    #[must_use]
    pub fn new(client: Client, operator_namespace: &str, namespaces: &[String]) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            client,
            operator_namespace: operator_namespace.into(),
            namespaces: namespaces.to_vec(),
            key: OnceCell::new(),
            hasher: Hasher::new(cores),
        }
    }

    /// What is under a key of a Secret, if the Secret is there.
    pub async fn read(
        &self,
        secret: &ObjectId,
        key: &str,
    ) -> Result<Option<PasswordSecret>, Problem> {
        self.may_read(&secret.namespace)?;
        let found = secrets::read(&self.client, &secret.namespace, &secret.name).await;
        let Some(mut found) = found.map_err(|error| unread(secret, &error))? else {
            return Ok(None);
        };
        let value = found.data.as_mut().and_then(|data| data.remove(key));
        let owners = found.owner_references().iter().map(|owner| owner.uid.clone()).collect();
        secrets::wipe(found);
        Ok(Some(PasswordSecret { owners, value: value.map(|value| Zeroizing::new(value.0)) }))
    }

    /// Makes a Secret that holds a password, owned by a User. Fails if there is one.
    pub async fn create(
        &self,
        secret: &ObjectId,
        key: &str,
        password: &str,
        owner: OwnerReference,
    ) -> Result<(), Problem> {
        self.may_read(&secret.namespace)?;
        let made = Secret {
            metadata: ObjectMeta {
                name: Some(secret.name.clone()),
                owner_references: Some(vec![owner]),
                labels: Some(BTreeMap::from([(
                    "app.kubernetes.io/managed-by".into(),
                    "keyreeve".into(),
                )])),
                ..ObjectMeta::default()
            },
            type_: Some("Opaque".into()),
            data: Some(BTreeMap::from([(key.into(), ByteString(password.into()))])),
            ..Secret::default()
        };
        let made = secrets::create(&self.client, &secret.namespace, made).await;
        // Also where it is forbidden: a quota may be used up, or the namespace may be going.
        made.map(|_| ()).map_err(|error| {
            api_error::problem(&format!("making the Secret {}", secret.name), &error)
        })
    }

    /// The key of the fingerprints: read once, and made if there is none.
    pub async fn fingerprint_key(&self) -> Result<&FingerprintKey, Problem> {
        self.key.get_or_try_init(|| self.find_or_make_key()).await
    }

    async fn find_or_make_key(&self) -> Result<FingerprintKey, Problem> {
        let place = ObjectId::new(&self.operator_namespace, FINGERPRINT_SECRET);
        if let Some(key) = self.stored_key(&place).await? {
            return Ok(key);
        }
        let key = FingerprintKey::generate(&mut UnwrapErr(SysRng));
        let made = Secret {
            metadata: ObjectMeta { name: Some(place.name.clone()), ..ObjectMeta::default() },
            data: Some(BTreeMap::from([(
                FINGERPRINT_KEY.into(),
                ByteString(key.as_bytes().to_vec()),
            )])),
            ..Secret::default()
        };
        match secrets::create(&self.client, &place.namespace, made).await {
            Ok(_) => Ok(key),
            // Another replica was faster.
            Err(kube::Error::Api(status)) if status.is_already_exists() => {
                self.stored_key(&place).await?.ok_or_else(|| {
                    Problem::transient(
                        Reason::ApiError,
                        format!("the Secret {place} came and went"),
                    )
                })
            }
            Err(error) => Err(api_error::problem(&format!("making the Secret {place}"), &error)),
        }
    }

    async fn stored_key(&self, place: &ObjectId) -> Result<Option<FingerprintKey>, Problem> {
        let found = secrets::read(&self.client, &place.namespace, &place.name).await;
        let found = found
            .map_err(|error| api_error::problem(&format!("reading the Secret {place}"), &error))?;
        let Some(found) = found else { return Ok(None) };
        let key = found.data.as_ref().and_then(|data| data.get(FINGERPRINT_KEY));
        let key = key.and_then(|key| FingerprintKey::from_bytes(&key.0));
        secrets::wipe(found);
        key.map(Some).ok_or_else(|| {
            // Tried again: no User refers to this Secret, so that its mending wakes nobody.
            Problem::transient(
                Reason::PasswordKeyDamaged,
                format!(
                    "the Secret {place} does not hold 32 bytes under {FINGERPRINT_KEY}: restore it; or delete it, and no password is set anew until its Secret changes"
                ),
            )
        })
    }

    fn may_read(&self, namespace: &str) -> Result<(), Problem> {
        if self.namespaces.is_empty() || self.namespaces.iter().any(|allowed| allowed == namespace)
        {
            return Ok(());
        }
        Err(forbidden(namespace))
    }
}

/// The operator may not read Secrets there.
fn forbidden(namespace: &str) -> Problem {
    Problem::terminal(
        Reason::SecretsForbidden,
        format!(
            "spec.password: the operator may not read Secrets in the namespace {namespace}: add it to the chart's value secrets.namespaces, or take spec.password out"
        ),
    )
}

fn unread(secret: &ObjectId, error: &kube::Error) -> Problem {
    match error {
        kube::Error::Api(status) if status.is_forbidden() => forbidden(&secret.namespace),
        error => api_error::problem(&format!("reading the Secret {}", secret.name), error),
    }
}
