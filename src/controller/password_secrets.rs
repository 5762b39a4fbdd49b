//! Wakes the Users of a Secret when it is made, changed or removed: metadata only.

use std::collections::HashSet;

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
    index::{Link, ObjectId},
    informer::{Informer, WATCH_TIMEOUT},
    secret_names::Scope,
};

/// Follows the Secrets of a scope, which may hold passwords, until the operator stops. Where it may not, Users say so.
pub async fn watch(api: Api<PartialObjectMeta<Secret>>, scope: Scope, informer: Informer) {
    let names = &informer.view.secrets;
    let mut listing = HashSet::new();
    let config = watcher::Config::default().timeout(WATCH_TIMEOUT);
    let begin = || watcher(api.clone(), config.clone()).default_backoff().boxed();
    let mut events = begin();
    loop {
        match events.try_next().await {
            // Of those that went while nobody watched, nothing is told: all are looked at.
            Ok(Some(Event::InitDone)) => {
                names.listed(&scope, std::mem::take(&mut listing));
                informer.wake_users_of_secrets();
            }
            Ok(Some(Event::Apply(secret))) => {
                names.add(&scope, id(&secret));
                informer.wake_users_of(&id(&secret));
            }
            Ok(Some(Event::Delete(secret))) => {
                names.remove(&scope, &id(&secret));
                informer.wake_users_of(&id(&secret));
            }
            Ok(Some(Event::Init)) => listing.clear(),
            Ok(Some(Event::InitApply(secret))) => {
                if names.are_kept() {
                    listing.insert(id(&secret));
                }
            }
            Ok(None) => return,
            Err(error) => {
                let reach = &informer.view.reach;
                let lost = scope.as_deref().filter(|namespace| reach.is_lost(namespace));
                if let Some(namespace) = lost {
                    // That has been told.
                    reach.readable(namespace).await;
                    events = begin();
                } else {
                    tracing::warn!(%error, "the watch on Secrets failed and is begun again");
                }
            }
        }
    }
}

fn id(secret: &PartialObjectMeta<Secret>) -> ObjectId {
    ObjectId::new(secret.namespace().unwrap_or_default(), secret.name_any())
}

impl Informer {
    fn wake_users_of(&self, secret: &ObjectId) {
        let link = Link::UsesSecret(secret.clone());
        for (kind, id) in self.view.index().with(&link) {
            self.queues.wake(*kind, id);
        }
    }

    fn wake_users_of_secrets(&self) {
        for (kind, id) in self.view.index().users_of_secrets() {
            self.queues.wake(*kind, id);
        }
    }
}
