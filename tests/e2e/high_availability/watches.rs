//! Watches that die without a word, and watches whose version is gone.

use std::time::{Duration, Instant};

use keyreeve::api::{Tenant, User};
use serde_json::json;

use crate::support::{
    Conditions, Gate, Middleman, Operator, Space, eventually, rerouted, server_of,
};

/// An operator that is alone, by another way to the API server.
fn start(space: &Space, kubeconfig: &std::path::Path) -> Operator {
    let store = format!("sqlite:{}", space.store_file().display());
    Operator::start_apart(
        space,
        "operator",
        kubeconfig,
        &[],
        &[
            "--watch-namespace",
            &space.namespace,
            "--store",
            &store,
            "--metrics-bind-address",
            "0",
            "--health-probe-bind-address",
            "0",
        ],
    )
}

#[tokio::test]
async fn a_watch_that_dies_silently_is_noticed_within_a_minute() {
    let space = Space::new("silent-watch").await;
    let gate = Gate::to(&server_of(&space.operator_kubeconfig)).await;
    let way = format!("https://{}", gate.address);
    let kubeconfig = rerouted_into(&space, &way);
    let operator = start(&space, &kubeconfig);
    operator.works().await;
    space.create::<Tenant>("acme", json!({})).await;
    space.ready("acme").await;

    gate.freeze();
    let died = Instant::now();
    space.create::<Tenant>("second", json!({})).await;
    let noticed = space.tenant("second", "noticed", |tenant| tenant.condition("Ready").is_some());
    noticed.await;
    let took = died.elapsed();
    println!("a watch that died silently was noticed after {took:.1?}");
    assert!(took < Duration::from_secs(60), "{took:?}");
    assert!(took > Duration::from_secs(1), "the watch has not died");
}

#[tokio::test]
async fn a_watch_whose_version_is_gone_begins_anew_and_misses_nothing() {
    let space = Space::new("gone").await;
    let middleman = Middleman::to(&space.operator_kubeconfig).await;
    let kubeconfig = rerouted_into(&space, &middleman.server());
    let operator = start(&space, &kubeconfig);
    operator.works().await;
    for name in ["acme", "goes"] {
        space.create::<Tenant>(name, json!({"deletionPolicy": "Delete"})).await;
        space.ready(name).await;
    }
    let (lists, began) = (middleman.lists(), Instant::now());
    middleman.say_gone(true);
    middleman.cut();
    space.delete("goes").await;
    space.in_acme::<User>("ada", json!({})).await;
    // A list tells what the watch did not.
    space.gone("goes").await;
    space.well::<User>("ada").await;
    eventually("each watch was told", async || middleman.told() >= 5).await;
    middleman.say_gone(false);
    space.change::<User>("ada", json!({"firstName": "Ada"})).await;
    space.well::<User>("ada").await;
    let (told, lists) = (middleman.told(), middleman.lists() - lists);
    println!("{told} watches were told, {lists} lists in {:.1?}", began.elapsed());
    // With growing pauses: a watch that fails again and again is no storm.
    assert!(told < 200, "{told}");
}

fn rerouted_into(space: &Space, server: &str) -> std::path::PathBuf {
    let own = space.folder().join("operator.kubeconfig");
    std::fs::copy(&space.operator_kubeconfig, &own).unwrap();
    rerouted(&own, server, "rerouted")
}
