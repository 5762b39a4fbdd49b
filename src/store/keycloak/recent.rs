//! What was observed a moment ago, and whose turn it is to write.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::OwnedMutexGuard;

use super::found::Found;
use crate::store::Key;

/// How long an observation tells an apply that there is nothing to write: a reconcile goes from one
/// to the other in less. Whatever is written is decided on what is read then.
const MOMENT: Duration = Duration::from_secs(5);

/// What was observed last, once for the apply that follows.
#[derive(Default)]
pub(super) struct Recent(Mutex<HashMap<Key, (Instant, Found)>>);

impl Recent {
    pub(super) fn remember(&self, key: &Key, found: Option<Found>) {
        let now = Instant::now();
        let mut recent = self.lock();
        recent.retain(|_, (at, _)| now.duration_since(*at) < MOMENT);
        match found {
            Some(found) => drop(recent.insert(key.clone(), (now, found))),
            None => drop(recent.remove(key)),
        }
    }

    pub(super) fn take(&self, key: &Key) -> Option<Found> {
        let (at, found) = self.lock().remove(key)?;
        (at.elapsed() < MOMENT).then_some(found)
    }

    /// Forgets all of a tenant.
    pub(super) fn forget(&self, tenant: &str) {
        self.lock().retain(|key, _| key.tenant() != tenant);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, (Instant, Found)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One writer at a time in each tenant: so counts hold against limits.
#[derive(Default)]
pub(super) struct Locks(Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>);

impl Locks {
    pub(super) async fn of(&self, tenant: &str) -> OwnedMutexGuard<()> {
        let lock = {
            let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            locks.retain(|name, lock| name == tenant || Arc::strong_count(lock) > 1);
            locks.entry(tenant.to_owned()).or_default().clone()
        };
        lock.lock_owned().await
    }
}
