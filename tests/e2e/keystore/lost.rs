//! Keystores that are lost, and such as are restored, under a clock that the test turns.

use jiff::SignedDuration;
use keyreeve::api::{KeyState, Tenant};
use serde_json::json;

use super::{
    assert_agree,
    jose::{sign, verifies},
    signing,
};
use crate::support::{Conditions, Keys, Keystore, Space, Turned, TurnedClock};

const MINUTE: SignedDuration = SignedDuration::from_mins(1);

/// Waits until the operator waits for the keystore; the public keys stay published.
async fn missing(space: &Space, before: &Tenant) -> Tenant {
    let missing = |tenant: &Tenant| tenant.is_reconciling("KeystoreMissing");
    let tenant = space.tenant("acme", "waiting for its keystore", missing).await;
    still_missing(space, before, &tenant).await;
    tenant
}

async fn still_missing(space: &Space, before: &Tenant, tenant: &Tenant) {
    assert!(tenant.is_reconciling("KeystoreMissing"), "{}", tenant.message());
    let keys = |tenant: &Tenant| tenant.status.as_ref().unwrap().keystore.clone();
    assert_eq!(keys(tenant), keys(before));
    assert!(space.keystore_opt("acme").await.is_none(), "nothing is made in the meantime");
}

/// The keystore has come back, and all is as before.
async fn as_before(space: &Space, before: &Tenant, restored: &Keystore) {
    let tenant = space.ready("acme").await;
    assert_eq!(tenant.active(), before.active());
    assert_agree(&tenant, restored);
    space.resync("acme").await;
    assert_eq!(space.keystore("acme").await.version(), restored.version(), "untouched");
    for reason in ["KeystoreLost", "KeystoreRestored", "KeyRotated"] {
        assert_eq!(space.times_told("acme", reason).await, 0, "{reason}");
    }
}

/// The grace is over: the tenant signs with a new key, and what the old ones signed verifies.
async fn with_a_new_key(space: &Space, before: &Tenant, token: &str) -> Tenant {
    let tenant = space.ready("acme").await;
    let keystore = space.keystore("acme").await;
    assert_agree(&tenant, &keystore);
    assert_ne!(tenant.active(), before.active());
    assert!(tenant.has(&before.active(), KeyState::Retired));
    assert!(verifies(&tenant, token) && verifies(&tenant, &sign(&keystore)));
    let event = space.event("acme", "Warning KeystoreLost").await;
    assert!(event.contains(&before.active()), "{event}");
    tenant
}

#[tokio::test]
async fn a_keystore_that_is_put_back_within_the_grace_is_as_it_was() {
    let space = Space::new("put-back").await;
    let clock = TurnedClock::new();
    let operator = Turned::start(&space, &clock).await;
    let (before, _) = signing(&space, "acme").await;
    let lost = space.lose_keystore("acme").await;
    missing(&space, &before).await;
    clock.turn(5 * MINUTE - SignedDuration::from_secs(1));
    let tenant = space.resync("acme").await;
    still_missing(&space, &before, &tenant).await;
    let restored = space.plant(&lost.backup()).await;
    as_before(&space, &before, &restored).await;

    // The next loss has a grace of its own.
    clock.turn(MINUTE);
    space.lose_keystore("acme").await;
    missing(&space, &before).await;
    operator.stop().await;
}

#[tokio::test]
async fn a_keystore_that_stays_away_gives_way_to_a_new_key_and_its_public_keys_stay() {
    let space = Space::new("lost").await;
    let clock = TurnedClock::new();
    let operator = Turned::start(&space, &clock).await;
    let (before, keystore) = signing(&space, "acme").await;
    let token = sign(&keystore);
    space.lose_keystore("acme").await;
    missing(&space, &before).await;
    clock.turn(5 * MINUTE);
    space.resync("acme").await;
    let after = with_a_new_key(&space, &before, &token).await;

    clock.turn_hours(24);
    let later = space.resync("acme").await;
    assert!(!verifies(&later, &token), "what it signed has expired long ago");
    assert_eq!(later.active(), after.active());
    assert_agree(&later, &space.keystore("acme").await);
    operator.stop().await;
}

#[tokio::test]
async fn a_restart_neither_shortens_the_grace_nor_prolongs_it() {
    let space = Space::new("grace-restart").await;
    let clock = TurnedClock::new();
    let operator = Turned::start(&space, &clock).await;
    let (before, keystore) = signing(&space, "acme").await;
    space.lose_keystore("acme").await;
    let told = missing(&space, &before).await;
    clock.turn(3 * MINUTE);
    operator.stop().await;

    let operator = Turned::start(&space, &clock).await;
    let tenant = space.resync("acme").await;
    still_missing(&space, &before, &tenant).await;
    assert_eq!(tenant.message(), told.message(), "until the same moment");
    clock.turn(2 * MINUTE);
    space.resync("acme").await;
    with_a_new_key(&space, &before, &sign(&keystore)).await;
    operator.stop().await;
}

#[tokio::test]
async fn a_keystore_that_only_the_store_or_only_status_remembers_is_waited_for_too() {
    for wiped in ["status", "store"] {
        let space = Space::new(&format!("wiped-{wiped}")).await;
        let clock = TurnedClock::new();
        let operator = Turned::start(&space, &clock).await;
        let (before, keystore) = signing(&space, "acme").await;
        operator.stop().await;
        let lost = space.lose_keystore("acme").await;
        if wiped == "status" {
            space.wipe_status("acme").await;
        } else {
            space.database().await.execute("DELETE FROM tenants").await;
        }
        let operator = Turned::start(&space, &clock).await;
        missing(&space, &before).await;
        clock.turn(4 * MINUTE);
        let tenant = space.resync("acme").await;
        still_missing(&space, &before, &tenant).await;
        let restored = space.plant(&lost.backup()).await;
        as_before(&space, &before, &restored).await;

        space.lose_keystore("acme").await;
        missing(&space, &before).await;
        clock.turn(5 * MINUTE);
        space.resync("acme").await;
        with_a_new_key(&space, &before, &sign(&keystore)).await;
        operator.stop().await;
    }
}

#[tokio::test]
async fn an_older_keystore_signs_again_and_what_came_after_it_stays_published() {
    let space = Space::new("older").await;
    let clock = TurnedClock::new();
    let operator = Turned::start(&space, &clock).await;
    let (before, backup) = signing(&space, "acme").await;
    let first = before.active();
    space.rotate("acme", "now").await;
    let published = |tenant: &Tenant| !tenant.kids(KeyState::Standby).is_empty();
    space.tenant("acme", "publishing", published).await;
    clock.turn_hours(24);
    let second = space.resync("acme").await.active();
    assert_ne!(first, second);
    space.revoke("acme", &[&second]).await;
    let revoked = |tenant: &Tenant| tenant.has(&second, KeyState::Revoked);
    let third = space.tenant("acme", "rid of its key", revoked).await.active();
    let token = sign(&space.keystore("acme").await);
    space.merge::<Tenant>("acme", json!({"spec": {"keystore": {"revoke": null}}})).await;
    space.ready("acme").await;

    space.lose_keystore("acme").await;
    space.plant(&backup.backup()).await;
    let event = space.event("acme", "Warning KeystoreRestored").await;
    assert!(event.contains(&third) && !event.contains(&second), "{event}");
    let tenant = space.ready("acme").await;
    assert_agree(&tenant, &space.keystore("acme").await);
    assert_eq!(tenant.active(), first);
    assert!(tenant.has(&third, KeyState::Retired) && verifies(&tenant, &token));
    assert!(tenant.has(&second, KeyState::Revoked), "no backup brings back what was revoked");

    // It is told once.
    space.resync("acme").await;
    assert_eq!(space.times_told("acme", "KeystoreRestored").await, 1);
    operator.stop().await;
}

#[tokio::test]
async fn what_is_revoked_while_its_keystore_is_away_leaves_the_jwks_at_once_and_for_good() {
    let space = Space::new("revoked-away").await;
    let clock = TurnedClock::new();
    let operator = Turned::start(&space, &clock).await;
    let (before, keystore) = signing(&space, "acme").await;
    let token = sign(&keystore);
    let leaked = before.active();
    let lost = space.lose_keystore("acme").await;
    missing(&space, &before).await;
    space.revoke("acme", &[&leaked]).await;
    let revoked = |tenant: &Tenant| tenant.has(&leaked, KeyState::Revoked);
    let tenant = space.tenant("acme", "rid of the key that leaked", revoked).await;
    assert!(tenant.is_reconciling("KeystoreMissing") && !verifies(&tenant, &token));

    // Nobody names it any more, and the Secret that comes back says that it signs.
    space.merge::<Tenant>("acme", json!({"spec": {"keystore": {"revoke": null}}})).await;
    space.plant(&lost.backup()).await;
    let tenant = space.ready("acme").await;
    assert!(tenant.has(&leaked, KeyState::Revoked) && !verifies(&tenant, &token));
    let keystore = space.keystore("acme").await;
    assert_agree(&tenant, &keystore);
    assert!(verifies(&tenant, &sign(&keystore)));
    operator.stop().await;
}
