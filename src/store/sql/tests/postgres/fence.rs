//! Two operators on one store: the later one has it, and the earlier one writes no more.

use std::time::Instant;

use futures::FutureExt;

use super::{Database, PATIENCE, PATIENT, until};
use crate::{
    leadership::Term,
    policy::Class,
    store::{
        Applied, Deleted, Error, Expected, OpenError, Store,
        conformance::samples::{self, desired},
    },
};

#[tokio::test]
async fn whoever_opens_the_store_takes_it_over() {
    let database = Database::new().await;
    let old = database.open().await;
    let acme = desired(samples::tenant("acme"));
    old.apply(&acme, &Expected::Absent).await.unwrap();
    assert!(old.taken_over().now_or_never().is_none());

    let new = database.open().await;
    assert_eq!(old.id(), new.id());
    let other = desired(samples::tenant("other"));
    for _ in 0..2 {
        let error = old.apply(&other, &Expected::Absent).await.unwrap_err();
        assert!(matches!(error, Error::TakenOver), "{error}");
        assert_eq!(error.class(), Class::Terminal, "it must not be tried again");
    }
    tokio::time::timeout(PATIENCE, old.taken_over()).await.unwrap();
    let key = acme.state.key();
    let deleted = old.delete(&key, &acme.mark).await;
    assert!(matches!(deleted, Err(Error::TakenOver)), "{deleted:?}");
    // It may look, and finds that there is nothing to do.
    assert_eq!(
        old.apply(&acme, &Expected::Marked(acme.mark.clone())).await.unwrap(),
        Applied::Unchanged
    );

    assert_eq!(new.observe(&other.state.key()).await.unwrap(), None);
    assert_eq!(new.apply(&other, &Expected::Absent).await.unwrap(), Applied::Created);
    assert_eq!(new.delete(&key, &acme.mark).await.unwrap(), Deleted::Removed);
    assert!(new.taken_over().now_or_never().is_none());
}

/// A transaction that has begun ends before the store is taken over: none is committed after it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn taking_over_waits_for_what_is_being_written() {
    let database = Database::new().await;
    let old = database.open_within(PATIENT, database.server.address()).await;
    let acme = desired(samples::tenant("acme"));
    old.apply(&acme, &Expected::Absent).await.unwrap();

    let mut hand = database.admin().await;
    sqlx::raw_sql("BEGIN; SELECT FROM tenants FOR UPDATE").execute(&mut hand).await.unwrap();
    let mut changed = acme.clone();
    changed.memo = serde_json::json!("late");
    let writing = tokio::spawn({
        let mark = acme.mark.clone();
        async move {
            let result = old.apply(&changed, &Expected::Marked(mark)).await;
            (old, changed, result)
        }
    });
    let mut looking = database.admin().await;
    let waits = "wait_event_type = 'Lock'";
    until("it waits for the row", async || database.sessions(&mut looking, waits).await > 0).await;
    let opening = database.open();
    let freeing = async {
        // Both wait now: the old one for the row, the new one for the old one.
        until("both wait", async || database.sessions(&mut looking, waits).await > 1).await;
        assert!(!writing.is_finished(), "it still waits for the row");
        sqlx::raw_sql("ROLLBACK").execute(&mut hand).await.unwrap();
    };
    let (new, ()) = tokio::join!(opening, freeing);
    let (old, changed, result) = writing.await.unwrap();
    assert!(matches!(result, Ok(Applied::Updated(_))), "{result:?}");
    let record = new.observe(&acme.state.key()).await.unwrap().unwrap();
    assert_eq!(record.memo, "late", "what was committed before is there");
    let late = old.apply(&acme, &Expected::Marked(acme.mark.clone())).await;
    assert!(matches!(late, Err(Error::TakenOver)), "{late:?}");
    drop(changed);
}

/// Where one of several leads, it takes the store from whoever led before, and from nobody who has led since.
#[tokio::test]
async fn a_leader_that_was_stopped_while_it_opened_the_store_does_not_take_it_from_the_next_one() {
    let database = Database::new().await;
    let (first, second) = (Term::since(Instant::now()), Term::since(Instant::now()));
    let opening = database.open_for(&first);
    let mut opening = std::pin::pin!(opening);
    // It has read the epoch, and wants to be sure that it leads.
    tokio::select! {
        () = first.asked() => {}
        _ = &mut opening => panic!("it is not sure yet"),
    }
    let renewed = Instant::now();
    let new = async {
        let (opened, ()) = tokio::join!(database.open_for(&second), async {
            second.asked().await;
            second.renew(Instant::now()).unwrap();
        });
        opened.unwrap()
    };
    let new = new.await;
    let acme = desired(samples::tenant("acme"));
    new.apply(&acme, &Expected::Absent).await.unwrap();

    // The renewal that it waited for was sent before the other one led; the answer comes only now.
    first.renew(renewed).unwrap();
    let error = opening.await.err().unwrap();
    assert!(matches!(error, OpenError::Away { .. }), "{error}");
    let other = desired(samples::tenant("other"));
    assert_eq!(new.apply(&other, &Expected::Absent).await.unwrap(), Applied::Created);
    assert!(new.taken_over().now_or_never().is_none());

    // One that no longer leads does not even try.
    first.end();
    let error = database.open_for(&first).await.err().unwrap().to_string();
    assert!(error.contains("does not lead any more"), "{error}");
    assert_eq!(new.delete(&other.state.key(), &other.mark).await.unwrap(), Deleted::Removed);
}
