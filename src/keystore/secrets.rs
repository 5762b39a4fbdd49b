//! The keystores of all tenants, in their Kubernetes namespace.
//!
//! A Secret's content is read only when it has changed: what was found whole is
//! remembered by the Secret's version, without the private halves. Every write
//! is on condition that the Secret is still the one that was read.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client,
    api::{DeleteParams, Patch, PatchParams, Preconditions},
    core::{ObjectMeta, PartialObjectMeta},
};
use tokio::sync::{Semaphore, watch};
use zeroize::Zeroizing;

use super::{
    generate::{GenerateError, PrivateKey},
    secret::{self, Damage},
};
use crate::{
    policy::{
        claim::Mark,
        ledger::{KeyType, Ledger},
    },
    secrets,
};

/// The keystores of all tenants.
pub struct Keystores {
    client: Client,
    /// Of metadata alone: kube logs an answer that it cannot read, and contents must not be in any log.
    api: Api<PartialObjectMeta<Secret>>,
    namespace: String,
    seen: Mutex<HashMap<String, Seen>>,
    /// The tenants whose keystores are being written just now.
    writing: watch::Sender<HashSet<String>>,
    /// Making a key takes a core.
    cores: Semaphore,
}

/// A keystore as it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Whose it is; none if its mark is missing or cannot be read.
    pub mark: Option<Mark>,
    /// Its keys, if it is whole.
    pub ledger: Result<Ledger, Damage>,
    /// Whether an annotation holds a copy of it, as `kubectl apply` makes it.
    pub has_copy: bool,
    version: Version,
}

/// What became of a keystore that was to be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removed {
    /// It is gone.
    Gone,
    /// It was not there.
    NotThere,
    /// It carries another mark, or none, and was left alone.
    NotOurs,
}

/// Which Secret it is, and in which state.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Version {
    uid: Option<String>,
    resource_version: Option<String>,
}

struct Seen {
    version: Version,
    ledger: Result<Ledger, Damage>,
}

/// A write that is under way until this is dropped.
struct Writing<'a> {
    of: &'a watch::Sender<HashSet<String>>,
    tenant_id: String,
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        self.of.send_modify(|writing| {
            writing.remove(&self.tenant_id);
        });
    }
}

impl Version {
    fn of(meta: &ObjectMeta) -> Self {
        Self { uid: meta.uid.clone(), resource_version: meta.resource_version.clone() }
    }
}

impl Keystores {
    /// The keystores in that namespace.
    #[must_use]
    pub fn new(client: Client, namespace: &str) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            api: Api::namespaced(client.clone(), namespace),
            client,
            namespace: namespace.into(),
            seen: Mutex::default(),
            writing: watch::Sender::default(),
            cores: Semaphore::new(cores),
        }
    }

    /// Where a tenant's keystore is, for people: namespace and name of the Secret.
    #[must_use]
    pub fn place(&self, tenant_id: &str) -> String {
        format!("{}/{}", self.namespace, secret::name(tenant_id))
    }

    /// The command that gives a Secret back the mark that it has lost.
    #[must_use]
    pub fn how_to_mark(&self, tenant_id: &str, mark: &Mark) -> String {
        format!(
            "kubectl --namespace {} annotate secret {} {}",
            self.namespace,
            secret::name(tenant_id),
            secret::how_to_mark(mark)
        )
    }

    /// Whether this version of a Secret is the one that was read or written last. Waits for a write
    /// that is under way: its answer may come after the watch has told of it.
    pub async fn has_seen(&self, meta: &ObjectMeta) -> bool {
        let tenant_id = meta.name.as_deref().and_then(secret::tenant_of).unwrap_or_default();
        // Its sender lives as long as this.
        let _ = self.writing.subscribe().wait_for(|writing| !writing.contains(tenant_id)).await;
        self.seen().get(tenant_id).is_some_and(|seen| seen.version == Version::of(meta))
    }

    /// The keystore of a tenant, if there is one.
    pub async fn observe(&self, tenant_id: &str) -> Result<Option<Found>, kube::Error> {
        let name = secret::name(tenant_id);
        let Some(meta) = self.api.get_metadata_opt(&name).await? else {
            self.seen().remove(tenant_id);
            return Ok(None);
        };
        let version = Version::of(&meta.metadata);
        if let Some(seen) = self.seen().get(tenant_id).filter(|seen| seen.version == version) {
            return Ok(Some(Found {
                mark: secret::mark(&meta.metadata),
                ledger: seen.ledger.clone(),
                has_copy: secret::has_copy(&meta.metadata),
                version,
            }));
        }
        let Some(whole) = secrets::read(&self.client, &self.namespace, &name).await? else {
            return Ok(None);
        };
        let (mark, version) = (secret::mark(&whole.metadata), Version::of(&whole.metadata));
        let has_copy = secret::has_copy(&whole.metadata);
        let read = tokio::task::spawn_blocking(move || {
            let ledger = secret::read(&whole);
            secrets::wipe(whole);
            ledger
        });
        let ledger = read.await.map_err(|error| kube::Error::Service(error.into()))?;
        self.remember(tenant_id, version.clone(), ledger.clone());
        Ok(Some(Found { mark, ledger, has_copy, version }))
    }

    /// The private halves of these keys of a tenant, by kid, in PEM; only of those that there are.
    pub async fn private_halves(
        &self,
        tenant_id: &str,
        kids: &[String],
    ) -> Result<HashMap<String, Zeroizing<String>>, kube::Error> {
        let name = secret::name(tenant_id);
        let Some(mut whole) = secrets::read(&self.client, &self.namespace, &name).await? else {
            return Ok(HashMap::new());
        };
        let mut halves = HashMap::new();
        for kid in kids {
            let data = whole.data.as_mut();
            let pem = data.and_then(|data| data.remove(&secret::pem_name(kid)));
            let Some(pem) = pem.map(|pem| Zeroizing::new(pem.0)) else { continue };
            if let Ok(pem) = std::str::from_utf8(&pem) {
                halves.insert(kid.clone(), Zeroizing::new(pem.to_owned()));
            }
        }
        secrets::wipe(whole);
        Ok(halves)
    }

    /// Makes a tenant's keystore with its first key. Fails if there is one.
    pub async fn create(
        &self,
        tenant_id: &str,
        mark: &Mark,
        ledger: Ledger,
        key: &PrivateKey,
    ) -> Result<(), kube::Error> {
        let _writing = self.begin_writing(tenant_id);
        let secret = secret::new(tenant_id, mark, &ledger, key);
        let made = secrets::create(&self.client, &self.namespace, secret).await?;
        self.remember(tenant_id, Version::of(&made.metadata), Ok(ledger));
        Ok(())
    }

    /// Brings a keystore from `before` to `after`, with the private half of a new key, and marks it.
    pub async fn update(
        &self,
        tenant_id: &str,
        found: &Found,
        mark: &Mark,
        (before, after): (&Ledger, Ledger),
        key: Option<&PrivateKey>,
    ) -> Result<(), kube::Error> {
        let _writing = self.begin_writing(tenant_id);
        let version = found.version.resource_version.as_deref().unwrap_or_default();
        let patch = Patch::Merge(secret::patch(version, mark, before, &after, key));
        let name = secret::name(tenant_id);
        let written = self.api.patch_metadata(&name, &PatchParams::default(), &patch).await;
        secrets::wipe_patch(patch);
        let written = written?;
        self.remember(tenant_id, Version::of(&written.metadata), Ok(after));
        Ok(())
    }

    /// Removes a tenant's keystore, if it carries exactly this mark.
    pub async fn remove(&self, tenant_id: &str, mark: &Mark) -> Result<Removed, kube::Error> {
        let name = secret::name(tenant_id);
        let Some(meta) = self.api.get_metadata_opt(&name).await? else {
            return Ok(Removed::NotThere);
        };
        if secret::mark(&meta.metadata).as_ref() != Some(mark) {
            return Ok(Removed::NotOurs);
        }
        let Version { uid, resource_version } = Version::of(&meta.metadata);
        let params = DeleteParams::default().preconditions(Preconditions { uid, resource_version });
        match self.api.delete(&name, &params).await {
            Err(kube::Error::Api(status)) if status.is_not_found() => return Ok(Removed::NotThere),
            end => end?,
        };
        self.forget(&name);
        Ok(Removed::Gone)
    }

    /// Forgets what was read of a Secret: it is gone.
    pub fn forget(&self, name: &str) {
        self.seen().remove(secret::tenant_of(name).unwrap_or_default());
    }

    /// Makes a key, off the async threads and on at most as many threads as there are cores.
    pub async fn generate(&self, key_type: KeyType) -> Result<PrivateKey, GenerateError> {
        // It is never closed.
        let _core = self.cores.acquire().await;
        tokio::task::spawn_blocking(move || PrivateKey::generate(key_type))
            .await
            .unwrap_or_else(|error| Err(GenerateError(error.to_string())))
    }

    fn begin_writing(&self, tenant_id: &str) -> Writing<'_> {
        self.writing.send_modify(|writing| {
            writing.insert(tenant_id.to_owned());
        });
        Writing { of: &self.writing, tenant_id: tenant_id.into() }
    }

    fn remember(&self, tenant_id: &str, version: Version, ledger: Result<Ledger, Damage>) {
        self.seen().insert(tenant_id.to_owned(), Seen { version, ledger });
    }

    fn seen(&self) -> MutexGuard<'_, HashMap<String, Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
