//! Roles: how they come into the store, tenant-wide or in an identity Namespace, stay there, and go.

use keyreeve::api::{Namespace, Role, Tenant};
use kube::{Api, ResourceExt};
use serde_json::json;

use crate::support::{Audit, Conditions, Operator, Server, Space, eventually, until};

#[tokio::test]
async fn a_role_takes_three_writes_and_resyncs_take_none() {
    let space = Space::new("role-writes").await;
    let metrics = Server::new();
    let flags = ["--resync", "1s", "--metrics-bind-address", &metrics.address];
    let _operator = Operator::start_with(&space, &flags);
    space.made_tenant("acme", json!({})).await;
    space.made::<Namespace>("sales", json!({})).await;
    space.made::<Role>("clerk", json!({})).await;
    for object in ["acme", "sales", "clerk"] {
        space.event(object, "Normal Synced").await;
    }
    let audit = Audit::begin(&space);
    let spec = json!({"namespaceRef": {"name": "sales"}, "composites": [{"name": "clerk"}], "administrator": true});
    let boss = space.made::<Role>("boss", spec).await;
    let status = boss.status.unwrap();
    let told = [status.tenant_id, status.namespace, status.name].map(Option::unwrap);
    assert_eq!(told, ["acme", "sales", "boss"]);
    space.event("boss", "Normal Synced: role boss is in the store as declared").await;
    let mut database = space.database().await;
    let version = database.version().await;
    let looks = || metrics.metric("controller_runtime_reconcile_total", "controller=\"role\"");
    let seen = looks();
    eventually("both were looked at again and again", async || looks() >= seen + 8.0).await;
    let writes = audit.writes();
    assert_eq!(writes.len(), 3, "{writes:?}");
    assert_eq!(writes[..2], ["patch roles boss", "patch roles/status boss"]);
    assert!(writes[2].starts_with("create events boss."), "{writes:?}");
    assert_eq!(database.version().await, version);
}

#[tokio::test]
async fn a_role_is_kept_with_its_rules_tenant_wide_and_in_each_namespace() {
    let space = Space::new("role-rules").await;
    let _operator = Operator::start(&space);
    space.made_tenant("acme", json!({})).await;
    for namespace in ["sales", "stock"] {
        space.made::<Namespace>(namespace, json!({})).await;
    }
    let named = |namespace: &str| json!({"name": "clerk", "namespaceRef": {"name": namespace}, "description": namespace});
    let rules = json!([{"paths": ["/orders", "/orders/*"], "methods": ["GET", "HEAD"]}, {"paths": ["*"], "methods": ["*"]}]);
    space
        .made::<Role>("clerk", json!({"rules": rules, "administrator": true, "description": "All"}))
        .await;
    space.made::<Role>("sales-clerk", named("sales")).await;
    space.made::<Role>("stock-clerk", named("stock")).await;
    let mut database = space.database().await;
    let data = r#"[{"methods":["GET","HEAD"],"paths":["/orders","/orders/*"]},{"methods":["*"],"paths":["*"]}]"#;
    let all = format!("clerk All ! {data}");
    assert_eq!(database.roles().await, [&all, "sales/clerk sales", "stock/clerk stock"]);

    for (change, row) in [
        (json!({"rules": [], "administrator": false}), "clerk All"),
        (
            json!({"rules": rules, "administrator": null, "description": null}),
            &format!("clerk {data}"),
        ),
        (json!({"rules": null}), "clerk"),
        (json!({"rules": rules, "administrator": true, "description": "All"}), &all),
    ] {
        space.change::<Role>("clerk", change).await;
        space.well::<Role>("clerk").await;
        assert_eq!(database.roles().await[0], row);
    }
    for (damage, told) in [
        ("UPDATE roles SET rules = '[]' WHERE namespace = ''", "by writing rules"),
        ("UPDATE roles SET administrator = FALSE WHERE namespace = ''", "by writing administrator"),
        ("DELETE FROM roles WHERE namespace = ''", "was not in the store any more"),
    ] {
        assert_eq!(database.execute(damage).await, 1);
        space.look_again::<Role>("clerk").await;
        assert_eq!(database.roles().await[0], all);
        eventually(told, async || {
            let events = space.events("clerk").await;
            events
                .iter()
                .any(|event| event.starts_with("Warning DriftCorrected") && event.contains(told))
        })
        .await;
    }
    space.remove::<Role>("sales-clerk").await;
    space.event("sales-clerk", "Normal Removed: role clerk is gone from the store").await;
    assert_eq!(database.roles().await, [&all, "stock/clerk stock"]);
}

#[tokio::test]
async fn two_roles_of_one_name_in_one_place_are_a_conflict() {
    let space = Space::new("role-two").await;
    let _operator = Operator::start(&space);
    space.made_tenant("acme", json!({})).await;
    space.made::<Namespace>("sales", json!({})).await;
    let named = json!({"name": "clerk", "namespaceRef": {"name": "sales"}});
    space.made::<Role>("first", named.clone()).await;
    space.in_acme::<Role>("second", named).await;
    let loser = space.stalls::<Role>("second", "Conflict").await;
    assert!(
        loser.message().contains("role clerk of tenant acme is taken by Role first"),
        "{}",
        loser.message()
    );
    // The one that lost just goes, and what is not its own stays.
    space.remove::<Role>("second").await;
    space.event("second", "Normal LeftAlone").await;
    assert_eq!(space.database().await.roles().await, ["sales/clerk"]);
    space
        .in_acme::<Role>("third", json!({"name": "clerk", "namespaceRef": {"name": "sales"}}))
        .await;
    space.stalls::<Role>("third", "Conflict").await;
    space.let_go::<Role>("first").await;
    let third = space.well::<Role>("third").await;
    assert_eq!(space.database().await.text("SELECT mark_uid FROM roles").await, third.uid());
}

#[tokio::test]
async fn a_role_that_the_store_has_is_adopted_on_request_and_keeps_what_is_never_set() {
    let space = Space::new("role-adopt").await;
    let _operator = Operator::start_with(&space, &["--adoptable", "acme"]);
    space.made_tenant("acme", json!({})).await;
    let mut database = space.database().await;
    database
        .execute(
            r#"INSERT INTO roles (tenant_id, name, description, administrator, rules) VALUES
               ('acme', 'boss', 'Found', TRUE, '[{"paths":["/a"],"methods":["GET"]}]')"#,
        )
        .await;
    space.in_acme::<Role>("boss", json!({})).await;
    space.stalls::<Role>("boss", "Conflict").await;
    space.change::<Role>("boss", json!({"adoptionPolicy": "Adopt", "description": "Set"})).await;
    space.well::<Role>("boss").await;
    space.event("boss", "Normal Adopted").await;
    let rules = r#"[{"methods":["GET"],"paths":["/a"]}]"#;
    assert_eq!(database.roles().await, [format!("boss Set ! {rules}")]);
    space.change::<Role>("boss", json!({"administrator": false})).await;
    space.well::<Role>("boss").await;
    assert_eq!(database.roles().await, [format!("boss Set {rules}")]);
    space
        .change::<Role>("boss", json!({"administrator": null, "description": null, "rules": []}))
        .await;
    space.well::<Role>("boss").await;
    assert_eq!(database.roles().await, ["boss"]);
}

#[tokio::test]
async fn the_identity_namespace_must_be_there_in_the_same_tenant_and_allow_it() {
    let space = Space::new("role-place").await;
    let team = space.another("team", &[]).await;
    let _operator = Operator::start_with(&space, &["--watch-namespace", &team]);
    space.made_tenant("acme", json!({"allowedFrom": [{"matchNames": [team]}]})).await;
    space.made_tenant("other", json!({})).await;
    space.in_acme::<Role>("clerk", json!({"namespaceRef": {"name": "sales"}})).await;
    let waiting = space.waits::<Role>("clerk", "NamespaceNotFound").await;
    assert!(waiting.message().contains("sales is not there: create it"), "{}", waiting.message());
    space.made::<Namespace>("sales", json!({})).await;
    space.well::<Role>("clerk").await;

    let spec = json!({"tenantRef": {"name": "other"}, "namespaceRef": {"name": "sales"}});
    space.create::<Role>("mixed", spec).await;
    let mixed = space.stalls::<Role>("mixed", "TenantMismatch").await;
    assert!(
        mixed.message().contains("spec.namespaceRef: sales belongs to another tenant"),
        "{}",
        mixed.message()
    );

    let there: Api<Role> = Api::namespaced(space.client.clone(), &team);
    let in_space = |name: &str| json!({"name": name, "namespace": space.namespace});
    let spec =
        json!({"tenantRef": in_space("acme"), "namespaceRef": in_space("sales"), "name": "away"});
    space.create_in::<Role>(&team, "away", spec).await;
    let forbidden = until(there.clone(), "away", "not allowed", |role: &Role| {
        role.is_reconciling("NotAllowed")
    })
    .await;
    assert!(forbidden.message().contains("spec.namespaceRef"), "{}", forbidden.message());
    // Nor does it hold back the Namespace, nor keep a name in it.
    space.made::<Role>("away", json!({"namespaceRef": {"name": "sales"}})).await;
    space.remove::<Role>("away").await;
    let grant = json!({"allowedFrom": [{"matchNames": [team]}]});
    space.change::<Namespace>("sales", grant).await;
    until(there, "away", "Ready", Role::is_ready).await;
    assert_eq!(space.database().await.roles().await, ["sales/away", "sales/clerk"]);
}

#[tokio::test]
async fn what_a_hand_removes_with_all_that_is_in_it_comes_back_with_all_that_was_in_it() {
    let space = Space::new("role-lost").await;
    let _operator = Operator::start(&space);
    space.made_tenant("acme", json!({})).await;
    space.made::<Namespace>("sales", json!({})).await;
    space.made::<Role>("clerk", json!({"namespaceRef": {"name": "sales"}})).await;
    let mut database = space.database().await;
    database.execute("PRAGMA foreign_keys = ON").await;
    database.execute("DELETE FROM tenants").await;
    assert!(database.roles().await.is_empty());
    // The inner ones first, so that they find nothing to be in.
    space.look_again::<Role>("clerk").await;
    space.look_again::<Namespace>("sales").await;
    space.resync("acme").await;
    space.tenant("acme", "Ready", Tenant::is_ready).await;
    space.well::<Namespace>("sales").await;
    space.well::<Role>("clerk").await;
    assert_eq!(database.roles().await, ["sales/clerk"]);
}
