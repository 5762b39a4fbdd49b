//! Writes of concurrent calls, in few transactions.
//!
//! A transaction costs a wait for the disk (and for PostgreSQL several for the network), however
//! much it writes. So calls queue up, and whoever gets the turn to write takes all who wait into
//! one transaction; while that is being committed the next ones queue up. Nobody waits for company:
//! a call that is alone is written at once.
//!
//! Each write has a savepoint, so that one that fails leaves the others alone, and gets its own answer.

use std::{
    collections::{HashMap, VecDeque, hash_map::DefaultHasher},
    hash::{Hash, Hasher},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use tokio::sync::{Mutex as Turn, oneshot};

use super::{
    change::Change,
    deletion::{self, Deletion},
    engine::Engine,
    tx::Tx,
};
use crate::{
    policy::Class,
    store::{Applied, Deleted, Desired, Error, Expected, Key, Mark, attempts::Attempts},
};

/// How many writes one transaction takes at most. PostgreSQL keeps 64 savepoints of a transaction
/// in memory; with more, every reader must look them up.
pub(super) const BATCH: usize = 50;

/// A write to make.
#[derive(Clone)]
pub(super) enum Write {
    Apply(Box<Desired>, Expected),
    Delete(Key, Mark),
}

/// What it did.
#[derive(Debug)]
pub(super) enum Written {
    Applied(Applied),
    Deleted(Deletion),
}

/// A write that waits, and where its answer goes.
struct Waiting {
    write: Write,
    answer: oneshot::Sender<Result<Written, Error>>,
}

/// Those who wait for one of the writing transactions.
#[derive(Default)]
struct Lane {
    queue: Mutex<VecDeque<Waiting>>,
    turn: Turn<()>,
    attempts: Attempts<Error>,
}

/// The queues before the store. All writes of a tenant go through the same one: they are made in
/// the order in which they come, and transactions at the same time have no rows in common.
pub(super) struct Writes {
    lanes: Vec<Lane>,
    batch: usize,
    /// Whether the last write found that it cannot be done now: reads may still go well, as where the disk is full.
    failed: AtomicBool,
}

impl Writes {
    /// For so many transactions at a time, with so many writes in each.
    pub(super) fn new(writers: usize, batch: usize) -> Self {
        Self {
            lanes: (0..writers.max(1)).map(|_| Lane::default()).collect(),
            batch: batch.max(1),
            failed: AtomicBool::new(false),
        }
    }

    /// Makes a write, together with others that wait. When the caller gives up before its turn, nothing is written.
    pub(super) async fn make(&self, engine: &Engine, write: Write) -> Result<Written, Error> {
        let made = self.make_in_turn(engine, write).await;
        match &made {
            Err(error) if error.is_away() => self.failed.store(true, Relaxed),
            Ok(written) if written.is_something() => self.failed.store(false, Relaxed),
            _ => {}
        }
        made
    }

    /// Whether the store can be written; it is not asked as long as writes go well.
    pub(super) async fn check(&self, engine: &Engine) -> Result<(), Error> {
        if self.failed.load(Relaxed) {
            let mut tx = engine.write().await?;
            // Only what is committed shows whether there is room for it. Nothing of it is left.
            tx.execute("INSERT INTO meta (name, value) VALUES ('check', '')", &[]).await?;
            tx.execute("DELETE FROM meta WHERE name = 'check'", &[]).await?;
            tx.commit().await?;
            engine.check()?;
            self.failed.store(false, Relaxed);
        }
        Ok(())
    }

    async fn make_in_turn(&self, engine: &Engine, write: Write) -> Result<Written, Error> {
        let lane = self.lane(&write);
        lane.attempts.told()?;
        let (answer, mut answered) = oneshot::channel();
        lane.queue().push_back(Waiting { write, answer });
        loop {
            tokio::select! {
                biased;
                // Who wrote it gave up, and the transaction with it: the next look shows what is there.
                answer = &mut answered => return answer.unwrap_or(Err(Error::Raced)),
                turn = lane.turn.lock() => {
                    let waiting = lane.take(self.batch);
                    lane.write_all(engine, waiting).await;
                    drop(turn);
                }
            }
        }
    }

    fn lane(&self, write: &Write) -> &Lane {
        let mut hasher = DefaultHasher::new();
        write.key().tenant().hash(&mut hasher);
        let lanes = u64::try_from(self.lanes.len()).unwrap_or(1);
        // Below the number of lanes.
        let lane = usize::try_from(hasher.finish() % lanes).unwrap_or_default();
        &self.lanes[lane]
    }
}

impl Lane {
    fn queue(&self) -> std::sync::MutexGuard<'_, VecDeque<Waiting>> {
        // Nothing panics while it is held.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the first of those who still wait for an answer.
    fn take(&self, number: usize) -> Vec<Waiting> {
        let mut queue = self.queue();
        let mut taken = Vec::new();
        while taken.len() < number
            && let Some(waiting) = queue.pop_front()
        {
            if !waiting.answer.is_closed() {
                taken.push(waiting);
            }
        }
        taken
    }

    /// Writes all of these in one transaction, and answers each.
    async fn write_all(&self, engine: &Engine, waiting: Vec<Waiting>) {
        if waiting.is_empty() {
            return;
        }
        let (writes, answers): (Vec<_>, Vec<_>) =
            waiting.into_iter().map(|waiting| (waiting.write, waiting.answer)).unzip();
        let results = match self.written(engine, &writes).await {
            Ok(results) => results,
            Err(error) => writes.iter().map(|_| Err(error.clone())).collect(),
        };
        for (answer, result) in answers.into_iter().zip(results) {
            // Who does not wait any more will look again.
            let _ = answer.send(result);
        }
    }

    /// What each of these did; or why none did anything.
    async fn written(
        &self,
        engine: &Engine,
        writes: &[Write],
    ) -> Result<Vec<Result<Written, Error>>, Error> {
        let mut tx = self.attempts.make(engine.write(), Error::is_away).await?;
        let results = match writes {
            // Alone it needs no savepoint.
            [write] => vec![write.make(&mut tx).await],
            writes => apart(&mut tx, writes).await?,
        };
        if results.iter().flatten().any(Written::is_something) {
            tx.commit().await?;
            engine.check()?;
        } else {
            // Nothing hangs on how it ends.
            let _ = tx.rollback().await;
        }
        Ok(results)
    }
}

/// Makes each of these in a savepoint of its own. A tenant for which somebody else holds a lock is waited for once, and
/// after the first of them the next ones hardly: the others' writes are not committed before the end, and nobody
/// else may write to their tenants until then.
async fn apart(tx: &mut Tx<'_>, writes: &[Write]) -> Result<Vec<Result<Written, Error>>, Error> {
    let mut results = Vec::new();
    let mut stuck: HashMap<String, Error> = HashMap::new();
    for write in writes {
        if let Some(error) = stuck.get(write.key().tenant()) {
            results.push(Err(error.clone()));
            continue;
        }
        let mut savepoint = tx.savepoint().await?;
        let result = write.make(&mut savepoint).await;
        let ended = match &result {
            Ok(written) if written.is_something() => savepoint.commit().await,
            _ => savepoint.rollback().await,
        };
        if let Err(ended) = ended {
            // The transaction is gone, because of what went wrong in this write, if something did. What is
            // wrong with this write alone is nothing to tell the others of.
            return Err(result
                .err()
                .filter(|error| error.class() == Class::Transient)
                .unwrap_or(ended));
        }
        if let Err(error @ Error::Unavailable(_)) = &result {
            if stuck.is_empty() {
                tx.hurry().await?;
            }
            stuck.insert(write.key().tenant().to_owned(), error.clone());
        }
        results.push(result);
    }
    Ok(results)
}

impl Write {
    fn key(&self) -> Key {
        match self {
            Self::Apply(desired, _) => desired.state.key(),
            Self::Delete(key, _) => key.clone(),
        }
    }

    async fn make(&self, tx: &mut Tx<'_>) -> Result<Written, Error> {
        match self {
            Self::Apply(desired, expected) => {
                let change = Change::of(desired);
                tx.lock(change.key.tenant()).await?;
                let found = change.find(tx, expected).await?;
                change.make(tx, &found).await?;
                Ok(Written::Applied(found.applied()))
            }
            Self::Delete(key, mark) => Ok(Written::Deleted(deletion::delete(tx, key, mark).await?)),
        }
    }
}

impl Written {
    /// Whether something is written by it.
    fn is_something(&self) -> bool {
        !matches!(
            self,
            Self::Applied(Applied::Unchanged)
                | Self::Deleted(Deletion::Done(Deleted::NotThere | Deleted::NotOurs(_)))
        )
    }
}
