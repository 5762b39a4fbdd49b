//! The PostgreSQL store: the suite, opening a database (`open`), who writes to it (`fence`), and all
//! that may go wrong (`faults`).
//!
//! The server is the one of `dev/with-postgres.sh`, with a database for each test; tests that disturb
//! the server itself start one of their own (`server`).

mod server;

use async_trait::async_trait;
use sqlx::{
    AssertSqlSafe, Connection, PgConnection, Row as _,
    postgres::{PgConnectOptions, PgPool},
};
use tokio::sync::Mutex;

use self::server::Server;
use super::{Hand, Sql};
use crate::store::{
    Credentials, Source,
    conformance::conformance,
    sql::{
        SqlStore,
        engine::Engine,
        migrations::STEPS,
        postgres::{Address, PostgresServer, open::prepare},
    },
};

pub(super) type Postgres = Sql<PostgresHand>;

conformance!(Postgres);

/// A connection of another hand, which may do everything.
pub(super) struct PostgresHand {
    database: Database,
    conn: Mutex<PgConnection>,
}

/// A database of its own.
pub(super) struct Database {
    pub(super) server: Server,
    pub(super) name: String,
}

/// The operator's role, which may log in and nothing else, and its password.
pub(super) const ROLE: &str = "keyreeve";

impl Database {
    /// A new one on the server that all tests share.
    pub(super) async fn new() -> Self {
        Self::on(Server::shared()).await
    }

    /// A new one, as the documentation says: it belongs to the operator's role.
    pub(super) async fn on(server: Server) -> Self {
        let mut bytes = [0; 8];
        getrandom::fill(&mut bytes).unwrap();
        let name = format!("test_{}", base16ct::lower::encode_string(&bytes));
        let mut admin = server.admin("postgres").await;
        // Tests start at the same time.
        let role = format!(
            "DO $$ BEGIN PERFORM pg_advisory_xact_lock(1); \
             IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{ROLE}') THEN \
             CREATE ROLE {ROLE} LOGIN PASSWORD '{ROLE}'; END IF; END $$"
        );
        sqlx::raw_sql(AssertSqlSafe(role)).execute(&mut admin).await.unwrap();
        let create = format!("CREATE DATABASE {name} OWNER {ROLE} TEMPLATE template0");
        sqlx::raw_sql(AssertSqlSafe(create)).execute(&mut admin).await.unwrap();
        Self { server, name }
    }

    pub(super) fn address(&self) -> Address {
        self.address_with("")
    }

    /// With these parameters.
    pub(super) fn address_with(&self, parameters: &str) -> Address {
        let url = format!("postgres://{}/{}{parameters}", self.server.address(), self.name);
        url.parse().unwrap()
    }

    pub(super) async fn open(&self) -> SqlStore {
        SqlStore::open_postgres(&self.address(), &credentials()).await.unwrap()
    }

    /// A connection that may do everything.
    pub(super) async fn admin(&self) -> PgConnection {
        self.server.admin(&self.name).await
    }

    async fn with_hand(self) -> Postgres {
        let store = self.open().await.into();
        let conn = Mutex::new(self.admin().await);
        Sql { store, hand: PostgresHand { database: self, conn } }
    }
}

/// Those of the operator's role.
pub(super) fn credentials() -> Credentials {
    let source = || Some(Source::Value(ROLE.to_owned().into()));
    Credentials { username: source(), password: source() }
}

impl Postgres {
    pub(super) fn database(&self) -> &Database {
        &self.hand.database
    }

    /// The operator's connections.
    pub(super) fn pool(&self) -> &PgPool {
        server_of(&self.store).pool()
    }
}

pub(super) fn server_of(store: &SqlStore) -> &PostgresServer {
    let Engine::Postgres(server) = &store.engine else { unreachable!() };
    server
}

#[async_trait]
impl Hand for PostgresHand {
    const BEGIN: &'static str = "BEGIN";
    const ODD: &'static [&'static str] = &["E'\\x01'"];
    const ODD_FLAGS: &'static [&'static str] = &[];
    const WITHOUT_FOREIGN_KEYS: &'static str = "SET session_replication_role = replica";

    async fn start() -> Postgres {
        Database::new().await.with_hand().await
    }

    async fn start_from_0001(rows: &'static str) -> Postgres {
        let database = Database::new().await;
        let options: PgConnectOptions = database.address().options().username(ROLE).password(ROLE);
        let mut conn = PgConnection::connect_with(&options).await.unwrap();
        prepare(&database.address(), &mut conn, &STEPS[..1]).await.unwrap();
        sqlx::raw_sql(rows).execute(&mut conn).await.unwrap();
        database.with_hand().await
    }

    async fn sql(&self, sql: &str, values: &[&str]) {
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for value in values {
            query = query.bind(*value);
        }
        query.execute(&mut *self.conn.lock().await).await.unwrap();
    }

    async fn texts(&self, sql: &str, values: &[&str]) -> Vec<Vec<Option<String>>> {
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for value in values {
            query = query.bind(*value);
        }
        let rows = query.fetch_all(&mut *self.conn.lock().await).await.unwrap();
        rows.iter().map(|row| (0..row.len()).map(|n| row.get(n)).collect()).collect()
    }

    async fn views(&self) -> Vec<String> {
        let rows = self.texts(
            "SELECT c.table_name || '.' || c.column_name FROM information_schema.columns AS c \
             JOIN information_schema.views AS v USING (table_schema, table_name) \
             WHERE c.table_schema = current_schema()",
            &[],
        );
        rows.await.into_iter().filter_map(|mut row| row.pop().flatten()).collect()
    }

    /// Which version of which row is where.
    async fn fingerprint(&self) -> String {
        let mut fingerprint = String::new();
        for table in [
            "meta",
            "tenants",
            "namespaces",
            "roles",
            "role_composites",
            "users",
            "user_roles",
            "user_credentials",
            "user_former_passwords",
        ] {
            let sql =
                format!("SELECT string_agg(ctid || ' ' || xmin, ',' ORDER BY ctid) FROM {table}");
            fingerprint += &format!("{table}: {:?}\n", self.texts(&sql, &[]).await);
        }
        fingerprint
    }

    async fn lock(&self) {
        self.sql("BEGIN", &[]).await;
        self.sql("LOCK TABLE tenants IN EXCLUSIVE MODE", &[]).await;
    }

    async fn unlock(&self) {
        self.sql("ROLLBACK", &[]).await;
    }
}
