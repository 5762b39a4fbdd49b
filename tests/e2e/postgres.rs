//! The operator on PostgreSQL: kills, a server that goes away, and another operator.

use std::time::{Duration, Instant};

use keyreeve::api::{Namespace, Role, Tenant, User};
use serde_json::json;

use crate::support::{Conditions, Operator, Postgres, Server, Space, eventually};

/// Within how long status says that the store is away.
const SECONDS: Duration = Duration::from_secs(20);

fn start(space: &Space, postgres: &Postgres, more: &[&str]) -> Operator {
    let flags = postgres.flags();
    let mut all: Vec<&str> = flags.iter().map(String::as_str).collect();
    all.extend(more);
    Operator::start_with(space, &all)
}

async fn make_user(space: &Space, name: &str) {
    let spec = json!({
        "email": format!("{name}@acme.example"), "roles": [{"name": "clerk"}], "password": {"generate": {}}
    });
    space.in_acme::<User>(name, spec).await;
}

#[tokio::test]
async fn a_bundle_on_postgresql_outlives_kills_and_an_outage() {
    let space = Space::new("postgres").await;
    let postgres = Postgres::start(&space).await;
    let probes = Server::new();
    let operator = start(&space, &postgres, &[]);
    // From what refers to what it refers to.
    make_user(&space, "ada").await;
    let clerk = json!({
        "namespaceRef": {"name": "sales"}, "rules": [{"paths": ["/orders/*"], "methods": ["GET"]}]
    });
    space.in_acme::<Role>("clerk", clerk).await;
    space.in_acme::<Namespace>("sales", json!({})).await;
    space.create::<Tenant>("acme", json!({"profileRef": {"name": "gold"}})).await;
    let gold = json!({"settings": {"ttl": {"session": "2h"}}, "keystore": {"algorithm": "ES256"}});
    space.make_profile("gold", gold).await;
    space.well::<User>("ada").await;
    let acme = space.ready("acme").await;
    assert_eq!(acme.status.unwrap().store.unwrap().kind, "postgres");

    // A kill while users are being written.
    for number in 0..10 {
        make_user(&space, &format!("user-{number}")).await;
    }
    operator.kill();
    let operator = start(&space, &postgres, &["--health-probe-bind-address", &probes.address]);
    for number in 0..10 {
        space.well::<User>(&format!("user-{number}")).await;
    }

    // An outage: status says so within seconds, of what is new and of what changes.
    postgres.stop();
    let began = Instant::now();
    make_user(&space, "late").await;
    space.change::<Role>("clerk", json!({"description": "while the store is away"})).await;
    // A connection that was open is only closed; the next attempt knows more.
    let sentence = "nothing listens at its address. Start PostgreSQL";
    let is_told =
        |user: &User| user.is_reconciling("StoreUnavailable") && user.message().contains(sentence);
    space.see("late", sentence, is_told).await;
    space.waits::<Role>("clerk", "StoreUnavailable").await;
    assert!(began.elapsed() < SECONDS, "{:?}", began.elapsed());
    // Neither a restart nor another Pod would mend it.
    for probe in ["/healthz", "/readyz"] {
        let (head, body) = probes.get(probe).unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{probe}: {head} {body}");
    }
    postgres.start_again();
    space.well::<User>("late").await;
    space.well::<Role>("clerk").await;

    assert!(operator.stop().await.success());
    let users = postgres.texts("SELECT username FROM v1_users ORDER BY 1").await;
    let mut expected = vec!["ada".to_owned(), "late".into()];
    expected.extend((0..10).map(|number| format!("user-{number}")));
    expected.sort();
    assert_eq!(users, expected);
    for (query, expected) in [
        ("SELECT description FROM v1_roles", vec!["while the store is away"]),
        ("SELECT count(*)::text FROM v1_user_roles", vec!["12"]),
        ("SELECT count(*)::text FROM v1_credentials", vec!["12"]),
        ("SELECT settings::json -> 'ttl' ->> 'session' FROM v1_tenants", vec!["2h"]),
    ] {
        assert_eq!(postgres.texts(query).await, expected, "{query}");
    }
}

/// Two on one store would take it from each other; the one that lost it stays where it is.
#[tokio::test]
async fn an_operator_that_lost_the_store_leaves_it_alone() {
    let space = Space::new("postgres-two").await;
    let postgres = Postgres::start(&space).await;
    let probes = Server::new();
    let mut old = start(&space, &postgres, &["--health-probe-bind-address", &probes.address]);
    space.create::<Tenant>("first", json!({})).await;
    space.ready("first").await;
    let new = start(&space, &postgres, &[]);
    new.works().await;
    // The old one learns of it when it wants to write, for which the other one must not be faster.
    new.pause(true);
    space.create::<Tenant>("second", json!({})).await;
    // The two write into one log, for they have one folder.
    let sentence = "ERROR another operator has taken this store over";
    eventually("the old one has lost the store", async || old.log().contains(sentence)).await;
    new.pause(false);
    space.ready("second").await;
    eventually("it is not ready", async || {
        probes.get("/readyz").is_some_and(|(head, body)| {
            head.contains("503") && body.contains("taken the store over")
        })
    })
    .await;
    let (head, _) = probes.get("/healthz").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "it must not be restarted: {head}");
    assert!(old.is_running());
    space.create::<Tenant>("last", json!({})).await;
    space.ready("last").await;
    assert_eq!(new.log().matches(sentence).count(), 1, "only one of the two");
    assert!(old.stop().await.success());
}

#[tokio::test]
async fn a_store_that_cannot_be_reached_is_refused_in_a_sentence() {
    let space = Space::new("postgres-away").await;
    let postgres = Postgres::start(&space).await;
    let mut flags = postgres.flags();
    flags[5] = space.folder().join("missing").display().to_string();
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let mut operator = Operator::start_with(&space, &flags);
    assert!(!operator.ended().await.success());
    let log = operator.log();
    assert!(
        log.contains("with credentials of the store cannot be read") && log.contains("missing"),
        "{log}"
    );
}
