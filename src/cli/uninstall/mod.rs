//! `keyreeve uninstall`: takes the operator's finalizers off, before the operator goes for good.

mod absence;
mod deployment;

use std::{
    collections::BTreeSet,
    io::{self, Write},
    time::Duration,
};

use clap::Args;
use futures::{StreamExt, TryStreamExt, stream};
use kube::{
    Api, Client, Config, ResourceExt,
    api::{ApiResource, DynamicObject, ListParams, Patch, PatchParams},
};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use self::{
    absence::{Absence, Next},
    deployment::Stopped,
};
use crate::{
    api::{FINALIZER, Namespace, Role, Tenant, User},
    controller::root_cause,
};

/// How long nothing is asked between two looks.
const PAUSE: Duration = Duration::from_millis(500);
/// How many objects are asked for at once, and changed at the same time.
const PAGE: u32 = 500;
const AT_ONCE: usize = 8;

/// Take the operator's finalizers off all Tenants, Namespaces, Roles and Users, so that none of them
/// waits for an operator that is gone.
///
/// Nothing else is changed: the objects stay as they are, and so does what is in the store. One that is being
/// deleted goes, and what it made is kept. An operator that is started again puts the finalizers back, and one that
/// still runs does: so it looks until they have stayed off for 5 seconds if it has stopped the operator itself, else
/// for 25 seconds, in which another replica would have taken over.
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
#[derive(Clone, Debug)]
struct Held {
    resource: ApiResource,
    namespace: String,
    name: String,
    finalizers: Vec<String>,
}

impl Held {
    fn id(&self) -> String {
        format!("{} {}/{}", self.resource.plural, self.namespace, self.name)
    }
}

/// Those that have it. Tenants last: what is in one waits for it when it is deleted, and not the other way round.
fn resources() -> [ApiResource; 4] {
    [
        ApiResource::erase::<User>(&()),
        ApiResource::erase::<Role>(&()),
        ApiResource::erase::<Namespace>(&()),
        ApiResource::erase::<Tenant>(&()),
    ]
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
        if self.dry_run {
            for held in held(&client, &self.watch_namespace).await? {
                say(&format!("{}: would be released", held.id()))?;
            }
            return Ok(());
        }
        let stopped = match &self.deployment {
            Some(name) => Some(Stopped::by_scaling(&client, &operator_namespace, name).await?),
            None => None,
        };
        let released = release(
            &client,
            &self.watch_namespace,
            stopped.as_ref().is_some_and(|stopped| stopped.was_there),
        )
        .await?;
        if let Some(stopped) = stopped {
            stopped.still().await?;
        }
        for resource in resources() {
            let kind = resource.plural;
            let number = released.iter().filter(|(of, ..)| *of == kind).count();
            say(&format!("{kind}: released {number}"))?;
        }
        Ok(())
    }
}

/// Takes the finalizers off all objects, until they have stayed off for long enough. Says which these are: each a
/// kind, a namespace and a name.
async fn release(
    client: &Client,
    namespaces: &[String],
    is_stopped: bool,
) -> Result<BTreeSet<(String, String, String)>, String> {
    let mut released = BTreeSet::new();
    let mut absence = Absence::new(is_stopped);
    loop {
        let began = Instant::now();
        let held = held(client, namespaces).await?;
        match absence.seen(!held.is_empty(), began) {
            Next::Done => return Ok(released),
            Next::Again => {}
            Next::TakeOff => {
                stream::iter(&held)
                    .map(|object| take_off(client, object))
                    .buffered(AT_ONCE)
                    .try_collect::<Vec<()>>()
                    .await?;
                absence.taken_off(Instant::now());
            }
            Next::ComesBack => {
                let first = held.first().map(Held::id).unwrap_or_default();
                return Err(format!(
                    "{first} and {} more have the finalizer {FINALIZER} again: an operator still runs, which puts it back. Stop it (--deployment names its Deployment), and run this again",
                    held.len().saturating_sub(1)
                ));
            }
        }
        let ids = held.into_iter().map(|held| (held.resource.plural, held.namespace, held.name));
        released.extend(ids);
        sleep(PAUSE).await;
    }
}

/// The objects that have the operator's finalizer, in these namespaces or in all. Only their metadata is read, so that
/// one whose spec is no longer understood is among them.
async fn held(client: &Client, namespaces: &[String]) -> Result<Vec<Held>, String> {
    let mut held = Vec::new();
    for resource in resources() {
        let everywhere = namespaces.is_empty().then(|| Api::all_with(client.clone(), &resource));
        let apis =
            namespaces.iter().map(|name| Api::namespaced_with(client.clone(), name, &resource));
        for api in apis.chain(everywhere) {
            held_by(&api, &resource, &mut held).await?;
        }
    }
    Ok(held)
}

async fn held_by(
    api: &Api<DynamicObject>,
    resource: &ApiResource,
    held: &mut Vec<Held>,
) -> Result<(), String> {
    let mut page = ListParams::default().limit(PAGE);
    loop {
        let list = match api.list_metadata(&page).await {
            Ok(list) => list,
            // The CRD is gone, and all objects with it.
            Err(kube::Error::Api(status)) if status.code == 404 => return Ok(()),
            Err(error) => {
                return Err(format!("listing {} failed: {}", resource.plural, root_cause(&error)));
            }
        };
        let more = list.metadata.continue_.filter(|token| !token.is_empty());
        let ours = list
            .items
            .into_iter()
            .filter(|object| object.finalizers().iter().any(|finalizer| finalizer == FINALIZER));
        held.extend(ours.map(|object| Held {
            resource: resource.clone(),
            namespace: object.namespace().unwrap_or_default(),
            name: object.name_any(),
            finalizers: object.finalizers().to_vec(),
        }));
        match more {
            Some(token) => page = page.continue_token(&token),
            None => return Ok(()),
        }
    }
}

/// Takes the finalizer off one object. One that has changed meanwhile is left for the next look.
async fn take_off(client: &Client, object: &Held) -> Result<(), String> {
    let patch = serde_json::from_value(removal(&object.finalizers))
        .map_err(|error| format!("the patch cannot be written: {error}"))?;
    let api: Api<DynamicObject> =
        Api::namespaced_with(client.clone(), &object.namespace, &object.resource);
    let patch = Patch::Json::<()>(patch);
    match api.patch_metadata(&object.name, &PatchParams::default(), &patch).await {
        Ok(_) => Ok(()),
        // Gone, changed, or its finalizers are others by now.
        Err(kube::Error::Api(status)) if [404, 409, 422].contains(&status.code) => Ok(()),
        Err(error) => Err(format!(
            "the finalizer of {} cannot be removed: {}",
            object.id(),
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
