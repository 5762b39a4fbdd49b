//! Applying: what is made, what is written, what is refused.

use serde_json::{Value, json};

use super::{Backend, assert_fails, create, observed, put, samples};
use crate::store::{
    Applied, Desired, Error, Expected, Mark, State,
    conformance::samples::{desired, narrow, wide},
};

pub(crate) async fn created_then_unchanged(backend: &impl Backend) {
    let store = backend.store();
    for state in samples::poor() {
        assert_eq!(store.observe(&state.key()).await.unwrap(), None);
        create(&*store, &state).await;
        assert_eq!(put(&*store, &state).await, Applied::Unchanged, "{state:?}");
    }
}

pub(crate) async fn nothing_is_written_twice(backend: &impl Backend) {
    let store = backend.store();
    for state in samples::rich() {
        let before = backend.fingerprint().await;
        create(&*store, &state).await;
        assert_ne!(backend.fingerprint().await, before, "the fingerprint does not see writes");
    }
    let before = backend.fingerprint().await;
    for state in samples::rich() {
        assert_eq!(put(&*store, &state).await, Applied::Unchanged);
        let stale = store.apply(&desired(state.clone()), &Expected::Absent).await;
        assert_fails!(stale, Error::Raced);
    }
    assert_eq!(backend.fingerprint().await, before);
}

pub(crate) async fn observed_as_applied(backend: &impl Backend) {
    let store = backend.store();
    for state in samples::rich() {
        create(&*store, &state).await;
        let record = observed(&*store, &state.key()).await;
        assert_eq!(record.state, state);
        assert_eq!(record.mark, Some(samples::mark(&state.key())));
        assert_eq!(record.memo, Value::Null);
        assert!(!record.drifted);
    }
}

/// Empty is not unset, and unset takes away what was set.
pub(crate) async fn rich_to_poor_and_back(backend: &impl Backend) {
    let store = backend.store();
    for state in samples::poor() {
        create(&*store, &state).await;
        assert_eq!(observed(&*store, &state.key()).await.state, state);
    }
    for state in samples::rich().into_iter().chain(samples::poor()).chain(samples::rich()) {
        assert!(matches!(put(&*store, &state).await, Applied::Updated(_)), "{state:?}");
        assert_eq!(observed(&*store, &state.key()).await.state, state);
        assert_eq!(put(&*store, &state).await, Applied::Unchanged);
    }
}

pub(crate) async fn updates_name_their_fields(backend: &impl Backend) {
    let store = backend.store();
    for state in samples::rich() {
        create(&*store, &state).await;
    }
    for mut state in samples::rich() {
        let fields: &[&str] = match &mut state {
            State::Tenant(tenant) => {
                tenant.display_name = None;
                tenant.enabled = false;
                tenant.organization.phones = None;
                tenant.settings.insert("ttl".into(), json!({"session": "1h", "idToken": "5m"}));
                tenant.settings.insert("rememberMe".into(), json!(true));
                &[
                    "display_name",
                    "enabled",
                    "organization.phones.office",
                    "settings.rememberMe",
                    "settings.ttl.session",
                ]
            }
            State::Namespace(namespace) => {
                namespace.description = Some(String::new());
                &["description"]
            }
            State::Role(role) => {
                role.rules.pop();
                role.composites = None;
                &["composites", "rules"]
            }
            State::User(user) => {
                user.claims.remove("text");
                user.roles = Some(vec![wide("viewer")]);
                &["claims.text", "roles"]
            }
        };
        let Applied::Updated(mut named) = put(&*store, &state).await else { panic!("{state:?}") };
        named.sort();
        assert_eq!(named, fields);
    }
}

pub(crate) async fn mark_and_memo_are_updates(backend: &impl Backend) {
    let store = backend.store();
    for state in samples::poor() {
        create(&*store, &state).await;
        let old = samples::mark(&state.key());
        let mark = Mark { uid: "uid-2".into(), ..old.clone() };
        let mut desired = Desired { mark, ..desired(state) };
        let applied = store.apply(&desired, &Expected::Marked(old)).await.unwrap();
        assert_eq!(applied, Applied::Updated(vec!["mark".into()]));
        desired.memo = json!({"ever set": ["settings.ttl"]});
        let expected = Expected::Marked(desired.mark.clone());
        let applied = store.apply(&desired, &expected).await.unwrap();
        assert_eq!(applied, Applied::Updated(vec!["memo".into()]));
        assert_eq!(store.apply(&desired, &expected).await.unwrap(), Applied::Unchanged);
    }
}

pub(crate) async fn memo_survives(backend: &impl Backend) {
    let store = backend.store();
    let memo = json!({"z": 1, "a": [null, {"text": samples::TEXT}], "f": 48.858_370_099_999_99});
    for state in samples::rich() {
        let desired = Desired { memo: memo.clone(), ..desired(state.clone()) };
        store.apply(&desired, &Expected::Absent).await.unwrap();
        backend.edit(&state.key()).await;
        assert_eq!(observed(&*store, &state.key()).await.memo, memo);
        let expected = Expected::Marked(desired.mark.clone());
        let applied = store.apply(&desired, &expected).await.unwrap();
        assert!(matches!(applied, Applied::Updated(_)));
        assert_eq!(observed(&*store, &state.key()).await.memo, memo);
    }
}

pub(crate) async fn only_what_is_expected(backend: &impl Backend) {
    let store = backend.store();
    for state in samples::poor() {
        let key = state.key();
        let ours = samples::mark(&key);
        let other = Mark { uid: "uid-2".into(), ..ours.clone() };
        let desired = desired(state);
        for expected in [Expected::Unmarked, Expected::Marked(ours.clone())] {
            assert_fails!(store.apply(&desired, &expected).await, Error::Raced);
        }
        backend.add(&key).await;
        for expected in [Expected::Absent, Expected::Marked(ours.clone())] {
            assert_fails!(store.apply(&desired, &expected).await, Error::Raced);
        }
        store.apply(&desired, &Expected::Unmarked).await.unwrap();
        for expected in [Expected::Absent, Expected::Unmarked, Expected::Marked(other)] {
            assert_fails!(store.apply(&desired, &expected).await, Error::Raced);
        }
        let expected = Expected::Marked(ours);
        assert_eq!(store.apply(&desired, &expected).await.unwrap(), Applied::Unchanged);
    }
}

pub(crate) async fn missing_references(backend: &impl Backend) {
    let store = backend.store();
    let refused = async |state: State, what: &str| {
        let before = backend.fingerprint().await;
        match store.apply(&desired(state.clone()), &Expected::Absent).await {
            Err(Error::Missing(missing)) => assert_eq!(missing, what),
            other => panic!("{what}: {other:?}"),
        }
        assert_eq!(store.observe(&state.key()).await.unwrap(), None);
        assert_eq!(backend.fingerprint().await, before);
    };
    refused(samples::namespace("acme", "billing"), "the tenant acme").await;
    refused(samples::role("acme", &wide("viewer"), None), "the tenant acme").await;
    refused(samples::user("acme", "ada", None), "the tenant acme").await;
    create(&*store, &samples::tenant("acme")).await;
    create(&*store, &samples::tenant("other")).await;
    create(&*store, &samples::role("other", &wide("viewer"), None)).await;
    refused(
        samples::role("acme", &narrow("billing", "viewer"), None),
        "the namespace billing of tenant acme",
    )
    .await;
    // A role of another tenant is none, and so is one that was made by hand.
    backend.add(&samples::role("acme", &wide("by-hand"), None).key()).await;
    for name in ["viewer", "by-hand"] {
        let what = format!("the role {name} of tenant acme");
        refused(samples::user("acme", "ada", Some(&[wide(name)])), &what).await;
        refused(samples::role("acme", &wide("editor"), Some(&[wide(name)])), &what).await;
    }
    refused(
        samples::user("acme", "ada", Some(&[narrow("billing", "viewer")])),
        "the role viewer in namespace billing of tenant acme",
    )
    .await;
}
