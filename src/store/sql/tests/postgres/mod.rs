//! The PostgreSQL store: the suite, opening a database (`open`, `logins`), who writes to it (`fence`), and
//! all that may go wrong meanwhile (`disturbance` for the suite, `faults`, `silence`, with a `proxy`, `timeouts` and `disk`).
//! `reader` is an identity provider.
//!
//! The server is the one of `dev/with-postgres.sh`, with a database for each test; tests that disturb
//! the server itself start one of their own (`server`).

mod disk;
mod disturbance;
mod faults;
mod fence;
mod logins;
mod open;
mod proxy;
mod reader;
mod server;
mod silence;
mod timeouts;

use std::time::{Duration, Instant};

use async_trait::async_trait;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row as _};
use tokio::{sync::Mutex, task::JoinHandle};

use self::{proxy::Proxy, server::Server};
use super::{Hand, Sql};
use crate::leadership::Term;
use crate::store::{
    Credentials, OpenError, Source,
    conformance::{conformance, faults::Fault},
    sql::{
        SqlStore,
        migrations::STEPS,
        postgres::{Address, Timeouts, open::prepare},
    },
};

pub(super) type Postgres = Sql<PostgresHand>;

conformance!(Postgres);

/// A connection of another hand, which may do everything.
pub(super) struct PostgresHand {
    database: Database,
    conn: Mutex<PgConnection>,
    /// Between the store and the server, where there is something.
    proxy: Option<Proxy>,
    /// Ends or cancels what the store does.
    striking: Mutex<Option<JoinHandle<()>>>,
}

/// A database of its own.
pub(super) struct Database {
    server: Server,
    name: String,
}

/// As long as anything here may take.
const PATIENCE: Duration = Duration::from_mins(1);
/// For a machine on which many tests run: a connection may be late.
const BUSY: Timeouts =
    Timeouts { acquire: PATIENCE, ping: PATIENCE, probe: PATIENCE, ..Timeouts::USUAL };
/// For who shall wait for a lock until the test ends that.
const PATIENT: Timeouts =
    Timeouts { statement: PATIENCE, answer: Duration::from_secs(65), lock: PATIENCE, ..BUSY };

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(10);

/// Waits until something is so.
pub(super) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so().await {
        assert!(Instant::now() < deadline, "in vain: {what}");
        tokio::time::sleep(PAUSE).await;
    }
}

/// The password of the operator's role, which may log in and nothing else.
pub(super) const PASSWORD: &str = "a password for tests";

impl Database {
    /// A new one on the server that all tests share.
    pub(super) async fn new() -> Self {
        Self::on(Server::shared()).await
    }

    /// A new one, as the documentation says: it belongs to the operator's role.
    async fn on(server: Server) -> Self {
        let mut bytes = [0; 8];
        getrandom::fill(&mut bytes).unwrap();
        let name = format!("test_{}", base16ct::lower::encode_string(&bytes));
        let mut admin = server.admin("postgres").await;
        for sql in [
            format!("CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'"),
            format!("CREATE DATABASE {name} OWNER {name} TEMPLATE template0"),
        ] {
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut admin).await.unwrap();
        }
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
        self.open_within(BUSY, self.server.address()).await
    }

    /// With calls that may take so long, through what is at this address.
    async fn open_within(&self, timeouts: Timeouts, address: &str) -> SqlStore {
        let address = format!("postgres://{address}/{}", self.name);
        let (address, credentials) = (address.parse().unwrap(), self.credentials());
        SqlStore::open_postgres_within(&address, &credentials, &Term::unlimited(), timeouts)
            .await
            .unwrap()
    }

    pub(super) async fn open_for(&self, term: &Term) -> Result<SqlStore, OpenError> {
        let (address, credentials) = (self.address(), self.credentials());
        SqlStore::open_postgres_within(&address, &credentials, term, BUSY).await
    }

    /// Those of the operator's role.
    pub(super) fn credentials(&self) -> Credentials {
        let value = |value: &str| Some(Source::Value(value.to_owned().into()));
        Credentials { username: value(&self.name), password: value(PASSWORD) }
    }

    /// A connection as the operator makes them.
    pub(super) async fn connection(&self) -> PgConnection {
        let options = self.address().options().username(&self.name).password(PASSWORD);
        PgConnection::connect_with(&options).await.unwrap()
    }

    /// A connection that may do everything.
    pub(super) async fn admin(&self) -> PgConnection {
        self.server.admin(&self.name).await
    }

    /// A hand on it.
    pub(super) async fn hand(&self) -> PostgresHand {
        let database = Self { server: self.server.clone(), name: self.name.clone() };
        let conn = Mutex::new(self.admin().await);
        PostgresHand { database, conn, proxy: None, striking: Mutex::default() }
    }

    /// How many of the operator's sessions are so, by a condition on `pg_stat_activity`.
    async fn sessions(&self, conn: &mut PgConnection, are: &str) -> i64 {
        let sql = format!(
            "SELECT count(*) FROM pg_stat_activity \
             WHERE datname = current_database() AND application_name = 'keyreeve' AND ({are})"
        );
        sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(conn).await.unwrap()
    }

    async fn with_hand(self) -> Postgres {
        Sql { store: self.open().await.into(), hand: self.hand().await }
    }
}

/// Each transaction that writes tenants writes its number down. Its savepoints have the same one.
const COUNT: &str = "CREATE TABLE IF NOT EXISTS transactions (number TEXT PRIMARY KEY); \
                     CREATE OR REPLACE FUNCTION counts() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS \
                     $$ BEGIN INSERT INTO transactions VALUES (pg_current_xact_id()::text) \
                     ON CONFLICT DO NOTHING; RETURN NULL; END $$; \
                     CREATE OR REPLACE TRIGGER counts AFTER INSERT OR UPDATE OR DELETE ON tenants \
                     FOR EACH STATEMENT EXECUTE FUNCTION counts()";

impl Postgres {
    pub(super) fn database(&self) -> &Database {
        &self.hand.database
    }

    /// Ends the operator's connections, as an administrator does.
    pub(super) async fn end_connections(&self) {
        self.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE datname = current_database() AND application_name = 'keyreeve'",
            &[],
        )
        .await;
    }
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
        let mut conn = database.connection().await;
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
        let mut fingerprint = Vec::new();
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
            fingerprint.push(self.texts(&sql, &[]).await);
        }
        format!("{fingerprint:?}")
    }

    async fn transactions(&self) -> usize {
        let mut conn = self.conn.lock().await;
        sqlx::raw_sql(COUNT).execute(&mut *conn).await.unwrap();
        let number = "SELECT count(*) FROM transactions";
        let number: i64 = sqlx::query_scalar(number).fetch_one(&mut *conn).await.unwrap();
        number.try_into().unwrap()
    }

    async fn lock(&self) {
        self.sql("BEGIN", &[]).await;
        self.sql("LOCK TABLE tenants IN EXCLUSIVE MODE", &[]).await;
    }

    async fn unlock(&self) {
        self.sql("ROLLBACK", &[]).await;
    }

    const SUFFERS: &'static [(Fault, &'static str)] = disturbance::SUFFERS;

    async fn start_to_disturb() -> Postgres {
        disturbance::start().await
    }

    async fn disturb(backend: &Postgres, fault: Fault, step: usize) {
        disturbance::begin(backend, fault, step).await;
    }

    async fn calm(backend: &Postgres, fault: Fault) -> bool {
        disturbance::end(backend, fault).await
    }
}
