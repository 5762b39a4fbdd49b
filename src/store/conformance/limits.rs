//! Limits: who is let in, who is not, and what goes on all the same.

use super::{
    Backend, create, observed, put,
    samples::{self, wide},
};
use crate::store::{
    Applied, Census, Counted, Counts, Deleted, Desired, Error, Expected, Key, Limits, RoleName,
    State, Store, conformance::samples::desired,
};

/// The tenant, and what administrators need.
pub(super) async fn set_up(backend: &impl Backend) {
    let store = backend.store();
    create(&*store, &samples::tenant("acme")).await;
    create(&*store, &samples::administrator("acme", "admin")).await;
}

/// The n-th of those that count, beside what was set up.
pub(super) fn nth(counted: Counted, n: usize) -> State {
    match counted {
        Counted::Users => samples::user("acme", &format!("user-{n}"), None),
        Counted::Namespaces => samples::namespace("acme", &format!("namespace-{n}")),
        Counted::Roles => samples::role("acme", &wide(&format!("role-{n}")), None),
        Counted::Administrators => user(&format!("admin-{n}"), &["admin"]),
    }
}

/// How many of them the set-up makes.
pub(super) fn at_first(counted: Counted) -> u64 {
    u64::from(counted == Counted::Roles)
}

/// A limit on one of them.
pub(super) fn limit(counted: Counted, limit: u64) -> Limits {
    let mut limits = Limits::default();
    *match counted {
        Counted::Users => &mut limits.users,
        Counted::Namespaces => &mut limits.namespaces,
        Counted::Roles => &mut limits.roles,
        Counted::Administrators => &mut limits.administrators,
    } = Some(limit);
    limits
}

/// A limit of nothing on everything.
const NOTHING: Limits =
    Limits { users: Some(0), namespaces: Some(0), roles: Some(0), administrators: Some(0) };

pub(super) fn user(username: &str, roles: &[&str]) -> State {
    let roles: Vec<RoleName> = roles.iter().map(|role| wide(role)).collect();
    samples::user("acme", username, Some(&roles))
}

pub(super) fn role(name: &str, composites: &[&str]) -> State {
    let composites: Vec<RoleName> = composites.iter().map(|role| wide(role)).collect();
    samples::role("acme", &wide(name), Some(&composites))
}

/// Applies a state over whatever is there, within limits.
async fn within(store: &dyn Store, limits: Limits, state: &State) -> Result<Applied, Error> {
    let record = store.observe(&state.key()).await.unwrap();
    let desired = Desired { limits, ..desired(state.clone()) };
    store.apply(&desired, &Expected::as_observed(record.as_ref())).await
}

pub(super) async fn let_in(
    backend: &impl Backend,
    counted: Counted,
    at: u64,
    state: &State,
) -> Applied {
    within(&*backend.store(), limit(counted, at), state).await.unwrap()
}

/// Asserts that a limit holds this back, and that nothing of it is in the store.
pub(super) async fn held_back(backend: &impl Backend, counted: Counted, at: u64, state: &State) {
    let store = backend.store();
    let (before, record) =
        (backend.fingerprint().await, store.observe(&state.key()).await.unwrap());
    match within(&*store, limit(counted, at), state).await {
        Err(Error::LimitReached { counted: reached, limit }) => {
            assert_eq!((reached, limit), (counted, at));
        }
        other => panic!("{counted} at {at}: {other:?}"),
    }
    assert_eq!(store.observe(&state.key()).await.unwrap(), record);
    assert_eq!(backend.fingerprint().await, before);
}

async fn remove(store: &dyn Store, key: &Key) {
    assert_eq!(store.delete(key, &samples::mark(key)).await.unwrap(), Deleted::Removed);
}

pub(crate) async fn a_limit_holds_back_the_next(backend: &impl Backend) {
    set_up(backend).await;
    for counted in Counted::ALL {
        let start = at_first(counted);
        held_back(backend, counted, 0, &nth(counted, 1)).await;
        held_back(backend, counted, start, &nth(counted, 1)).await;
        for n in [1, 2] {
            let applied = let_in(backend, counted, start + 2, &nth(counted, n)).await;
            assert_eq!(applied, Applied::Created);
        }
        held_back(backend, counted, start + 2, &nth(counted, 3)).await;
        // Raised.
        assert_eq!(let_in(backend, counted, start + 3, &nth(counted, 3)).await, Applied::Created);
        // A seat becomes free.
        held_back(backend, counted, start + 3, &nth(counted, 4)).await;
        remove(&*backend.store(), &nth(counted, 1).key()).await;
        assert_eq!(let_in(backend, counted, start + 3, &nth(counted, 4)).await, Applied::Created);
        held_back(backend, counted, start + 3, &nth(counted, 1)).await;
        // Without a limit.
        assert_eq!(put(&*backend.store(), &nth(counted, 5)).await, Applied::Created);
    }
}

pub(crate) async fn a_lowered_limit_evicts_nobody(backend: &impl Backend) {
    set_up(backend).await;
    let store = backend.store();
    for counted in Counted::ALL {
        let start = at_first(counted);
        for n in [1, 2, 3] {
            let_in(backend, counted, start + 3, &nth(counted, n)).await;
        }
        for n in [1, 2, 3] {
            let state = nth(counted, n);
            let before = backend.fingerprint().await;
            assert_eq!(within(&*store, NOTHING, &state).await.unwrap(), Applied::Unchanged);
            assert_eq!(backend.fingerprint().await, before);
            // What another hand did is put right.
            backend.edit(&state.key()).await;
            assert!(matches!(within(&*store, NOTHING, &state).await, Ok(Applied::Updated(_))));
            assert_eq!(observed(&*store, &state.key()).await.state, state);
        }
        held_back(backend, counted, start + 1, &nth(counted, 4)).await;
        // One less is still too many.
        remove(&*store, &nth(counted, 1).key()).await;
        held_back(backend, counted, start + 1, &nth(counted, 4)).await;
        remove(&*store, &nth(counted, 2).key()).await;
        held_back(backend, counted, start + 1, &nth(counted, 4)).await;
        remove(&*store, &nth(counted, 3).key()).await;
        let_in(backend, counted, start + 1, &nth(counted, 4)).await;
    }
}

/// What another hand made takes nobody's seat until it is adopted.
pub(crate) async fn only_what_is_marked_counts(backend: &impl Backend) {
    set_up(backend).await;
    let store = backend.store();
    for counted in Counted::ALL {
        let start = at_first(counted);
        for n in [1, 2] {
            backend.add(&nth(counted, n).key()).await;
            if counted == Counted::Administrators {
                backend.give(&nth(counted, n).key(), &wide("admin")).await;
            }
        }
        assert_eq!(store.census("acme").await.unwrap().counts.of(counted), start);
        assert_eq!(let_in(backend, counted, start + 1, &nth(counted, 3)).await, Applied::Created);
        for n in [1, 2] {
            let at = start + u64::try_from(n).unwrap();
            held_back(backend, counted, at, &nth(counted, n)).await;
            let adopted = let_in(backend, counted, at + 1, &nth(counted, n)).await;
            assert!(matches!(adopted, Applied::Updated(_)));
        }
    }
}

/// Each limit is on its own, and none is on what raises nothing.
pub(crate) async fn what_raises_nothing_goes_on(backend: &impl Backend) {
    let store = backend.store();
    within(&*store, NOTHING, &samples::tenant("acme")).await.unwrap();
    create(&*store, &samples::administrator("acme", "admin")).await;
    for counted in Counted::ALL {
        for other in Counted::ALL.into_iter().filter(|other| *other != counted) {
            // An administrator is a user.
            if (counted, other) == (Counted::Administrators, Counted::Users) {
                continue;
            }
            within(&*store, limit(other, 0), &nth(counted, 1)).await.unwrap();
            remove(&*store, &nth(counted, 1).key()).await;
        }
    }
    remove(&*store, &samples::administrator("acme", "admin").key()).await;
    for state in samples::rich() {
        put(&*store, &state).await;
    }
    for mut state in samples::rich() {
        match &mut state {
            State::Tenant(tenant) => tenant.enabled = false,
            State::Namespace(namespace) => namespace.description = None,
            State::Role(role) => role.rules = Vec::new(),
            State::User(user) => user.first_name = None,
        }
        assert!(matches!(within(&*store, NOTHING, &state).await, Ok(Applied::Updated(_))));
        assert_eq!(within(&*store, NOTHING, &state).await.unwrap(), Applied::Unchanged);
    }
}

pub(crate) async fn each_tenant_has_its_own_counts(backend: &impl Backend) {
    set_up(backend).await;
    let store = backend.store();
    create(&*store, &samples::tenant("other")).await;
    create(&*store, &samples::administrator("other", "admin")).await;
    create(&*store, &samples::namespace("other", "billing")).await;
    for name in ["ada", "bob"] {
        create(&*store, &samples::user("other", name, Some(&[wide("admin")]))).await;
    }
    for counted in Counted::ALL {
        let at = 1 + at_first(counted);
        let_in(backend, counted, at, &nth(counted, 1)).await;
        held_back(backend, counted, at, &nth(counted, 2)).await;
    }
}

pub(crate) async fn the_census_tells_what_counts(backend: &impl Backend) {
    let store = backend.store();
    assert_eq!(store.census("acme").await.unwrap(), Census::default(), "no such tenant");
    set_up(backend).await;
    create(&*store, &role("boss", &["admin"])).await;
    create(&*store, &role("plain", &[])).await;
    create(&*store, &samples::namespace("acme", "billing")).await;
    create(&*store, &user("ada", &["plain"])).await;
    create(&*store, &user("bob", &["admin", "boss"])).await;
    create(&*store, &user("zoe", &["boss"])).await;
    let counts = Counts { users: 3, namespaces: 1, roles: 3, administrators: 2 };
    let census = Census { users: 3, counts, administrator: Some("bob".into()) };
    assert_eq!(store.census("acme").await.unwrap(), census);
    // Another hand's are there, and do not count.
    let by_hand = samples::user("acme", "aaron", None).key();
    for key in [
        by_hand.clone(),
        samples::namespace("acme", "by-hand").key(),
        samples::role("acme", &wide("by-hand"), None).key(),
    ] {
        backend.add(&key).await;
    }
    backend.give(&by_hand, &wide("boss")).await;
    let census = Census { users: 4, counts, administrator: Some("aaron".into()) };
    assert_eq!(store.census("acme").await.unwrap(), census);
}
