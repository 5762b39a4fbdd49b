//! The operator in the test's own process, with a clock that the test turns.

use std::{
    path::Path,
    sync::{Arc, Mutex},
};

use futures::FutureExt;
use globset::{Glob, GlobSet};
use jiff::{SignedDuration, Timestamp};
use keyreeve::{
    admission,
    controller::{self, Clock, Options},
    store::{self, Store},
    telemetry::{Health, Metrics},
};
use tokio::{sync::oneshot, task::JoinHandle};

use super::{Space, space::client};

/// A clock that stands still until it is turned.
#[derive(Clone)]
pub struct TurnedClock(Arc<Mutex<Timestamp>>);

impl Clock for TurnedClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

impl TurnedClock {
    /// A clock that shows this time.
    pub fn at(time: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(time)))
    }

    /// A whole second, so that times can be compared with those that status tells.
    pub fn new() -> Self {
        Self::at("2030-01-01T00:00:00Z".parse().unwrap())
    }

    /// Turns it, forth or back. The operator does not notice by itself: [`Space::resync`] makes it look.
    pub fn turn(&self, by: SignedDuration) {
        *self.0.lock().unwrap() += by;
    }

    pub fn turn_hours(&self, hours: i64) {
        self.turn(SignedDuration::from_hours(hours));
    }
}

/// A running operator under a turned clock.
pub struct Turned {
    stop: oneshot::Sender<()>,
    operator: JoinHandle<()>,
}

impl Turned {
    /// Starts an operator for the test's namespace on the test's store.
    pub async fn start(space: &Space, clock: &TurnedClock) -> Self {
        Self::start_with(space, clock, &space.operator_kubeconfig, None).await
    }

    /// Starts it as whom the kubeconfig names, and with a webhook.
    pub async fn start_with(
        space: &Space,
        clock: &TurnedClock,
        kubeconfig: &Path,
        webhook: Option<admission::Options>,
    ) -> Self {
        let url = format!("sqlite:{}", space.store_file().display()).parse().unwrap();
        let store = store::open(&url, &store::Credentials::default()).await.unwrap();
        Self::run(space, clock, kubeconfig, webhook, store).await
    }

    /// Starts it on another store.
    pub async fn start_on(space: &Space, clock: &TurnedClock, store: Arc<dyn Store>) -> Self {
        Self::run(space, clock, &space.operator_kubeconfig, None, store).await
    }

    async fn run(
        space: &Space,
        clock: &TurnedClock,
        kubeconfig: &Path,
        webhook: Option<admission::Options>,
        store: Arc<dyn Store>,
    ) -> Self {
        let (stop, stopped) = oneshot::channel::<()>();
        let operator = tokio::spawn(controller::run(
            // As the operator: with the token of the chart's ServiceAccount.
            client(kubeconfig).await,
            store,
            Options {
                owner: "clock-test/keyreeve-system".into(),
                watch_namespaces: vec![space.namespace.clone()],
                operator_namespace: "keyreeve-system".into(),
                keystore_namespace: space.namespace.clone(),
                secrets_namespaces: Vec::new(),
                default_profile: None,
                take_over_from: Vec::new(),
                adoptable: GlobSet::new([Glob::new("*-live").unwrap()]).unwrap(),
                resync: std::time::Duration::from_secs(600),
                max_concurrent_reconciles: 4,
                webhook,
            },
            Arc::new(clock.clone()),
            Arc::new(Metrics::default()),
            Health::default(),
            stopped.map(|_| ()).shared(),
        ));
        Self { stop, operator }
    }

    /// Stops it as SIGTERM does; another one may start on the store then.
    pub async fn stop(self) {
        self.stop.send(()).unwrap();
        self.operator.await.unwrap();
    }
}
