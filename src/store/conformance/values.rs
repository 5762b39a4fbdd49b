//! Values of every form: each field by itself, names in any script, as large as they may be.

use serde_json::{Value, json};

use super::{Backend, create, observed, put, samples};
use crate::store::{
    Applied, Census, Error, Expected, Key, State, Store,
    conformance::samples::{desired, narrow, wide},
};

/// Names of users that must be neither cut, folded nor taken for something else.
const USERNAMES: [&str; 9] =
    ["o'brien", "ålesund", "日本", "שלום", "a%b_c", "a+b@example.com", "--;$1", "50%25", "a/b\\c"];
/// Names of roles and namespaces, which have fewer characters to choose from.
const NAMES: [&str; 4] = ["a", "A", "A.b:c-d_9", "0"];

/// A state as JSON, and one of the same kind from JSON.
fn json(state: &State) -> Value {
    let json = match state {
        State::Tenant(state) => serde_json::to_value(state),
        State::Namespace(state) => serde_json::to_value(state),
        State::Role(state) => serde_json::to_value(state),
        State::User(state) => serde_json::to_value(state),
    };
    json.unwrap()
}

fn state_of(kind: &State, json: Value) -> State {
    match kind {
        State::Tenant(_) => State::Tenant(serde_json::from_value(json).unwrap()),
        State::Namespace(_) => State::Namespace(serde_json::from_value(json).unwrap()),
        State::Role(_) => State::Role(serde_json::from_value(json).unwrap()),
        State::User(_) => State::User(serde_json::from_value(json).unwrap()),
    }
}

/// The empty value in the place of this one: it is not the same as none.
fn empty(value: &Value) -> Value {
    match value {
        Value::String(_) => json!(""),
        Value::Array(_) => json!([]),
        Value::Object(_) => json!({}),
        other => other.clone(),
    }
}

async fn reached(store: &dyn Store, state: &State, what: &str) {
    assert!(matches!(put(store, state).await, Applied::Updated(_)), "{what}");
    let record = observed(store, &state.key()).await;
    assert_eq!((&record.state, record.drifted), (state, false), "{what}");
    assert_eq!(put(store, state).await, Applied::Unchanged, "{what}");
}

pub(crate) async fn each_field_by_itself(backend: &impl Backend) {
    for state in samples::poor() {
        create(&*backend.store(), &state).await;
    }
    each_field(backend, &samples::poor()).await;
}

/// Unset, set, empty where that is another thing, and unset again: each field, and nothing else. `states` are
/// those that are in the store, one of each sample.
pub(super) async fn each_field(backend: &impl Backend, states: &[State]) {
    let store = backend.store();
    let mut tried = 0;
    for (poor, rich) in states.iter().zip(samples::rich()) {
        let (unset, set) = (json(poor), json(&rich));
        for (field, value) in set.as_object().unwrap() {
            let is_fixed = field == "id" && !backend.ids_change();
            if unset[field] == *value || field == "emailKey" || is_fixed {
                continue;
            }
            let with = |value: Value| {
                let mut json = unset.clone();
                json[field] = value.clone();
                if field == "email" {
                    json["emailKey"] = value;
                }
                state_of(poor, json)
            };
            let what = format!("{:?} {field}", poor.key());
            reached(&*store, &with(value.clone()), &what).await;
            // An address and an id are never empty.
            if empty(value) != unset[field]
                && empty(value) != *value
                && !matches!(field.as_str(), "email" | "id")
            {
                reached(&*store, &with(empty(value)), &format!("{what}, empty")).await;
            }
            reached(&*store, poor, &format!("{what}, unset again")).await;
            tried += 1;
        }
    }
    assert!(tried > 25, "only {tried} fields");
}

pub(crate) async fn names_in_any_script(backend: &impl Backend) {
    let store = backend.store();
    create(&*store, &samples::tenant("acme")).await;
    let long = "x".repeat(128);
    let mut states = Vec::new();
    for name in NAMES.into_iter().chain([&*long]) {
        states.extend([
            samples::namespace("acme", &name.to_lowercase().replace(['.', ':', '_'], "-")),
            samples::role("acme", &wide(name), None),
        ]);
    }
    states.sort_by_key(|state| format!("{:?}", state.key()));
    states.dedup_by_key(|state| state.key());
    for name in NAMES.into_iter().chain([&*long]) {
        states.push(samples::role("acme", &narrow("a", name), Some(&[wide(name)])));
    }
    for (username, name) in USERNAMES.into_iter().chain([&*long]).zip(NAMES.into_iter().cycle()) {
        let roles = [wide(name), narrow("a", name)];
        states.push(samples::user("acme", username, Some(&roles)));
    }
    for state in &states {
        create(&*store, state).await;
    }
    for state in &states {
        let record = observed(&*store, &state.key()).await;
        assert_eq!((&record.state, record.drifted), (state, false));
        assert_eq!(put(&*store, state).await, Applied::Unchanged);
    }
    for state in states.iter().rev() {
        let key = state.key();
        store.delete(&key, &samples::mark(&key)).await.unwrap();
        assert_eq!(store.observe(&key).await.unwrap(), None);
    }
}

/// The first administrator is the first byte by byte, in every store and every locale.
pub(crate) async fn names_sort_by_their_bytes(backend: &impl Backend) {
    let store = backend.store();
    create(&*store, &samples::tenant("acme")).await;
    create(&*store, &samples::administrator("acme", "admin")).await;
    for name in ["é", "z", "a", "a-b", "a1"] {
        create(&*store, &samples::user("acme", name, Some(&[wide("admin")]))).await;
        let census = store.census("acme").await.unwrap();
        let first = match name {
            "é" => "é",
            "z" => "z",
            _ => "a",
        };
        assert_eq!(census, Census { administrator: Some(first.into()), ..census.clone() });
    }
}

/// Nearly as large as the schemas let them be, and larger than a page of a database. (A Role may have rules of
/// half a megabyte, which is more than Keycloak holds.)
pub(crate) async fn large_values(backend: &impl Backend) {
    let store = backend.store();
    for mut state in samples::rich() {
        match &mut state {
            State::Tenant(tenant) => {
                let variables = (0..50)
                    .map(|n| json!({"name": format!("V{n}"), "value": samples::TEXT.repeat(10)}));
                tenant.settings.insert("environmentVariables".into(), variables.collect());
            }
            State::Namespace(namespace) => namespace.description = Some("é".repeat(1024)),
            State::Role(role) => {
                let mut access = role.rules[0].clone();
                access.paths = (0..20).map(|n| format!("/{n}{}", "a".repeat(245))).collect();
                role.rules = vec![access; 48];
            }
            State::User(user) => {
                let mut deep = json!("日".repeat(10_000));
                for level in 0..7 {
                    deep = json!({ format!("level-{level}"): deep });
                }
                user.claims.insert("deep".into(), deep);
            }
        }
        create(&*store, &state).await;
        let record = observed(&*store, &state.key()).await;
        assert_eq!((&record.state, record.drifted), (&state, false));
        assert_eq!(put(&*store, &state).await, Applied::Unchanged);
    }
}

/// As long as a store's narrowest column is, one more than that, and in characters that count twice there.
pub(crate) async fn texts_at_the_edge_of_a_column(backend: &impl Backend) {
    let store = backend.store();
    for state in samples::poor() {
        create(&*store, &state).await;
    }
    for text in ["x".repeat(255), "x".repeat(256), "👧".repeat(127), "👧".repeat(128)] {
        for mut state in samples::poor() {
            let longest = Some(text.clone());
            match &mut state {
                State::Tenant(tenant) => tenant.display_name = longest,
                State::Namespace(namespace) => namespace.description = longest,
                State::Role(role) => role.description = longest,
                State::User(user) => {
                    user.first_name.clone_from(&longest);
                    user.last_name = longest;
                }
            }
            reached(&*store, &state, &text).await;
        }
    }
}

/// Larger than any schema lets it be: kept whole, or refused for good with its size; never cut.
pub(crate) async fn what_is_too_large(backend: &impl Backend) {
    let store = backend.store();
    let text = "x".repeat(1_200_000);
    for mut state in samples::rich() {
        create(&*store, &state).await;
        match &mut state {
            State::Tenant(tenant) => {
                tenant.settings.insert("defaultStrategy".into(), json!(text));
            }
            State::Namespace(namespace) => namespace.description = Some(text.clone()),
            State::Role(role) => role.rules[0].paths = vec![text.clone()],
            State::User(user) => drop(user.claims.insert("text".into(), json!(text))),
        }
        kept_or_refused(&*store, &state, "make it shorter").await;
    }
}

/// A character that not every store can keep is kept, or refused for good: never cut, never tried again.
pub(crate) async fn a_character_that_ends_strings_elsewhere(backend: &impl Backend) {
    let store = backend.store();
    for mut state in samples::rich() {
        create(&*store, &state).await;
        let text = Some("a\0b".to_owned());
        match &mut state {
            State::Tenant(tenant) => tenant.display_name = text,
            State::Namespace(namespace) => namespace.description = text,
            State::Role(role) => role.description = text,
            State::User(user) => user.first_name = text,
        }
        kept_or_refused(&*store, &state, "").await;
    }
}

/// It is there afterwards as it is, or as it was; who refuses it says this.
async fn kept_or_refused(store: &dyn Store, state: &State, says: &str) {
    let key: Key = state.key();
    let ours = Expected::Marked(samples::mark(&key));
    let before = observed(store, &key).await;
    match store.apply(&desired(state.clone()), &ours).await {
        Ok(_) => assert_eq!(observed(store, &key).await.state, *state),
        Err(Error::Refused(why)) => {
            assert!(why.contains(says), "{key:?}: {why}");
            assert_eq!(observed(store, &key).await, before);
        }
        Err(error) => panic!("{key:?}: {error}"),
    }
}
