//! Whose a keystore is: who keeps it, who takes it up again, and who removes it.

use keyreeve::api::Tenant;
use kube::ResourceExt;
use serde_json::{Value, json};

use super::{assert_agree, es256, signing};
use crate::support::{Conditions, Keys, Keystore, Operator, Space};

/// The UID in the mark.
fn marked(keystore: &Keystore) -> Option<String> {
    let mark: Value = serde_json::from_str(&keystore.0.annotations()["keyreeve.dev/mark"]).unwrap();
    mark["uid"].as_str().map(ToOwned::to_owned)
}

fn deleted_with_it(mut spec: Value) -> Value {
    spec["deletionPolicy"] = "Delete".into();
    spec
}

#[tokio::test]
async fn a_kept_keystore_is_taken_up_again_with_its_keys() {
    let space = Space::new("kept-keys").await;
    let _operator = Operator::start(&space);
    let (before, keystore) = signing(&space, "acme").await;
    assert_eq!(marked(&keystore), before.uid());
    space.delete("acme").await;
    space.gone("acme").await;
    assert_eq!(space.keystore("acme").await.version(), keystore.version(), "kept as it is");

    let (again, keystore) = signing(&space, "acme").await;
    assert_ne!(again.uid(), before.uid());
    assert_eq!(again.active(), before.active());
    assert_eq!(again.status.unwrap().keystore, before.status.unwrap().keystore);
    assert_eq!(marked(&keystore), again.metadata.uid);
    // Also where the store was lost in between, and the Secret alone is left.
    space.delete("acme").await;
    space.gone("acme").await;
    space.database().await.execute("DELETE FROM tenants").await;
    let (third, _) = signing(&space, "acme").await;
    assert_eq!(third.active(), keystore.active());
}

#[tokio::test]
async fn a_keystore_goes_with_its_tenant_where_that_says_so() {
    let space = Space::new("removed-keys").await;
    let _operator = Operator::start(&space);
    space.create::<Tenant>("acme", deleted_with_it(es256())).await;
    let before = space.ready("acme").await;
    space.delete("acme").await;
    space.gone("acme").await;
    assert!(space.keystore_opt("acme").await.is_none());
    let (again, _) = signing(&space, "acme").await;
    assert_ne!(again.active(), before.active(), "a new tenant has a new key");
}

#[tokio::test]
async fn who_never_had_the_tenant_never_touches_its_keystore() {
    let space = Space::new("not-mine").await;
    let _operator = Operator::start(&space);
    let (_, keystore) = signing(&space, "acme").await;
    let mut spec = deleted_with_it(es256());
    spec["tenantId"] = "acme".into();
    space.create::<Tenant>("second", spec).await;
    space.tenant("second", "in conflict", |tenant| tenant.is_stalled("Conflict")).await;
    space.delete("second").await;
    space.gone("second").await;
    assert_eq!(space.keystore("acme").await.version(), keystore.version());
}

#[tokio::test]
async fn who_made_keys_and_lost_the_tenant_to_another_removes_its_own_alone() {
    let space = Space::new("outrun").await;
    let operator = Operator::start(&space);
    signing(&space, "acme").await;
    let (_, other) = signing(&space, "other").await;
    operator.kill();
    // As if it had made its Secret, and another operator had been faster to the store.
    for tenant in ["acme", "other"] {
        space.wipe_status(tenant).await;
    }
    let mut database = space.database().await;
    database.execute("UPDATE tenants SET mark_owner = 'a stranger'").await;
    let strange = json!({"metadata": {"annotations": {"keyreeve.dev/mark": strange_mark(&other)}}});
    space.merge::<k8s_openapi::api::core::v1::Secret>("keystore-other", strange).await;
    let other = space.keystore("other").await;

    let _operator = Operator::start(&space);
    for tenant in ["acme", "other"] {
        space.tenant(tenant, "in conflict", |tenant| tenant.is_stalled("Conflict")).await;
    }
    assert!(space.keystore_opt("acme").await.is_none(), "nobody needs it");
    assert_eq!(space.keystore("other").await.version(), other.version(), "another's");
}

/// The mark of a keystore, as if the stranger had made it.
fn strange_mark(keystore: &Keystore) -> String {
    let mut mark: Value =
        serde_json::from_str(&keystore.0.annotations()["keyreeve.dev/mark"]).unwrap();
    mark["owner"] = "a stranger".into();
    mark.to_string()
}

#[tokio::test]
async fn a_tenant_that_had_its_keys_in_use_keeps_them_when_the_store_is_taken() {
    let space = Space::new("taken").await;
    let _operator = Operator::start(&space);
    let (before, keystore) = signing(&space, "acme").await;
    let mut database = space.database().await;
    database.execute("UPDATE tenants SET mark_owner = 'a stranger'").await;
    space.merge::<Tenant>("acme", json!({"spec": {"displayName": "Acme"}})).await;
    space.tenant("acme", "in conflict", |tenant| tenant.is_stalled("Conflict")).await;
    // Status speaks of no tenant any more when it is looked at again.
    space.resync("acme").await;
    assert_eq!(space.keystore("acme").await.version(), keystore.version());

    database.execute("DELETE FROM tenants").await;
    space.resync("acme").await;
    let after = space.ready("acme").await;
    assert_eq!(after.active(), before.active());
    assert_agree(&after, &space.keystore("acme").await);
}
