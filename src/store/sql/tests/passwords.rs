//! Passwords that an identity provider changes, well or badly.

use std::slice;

use super::{Backend, Sqlite};
use crate::store::{
    Applied, Desired, Expected, Key, NewPassword, Record, Store,
    conformance::samples::{self, desired},
};

/// A store with a tenant and a user.
async fn set_up() -> (Sqlite, Key) {
    let backend = Sqlite::start().await;
    let user = samples::user("acme", "ada", None);
    for state in [samples::tenant("acme"), user.clone()] {
        backend.store.apply(&desired(state), &Expected::Absent).await.unwrap();
    }
    (backend, user.key())
}

/// The operator sets a password.
async fn set(backend: &Sqlite, hash: &str) {
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

async fn last(backend: &Sqlite, key: &Key) -> Vec<String> {
    let hashes = backend.store.last_passwords(key, 20).await.unwrap();
    hashes.iter().map(|hash| hash.to_string()).collect()
}

/// What the views say of passwords, as `type or number: algorithm hash time`.
async fn views(backend: &Sqlite) -> Vec<String> {
    sqlx::query_scalar(
        "SELECT type || ': ' || algorithm || ' ' || hash || ' ' || created_at FROM v1_credentials UNION ALL \
         SELECT number || ': ' || algorithm || ' ' || hash || ' ' || created_at FROM v1_former_passwords \
         ORDER BY 1 DESC",
    )
    .fetch_all(&mut *backend.hand.lock().await)
    .await
    .unwrap()
}

#[tokio::test]
async fn a_password_that_a_person_changed_is_in_force_and_remembered() {
    let (backend, key) = set_up().await;
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

#[tokio::test]
async fn what_cannot_be_read_is_left_out() {
    let (backend, key) = set_up().await;
    let credentials = async || {
        let Record { credentials, drifted, .. } =
            backend.store.observe(&key).await.unwrap().unwrap();
        assert!(!drifted);
        let of = |credential: &crate::api::Credential| {
            let time = credential.created_at.as_ref().map(|time| time.0.to_string());
            (credential.type_.clone(), credential.algorithm.clone(), time)
        };
        credentials.iter().map(of).collect::<Vec<_>>()
    };
    set(&backend, "first").await;
    set(&backend, "second").await;
    let time = Some("2026-11-22T08:30:00.25Z".to_owned());
    let argon2id = Some("argon2id".to_owned());
    let whole = ("password".to_owned(), argon2id, time);
    assert_eq!(credentials().await, *slice::from_ref(&whole));
    let set_column = async |table: &str, column: &str, value: &str| {
        backend.sql(&format!("UPDATE {table} SET {column} = {value}"), &[]).await;
    };
    for time in ["'yesterday'", "x'ff00'", "NULL"] {
        set_column("user_credentials", "created_at", time).await;
        assert_eq!(credentials().await, [(whole.0.clone(), whole.1.clone(), None)]);
    }
    for algorithm in ["x'ff00'", "NULL"] {
        set_column("user_credentials", "algorithm", algorithm).await;
        assert_eq!(credentials().await, [(whole.0.clone(), None, None)]);
    }
    // With nothing but the hash it is remembered all the same.
    set(&backend, "third").await;
    assert_eq!(last(&backend, &key).await, ["third", "second", "first"]);
    // What is no password is none of the passwords, and stays.
    backend
        .sql(
            "INSERT INTO user_credentials (tenant_id, username, type, hash) \
             VALUES ('acme', 'ada', 'otp', 'secret')",
            &[],
        )
        .await;
    assert_eq!(last(&backend, &key).await, ["third", "second", "first"]);
    set(&backend, "fourth").await;
    assert_eq!(last(&backend, &key).await, ["fourth", "third", "second"]);
    assert_eq!(credentials().await, [("otp".into(), None, None), whole.clone()]);
    backend.sql("DELETE FROM user_credentials WHERE type = 'otp'", &[]).await;
    // Neither numbers nor what stands in place of hashes stop the next one.
    for number in ["'text'", "x'00'", "9223372036854775807", "-1.5"] {
        let first =
            format!("UPDATE user_former_passwords SET number = {number} WHERE hash <> 'second'");
        backend.sql(&first, &[]).await;
        set(&backend, "second").await;
        set(&backend, "last").await;
        assert_eq!(last(&backend, &key).await[..2], ["last", "second"], "{number}");
        assert_eq!(credentials().await, *slice::from_ref(&whole));
    }
    set_column("user_former_passwords", "hash", "x'ff00'").await;
    assert_eq!(last(&backend, &key).await, ["last"]);
    set_column("user_credentials", "hash", "x'ff00'").await;
    assert!(last(&backend, &key).await.is_empty());
    set_column("user_credentials", "type", "x'ff00'").await;
    assert_eq!(credentials().await, []);
    set(&backend, "new").await;
    assert_eq!(last(&backend, &key).await, ["new"]);
    assert_eq!(credentials().await, [whole]);
}
