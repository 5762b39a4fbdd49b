//! Namespaces: how they come into the store, stay there, are put right, and go.

use keyreeve::api::{Namespace, Role};
use kube::{Api, ResourceExt, api::DeleteParams};
use serde_json::json;

use crate::support::{Audit, Conditions, Operator, Server, Space, eventually, until, until_gone};

#[tokio::test]
async fn a_namespace_takes_three_writes_and_resyncs_take_none() {
    let space = Space::new("tns-writes").await;
    let metrics = Server::new();
    let flags = ["--resync", "1s", "--metrics-bind-address", &metrics.address];
    let _operator = Operator::start_with(&space, &flags);
    space.made_tenant("acme", json!({})).await;
    space.event("acme", "Normal Synced").await;
    let audit = Audit::begin(&space);
    let sales = space.made::<Namespace>("sales", json!({"description": "Sells"})).await;
    let status = sales.status.unwrap();
    assert_eq!(
        (status.tenant_id.as_deref(), status.name.as_deref()),
        (Some("acme"), Some("sales"))
    );
    space.event("sales", "Normal Synced: namespace sales is in the store").await;
    let mut database = space.database().await;
    assert_eq!(database.namespaces().await, ["acme/sales Sells"]);

    let version = database.version().await;
    let looks = || metrics.metric("controller_runtime_reconcile_total", "controller=\"namespace\"");
    let seen = looks();
    eventually("it was looked at again and again", async || looks() >= seen + 4.0).await;
    let writes = audit.writes();
    assert_eq!(writes.len(), 3, "{writes:?}");
    assert_eq!(writes[..2], ["patch namespaces sales", "patch namespaces/status sales"]);
    assert!(writes[2].starts_with("create events sales."), "{writes:?}");
    assert_eq!(database.version().await, version);
}

#[tokio::test]
async fn what_is_declared_is_in_the_store_and_another_hand_is_put_right() {
    let space = Space::new("tns-drift").await;
    let _operator = Operator::start(&space);
    space.made_tenant("acme", json!({})).await;
    space.made::<Namespace>("sales", json!({"name": "shop", "description": "Sells"})).await;
    let mut database = space.database().await;
    assert_eq!(database.namespaces().await, ["acme/shop Sells"]);
    for (description, row) in [
        (json!("Sells more"), "acme/shop Sells more"),
        (json!(null), "acme/shop"),
        (json!("Sells"), "acme/shop Sells"),
    ] {
        space.change::<Namespace>("sales", json!({"description": description})).await;
        space.well::<Namespace>("sales").await;
        assert_eq!(database.namespaces().await, [row]);
    }
    for (damage, told) in [
        (
            "UPDATE namespaces SET description = 'Evil'",
            "Warning DriftCorrected: another hand had changed namespace shop in the store; it is as declared again, by writing description",
        ),
        (
            "DELETE FROM namespaces",
            "Warning DriftCorrected: namespace shop was not in the store any more",
        ),
    ] {
        assert_eq!(database.execute(damage).await, 1);
        space.look_again::<Namespace>("sales").await;
        space.event("sales", told).await;
        assert_eq!(database.namespaces().await, ["acme/shop Sells"]);
    }
}

#[tokio::test]
async fn a_deleted_namespace_goes_from_the_store_unless_it_is_retained() {
    let space = Space::new("tns-delete").await;
    let _operator = Operator::start(&space);
    space.made_tenant("acme", json!({})).await;
    space.made::<Namespace>("sales", json!({})).await;
    space
        .made::<Namespace>("kept", json!({"deletionPolicy": "Retain", "description": "Stays"}))
        .await;
    let mut database = space.database().await;
    space.remove::<Namespace>("sales").await;
    space.event("sales", "Normal Removed: namespace sales is gone from the store").await;
    space.remove::<Namespace>("kept").await;
    space.event("kept", "Normal Retained").await;
    assert_eq!(database.namespaces().await, ["acme/kept Stays"]);
    let again = space.made::<Namespace>("kept", json!({})).await;
    space.event("kept", "Normal TakenOver").await;
    assert_eq!(database.text("SELECT mark_uid FROM namespaces").await, again.uid());
    assert_eq!(database.namespaces().await, ["acme/kept"], "it is no adopted one");
}

#[tokio::test]
async fn a_deletion_waits_for_the_roles_in_the_namespace_and_is_woken_by_their_going() {
    let space = Space::new("tns-blocked").await;
    let _operator = Operator::start(&space);
    space.made_tenant("acme", json!({})).await;
    space.made::<Namespace>("sales", json!({})).await;
    let placed = json!({"namespaceRef": {"name": "sales"}});
    for role in ["boss", "clerk"] {
        space.made::<Role>(role, placed.clone()).await;
    }
    // These have nothing to do with it.
    space.made::<Role>("everywhere", json!({})).await;
    space
        .create::<Role>(
            "stranger",
            json!({"tenantRef": {"name": "other"}, "namespaceRef": {"name": "sales"}}),
        )
        .await;
    space.let_go::<Namespace>("sales").await;
    let here = &space.namespace;
    let blocked = async |by: String| {
        let message = format!(
            "in namespace sales, which is to be deleted first, unless deletionPolicy is set to Retain: {by}"
        );
        let waits = |sales: &Namespace| {
            sales.is_reconciling("DeletionBlocked") && sales.message().contains(&message)
        };
        space.see("sales", &message, waits).await;
    };
    blocked(format!("Role {here}/boss, Role {here}/clerk")).await;
    let waiting = space.waits::<Role>("clerk", "NamespaceNotFound").await;
    assert!(waiting.message().ends_with("sales is being deleted"), "{}", waiting.message());
    space.remove::<Role>("boss").await;
    blocked(format!("Role {here}/clerk")).await;
    let mut database = space.database().await;
    assert_eq!(database.roles().await, ["everywhere", "sales/clerk"]);
    space.remove::<Role>("clerk").await;
    until_gone(space.api::<Namespace>(), "sales").await;
    assert!(database.namespaces().await.is_empty());
    assert_eq!(database.roles().await, ["everywhere"]);
}

#[tokio::test]
async fn retain_ends_a_deletion_that_waits_and_the_roles_stay() {
    let space = Space::new("tns-retain").await;
    let _operator = Operator::start(&space);
    space.made_tenant("acme", json!({})).await;
    space.made::<Namespace>("sales", json!({})).await;
    space.made::<Role>("clerk", json!({"namespaceRef": {"name": "sales"}})).await;
    space.let_go::<Namespace>("sales").await;
    space.waits::<Namespace>("sales", "DeletionBlocked").await;
    space.change::<Namespace>("sales", json!({"deletionPolicy": "Retain"})).await;
    until_gone(space.api::<Namespace>(), "sales").await;
    space.event("sales", "Warning Retained").await;
    let gone = |role: &Role| {
        role.is_reconciling("NamespaceNotFound")
            && role.message().contains("sales is not there: create it")
    };
    space.see("clerk", "waiting for the Namespace", gone).await;
    let mut database = space.database().await;
    assert_eq!(database.roles().await, ["sales/clerk"]);
    // Without its Namespace it is still known where it was.
    space.remove::<Role>("clerk").await;
    assert!(database.roles().await.is_empty());
    assert_eq!(database.namespaces().await, ["acme/sales"]);
}

#[tokio::test]
async fn what_the_store_has_is_adopted_on_request_and_what_was_never_set_stays_as_found() {
    let space = Space::new("tns-adopt").await;
    let _operator = Operator::start_with(&space, &["--adoptable", "ac*"]);
    space.made_tenant("acme", json!({})).await;
    let mut database = space.database().await;
    let found =
        "INSERT INTO namespaces (tenant_id, name, description) VALUES ('acme', 'sales', 'Found')";
    database.execute(found).await;
    space.in_acme::<Namespace>("sales", json!({})).await;
    let conflict = space.stalls::<Namespace>("sales", "Conflict").await;
    assert!(
        conflict.message().contains("nobody's: set adoptionPolicy: Adopt"),
        "{}",
        conflict.message()
    );
    space.change::<Namespace>("sales", json!({"adoptionPolicy": "Adopt"})).await;
    space.well::<Namespace>("sales").await;
    space.event("sales", "Normal Adopted: namespace sales was adopted").await;
    assert_eq!(database.namespaces().await, ["acme/sales Found"]);
    database.execute("UPDATE namespaces SET description = 'By hand'").await;
    space.look_again::<Namespace>("sales").await;
    assert_eq!(database.namespaces().await, ["acme/sales By hand"]);
    for (description, row) in [(json!("Set"), "acme/sales Set"), (json!(null), "acme/sales")] {
        space.change::<Namespace>("sales", json!({"description": description})).await;
        space.well::<Namespace>("sales").await;
        assert_eq!(database.namespaces().await, [row]);
    }
    let events = space.events("sales").await;
    assert!(events.iter().all(|event| !event.contains("Drift")), "{events:#?}");
}

#[tokio::test]
async fn the_first_of_two_keeps_the_name_and_the_other_follows_when_it_goes() {
    for (first, second) in [("alpha", "omega"), ("omega", "alpha")] {
        let space = Space::new("tns-two").await;
        let _operator = Operator::start(&space);
        for tenant in ["acme", "other"] {
            space.made_tenant(tenant, json!({})).await;
        }
        let named = json!({"name": "sales"});
        space.made::<Namespace>(first, named.clone()).await;
        space.in_acme::<Namespace>(second, named).await;
        let loser = space.stalls::<Namespace>(second, "Conflict").await;
        let says = format!("namespace sales of tenant acme is taken by Namespace {first}");
        assert!(loser.message().contains(&says), "{}", loser.message());
        assert!(loser.status.unwrap().store.is_none());
        // In another tenant the name is free.
        let elsewhere = json!({"tenantRef": {"name": "other"}, "name": "sales"});
        space.create::<Namespace>("elsewhere", elsewhere).await;
        space.well::<Namespace>("elsewhere").await;

        space.let_go::<Namespace>(first).await;
        let follower = space.well::<Namespace>(second).await;
        let mark = "SELECT mark_uid FROM namespaces WHERE tenant_id = 'acme'";
        assert_eq!(space.database().await.text(mark).await, follower.uid());
    }
}

#[tokio::test]
async fn nobody_keeps_a_name_from_a_kubernetes_namespace_that_the_tenant_does_not_allow() {
    let space = Space::new("tns-squat").await;
    let stranger = space.another("stranger", &[]).await;
    let _operator = Operator::start_with(&space, &["--watch-namespace", &stranger]);
    space.made_tenant("acme", json!({})).await;
    let there: Api<Namespace> = Api::namespaced(space.client.clone(), &stranger);
    let spec =
        json!({"tenantRef": {"name": "acme", "namespace": space.namespace}, "name": "sales"});
    space.create_in::<Namespace>(&stranger, "squatter", spec).await;
    until(there.clone(), "squatter", "not allowed", |found: &Namespace| {
        found.has_reason("NotAllowed")
    })
    .await;
    space.made::<Namespace>("sales", json!({})).await;
    let grant = json!({"spec": {"allowedFrom": [{"matchNames": [stranger]}]}});
    space.merge::<keyreeve::api::Tenant>("acme", grant).await;
    let told = until(there.clone(), "squatter", "in conflict", |found: &Namespace| {
        found.is_stalled("Conflict")
    })
    .await;
    assert!(!told.message().contains("Namespace sales"), "{}", told.message());
    there.delete("squatter", &DeleteParams::default()).await.unwrap();
    until_gone(there, "squatter").await;
    space.well::<Namespace>("sales").await;
}
