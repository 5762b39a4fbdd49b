//! Keycloak makes one realm at a time: one that takes long does not keep the operator from everything else.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use futures::{FutureExt as _, StreamExt as _, future::BoxFuture, stream};
use serde_json::Value;

use super::{
    faults::Act,
    hand::{Hand, unless_broken},
    login::{in_state, new_key},
    renamed::signing_key,
    statuses::start,
};
use crate::{
    api::{Algorithm, KeyState},
    store::{
        Applied, Desired, Error, Expected, Key, Store,
        conformance::samples,
        keycloak::{KeycloakStore, server::path},
    },
};

/// As many as the operator looks at at a time.
const AT_A_TIME: usize = 4;

/// Rotates away from a key, and revokes it.
async fn revoke(store: &KeycloakStore, tenant: &str) -> Result<Applied, Error> {
    let next = new_key(Algorithm::RS256, KeyState::Active, 10);
    let revoked = in_state(&signing_key(), KeyState::Revoked);
    let keys = Some(vec![next, revoked]);
    let desired = Desired { keys, ..samples::desired(samples::tenant(tenant)) };
    let record = store.observe(&Key::Tenant { tenant: tenant.into() }).await?;
    store.apply(&desired, &Expected::as_observed(record.as_ref())).await
}

#[tokio::test]
async fn while_a_realm_is_long_in_the_making_a_key_of_another_one_is_revoked() {
    let (faults, store, tenant) = start("revokes").await;
    let posts = Arc::new(AtomicUsize::new(0));
    let counted = posts.clone();
    faults.act(move |request| {
        if request.starts_with("POST /admin/realms ") {
            counted.fetch_add(1, SeqCst);
            Act::Hang
        } else {
            Act::Pass
        }
    });
    let (store, tenant) = (&store, &tenant);
    let make = |number| {
        let desired = samples::desired(samples::tenant(&format!("{tenant}-{number}")));
        async move { store.apply(&desired, &Expected::Absent).await }.boxed()
    };
    // More than may be looked at at a time; and then the one that matters.
    let mut work: Vec<BoxFuture<'_, _>> = (0..6).map(make).collect();
    work.push(async { unless_broken!(revoke(store, tenant), Error::Broken(_)) }.boxed());
    let mut ended = stream::iter(work).buffer_unordered(AT_A_TIME);
    let mut waits = 0;
    let revoked = loop {
        match ended.next().await.unwrap() {
            Err(error @ Error::Unavailable(_)) => {
                assert!(error.to_string().contains("another realm"), "{error}");
                waits += 1;
            }
            revoked => break revoked,
        }
    };
    assert!(matches!(revoked, Ok(Applied::Updated(_))), "{revoked:?}");
    assert!(waits >= AT_A_TIME - 1, "{waits}");
    assert_eq!(posts.load(SeqCst), 1, "it is still being made");
    let keys = Hand::new().read(&format!("{}/keys", path(&[tenant]))).await;
    let kid = signing_key().public.kid;
    let has_it = |key: &Value| key["kid"] == kid.as_str();
    assert!(!keys["keys"].as_array().unwrap().iter().any(has_it), "{keys}");
}
