//! Wakes a Tenant when its keystore's Secret is changed or removed by another hand: metadata only.

use std::{collections::HashSet, sync::Arc};

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, ResourceExt,
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
use crate::keystore::{self, Keystores};

/// Follows the keystores' Secrets until the operator stops.
pub async fn watch(
    api: Api<PartialObjectMeta<Secret>>,
    keystores: Arc<Keystores>,
    informer: Informer,
) {
    // Of every type: one of another that stands in the place of a keystore blocks it until it goes.
    let config = watcher::Config::default().timeout(WATCH_TIMEOUT);
    let mut events = watcher(api, config).default_backoff().boxed();
    let (mut there, mut listed) = (HashSet::new(), HashSet::new());
    loop {
        match events.try_next().await {
            Ok(Some(Event::Init)) => listed.clear(),
            Ok(Some(Event::InitApply(secret))) => {
                listed.insert(secret.name_any());
                changed(secret, keystores.clone(), informer.clone());
            }
            Ok(Some(Event::InitDone)) => {
                for gone in there.difference(&listed) {
                    wake(gone, &informer);
                }
                there = std::mem::take(&mut listed);
            }
            Ok(Some(Event::Apply(secret))) => {
                there.insert(secret.name_any());
                changed(secret, keystores.clone(), informer.clone());
            }
            Ok(Some(Event::Delete(secret))) => {
                there.remove(&secret.name_any());
                keystores.forget(&secret.name_any());
                wake(&secret.name_any(), &informer);
            }
            Ok(None) => return,
            Err(error) => {
                tracing::warn!(%error, "the watch on keystores failed and is begun again");
            }
        }
    }
}

/// Wakes for a change, unless it is our own. A task of its own: a write that is slow to end holds up
/// no other tenant's news.
fn changed(secret: PartialObjectMeta<Secret>, keystores: Arc<Keystores>, informer: Informer) {
    tokio::spawn(async move {
        if !keystores.has_seen(&secret.metadata).await {
            wake(&secret.name_any(), &informer);
        }
    });
}

/// Wakes who claims the tenant of this Secret.
fn wake(name: &str, informer: &Informer) {
    let Some(tenant_id) = keystore::tenant_of(name) else { return };
    let claim = Link::Claims(tenant_id.into());
    for (kind, id) in informer.view.index().with(&claim) {
        informer.queues.wake(*kind, id);
    }
}
