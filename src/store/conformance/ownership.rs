//! Whose it is: found and adopted, taken over under another mark, let go, and gone.

use super::{Backend, assert_fails, create, observed, passwords, samples, values};
use crate::store::{
    Applied, Deleted, Desired, Error, Expected, Key, Kind, Limits, Mark, RoleName, State, Store,
    conformance::samples::{desired, wide},
};

/// What another hand made, with something in it; what each is, as it was found.
async fn found(backend: &impl Backend) -> Vec<State> {
    let mut found = Vec::new();
    for key in samples::poor().iter().map(State::key) {
        backend.add(&key).await;
        backend.edit(&key).await;
        if matches!(key.kind(), Kind::Tenant | Kind::User) {
            backend.edit_nested(&key).await;
        }
        let record = observed(&*backend.store(), &key).await;
        assert_eq!((record.mark, record.drifted), (None, false));
        found.push(record.state);
    }
    found
}

/// Applies a state under this mark where there is to be nobody's, or another one.
async fn claim(store: &dyn Store, state: &State, mark: &Mark, expected: &Expected) {
    // Who comes to what is there needs no seat for it, where its mark had one.
    let limits = match expected {
        Expected::Marked(_) => {
            Limits { users: Some(0), namespaces: Some(0), roles: Some(0), administrators: Some(0) }
        }
        _ => Limits::default(),
    };
    let desired = Desired { mark: mark.clone(), limits, ..desired(state.clone()) };
    let Applied::Updated(fields) = store.apply(&desired, expected).await.unwrap() else {
        panic!("{state:?}")
    };
    // A store that signs gets the tenant's keys as well.
    assert!(fields.iter().all(|field| field == "mark" || field == "keys"), "{fields:?}");
    assert!(fields.contains(&"mark".into()));
    let record = observed(store, &state.key()).await;
    assert_eq!((&record.mark, record.drifted), (&Some(mark.clone()), false));
    assert_eq!(&record.state, state);
    let ours = Expected::Marked(mark.clone());
    assert_eq!(store.apply(&desired, &ours).await.unwrap(), Applied::Unchanged);
}

/// What nobody sets is as it was found, in the store's record and for all others.
pub(crate) async fn adopted_as_found(backend: &impl Backend) {
    let store = backend.store();
    let found = found(backend).await;
    let (user, by_hand) = (samples::key(Kind::User), wide("by-hand"));
    backend.add(&samples::role("acme", &by_hand, None).key()).await;
    backend.give(&user, &by_hand).await;
    for state in &found {
        let key = state.key();
        let before = backend.seen(&key).await;
        claim(&*store, state, &samples::mark(&key), &Expected::Unmarked).await;
        assert_eq!(backend.seen(&key).await, before, "{key:?}");
    }
    assert_eq!(backend.held(&user).await, [by_hand]);
}

pub(crate) async fn each_field_of_what_was_adopted(backend: &impl Backend) {
    let found = found(backend).await;
    for state in &found {
        claim(&*backend.store(), state, &samples::mark(&state.key()), &Expected::Unmarked).await;
    }
    values::each_field(backend, &found).await;
}

/// After a restore the same object has another UID; after a move it has another owner.
pub(crate) async fn another_mark_takes_over(backend: &impl Backend) {
    let store = backend.store();
    for state in samples::rich() {
        create(&*store, &state).await;
    }
    for state in samples::rich().into_iter().rev() {
        let key = state.key();
        let first = samples::mark(&key);
        let restored = Mark { uid: "uid-2".into(), ..first.clone() };
        let foreign = Mark { owner: "another/keyreeve".into(), ..restored.clone() };
        let seen = backend.seen(&key).await;
        let mut last = first;
        for mark in [restored, foreign] {
            claim(&*store, &state, &mark, &Expected::Marked(last.clone())).await;
            assert_eq!(backend.seen(&key).await, seen);
            // Who had it before has it no more.
            let late = Desired { mark: last.clone(), ..desired(state.clone()) };
            assert_fails!(store.apply(&late, &Expected::Marked(last.clone())).await, Error::Raced);
            let deleted = store.delete(&key, &last).await.unwrap();
            assert_eq!(deleted, Deleted::NotOurs(Some(mark.clone())));
            last = mark;
        }
        assert_eq!(store.delete(&key, &last).await.unwrap(), Deleted::Removed);
        assert_eq!(store.observe(&key).await.unwrap(), None);
    }
}

/// An object that goes with `deletionPolicy: Retain` leaves all as it is, its mark and its seat too, whatever comes
/// and goes beside it. Another one of the same name takes it up with all that is in it.
pub(crate) async fn what_was_retained_is_taken_up_again(backend: &impl Backend) {
    let store = backend.store();
    for state in samples::rich() {
        let password = (state.key().kind() == Kind::User).then(|| passwords::password(1, 3));
        let desired = Desired { password, ..desired(state) };
        assert_eq!(store.apply(&desired, &Expected::Absent).await.unwrap(), Applied::Created);
    }
    let (user, bob) = (samples::key(Kind::User), samples::user("acme", "bob", None));
    let all = async || {
        let mut all = Vec::new();
        for key in samples::rich().iter().map(State::key) {
            all.push((observed(&*store, &key).await, backend.seen(&key).await));
        }
        let last = store.last_passwords(&user, 9).await.unwrap();
        (all, backend.held(&user).await, store.census("acme").await.unwrap(), last)
    };
    let mut before = all().await;
    let limits = Limits { users: Some(1), ..Limits::default() };
    let full = Desired { limits, ..desired(bob.clone()) };
    assert_fails!(store.apply(&full, &Expected::Absent).await, Error::LimitReached { .. });
    create(&*store, &bob).await;
    let deleted = store.delete(&bob.key(), &samples::mark(&bob.key())).await.unwrap();
    assert_eq!(deleted, Deleted::Removed);
    assert_eq!(all().await, before);

    for (number, state) in samples::rich().iter().enumerate() {
        let key = state.key();
        let first = samples::mark(&key);
        let again = Mark { uid: "uid-2".into(), ..first.clone() };
        // One that is deleted before it had a look has nothing to remove.
        let deleted = store.delete(&key, &again).await.unwrap();
        assert_eq!(deleted, Deleted::NotOurs(Some(first.clone())));
        claim(&*store, state, &again, &Expected::Marked(first)).await;
        before.0[number].0.mark = Some(again);
        assert_eq!(all().await, before, "{key:?}");
    }
}

/// Let go by taking its mark away, it stays as it is, counts no more, and can be adopted anew.
pub(crate) async fn what_lost_its_mark_stays(backend: &impl Backend) {
    let store = backend.store();
    for state in samples::rich() {
        create(&*store, &state).await;
    }
    let held: Vec<RoleName> = backend.held(&samples::key(Kind::User)).await;
    // Roles while those who hold them are looked at as well.
    for state in samples::rich().into_iter().rev() {
        let key = state.key();
        let mark = samples::mark(&key);
        let (seen, counts) = (backend.seen(&key).await, store.census("acme").await.unwrap().counts);
        backend.unmark(&key).await;
        let record = observed(&*store, &key).await;
        assert_eq!((&record.mark, &record.state), (&None, &state));
        let fewer = store.census("acme").await.unwrap().counts;
        if key.kind() != Kind::Tenant {
            assert_ne!(fewer, counts, "{key:?} counts without a mark");
        }
        assert_eq!(store.delete(&key, &mark).await.unwrap(), Deleted::NotOurs(None));
        let ours = Expected::Marked(mark.clone());
        assert_fails!(store.apply(&desired(state.clone()), &ours).await, Error::Raced);
        assert_eq!(backend.seen(&key).await, seen);
        let another = Mark { name: "another-object".into(), uid: "uid-3".into(), ..mark };
        claim(&*store, &state, &another, &Expected::Unmarked).await;
        assert_eq!(store.census("acme").await.unwrap().counts, counts);
        assert_eq!(backend.seen(&key).await, seen);
    }
    assert_eq!(backend.held(&samples::key(Kind::User)).await, held);
}

/// What another hand took away is deleted, and so is what was in it.
pub(crate) async fn gone_by_another_hand(backend: &impl Backend) {
    let store = backend.store();
    for state in samples::rich() {
        create(&*store, &state).await;
    }
    let keys: Vec<Key> = samples::rich().iter().map(State::key).collect();
    let gone = async |key: &Key| {
        let before = backend.fingerprint().await;
        assert_eq!(store.delete(key, &samples::mark(key)).await.unwrap(), Deleted::NotThere);
        assert_eq!(backend.fingerprint().await, before);
    };
    backend.remove(&keys[4]).await;
    gone(&keys[4]).await;
    backend.remove(&keys[0]).await;
    for key in &keys {
        gone(key).await;
    }
}
