//! Watches one kind, fills its cache, and wakes whoever a change concerns.
//!
//! What is woken is decided from the links of the object as it was and as it is
//! ([`super::index`]), after the cache has the change, so that nobody acts on an
//! older state than the one that woke it.

use std::{
    collections::{BTreeSet, HashMap},
    fmt::Debug,
    sync::{Arc, PoisonError, RwLock},
};

use futures::{StreamExt, TryStreamExt};
use kube::{
    Api, Resource, ResourceExt,
    core::NamespaceResourceScope,
    runtime::{
        WatchStreamExt,
        reflector::store::Writer,
        watcher::{self, Event, watcher},
    },
};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc::UnboundedSender;

use super::{
    cache::Guarded,
    index::{Kind, Link, ObjectId},
    reach,
    remembered::OfTerm,
    view::View,
};
use crate::{api::FINALIZER, telemetry::Metrics};

/// A watch is begun anew at least this often, in seconds: one that died silently
/// is noticed 5 s after that, which leaves time for what it missed to be done within a minute.
pub const WATCH_TIMEOUT: u32 = 45;

/// A kind that is watched.
pub trait Linked:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + Clone
    + Debug
    + DeserializeOwned
    + Send
    + Sync
    + 'static
{
    /// Which one it is.
    const KIND: Kind;

    /// What an object has to do with; `LooksOutOf` if it refers to another namespace.
    fn links(&self) -> BTreeSet<Link>;

    /// What of its status matters to objects that refer to it; everything else of it wakes nobody.
    fn standing(&self) -> String {
        String::new()
    }
}

/// The queues of the controllers: by kind, and by namespace where each has its own. While no controller
/// runs, because another operator leads, there are none, and nobody is woken.
#[derive(Clone, Default)]
pub struct Queues {
    senders: Arc<RwLock<Senders>>,
    metrics: Arc<Metrics>,
}

type Senders = HashMap<(Kind, Option<String>), UnboundedSender<ObjectId>>;

impl Queues {
    /// No queues yet; what is added is counted in `metrics`.
    #[must_use]
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self { senders: Arc::default(), metrics }
    }

    /// Adds the queue of a kind, in one namespace or in all.
    pub fn add(&self, kind: Kind, namespace: Option<String>, sender: UnboundedSender<ObjectId>) {
        // Nothing panics while it is held.
        let mut senders = self.senders.write().unwrap_or_else(PoisonError::into_inner);
        senders.insert((kind, namespace), sender);
    }

    /// Removes all queues: the controllers end.
    pub fn clear(&self) {
        self.senders.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Queues an object for a reconcile, if its kind has a controller.
    pub fn wake(&self, kind: Kind, id: &ObjectId) {
        let own = (kind, Some(id.namespace.clone()));
        let senders = self.senders.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = senders.get(&own).or_else(|| senders.get(&(kind, None))) {
            self.metrics.queued(name(kind), &id.to_string());
            // An error means that the operator is stopping.
            let _ = sender.send(id.clone());
        }
    }
}

/// The name of a kind's controller in metrics and logs.
#[must_use]
pub const fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Tenant => "tenant",
        Kind::TenantProfile => "tenantprofile",
        Kind::Namespace => "namespace",
        Kind::Role => "role",
        Kind::User => "user",
    }
}

/// What an informer fills and wakes.
#[derive(Clone)]
pub struct Informer {
    /// The view whose index it keeps.
    pub view: Arc<View>,
    /// Whom it wakes.
    pub queues: Queues,
    /// What it does not wake for, and what it forgets when an object goes.
    pub remembered: OfTerm,
}

impl Informer {
    /// Watches objects of one kind, in one namespace or in all, until the operator stops.
    pub async fn run<K: Linked>(
        self,
        api: Api<Guarded<K>>,
        scope: Option<String>,
        mut writer: Writer<Guarded<K>>,
    ) {
        let config = watcher::Config::default().timeout(WATCH_TIMEOUT);
        let begin = || watcher(api.clone(), config.clone()).default_backoff().boxed();
        let mut events = begin();
        let mut generations = HashMap::new();
        let mut listed = HashMap::new();
        loop {
            let event = match events.try_next().await {
                Ok(Some(event)) => event,
                Ok(None) => return,
                Err(error) => {
                    let refused = scope.as_deref().filter(|_| reach::is_forbidden(&error));
                    if let Some(namespace) = refused {
                        self.wait_to_read(namespace, &error).await;
                        // With a list: what happened meanwhile nobody has told.
                        events = begin();
                    } else {
                        let kind = name(K::KIND);
                        tracing::warn!(kind, %error, "a watch failed and is begun again");
                    }
                    continue;
                }
            };
            writer.apply_watcher_event(&event);
            match event {
                Event::Init => listed.clear(),
                Event::InitApply(object) => {
                    // Told once the list is complete: until then the cache has the older one.
                    let noted = self.note(&object, &mut generations);
                    listed.insert(id_of(&object), noted.old);
                }
                Event::InitDone => {
                    if let Some(namespace) = &scope {
                        self.view.reach.listed(namespace, K::KIND);
                    }
                    let gone: Vec<_> = generations
                        .keys()
                        .filter(|id| !listed.contains_key(*id))
                        .cloned()
                        .collect();
                    for id in gone {
                        generations.remove(&id);
                        self.gone(K::KIND, &id);
                    }
                    for (id, old) in &listed {
                        // A list may be of an older state than our write: after a restore of the cluster.
                        self.remembered.now().own_writes.forget(K::KIND, id);
                        self.tell(K::KIND, id, old, true);
                    }
                }
                Event::Apply(object) => {
                    let id = id_of(&object);
                    let noted = self.note(&object, &mut generations);
                    let version = object.resource_version();
                    let own_writes = self.remembered.now().own_writes;
                    let own = own_writes.take(K::KIND, &id, version.as_deref());
                    if noted.changed || !own {
                        self.queues.wake(K::KIND, &id);
                    }
                    if noted.changed || noted.standing_changed {
                        self.tell_others(K::KIND, &id, &noted.old);
                    }
                    if noted.changed {
                        self.tell_containers(K::KIND, &id);
                    }
                    if noted.changed || noted.standing_changed {
                        self.tell_holders(K::KIND, &id);
                    }
                }
                Event::Delete(object) => {
                    let id = id_of(&object);
                    generations.remove(&id);
                    self.gone(K::KIND, &id);
                }
            }
        }
    }

    /// Waits until a namespace can be read that was refused: those of its objects that are known stay as they were.
    async fn wait_to_read(&self, namespace: &str, error: &watcher::Error) {
        if self.view.reach.lose(namespace) {
            tracing::warn!(
                namespace,
                "the watched namespace cannot be read, and its objects are left as they are, until it can be: {error}. If it is gone for good, take it out of --watch-namespace (watchNamespaces); else give the operator its Role there again, as `helm upgrade` does"
            );
            self.tell_what_is_lost();
        }
        self.view.reach.readable(namespace).await;
    }

    /// Says in the metrics how many namespaces cannot be read.
    pub(super) fn tell_what_is_lost(&self) {
        self.queues.metrics.unreadable_namespaces(self.view.reach.number_lost());
    }

    /// Takes the object's links into the index.
    fn note<K: Linked>(
        &self,
        object: &Guarded<K>,
        generations: &mut HashMap<ObjectId, (Stamp, String)>,
    ) -> Noted {
        let id = id_of(object);
        let mut index = self.view.index();
        // One that cannot be read any more still has to do with what it last had to do with.
        let links = object.0.as_ref().map_or_else(|_| index.links(K::KIND, &id), Linked::links);
        let old = index.set(K::KIND, &id, links);
        drop(index);
        let stamp = Stamp {
            uid: object.uid(),
            generation: object.meta().generation,
            deleting: object.meta().deletion_timestamp.is_some(),
            ours: object.finalizers().iter().any(|finalizer| finalizer == FINALIZER),
        };
        let before = generations.get(&id);
        // Of one that cannot be read, what was last known of it stands.
        let standing = match (&object.0, before) {
            (Ok(readable), _) => readable.standing(),
            (Err(_), before) => before.map(|(_, standing)| standing.clone()).unwrap_or_default(),
        };
        let noted = Noted {
            old,
            changed: before.is_none_or(|(before, _)| *before != stamp),
            standing_changed: before.is_none_or(|(_, before)| *before != standing),
        };
        generations.insert(id, (stamp, standing));
        noted
    }

    fn gone(&self, kind: Kind, id: &ObjectId) {
        let remembered = self.remembered.now();
        remembered.backoff.forget(kind, id);
        remembered.own_writes.forget(kind, id);
        let old = self.view.index().remove(kind, id);
        self.tell_others(kind, id, &old);
        self.tell_containers(kind, id);
        self.tell_holders(kind, id);
    }

    /// Wakes the object itself and whoever its change concerns. A change of
    /// status alone concerns nobody else.
    pub fn tell(&self, kind: Kind, id: &ObjectId, old: &BTreeSet<Link>, matters: bool) {
        self.queues.wake(kind, id);
        if matters {
            self.tell_others(kind, id, old);
            self.tell_containers(kind, id);
            self.tell_holders(kind, id);
        }
    }

    /// Wakes the Roles that contain this one through others: a circle may have been closed or broken,
    /// which none of those between need show in its status.
    fn tell_containers(&self, kind: Kind, id: &ObjectId) {
        if kind == Kind::Role {
            for container in self.view.index().containers(id) {
                self.queues.wake(kind, &container);
            }
        }
    }

    /// Wakes the Users who hold this Role, also through others: their status names all that they hold.
    fn tell_holders(&self, kind: Kind, id: &ObjectId) {
        if kind == Kind::Role {
            for holder in self.view.index().holders(id) {
                self.queues.wake(Kind::User, &holder);
            }
        }
    }

    fn tell_others(&self, kind: Kind, id: &ObjectId, old: &BTreeSet<Link>) {
        let index = self.view.index();
        match kind {
            Kind::TenantProfile => {
                for link in self.view.links_to_profile(id) {
                    for (kind, user) in index.with(&link) {
                        self.queues.wake(*kind, user);
                    }
                }
            }
            Kind::Tenant | Kind::Namespace | Kind::Role | Kind::User => {
                for link in old.iter().chain(&index.links(kind, id)) {
                    match link {
                        // Profiles count their tenants.
                        Link::Uses(profile) => self.queues.wake(Kind::TenantProfile, profile),
                        Link::UsesDefault => {
                            if let Some(profile) = &self.view.default_profile {
                                self.queues.wake(Kind::TenantProfile, profile);
                            }
                        }
                        // A name may be free now.
                        Link::Claims(_) => {
                            for (kind, other) in index.with(link).filter(|(_, other)| other != id) {
                                self.queues.wake(*kind, other);
                            }
                        }
                        // A deletion may wait for it.
                        Link::In(tenant) => self.wake_if_deleting(Kind::Tenant, tenant),
                        Link::RefersTo(kind, target) => self.wake_if_deleting(*kind, target),
                        Link::LooksOutOf(_) | Link::WaitsIn(_) | Link::UsesSecret(_) => {}
                    }
                }
                for (kind, dependent) in index.dependents(kind, id) {
                    self.queues.wake(*kind, dependent);
                }
            }
        }
    }

    fn wake_if_deleting(&self, kind: Kind, id: &ObjectId) {
        if self.view.is_deleting(kind, id) == Some(true) {
            self.queues.wake(kind, id);
        }
    }
}

/// What a change of an object was.
struct Noted {
    /// The links that it had.
    old: BTreeSet<Link>,
    /// Whether more than its status changed.
    changed: bool,
    /// Whether that of its status changed which matters to others.
    standing_changed: bool,
}

/// What changes when an object changes in more than its status.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp {
    uid: Option<String>,
    generation: Option<i64>,
    deleting: bool,
    /// Whether our finalizer is on it; one that is being deleted has let go of its name without it.
    ours: bool,
}

fn id_of<K: Resource>(object: &K) -> ObjectId {
    ObjectId::new(object.namespace().unwrap_or_default(), object.name_any())
}
