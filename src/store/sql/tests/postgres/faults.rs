//! All that may go wrong with a server while the operator works: what the errors say, that nothing hangs, and that
//! everything is as it should be afterwards, nothing lost and nothing doubled.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures::future::join_all;

use super::{
    Database, Hand, PATIENCE, PATIENT, Postgres, PostgresHand, proxy::Cut, server::Server, until,
};
use crate::{
    policy::Class,
    store::{
        Applied, Desired, Error, Expected, State, Store,
        conformance::samples::{self, desired},
        sql::{SqlStore, postgres::Timeouts},
    },
};

/// The sentence of a call that fails for a while.
pub(super) async fn unavailable<T: std::fmt::Debug>(
    call: impl Future<Output = Result<T, Error>>,
) -> String {
    match tokio::time::timeout(PATIENCE, call).await.expect("it hangs") {
        Err(error @ Error::Unavailable(_)) => {
            assert_eq!(error.class(), Class::Transient);
            let sentence = error.to_string();
            for word in ["SELECT", "INSERT", "UPDATE", "tenants", super::PASSWORD, samples::TEXT] {
                assert!(!sentence.contains(word), "{sentence}");
            }
            sentence
        }
        other => panic!("{other:?}"),
    }
}

/// Brings the store to a state as a controller does: looks, applies, tries again.
pub(super) async fn converged(store: &SqlStore, state: &State) {
    let deadline = Instant::now() + PATIENCE;
    let key = state.key();
    loop {
        assert!(Instant::now() < deadline, "{key:?} is not reached");
        let applied = async {
            let record = store.observe(&key).await?;
            store.apply(&desired(state.clone()), &Expected::as_observed(record.as_ref())).await
        };
        match applied.await {
            Ok(Applied::Unchanged) => return,
            Ok(_) | Err(Error::Unavailable(_) | Error::Raced) => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Err(error) => panic!("{key:?}: {error}"),
        }
    }
}

/// Forty users reach the store while something disturbs it; then they are there, once.
pub(super) async fn forty_users_while(store: &Arc<SqlStore>, disturb: impl AsyncFnOnce()) {
    converged(store, &samples::tenant("acme")).await;
    let users: Vec<_> =
        (0..40).map(|n| samples::user("acme", &format!("user-{n}"), None)).collect();
    let work = users.iter().map(|user| {
        let (store, user) = (store.clone(), user.clone());
        tokio::spawn(async move { converged(&store, &user).await })
    });
    let work: Vec<_> = work.collect();
    disturb().await;
    for done in join_all(work).await {
        done.unwrap();
    }
    for user in &users {
        let record = store.observe(&user.key()).await.unwrap().unwrap();
        assert_eq!((&record.state, record.drifted), (user, false));
    }
    let census = store.census("acme").await.unwrap();
    assert_eq!((census.users, census.counts.users), (40, 40));
}

pub(super) fn other() -> Desired {
    desired(samples::tenant("other"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_goes_and_comes_back() {
    let server = Server::own(tempfile::tempdir().unwrap(), &[]);
    let database = Database::on(server.clone()).await;
    let store: Arc<_> = database.open().await.into();
    forty_users_while(&store, async || {
        for _ in 0..2 {
            server.crash();
            server.start();
        }
        server.stop();
        server.start();
    })
    .await;

    server.stop();
    let key = samples::tenant("acme").key();
    for call in 0..3 {
        let sentence = match call {
            0 => unavailable(store.observe(&key)).await,
            1 => unavailable(store.apply(&other(), &Expected::Absent)).await,
            _ => unavailable(store.delete(&key, &samples::mark(&key))).await,
        };
        assert!(
            sentence.contains("nothing listens at its address. Start PostgreSQL"),
            "{sentence}"
        );
    }
    server.start();
    assert_eq!(store.apply(&other(), &Expected::Absent).await.unwrap(), Applied::Created);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_are_ended() {
    let backend = PostgresHand::start().await;
    forty_users_while(&backend.store, async || {
        for _ in 0..30 {
            backend.end_connections().await;
        }
    })
    .await;
}

/// Whether a commit whose answer was lost was made is seen at the next look.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_cut_in_the_middle_of_commits() {
    let Postgres { store, hand } = PostgresHand::start_to_disturb().await;
    forty_users_while(&store, async || {
        for when in [Cut::After, Cut::Before].into_iter().cycle().take(6) {
            hand.proxy.as_ref().unwrap().cut(when, 1);
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// It holds up who wants to write that row, for a while, and nobody else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_on_a_row() {
    let backend = PostgresHand::start().await;
    let (acme, ada) = (samples::tenant("acme"), samples::user("acme", "ada", None));
    for state in [&acme, &ada] {
        backend.store.apply(&desired(state.clone()), &Expected::Absent).await.unwrap();
    }
    let mut hand = backend.database().admin().await;
    sqlx::raw_sql("BEGIN; SELECT FROM tenants WHERE tenant_id = 'acme' FOR UPDATE")
        .execute(&mut hand)
        .await
        .unwrap();
    let ours = Expected::Marked(samples::mark(&ada.key()));
    let applied = backend.store.apply(&desired(ada.clone()), &ours).await.unwrap();
    assert_eq!(applied, Applied::Unchanged, "to look needs no lock");
    let bob = desired(samples::user("acme", "bob", None));
    let sentence = unavailable(backend.store.apply(&bob, &Expected::Absent)).await;
    assert!(
        sentence.contains("another session holds a lock on what is to be written"),
        "{sentence}"
    );
    backend.store.apply(&other(), &Expected::Absent).await.unwrap();
    sqlx::raw_sql("ROLLBACK").execute(&mut hand).await.unwrap();
    backend.store.apply(&bob, &Expected::Absent).await.unwrap();
    // An identity provider that reads, or adds a row that refers to it, is in nobody's way.
    sqlx::raw_sql("BEGIN; SELECT FROM tenants WHERE tenant_id = 'acme' FOR KEY SHARE")
        .execute(&mut hand)
        .await
        .unwrap();
    let carl = desired(samples::user("acme", "carl", None));
    backend.store.apply(&carl, &Expected::Absent).await.unwrap();
}

/// Of two that wait for each other PostgreSQL ends one. When it is ours, it is tried again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deadlock_with_another_hand() {
    let database = Database::new().await;
    // Half as long as the hand.
    let timeouts = Timeouts { lock: PATIENCE / 2, ..PATIENT };
    let store = database.open_within(timeouts, database.server.address()).await;
    let (acme, ada) = (samples::tenant("acme"), samples::user("acme", "ada", None));
    for state in [&acme, &ada] {
        store.apply(&desired(state.clone()), &Expected::Absent).await.unwrap();
    }
    let (mut hand, mut looking) = (database.admin().await, database.admin().await);
    // So the server ends the other one.
    sqlx::raw_sql("SET deadlock_timeout = '1min'; BEGIN; SELECT FROM users FOR UPDATE")
        .execute(&mut hand)
        .await
        .unwrap();
    let State::User(mut changed) = ada else { unreachable!() };
    changed.first_name = Some("Ada".into());
    let changed = State::User(changed);
    let ours = Expected::Marked(samples::mark(&changed.key()));
    let desired = desired(changed.clone());
    let writing = store.apply(&desired, &ours);
    let hand = async {
        // Now it has the tenant, and waits for the user.
        let waits = "wait_event_type = 'Lock'";
        until("it waits", async || database.sessions(&mut looking, waits).await > 0).await;
        sqlx::raw_sql("SELECT FROM tenants FOR UPDATE; COMMIT").execute(&mut hand).await.unwrap();
    };
    let (result, ()) = tokio::join!(writing, hand);
    // It is ended as a deadlock after 1 s; should the hand have come later, when it has waited long enough.
    assert!(matches!(result, Err(Error::Raced | Error::Unavailable(_))), "{result:?}");
    converged(&store, &changed).await;
}

#[tokio::test]
async fn no_store_is_opened_read_only() {
    let database = Database::new().await;
    let hand = database.hand().await;
    let read_only =
        format!("ALTER DATABASE {} SET default_transaction_read_only = on", database.name);
    hand.sql(&read_only, &[]).await;
    let opened = SqlStore::open_postgres(&database.address(), &database.credentials()).await;
    let refused = opened.err().unwrap().to_string();
    assert!(refused.contains("PostgreSQL is read-only"), "{refused}");
}

#[tokio::test]
async fn what_postgresql_cannot_keep_is_refused() {
    let backend = PostgresHand::start().await;
    let State::Tenant(mut tenant) = samples::tenant("acme") else { unreachable!() };
    tenant.display_name = Some("A\0B".into());
    let refused = backend.store.apply(&desired(State::Tenant(tenant)), &Expected::Absent).await;
    let error = refused.unwrap_err();
    assert_eq!(error.class(), Class::Terminal);
    assert!(error.to_string().contains("U+0000"), "{error}");
    backend.store.apply(&other(), &Expected::Absent).await.unwrap();
}
