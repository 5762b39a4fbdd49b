//! A Kubernetes namespace of the test's own, and a folder for its store.

use std::{
    fmt::Debug,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use k8s_openapi::api::{core::v1::Namespace as KubeNamespace, events::v1::Event};
use keyreeve::api::{Condition, Tenant, TenantProfile};
use kube::{
    Api, Client, Config, Resource, ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
    config::{KubeConfigOptions, Kubeconfig},
    core::NamespaceResourceScope,
    runtime::wait::await_condition,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::timeout;

use super::{Database, PATIENCE, rights, setting};

static COUNT: AtomicU32 = AtomicU32::new(0);

/// A namespace of the test's own. Its name begins with the test's and is new in each run.
pub struct Space {
    pub client: Client,
    pub namespace: String,
    /// As whom the operator comes to the control plane.
    pub operator_kubeconfig: PathBuf,
    folder: TempDir,
}

/// What a test asks of a kind's status.
pub trait Conditions {
    fn conditions(&self) -> &[Condition];

    fn condition(&self, type_: &str) -> Option<&Condition> {
        self.conditions().iter().find(|condition| condition.type_ == type_)
    }

    /// Ready's status and reason.
    fn ready(&self) -> Option<(&str, &str)> {
        self.condition("Ready")
            .map(|condition| (condition.status.as_str(), condition.reason.as_str()))
    }

    fn is_ready(&self) -> bool {
        self.condition("Ready").is_some_and(|ready| ready.status == "True")
    }

    fn has_reason(&self, reason: &str) -> bool {
        self.condition("Ready").is_some_and(|ready| ready.reason == reason)
    }

    /// Whether it waits for something that mends by itself.
    fn is_reconciling(&self, reason: &str) -> bool {
        self.has_reason(reason) && self.condition("Reconciling").is_some()
    }

    /// Whether it needs a person.
    fn is_stalled(&self, reason: &str) -> bool {
        self.has_reason(reason) && self.condition("Stalled").is_some()
    }

    /// Ready's message.
    fn message(&self) -> &str {
        self.condition("Ready").map(|ready| ready.message.as_str()).unwrap_or_default()
    }
}

impl Conditions for Tenant {
    fn conditions(&self) -> &[Condition] {
        self.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default()
    }
}

impl Conditions for TenantProfile {
    fn conditions(&self) -> &[Condition] {
        self.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default()
    }
}

impl Space {
    pub async fn new(name: &str) -> Self {
        let operator = setting("KEYREEVE_TEST_OPERATOR_KUBECONFIG").into();
        let space = Self::on(admin().await, operator, name).await;
        space.grant_keystores(&space.namespace).await;
        space
    }

    /// A namespace on a control plane that is not the common one.
    pub async fn on(client: Client, operator_kubeconfig: PathBuf, name: &str) -> Self {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let namespace = format!("{name}-{}-{number}", std::process::id());
        let space = Self::within(client, operator_kubeconfig, &namespace);
        space.make_namespace(&space.namespace, &[]).await;
        space
    }

    /// A namespace that is there.
    pub fn within(client: Client, operator_kubeconfig: PathBuf, namespace: &str) -> Self {
        let folder = TempDir::new().unwrap();
        Self { client, namespace: namespace.into(), operator_kubeconfig, folder }
    }

    /// Another namespace beside the test's own, removed with the control plane.
    pub async fn another(&self, suffix: &str, labels: &[(&str, &str)]) -> String {
        let name = format!("{}-{suffix}", self.namespace);
        self.make_namespace(&name, labels).await;
        name
    }

    /// Another namespace in which the operator may keep keystores.
    pub async fn another_for_keystores(&self, suffix: &str) -> String {
        let name = self.another(suffix, &[]).await;
        self.grant_keystores(&name).await;
        name
    }

    async fn grant_keystores(&self, namespace: &str) {
        let log = setting("KEYREEVE_TEST_AUDIT_LOG");
        rights::grant_keystores(&self.client, namespace, log.as_ref()).await;
    }

    async fn make_namespace(&self, name: &str, labels: &[(&str, &str)]) {
        let labels: serde_json::Map<_, _> =
            labels.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
        let namespace =
            serde_json::from_value(json!({"metadata": {"name": name, "labels": labels}})).unwrap();
        Api::<KubeNamespace>::all(self.client.clone())
            .create(&PostParams::default(), &namespace)
            .await
            .unwrap();
    }

    /// The file of the test's store.
    pub fn store_file(&self) -> PathBuf {
        self.folder.path().join("store.db")
    }

    pub fn folder(&self) -> PathBuf {
        self.folder.path().into()
    }

    /// The test's store before any operator has used it.
    pub async fn new_store(&self) -> Database {
        let url = format!("sqlite:{}", self.store_file().display()).parse().unwrap();
        drop(keyreeve::store::open(&url, &keyreeve::store::Credentials::default()).await.unwrap());
        self.database().await
    }

    /// The test's store, by another hand than the operator's.
    pub async fn database(&self) -> Database {
        Database::open(&self.store_file()).await
    }

    pub fn api<K>(&self) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    pub fn tenants(&self) -> Api<Tenant> {
        self.api()
    }

    pub fn profiles(&self) -> Api<TenantProfile> {
        self.api()
    }

    /// Creates an object in the test's namespace from its spec.
    pub async fn create<K>(&self, name: &str, spec: Value) -> K
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + Debug
            + Serialize
            + DeserializeOwned,
    {
        self.create_in(&self.namespace, name, spec).await
    }

    /// Creates an object from its spec.
    pub async fn create_in<K>(&self, namespace: &str, name: &str, spec: Value) -> K
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + Debug
            + Serialize
            + DeserializeOwned,
    {
        let object = serde_json::from_value(json!({
            "apiVersion": "keyreeve.dev/v1alpha1", "kind": K::kind(&()), "metadata": {"name": name}, "spec": spec,
        }))
        .unwrap();
        Api::<K>::namespaced(self.client.clone(), namespace)
            .create(&PostParams::default(), &object)
            .await
            .unwrap()
    }

    /// Merges a change into an object.
    pub async fn merge<K>(&self, name: &str, change: Value) -> K
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + Debug
            + DeserializeOwned,
    {
        self.api().patch(name, &PatchParams::default(), &Patch::Merge(change)).await.unwrap()
    }

    /// Asks for a resync now and waits until it was done.
    pub async fn resync(&self, tenant: &str) -> Tenant {
        let asked = format!("{:?}", std::time::Instant::now());
        self.merge::<Tenant>(
            tenant,
            json!({"metadata": {"annotations": {"keyreeve.dev/reconcile": asked}}}),
        )
        .await;
        self.tenant(tenant, "resynced", move |tenant| {
            tenant
                .status
                .as_ref()
                .and_then(|status| status.last_handled.as_ref()?.reconcile.as_ref())
                == Some(&asked)
        })
        .await
    }

    /// Waits until the Tenant is so.
    pub async fn tenant(
        &self,
        name: &str,
        what: &str,
        is_so: impl Fn(&Tenant) -> bool + Send,
    ) -> Tenant {
        until(self.tenants(), name, what, is_so).await
    }

    /// Waits until the TenantProfile is so.
    pub async fn profile(
        &self,
        name: &str,
        what: &str,
        is_so: impl Fn(&TenantProfile) -> bool + Send,
    ) -> TenantProfile {
        until(self.profiles(), name, what, is_so).await
    }

    /// Waits until the Tenant is Ready in its present generation.
    pub async fn ready(&self, name: &str) -> Tenant {
        self.tenant(name, "Ready", |tenant| tenant.is_ready() && is_current(tenant)).await
    }

    /// Takes a Tenant's whole status away, as nobody should.
    pub async fn wipe_status(&self, name: &str) {
        let nothing = Patch::Merge(json!({"status": null}));
        self.tenants().patch_status(name, &PatchParams::default(), &nothing).await.unwrap();
    }

    /// Creates the TenantProfile and waits until the operator has seen it.
    pub async fn make_profile(&self, name: &str, spec: Value) {
        self.create::<TenantProfile>(name, spec).await;
        self.profile(name, "Accepted", Conditions::is_ready).await;
    }

    /// Deletes a Tenant without waiting.
    pub async fn delete(&self, name: &str) {
        self.tenants().delete(name, &DeleteParams::default()).await.unwrap();
    }

    /// Waits until the Tenant is gone.
    pub async fn gone(&self, name: &str) {
        until_gone(self.tenants(), name).await;
    }

    /// The events of an object, as "Type Reason: note", oldest first.
    pub async fn events(&self, name: &str) -> Vec<String> {
        let mut events = self.api::<Event>().list(&ListParams::default()).await.unwrap().items;
        events.sort_by_key(|event| event.event_time.as_ref().map(|time| time.0));
        events
            .into_iter()
            .filter(|event| {
                event.regarding.as_ref().and_then(|regarding| regarding.name.as_deref())
                    == Some(name)
            })
            .map(|event| {
                format!(
                    "{} {}: {}",
                    event.type_.unwrap_or_default(),
                    event.reason.unwrap_or_default(),
                    event.note.unwrap_or_default()
                )
            })
            .collect()
    }

    /// How often an object was told of for this reason.
    pub async fn times_told(&self, name: &str, reason: &str) -> i32 {
        let events = self.api::<Event>().list(&ListParams::default()).await.unwrap();
        let about = events.items.into_iter().filter(|event| {
            let regarding =
                event.regarding.as_ref().and_then(|regarding| regarding.name.as_deref());
            regarding == Some(name) && event.reason.as_deref() == Some(reason)
        });
        about.map(|event| event.series.map_or(1, |series| series.count)).sum()
    }

    /// Waits until an object has an event that begins so.
    pub async fn event(&self, name: &str, beginning: &str) -> String {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let events = self.events(name).await;
            if let Some(event) = events.iter().find(|event| event.starts_with(beginning)) {
                return event.clone();
            }
            assert!(
                tokio::time::Instant::now() < deadline,
                "{name} has no event {beginning:?}: {events:#?}"
            );
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    }
}

/// Whether status speaks of the present generation.
pub fn is_current(tenant: &Tenant) -> bool {
    tenant
        .status
        .as_ref()
        .is_some_and(|status| Some(status.observed_generation) == tenant.meta().generation)
}

/// Waits until an object is so.
pub async fn until<K>(api: Api<K>, name: &str, what: &str, is_so: impl Fn(&K) -> bool + Send) -> K
where
    K: Resource + Clone + Debug + DeserializeOwned + Serialize + Send + 'static,
{
    // A Tenant takes much room, and each test that waits for one would have it in its own future.
    let reached = Box::pin(await_condition(api.clone(), name, |object: Option<&K>| {
        object.is_some_and(&is_so)
    }));
    match timeout(PATIENCE, reached).await {
        Ok(object) => object.unwrap().unwrap(),
        Err(_) => {
            let object = api.get_opt(name).await.unwrap().map(|mut object| {
                object.managed_fields_mut().clear();
                serde_json::to_value(object).unwrap()
            });
            panic!("{name} is not {what}: {:#}", object.unwrap_or_default())
        }
    }
}

/// Waits until an object is gone.
pub async fn until_gone<K>(api: Api<K>, name: &str)
where
    K: Resource + Clone + Debug + DeserializeOwned + Send + 'static,
{
    let gone = await_condition(api.clone(), name, |object: Option<&K>| object.is_none());
    if timeout(PATIENCE, gone).await.is_err() {
        panic!("{name} is still there: {:#?}", api.get_opt(name).await);
    }
}

/// The administrator's client.
pub async fn admin() -> Client {
    client(Path::new(&setting("KEYREEVE_TEST_KUBECONFIG"))).await
}

/// A client with the rights of a kubeconfig.
pub async fn client(kubeconfig: &Path) -> Client {
    let kubeconfig = Kubeconfig::read_from(kubeconfig).unwrap();
    let config =
        Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    Client::try_from(config).unwrap()
}
