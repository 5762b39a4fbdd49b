//! What pages tell people to look at and to do from day to day, as it is written.

use std::fs;

use k8s_openapi::api::{coordination::v1::Lease, core::v1::Secret};
use keyreeve::api::{Tenant, User};
use kube::{
    Api,
    api::{DeleteParams, PostParams},
};
use serde_json::{Value, json};

use super::{page::text, start::reader};
use crate::support::{Conditions, Keys, Operator, Space, run, until_gone};

const ALERTS: &str = "docs/alerts.md";
const GITOPS: &str = "docs/gitops.md";
const KEYS: &str = "docs/keys.md";
const PASSWORDS: &str = "docs/passwords.md";

/// Where documents say that the operator is.
const SYSTEM: &str = "keyreeve-system";

#[tokio::test]
async fn what_an_alert_tells_to_look_at_names_the_objects_that_it_is_about() {
    let space = Space::new("alerts-page").await;
    let mut reader = reader(&space);
    let _operator = Operator::start(&space);
    space.made_tenant("acme", json!({})).await;
    // The one of the release; that of the tests has a file as its store, and so none.
    let leases = Api::<Lease>::namespaced(space.client.clone(), SYSTEM);
    let lease = json!({"metadata": {"name": "keyreeve"}, "spec": {"holderIdentity": "a-pod_1"}});
    let lease = serde_json::from_value(lease).unwrap();
    leases.create(&PostParams::default(), &lease).await.unwrap();
    reader.follows(ALERTS, &["pods"]);
    assert!(reader.follows(ALERTS, &["lease"]).contains("holderIdentity: a-pod_1"));
    let shown = reader.follows("docs/high-availability.md", &["lease"]);
    assert!(shown.contains("LEADER") && shown.contains("a-pod_1"), "{shown}");
    leases.delete("keyreeve", &DeleteParams::default()).await.unwrap();

    let messages = reader.follows(ALERTS, &["store"]);
    assert!(messages.contains("tenant acme is in the store as declared"), "{messages}");
    let suspended = json!({"subscription": {"expiresAt": "2020-01-01T00:00:00Z"}});
    space.create::<Tenant>("late", suspended).await;
    space.ready("late").await;
    assert!(reader.follows(ALERTS, &["suspended"]).lines().any(|name| name == "late"));
    space
        .merge::<Tenant>(
            "late",
            json!({"metadata": {"annotations": {"keyreeve.dev/paused": "true"}}}),
        )
        .await;
    let is_paused = |tenant: &Tenant| tenant.condition("Paused").is_some();
    space.tenant("late", "paused", is_paused).await;
    assert!(reader.follows(ALERTS, &["rotations"]).lines().any(|name| name == "late"));
    space.in_acme::<User>("wrong", json!({"username": "taken"})).await;
    space.well::<User>("wrong").await;
    space.in_acme::<User>("other", json!({"username": "taken"})).await;
    space.stalls::<User>("other", "Conflict").await;
    reader.sets("REASON", "Conflict");
    reader.sets("NAME", "other");
    let shown = reader.follows(ALERTS, &["stalled"]);
    assert!(shown.contains("user.keyreeve.dev/other"), "{shown}");
    assert!(shown.contains("Reason:") && shown.contains("taken"), "{shown}");
    let listed = reader.follows("docs/tenants.md", &["list"]);
    let head: Vec<_> = listed.lines().next().unwrap().split_whitespace().collect();
    let page = text("docs/tenants.md");
    let shown = page.lines().find(|line| line.starts_with("NAME ")).unwrap();
    assert_eq!(head, shown.split_whitespace().collect::<Vec<_>>());
    reader.follows("charts/keyreeve/README.md", &["rights-of-people"]);
}

#[tokio::test]
async fn keys_and_passwords_are_read_moved_and_waited_for_as_pages_say() {
    let space = Space::new("keys-page").await;
    let mut reader = reader(&space);
    let _operator = Operator::start(&space);
    space.made_tenant("acme", json!({})).await;
    let active = space.tenants().get("acme").await.unwrap().active();
    reader.sets("TEAM", &space.namespace);
    reader.sets("KID", &active);
    let shown = reader.follows(KEYS, &["jwks"]);
    assert_eq!(shown.matches(&active).count(), 2, "the JWKS twice: {shown}");
    assert!(shown.contains("-----BEGIN PUBLIC KEY-----"), "{shown}");
    let shown = reader.follows(KEYS, &["jwks-by-kubectl"]);
    assert!(shown.contains(&format!("{active} Active")), "{shown}");
    let new = space.another("moved", &[]).await;
    reader.sets("OLD", &space.namespace);
    reader.sets("NEW", &new);
    reader.follows(KEYS, &["move"]);
    let moved = Api::<Secret>::namespaced(space.client.clone(), &new);
    let moved = moved.get("keystore-acme").await.unwrap();
    let old = space.keystore("acme").await.0;
    assert_eq!((moved.data, moved.type_), (old.data, old.type_));
    assert_eq!(moved.metadata.annotations, old.metadata.annotations);

    assert!(reader.follows(KEYS, &["kids"]).contains(&format!("{active} Active")));
    reader.sets("KIDS", &format!("\"{active}\""));
    reader.follows(KEYS, &["revoke"]);
    let is_replaced = |tenant: &Tenant| tenant.is_ready() && tenant.active() != active;
    let replaced = space.tenant("acme", "signed for by another key", is_replaced).await.active();
    space.event("acme", "Warning KeyRevoked").await;
    let shown = reader.follows(KEYS, &["revoked"]);
    assert!(shown.contains("KeyRevoked") && shown.contains(&replaced), "{shown}");
    assert!(
        !shown.lines().any(|line| line.contains("\"kid\"") && line.contains(&active)),
        "{shown}"
    );

    for way in ["secret", "secret-by-stdin"] {
        reader.follows(PASSWORDS, &[way]);
        let jane = space.secrets().get("jane").await.unwrap();
        assert_eq!(jane.data.unwrap()["password"].0, b"correct horse battery staple", "{way}");
        space.secrets().delete("jane", &DeleteParams::default()).await.unwrap();
        until_gone(space.secrets(), "jane").await;
    }
    space.made::<User>("ada", json!({"password": {"generate": {}}})).await;
    assert!(reader.follows(PASSWORDS, &["generated"]).trim().len() >= 24);

    let object = |kind: &str, name: &str, spec: Value| {
        json!({
            "apiVersion": "keyreeve.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec,
        })
    };
    let bundle = object("Tenant", "bundled", json!({})).to_string();
    let file = space.folder().join("bundle.yaml");
    fs::write(&file, &bundle).unwrap();
    run("kubectl", &["create", "--namespace", &space.namespace, "-f", file.to_str().unwrap()]);
    reader.follows(GITOPS, &["wait"]);
    let chart = space.folder().join("bundle");
    fs::create_dir_all(chart.join("templates")).unwrap();
    fs::write(chart.join("Chart.yaml"), "apiVersion: v2\nname: bundle\nversion: 1.0.0\n").unwrap();
    let released = object("Tenant", "released", json!({})).to_string();
    fs::write(chart.join("templates/tenant.yaml"), released).unwrap();
    run("helm", &["install", "bundle", chart.to_str().unwrap(), "--namespace", &space.namespace]);
    reader.sets("RELEASE", "bundle");
    let waited = reader.follows(GITOPS, &["wait-for-a-release"]);
    assert!(waited.contains("tenant.keyreeve.dev/released condition met"), "{waited}");
    // Until somebody else has her name.
    space.remove::<User>("ada").await;
    space.in_acme::<User>("first", json!({"username": "ada"})).await;
    space.well::<User>("first").await;
    space.in_acme::<User>("ada", json!({})).await;
    let waited = reader.follows(GITOPS, &["wait-for-what-is-wrong"]);
    assert!(waited.contains("user.keyreeve.dev/ada condition met"), "{waited}");
}
