//! Tenants whose subscription ends, under a clock that the test turns.

use keyreeve::api::{Role, Tenant, User};
use serde_json::json;

use crate::support::{Conditions, Space, Turned, TurnedClock};

#[tokio::test]
async fn a_subscription_ends_and_is_renewed_with_nothing_lost() {
    let space = Space::new("clock").await;
    let clock = TurnedClock::new();
    let operator = Turned::start(&space, &clock).await;

    let spec = json!({
        "displayName": "Acme",
        "settings": {"rememberMe": true},
        "subscription": {"expiresAt": "2030-06-01T00:00:00Z"},
    });
    space.create::<Tenant>("acme", spec).await;
    let before = space.ready("acme").await;
    assert!(before.condition("Suspended").is_none());
    space.made::<Role>("clerk", json!({})).await;
    let ada =
        json!({"roles": [{"name": "clerk"}], "password": {"generate": {}}, "claims": {"a": 1}});
    space.made::<User>("ada", ada).await;
    let mut database = space.database().await;
    let row = "SELECT display_name || t.settings || organization || username || claims || hash || role_name || u.memo \
               FROM tenants AS t JOIN users AS u USING (tenant_id) JOIN user_credentials USING (tenant_id, username) \
               JOIN user_roles USING (tenant_id, username)";
    let stored = database.text(row).await;
    assert!(stored.is_some());

    clock.turn_hours(24 * 365);
    let suspended = space.resync("acme").await;
    let condition = suspended.condition("Suspended").unwrap();
    assert_eq!(condition.reason, "SubscriptionExpired");
    assert_eq!(condition.last_transition_time.0.to_string(), "2031-01-01T00:00:00Z");
    assert!(suspended.is_ready(), "the declared state is reached");
    assert_eq!(suspended.status.unwrap().enabled, Some(false));
    assert_eq!(database.number("SELECT enabled FROM v1_tenants").await, 0);
    assert_eq!(database.number("SELECT suspended FROM v1_tenants").await, 1);

    space
        .merge::<Tenant>(
            "acme",
            json!({"spec": {"subscription": {"expiresAt": "2040-01-01T00:00:00Z"}}}),
        )
        .await;
    let renewed =
        space.tenant("acme", "renewed", |tenant| tenant.condition("Suspended").is_none()).await;
    assert_eq!(renewed.status.unwrap().enabled, Some(true));
    assert_eq!(database.text(row).await, stored, "nothing is lost");
    space.event("acme", "Warning Suspended").await;
    space.event("acme", "Normal NotSuspended").await;

    // Back in time, too.
    clock.turn_hours(-24 * 730);
    let back = space.resync("acme").await;
    assert!(back.is_ready() && back.condition("Suspended").is_none());

    operator.stop().await;
}
