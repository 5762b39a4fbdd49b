//! The labels of Kubernetes namespaces, for `allowedFrom.matchLabels`: metadata only.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::Namespace as KubeNamespace;
use kube::{
    Api, Client, ResourceExt,
    core::PartialObjectMeta,
    runtime::{
        WatchStreamExt,
        watcher::{self, Event, watcher},
    },
};

use super::{
    index::Link,
    informer::{Informer, WATCH_TIMEOUT},
};

/// Follows the labels of all Kubernetes namespaces, for `allowedFrom.matchLabels`.
pub async fn watch(client: Client, informer: Informer, known: tokio::sync::oneshot::Sender<()>) {
    let config = watcher::Config::default().timeout(WATCH_TIMEOUT);
    let mut events = watcher(Api::<PartialObjectMeta<KubeNamespace>>::all(client), config)
        .default_backoff()
        .boxed();
    let mut known = Some(known);
    let mut listed = HashMap::new();
    loop {
        match events.try_next().await {
            Ok(Some(Event::Init)) => listed.clear(),
            Ok(Some(Event::InitApply(namespace))) => {
                listed.insert(namespace.name_any(), namespace.labels().clone());
            }
            Ok(Some(Event::InitDone)) => {
                for (name, labels) in std::mem::take(&mut listed) {
                    set_labels(&informer, name, Some(&labels));
                }
                if let Some(known) = known.take() {
                    let _ = known.send(());
                }
            }
            Ok(Some(Event::Apply(namespace))) => {
                set_labels(&informer, namespace.name_any(), Some(namespace.labels()));
            }
            Ok(Some(Event::Delete(namespace))) => set_labels(&informer, namespace.name_any(), None),
            Ok(None) => return,
            Err(error) => {
                tracing::warn!(%error, "the watch on namespaces failed and is begun again");
            }
        }
    }
}

/// Takes in a namespace's labels and wakes who refers from it to another namespace, as if the
/// referrers themselves had changed.
fn set_labels(informer: &Informer, name: String, labels: Option<&BTreeMap<String, String>>) {
    let before = {
        let Ok(mut all) = informer.view.labels.write() else { return };
        match labels {
            Some(labels) => all.insert(name.clone(), labels.clone()),
            None => all.remove(&name),
        }
    };
    if before.as_ref() != labels {
        let referrers: Vec<_> =
            informer.view.index().with(&Link::LooksOutOf(name)).cloned().collect();
        for (kind, id) in referrers {
            informer.tell(kind, &id, &BTreeSet::new(), true);
        }
    }
}
