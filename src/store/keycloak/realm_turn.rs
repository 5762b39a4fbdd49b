//! Whose turn it is to make or delete a realm: Keycloak does one at a time.

use std::{
    pin::pin,
    sync::{Mutex as Lock, MutexGuard as LockGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::{
    sync::{Mutex, MutexGuard},
    time::timeout,
};

/// One turn. To wait for it leaves the places of requests to others, but not the place of the object that waits: so it
/// is waited for only as long as those before are quick.
#[derive(Default)]
pub(super) struct RealmTurn {
    turn: Mutex<()>,
    /// Since when somebody has it.
    since: Lock<Option<Instant>>,
}

/// Gives the turn back at its end.
pub(super) struct Taken<'a> {
    of: &'a RealmTurn,
    _turn: MutexGuard<'a, ()>,
}

impl RealmTurn {
    /// The turn; or for how long somebody has had it already, once that is longer than this.
    pub(super) async fn take(&self, patience: Duration) -> Result<Taken<'_>, Duration> {
        let mut turn = pin!(self.turn.lock());
        loop {
            let left = patience.saturating_sub(self.had());
            // Polled at least once: nobody may have it.
            if let Ok(turn) = timeout(left, &mut turn).await {
                *self.since() = Some(Instant::now());
                return Ok(Taken { of: self, _turn: turn });
            }
            let had = self.had();
            if had >= patience {
                return Err(had);
            }
        }
    }

    /// For how long somebody has it.
    fn had(&self) -> Duration {
        self.since().map(|since| since.elapsed()).unwrap_or_default()
    }

    fn since(&self) -> LockGuard<'_, Option<Instant>> {
        // Nothing panics while it is held.
        self.since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        // Before the turn itself goes: who waits for it must not take the next one for slow.
        *self.of.since() = None;
    }
}

#[cfg(test)]
mod tests {
    use futures::poll;

    use super::*;

    const LONG: Duration = Duration::from_mins(1);

    #[tokio::test]
    async fn who_has_had_it_for_long_is_not_waited_for() {
        let turn = RealmTurn::default();
        let taken = turn.take(LONG).await.ok().unwrap();
        let mut next = pin!(turn.take(LONG));
        assert!(poll!(&mut next).is_pending(), "it may soon be over");
        assert!(turn.take(Duration::ZERO).await.is_err());
        let had = turn.take(Duration::from_millis(20)).await.err().unwrap();
        assert!(had >= Duration::from_millis(20), "{had:?}");
        drop(taken);
        drop(next.await.ok().unwrap());
        assert!(turn.take(Duration::ZERO).await.is_ok(), "nobody has it");
    }

    #[tokio::test]
    async fn each_that_is_waited_for_may_take_its_time() {
        let (turn, patience) = (RealmTurn::default(), Duration::from_millis(50));
        let taken = turn.take(LONG).await.ok().unwrap();
        // As if it went from one to the next all the time.
        *turn.since() = Some(Instant::now() + LONG);
        let last = async { assert!(turn.take(patience).await.is_ok()) };
        let others = async move {
            tokio::time::sleep(4 * patience).await;
            drop(taken);
        };
        tokio::join!(last, others);
    }
}
