//! Several replicas of which one leads, and an API server that is slow, silent or away.

mod api_server;
mod chart;
mod clock;
mod replicas;
mod store;
mod watches;

use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;

use crate::support::{Postgres, Release, Replica, Space, eventually};

/// Within how long another replica leads when the leader has died.
const TAKEOVER: Duration = Duration::from_secs(20);

/// The release whose ServiceAccount the replicas come as, with the chart's right to the Lease.
fn install(space: &Space) -> Release {
    let url = "store.url=postgres://database.example/keyreeve";
    let secret = "store.credentialsSecret=database";
    Release::install(space, "ha", &[url, secret, "persistence.enabled=false", "replicas=3"])
}

/// A promise in seconds holds on a machine on which the API server answers at once: on another, it takes as much longer
/// as the few requests do that it needs, one after the other. The slowest of some stands for each of them.
async fn within(promise: Duration, space: &Space, release: &Release) -> Duration {
    /// To let go of the Lease, to see that, to take it, to open the store, and to tell the test; each with something to spare.
    const REQUESTS: u32 = 20;
    let mut slowest = Duration::ZERO;
    for _ in 0..REQUESTS {
        let asked = Instant::now();
        space.lease(release).await;
        slowest = slowest.max(asked.elapsed());
    }
    promise + REQUESTS * slowest
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

/// A replica on PostgreSQL.
fn on(
    postgres: &Postgres,
    (space, release): (&Space, &Release),
    name: &str,
    server: Option<&str>,
    environment: &[(&str, &str)],
) -> Replica {
    let flags = postgres.flags();
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    Replica::start(space, release, name, server, environment, &flags)
}

/// Two more, which stand by.
async fn two_others(postgres: &Postgres, of: (&Space, &Release)) -> [Replica; 2] {
    let others = ["two", "three"].map(|name| on(postgres, of, name, None, &[]));
    for other in &others {
        other.is_ready().await;
    }
    others
}

/// Waits until one of them leads.
async fn one_comes_to_lead(others: &[Replica]) {
    eventually("one of the others leads", async || others.iter().any(Replica::leads)).await;
}
