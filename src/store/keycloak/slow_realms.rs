//! Realms that are slow alone: what is in them says so, and others do not notice.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use super::failure::Failure;
use crate::store::attempts::Attempts;

/// How it is with each realm that is being asked, or is slow.
#[derive(Default)]
pub(super) struct SlowRealms(Mutex<HashMap<String, Arc<Attempts<Failure>>>>);

impl SlowRealms {
    /// What went wrong after this moment, if the realm is slow since.
    pub(super) fn failed_since(&self, realm: &str, moment: Instant) -> Result<(), Failure> {
        self.of(realm).map_or(Ok(()), |attempts| attempts.failed_since(moment))
    }

    /// What there is to say without a request, while somebody finds out whether the realm is still slow.
    pub(super) fn told(&self, realm: &str) -> Result<(), Failure> {
        self.of(realm).map_or(Ok(()), |attempts| attempts.told())
    }

    /// Asks a realm, unless it is slow and somebody finds out whether it still is. Before one is made its name is empty.
    pub(super) async fn ask<T>(
        &self,
        realm: &str,
        attempt: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        if realm.is_empty() {
            return attempt.await;
        }
        let attempts = self.lock().entry(realm.to_owned()).or_default().clone();
        let result = attempts.make(attempt, Failure::is_slow).await;
        if !result.as_ref().is_err_and(Failure::is_slow) {
            // There is nothing to remember of it.
            self.lock().remove(realm);
        }
        result
    }

    fn of(&self, realm: &str) -> Option<Arc<Attempts<Failure>>> {
        self.lock().get(realm).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Attempts<Failure>>>> {
        // Nothing panics while it is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
