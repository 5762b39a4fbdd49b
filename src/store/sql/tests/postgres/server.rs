//! Servers: the one that all tests share, and those of tests that disturb them.

use std::env;

use sqlx::{
    Connection, PgConnection,
    postgres::{PgConnectOptions, PgSslMode},
};

/// A server, by its address.
#[derive(Clone)]
pub(in super::super) struct Server {
    address: String,
}

impl Server {
    /// The one that `dev/with-postgres.sh` runs.
    pub(super) fn shared() -> Self {
        let address = env::var("KEYREEVE_TEST_POSTGRES").expect(
            "KEYREEVE_TEST_POSTGRES is not set: these tests need a PostgreSQL server, run them with \
             `make test` or by dev/with-postgres.sh",
        );
        Self { address }
    }

    /// `HOST:PORT`.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// A connection that may do everything.
    pub(super) async fn admin(&self, database: &str) -> PgConnection {
        let (host, port) = self.address.split_once(':').unwrap();
        let options = PgConnectOptions::new_without_pgpass()
            .host(host)
            .port(port.parse().unwrap())
            .username("postgres")
            .database(database)
            .ssl_mode(PgSslMode::Disable);
        PgConnection::connect_with(&options).await.unwrap()
    }
}
