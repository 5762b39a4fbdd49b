//! What the tests share: a namespace of one's own on the real control plane, the
//! real operator as a process with the chart's ServiceAccount, and ways to wait.

mod audit;
mod cluster;
mod command;
mod database;
mod dice;
mod gate;
mod going;
mod grants;
mod http;
mod judge;
mod keystore;
mod kubectl;
mod member;
mod middleman;
mod node;
mod operator;
mod postgres;
mod release;
mod replica;
mod rights;
mod secret;
mod space;
mod traces;
mod turned;
mod webhook;

pub use audit::Audit;
pub use cluster::Cluster;
pub use command::{CHART, command, run};
pub use database::Database;
pub use dice::Dice;
pub use gate::Gate;
pub use going::Going;
pub use grants::Grants;
pub use http::Server;
pub use judge::{HEALTH, argo_health, kstatus};
pub use keystore::{Keys, Keystore};
pub use kubectl::kustomized;
pub use member::{Member, named};
pub use middleman::Middleman;
pub use node::Node;
pub use operator::Operator;
pub use postgres::Postgres;
pub use release::{Release, installed, objects, token_kubeconfig};
pub use replica::{Replica, rerouted, server_of};
pub use space::{Conditions, Space, client, is_current, until, until_gone};
pub use traces::{Traces, hex};
pub use turned::{Turned, TurnedClock};
pub use webhook::{Hook, Tls, webhook_of};

use std::{env, time::Duration};

use jiff::Timestamp;

/// How long anything may take that is awaited. Generous: the machine may be busy.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A value that `dev/with-cluster.sh` sets.
pub fn setting(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set: these tests need a control plane, run them with `make test`")
    })
}

/// Waits until it is so.
pub async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !is_so().await {
        assert!(tokio::time::Instant::now() < deadline, "it never came about that {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits for the next second, for creation is told in seconds: what is created after this is younger than all before.
pub async fn so_that_the_next_is_younger() {
    let second = || Timestamp::now().as_second();
    let now = second();
    eventually("there is another second", async || second() > now).await;
}
