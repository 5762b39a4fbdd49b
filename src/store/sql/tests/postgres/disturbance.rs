//! What a PostgreSQL server, and the way to it, can do to the store, for the conformance suite.

use super::{
    BUSY, Database, Hand, PASSWORD, PAUSE, Postgres,
    proxy::{Cut, Proxy},
    server::Server,
};
use crate::store::{conformance::faults::Fault, sql::tests::Sql};

pub(super) const SUFFERS: &[(Fault, &str)] = &[
    (Fault::Away, ""),
    (Fault::Gone, "the tables of the store are not there"),
    (Fault::Silent, ""),
    (Fault::Ended, ""),
    (Fault::Unauthorized, "refuses the operator's login"),
    (Fault::Forbidden, "the operator's role may not do this"),
    (Fault::Busy, "no connection left for the operator"),
    (Fault::Broken, "PostgreSQL failed (SQLSTATE XX000)"),
    (Fault::Malformed, ""),
    (Fault::Locked, "another session holds a lock on what is to be written"),
    (Fault::ReadOnly, "PostgreSQL is read-only. Connect to the primary"),
    (Fault::CutBefore, "PostgreSQL closed the connection"),
    (Fault::CutAfter, "PostgreSQL closed the connection"),
];

/// What breaks a write as a fault in the server does.
const BREAK: &str = "CREATE FUNCTION breaks() RETURNS trigger LANGUAGE plpgsql AS \
                     $$ BEGIN RAISE EXCEPTION 'it broke' USING ERRCODE = 'internal_error'; END $$; \
                     CREATE TRIGGER breaks BEFORE INSERT OR UPDATE OR DELETE ON users \
                     FOR EACH STATEMENT EXECUTE FUNCTION breaks()";

/// A server of its own, with a proxy before it.
pub(super) async fn start() -> Postgres {
    let server = Server::own(tempfile::tempdir().unwrap(), &[]);
    let database = Database::on(server).await;
    let proxy = Proxy::new(database.server.address()).await;
    let store = database.open_within(BUSY, &proxy.address).await.into();
    let mut hand = database.hand().await;
    hand.proxy = Some(proxy);
    Sql { store, hand }
}

pub(super) async fn begin(backend: &Postgres, fault: Fault, step: usize) {
    let (hand, name) = (&backend.hand, &backend.database().name);
    let proxy = hand.proxy.as_ref().unwrap();
    match fault {
        Fault::Away => hand.database.server.stop(),
        Fault::Gone => backend.sql("ALTER TABLE users RENAME TO users_aside", &[]).await,
        // Both strike who waits in the middle of a transaction.
        Fault::Silent => backend.strike("pg_cancel_backend").await,
        Fault::Ended => backend.strike("pg_terminate_backend").await,
        Fault::Unauthorized => {
            backend.sql(&format!("ALTER ROLE {name} PASSWORD 'another'"), &[]).await;
            backend.connections_end().await;
        }
        Fault::Forbidden => {
            backend.sql(&format!("REVOKE INSERT, UPDATE, DELETE ON users FROM {name}"), &[]).await;
        }
        Fault::Busy => {
            backend.sql(&format!("ALTER ROLE {name} CONNECTION LIMIT 0"), &[]).await;
            backend.connections_end().await;
        }
        Fault::Broken => {
            let mut conn = hand.conn.lock().await;
            sqlx::raw_sql(BREAK).execute(&mut *conn).await.unwrap();
        }
        Fault::Malformed => proxy.babble(true),
        Fault::Locked => hand.lock().await,
        Fault::ReadOnly => {
            let sql = format!("ALTER DATABASE {name} SET default_transaction_read_only = on");
            backend.sql(&sql, &[]).await;
            backend.connections_end().await;
        }
        Fault::CutBefore => proxy.cut(Cut::Before, step),
        Fault::CutAfter => proxy.cut(Cut::After, step),
        Fault::NotFound | Fault::Conflict | Fault::Refused => unreachable!("{fault:?}"),
    }
}

pub(super) async fn end(backend: &Postgres, fault: Fault) -> bool {
    let (hand, name) = (&backend.hand, &backend.database().name);
    let proxy = hand.proxy.as_ref().unwrap();
    match fault {
        Fault::Away => {
            hand.database.server.start();
            *hand.conn.lock().await = hand.database.admin().await;
        }
        Fault::Gone => backend.sql("ALTER TABLE users_aside RENAME TO users", &[]).await,
        Fault::Silent | Fault::Ended => {
            if let Some(striking) = hand.striking.lock().await.take() {
                striking.abort();
            }
            hand.unlock().await;
        }
        Fault::Unauthorized => {
            backend.sql(&format!("ALTER ROLE {name} PASSWORD '{PASSWORD}'"), &[]).await;
        }
        Fault::Forbidden => {
            backend.sql(&format!("GRANT INSERT, UPDATE, DELETE ON users TO {name}"), &[]).await;
        }
        Fault::Busy => {
            backend.sql(&format!("ALTER ROLE {name} CONNECTION LIMIT -1"), &[]).await;
        }
        Fault::Broken => backend.sql("DROP FUNCTION breaks CASCADE", &[]).await,
        Fault::Malformed => proxy.babble(false),
        Fault::Locked => hand.unlock().await,
        Fault::ReadOnly => {
            let sql = format!("ALTER DATABASE {name} RESET default_transaction_read_only");
            backend.sql(&sql, &[]).await;
            backend.connections_end().await;
        }
        _ => return proxy.has_cut(),
    }
    true
}

impl Postgres {
    /// Ends the operator's connections, and returns when they are gone.
    async fn connections_end(&self) {
        self.end_connections().await;
        let there = "SELECT pid::text FROM pg_stat_activity \
                     WHERE datname = current_database() AND application_name = 'keyreeve'";
        while !self.hand.texts(there, &[]).await.is_empty() {
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Holds a lock, and does this to each of the operator's sessions that comes to wait for it.
    async fn strike(&self, function: &'static str) {
        self.hand.lock().await;
        let hand = self.database().hand().await;
        let striking = tokio::spawn(async move {
            let sql = format!(
                "SELECT {function}(pid) FROM pg_stat_activity WHERE datname = current_database() \
                 AND application_name = 'keyreeve' AND wait_event_type = 'Lock'"
            );
            loop {
                hand.sql(&sql, &[]).await;
                tokio::time::sleep(PAUSE).await;
            }
        });
        *self.hand.striking.lock().await = Some(striking);
    }
}
