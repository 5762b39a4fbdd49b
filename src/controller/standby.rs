//! What runs whether or not this operator leads: the watches that fill the caches, and the webhook. So whoever comes
//! to lead can begin at once.

use std::{future::Future, sync::Arc, time::Duration};

use futures::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client, core::PartialObjectMeta, runtime::reflector::store::Writer};
use tokio::task::JoinSet;

use super::{
    cache::Guarded,
    census,
    clock::Clock,
    context::Options,
    informer::{Informer, Linked, Queues},
    labels, password_secrets, reach,
    remembered::OfTerm,
    start::scopes,
    view::{View, Writers},
};
use crate::{
    admission::{Seen, Webhook},
    api::validation,
    telemetry::{Health, Metrics},
};

/// How long what the webhook was asked may take when the operator is told to stop.
const LAST_ANSWERS: Duration = Duration::from_secs(5);

/// As whom the operator comes to the API server.
#[derive(Clone)]
pub struct Clients {
    /// For what is answered at once.
    pub asking: Client,
    /// For watches, over which nothing may come for as long as they last.
    pub watching: Client,
}

impl From<Client> for Clients {
    fn from(client: Client) -> Self {
        Self { asking: client.clone(), watching: client }
    }
}

/// An operator with caches and a webhook, that reconciles when it leads.
pub struct Standby {
    pub(super) clients: Clients,
    pub(super) options: Options,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) informer: Informer,
    /// The namespaces that are watched, each with queues of its own; none is all of them.
    pub(super) shards: Vec<Option<String>>,
    health: Health,
    seen: Seen,
    prepared: Shared<BoxFuture<'static, ()>>,
    /// They end with this.
    _background: JoinSet<()>,
    webhook: JoinSet<()>,
}

impl Standby {
    /// Starts the watches and the webhook, which answers until `stop` is done.
    pub fn start(
        clients: Clients,
        options: Options,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
        health: Health,
        stop: impl Future<Output = ()> + Clone + Send + 'static,
    ) -> Self {
        let shards: Vec<Option<String>> = if options.watch_namespaces.is_empty() {
            vec![None]
        } else {
            options.watch_namespaces.iter().cloned().map(Some).collect()
        };
        let (view, writers) = View::new(&options, shards.len());
        let informer = Informer {
            view: Arc::new(view),
            queues: Queues::new(metrics.clone()),
            remembered: OfTerm::default(),
        };

        let mut background = JoinSet::new();
        follow(&mut background, &informer, &clients, &options, writers);
        let labels_known = if options.watch_namespaces.is_empty() {
            let (known, labels_known) = tokio::sync::oneshot::channel();
            background.spawn(labels::watch(clients.watching.clone(), informer.clone(), known));
            labels_known.map(|_| ()).left_future()
        } else {
            futures::future::ready(()).right_future()
        };
        let warmed_up = tokio::task::spawn_blocking(validation::warm_up);
        let prepared = async move {
            labels_known.await;
            // An error means that the operator is stopping.
            let _ = warmed_up.await;
        };
        let mut standby = Self {
            clients,
            options,
            clock,
            metrics,
            informer,
            shards,
            health,
            seen: Seen::default(),
            prepared: prepared.boxed().shared(),
            _background: background,
            webhook: JoinSet::new(),
        };
        if let Some(webhook) = standby.webhook() {
            standby.webhook.spawn(webhook.run(stop));
        }
        standby
    }

    /// Waits until the caches are filled, but for namespaces that cannot be read: what is needed to be ready, but for
    /// the store of one that is alone.
    pub async fn filled(&mut self) {
        self.informer.view.filled().await;
        self.prepared.clone().await;
        // It is set once.
        let _ = self.seen.set(self.informer.view.clone());
        let (counted, clock) = (self.informer.view.clone(), self.clock.clone());
        self.metrics.objects_are_counted(move || census::objects(&counted, clock.now()));
    }

    /// Waits until the webhook has answered what it was asked before it was told to stop.
    pub async fn end(mut self) {
        let ended = async { while self.webhook.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(LAST_ANSWERS, ended).await;
    }

    /// The webhook, if it shall answer. What others say it tells once it is `seen`.
    fn webhook(&self) -> Option<Webhook> {
        let options = self.options.webhook.clone()?;
        self.health.needs_webhook();
        let clock = self.clock.clone();
        Some(Webhook {
            options,
            // Also of one that does not lead: it writes only on condition that nobody else has.
            client: self.clients.asking.clone(),
            now: Arc::new(move || clock.now()),
            seen: self.seen.clone(),
            metrics: self.metrics.clone(),
            health: self.health.clone(),
        })
    }
}

/// Follows the objects of all kinds, and the Secrets that may hold passwords.
fn follow(
    background: &mut JoinSet<()>,
    informer: &Informer,
    clients: &Clients,
    options: &Options,
    writers: Writers,
) {
    let (client, spaces) = (&clients.watching, &options.watch_namespaces);
    for space in spaces {
        let (asking, informer) = (clients.asking.clone(), informer.clone());
        background.spawn(reach::look_after(asking, informer, space.clone()));
    }
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

fn inform<K: Linked>(
    background: &mut JoinSet<()>,
    informer: &Informer,
    client: &Client,
    namespaces: &[String],
    writers: Vec<Writer<Guarded<K>>>,
) {
    let apis = scopes(client, namespaces).into_iter();
    for (index, (api, writer)) in apis.zip(writers).enumerate() {
        // There is one of all namespaces where none are listed.
        let scope = namespaces.get(index).cloned();
        background.spawn(informer.clone().run::<K>(api, scope, writer));
    }
}
