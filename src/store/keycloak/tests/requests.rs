//! How many requests a reconcile costs where nothing is to be done, and what a write costs.

use serde_json::Value;

use super::{backend::Keycloak, login::part};
use crate::store::{
    Applied, Deleted, Expected, State,
    conformance::{Backend, samples},
};

/// Reads and writes of one look at a state that is as desired.
async fn steady(backend: &Keycloak, state: &State) -> (u64, u64) {
    let (store, requests) = (backend.store(), backend.renamed.store.server.requests());
    let key = state.key();
    let before = requests.both();
    let record = store.observe(&key).await.unwrap();
    let expected = Expected::as_observed(record.as_ref());
    let applied = store.apply(&samples::desired(state.clone()), &expected).await.unwrap();
    assert_eq!(applied, Applied::Unchanged);
    let after = requests.both();
    (after.0 - before.0, after.1 - before.1)
}

#[tokio::test]
async fn a_steady_state_costs_few_reads_and_no_write() {
    let backend = Keycloak::start().await;
    for state in samples::rich() {
        let desired = samples::desired(state);
        backend.store().apply(&desired, &Expected::Absent).await.unwrap();
    }
    for state in samples::rich() {
        let most = match &state {
            State::Namespace(_) => 1,
            // The role, and what it contains.
            State::Role(_) => 2,
            // The realm, its keys, its user profile, and whether people may delete their accounts.
            State::Tenant(_) => 4,
            // The user, the roles, the credentials.
            State::User(_) => 3,
        };
        let (reads, writes) = steady(&backend, &state).await;
        assert!(reads <= most, "{:?} took {reads} reads", state.key());
        assert_eq!(writes, 0);
    }
}

#[tokio::test]
async fn a_census_reads_roles_once_and_what_they_contain_only_where_it_matters() {
    let backend = Keycloak::start().await;
    let role = |name: &str, parts: &[&str]| {
        let parts: Vec<_> = parts.iter().map(|part| samples::wide(part)).collect();
        samples::role("acme", &samples::wide(name), Some(&parts))
    };
    let mut states = vec![samples::tenant("acme"), samples::namespace("acme", "billing")];
    states.extend([role("a", &[]), role("b", &["a"]), role("c", &["b"])]);
    for state in states {
        backend.store().apply(&samples::desired(state), &Expected::Absent).await.unwrap();
    }
    let requests = backend.renamed.store.server.requests();
    let before = requests.both();
    backend.store().census("acme").await.unwrap();
    // All users, those that are marked; the Namespaces; the roles of the realm, and of the one.
    assert_eq!(requests.both(), (before.0 + 5, before.1));
}

#[tokio::test]
async fn a_user_is_made_by_one_write() {
    let backend = Keycloak::start().await;
    let states = samples::rich();
    for state in &states[..4] {
        let desired = samples::desired(state.clone());
        backend.store().apply(&desired, &Expected::Absent).await.unwrap();
    }
    let requests = backend.renamed.store.server.requests();
    let before = requests.both();
    let desired = samples::desired(states[4].clone());
    backend.store().apply(&desired, &Expected::Absent).await.unwrap();
    assert_eq!(requests.both().1 - before.1, 1, "so it is there whole or not at all");
}

/// Beside the realms of ours there may be thousands: no request reads them all, and the token does not name them.
#[tokio::test]
async fn only_the_realm_that_is_meant_is_asked_for() {
    let backend = Keycloak::start_to_disturb().await;
    let recorded = backend.disturbance.as_ref().unwrap().recorded();
    let store = backend.store();
    for state in samples::rich() {
        store.apply(&samples::desired(state), &Expected::Absent).await.unwrap();
    }
    for state in samples::rich() {
        steady(&backend, &state).await;
    }
    store.census("acme").await.unwrap();
    for state in samples::rich().into_iter().rev() {
        let key = state.key();
        let deleted = store.delete(&key, &samples::mark(&key)).await.unwrap();
        assert_eq!(deleted, Deleted::Removed);
    }
    let realm = backend.realm();
    let recorded = recorded.lock().unwrap().clone();
    let asked = recorded.iter().filter(|line| line.contains("/admin/"));
    let (made, others): (Vec<_>, Vec<_>) =
        asked.partition(|line| line.starts_with("POST /admin/realms HTTP"));
    assert_eq!((made.len(), others.len() > 20), (1, true), "{recorded:#?}");
    for line in others {
        let place = line.split([' ', '?']).nth(1).unwrap();
        let within = place.strip_prefix(&format!("/admin/realms/{realm}")).unwrap_or("?");
        assert!(within.is_empty() || within.starts_with('/'), "{line}");
    }
    let token = backend.renamed.store.server.token().await;
    let claims = part(token.header.strip_prefix("Bearer ").unwrap(), 1);
    assert_eq!((&claims["realm_access"], &claims["resource_access"]), (&Value::Null, &Value::Null));
}
