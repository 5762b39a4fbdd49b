//! Runs the operator: informers fill the caches, then the controllers start.

use std::{convert::Infallible, future::Future, sync::Arc, time::Duration};

use futures::{FutureExt, StreamExt, stream};
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client,
    core::PartialObjectMeta,
    runtime::{
        controller::{Action, Config, Error as ApplierError, applier},
        reflector::{ObjectRef, Store as CacheReader, store::Writer},
    },
};
use tokio::{
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    task::JoinSet,
};

use super::{
    backoff::Backoff,
    cache::Guarded,
    clock::Clock,
    context::{Context, Options, Turns},
    driver::{self, Controlled},
    events::Events,
    index::ObjectId,
    informer::{Informer, Linked, Queues, name},
    keystores, labels,
    own_writes::OwnWrites,
    password_secrets,
    passwords::Passwords,
    returning::Returning,
    seats::Recounts,
    start::scopes,
    store_watch,
    throttle::Throttle,
    view::{View, Writers},
};
use crate::{
    admission::{Seen, Webhook},
    api::validation,
    keystore::Keystores,
    store::Store,
    telemetry::{Health, Measured, Metrics},
};

/// How long what is under way may take when the operator is told to stop: less
/// than the 30 s after which Kubernetes kills it.
const LAST_WORK: Duration = Duration::from_secs(20);

/// Runs the operator until `stop` is done; reconciles that are under way are finished.
///
/// The clock is injected: tests turn it, the binary passes [`super::SystemClock`].
pub async fn run(
    client: Client,
    store: Arc<dyn Store>,
    options: Options,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    health: Health,
    stop: impl Future<Output = ()> + Clone + Send + 'static,
) {
    let shards: Vec<Option<String>> = if options.watch_namespaces.is_empty() {
        vec![None]
    } else {
        options.watch_namespaces.iter().cloned().map(Some).collect()
    };
    let (view, writers) = View::new(&options, shards.len());
    let view = Arc::new(view);

    let mut queues = Queues::new(metrics.clone());
    let tenants = sources(&mut queues, &shards, &writers.tenants);
    let profiles = sources(&mut queues, &shards, &writers.profiles);
    let namespaces = sources(&mut queues, &shards, &writers.namespaces);
    let roles = sources(&mut queues, &shards, &writers.roles);
    let users = sources(&mut queues, &shards, &writers.users);
    let backoff = Arc::new(Backoff::default());
    let own_writes = Arc::new(OwnWrites::default());
    let informer = Informer {
        view: view.clone(),
        queues: queues.clone(),
        backoff: backoff.clone(),
        own_writes: own_writes.clone(),
    };

    let mut background = JoinSet::new();
    follow(&mut background, &informer, &client, &options, writers);
    let labels_known = if options.watch_namespaces.is_empty() {
        let (known, labels_known) = tokio::sync::oneshot::channel();
        background.spawn(labels::watch(client.clone(), informer.clone(), known));
        labels_known.map(|_| ()).left_future()
    } else {
        futures::future::ready(()).right_future()
    };
    let all_keystores = Arc::new(Keystores::new(client.clone(), &options.keystore_namespace));
    background.spawn(keystores::watch(
        Api::namespaced(client.clone(), &options.keystore_namespace),
        all_keystores.clone(),
        informer.clone(),
    ));
    background.spawn(health.clone().beat());
    let mut controllers = JoinSet::new();
    let seen = Seen::default();
    if let Some(webhook) = webhook(&options, &client, &clock, &metrics, &health, &seen) {
        controllers.spawn(webhook.run(stop.clone()));
    }

    let prepared = tokio::task::spawn_blocking(validation::warm_up);
    let filled = async {
        view.filled().await;
        labels_known.await;
        // An error means that the operator is stopping.
        let _ = prepared.await;
    };
    tokio::select! {
        () = filled => {}
        () = stop.clone() => return,
    }
    // It is set once.
    let _ = seen.set(view.clone());
    health.set_ready();
    tracing::info!(
        owner = options.owner,
        store = store.kind(),
        keystores = options.keystore_namespace,
        "the caches are filled; reconciling"
    );

    let turns = Turns::new(options.max_concurrent_reconciles);
    let passwords =
        Passwords::new(client.clone(), &options.operator_namespace, &options.secrets_namespaces);
    let context = Arc::new(Context {
        events: Events::new(client.clone()),
        passwords,
        queues,
        recounts: Recounts::default(),
        returning: Returning::of(&view),
        client,
        store: Arc::new(Measured::new(store, metrics.clone())),
        keystores: all_keystores,
        view,
        clock,
        options,
        metrics,
        backoff,
        throttle: Throttle::default(),
        own_writes,
        turns,
    });
    background.spawn(store_watch::run(context.clone()));
    start(&mut controllers, &context, tenants, &stop);
    start(&mut controllers, &context, profiles, &stop);
    start(&mut controllers, &context, namespaces, &stop);
    start(&mut controllers, &context, roles, &stop);
    start(&mut controllers, &context, users, &stop);
    let ended = async { while controllers.join_next().await.is_some() {} };
    tokio::select! {
        () = ended => tracing::info!("stopped: every reconcile that was under way has ended"),
        () = stop.then(|()| tokio::time::sleep(LAST_WORK)) => {
            tracing::warn!("stopped: a reconcile was still under way; the next start goes on with it");
        }
    }
}

/// Follows the objects of all kinds, and the Secrets that may hold passwords.
fn follow(
    background: &mut JoinSet<()>,
    informer: &Informer,
    client: &Client,
    options: &Options,
    writers: Writers,
) {
    let spaces = &options.watch_namespaces;
    inform(background, informer, client, spaces, writers.tenants);
    inform(background, informer, client, spaces, writers.profiles);
    inform(background, informer, client, spaces, writers.namespaces);
    inform(background, informer, client, spaces, writers.roles);
    inform(background, informer, client, spaces, writers.users);
    let of_passwords = Some(&options.secrets_namespaces).filter(|listed| !listed.is_empty());
    let listed = of_passwords.unwrap_or(spaces);
    let secrets: Vec<Api<PartialObjectMeta<Secret>>> = scopes(client, listed);
    for (index, api) in secrets.into_iter().enumerate() {
        // There is one of all namespaces where none are listed.
        let scope = listed.get(index).cloned();
        background.spawn(password_secrets::watch(api, scope, informer.clone()));
    }
}

/// The webhook, if it shall answer. What others say it tells once it is `seen`.
fn webhook(
    options: &Options,
    client: &Client,
    clock: &Arc<dyn Clock>,
    metrics: &Arc<Metrics>,
    health: &Health,
    seen: &Seen,
) -> Option<Webhook> {
    let options = options.webhook.clone()?;
    health.needs_webhook();
    let clock = clock.clone();
    Some(Webhook {
        options,
        client: client.clone(),
        now: Arc::new(move || clock.now()),
        seen: seen.clone(),
        metrics: metrics.clone(),
        health: health.clone(),
    })
}

/// What a controller works from: a cache, and the queue that wakes it.
type Source<K> = (CacheReader<Guarded<K>>, UnboundedReceiver<ObjectId>);

/// The sources of one kind's controllers, one a shard.
fn sources<K: Controlled>(
    queues: &mut Queues,
    shards: &[Option<String>],
    writers: &[Writer<Guarded<K>>],
) -> Vec<Source<K>> {
    let source = |(shard, writer): (&Option<String>, &Writer<Guarded<K>>)| {
        let (sender, receiver) = unbounded_channel();
        queues.add(K::KIND, shard.clone(), sender);
        (writer.as_reader(), receiver)
    };
    shards.iter().zip(writers).map(source).collect()
}

fn start<K: Controlled>(
    controllers: &mut JoinSet<()>,
    context: &Arc<Context>,
    sources: Vec<Source<K>>,
    stop: &(impl Future<Output = ()> + Clone + Send + 'static),
) {
    for (reader, queue) in sources {
        controllers.spawn(control::<K>(context.clone(), reader, queue, stop.clone()));
    }
}

fn inform<K: Linked>(
    background: &mut JoinSet<()>,
    informer: &Informer,
    client: &Client,
    namespaces: &[String],
    writers: Vec<Writer<Guarded<K>>>,
) {
    for (api, writer) in scopes(client, namespaces).into_iter().zip(writers) {
        background.spawn(informer.clone().run::<K>(api, writer));
    }
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
