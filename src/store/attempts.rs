//! A store that is away or locked: one caller finds out whether it is back, the others need not wait for that.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// How long an attempt speaks for others: one over a dead connection takes longer than the store is away.
const MOMENT: Duration = Duration::from_secs(5);

/// How the last attempt to reach the store ended, with what went wrong as an `E`. One that fails takes seconds,
/// and there are few turns for them: were every object to wait in one, status would be late for all.
pub(super) struct Attempts<E> {
    state: Mutex<State<E>>,
    /// How long an attempt speaks for others at most.
    moment: Duration,
}

struct State<E> {
    /// With the moment at which it was known.
    failure: Option<(E, Instant)>,
    /// Since when all attempts failed.
    failing_since: Option<Instant>,
    /// Since when somebody finds out if it is still so.
    tried_since: Option<Instant>,
}

impl<E> Default for Attempts<E> {
    fn default() -> Self {
        Self::speaking_for(MOMENT)
    }
}

impl<E> Attempts<E> {
    /// Whose attempts each speak for others as long as they last: they surely end, and while they do not, another one
    /// would fare no better.
    pub(super) fn each_to_its_end() -> Self {
        Self::speaking_for(Duration::MAX)
    }

    fn speaking_for(moment: Duration) -> Self {
        let state = State { failure: None, failing_since: None, tried_since: None };
        Self { state: Mutex::new(state), moment }
    }
}

impl<E: Clone> Attempts<E> {
    /// What is wrong, as far as it is known.
    pub(super) fn failure(&self) -> Option<E> {
        self.state().failure.as_ref().map(|(failure, _)| failure.clone())
    }

    /// What there is to say without an attempt: the last one failed, and another one is under way.
    pub(super) fn told(&self) -> Result<(), E> {
        self.state().told(self.moment)
    }

    /// What went wrong after this moment, and still does for all that is known: for who has waited since then for
    /// another one's attempts to end.
    pub(super) fn failed_since(&self, moment: Instant) -> Result<(), E> {
        match &self.state().failure {
            Some((failure, at)) if *at > moment => Err(failure.clone()),
            _ => Ok(()),
        }
    }

    /// For how long all attempts have failed.
    pub(super) fn failing_for(&self) -> Option<Duration> {
        self.state().failing_since.map(|since| since.elapsed())
    }

    /// Makes an attempt, unless there is no need for one. Its error may say that the store is away.
    pub(super) async fn make<T>(
        &self,
        attempt: impl Future<Output = Result<T, E>>,
        is_away: impl Fn(&E) -> bool,
    ) -> Result<T, E> {
        self.make_telling(attempt, |failure| Some(is_away(failure))).await
    }

    /// The same, where an error may also tell nothing of the store: what was known before stays.
    pub(super) async fn make_telling<T>(
        &self,
        attempt: impl Future<Output = Result<T, E>>,
        is_away: impl Fn(&E) -> Option<bool>,
    ) -> Result<T, E> {
        let trying = self.begin()?;
        let result = attempt.await;
        let failure = result.as_ref().err();
        if let Some(is_away) = failure.map_or(Some(false), is_away) {
            let failure = failure.filter(|_| is_away);
            let (mut state, now) = (self.state(), Instant::now());
            state.failing_since = failure.map(|_| state.failing_since.unwrap_or(now));
            state.failure = failure.map(|failure| (failure.clone(), now));
        }
        drop(trying);
        result
    }

    /// While nothing is known to be wrong, all may try.
    fn begin(&self) -> Result<Option<Trying<'_, E>>, E> {
        let mut state = self.state();
        state.told(self.moment)?;
        if state.failure.is_none() {
            return Ok(None);
        }
        let since = Instant::now();
        state.tried_since = Some(since);
        Ok(Some(Trying { attempts: self, since }))
    }

    fn state(&self) -> MutexGuard<'_, State<E>> {
        state(&self.state)
    }
}

fn state<E>(attempts: &Mutex<State<E>>) -> MutexGuard<'_, State<E>> {
    // Nothing panics while it is held.
    attempts.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<E: Clone> State<E> {
    fn told(&self, moment: Duration) -> Result<(), E> {
        let is_tried = self.tried_since.is_some_and(|since| since.elapsed() < moment);
        match &self.failure {
            Some((failure, _)) if is_tried => Err(failure.clone()),
            _ => Ok(()),
        }
    }
}

/// The one attempt after a failure; it ends also when its caller gives up.
struct Trying<'a, E> {
    attempts: &'a Attempts<E>,
    since: Instant,
}

impl<E> Drop for Trying<'_, E> {
    fn drop(&mut self) {
        let mut state = state(&self.attempts.state);
        // Another one may have begun since.
        state.tried_since = state.tried_since.filter(|since| *since != self.since);
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use futures::{FutureExt as _, poll};

    use super::*;

    const AWAY: Result<(), &str> = Err("away");

    fn is_away(error: &&str) -> bool {
        *error == "away"
    }

    #[tokio::test]
    async fn after_a_failure_one_tries_and_the_others_are_told() {
        let attempts = Attempts::default();
        let mut first = Box::pin(attempts.make(pending::<Result<(), &str>>(), is_away));
        assert!(poll!(&mut first).is_pending());
        assert!(
            attempts.make(ready(Ok(())), is_away).await.is_ok(),
            "nothing is known to be wrong"
        );
        drop(first);

        assert!(attempts.make(ready(AWAY), is_away).await.is_err());
        let (back, is_back) = tokio::sync::oneshot::channel::<()>();
        let mut one = Box::pin(attempts.make(is_back.map(|_| Ok(())), is_away));
        assert!(poll!(&mut one).is_pending());
        assert_eq!(attempts.make(pending::<Result<(), _>>(), is_away).await, AWAY);
        back.send(()).unwrap();
        assert!(one.await.is_ok());
        assert_eq!(attempts.told(), Ok(()));
    }

    #[tokio::test]
    async fn how_long_an_attempt_speaks_for_others_may_be_said() {
        let away_for = |moment| async move {
            let attempts = Attempts::speaking_for(moment);
            assert!(attempts.make(ready(AWAY), is_away).await.is_err());
            assert_eq!(attempts.failure(), Some("away"));
            attempts
        };
        let (short, long) = (away_for(Duration::ZERO).await, away_for(Duration::MAX).await);
        for (attempts, told) in [(short, Ok(())), (long, AWAY)] {
            let mut one = Box::pin(attempts.make(pending::<Result<(), &str>>(), is_away));
            assert!(poll!(&mut one).is_pending());
            assert_eq!(attempts.told(), told);
        }
    }

    #[tokio::test]
    async fn an_error_that_tells_nothing_leaves_what_was_known() {
        let attempts = Attempts::default();
        let before = Instant::now();
        let slow = || attempts.make_telling(ready(Err::<(), _>("slow")), |_| None);
        assert!(slow().await.is_err());
        assert_eq!(attempts.failed_since(before), Ok(()));
        assert!(attempts.make(ready(AWAY), is_away).await.is_err());
        assert!(slow().await.is_err());
        assert_eq!(attempts.failed_since(before), AWAY);
        assert_eq!(attempts.told(), Ok(()), "nobody tries now");
    }

    #[tokio::test]
    async fn who_waited_while_it_failed_is_told() {
        let attempts = Attempts::default();
        let before = Instant::now();
        assert_eq!(attempts.failed_since(before), Ok(()));
        assert!(attempts.make(ready(AWAY), is_away).await.is_err());
        assert_eq!(attempts.failed_since(before), AWAY);
        assert_eq!(attempts.failed_since(Instant::now()), Ok(()), "who comes later tries");
        assert!(attempts.make(ready(Ok(())), is_away).await.is_ok());
        assert_eq!(attempts.failed_since(before), Ok(()), "it is back");
        assert_eq!(attempts.failing_for(), None);
    }

    #[tokio::test]
    async fn it_is_known_since_when_it_fails() {
        let attempts = Attempts::default();
        let fail = || attempts.make(ready(AWAY), is_away);
        assert!(fail().await.is_err());
        let first = attempts.state().failing_since.unwrap();
        assert!(fail().await.is_err());
        assert_eq!(attempts.state().failing_since, Some(first));
        assert!(attempts.make(ready(Ok(())), is_away).await.is_ok());
        assert!(fail().await.is_err());
        assert!(attempts.state().failing_since.unwrap() > first, "it was back in between");
    }

    #[tokio::test]
    async fn who_comes_when_nobody_tries_does() {
        let attempts = Attempts::default();
        assert!(attempts.make(ready(AWAY), is_away).await.is_err());
        let mut one = Box::pin(attempts.make(pending::<Result<(), &str>>(), is_away));
        assert!(poll!(&mut one).is_pending());
        assert_eq!(attempts.told(), AWAY);
        drop(one);
        assert!(attempts.make(ready(Ok(())), is_away).await.is_ok(), "it was given up");
        assert!(attempts.make(ready(Err::<(), _>("raced")), is_away).await.is_err());
        assert_eq!(attempts.told(), Ok(()), "it is there");
    }
}
