//! Who holds which roles: authoritative over marked roles, and over nothing else.

use super::{
    Backend, create, observed, put,
    samples::{self, narrow, wide},
};
use crate::store::{Applied, Census, Deleted, Key, RoleName, State, Store};

/// A state of each kind that has roles: a user that holds these, a role that contains them.
fn holders(roles: Option<&[RoleName]>) -> [State; 2] {
    [samples::user("acme", "ada", roles), samples::role("acme", &wide("boss"), roles)]
}

/// A tenant with the marked roles a, b, c, a role made by hand, and both holders of nothing.
async fn set_up(backend: &impl Backend, store: &dyn Store) {
    create(store, &samples::tenant("acme")).await;
    for name in ["a", "b", "c"] {
        create(store, &samples::role("acme", &wide(name), None)).await;
    }
    backend.add(&samples::role("acme", &wide("by-hand"), None).key()).await;
    for holder in holders(None) {
        create(store, &holder).await;
    }
}

fn wides(names: &[&str]) -> Vec<RoleName> {
    names.iter().map(|name| wide(name)).collect()
}

fn role_key(name: &str) -> Key {
    Key::Role { tenant: "acme".into(), role: wide(name) }
}

pub(crate) async fn none_leaves_all_alone(backend: &impl Backend) {
    let store = backend.store();
    set_up(backend, &*store).await;
    for state in holders(None) {
        backend.give(&state.key(), &wide("a")).await;
        backend.give(&state.key(), &wide("by-hand")).await;
        assert_eq!(put(&*store, &state).await, Applied::Unchanged);
        assert!(!observed(&*store, &state.key()).await.drifted);
        assert_eq!(backend.held(&state.key()).await, wides(&["a", "by-hand"]));
    }
    // Managed and then no longer: they stay.
    for state in holders(Some(&wides(&["b"]))).into_iter().chain(holders(None)) {
        assert!(matches!(put(&*store, &state).await, Applied::Updated(_)));
        assert_eq!(backend.held(&state.key()).await, wides(&["b", "by-hand"]));
        assert_eq!(observed(&*store, &state.key()).await.state, state);
    }
}

pub(crate) async fn some_rules_over_marked_roles_only(backend: &impl Backend) {
    let store = backend.store();
    set_up(backend, &*store).await;
    for state in holders(None) {
        backend.give(&state.key(), &wide("by-hand")).await;
    }
    for (roles, held) in [
        (&["a", "b"][..], &["a", "b", "by-hand"][..]),
        (&["b", "c"], &["b", "by-hand", "c"]),
        (&[], &["by-hand"]),
    ] {
        for state in holders(Some(&wides(roles))) {
            assert_eq!(put(&*store, &state).await, Applied::Updated(vec![field(&state).into()]));
            assert_eq!(backend.held(&state.key()).await, wides(held));
            assert_eq!(observed(&*store, &state.key()).await.state, state);
            assert_eq!(put(&*store, &state).await, Applied::Unchanged);
        }
    }
    // The order and repetitions in which they are said do not matter.
    for state in holders(Some(&wides(&["c", "a", "c"]))) {
        put(&*store, &state).await;
        assert_eq!(backend.held(&state.key()).await, wides(&["a", "by-hand", "c"]));
    }
    for state in holders(Some(&wides(&["a", "c"]))) {
        assert_eq!(put(&*store, &state).await, Applied::Unchanged);
    }
}

pub(crate) async fn drift_of_roles(backend: &impl Backend) {
    let store = backend.store();
    set_up(backend, &*store).await;
    for state in holders(Some(&wides(&["a"]))) {
        let key = state.key();
        put(&*store, &state).await;
        // Roles made by hand are no business of ours.
        backend.give(&key, &wide("by-hand")).await;
        assert!(!observed(&*store, &key).await.drifted);
        for given in [true, false] {
            if given {
                backend.give(&key, &wide("b")).await;
            } else {
                backend.take(&key, &wide("a")).await;
            }
            assert!(observed(&*store, &key).await.drifted);
            let applied = put(&*store, &state).await;
            assert_eq!(applied, Applied::Updated(vec![field(&state).into()]));
            assert!(!observed(&*store, &key).await.drifted);
            assert_eq!(backend.held(&key).await, wides(&["a", "by-hand"]));
        }
    }
}

pub(crate) async fn a_deleted_role_leaves_its_holders(backend: &impl Backend) {
    let store = backend.store();
    set_up(backend, &*store).await;
    for state in holders(Some(&wides(&["a", "b"]))) {
        put(&*store, &state).await;
    }
    let key = role_key("a");
    let deleted = store.delete(&key, &samples::mark(&key)).await.unwrap();
    assert_eq!(deleted, Deleted::Removed);
    for state in holders(Some(&wides(&["b"]))) {
        let record = observed(&*store, &state.key()).await;
        assert_eq!(record.state, state);
        assert!(!record.drifted, "the operator's own doing is no drift");
        assert_eq!(backend.held(&state.key()).await, wides(&["b"]));
        assert!(matches!(put(&*store, &state).await, Applied::Updated(_)));
        assert_eq!(put(&*store, &state).await, Applied::Unchanged);
    }
}

pub(crate) async fn namespaces_keep_names_apart(backend: &impl Backend) {
    let store = backend.store();
    set_up(backend, &*store).await;
    let mut roles = vec![wide("a")];
    for namespace in ["x", "y"] {
        create(&*store, &samples::namespace("acme", namespace)).await;
        create(&*store, &samples::role("acme", &narrow(namespace, "a"), None)).await;
        roles.push(narrow(namespace, "a"));
    }
    roles.sort();
    for state in holders(Some(&roles)) {
        put(&*store, &state).await;
        assert_eq!(observed(&*store, &state.key()).await.state, state);
    }
    let gone = Key::Role { tenant: "acme".into(), role: narrow("x", "a") };
    store.delete(&gone, &samples::mark(&gone)).await.unwrap();
    for state in holders(Some(&[wide("a"), narrow("y", "a")])) {
        assert_eq!(observed(&*store, &state.key()).await.state, state);
    }
}

/// What a holder's roles are called in an update.
fn field(state: &State) -> &'static str {
    match state {
        State::User(_) => "roles",
        _ => "composites",
    }
}

pub(crate) async fn the_census_counts_everybody(backend: &impl Backend) {
    let store = backend.store();
    assert_eq!(store.census("acme").await.unwrap(), Census::default(), "no such tenant");
    create(&*store, &samples::tenant("acme")).await;
    create(&*store, &samples::administrator("acme", "admin")).await;
    let boss = samples::role("acme", &wide("boss"), Some(&wides(&["admin"])));
    create(&*store, &boss).await;
    create(&*store, &samples::role("acme", &wide("plain"), None)).await;
    create(&*store, &samples::user("acme", "ada", Some(&wides(&["plain"])))).await;
    create(&*store, &samples::user("acme", "zoe", Some(&wides(&["admin"])))).await;
    backend.add(&Key::User { tenant: "acme".into(), username: "by-hand".into() }).await;
    let census = store.census("acme").await.unwrap();
    assert_eq!(census, Census { users: 3, administrator: Some("zoe".into()), ..census.clone() });
    // Through a composite, and the first by name.
    create(&*store, &samples::user("acme", "bob", Some(&wides(&["boss"])))).await;
    let census = store.census("acme").await.unwrap();
    assert_eq!(census, Census { users: 4, administrator: Some("bob".into()), ..census.clone() });
}
