//! Rows that another hand wrote badly: they are read, seen as drifted, and put right.

use serde_json::Value;

use super::{Backend, Sqlite};
use crate::store::{
    Applied, Deleted, Expected, Record, State, Store,
    conformance::samples::{self, desired},
    sql::table::{Form, Table},
};

/// The state of a fresh store with all the rich samples.
async fn set_up() -> Sqlite {
    let backend = Sqlite::start().await;
    for state in samples::rich() {
        backend.store.apply(&desired(state), &Expected::Absent).await.unwrap();
    }
    backend
}

#[tokio::test]
async fn every_column_may_hold_anything() {
    let backend = set_up().await;
    let odd = [
        "'{'",
        "'nonsense'",
        "'null'",
        "'7'",
        "'[[7]]'",
        "'{\"name\": 7}'",
        "''",
        "x'ff00'",
        "7.5",
    ];
    for state in samples::rich() {
        let key = state.key();
        for column in Table::of(key.kind()).columns {
            for value in odd {
                backend.set(&key, column.name, value).await;
                let what = format!("{} = {value}", column.name);
                let record = backend.store.observe(&key).await.expect(&what).unwrap();
                // A text may be any text, also the one that it was.
                assert!(
                    record.drifted || (column.form == Form::Text && record.state == state),
                    "{what}"
                );
                let expected = Expected::Marked(samples::mark(&key));
                backend.store.apply(&desired(state.clone()), &expected).await.expect(&what);
                let record = backend.store.observe(&key).await.unwrap().unwrap();
                assert!(!record.drifted, "{what}");
                assert_eq!(record.state, state, "{what}");
            }
        }
    }
}

/// What is unreadable in a row made by hand counts as drifted, though nobody marked it.
#[tokio::test]
async fn unreadable_without_a_mark() {
    let backend = Sqlite::start().await;
    let key = samples::tenant("acme").key();
    backend.add(&key).await;
    backend.set(&key, "settings", "'{\"ttl\": '").await;
    let record = backend.store.observe(&key).await.unwrap().unwrap();
    assert!(record.drifted);
    assert_eq!((record.mark, record.state), (None, samples::tenant("acme")));
    let applied =
        backend.store.apply(&desired(samples::tenant("acme")), &Expected::Unmarked).await.unwrap();
    assert_eq!(applied, Applied::Updated(vec!["settings".into(), "mark".into()]));
    assert!(!backend.store.observe(&key).await.unwrap().unwrap().drifted);
}

#[tokio::test]
async fn broken_bookkeeping() {
    let backend = set_up().await;
    for state in samples::rich() {
        let key = state.key();
        let ours = Expected::Marked(samples::mark(&key));

        backend.set(&key, "memo", "'{'").await;
        backend.set(&key, "updated_at", "x'00'").await;
        let Record { memo, drifted, .. } = backend.store.observe(&key).await.unwrap().unwrap();
        assert_eq!((memo, drifted), (Value::Null, false));
        let applied = backend.store.apply(&desired(state.clone()), &ours).await.unwrap();
        assert_eq!(applied, Applied::Updated(vec!["memo".into()]));

        backend.set(&key, "digest", "NULL").await;
        assert!(backend.store.observe(&key).await.unwrap().unwrap().drifted);
        let applied = backend.store.apply(&desired(state.clone()), &ours).await.unwrap();
        assert_eq!(applied, Applied::Updated(vec!["mark".into()]));
        assert!(!backend.store.observe(&key).await.unwrap().unwrap().drifted);

        // Half a mark is none: the row is nobody's until somebody adopts it.
        backend.set(&key, "mark_uid", "NULL").await;
        assert_eq!(backend.store.observe(&key).await.unwrap().unwrap().mark, None);
        let deleted = backend.store.delete(&key, &samples::mark(&key)).await.unwrap();
        assert_eq!(deleted, Deleted::NotOurs(None));
        backend.store.apply(&desired(state), &Expected::Unmarked).await.unwrap();
    }
}

/// An address that another hand wrote over one of ours is put back, and keeps nobody from having it.
#[tokio::test]
async fn a_drifted_address() {
    let backend = set_up().await;
    let ada = samples::rich().pop().unwrap();
    backend.give_email(&ada.key(), "bob@acme.example").await;
    let State::User(mut bob) = samples::user("acme", "bob", None) else { unreachable!() };
    bob.email = Some("bob@acme.example".into());
    bob.email_key.clone_from(&bob.email);
    backend.store.apply(&desired(State::User(bob)), &Expected::Absent).await.unwrap();
    let ours = Expected::Marked(samples::mark(&ada.key()));
    let applied = backend.store.apply(&desired(ada), &ours).await.unwrap();
    assert_eq!(applied, Applied::Updated(vec!["email".into()]));
}

/// With foreign keys off, as in the sqlite3 shell, another hand can leave rows without their tenant.
#[tokio::test]
async fn orphans() {
    let backend = set_up().await;
    backend.sql("PRAGMA foreign_keys = OFF", &[]).await;
    backend.remove(&samples::tenant("acme").key()).await;
    let user = samples::rich().pop().unwrap();
    let ours = Expected::Marked(samples::mark(&user.key()));
    assert!(backend.store.observe(&user.key()).await.unwrap().is_some());
    let error = backend.store.apply(&desired(user.clone()), &ours).await.unwrap_err();
    assert_eq!(error.to_string(), "the store does not have the tenant acme yet");
    backend.store.apply(&desired(samples::tenant("acme")), &Expected::Absent).await.unwrap();
    assert_eq!(backend.store.apply(&desired(user), &ours).await.unwrap(), Applied::Unchanged);
}
