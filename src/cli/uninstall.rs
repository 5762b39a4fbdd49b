//! `keyreeve uninstall`: takes the operator's finalizers off, before the operator goes for good.

use std::{
    collections::BTreeSet,
    fmt::Debug,
    io::{self, Write},
    time::Duration,
};

use clap::Args;
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::{apps::v1::Deployment, core::v1::Pod};
use kube::{
    Api, Client, Config, Resource, ResourceExt,
    api::{ListParams, Patch, PatchParams},
    core::NamespaceResourceScope,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::{
    api::{FINALIZER, Namespace, Role, Tenant, User},
    controller::root_cause,
};

/// How long the operator's Pods may take to end: more than the 30 seconds that they are given.
const STOPS: Duration = Duration::from_mins(2);
/// How long finalizers may come back before it is said that an operator still runs.
const COMES_BACK: Duration = Duration::from_secs(10);
/// How long nothing is asked between two looks.
const PAUSE: Duration = Duration::from_millis(500);
/// How many objects are asked for at once, and changed at the same time.
const PAGE: u32 = 500;
const AT_ONCE: usize = 8;

/// Take the operator's finalizers off all Tenants, Namespaces, Roles and Users, so that none of them
/// waits for an operator that is gone.
///
/// Nothing else is changed: the objects stay as they are, and so does what is in the store. One that is being
/// deleted goes, and what it made is kept. An operator that is started again puts the finalizers back.
/// The chart runs this before it is uninstalled, if uninstall.removeFinalizers is set.
#[derive(Debug, Args)]
pub struct Uninstall {
    /// Only in this Kubernetes namespace. Repeatable; in all unless given.
    #[arg(long, env = "KEYREEVE_WATCH_NAMESPACE", value_name = "NAMESPACE", value_delimiter = ',')]
    watch_namespace: Vec<String>,

    /// Scale this Deployment, the operator's, to zero first, and wait until its Pods are gone: it would put the finalizers back.
    #[arg(long, value_name = "NAME")]
    deployment: Option<String>,

    /// The namespace of that Deployment. Default: that of the kubeconfig's context.
    #[arg(long, env = "POD_NAMESPACE", value_name = "NAMESPACE")]
    operator_namespace: Option<String>,

    /// Say only which objects have one.
    #[arg(long)]
    dry_run: bool,
}

/// An object with the operator's finalizer.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Held {
    namespace: String,
    name: String,
    finalizers: Vec<String>,
}

/// A kind of ours.
trait Object:
    Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned
{
}

impl<K> Object for K where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + Debug
        + DeserializeOwned
{
}

impl Uninstall {
    pub fn execute(self) -> Result<(), String> {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| format!("the runtime cannot be started: {error}"))?
            .block_on(self.run())
    }

    async fn run(mut self) -> Result<(), String> {
        // An environment variable that is empty says nothing.
        self.watch_namespace.retain(|namespace| !namespace.is_empty());
        let config = Config::infer()
            .await
            .map_err(|error| format!("no cluster is configured: {error}. Set KUBECONFIG"))?;
        let operator_namespace = self
            .operator_namespace
            .clone()
            .filter(|namespace| !namespace.is_empty())
            .unwrap_or_else(|| config.default_namespace.clone());
        let client = Client::try_from(config)
            .map_err(|error| format!("the cluster's configuration cannot be used: {error}"))?;
        if let Some(deployment) = self.deployment.as_deref().filter(|_| !self.dry_run) {
            stop(&client, &operator_namespace, deployment).await?;
        }
        // Tenants last: what is in one waits for it when it is deleted, and not the other way round.
        self.release::<User>(&client).await?;
        self.release::<Role>(&client).await?;
        self.release::<Namespace>(&client).await?;
        self.release::<Tenant>(&client).await
    }

    /// Takes the finalizers off all objects of a kind, and looks whether they stay off.
    async fn release<K>(&self, client: &Client) -> Result<(), String>
    where
        K: Object,
    {
        let kind = K::plural(&());
        let mut released = BTreeSet::new();
        // Counted from the end of the first round: that of many objects takes long.
        let mut deadline = None;
        loop {
            let held = held::<K>(client, &self.watch_namespace).await?;
            if self.dry_run {
                for Held { namespace, name, .. } in &held {
                    say(&format!("{kind} {namespace}/{name}: would be released"))?;
                }
                return Ok(());
            }
            let Some(first) = held.first() else { break };
            if deadline.is_some_and(|deadline| Instant::now() > deadline) {
                return Err(format!(
                    "{kind} {}/{} and {} more have the finalizer {FINALIZER} again: an operator still runs, which puts it back. Stop it (--deployment names its Deployment), and run this again",
                    first.namespace,
                    first.name,
                    held.len() - 1
                ));
            }
            stream::iter(&held)
                .map(|object| take_off::<K>(client, object))
                .buffer_unordered(AT_ONCE)
                .try_collect::<Vec<()>>()
                .await?;
            deadline.get_or_insert(Instant::now() + COMES_BACK);
            released.extend(held.into_iter().map(|held| (held.namespace, held.name)));
            sleep(PAUSE).await;
        }
        say(&format!("{kind}: released {}", released.len()))
    }
}

/// Scales the Deployment to zero, and waits until its Pods are gone.
async fn stop(client: &Client, namespace: &str, name: &str) -> Result<(), String> {
    let what = format!("the Deployment {namespace}/{name}");
    let refused = |doing: &str, error: &kube::Error| {
        format!("{doing} {what} failed: {}. The operator must not run meanwhile", root_cause(error))
    };
    let deployments = Api::<Deployment>::namespaced(client.clone(), namespace);
    let found = deployments.get_opt(name).await.map_err(|error| refused("reading", &error))?;
    let Some(deployment) = found else {
        return say(&format!("{what} is not there: nothing to stop"));
    };
    let labels = deployment.spec.and_then(|spec| spec.selector.match_labels).unwrap_or_default();
    if labels.is_empty() {
        return Err(format!("{what} does not say by labels which Pods are its own"));
    }
    let zero = Patch::Merge(json!({"spec": {"replicas": 0}}));
    deployments
        .patch_scale(name, &PatchParams::default(), &zero)
        .await
        .map_err(|error| refused("scaling", &error))?;
    let pods = Api::<Pod>::namespaced(client.clone(), namespace);
    let own: Vec<_> = labels.iter().map(|(label, value)| format!("{label}={value}")).collect();
    let own = ListParams::default().labels(&own.join(","));
    let deadline = Instant::now() + STOPS;
    loop {
        let left = pods.list(&own).await.map_err(|error| refused("finding the Pods of", &error))?;
        let Some(pod) = left.items.iter().find(|pod| is_alive(pod)) else { break };
        if Instant::now() > deadline {
            return Err(format!(
                "the Pod {namespace}/{} of {what} does not end. Delete it, and run this again",
                pod.name_any()
            ));
        }
        sleep(PAUSE).await;
    }
    say(&format!("{what} is stopped"))
}

/// Whether it may still work: one that has ended stays for a while, to be looked at.
fn is_alive(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    !matches!(phase, Some("Succeeded" | "Failed"))
}

/// The objects of a kind that have the operator's finalizer, in these namespaces or in all. Only their metadata
/// is read, so that one whose spec is no longer understood is among them.
async fn held<K>(client: &Client, namespaces: &[String]) -> Result<Vec<Held>, String>
where
    K: Object,
{
    let everywhere = namespaces.is_empty().then(|| Api::<K>::all(client.clone()));
    let apis = namespaces.iter().map(|namespace| Api::<K>::namespaced(client.clone(), namespace));
    let mut held = Vec::new();
    for api in apis.chain(everywhere) {
        let mut page = ListParams::default().limit(PAGE);
        loop {
            let list = match api.list_metadata(&page).await {
                Ok(list) => list,
                // The CRD is gone, and all objects with it.
                Err(kube::Error::Api(status)) if status.code == 404 => break,
                Err(error) => {
                    let what = K::plural(&());
                    return Err(format!("listing {what} failed: {}", root_cause(&error)));
                }
            };
            let more = list.metadata.continue_.filter(|token| !token.is_empty());
            let ours = list.items.into_iter().filter(|object| {
                object.finalizers().iter().any(|finalizer| finalizer == FINALIZER)
            });
            held.extend(ours.map(|object| Held {
                namespace: object.namespace().unwrap_or_default(),
                name: object.name_any(),
                finalizers: object.finalizers().to_vec(),
            }));
            match more {
                Some(token) => page = page.continue_token(&token),
                None => break,
            }
        }
    }
    Ok(held)
}

/// Takes the finalizer off one object. One that has changed meanwhile is left for the next look.
async fn take_off<K>(client: &Client, object: &Held) -> Result<(), String>
where
    K: Object,
{
    let patch = serde_json::from_value(removal(&object.finalizers))
        .map_err(|error| format!("the patch cannot be written: {error}"))?;
    let api = Api::<K>::namespaced(client.clone(), &object.namespace);
    let patch = Patch::Json::<()>(patch);
    match api.patch_metadata(&object.name, &PatchParams::default(), &patch).await {
        Ok(_) => Ok(()),
        // Gone, changed, or its finalizers are others by now.
        Err(kube::Error::Api(status)) if [404, 409, 422].contains(&status.code) => Ok(()),
        Err(error) => Err(format!(
            "the finalizer of {} {}/{} cannot be removed: {}",
            K::plural(&()),
            object.namespace,
            object.name,
            root_cause(&error)
        )),
    }
}

/// The JSON patch (RFC 6902) that removes our finalizer and nothing else, where it was found.
fn removal(finalizers: &[String]) -> Value {
    let at = finalizers.iter().position(|finalizer| finalizer == FINALIZER).unwrap_or_default();
    let path = format!("/metadata/finalizers/{at}");
    json!([{"op": "test", "path": path, "value": FINALIZER}, {"op": "remove", "path": path}])
}

fn say(line: &str) -> Result<(), String> {
    match writeln!(io::stdout(), "{line}") {
        // The reader has seen enough, as `| head` has.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        end => end.map_err(|error| format!("nothing can be printed: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_finalizer_is_removed_and_only_where_it_still_is() {
        let finalizers = ["example.com/backup", FINALIZER, "foregroundDeletion"];
        let finalizers = finalizers.map(ToOwned::to_owned);
        assert_eq!(
            removal(&finalizers),
            json!([
                {"op": "test", "path": "/metadata/finalizers/1", "value": "keyreeve.dev/finalizer"},
                {"op": "remove", "path": "/metadata/finalizers/1"},
            ])
        );
    }
}
