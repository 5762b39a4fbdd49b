//! Subscriptions by the machine's clock; by one that is turned in `clock.rs`.

use jiff::{SignedDuration, Timestamp};
use keyreeve::api::Tenant;
use kube::api::DeleteParams;
use serde_json::json;

use crate::support::{Conditions, Operator, Space, is_current};

#[tokio::test]
async fn an_expired_subscription_suspends_the_tenant_until_it_is_renewed() {
    let space = Space::new("expired").await;
    let _operator = Operator::start(&space);
    space
        .create::<Tenant>("acme", json!({"subscription": {"expiresAt": "2020-01-01T00:00:00Z"}}))
        .await;
    let tenant = space.ready("acme").await;
    assert_eq!(tenant.condition("Suspended").unwrap().reason, "SubscriptionExpired");
    assert_eq!(tenant.status.unwrap().enabled, Some(false));
    space.event("acme", "Warning Suspended").await;
    let mut database = space.database().await;
    let row = database.acme().await.unwrap();
    assert_eq!((&row["enabled"], &row["suspended"]), (&json!(0), &json!(1)));

    space
        .merge::<Tenant>(
            "acme",
            json!({"spec": {"subscription": {"expiresAt": "2120-01-01T00:00:00Z"}}}),
        )
        .await;
    let tenant = space.ready("acme").await;
    assert!(tenant.condition("Suspended").is_none());
    assert_eq!(tenant.status.unwrap().enabled, Some(true));
    space.event("acme", "Normal NotSuspended").await;
    let row = database.acme().await.unwrap();
    assert_eq!((&row["enabled"], &row["suspended"]), (&json!(1), &json!(0)));
}

#[tokio::test]
async fn the_end_of_a_subscription_is_noticed_when_it_comes_even_without_a_profile() {
    let space = Space::new("expiring").await;
    let _operator = Operator::start(&space);
    let waiting = |tenant: &Tenant| tenant.has_reason("ProfileNotFound") && is_current(tenant);
    space.make_profile("gold", json!({})).await;
    space.create::<Tenant>("missing", json!({"profileRef": {"name": "gold"}})).await;
    space.ready("missing").await;
    space.profiles().delete("gold", &DeleteParams::default()).await.unwrap();
    space.tenant("missing", "waiting", waiting).await;
    let end = (Timestamp::now() + SignedDuration::from_secs(3)).to_string();
    let subscription = json!({"subscription": {"expiresAt": end}});
    space.create::<Tenant>("acme", subscription.clone()).await;
    space.merge::<Tenant>("missing", json!({"spec": subscription})).await;
    assert!(space.ready("acme").await.condition("Suspended").is_none());
    space.tenant("missing", "waiting with a subscription", waiting).await;
    for name in ["acme", "missing"] {
        let suspended = |tenant: &Tenant| tenant.condition("Suspended").is_some();
        let tenant =
            space.tenant(name, "suspended at the end of its subscription", suspended).await;
        assert_eq!(tenant.status.unwrap().enabled, Some(false));
    }
}
