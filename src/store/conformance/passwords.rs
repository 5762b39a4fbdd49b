//! Passwords: set, remembered, and left alone.

use jiff::Timestamp;
use serde_json::Value;

use super::{Backend, assert_fails, create, observed, put, samples};
use crate::{
    api::Credential,
    store::{
        Applied, Deleted, Desired, Error, Expected, Kind, Limits, Mark, NewPassword, State, Store,
        Unique, conformance::samples::desired,
    },
};

/// When passwords are set here: all at once, so that times do not tell which is younger.
const NOW: &str = "2026-11-22T08:30:00Z";

fn ada() -> State {
    samples::user("acme", "ada", None)
}

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

/// The n-th password.
pub(super) fn password(n: usize, remembered: usize) -> NewPassword {
    NewPassword { hash: hash(n).into(), algorithm: "argon2id", created_at: now(), remembered }
}

fn hash(n: usize) -> String {
    format!("$argon2id$v=19$m=19456,t=2,p=1$c2FsdA${n}")
}

/// Sets a user's n-th password.
async fn set(store: &dyn Store, n: usize, remembered: usize) -> Applied {
    let record = store.observe(&ada().key()).await.unwrap();
    let desired = Desired { password: Some(password(n, remembered)), ..desired(ada()) };
    store.apply(&desired, &Expected::as_observed(record.as_ref())).await.unwrap()
}

/// The hashes of the last passwords.
async fn last(store: &dyn Store, number: usize) -> Vec<String> {
    let hashes = store.last_passwords(&ada().key(), number).await.unwrap();
    assert!(hashes.len() <= number);
    hashes.iter().map(|hash| hash.to_string()).collect()
}

/// Asserts that these are the last passwords, at most so many; none where the store tells no hashes.
async fn assert_last(backend: &impl Backend, number: usize, mut hashes: Vec<String>) {
    if !backend.tells_hashes() {
        hashes.clear();
    }
    assert_eq!(last(&*backend.store(), number).await, hashes);
}

/// Those with these numbers.
fn hashes(numbers: &[usize]) -> Vec<String> {
    numbers.iter().map(|n| hash(*n)).collect()
}

fn a_password() -> Credential {
    Credential {
        type_: "password".into(),
        algorithm: Some("argon2id".into()),
        created_at: Some(now().into()),
    }
}

fn password_was_set() -> Applied {
    Applied::Updated(vec!["password".into()])
}

pub(crate) async fn set_with_a_new_user(backend: &impl Backend) {
    let store = backend.store();
    create(&*store, &samples::tenant("acme")).await;
    assert!(last(&*store, 10).await.is_empty(), "no such user");
    assert_eq!(set(&*store, 1, 3).await, Applied::Created);
    assert_last(backend, 10, hashes(&[1])).await;
    let record = observed(&*store, &ada().key()).await;
    assert_eq!(record.credentials, [a_password()]);
    assert_eq!((record.state, record.drifted), (ada(), false));
    // What asks for none leaves it alone.
    let before = backend.fingerprint().await;
    assert_eq!(put(&*store, &ada()).await, Applied::Unchanged);
    assert_eq!(backend.fingerprint().await, before);
    assert_last(backend, 10, hashes(&[1])).await;
}

pub(crate) async fn set_later(backend: &impl Backend) {
    let store = backend.store();
    for state in [samples::tenant("acme"), ada()] {
        create(&*store, &state).await;
    }
    assert_eq!(observed(&*store, &ada().key()).await.credentials, []);
    assert!(last(&*store, 10).await.is_empty());
    assert_eq!(set(&*store, 1, 0).await, password_was_set());
    assert_last(backend, 10, hashes(&[1])).await;
    // The same once more is a wish, too: whether there is one is not for the store to tell.
    assert_eq!(set(&*store, 1, 0).await, password_was_set());
    // Together with something else, and of another algorithm.
    let State::User(mut user) = ada() else { unreachable!() };
    user.first_name = Some("Ada".into());
    let bcrypt = "$2b$12$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ01234";
    let (second, algorithm) =
        if backend.tells_hashes() { (bcrypt.to_owned(), "bcrypt") } else { (hash(2), "argon2id") };
    let password = NewPassword { hash: second.clone().into(), algorithm, ..password(2, 0) };
    let both = Desired { password: Some(password), ..desired(State::User(user)) };
    let ours = Expected::Marked(both.mark.clone());
    let applied = store.apply(&both, &ours).await.unwrap();
    assert_eq!(applied, Applied::Updated(vec!["first_name".into(), "password".into()]));
    let record = observed(&*store, &ada().key()).await;
    assert_eq!((&record.state, record.drifted), (&both.state, false));
    let another = Credential { algorithm: Some(algorithm.into()), ..a_password() };
    assert_eq!(record.credentials, [another]);
    assert_last(backend, 10, vec![second.clone()]).await;
    // Something else without it.
    assert_eq!(put(&*store, &ada()).await, Applied::Updated(vec!["first_name".into()]));
    assert_last(backend, 10, vec![second.clone()]).await;
}

/// What people do with their passwords at the identity provider is theirs.
pub(crate) async fn another_ones_stays_as_it_is(backend: &impl Backend) {
    let store = backend.store();
    create(&*store, &samples::tenant("acme")).await;
    set(&*store, 1, 3).await;
    backend.change_password(&ada().key(), &hash(2)).await;
    let (mine, record) = (last(&*store, 10).await, observed(&*store, &ada().key()).await);
    assert!(!record.drifted);
    assert_eq!(record.credentials.len(), 1);
    let before = backend.fingerprint().await;
    assert_eq!(put(&*store, &ada()).await, Applied::Unchanged);
    assert_eq!(backend.fingerprint().await, before);
    backend.edit(&ada().key()).await;
    assert_eq!(put(&*store, &ada()).await, Applied::Updated(vec!["first_name".into()]));
    assert_eq!(last(&*store, 10).await, mine);
    assert_eq!(observed(&*store, &ada().key()).await.credentials, record.credentials);
    assert_eq!(set(&*store, 3, 3).await, password_was_set());
    assert_last(backend, 1, hashes(&[3])).await;
}

/// Who set one between a look and its write keeps it: by that look it was the operator's still.
pub(crate) async fn the_users_own_wins_a_race(backend: &impl Backend) {
    let store = backend.store();
    create(&*store, &samples::tenant("acme")).await;
    set(&*store, 1, 3).await;
    let before = observed(&*store, &ada().key()).await;
    backend.change_password(&ada().key(), &hash(2)).await;
    let (own, written) = (observed(&*store, &ada().key()).await, backend.fingerprint().await);
    let third = Desired { password: Some(password(3, 3)), ..desired(ada()) };
    let stale = store.apply(&third, &Expected::as_observed(Some(&before))).await;
    assert_fails!(stale, Error::Raced);
    assert_eq!(backend.fingerprint().await, written);
    let fresh = store.apply(&third, &Expected::as_observed(Some(&own))).await.unwrap();
    assert_eq!(fresh, password_was_set());
}

pub(crate) async fn former_ones_are_remembered(backend: &impl Backend) {
    let store = backend.store();
    create(&*store, &samples::tenant("acme")).await;
    let remembered: [&[usize]; 5] = [&[1], &[2, 1], &[3, 2, 1], &[4, 3, 2], &[5, 4, 3]];
    for (n, remembered) in (1..).zip(remembered) {
        set(&*store, n, 3).await;
        assert_last(backend, 10, hashes(remembered)).await;
        assert_eq!(observed(&*store, &ada().key()).await.credentials, [a_password()]);
    }
    assert_last(backend, 2, hashes(&[5, 4])).await;
    assert_last(backend, 1, hashes(&[5])).await;
    assert!(last(&*store, 0).await.is_empty());
    assert_last(backend, usize::MAX, hashes(&[5, 4, 3])).await;
}

pub(crate) async fn fewer_are_remembered(backend: &impl Backend) {
    let store = backend.store();
    create(&*store, &samples::tenant("acme")).await;
    let steps: [(usize, &[usize]); 10] = [
        (4, &[1]),
        (4, &[2, 1]),
        (4, &[3, 2, 1]),
        (4, &[4, 3, 2, 1]),
        (2, &[5, 4]),
        // What was forgotten does not come back.
        (usize::MAX, &[6, 5, 4]),
        (1, &[7]),
        (9, &[8, 7]),
        (0, &[9]),
        (9, &[10, 9]),
    ];
    for (n, (remembered, hashed)) in (1..).zip(steps) {
        set(&*store, n, remembered).await;
        assert_last(backend, 20, hashes(hashed)).await;
    }
}

pub(crate) async fn nothing_is_set_by_a_refused_apply(backend: &impl Backend) {
    let store = backend.store();
    create(&*store, &samples::tenant("acme")).await;
    set(&*store, 1, 3).await;
    let password = Some(password(2, 3));
    let ours = Expected::Marked(samples::mark(&ada().key()));

    let new = Desired { password: password.clone(), ..desired(ada()) };
    assert_fails!(store.apply(&new, &Expected::Absent).await, Error::Raced);

    let State::User(mut user) = samples::user("acme", "bob", None) else { unreachable!() };
    user.id = "id-of-ada".into();
    let taken = Desired { password: password.clone(), ..desired(State::User(user)) };
    assert_fails!(store.apply(&taken, &Expected::Absent).await, Error::Taken(Unique::Id));
    assert!(store.last_passwords(&taken.state.key(), 1).await.unwrap().is_empty());

    create(&*store, &samples::administrator("acme", "admin")).await;
    let limits = Limits { administrators: Some(0), ..Limits::default() };
    let limited = Desired {
        password,
        limits,
        ..desired(samples::user("acme", "ada", Some(&[samples::wide("admin")])))
    };
    assert_fails!(store.apply(&limited, &ours).await, Error::LimitReached { .. });

    let record = observed(&*store, &ada().key()).await;
    assert_eq!((record.state, record.memo), (ada(), Value::Null));
    assert_last(backend, 10, hashes(&[1])).await;
}

pub(crate) async fn passwords_go_with_their_user(backend: &impl Backend) {
    let store = backend.store();
    create(&*store, &samples::tenant("acme")).await;
    for kind in [Kind::User, Kind::Tenant] {
        set(&*store, 1, 3).await;
        set(&*store, 2, 3).await;
        let key = samples::key(kind);
        assert_eq!(store.delete(&key, &samples::mark(&key)).await.unwrap(), Deleted::Removed);
        assert!(last(&*store, 10).await.is_empty());
        for state in [samples::tenant("acme"), ada()] {
            put(&*store, &state).await;
        }
        assert!(last(&*store, 10).await.is_empty(), "nor do they come back");
        assert_eq!(observed(&*store, &ada().key()).await.credentials, []);
    }
    // They stay with their user, whoever it belongs to.
    set(&*store, 1, 3).await;
    let mark = samples::mark(&ada().key());
    let other = Desired { mark: Mark { uid: "uid-2".into(), ..mark.clone() }, ..desired(ada()) };
    store.apply(&other, &Expected::Marked(mark)).await.unwrap();
    assert_last(backend, 10, hashes(&[1])).await;
}

pub(crate) async fn only_users_have_passwords(backend: &impl Backend) {
    let store = backend.store();
    for state in samples::poor() {
        create(&*store, &state).await;
    }
    for state in samples::poor().into_iter().filter(|state| state.key().kind() != Kind::User) {
        let before = backend.fingerprint().await;
        let desired = Desired { password: Some(password(1, 3)), ..desired(state) };
        let (key, ours) = (desired.state.key(), Expected::Marked(desired.mark.clone()));
        assert_eq!(store.apply(&desired, &ours).await.unwrap(), Applied::Unchanged);
        assert!(store.last_passwords(&key, 10).await.unwrap().is_empty());
        assert_eq!(observed(&*store, &key).await.credentials, []);
        assert_eq!(backend.fingerprint().await, before);
    }
    // Those of another user, or one of that name in another tenant, are not this one's.
    for state in [samples::tenant("other"), samples::user("other", "ada", None)] {
        create(&*store, &state).await;
    }
    set(&*store, 1, 3).await;
    set(&*store, 2, 3).await;
    create(&*store, &samples::user("acme", "bob", None)).await;
    for (tenant, username) in [("other", "ada"), ("acme", "bob")] {
        let user = samples::user(tenant, username, None);
        let desired = Desired { password: Some(password(3, 3)), ..desired(user) };
        let (key, ours) = (desired.state.key(), Expected::Marked(desired.mark.clone()));
        assert!(store.last_passwords(&key, 10).await.unwrap().is_empty());
        store.apply(&desired, &ours).await.unwrap();
        let hashes = store.last_passwords(&key, 10).await.unwrap();
        assert_eq!(hashes.len(), usize::from(backend.tells_hashes()));
        assert!(hashes.iter().all(|told| **told == hash(3)));
        assert_eq!(observed(&*store, &key).await.credentials, [a_password()]);
    }
    assert_last(backend, 10, hashes(&[2, 1])).await;
}
