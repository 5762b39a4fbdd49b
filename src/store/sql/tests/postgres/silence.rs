//! A server that keeps silent, and a network that is dead, under a running store: nobody is told, and nothing hangs.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use sqlx::postgres::PgPool;

use super::{
    BUSY, Database,
    faults::{converged, forty_users_while, other, unavailable},
    proxy::Proxy,
    until,
};
use crate::store::{
    Expected, State, Store,
    conformance::samples,
    sql::{SqlStore, engine::Engine, postgres::Timeouts},
};

/// Shorter than the usual ones.
const SHORT: Timeouts =
    Timeouts { answer: Duration::from_secs(4), idle: Duration::from_secs(3), ..Timeouts::USUAL };

/// A store with the tenant acme, behind a proxy.
async fn start(timeouts: Timeouts) -> (Arc<SqlStore>, Proxy) {
    let database = Database::new().await;
    let proxy = Proxy::new(database.server.address()).await;
    let store = database.open_within(timeouts, &proxy.address).await;
    converged(&store, &samples::tenant("acme")).await;
    (store.into(), proxy)
}

fn pool(store: &SqlStore) -> &PgPool {
    let Engine::Postgres(server) = &store.engine else { unreachable!() };
    server.pool()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_says_nothing_any_more() {
    let (store, proxy) = start(SHORT).await;
    let mut under_way = store.engine.write().await.unwrap();
    under_way.lock("acme").await.unwrap();

    proxy.falls_silent();
    let sentence = unavailable(under_way.lock("acme")).await;
    assert!(sentence.contains("PostgreSQL gave no answer within 4 s"), "{sentence}");
    drop(under_way);
    let State::Tenant(mut acme) = samples::tenant("acme") else { unreachable!() };
    acme.display_name = Some("Acme".into());
    let acme = State::Tenant(acme);
    let key = acme.key();
    let mark = samples::mark(&key);
    let new = other();
    let sentences = tokio::join!(
        unavailable(store.observe(&key)),
        unavailable(store.apply(&new, &Expected::Absent)),
        unavailable(store.delete(&key, &mark)),
    );
    for sentence in [sentences.0, sentences.1, sentences.2] {
        assert!(
            sentence.contains("PostgreSQL's machine does not answer. Look at the network"),
            "{sentence}"
        );
    }

    // The server ends the transaction of which it hears nothing, and so its lock.
    proxy.ends_silence();
    converged(&store, &acme).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_fall_silent_in_the_middle_of_writes() {
    let (store, proxy) = start(SHORT).await;
    forty_users_while(&store, async || {
        for _ in 0..3 {
            proxy.falls_silent();
            tokio::task::yield_now().await;
            proxy.ends_silence();
            // Of those that it makes now some are silent at once.
            converged(&store, &other().state).await;
        }
    })
    .await;
}

/// As after a failover, or when something between the two has forgotten them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_connections_that_died_without_a_word_cost_one_call_a_moment() {
    let timeouts = Timeouts { ping: Duration::from_secs(4), ..BUSY };
    let (store, proxy) = start(timeouts).await;
    let mut all = Vec::new();
    for _ in 0..6 {
        all.push(store.engine.read().await.unwrap());
    }
    drop(all);
    until("all are idle", async || pool(&store).num_idle() > 5).await;
    proxy.falls_silent();
    proxy.ends_silence();
    let (began, key) = (Instant::now(), samples::tenant("acme").key());
    for call in 0..8 {
        let seen = store.observe(&key).await;
        assert!(matches!(seen, Ok(Some(_))), "call {call}: {seen:?}");
    }
    // To be found out one by one they would take six times as long as one may take to show that it lives.
    let took = began.elapsed();
    assert!(took < 5 * timeouts.ping, "{took:?}");
}
