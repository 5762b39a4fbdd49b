//! Opening a database: what is refused, and several that open it at once.

use futures::future::join_all;
use sqlx::{AssertSqlSafe, Executor};
use tokio::net::TcpListener;

use super::{Database, Hand, PATIENCE, PostgresHand};
use crate::store::{
    self, Expected, OpenError, Store, StoreUrl,
    conformance::samples::{self, desired},
    sql::{SqlStore, postgres::Address},
};

async fn refusal(database: &Database, address: &Address) -> OpenError {
    match SqlStore::open_postgres(address, &database.credentials()).await {
        Ok(_) => panic!("{address} was opened"),
        Err(error) => error,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_that_start_at_once_make_one_schema() {
    let database = Database::new().await;
    let stores = join_all((0..5).map(|_| database.open())).await;
    for store in &stores {
        assert_eq!((store.kind(), store.id()), ("postgres", stores[0].id()));
    }
    assert_eq!(stores[0].id().len(), 32);
    let tenant = desired(samples::tenant("acme"));
    let results = join_all(stores.iter().map(|store| store.apply(&tenant, &Expected::Absent)));
    let written = results.await.into_iter().flatten().count();
    assert_eq!(written, 1, "the one that came last has it");
}

#[tokio::test]
async fn all_is_there_after_an_end() {
    let database = Database::new().await;
    let store = database.open().await;
    for state in samples::rich() {
        store.apply(&desired(state), &Expected::Absent).await.unwrap();
    }
    let id = store.id().to_owned();
    drop(store);
    let url: StoreUrl = database.address().to_string().parse().unwrap();
    let store = store::open(&url, &database.credentials()).await.unwrap();
    assert_eq!((store.kind(), store.id()), ("postgres", &*id));
    let store = database.open().await;
    for state in samples::rich() {
        let record = store.observe(&state.key()).await.unwrap().unwrap();
        assert_eq!((record.state, record.drifted), (state, false));
    }
}

#[tokio::test]
async fn databases_that_are_refused() {
    let database = Database::new().await;
    let mut admin = database.admin().await;
    // Another program's.
    admin.execute("CREATE TABLE users (name TEXT)").await.unwrap();
    let error = refusal(&database, &database.address()).await;
    assert!(matches!(error, OpenError::Database { .. }), "{error}");
    assert!(
        error.to_string().contains("another program's database. Create a database of its own"),
        "{error}"
    );
    admin.execute("DROP TABLE users").await.unwrap();
    // In another encoding.
    let latin = format!(
        "CREATE DATABASE {0}_latin OWNER {0} TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'",
        database.name
    );
    admin.execute(AssertSqlSafe(latin)).await.unwrap();
    let named = |name: String| -> Address {
        format!("postgres://{}/{name}", database.server.address()).parse().unwrap()
    };
    let error = refusal(&database, &named(format!("{}_latin", database.name))).await;
    assert!(error.to_string().contains("its encoding is LATIN1. Create"), "{error}");
    // None at all.
    let error = refusal(&database, &named("nowhere".into())).await;
    assert!(error.to_string().contains("no database of this name"), "{error}");
    // One in which the role may make no tables.
    let sql = format!("ALTER DATABASE {} OWNER TO postgres", database.name);
    admin.execute(AssertSqlSafe(sql)).await.unwrap();
    admin.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC").await.unwrap();
    let error = refusal(&database, &database.address()).await;
    assert!(
        error.to_string().contains("role may not do this in PostgreSQL. Make it the owner"),
        "{error}"
    );
}

/// A function of the same name says what an older server says.
#[tokio::test]
async fn an_older_server_is_refused() {
    let database = Database::new().await;
    let (mut admin, name) = (database.admin().await, &database.name);
    let says = |version: i32| {
        format!(
            "CREATE OR REPLACE FUNCTION public.current_setting(name text) RETURNS text LANGUAGE sql AS \
             $$ SELECT CASE name WHEN 'server_version_num' THEN '{version}' \
             ELSE pg_catalog.current_setting(name) END $$"
        )
    };
    let first = format!("ALTER ROLE {name} SET search_path = public, pg_catalog");
    admin.execute(AssertSqlSafe(first)).await.unwrap();
    admin.execute(AssertSqlSafe(says(139_999))).await.unwrap();
    let error = refusal(&database, &database.address()).await;
    assert!(matches!(error, OpenError::Database { .. }), "{error}");
    assert!(
        error.to_string().contains("it is PostgreSQL 13. Use PostgreSQL 14 or later."),
        "{error}"
    );
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    let tables: i64 = sqlx::query_scalar(tables).fetch_one(&mut admin).await.unwrap();
    assert_eq!(tables, 0, "nothing is made in it");
    admin.execute(AssertSqlSafe(says(140_000))).await.unwrap();
    database.open().await;
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let database = Database::new().await;
    drop(database.open().await);
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                 VALUES (7, 'of the future', TRUE, '', 0)";
    database.admin().await.execute(newer).await.unwrap();
    let error = refusal(&database, &database.address()).await;
    assert!(matches!(error, OpenError::Newer { found: 7, known: 2, .. }), "{error}");
}

#[tokio::test]
async fn nothing_or_silence_at_the_address() {
    let database = Database::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("postgres://{}/k", listener.local_addr().unwrap());
    let began = std::time::Instant::now();
    let error = refusal(&database, &url.parse().unwrap()).await;
    assert!(matches!(error, OpenError::Away { .. }), "{error}");
    assert!(error.to_string().contains("gives no answer"), "{error}");
    assert!(began.elapsed() < PATIENCE);
    drop(listener);
    let error = refusal(&database, &url.parse().unwrap()).await;
    assert!(matches!(error, OpenError::Away { .. }), "{error}");
    assert!(error.to_string().contains("nothing listens at its address"), "{error}");
}

/// So names sort and compare as in SQLite, whatever the locale of the database.
#[tokio::test]
async fn every_text_is_in_byte_order() {
    let backend = PostgresHand::start().await;
    let others = backend.hand.texts(
        "SELECT table_name || '.' || column_name FROM information_schema.columns \
         WHERE table_schema = current_schema() AND data_type = 'text' AND collation_name IS DISTINCT FROM 'C' \
         AND table_name <> '_sqlx_migrations'",
        &[],
    );
    assert_eq!(others.await, Vec::<Vec<_>>::new());
}
