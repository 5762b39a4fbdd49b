//! The fence around the store: a number that whoever opens it for writing raises, the epoch, with something
//! at random behind it: where a restore or a failover has lost the last number, the next one is still nobody else's.
//!
//! Each writing transaction reads the epoch and holds it until it ends, so that raising it waits for those that
//! are under way, and none with an older number begins after it. What an operator that was paused,
//! or cut off, still wanted to write is then refused, however late it comes.
//!
//! Where one of several operators leads, only that one may raise it. It reads the epoch, makes sure that it leads,
//! and raises the epoch from what it read: whoever led after it has raised it since, and so is not robbed by one that
//! was stopped in between. That needs no number that a restored or deleted Lease could take back.

use tokio::sync::watch;

use crate::store::{
    Error,
    sql::{
        identity,
        tx::{Tx, Value},
    },
};

/// The number as it is.
const READ: &str = "SELECT value FROM meta WHERE name = 'epoch'";

/// The next number, and the first one in a new store.
const RAISE: &str = "INSERT INTO meta (name, value) VALUES ('epoch', '1:' || $1) ON CONFLICT (name) DO UPDATE \
                     SET value = CAST(split_part(meta.value, ':', 1) AS BIGINT) + 1 || ':' || $1 \
                     WHERE $2 OR meta.value = $3 RETURNING value";
/// Shared with others who write, until the transaction ends.
const HOLD: &str = "SELECT value FROM meta WHERE name = 'epoch' FOR SHARE";

/// Whom the store is taken from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Whose<'a> {
    Anybody,
    /// The one with this number; none: nobody.
    Only(Option<&'a str>),
}

/// Our number, and whether it is still the last one.
pub(in crate::store::sql) struct Fence {
    epoch: String,
    broken: watch::Sender<bool>,
}

impl Fence {
    /// The number that whoever has the store goes by; none in a new one.
    pub(super) async fn read(tx: &mut Tx<'_>) -> Result<Option<String>, Error> {
        Ok(tx.row(READ, &[]).await?.and_then(|row| row.text("value")))
    }

    /// Takes the store over, from whoever has it or only from the one with this number: the transaction must be
    /// committed before this one writes.
    pub(super) async fn raise(tx: &mut Tx<'_>, from: Whose<'_>) -> Result<Self, Error> {
        let own = identity::new().map_err(|error| Error::Unavailable(error.to_string()))?;
        let (anybody, number) = match from {
            Whose::Anybody => (true, None),
            Whose::Only(number) => (false, number),
        };
        let values = [Value::from(&own), Value::Flag(anybody), Value::from(number)];
        let row = tx.row(RAISE, &values).await?;
        let epoch = row.and_then(|row| row.text("value")).ok_or(Error::Raced)?;
        Ok(Self { epoch, broken: watch::Sender::new(false) })
    }

    /// Makes sure that the store is ours until the transaction ends.
    pub(super) async fn hold(&self, tx: &mut Tx<'_>) -> Result<(), Error> {
        let row = tx.row(HOLD, &[]).await?;
        if row.and_then(|row| row.text("value")).as_ref() == Some(&self.epoch) {
            return Ok(());
        }
        self.broken.send_replace(true);
        Err(Error::TakenOver)
    }

    /// Refuses at once what can only be refused.
    pub(super) fn check(&self) -> Result<(), Error> {
        if *self.broken.borrow() { Err(Error::TakenOver) } else { Ok(()) }
    }

    /// Done when another operator has taken the store over.
    pub(in crate::store::sql) async fn broken(&self) {
        let mut broken = self.broken.subscribe();
        // The sender lives as long as this.
        let _ = broken.wait_for(|broken| *broken).await;
    }
}
