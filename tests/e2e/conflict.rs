//! Several Tenants of one tenant id, and tenants of other owners: nobody steals.

use keyreeve::api::Tenant;
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

use crate::support::{Conditions, Database, Operator, Space, so_that_the_next_is_younger, until};

/// A Tenant of the tenant id `acme`, in any namespace.
fn claiming() -> Value {
    json!({"tenantId": "acme", "deletionPolicy": "Delete"})
}

async fn in_conflict(space: &Space, name: &str) -> Tenant {
    space.tenant(name, "in conflict", |tenant| tenant.is_stalled("Conflict")).await
}

/// Whose the tenant is.
async fn holder(database: &mut Database) -> Option<String> {
    database.text("SELECT mark_uid FROM tenants WHERE tenant_id = 'acme'").await
}

#[tokio::test]
async fn the_first_of_two_keeps_the_tenant_and_the_other_follows_when_it_goes() {
    for (first, second) in [("alpha", "omega"), ("omega", "alpha")] {
        let space = Space::new("two").await;
        let _operator = Operator::start(&space);
        space.create::<Tenant>(first, claiming()).await;
        let holding = space.ready(first).await;
        space.create::<Tenant>(second, claiming()).await;
        let loser = in_conflict(&space, second).await;
        assert!(loser.message().contains(&format!("Tenant {first}")), "{}", loser.message());
        space.event(second, "Warning Conflict").await;
        let mut database = space.database().await;
        assert_eq!(holder(&mut database).await, holding.uid());

        space.delete(first).await;
        let follower = space.ready(second).await;
        assert_eq!(holder(&mut database).await, follower.uid());
    }
}

#[tokio::test]
async fn a_conflict_names_nobody_in_another_namespace() {
    let space = Space::new("across").await;
    let other = space.another("other", &[]).await;
    let _operator = Operator::start_with(&space, &["--watch-namespace", &other]);
    let there: Api<Tenant> = Api::namespaced(space.client.clone(), &other);
    space.create_in::<Tenant>(&other, "holder", claiming()).await;
    until(there.clone(), "holder", "Ready", Conditions::is_ready).await;
    space.create::<Tenant>("second", claiming()).await;
    let loser = in_conflict(&space, "second").await;
    let event = space.event("second", "Warning Conflict").await;
    for told in [loser.message(), &event] {
        assert!(told.contains("taken"), "{told}");
        assert!(!told.contains("holder") && !told.contains(&other), "{told}");
    }
    there.delete("holder", &kube::api::DeleteParams::default()).await.unwrap();
    space.ready("second").await;
}

#[tokio::test]
async fn with_an_empty_store_the_oldest_wins_within_and_across_namespaces() {
    let space = Space::new("oldest").await;
    let other = space.another("other", &[]).await;
    let mut claimants = Vec::new();
    for (namespace, name) in [(&other, "one"), (&space.namespace, "two"), (&other, "three")] {
        claimants.push(space.create_in::<Tenant>(namespace, name, claiming()).await);
        if claimants.len() == 1 {
            so_that_the_next_is_younger().await;
        }
    }
    // The later two are of one age, as a rule: then the lowest UID is the first.
    claimants.sort_by_key(|tenant| (tenant.creation_timestamp().map(|time| time.0), tenant.uid()));
    let _operator = Operator::start_with(&space, &["--watch-namespace", &other]);
    assert_eq!(claimants[0].name_any(), "one");
    for (place, tenant) in claimants.iter().enumerate() {
        let api = Api::namespaced(space.client.clone(), &tenant.namespace().unwrap());
        until(api, &tenant.name_any(), "decided upon", |tenant: &Tenant| {
            if place == 0 { tenant.is_ready() } else { tenant.is_stalled("Conflict") }
        })
        .await;
    }
    assert_eq!(holder(&mut space.database().await).await, claimants[0].uid());
}

#[tokio::test]
async fn a_kept_tenant_is_taken_up_again_by_its_name_though_a_rival_is_older() {
    let space = Space::new("rival").await;
    let _operator = Operator::start(&space);
    space.create::<Tenant>("acme", json!({})).await;
    space.ready("acme").await;
    space.create::<Tenant>("rival", claiming()).await;
    in_conflict(&space, "rival").await;
    space.delete("acme").await;
    space.gone("acme").await;
    so_that_the_next_is_younger().await;
    let kept = |tenant: &Tenant| {
        tenant.is_stalled("Conflict") && tenant.message().contains("create Tenant acme again")
    };
    space.tenant("rival", "told of what is kept", kept).await;
    space.create::<Tenant>("acme", json!({})).await;
    let again = space.ready("acme").await;
    assert_eq!(holder(&mut space.database().await).await, again.uid());
    let taken = |tenant: &Tenant| {
        tenant.is_stalled("Conflict") && tenant.message().contains("taken by Tenant acme")
    };
    space.tenant("rival", "told who has it", taken).await;
}

#[tokio::test]
async fn a_tenant_of_another_owner_is_taken_over_only_if_the_owner_is_named() {
    let space = Space::new("owner").await;
    let operator = Operator::start_with(&space, &["--owner-id", "them"]);
    space.create::<Tenant>("acme", json!({})).await;
    space.ready("acme").await;
    operator.kill();

    let operator = Operator::start_with(&space, &["--owner-id", "us"]);
    let conflict = in_conflict(&space, "acme").await;
    assert!(conflict.message().contains("another owner, them:"), "{}", conflict.message());
    let owner = "SELECT mark_owner FROM tenants";
    let mut database = space.database().await;
    assert_eq!(database.text(owner).await.as_deref(), Some("them"));
    operator.kill();

    let flags = ["--owner-id", "us", "--take-over-from", "somebody", "--take-over-from", "them"];
    let _operator = Operator::start_with(&space, &flags);
    space.ready("acme").await;
    space.event("acme", "Normal TakenOver").await;
    assert_eq!(database.text(owner).await.as_deref(), Some("us"));
}

#[tokio::test]
async fn a_restart_of_the_operator_decides_as_before() {
    let space = Space::new("restart").await;
    let operator = Operator::start(&space);
    // The names and the order of the list speak for the other one.
    space.create::<Tenant>("second", claiming()).await;
    space.ready("second").await;
    space.create::<Tenant>("first", claiming()).await;
    in_conflict(&space, "first").await;
    operator.kill();
    let before = (space.tenants().get("first").await.unwrap(), space.ready("second").await);

    let _operator = Operator::start(&space);
    let after = (space.resync("first").await, space.resync("second").await);
    assert_eq!(before.0.conditions(), after.0.conditions());
    assert_eq!(before.1.conditions(), after.1.conditions());
    assert_eq!(holder(&mut space.database().await).await, after.1.uid());
}

#[tokio::test]
async fn a_conflict_that_ends_in_the_store_is_noticed_by_the_resync() {
    let space = Space::new("conflict-ends").await;
    let _operator = Operator::start_with(&space, &["--resync", "1s"]);
    space.create::<Tenant>("first", json!({})).await;
    space.ready("first").await;
    let mut database = space.database().await;
    let strange = "INSERT INTO tenants (tenant_id, mark_owner, mark_kind, mark_namespace, mark_name, mark_uid) \
                   VALUES ('acme', 'a stranger', 'Tenant', 'x', 'acme', 'y')";
    database.execute(strange).await;
    space.create::<Tenant>("acme", json!({})).await;
    space.tenant("acme", "in conflict", |tenant| tenant.is_stalled("Conflict")).await;
    database.execute("DELETE FROM tenants WHERE tenant_id = 'acme'").await;
    space.ready("acme").await;

    // And one that begins there: status no longer speaks of a tenant.
    database.execute("UPDATE tenants SET mark_owner = 'a stranger' WHERE tenant_id = 'acme'").await;
    let lost = |tenant: &Tenant| tenant.is_stalled("Conflict");
    let status = space.tenant("acme", "in conflict", lost).await.status.unwrap();
    assert_eq!((status.store, status.enabled, status.effective), (None, None, None));
}
