//! Reconciles: starts the controllers over the caches, for as long as this operator leads.

use std::{convert::Infallible, future::Future, sync::Arc, time::Duration};

use futures::{FutureExt, StreamExt, stream};
use kube::{
    Api, Resource, ResourceExt,
    runtime::{
        controller::{Action, Config, Error as ApplierError, applier},
        reflector::{ObjectRef, Store as CacheReader},
    },
};
use tokio::{
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    task::JoinSet,
};

use super::{
    cache::{Cache, Guarded},
    clock::Clock,
    context::{Context, Options, Turns},
    driver::{self, Controlled},
    events::Events,
    index::{Kind, ObjectId},
    informer::name,
    keystores,
    passwords::Passwords,
    remembered::Remembered,
    returning::Returning,
    seats::Recounts,
    standby::{Clients, Standby},
    store_watch,
    throttle::Throttle,
};
use crate::{
    keystore::Keystores,
    leadership::{self, Term},
    store::{Led, Store, Unopened},
    telemetry::{Health, Measured, Metrics},
};

/// How long what is under way may take when the operator is told to stop: less
/// than the 30 s after which Kubernetes kills it.
const LAST_WORK: Duration = Duration::from_secs(20);

/// How long what is under way may take when the term has ended: all that it asks for is refused.
const LAST_REFUSALS: Duration = Duration::from_secs(2);

/// Runs the operator until `stop` is done; reconciles that are under way are finished. It is the only one.
///
/// The clock is injected: tests turn it, the binary passes [`super::SystemClock`].
pub async fn run(
    clients: impl Into<Clients>,
    store: Arc<dyn Store>,
    options: Options,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    health: Health,
    stop: impl Future<Output = ()> + Clone + Send + Unpin + 'static,
) {
    let mut standby =
        Standby::start(clients.into(), options, clock, metrics, health.clone(), stop.clone());
    tokio::select! {
        () = standby.filled() => {}
        () = stop.clone() => return,
    }
    health.set_ready();
    standby.lead(store, &Term::unlimited(), stop).await;
    standby.end().await;
}

impl Standby {
    /// Reconciles until `stop` is done or the term has ended; what is under way is finished, or refused.
    pub async fn lead(
        &self,
        store: Arc<dyn Store>,
        term: &Term,
        stop: impl Future<Output = ()> + Clone + Send + Unpin + 'static,
    ) {
        tracing::info!(
            owner = self.options.owner,
            store = store.kind(),
            keystores = self.options.keystore_namespace,
            "the caches are filled; reconciling"
        );
        self.work(store, term, stop, Whom::All).await;
    }

    /// Says in status that the store, of this kind, cannot be opened, and why, until `stop` is done or the term has
    /// ended: each Tenant does, and what else is changed meanwhile. What needs no store is done.
    pub async fn wait_for_store(
        &self,
        kind: &'static str,
        why: String,
        term: &Term,
        stop: impl Future<Output = ()> + Clone + Send + Unpin + 'static,
    ) {
        self.work(Arc::new(Unopened::new(kind, why)), term, stop, Whom::Tenants).await;
    }

    async fn work(
        &self,
        store: Arc<dyn Store>,
        term: &Term,
        stop: impl Future<Output = ()> + Clone + Send + Unpin + 'static,
        whom: Whom,
    ) {
        let ended = {
            let term = term.clone();
            async move { term.ended().await }.boxed().shared()
        };
        let stop = futures::future::select(stop, ended).map(|_| ()).boxed().shared();
        let kind = store.kind();
        let context = Arc::new(self.context(store, term));
        let mut background = JoinSet::new();
        background.spawn(keystores::watch(
            Api::namespaced(self.clients.watching.clone(), &self.options.keystore_namespace),
            context.keystores.clone(),
            self.informer.clone(),
        ));
        background.spawn(store_watch::run(context.clone()));
        let (mut controllers, view, shards) = (JoinSet::new(), &self.informer.view, &self.shards);
        start(&mut controllers, &context, shards, &view.tenants, whom, &stop);
        // What they say of a store's abilities, one that is not open cannot tell.
        if whom == Whom::All {
            start(&mut controllers, &context, shards, &view.profiles, whom, &stop);
        }
        start(&mut controllers, &context, shards, &view.namespaces, whom, &stop);
        start(&mut controllers, &context, shards, &view.roles, whom, &stop);
        start(&mut controllers, &context, shards, &view.users, whom, &stop);
        let all_ended = async { while controllers.join_next().await.is_some() {} };
        let late = async {
            stop.await;
            let patience = if term.is_held() { LAST_WORK } else { LAST_REFUSALS };
            tokio::time::sleep(patience).await;
        };
        tokio::select! {
            () = all_ended => tracing::info!("stopped: every reconcile that was under way has ended"),
            () = late => {
                tracing::warn!("stopped: a reconcile was still under way; the next start goes on with it");
            }
        }
        drop(background);
        self.metrics.store.is_left(kind);
        self.informer.queues.clear();
        for kind in Kind::ALL {
            self.metrics.stops(name(kind));
        }
    }

    /// What the reconciles of a term have at hand: nothing in it writes once the term has ended.
    fn context(&self, store: Arc<dyn Store>, term: &Term) -> Context {
        let (options, metrics) = (self.options.clone(), self.metrics.clone());
        let client = leadership::during(&self.clients.asking, term);
        let informer = self.informer.clone();
        let Remembered { backoff, own_writes } = informer.remembered.begin();
        let store = Measured::new(store, metrics.clone());
        Context {
            events: Events::new(client.clone()),
            passwords: Passwords::new(
                client.clone(),
                &options.operator_namespace,
                &options.secrets_namespaces,
            ),
            queues: informer.queues,
            recounts: Recounts::default(),
            returning: Returning::of(&informer.view),
            store: Arc::new(Led::new(Arc::new(store), term.clone())),
            keystores: Arc::new(Keystores::new(client.clone(), &options.keystore_namespace)),
            term: term.clone(),
            client,
            view: informer.view,
            clock: self.clock.clone(),
            turns: Turns::new(options.max_concurrent_reconciles),
            options,
            metrics,
            backoff,
            throttle: Throttle::default(),
            own_writes,
        }
    }
}

/// Who is looked at in the beginning.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whom {
    All,
    /// All Tenants; and of the others what is being deleted, for it may need no store, and what was changed while
    /// nobody looked. So an outage costs one write a Tenant, and not one an object.
    Tenants,
}

/// Starts the controllers of one kind, one a shard, with those of its objects to look at.
fn start<K: Controlled>(
    controllers: &mut JoinSet<()>,
    context: &Arc<Context>,
    shards: &[Option<String>],
    cache: &Cache<K>,
    whom: Whom,
    stop: &(impl Future<Output = ()> + Clone + Send + 'static),
) {
    for (shard, reader) in shards.iter().zip(cache.readers()) {
        let (sender, queue) = unbounded_channel();
        context.queues.add(K::KIND, shard.clone(), sender);
        controllers.spawn(control::<K>(context.clone(), reader.clone(), queue, stop.clone()));
    }
    // What changes from now on wakes by itself, whether it comes before this or after.
    cache.each_guarded(|object| {
        let is_going = object.meta().deletion_timestamp.is_some();
        if whom == Whom::All || K::KIND == Kind::Tenant || is_going || is_news(object) {
            let namespace = object.namespace().unwrap_or_default();
            context.queues.wake(K::KIND, &ObjectId::new(namespace, object.name_any()));
        }
    });
}

/// Whether status does not speak of the object as it is now.
fn is_news<K: Controlled>(object: &Guarded<K>) -> bool {
    let Ok(readable) = &object.0 else { return true };
    let object = serde_json::to_value(readable).unwrap_or_default();
    object["status"]["observedGeneration"].as_i64() != readable.meta().generation
}

/// Reconciles the objects of one kind that the queue names, until `stop` is done.
async fn control<K: Controlled>(
    context: Arc<Context>,
    reader: CacheReader<Guarded<K>>,
    queue: UnboundedReceiver<ObjectId>,
    stop: impl Future<Output = ()> + Send + 'static,
) {
    let queue = stream::unfold(queue, async |mut queue| {
        let id = queue.recv().await?;
        Some((
            Ok::<_, Infallible>(ObjectRef::<Guarded<K>>::new(&id.name).within(&id.namespace)),
            queue,
        ))
    })
    .boxed()
    .take_until(stop.boxed());
    let metrics = context.metrics.clone();
    let config = Config::default().concurrency(context.options.max_concurrent_reconciles);
    context.metrics.starts(name(K::KIND), context.options.max_concurrent_reconciles);
    applier(
        |object, context| {
            // A task of its own: one that panics or computes for long harms no other.
            tokio::spawn(driver::reconcile::<K>(object, context)).map(|end| {
                end.or_else(|error| {
                    tracing::error!(%error, "a reconcile broke off; it is tried again");
                    Ok::<_, Infallible>(Action::requeue(Duration::from_secs(30)))
                })
            })
        },
        |_, error, _| match *error {},
        context,
        reader,
        queue,
        config,
    )
    .for_each(async |end| {
        if let Err(ApplierError::ObjectNotFound(gone)) = end {
            let id = ObjectId::new(gone.namespace.as_deref().unwrap_or_default(), &gone.name);
            metrics.dropped(name(K::KIND), &id.to_string());
        }
    })
    .await;
}
