//! Passwords that an identity provider changes, well or badly.

use super::{Hand, Sql, on_both};
use crate::store::{
    Applied, Desired, Expected, Key, NewPassword, Store,
    conformance::{
        Backend as _,
        samples::{self, desired},
    },
};

on_both!(a_password_that_a_person_changed_is_in_force_and_remembered);

/// Makes a tenant and a user.
pub(super) async fn set_up<H: Hand>(backend: &Sql<H>) -> Key {
    let user = samples::user("acme", "ada", None);
    for state in [samples::tenant("acme"), user.clone()] {
        backend.store.apply(&desired(state), &Expected::Absent).await.unwrap();
    }
    user.key()
}

/// The operator sets a password.
pub(super) async fn set<H: Hand>(backend: &Sql<H>, hash: &str) {
    let record = backend.store.observe(&samples::user("acme", "ada", None).key()).await.unwrap();
    let password = NewPassword {
        hash: hash.to_owned().into(),
        algorithm: "argon2id",
        created_at: "2026-11-22T08:30:00.25Z".parse().unwrap(),
        remembered: 3,
    };
    let user = samples::user("acme", "ada", None);
    let desired = Desired { password: Some(password), ..desired(user) };
    backend.store.apply(&desired, &Expected::as_observed(record.as_ref())).await.unwrap();
}

pub(super) async fn last<H: Hand>(backend: &Sql<H>, key: &Key) -> Vec<String> {
    let hashes = backend.store.last_passwords(key, 20).await.unwrap();
    hashes.iter().map(|hash| hash.to_string()).collect()
}

/// What the views say of passwords, as `type or number: algorithm hash time`.
async fn views<H: Hand>(backend: &Sql<H>) -> Vec<String> {
    let rows = backend.hand.texts(
        "SELECT type || ': ' || algorithm || ' ' || hash || ' ' || created_at FROM v1_credentials UNION ALL \
         SELECT number || ': ' || algorithm || ' ' || hash || ' ' || created_at FROM v1_former_passwords \
         ORDER BY 1 DESC",
        &[],
    );
    rows.await.into_iter().filter_map(|mut row| row.pop().flatten()).collect()
}

async fn a_password_that_a_person_changed_is_in_force_and_remembered<H: Hand>(backend: Sql<H>) {
    let key = set_up(&backend).await;
    backend.change_password(&key, "first").await;
    assert_eq!(last(&backend, &key).await, ["first"]);
    set(&backend, "second").await;
    backend.change_password(&key, "third").await;
    assert_eq!(last(&backend, &key).await, ["third", "second", "first"]);
    let expected = Expected::Marked(samples::mark(&key));
    let applied =
        backend.store.apply(&desired(samples::user("acme", "ada", None)), &expected).await.unwrap();
    assert_eq!(applied, Applied::Unchanged);
    backend.change_password(&key, "fourth").await;
    assert_eq!(last(&backend, &key).await, ["fourth", "third", "second", "first"]);
    set(&backend, "fifth").await;
    assert_eq!(
        views(&backend).await,
        [
            "password: argon2id fifth 2026-11-22T08:30:00.250Z",
            "2: argon2id fourth 2026-11-22T09:00:00.000Z",
            "1: argon2id third 2026-11-22T09:00:00.000Z",
        ]
    );
}
