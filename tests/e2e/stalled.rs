//! Tenants that need a person: what was in force stays, and what does not depend on it still works.

use keyreeve::api::{Tenant, TenantProfile};
use serde_json::json;

use crate::support::{Cluster, Conditions, Operator, Space, is_current};

#[tokio::test]
async fn a_policy_that_nobody_can_satisfy_is_healed_by_either_side() {
    let space = Space::new("policy").await;
    let _operator = Operator::start(&space);
    let password =
        |rule: &str, value: u32| json!({"settings": {"policies": {"password": {rule: value}}}});
    space.make_profile("gold", password("max", 16)).await;
    space.create::<Tenant>("acme", json!({"profileRef": {"name": "gold"}})).await;
    space.ready("acme").await;
    let mut database = space.database().await;
    let row = database.acme().await;
    let stalled = |tenant: &Tenant| tenant.has_reason("PolicyUnsatisfiable") && is_current(tenant);

    space.merge::<Tenant>("acme", json!({"spec": password("min", 20)})).await;
    let tenant = space.tenant("acme", "Stalled", stalled).await;
    assert!(tenant.condition("Stalled").unwrap().message.contains("16"));
    assert!(tenant.condition("Reconciling").is_none());
    space.event("acme", "Warning PolicyUnsatisfiable").await;
    assert_eq!(database.acme().await, row, "what was in force stays in force");
    space.merge::<Tenant>("acme", json!({"spec": password("min", 14)})).await;
    space.ready("acme").await;

    space.merge::<TenantProfile>("gold", json!({"spec": password("max", 13)})).await;
    space.tenant("acme", "Stalled by its profile", stalled).await;
    space.merge::<TenantProfile>("gold", json!({"spec": password("max", 64)})).await;
    assert!(space.ready("acme").await.condition("Stalled").is_none());
}

#[tokio::test]
async fn a_tenant_that_is_stalled_can_still_be_disabled_and_is_put_right() {
    let space = Space::new("stalled").await;
    let _operator = Operator::start(&space);
    space.create::<TenantProfile>("gold", json!({})).await;
    space.create::<Tenant>("acme", json!({"profileRef": {"name": "gold"}})).await;
    space.ready("acme").await;
    // No tenant that sets nothing can use it any more; the profile says so, too.
    let short = json!({"spec": {"settings": {"policies": {"password": {"max": 8}}}}});
    space.merge::<TenantProfile>("gold", short).await;
    let stalled = |tenant: &Tenant| tenant.is_stalled("PolicyUnsatisfiable");
    space.tenant("acme", "Stalled", stalled).await;
    space.profile("gold", "Stalled", |profile| profile.is_stalled("PolicyUnsatisfiable")).await;
    let mut database = space.database().await;
    assert_eq!(
        database.number("SELECT settings ->> '$.policies.password.max' FROM tenants").await,
        128,
        "what was in force stays"
    );

    space.merge::<Tenant>("acme", json!({"spec": {"enabled": false}})).await;
    let disabled =
        |tenant: &Tenant| tenant.status.as_ref().and_then(|status| status.enabled) == Some(false);
    let tenant = space.tenant("acme", "disabled", disabled).await;
    assert!(tenant.is_stalled("PolicyUnsatisfiable"));
    assert_eq!(database.number("SELECT enabled FROM v1_tenants").await, 0);

    space.merge::<TenantProfile>("gold", json!({"spec": {"settings": null}})).await;
    space.ready("acme").await;
    space.profile("gold", "accepted", Conditions::is_ready).await;
}

#[tokio::test]
async fn a_tenant_that_breaks_a_newer_rule_is_stalled_and_can_still_be_disabled() {
    let cluster = Cluster::start().await;
    let space = cluster.space("newer-rule").await;
    let operator = Operator::start(&space);
    space.create::<Tenant>("acme", json!({"displayName": "Acme"})).await;
    space.ready("acme").await;
    operator.kill();

    cluster.take_any_tenant(true).await;
    let short = json!({"spec": {"enabled": false, "settings": {"ttl": {"session": "1m"}}}});
    space.merge::<Tenant>("acme", short).await;
    cluster.take_any_tenant(false).await;

    let _operator = Operator::start(&space);
    let stalled = |tenant: &Tenant| tenant.is_stalled("InvalidSpec");
    let tenant = space.tenant("acme", "Stalled", stalled).await;
    assert!(tenant.message().contains("spec.settings.ttl.session"), "{}", tenant.message());
    assert_eq!(tenant.status.unwrap().enabled, Some(false));
    let mut database = space.database().await;
    let stored = "SELECT enabled || ' ' || (settings ->> '$.ttl.session') FROM tenants";
    assert_eq!(database.text(stored).await.as_deref(), Some("0 10h"), "what was in force stays");

    space.merge::<Tenant>("acme", json!({"spec": {"enabled": null, "settings": null}})).await;
    space.ready("acme").await;
    assert_eq!(database.text(stored).await.as_deref(), Some("1 10h"));
}
