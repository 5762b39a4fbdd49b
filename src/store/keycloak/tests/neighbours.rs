//! What a write of one setting leaves as it is: Keycloak resets some where a realm is written without them.

use serde_json::{Value, json};

use super::{backend::Keycloak, renamed::signing_key};
use crate::store::{
    Applied, Desired, Expected, Kind, State,
    conformance::{Backend, samples},
};

/// What an administrator set beside what is ours.
fn theirs() -> Value {
    json!({
        "oauth2DevicePollingInterval": 7,
        "clientOfflineSessionIdleTimeout": 4000,
        "attributes": {"parRequestUriLifespan": "90", "cibaInterval": "8", "theirs": "x"},
    })
}

/// Puts the members of an object into another one, and goes on within.
fn merge(into: &mut Value, from: &Value) {
    for (name, value) in from.as_object().unwrap() {
        if value.is_object() {
            merge(&mut into[name], value);
        } else {
            into[name] = value.clone();
        }
    }
}

#[tokio::test]
async fn a_setting_is_put_right_and_no_other_one_is_reset() {
    let backend = Keycloak::start().await;
    let key = samples::key(Kind::Tenant);
    let realm = backend.renamed.key(&key);
    let State::Tenant(mut tenant) = samples::tenant("acme") else { unreachable!() };
    tenant.settings = samples::object(json!({
        "rememberMe": false, "ttl": {"deviceCode": "5m", "backchannelAuthenticationRequest": "3m"},
        "ciba": {"deliveryMode": "ping"},
    }));
    let desired =
        Desired { keys: Some(vec![signing_key()]), ..samples::desired(State::Tenant(tenant)) };
    backend.store().apply(&desired, &Expected::Absent).await.unwrap();
    let without_private = {
        let mut key = signing_key();
        key.private = None;
        Desired { keys: Some(vec![key]), ..desired }
    };
    // As the administration does: all of it, with a change. First of a field, then of what the keys need.
    for (drift, told) in [
        (json!({"rememberMe": true}), "settings.rememberMe"),
        (json!({"defaultSignatureAlgorithm": "RS512"}), "keys"),
    ] {
        let mut set = theirs();
        merge(&mut set, &drift);
        backend.hand.change(&realm, |there| merge(there, &set)).await;
        let place = backend.hand.place(&realm).await;
        let mut before = backend.hand.read(&place).await;
        let record = backend.store().observe(&key).await.unwrap();
        let expected = Expected::as_observed(record.as_ref());
        let applied = backend.store().apply(&without_private, &expected).await.unwrap();
        assert!(
            matches!(&applied, Applied::Updated(fields) if fields.iter().any(|field| field.contains(told))),
            "{applied:?}"
        );
        let mut after = backend.hand.read(&place).await;
        for name in drift.as_object().unwrap().keys() {
            assert_ne!(before[name], after[name]);
            before[name] = Value::Null;
            after[name] = Value::Null;
        }
        assert_eq!(after, before);
        let record = backend.store().observe(&key).await.unwrap().unwrap();
        assert!(!record.drifted);
    }
}
