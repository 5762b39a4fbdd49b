//! Columns of SQLite take values of every type.

use std::slice;

use super::{Hand, SqliteHand};
use crate::store::{
    Record, Store,
    sql::tests::passwords::{last, set, set_up},
};

#[tokio::test]
async fn what_is_no_text_in_passwords_is_left_out() {
    let backend = SqliteHand::start().await;
    let key = set_up(&backend).await;
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
