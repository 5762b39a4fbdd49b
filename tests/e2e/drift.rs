//! What another hand does to the store, to status, to the finalizer, and how it is put right.

use keyreeve::api::{FINALIZER, Namespace, PAUSED_ANNOTATION, Role, Tenant, User};
use kube::ResourceExt;
use serde_json::{Value, json};

use crate::support::{Conditions, Database, Operator, Space, eventually, is_current};

#[tokio::test]
async fn a_resync_puts_the_store_right() {
    let space = Space::new("drift-resync").await;
    let operator = Operator::start_with(&space, &["--resync", "1s"]);
    put_right(&space, async || ()).await;
    drop(operator);
}

#[tokio::test]
async fn the_reconcile_annotation_puts_the_store_right() {
    let space = Space::new("drift-asked").await;
    let operator = Operator::start(&space);
    put_right(&space, async || {
        space.resync("acme").await;
    })
    .await;
    drop(operator);
}

/// Disturbs the store in each way; `ask` makes the operator look, unless it does so by itself.
async fn put_right(space: &Space, ask: impl AsyncFn()) {
    space
        .create::<Tenant>(
            "acme",
            json!({"displayName": "Acme", "settings": {"ttl": {"session": "2h"}}}),
        )
        .await;
    space.create::<Tenant>("other", json!({})).await;
    space.ready("acme").await;
    space.ready("other").await;
    let mut database = space.database().await;
    let as_declared = database.acme().await;
    database
        .execute("INSERT INTO users (tenant_id, username, id) VALUES ('other', 'by-hand', '1')")
        .await;

    for (damage, told) in [
        (
            "UPDATE tenants SET display_name = 'Evil' WHERE tenant_id = 'acme'",
            "by writing display_name",
        ),
        (
            "UPDATE tenants SET settings = json_set(settings, '$.ttl.session', '999h') WHERE tenant_id = 'acme'",
            "by writing settings.ttl.session",
        ),
        ("UPDATE tenants SET settings = 'no JSON' WHERE tenant_id = 'acme'", "by writing settings"),
        ("DELETE FROM tenants WHERE tenant_id = 'acme'", "was made anew"),
    ] {
        assert_eq!(database.execute(damage).await, 1, "{damage}");
        ask().await;
        wait_for(space, "acme", as_declared.as_ref()).await;
        eventually(told, async || {
            let events = space.events("acme").await;
            events
                .iter()
                .any(|event| event.starts_with("Warning DriftCorrected") && event.contains(told))
        })
        .await;
    }
    assert!(space.ready("acme").await.condition("Stalled").is_none());
    let by_hand = "SELECT username FROM users WHERE tenant_id = 'other'";
    assert_eq!(database.text(by_hand).await.as_deref(), Some("by-hand"), "left alone");
    assert!(space.events("other").await.iter().all(|event| !event.contains("Drift")));
}

async fn wait_for(space: &Space, tenant: &str, row: Option<&Value>) {
    eventually("the store is as declared", async || {
        space.database().await.tenants().await.get(tenant) == row
    })
    .await;
}

#[tokio::test]
async fn a_wiped_status_comes_back() {
    let space = Space::new("wiped").await;
    let _operator = Operator::start(&space);
    space.create::<Tenant>("acme", json!({})).await;
    let before = space.ready("acme").await.status.unwrap();
    let mut database = space.database().await;
    let version = database.version().await;
    space.wipe_status("acme").await;
    let after = space.ready("acme").await.status.unwrap();
    assert_eq!(after.effective, before.effective);
    assert_eq!((after.tenant_id, after.short_id), (before.tenant_id, before.short_id));
    assert_eq!(database.version().await, version, "the store was right all the time");
    eventually("said again", async || space.times_told("acme", "Synced").await == 2).await;
}

#[tokio::test]
async fn a_finalizer_removed_by_hand_is_put_back_and_said_so() {
    let space = Space::new("finalizer").await;
    let operator = Operator::start(&space);
    space.create::<Tenant>("acme", json!({})).await;
    space.ready("acme").await;
    remove_finalizer(&space).await;
    space.tenant("acme", "protected again", is_protected).await;
    space.event("acme", "Warning FinalizerRestored").await;
    operator.kill();
    remove_finalizer(&space).await;
    let _operator = Operator::start(&space);
    space.tenant("acme", "protected again after a restart", is_protected).await;
}

async fn remove_finalizer(space: &Space) {
    space.merge::<Tenant>("acme", json!({"metadata": {"finalizers": null}})).await;
}

fn is_protected(tenant: &Tenant) -> bool {
    tenant.finalizers() == [FINALIZER]
}

#[tokio::test]
async fn while_paused_nothing_is_applied() {
    let space = Space::new("paused").await;
    let _operator = Operator::start(&space);
    space.create::<Tenant>("acme", json!({"displayName": "before"})).await;
    let before = space.ready("acme").await.status.unwrap().observed_generation;
    pause(&space, Some("true")).await;
    space.tenant("acme", "Paused", |tenant| tenant.condition("Paused").is_some()).await;
    space.event("acme", "Normal Paused").await;
    let mut database = space.database().await;
    let version = database.version().await;
    space.merge::<Tenant>("acme", json!({"spec": {"displayName": "after"}})).await;
    database.execute("UPDATE tenants SET region = 'by-hand'").await;
    // The operator has seen the edit once it has seen a later change of its own doing.
    space.wipe_status("acme").await;
    let paused =
        space.tenant("acme", "Paused again", |tenant| tenant.condition("Paused").is_some()).await;
    assert!(paused.status.unwrap().observed_generation < before, "it speaks of no generation");
    assert_eq!(display_name(&mut database).await, "before");
    assert_eq!(database.version().await, version);

    pause(&space, None).await;
    let resumed = space.ready("acme").await;
    assert!(resumed.condition("Paused").is_none());
    assert_eq!(display_name(&mut database).await, "after");
    space.event("acme", "Normal NotPaused").await;
    let drift = space.event("acme", "Warning DriftCorrected").await;
    assert!(drift.contains("region"), "{drift}");
}

#[tokio::test]
async fn an_edit_while_paused_does_not_advance_the_observed_generation() {
    let space = Space::new("paused-edit").await;
    let operator = Operator::start(&space);
    space.create::<Tenant>("acme", json!({})).await;
    space.ready("acme").await;
    pause(&space, Some("true")).await;
    space.tenant("acme", "Paused", |tenant| tenant.condition("Paused").is_some()).await;
    space.merge::<Tenant>("acme", json!({"spec": {"enabled": false}})).await;
    // Another tenant's whole life is time enough to see the edit.
    space.create::<Tenant>("later", json!({})).await;
    space.ready("later").await;
    operator.kill();
    let operator = Operator::start(&space);
    operator.works().await;
    space.merge::<Tenant>("later", json!({"spec": {"enabled": false}})).await;
    space.ready("later").await;
    let paused = space.tenants().get("acme").await.unwrap();
    assert!(!is_current(&paused) && paused.condition("Paused").is_some(), "{:#?}", paused.status);
    assert_eq!(paused.status.unwrap().enabled, Some(true));
    pause(&space, None).await;
    assert_eq!(space.ready("acme").await.status.unwrap().enabled, Some(false));
}

async fn pause(space: &Space, value: Option<&str>) {
    space
        .merge::<Tenant>("acme", json!({"metadata": {"annotations": {PAUSED_ANNOTATION: value}}}))
        .await;
}

async fn display_name(database: &mut Database) -> String {
    database.text("SELECT display_name FROM v1_tenants WHERE tenant_id = 'acme'").await.unwrap()
}

#[tokio::test]
async fn what_is_changed_and_reverted_is_as_it_was() {
    let space = Space::new("revert").await;
    let _operator = Operator::start(&space);
    space
        .create::<Tenant>(
            "acme",
            json!({"displayName": "Acme", "settings": {"ttl": {"session": "2h"}, "registerEnabled": true}}),
        )
        .await;
    let before = space.ready("acme").await.status.unwrap();
    let mut database = space.database().await;
    let row = database.acme().await;
    for (change, revert) in [
        (json!({"displayName": "Other"}), json!({"displayName": "Acme"})),
        (json!({"type": "internal"}), json!({"type": null})),
        (json!({"enabled": false}), json!({"enabled": null})),
        (
            json!({"settings": {"ttl": {"session": "3h", "accessToken": "9m"}}}),
            json!({"settings": {"ttl": {"session": "2h", "accessToken": null}}}),
        ),
        (
            json!({"settings": {"registerEnabled": null, "policies": {"password": {"min": 20, "history": 3}}}}),
            json!({"settings": {"registerEnabled": true, "policies": null}}),
        ),
        (
            json!({"organization": {"name": "Acme Ltd", "phones": {"office": "1"}}}),
            json!({"organization": null}),
        ),
        (
            json!({"subscription": {"expiresAt": "2020-01-01T00:00:00Z", "metadata": {"note": "x"}}}),
            json!({"subscription": null}),
        ),
        (json!({"keystore": {"algorithm": "ES256"}}), json!({"keystore": null})),
    ] {
        space.merge::<Tenant>("acme", json!({"spec": change})).await;
        space.ready("acme").await;
        assert_ne!(database.acme().await, row, "{change} is in the store");
        space.merge::<Tenant>("acme", json!({"spec": revert})).await;
        let status = space.ready("acme").await.status.unwrap();
        assert_eq!(database.acme().await, row, "{change} was reverted");
        assert_eq!(status.effective, before.effective);
        assert_eq!(status.enabled, before.enabled);
    }
}

#[tokio::test]
async fn a_store_that_was_lost_is_filled_anew_and_said_so() {
    let space = Space::new("lost").await;
    let operator = Operator::start(&space);
    space.create::<Tenant>("acme", json!({"displayName": "Acme"})).await;
    let before = space.ready("acme").await.status.unwrap().store.unwrap();
    operator.kill();
    for file in ["store.db", "store.db-wal", "store.db-shm"] {
        // The last two may be gone already.
        let _ = std::fs::remove_file(space.folder().join(file));
    }
    let _operator = Operator::start(&space);
    let event = space.event("acme", "Warning DriftCorrected: the store is another one").await;
    assert!(event.contains(&before.id), "{event}");
    // Events come before the status that they tell of.
    let in_another = |tenant: &Tenant| {
        let store = tenant.status.as_ref().and_then(|status| status.store.as_ref());
        tenant.is_ready() && store.is_some_and(|store| store.id != before.id)
    };
    space.tenant("acme", "in the other store", in_another).await;
    assert_eq!(display_name(&mut space.database().await).await, "Acme");
}

/// What was in the tenant went with it, and no object in the cluster changes by that.
#[tokio::test]
async fn what_was_lost_with_its_tenant_is_made_anew_with_it() {
    let space = Space::new("lost-within").await;
    let _operator = Operator::start(&space);
    space.create::<Tenant>("acme", json!({})).await;
    space.in_acme::<Namespace>("sales", json!({})).await;
    space.in_acme::<Role>("clerk", json!({"namespaceRef": {"name": "sales"}})).await;
    space.in_acme::<Role>("boss", json!({"composites": [{"name": "clerk"}]})).await;
    space.in_acme::<User>("ada", json!({"roles": [{"name": "boss"}]})).await;
    space.well::<User>("ada").await;
    space.well::<Role>("boss").await;
    let mut database = space.database().await;
    let all = "SELECT 'namespace ' || name FROM namespaces UNION SELECT 'role ' || name FROM roles \
               UNION SELECT name || ' > ' || role_name FROM role_composites \
               UNION SELECT username || ' > ' || role_name FROM user_roles ORDER BY 1";
    let before = database.texts(all).await;
    assert_eq!(
        before,
        ["ada > boss", "boss > clerk", "namespace sales", "role boss", "role clerk"]
    );

    database.execute("DELETE FROM tenants WHERE tenant_id = 'acme'").await;
    assert!(database.texts(all).await.is_empty(), "it went with its tenant");
    space.resync("acme").await;
    eventually("all is there again", async || database.texts(all).await == before).await;

    // Whoever misses one tells it.
    database.execute("DELETE FROM roles WHERE name = 'clerk'").await;
    space.change::<Role>("boss", json!({"description": "Looks at its parts"})).await;
    eventually("both are there again", async || database.texts(all).await == before).await;
    space.well::<Role>("boss").await;
    space.well::<User>("ada").await;
}
