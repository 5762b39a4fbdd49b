//! Realms that are slow alone: what is in them says so, and others do not notice.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use tokio::sync::Semaphore;

use super::failure::Failure;
use crate::store::attempts::Attempts;

/// One of so many places for requests is for realms that are slow. Who asks one of them has it for long, and keeps one
/// of the few places in which the operator looks at objects as long: those of other realms would wait for it.
const PART: usize = 4;

/// How it is with each realm that is being asked, or is slow.
pub(super) struct SlowRealms {
    realms: Mutex<HashMap<String, Arc<Attempts<Failure>>>>,
    /// Beside those that all requests have.
    places: Semaphore,
}

impl SlowRealms {
    /// Where this many requests may be under way.
    pub(super) fn new(places: usize) -> Self {
        Self { realms: Mutex::default(), places: Semaphore::new((places / PART).max(1)) }
    }

    /// What went wrong after this moment, if the realm is slow since.
    pub(super) fn failed_since(&self, realm: &str, moment: Instant) -> Result<(), Failure> {
        self.of(realm).map_or(Ok(()), |attempts| attempts.failed_since(moment))
    }

    /// What there is to say without a request, while somebody finds out whether the realm is still slow.
    pub(super) fn told(&self, realm: &str) -> Result<(), Failure> {
        self.of(realm).map_or(Ok(()), |attempts| attempts.told())
    }

    /// Asks a realm, unless it is slow, and somebody finds out whether it still is, or so many others are slow that
    /// there is no place to. Before one is made its name is empty.
    pub(super) async fn ask<T>(
        &self,
        realm: &str,
        attempt: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        if realm.is_empty() {
            return attempt.await;
        }
        let new = || Arc::new(Attempts::each_to_its_end());
        let attempts = self.lock().entry(realm.to_owned()).or_insert_with(new).clone();
        attempts.told()?;
        let place = match attempts.failure() {
            Some(failure) => Some(self.places.try_acquire().map_err(|_| failure)?),
            None => None,
        };
        // What is wrong with all of Keycloak tells nothing of the realm.
        let is_slow = |failure: &Failure| failure.is_slow().then_some(true);
        let result = attempts.make_telling(attempt, is_slow).await;
        drop((place, attempts));
        self.forget(realm);
        result
    }

    /// Forgets one of which there is nothing to remember.
    fn forget(&self, realm: &str) {
        let mut realms = self.lock();
        let attempts = realms.get(realm);
        if attempts.is_some_and(|of| of.failure().is_none() && Arc::strong_count(of) == 1) {
            realms.remove(realm);
        }
    }

    fn of(&self, realm: &str) -> Option<Arc<Attempts<Failure>>> {
        self.lock().get(realm).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Attempts<Failure>>>> {
        // Nothing panics while it is held.
        self.realms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::{future::pending, pin::pin};

    use futures::{FutureExt as _, poll};

    use super::*;

    fn slow() -> Failure {
        Failure::Slow("GET /acme".into(), 10)
    }

    async fn find_slow(realms: &SlowRealms, realm: &str) {
        let asked = realms.ask(realm, async { Err::<(), _>(slow()) });
        assert_eq!(asked.await, Err(slow()));
    }

    #[tokio::test]
    async fn realms_that_are_slow_have_few_places_and_the_others_all() {
        let realms = SlowRealms::new(8);
        for realm in ["a", "b", "c"] {
            find_slow(&realms, realm).await;
        }
        let asking = || pending::<Result<(), Failure>>();
        let mut a = Box::pin(realms.ask("a", asking()));
        let mut b = pin!(realms.ask("b", asking()));
        assert!(poll!(&mut a).is_pending() && poll!(&mut b).is_pending());
        for realm in ["a", "b", "c"] {
            let told = realms.ask(realm, asking()).now_or_never();
            assert_eq!(told, Some(Err(slow())), "{realm}");
        }
        let mut others: Vec<_> = (0..9).map(|_| Box::pin(realms.ask("other", asking()))).collect();
        for other in &mut others {
            assert!(poll!(other).is_pending());
        }
        drop(a);
        assert_eq!(realms.ask("c", async { Ok(()) }).await, Ok(()), "it found a place");
        assert!(realms.of("c").is_none(), "there is nothing to remember");
    }

    #[tokio::test]
    async fn what_is_wrong_with_all_of_keycloak_tells_nothing_of_a_realm() {
        let realms = SlowRealms::new(1);
        find_slow(&realms, "a").await;
        let away = Failure::Away("x".into(), "reset".into());
        let asked = realms.ask("a", async { Err::<(), _>(away.clone()) }).await;
        assert_eq!(asked, Err(away));
        assert_eq!(realms.of("a").unwrap().failure(), Some(slow()));
    }
}
