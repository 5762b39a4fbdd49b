//! What a store says that it does with each setting, and what it does.
//!
//! The settings and values that are tried are those from which the table in the documentation is
//! made (docs/store-settings.md), and `support` is what that table says.

use serde_json::{Map, Value, json};

use super::{Backend, observed, put, samples};
use crate::{
    api::paths::{insert, look_up},
    policy::{Problem, Reason, Support, effective},
    store::{State, Store, TenantState, tried},
};

/// Carried where others can see it.
const IN_SIGHT: [&str; 1] = ["settings.acrValues"];

/// What is in force in a tenant that sets this.
fn decide(store: &dyn Store, path: &str, value: &Value) -> Result<effective::Document, Problem> {
    let mut spec = Map::new();
    if !path.is_empty() {
        insert(&mut spec, path, value.clone());
    }
    effective::decide(effective::Inputs {
        tenant: &serde_json::from_value(spec.into()).unwrap(),
        profile: None,
        found: None,
        support: &|path, value| store.support(path, value),
    })
}

fn tenant(document: &effective::Document) -> State {
    State::Tenant(TenantState {
        tenant_id: "acme".into(),
        enabled: true,
        settings: document.settings.clone(),
        keystore: document.keystore.clone(),
        ..TenantState::default()
    })
}

/// A setting that is enforced acts, so that others see it and their hand on it is drift. One that is not is kept,
/// acts on nothing, and is named where somebody sets it.
pub(crate) async fn what_is_enforced_acts_and_the_rest_is_named(backend: &impl Backend) {
    let store = backend.store();
    let key = samples::key(crate::store::Kind::Tenant);
    let plain = decide(&*store, "", &Value::Null).unwrap();
    assert_eq!(plain.unenforced, [""; 0], "nobody asks for anything");
    put(&*store, &tenant(&plain)).await;
    let seen = backend.seen(&key).await;
    let in_force = json!({"settings": plain.settings, "keystore": plain.keystore});
    let (mut acting, mut named) = (0, 0);
    for (path, value) in tried::settings() {
        if look_up(in_force.as_object().unwrap(), &path) == Some(&value) {
            continue;
        }
        let what = format!("{path}: {value}");
        let is_enforced = store.support(&path, &value) == Support::Enforced;
        let document = match decide(&*store, &path, &value) {
            Ok(document) => document,
            Err(problem) => {
                assert_eq!(problem.reason, Reason::UnsupportedByStore, "{what}");
                assert!(problem.message.contains(&path), "{problem}");
                assert!(effective::must_be_done(&path) && !is_enforced, "{what}");
                named += 1;
                continue;
            }
        };
        assert_eq!(document.unenforced.contains(&path), !is_enforced, "{what}");
        if path.starts_with("keystore.") {
            continue; // Keys are made by the operator, whatever the store.
        }
        let state = tenant(&document);
        put(&*store, &state).await;
        let record = observed(&*store, &key).await;
        assert_eq!((&record.state, record.drifted), (&state, false), "{what}");
        let acts = backend.seen(&key).await != seen;
        if is_enforced {
            assert!(acts, "{what} is said to be enforced, and nothing shows it");
            backend.put_back(&key, &seen).await;
            let record = observed(&*store, &key).await;
            assert!(record.drifted && record.state != state, "{what} is not looked at");
            // Nothing of it is left where nobody asks for it any more.
            put(&*store, &state).await;
            put(&*store, &tenant(&plain)).await;
            assert_eq!(backend.seen(&key).await, seen, "{what}");
            acting += 1;
        } else {
            assert!(!acts || IN_SIGHT.contains(&&*path), "{what} acts, and is said not to");
            named += 1;
        }
    }
    assert!(acting > 20, "only {acting} act, and {named} are named");
    // And nothing of them is left.
    put(&*store, &tenant(&plain)).await;
    assert_eq!(backend.seen(&key).await, seen);
}

/// What can be switched off by its value is then as if it had never been on, and the value is kept.
pub(crate) async fn off_is_as_if_never_on(backend: &impl Backend) {
    let store = backend.store();
    let key = samples::key(crate::store::Kind::Tenant);
    for (path, on, off) in [
        ("settings.policies.password.history", json!(3), json!(0)),
        ("settings.policies.password.max", json!(64), json!(0)),
        ("settings.policies.password.customChars", json!("!"), json!("")),
        ("settings.policies.accountBlocking.enabled", json!(true), json!(false)),
    ] {
        let document = |value: &Value| decide(&*store, path, value).unwrap();
        put(&*store, &tenant(&document(&off))).await;
        let seen = backend.seen(&key).await;
        put(&*store, &tenant(&document(&on))).await;
        assert_ne!(backend.seen(&key).await, seen, "{path}");
        put(&*store, &tenant(&document(&off))).await;
        assert_eq!(backend.seen(&key).await, seen, "{path}");
        let State::Tenant(there) = observed(&*store, &key).await.state else { unreachable!() };
        let path = path.strip_prefix("settings.").unwrap();
        assert_eq!(look_up(&there.settings, path), Some(&off), "off is not unset");
    }
}
