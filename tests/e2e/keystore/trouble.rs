//! Keys go on, and are revoked above all, where something else does not work.

use jiff::SignedDuration;
use keyreeve::api::{KeyState, Tenant};
use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::{assert_agree, jose::verifies, signing};
use crate::support::{Conditions, Keys, Operator, Space, Turned, TurnedClock};

#[tokio::test]
async fn a_store_that_takes_no_writes_holds_up_no_revocation() {
    let space = Space::new("stuck-store").await;
    let _operator = Operator::start(&space);
    let (before, keystore) = signing(&space, "acme").await;
    let (leaked, token) = (before.active(), super::jose::sign(&keystore));
    let mut database = space.database().await;
    let refuse =
        "CREATE TRIGGER refuse BEFORE UPDATE ON tenants BEGIN SELECT RAISE(ABORT, 'refused'); END";
    database.execute(refuse).await;
    space.revoke("acme", &[&leaked]).await;
    let revoked = |tenant: &Tenant| tenant.has(&leaked, KeyState::Revoked) && !tenant.is_ready();
    let tenant = space.tenant("acme", "rid of the key that leaked", revoked).await;
    assert!(!verifies(&tenant, &token));
    assert_agree(&tenant, &space.keystore("acme").await);
    assert!(tenant.status.as_ref().unwrap().effective.is_some(), "all else is as it was");
    space.event("acme", "Warning KeyRevoked").await;

    database.execute("DROP TRIGGER refuse").await;
    space.resync("acme").await;
    let tenant = space.ready("acme").await;
    assert_agree(&tenant, &space.keystore("acme").await);
    assert_eq!(space.times_told("acme", "KeyRevoked").await, 1, "it is told once");
}

#[tokio::test]
async fn a_damaged_keystore_that_is_deleted_has_the_whole_grace() {
    let space = Space::new("damaged-grace").await;
    let clock = TurnedClock::new();
    let operator = Turned::start(&space, &clock).await;
    let (before, _) = signing(&space, "acme").await;
    let lost = space.lose_keystore("acme").await;
    let missing = |tenant: &Tenant| tenant.is_reconciling("KeystoreMissing");
    space.tenant("acme", "waiting for its keystore", missing).await;
    let mut cut = lost.backup();
    cut.data.as_mut().unwrap().remove("active");
    space.plant(&cut).await;
    space.tenant("acme", "Stalled", |tenant| tenant.is_stalled("KeystoreDamaged")).await;
    clock.turn(SignedDuration::from_hours(5));
    space.lose_keystore("acme").await;
    space.tenant("acme", "waiting for its keystore again", missing).await;
    assert!(space.keystore_opt("acme").await.is_none());
    space.plant(&lost.backup()).await;
    assert_eq!(space.ready("acme").await.active(), before.active());
    operator.stop().await;
}

#[tokio::test]
async fn a_copy_that_kubectl_apply_left_in_an_annotation_does_not_stay() {
    let space = Space::new("copy").await;
    let _operator = Operator::start(&space);
    let (_, keystore) = signing(&space, "acme").await;
    let copy = json!({"metadata": {"annotations": {
        "kubectl.kubernetes.io/last-applied-configuration": keystore.text("keys.json"),
        "of-ones-own": "stays",
    }}});
    let patch = Patch::Merge(copy);
    space.secrets().patch("keystore-acme", &PatchParams::default(), &patch).await.unwrap();
    crate::support::until(space.secrets(), "keystore-acme", "rid of the copy", |secret| {
        let annotations = secret.metadata.annotations.as_ref().unwrap();
        annotations.contains_key("of-ones-own") && annotations.len() == 2
    })
    .await;
    assert_agree(&space.ready("acme").await, &space.keystore("acme").await);
}
