//! What is limited: statements, locks, connections.

use std::time::{Duration, Instant};

use futures::future::join_all;

use super::{
    BUSY, Database, Hand, PostgresHand,
    faults::{converged, other, unavailable},
    until,
};
use crate::store::{
    Applied, Expected, Store,
    conformance::samples::{self, desired},
    sql::{
        postgres::Timeouts,
        writes::{Write, Writes, Written},
    },
};

#[tokio::test]
async fn connections_give_up_rather_than_hang() {
    let backend = PostgresHand::start().await;
    for (name, value) in [
        ("statement_timeout", "15s"),
        ("lock_timeout", "2s"),
        ("idle_in_transaction_session_timeout", "10s"),
        ("application_name", "keyreeve"),
    ] {
        for mut tx in [
            backend.store.engine.read().await.unwrap(),
            backend.store.engine.write().await.unwrap(),
        ] {
            let sql = format!("SELECT current_setting('{name}') AS value");
            let row = tx.row(sql, &[]).await.unwrap().unwrap();
            assert_eq!(row.text("value").as_deref(), Some(value), "{name}");
        }
    }
}

/// Every new user takes ten minutes.
const SLOW: &str = "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS \
                    $$ BEGIN PERFORM pg_sleep(600); RETURN NEW; END $$; \
                    CREATE TRIGGER slow BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION slow()";

/// By the server: it works on nothing of which nobody wants to know the end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_that_takes_too_long_is_cut() {
    let database = Database::new().await;
    let timeouts = Timeouts { statement: Duration::from_secs(1), ..BUSY };
    let store = database.open_within(timeouts, database.server.address()).await;
    converged(&store, &samples::tenant("acme")).await;
    let mut admin = database.admin().await;
    sqlx::raw_sql(SLOW).execute(&mut admin).await.unwrap();

    let ada = samples::user("acme", "ada", None);
    let sentence = unavailable(store.apply(&desired(ada.clone()), &Expected::Absent)).await;
    assert!(sentence.contains("PostgreSQL took too long"), "{sentence}");
    assert_eq!(database.sessions(&mut admin, "state = 'active'").await, 0);
    // The others that are written with it are.
    let [first, slow, last] = [samples::tenant("first"), ada.clone(), other().state]
        .map(|state| Write::Apply(Box::new(desired(state)), Expected::Absent));
    let queue = Writes::new(1, 50);
    let (first, slow, last) = tokio::join!(
        queue.make(&store.engine, first),
        queue.make(&store.engine, slow),
        queue.make(&store.engine, last)
    );
    assert!(slow.is_err(), "{slow:?}");
    for done in [first, last] {
        assert!(matches!(done, Ok(Written::Applied(Applied::Created))), "{done:?}");
    }

    sqlx::raw_sql("DROP FUNCTION slow CASCADE").execute(&mut admin).await.unwrap();
    converged(&store, &ada).await;
}

/// Twenty for which each would wait alone would be ten times as long.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn locks_on_many_tenants_do_not_add_up() {
    let backend = PostgresHand::start().await;
    let tenants: Vec<String> = (0..20).map(|n| format!("locked-{n}")).collect();
    for tenant in tenants.iter().map(String::as_str).chain(["acme"]) {
        let tenant = desired(samples::tenant(tenant));
        backend.store.apply(&tenant, &Expected::Absent).await.unwrap();
    }
    let mut hand = backend.database().admin().await;
    sqlx::raw_sql("BEGIN; SELECT FROM tenants WHERE tenant_id LIKE 'locked-%' FOR UPDATE")
        .execute(&mut hand)
        .await
        .unwrap();
    let user = |tenant: &str, name: &str| {
        let user = desired(samples::user(tenant, name, None));
        Write::Apply(Box::new(user), Expected::Absent)
    };
    let mut writes = vec![user("acme", "ada")];
    // These wait while the first is written, and so share a transaction.
    writes.extend(tenants.iter().map(|tenant| user(tenant, "ada")));
    writes.push(user("acme", "bob"));
    let (queue, began) = (Writes::new(1, 50), Instant::now());
    let engine = &backend.store.engine;
    let mut results = join_all(writes.into_iter().map(|write| queue.make(engine, write))).await;
    let took = began.elapsed();
    for result in [results.pop().unwrap(), results.remove(0)] {
        assert!(matches!(result, Ok(Written::Applied(Applied::Created))), "{result:?}");
    }
    assert_eq!(results.len(), tenants.len());
    for result in results {
        let sentence = result.unwrap_err().to_string();
        assert!(sentence.contains("another session holds a lock"), "{sentence}");
    }
    assert!(took < 10 * Timeouts::USUAL.lock, "{took:?}");
}

/// Whoever comes while all are in use is told so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn there_are_ten_connections_at_most() {
    let database = Database::new().await;
    let timeouts = Timeouts { acquire: Duration::from_secs(4), ..BUSY };
    let store = database.open_within(timeouts, database.server.address()).await;
    let acme = samples::tenant("acme");
    converged(&store, &acme).await;
    let mut in_use = Vec::new();
    until("ten are in use", async || {
        in_use.extend(store.engine.read().await);
        in_use.len() == 10
    })
    .await;
    let key = acme.key();
    for sentence in join_all((0..5).map(|_| unavailable(store.observe(&key)))).await {
        assert!(sentence.contains("all connections to PostgreSQL are busy"), "{sentence}");
    }
    // Those that found out why there is none are closed.
    let mut admin = database.admin().await;
    until("there are ten", async || database.sessions(&mut admin, "TRUE").await == 10).await;
    drop(in_use);
    converged(&store, &acme).await;
}
