//! Tenants' signing keys, and the Secrets that hold them.

mod canary;
mod jose;
mod kill;
mod life;
mod lost;
mod ownership;
mod schedule;
mod steady;
mod strange;
mod trouble;

use keyreeve::api::Tenant;
use serde_json::{Value, json};

use crate::support::{Keys, Keystore, Space};

/// A Tenant whose keys are made in no time.
fn es256() -> Value {
    json!({"keystore": {"algorithm": "ES256"}})
}

/// Creates a Tenant whose keys are made in no time, and answers it and its keystore.
async fn signing(space: &Space, name: &str) -> (Tenant, Keystore) {
    space.create::<Tenant>(name, es256()).await;
    let tenant = space.ready(name).await;
    let keystore = space.keystore(name).await;
    assert_agree(&tenant, &keystore);
    (tenant, keystore)
}

/// Status and Secret tell the same of the keys, one of them signs, and only those that sign or will
/// have their private half there.
fn assert_agree(tenant: &Tenant, keystore: &Keystore) {
    let status = serde_json::to_value(&tenant.status.as_ref().unwrap().keystore).unwrap();
    let mut ledger = keystore.ledger()["keys"].take();
    for key in ledger.as_array_mut().unwrap() {
        // What only their schedule needs.
        let key = key.as_object_mut().unwrap();
        for internal in ["publishedAt", "askedFor", "longestToken"] {
            key.remove(internal);
        }
    }
    assert_eq!(status, ledger);
    assert_eq!(tenant.active(), keystore.active());
    let all = keystore.states();
    let needed = all.iter().filter(|(_, state)| ["Active", "Standby"].contains(&state.as_str()));
    assert!(needed.map(|(kid, _)| kid).eq(keystore.pems().keys()), "{all:?}");
}
