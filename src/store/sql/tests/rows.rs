//! Rows that another hand wrote badly: they are read, seen as drifted, and put right.

use serde_json::Value;

use super::{Hand, Sql, on_both};
use crate::store::conformance::Backend as _;
use crate::store::{
    Applied, Deleted, Expected, Record, State, Store,
    conformance::samples::{self, desired},
    sql::table::{Form, Table},
};

on_both!(
    every_column_may_hold_anything,
    unreadable_without_a_mark,
    broken_bookkeeping,
    a_drifted_address,
    orphans
);

/// Fills a fresh store with all the rich samples.
async fn set_up<H: Hand>(backend: &Sql<H>) {
    for state in samples::rich() {
        backend.store.apply(&desired(state), &Expected::Absent).await.unwrap();
    }
}

async fn every_column_may_hold_anything<H: Hand>(backend: Sql<H>) {
    set_up(&backend).await;
    let odd = ["'{'", "'nonsense'", "'null'", "'7'", "'[[7]]'", "'{\"name\": 7}'", "''"];
    let odd = [&odd, H::ODD].concat();
    for state in samples::rich() {
        let key = state.key();
        for column in Table::of(key.kind()).columns {
            let odd = if column.form == Form::Flag { H::ODD_FLAGS } else { &odd };
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
async fn unreadable_without_a_mark<H: Hand>(backend: Sql<H>) {
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

async fn broken_bookkeeping<H: Hand>(backend: Sql<H>) {
    set_up(&backend).await;
    for state in samples::rich() {
        let key = state.key();
        let ours = Expected::Marked(samples::mark(&key));

        backend.set(&key, "memo", "'{'").await;
        backend.set(&key, "updated_at", "'some day'").await;
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
async fn a_drifted_address<H: Hand>(backend: Sql<H>) {
    set_up(&backend).await;
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

/// With foreign keys off, as they are in the sqlite3 shell, another hand can leave rows without their tenant.
async fn orphans<H: Hand>(backend: Sql<H>) {
    set_up(&backend).await;
    backend.sql(H::WITHOUT_FOREIGN_KEYS, &[]).await;
    backend.remove(&samples::tenant("acme").key()).await;
    let user = samples::rich().pop().unwrap();
    let ours = Expected::Marked(samples::mark(&user.key()));
    assert!(backend.store.observe(&user.key()).await.unwrap().is_some());
    let error = backend.store.apply(&desired(user.clone()), &ours).await.unwrap_err();
    assert_eq!(error.to_string(), "the store does not have the tenant acme yet");
    backend.store.apply(&desired(samples::tenant("acme")), &Expected::Absent).await.unwrap();
    assert_eq!(backend.store.apply(&desired(user), &ours).await.unwrap(), Applied::Unchanged);
}
