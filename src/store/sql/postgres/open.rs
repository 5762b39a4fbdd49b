//! Opening a database: that it can be a store, its schema, its id, and taking it over.

use std::time::Duration;

use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};
use tokio::sync::Mutex;

use super::{
    Address, Login, PostgresServer, Timeouts,
    errors::{explain, is_login, is_passing},
    fence::{Fence, Whose},
    pool::pool,
};
use crate::leadership::{Ended, Term};
use crate::store::{
    Credentials, Error, OpenError,
    sql::{
        SqlStore,
        engine::Engine,
        explained::Explained,
        identity,
        migrations::{self, Dialect, Refused, STEPS, Step},
        tx::Tx,
    },
};

/// The first version with all that is used here.
const OLDEST: i32 = 140_000;
/// How long opening waits for others: for one that makes the same steps, or that still writes.
const PATIENCE: Duration = Duration::from_mins(1);

impl SqlStore {
    /// Opens a PostgreSQL database, makes its tables if they are not there, and takes it over from
    /// whoever wrote to it before.
    pub async fn open_postgres(
        address: &Address,
        credentials: &Credentials,
    ) -> Result<Self, OpenError> {
        Self::open_postgres_for(address, credentials, &Term::unlimited()).await
    }

    /// The same for whoever leads for a term: one that does not lead any more takes it over from nobody.
    pub async fn open_postgres_for(
        address: &Address,
        credentials: &Credentials,
        term: &Term,
    ) -> Result<Self, OpenError> {
        Self::open_postgres_within(address, credentials, term, Timeouts::USUAL).await
    }

    /// The same, with a store whose calls may take so long.
    pub(in crate::store::sql) async fn open_postgres_within(
        address: &Address,
        credentials: &Credentials,
        term: &Term,
        timeouts: Timeouts,
    ) -> Result<Self, OpenError> {
        let login = Login {
            options: limited(address.options(), timeouts),
            credentials: credentials.clone(),
        };
        let options = login.options().map_err(OpenError::Credentials)?;
        let prepared = async {
            let patient = Timeouts { statement: PATIENCE, lock: PATIENCE, ..timeouts };
            let patient = limited(options.clone(), patient);
            let connected = PgConnection::connect_with(&patient);
            let mut conn = match tokio::time::timeout(timeouts.acquire, connected).await {
                Ok(connected) => connected.map_err(|error| failed(address, &error))?,
                Err(_) => return Err(silent(address)),
            };
            prepare(address, &mut conn, &STEPS).await?;
            let id = store_id(&mut conn).await.map_err(|error| failed(address, &error))?;
            let fence = take_over(address, &mut conn, term).await?;
            // Nothing hangs on how it ends.
            let _ = conn.close().await;
            Ok((id, fence))
        };
        let (id, fence) =
            tokio::time::timeout(2 * PATIENCE, prepared).await.unwrap_or_else(|_| {
                let hint = "Look at the server and the network.";
                Err(away(address, Explained::new("it gives no answer", hint)))
            })?;
        let pool = pool(options, timeouts);
        let server = PostgresServer { pool, login, timeouts, fence, probing: Mutex::default() };
        Ok(Self::new(Engine::Postgres(Box::new(server)), id))
    }
}

/// Connections that never hang.
fn limited(options: PgConnectOptions, timeouts: Timeouts) -> PgConnectOptions {
    let milliseconds = |duration: Duration| format!("{}ms", duration.as_millis());
    options.application_name("keyreeve").options([
        ("statement_timeout", milliseconds(timeouts.statement)),
        ("lock_timeout", milliseconds(timeouts.lock)),
        ("idle_in_transaction_session_timeout", milliseconds(timeouts.idle)),
        // No notices, such as that a table is there already.
        ("client_min_messages", "warning".into()),
    ])
}

/// Refuses what cannot be a store, and brings the schema up to date.
pub(in crate::store::sql) async fn prepare(
    address: &Address,
    conn: &mut PgConnection,
    steps: &'static [Step],
) -> Result<(), OpenError> {
    inspect(address, conn).await?;
    migrations::migrate(conn, Dialect::Postgres, steps).await.map_err(|refused| match refused {
        Refused::Newer { found, known } => {
            OpenError::Newer { store: address.to_string(), found, known }
        }
        Refused::Failed(error) => failed(address, &error),
        Refused::Foreign(explained) => refused_for(address, explained),
    })
}

/// Reads only.
async fn inspect(address: &Address, conn: &mut PgConnection) -> Result<(), OpenError> {
    let asked = sqlx::query_as::<_, (i32, String, i64, i64)>(
        "SELECT current_setting('server_version_num')::int, current_setting('server_encoding'), \
         count(*), count(*) FILTER (WHERE tablename = '_sqlx_migrations') \
         FROM pg_tables WHERE schemaname = current_schema()",
    )
    .fetch_one(conn)
    .await;
    let (version, encoding, tables, ours) = asked.map_err(|error| failed(address, &error))?;
    if version < OLDEST {
        let major = version / 10_000;
        let hint = "Use PostgreSQL 14 or later.";
        return Err(refused_for(
            address,
            Explained::new(format!("it is PostgreSQL {major}"), hint),
        ));
    }
    if encoding != "UTF8" {
        let hint = "Create the database with ENCODING 'UTF8'.";
        let cause = format!("its encoding is {encoding}");
        return Err(refused_for(address, Explained::new(cause, hint)));
    }
    if tables > 0 && ours == 0 {
        let hint = "Create a database of its own for the store.";
        return Err(refused_for(address, Explained::new("it is another program's database", hint)));
    }
    Ok(())
}

/// The store's id, made with it.
async fn store_id(conn: &mut PgConnection) -> Result<String, sqlx::Error> {
    sqlx::query(identity::INSERT).bind(identity::new()?).execute(&mut *conn).await?;
    sqlx::query_scalar(identity::SELECT).fetch_one(conn).await
}

/// Takes the store over from whoever wrote to it before, unless somebody else leads since.
async fn take_over(
    address: &Address,
    conn: &mut PgConnection,
    term: &Term,
) -> Result<Fence, OpenError> {
    if term.is_limited() {
        let read = with_transaction(address, conn, async |tx| Fence::read(tx).await).await?;
        term.confirm().await.map_err(|ended| not_leading(address, ended))?;
        let from = Whose::Only(read.as_deref());
        return with_transaction(address, conn, async |tx| Fence::raise(tx, from).await).await;
    }
    with_transaction(address, conn, async |tx| Fence::raise(tx, Whose::Anybody).await).await
}

async fn with_transaction<T>(
    address: &Address,
    conn: &mut PgConnection,
    work: impl AsyncFnOnce(&mut Tx<'_>) -> Result<T, Error>,
) -> Result<T, OpenError> {
    let tx = conn.begin().await.map_err(|error| failed(address, &error))?;
    let mut tx = Tx::postgres(tx, false, PATIENCE);
    let done = async {
        let done = work(&mut tx).await?;
        tx.commit().await?;
        Ok(done)
    };
    done.await.map_err(|error: Error| {
        away(address, Explained::new(error.to_string(), "It will be tried again."))
    })
}

fn not_leading(address: &Address, ended: Ended) -> OpenError {
    away(address, Explained::new(ended.to_string(), "It is opened when this one leads again."))
}

fn failed(address: &Address, error: &sqlx::Error) -> OpenError {
    let explained = explain(error);
    if is_passing(error) || is_login(error) {
        away(address, explained)
    } else {
        refused_for(address, explained)
    }
}

fn silent(address: &Address) -> OpenError {
    let hint = "Look at the server and the network.";
    away(address, Explained::new("it gives no answer", hint))
}

fn away(address: &Address, Explained { cause, hint }: Explained) -> OpenError {
    OpenError::Away { store: address.to_string(), cause, hint }
}

fn refused_for(address: &Address, Explained { cause, hint }: Explained) -> OpenError {
    OpenError::Database { store: address.to_string(), cause, hint }
}
