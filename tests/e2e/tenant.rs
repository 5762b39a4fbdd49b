//! The life of one Tenant.

use keyreeve::api::{Source, Tenant, TenantProfile};
use kube::api::{Patch, PatchParams};
use serde_json::json;

use crate::support::{Audit, Conditions, Operator, Space};

#[tokio::test]
async fn the_smallest_tenant_becomes_ready_in_four_writes() {
    let space = Space::new("smallest").await;
    let audit = Audit::begin(&space);
    let _operator = Operator::start(&space);
    space.create::<Tenant>("acme", json!({})).await;
    let tenant = space.ready("acme").await;
    let status = tenant.status.unwrap();
    assert_eq!(status.tenant_id.as_deref(), Some("acme"));
    assert_eq!(status.short_id.as_deref(), Some("QIVT-HLMH-YFEK"));
    assert_eq!(status.enabled, Some(true));
    assert_eq!(status.store.unwrap().kind, "sqlite");
    space.event("acme", "Normal Synced").await;
    let writes = audit.writes();
    assert_eq!(writes.len(), 4, "{writes:?}");
    let first = ["patch tenants acme", "create secrets keystore-acme", "patch tenants/status acme"];
    assert_eq!(writes[..3], first);
    assert!(writes[3].starts_with("create events"), "{writes:?}");
    let mut database = space.database().await;
    assert_eq!(
        database.text("SELECT short_id FROM v1_tenants WHERE tenant_id = 'acme'").await.as_deref(),
        Some("QIVT-HLMH-YFEK")
    );
}

#[tokio::test]
async fn settings_come_from_tenant_profile_and_built_in_values() {
    let space = Space::new("settings").await;
    let _operator = Operator::start(&space);
    space
        .create::<Tenant>(
            "acme",
            json!({
                "profileRef": {"name": "gold"},
                "settings": {"ttl": {"session": "90m", "idToken": "1h"}},
            }),
        )
        .await;
    let waiting = |tenant: &Tenant| tenant.has_reason("ProfileNotFound");
    let waiting = space.tenant("acme", "waiting for its profile", waiting).await;
    assert!(waiting.condition("Reconciling").is_some());
    space
        .create::<TenantProfile>(
            "gold",
            json!({
                "settings": {"ttl": {"session": "1h", "accessToken": "10m"}},
                "locked": ["settings.ttl.idToken"],
            }),
        )
        .await;
    let status = space.ready("acme").await.status.unwrap();
    let effective = status.effective.unwrap();
    let ttl = effective.settings.ttl.unwrap();
    assert_eq!(ttl.session.unwrap().to_string(), "1h30m");
    assert_eq!(ttl.access_token.unwrap().to_string(), "10m");
    assert_eq!(ttl.id_token.unwrap().to_string(), "5m");
    assert_eq!(status.overridden, ["settings.ttl.idToken"]);
    assert_eq!(effective.sources["settings.ttl.session"], Source::Tenant);
    assert_eq!(effective.subscription.plan.as_deref(), Some("gold"));
    space
        .profile("gold", "counting its tenant", |profile| {
            profile.status.as_ref().and_then(|status| status.tenants) == Some(1)
        })
        .await;
}

#[tokio::test]
async fn a_subscription_may_end_late_but_not_when_time_does() {
    let space = Space::new("late").await;
    let _operator = Operator::start(&space);
    let ending = |end: &str| json!({"spec": {"subscription": {"expiresAt": end}}});
    space.create::<Tenant>("acme", ending("9998-12-31T23:59:59Z")["spec"].clone()).await;
    space.ready("acme").await;
    let never = Patch::Merge(ending("9999-12-31T23:59:59Z"));
    let refused = space.tenants().patch("acme", &PatchParams::default(), &never).await;
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("expiresAt: Invalid value"), "{refused}");
    assert!(refused.contains("must be before the year 9999: leave it out"), "{refused}");
}
