//! The connections: few, each of which shows that it lives.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use sqlx::{
    Connection, PgConnection,
    pool::PoolConnectionMetadata,
    postgres::{PgConnectOptions, PgPool, PgPoolOptions},
};

use super::Timeouts;

/// Connections, at most.
pub(in crate::store::sql) const CONNECTIONS: u32 = 10;
/// How long a connection lives: then another one is made, by the credentials of that day.
const LIFETIME: Duration = Duration::from_mins(30);

/// The pool; it makes its first connection when it is first used.
pub(super) fn pool(options: PgConnectOptions, timeouts: Timeouts) -> PgPool {
    let silence = Silence::default();
    PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(timeouts.acquire)
        .max_lifetime(LIFETIME)
        // By `before_acquire`: the pool's own test has no limit.
        .test_before_acquire(false)
        .before_acquire(move |conn, meta| {
            let silence = silence.clone();
            Box::pin(async move { Ok(silence.is_alive(conn, &meta, timeouts.ping).await) })
        })
        // What was under way on it is rolled back by this; over a dead network that would take for ever.
        // One to a server that has become a replica is given up: the next one may reach the primary.
        .after_release(move |conn, _| {
            Box::pin(async move {
                let asked = sqlx::query_scalar("SELECT NOT pg_is_in_recovery()").fetch_one(conn);
                let answered = tokio::time::timeout(timeouts.ping, asked).await;
                answered.unwrap_or(Err(sqlx::Error::PoolTimedOut))
            })
        })
        .connect_lazy_with(options)
}

/// When an idle connection was last found to be dead without a word. So are the others then that were idle at that
/// time, for all that is known: to find it out for each would take a call's whole time.
#[derive(Clone, Default)]
struct Silence(Arc<Mutex<Option<Instant>>>);

impl Silence {
    /// Whether an idle connection lives. In the place of one that does not there will be a new one.
    async fn is_alive(
        &self,
        conn: &mut PgConnection,
        meta: &PoolConnectionMetadata,
        limit: Duration,
    ) -> bool {
        let idle_since = Instant::now().checked_sub(meta.idle_for);
        if self.at().is_some_and(|at| idle_since.is_none_or(|since| since < at)) {
            return false;
        }
        let answered = tokio::time::timeout(limit, conn.ping()).await;
        if answered.is_err() {
            *self.at() = Some(Instant::now());
        }
        matches!(answered, Ok(Ok(())))
    }

    fn at(&self) -> MutexGuard<'_, Option<Instant>> {
        // Nothing panics while it is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
