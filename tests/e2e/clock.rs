//! The operator in the test's own process, with a clock that the test turns.

use std::sync::{Arc, Mutex};

use futures::FutureExt;
use jiff::{SignedDuration, Timestamp};
use keyreeve::{
    api::Tenant,
    controller::{self, Clock, Options},
    store,
    telemetry::{Health, Metrics},
};
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::json;
use tokio::sync::oneshot;

use crate::support::{Conditions, Space, setting};

#[derive(Clone)]
struct TurnedClock(Arc<Mutex<Timestamp>>);

impl Clock for TurnedClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

impl TurnedClock {
    fn turn(&self, hours: i64) {
        *self.0.lock().unwrap() += SignedDuration::from_hours(hours);
    }
}

#[tokio::test]
async fn a_subscription_ends_and_is_renewed_with_nothing_lost() {
    let space = Space::new("clock").await;
    let clock = TurnedClock(Arc::new(Mutex::new("2030-01-01T00:00:00Z".parse().unwrap())));
    let (stop, stopped) = oneshot::channel::<()>();
    let operator = tokio::spawn(controller::run(
        operator_client().await,
        store::open(&format!("sqlite:{}", space.store_file().display()).parse().unwrap())
            .await
            .unwrap(),
        Options {
            owner: "clock-test/keyreeve-system".into(),
            watch_namespaces: vec![space.namespace.clone()],
            keystore_namespace: space.namespace.clone(),
            default_profile: None,
            take_over_from: Vec::new(),
            adoptable: globset::GlobSet::empty(),
            resync: std::time::Duration::from_secs(600),
            max_concurrent_reconciles: 4,
        },
        Arc::new(clock.clone()),
        Arc::new(Metrics::default()),
        Health::default(),
        stopped.map(|_| ()).shared(),
    ));

    let spec = json!({
        "displayName": "Acme",
        "settings": {"rememberMe": true},
        "subscription": {"expiresAt": "2030-06-01T00:00:00Z"},
    });
    space.create::<Tenant>("acme", spec).await;
    let before = space.ready("acme").await;
    assert!(before.condition("Suspended").is_none());
    let mut database = space.database().await;
    let row = "SELECT display_name || settings || organization FROM tenants";
    let stored = database.text(row).await;

    clock.turn(24 * 365);
    let suspended = space.resync("acme").await;
    let condition = suspended.condition("Suspended").unwrap();
    assert_eq!(condition.reason, "SubscriptionExpired");
    assert_eq!(condition.last_transition_time.0.to_string(), "2031-01-01T00:00:00Z");
    assert!(suspended.is_ready(), "the declared state is reached");
    assert_eq!(suspended.status.unwrap().enabled, Some(false));
    assert_eq!(database.number("SELECT enabled FROM v1_tenants").await, 0);
    assert_eq!(database.number("SELECT suspended FROM v1_tenants").await, 1);

    space
        .merge::<Tenant>(
            "acme",
            json!({"spec": {"subscription": {"expiresAt": "2040-01-01T00:00:00Z"}}}),
        )
        .await;
    let renewed =
        space.tenant("acme", "renewed", |tenant| tenant.condition("Suspended").is_none()).await;
    assert_eq!(renewed.status.unwrap().enabled, Some(true));
    assert_eq!(database.text(row).await, stored, "nothing is lost");
    space.event("acme", "Warning Suspended").await;
    space.event("acme", "Normal NotSuspended").await;

    // Back in time, too.
    clock.turn(-24 * 730);
    let back = space.resync("acme").await;
    assert!(back.is_ready() && back.condition("Suspended").is_none());

    stop.send(()).unwrap();
    operator.await.unwrap();
}

/// As the operator: with the token of the chart's ServiceAccount.
async fn operator_client() -> Client {
    let kubeconfig = Kubeconfig::read_from(setting("KEYREEVE_TEST_OPERATOR_KUBECONFIG")).unwrap();
    let config =
        Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    Client::try_from(config).unwrap()
}
