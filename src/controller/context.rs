//! What every reconcile has at hand.

use std::{sync::Arc, time::Duration};

use globset::GlobSet;
use kube::Client;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::{
    backoff::Backoff,
    clock::Clock,
    events::Events,
    index::{Kind, ObjectId},
    informer::Queues,
    own_writes::OwnWrites,
    passwords::Passwords,
    returning::Returning,
    seats::Recounts,
    throttle::Throttle,
    view::View,
};
use crate::{
    admission,
    api::StoreReference,
    keystore::Keystores,
    leadership::Term,
    store::{Kind as StoreKind, Mark, Store},
    telemetry::Metrics,
};

/// What the operator was started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// The owner that marks carry.
    pub owner: String,
    /// Kubernetes namespaces to watch; all if empty.
    pub watch_namespaces: Vec<String>,
    /// The namespace that the operator runs in.
    pub operator_namespace: String,
    /// The namespace of the keystores' Secrets.
    pub keystore_namespace: String,
    /// Kubernetes namespaces whose Secrets may hold passwords; those that are watched if empty.
    pub secrets_namespaces: Vec<String>,
    /// The profile of Tenants that name none.
    pub default_profile: Option<(String, String)>,
    /// Owners whose marks give way.
    pub take_over_from: Vec<String>,
    /// Tenant ids that may be adopted.
    pub adoptable: GlobSet,
    /// How often every object is looked at again.
    pub resync: Duration,
    /// How many objects of a kind are reconciled at the same time.
    pub max_concurrent_reconciles: u16,
    /// The webhook, if it answers.
    pub webhook: Option<admission::Options>,
}

/// What every reconcile has at hand.
pub struct Context {
    pub(super) client: Client,
    pub(super) term: Term,
    pub(super) store: Arc<dyn Store>,
    pub(super) keystores: Arc<Keystores>,
    pub(super) view: Arc<View>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) options: Options,
    pub(super) events: Events,
    pub(super) metrics: Arc<Metrics>,
    pub(super) backoff: Arc<Backoff>,
    pub(super) throttle: Throttle,
    pub(super) own_writes: Arc<OwnWrites>,
    pub(super) turns: Turns,
    pub(super) queues: Queues,
    pub(super) recounts: Recounts,
    pub(super) returning: Returning,
    pub(super) passwords: Passwords,
}

/// Bounds how many objects of a kind are worked on at the same time, in however
/// many namespaces they are watched.
pub struct Turns {
    tenants: Semaphore,
    profiles: Semaphore,
    users: Semaphore,
    others: Semaphore,
}

impl Turns {
    /// So many of each kind.
    #[must_use]
    pub fn new(number: u16) -> Self {
        let semaphore = || Semaphore::new(number.into());
        Self {
            tenants: semaphore(),
            profiles: semaphore(),
            users: semaphore(),
            others: semaphore(),
        }
    }

    /// Waits for a turn; it ends when the permit is dropped.
    pub async fn of(&self, kind: Kind) -> Option<SemaphorePermit<'_>> {
        let semaphore = match kind {
            Kind::Tenant => &self.tenants,
            Kind::TenantProfile => &self.profiles,
            // Apart from those that they wait for: a password takes time.
            Kind::User => &self.users,
            Kind::Namespace | Kind::Role => &self.others,
        };
        // It is never closed.
        semaphore.acquire().await.ok()
    }
}

impl Context {
    /// The mark of an object of ours.
    #[must_use]
    pub fn mark(&self, kind: StoreKind, id: &ObjectId, uid: &str) -> Mark {
        Mark {
            owner: self.options.owner.clone(),
            kind,
            namespace: id.namespace.clone(),
            name: id.name.clone(),
            uid: uid.into(),
        }
    }

    /// The store, as status names it.
    pub(super) fn store_reference(&self) -> StoreReference {
        StoreReference { kind: self.store.kind().into(), id: self.store.id().into() }
    }

    /// The object is well: it starts with short pauses again.
    pub(super) fn is_well(&self, kind: Kind, id: &ObjectId) {
        self.backoff.forget(kind, id);
    }
}
