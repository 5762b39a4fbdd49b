//! Wakes the Users of a Secret when it is made, changed or removed: metadata only.

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
};

/// Follows the Secrets that may hold passwords until the operator stops. Where it may not, Users say so.
pub async fn watch(api: Api<PartialObjectMeta<Secret>>, informer: Informer) {
    let config = watcher::Config::default().timeout(WATCH_TIMEOUT);
    let mut events = watcher(api, config).default_backoff().boxed();
    loop {
        match events.try_next().await {
            // Of those that went while nobody watched, nothing is told: all are looked at.
            Ok(Some(Event::InitDone)) => informer.wake_users_of_secrets(),
            Ok(Some(Event::Apply(secret) | Event::Delete(secret))) => {
                let id = ObjectId::new(secret.namespace().unwrap_or_default(), secret.name_any());
                informer.wake_users_of(&id);
            }
            Ok(Some(Event::Init | Event::InitApply(_))) => {}
            Ok(None) => return,
            Err(error) => {
                tracing::warn!(%error, "the watch on Secrets failed and is begun again");
            }
        }
    }
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
