//! PostgreSQL: a bounded pool of connections, each of which gives up rather than hang, and a fence
//! against operators of the past.
//!
//! `address` is what `--store` says, `open` makes the database a store, `fence` says whose it is,
//! `errors` what goes wrong.

mod address;
mod errors;
mod fence;
pub(super) mod open;

use std::{io, time::Duration};

use sqlx::{
    Connection, PgConnection, Transaction,
    postgres::{PgConnectOptions, PgPool, PgPoolOptions, Postgres},
};
use tokio::sync::Mutex;

pub use self::address::{Address, AddressError};
use self::fence::Fence;
use super::tx::Tx;
use crate::store::{Credentials, Error};

pub(super) use self::errors::{error, silent};

/// Connections, at most.
const CONNECTIONS: u32 = 10;
/// Transactions that write at a time: the other connections are for readers.
pub(super) const WRITERS: usize = 4;
/// How long a call waits for a connection, be it busy or still to be made.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long PostgreSQL lets a statement take.
pub(super) const STATEMENT_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a statement waits for a lock that another session holds.
const LOCK_TIMEOUT: Duration = Duration::from_secs(2);
/// How long PostgreSQL keeps a transaction of which it hears nothing: less than a leader's lease, so that the next
/// leader does not wait for one that was stopped in the middle.
const IDLE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection lives: then another one is made, by the credentials of that day.
const LIFETIME: Duration = Duration::from_mins(30);
/// How long a returned connection may take to show that it lives.
const PING_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a call waits before it asks why there is no connection.
const LONG: Duration = Duration::from_millis(500);
/// How long it may take to find out why there is no connection.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// A transaction that reads one moment. It writes nothing, also where another hand made it possible.
const READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
/// A transaction that sees what others have committed before each statement: it locks what it reads.
const WRITE: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";

/// A database on a server, and the connections to it.
pub(super) struct PostgresServer {
    pool: PgPool,
    login: Login,
    fence: Fence,
    /// One asks at a time why there is no connection.
    probing: Mutex<()>,
}

impl PostgresServer {
    pub(super) async fn read(&self) -> Result<Tx<'static>, Error> {
        Ok(Tx::postgres(self.begin(READ).await?, false))
    }

    pub(super) async fn write(&self) -> Result<Tx<'static>, Error> {
        self.fence.check()?;
        let mut tx = Tx::postgres(self.begin(WRITE).await?, true);
        self.fence.hold(&mut tx).await?;
        Ok(tx)
    }

    pub(super) fn fence(&self) -> &Fence {
        &self.fence
    }

    async fn begin(
        &self,
        statement: &'static str,
    ) -> Result<Transaction<'static, Postgres>, Error> {
        let begun = match self.begun(statement).await {
            Err(error) if errors::is_login(&error) => {
                // They were changed since they were read.
                self.login_again()?;
                self.begun(statement).await
            }
            begun => begun,
        };
        begun.map_err(error)
    }

    /// The pool tries until its time is over and does not say what goes wrong. So one that waits
    /// for long asks the server itself, and gives up if that fails.
    async fn begun(
        &self,
        statement: &'static str,
    ) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
        let limit = ACQUIRE_TIMEOUT + STATEMENT_TIMEOUT;
        let refused = async {
            tokio::time::sleep(LONG).await;
            let turn = self.probing.lock().await;
            let reason = self.probe().await;
            drop(turn);
            match reason {
                sqlx::Error::PoolTimedOut => std::future::pending().await,
                // They are the operator's own, and one of them will be free.
                reason if errors::is_full(&reason) && self.pool.size() >= CONNECTIONS => {
                    std::future::pending().await
                }
                reason => reason,
            }
        };
        tokio::select! {
            biased;
            tx = self.pool.begin_with(statement) => tx,
            error = refused => Err(error),
            () = tokio::time::sleep(limit) => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
        }
    }

    /// Makes the next connections by the credentials as they are now.
    fn login_again(&self) -> Result<(), Error> {
        let options = self.login.options().map_err(Error::Unavailable)?;
        self.pool.set_connect_options(options);
        Ok(())
    }

    /// Why there is no connection: if one can be made, because all are busy.
    async fn probe(&self) -> sqlx::Error {
        let options = self.pool.connect_options();
        match tokio::time::timeout(PROBE_TIMEOUT, PgConnection::connect_with(&options)).await {
            Ok(Err(error)) => error,
            Err(_) => io::Error::from(io::ErrorKind::TimedOut).into(),
            Ok(Ok(conn)) => {
                drop(conn);
                sqlx::Error::PoolTimedOut
            }
        }
    }
}

/// How to connect: the address, with credentials that may change.
struct Login {
    options: PgConnectOptions,
    credentials: Credentials,
}

impl Login {
    /// How to connect now.
    ///
    /// # Errors
    /// A sentence about a file that cannot be read.
    fn options(&self) -> Result<PgConnectOptions, String> {
        let mut options = self.options.clone();
        if let Some(username) = &self.credentials.username {
            options = options.username(&username.read()?);
        }
        if let Some(password) = &self.credentials.password {
            options = options.password(&password.read()?);
        }
        Ok(options)
    }
}

/// The pool; it makes its first connection when it is first used.
fn pool(options: PgConnectOptions) -> PgPool {
    PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .max_lifetime(LIFETIME)
        // What was under way on it is rolled back by this; over a dead network that would take for ever.
        // One to a server that has become a replica is given up: the next one may reach the primary.
        .after_release(|conn, _| {
            Box::pin(async move {
                let asked = sqlx::query_scalar("SELECT NOT pg_is_in_recovery()").fetch_one(conn);
                let answered = tokio::time::timeout(PING_TIMEOUT, asked).await;
                answered.unwrap_or(Err(sqlx::Error::PoolTimedOut))
            })
        })
        .connect_lazy_with(options)
}
