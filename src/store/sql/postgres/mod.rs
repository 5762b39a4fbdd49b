//! PostgreSQL: a bounded pool of connections, each of which gives up rather than hang, and a fence
//! against operators of the past.
//!
//! `address` is what `--store` says, `open` makes the database a store, `fence` says whose it is, `pool` has the
//! connections, `timeouts` how long they may take, `errors` what goes wrong.

mod address;
mod errors;
mod fence;
pub(super) mod open;
mod pool;
mod timeouts;

use std::{
    io,
    time::{Duration, Instant},
};

use sqlx::{
    Connection, PgConnection, Transaction,
    postgres::{PgConnectOptions, PgPool, Postgres},
};
use tokio::sync::Mutex;

pub use self::address::{Address, AddressError};
use self::{fence::Fence, pool::CONNECTIONS};
use super::tx::Tx;
use crate::store::{Credentials, Error};

pub(super) use self::{
    errors::{error, silent},
    timeouts::Timeouts,
};

/// Transactions that write at a time: the other connections are for readers.
pub(super) const WRITERS: usize = 4;
/// How long a call waits before it asks why there is no connection.
const LONG: Duration = Duration::from_millis(500);

/// A transaction that reads one moment. It writes nothing, also where another hand made it possible.
const READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
/// A transaction that sees what others have committed before each statement: it locks what it reads.
const WRITE: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";

/// A database on a server, and the connections to it.
pub(super) struct PostgresServer {
    pool: PgPool,
    login: Login,
    timeouts: Timeouts,
    fence: Fence,
    /// One asks at a time why there is no connection. When one last had no answer.
    probing: Mutex<Option<Instant>>,
}

impl PostgresServer {
    pub(super) async fn read(&self) -> Result<Tx<'static>, Error> {
        Ok(Tx::postgres(self.begin(READ).await?, false, self.timeouts.answer))
    }

    pub(super) async fn write(&self) -> Result<Tx<'static>, Error> {
        self.fence.check()?;
        let mut tx = Tx::postgres(self.begin(WRITE).await?, true, self.timeouts.answer);
        self.fence.hold(&mut tx).await?;
        Ok(tx)
    }

    pub(super) fn fence(&self) -> &Fence {
        &self.fence
    }

    /// The connections, for tests that disturb them.
    #[cfg(test)]
    pub(super) fn pool(&self) -> &PgPool {
        &self.pool
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
        let limit = self.timeouts.acquire + self.timeouts.statement;
        let since = Instant::now();
        let refused = async {
            tokio::time::sleep(LONG).await;
            match self.probe(since).await {
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
            () = tokio::time::sleep(limit) => Err(unanswered()),
        }
    }

    /// Makes the next connections by the credentials as they are now.
    fn login_again(&self) -> Result<(), Error> {
        let options = self.login.options().map_err(Error::Unavailable)?;
        self.pool.set_connect_options(options);
        Ok(())
    }

    /// Why there is no connection: if one can be made, because all are busy. Who has waited while another one had no
    /// answer is told so: were each to wait for it in turn, the last would not know in time.
    async fn probe(&self, since: Instant) -> sqlx::Error {
        let mut silent_at = self.probing.lock().await;
        if silent_at.is_some_and(|at| at > since) {
            return unanswered();
        }
        let options = self.pool.connect_options();
        let connected = PgConnection::connect_with(&options);
        match tokio::time::timeout(self.timeouts.probe, connected).await {
            Ok(Err(error)) => error,
            Err(_) => {
                *silent_at = Some(Instant::now());
                unanswered()
            }
            Ok(Ok(conn)) => {
                drop(conn);
                sqlx::Error::PoolTimedOut
            }
        }
    }
}

fn unanswered() -> sqlx::Error {
    io::Error::from(io::ErrorKind::TimedOut).into()
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
