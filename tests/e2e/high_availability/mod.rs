//! Several replicas of which one leads, and an API server that is slow, silent or away.

mod api_server;
mod chart;
mod clock;
mod replicas;
mod store;
mod watches;

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;

use crate::support::{Release, Replica, Space, eventually};

/// Within how long another replica leads when the leader has died.
const TAKEOVER: Duration = Duration::from_secs(20);

/// The release whose ServiceAccount the replicas come as, with the chart's right to the Lease.
fn install(space: &Space) -> Release {
    let url = "store.url=postgres://database.example/keyreeve";
    let secret = "store.credentialsSecret=database";
    Release::install(space, "ha", &[url, secret, "persistence.enabled=false", "replicas=3"])
}

/// Waits until the Lease was renewed for so long, and answers how often it went to another one.
async fn renewed_for(space: &Space, release: &Release, time: Duration) -> i32 {
    let (_, _, first) = space.lease(release).await;
    let (mut transitions, time) = (0, jiff::SignedDuration::try_from(time).unwrap());
    eventually("the lease is renewed again and again", async || {
        let (_, after, renewed) = space.lease(release).await;
        transitions = after;
        renewed.duration_since(first) >= time
    })
    .await;
    transitions
}

/// When whoever holds the Lease got it, by its own clock.
async fn acquired(space: &Space, release: &Release) -> Timestamp {
    let lease = space.api::<Lease>().get(&release.name).await.unwrap();
    lease.spec.unwrap().acquire_time.unwrap().0
}

/// A replica with a store of its own: for what is about the Lease alone.
fn apart(
    space: &Space,
    release: &Release,
    name: &str,
    server: Option<&str>,
    environment: &[(&str, &str)],
) -> Replica {
    let store = format!("sqlite:{}", space.folder().join(format!("{name}.db")).display());
    Replica::start(space, release, name, server, environment, &["--store", &store])
}
