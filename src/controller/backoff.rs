//! Growing pauses between tries, kept per object: one broken object is tried
//! less and less often and never slows another down.

use std::{collections::HashMap, sync::Mutex, time::Duration};

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

use super::index::{Kind, ObjectId};

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(30);

/// The pauses of all objects that are being tried again.
#[derive(Debug, Default)]
pub struct Backoff {
    pauses: Mutex<HashMap<(Kind, ObjectId), ExponentialBackoff>>,
}

impl Backoff {
    /// How long to wait before the next try, up to a minute with the jitter.
    pub fn next(&self, kind: Kind, id: &ObjectId) -> Duration {
        let Ok(mut pauses) = self.pauses.lock() else { return LONGEST };
        let pause = pauses.entry((kind, id.clone())).or_insert_with(|| {
            ExponentialBuilder::default()
                .with_min_delay(FIRST)
                .with_max_delay(LONGEST)
                .with_jitter()
                .without_max_times()
                .build()
        });
        pause.next().unwrap_or(LONGEST)
    }

    /// Whether it is not being tried again yet.
    pub fn is_first(&self, kind: Kind, id: &ObjectId) -> bool {
        let Ok(pauses) = self.pauses.lock() else { return false };
        !pauses.contains_key(&(kind, id.clone()))
    }

    /// The object is well, or gone.
    pub fn forget(&self, kind: Kind, id: &ObjectId) {
        if let Ok(mut pauses) = self.pauses.lock() {
            pauses.remove(&(kind, id.clone()));
        }
    }

    /// All that are being tried again; they start with short pauses.
    pub fn forget_all(&self) -> Vec<(Kind, ObjectId)> {
        let Ok(mut pauses) = self.pauses.lock() else { return Vec::new() };
        pauses.drain().map(|(object, _)| object).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_is_capped_is_per_object_and_is_forgotten() {
        let backoff = Backoff::default();
        let (one, other) = (ObjectId::new("a", "one"), ObjectId::new("a", "other"));
        let pauses: Vec<_> = (0..12).map(|_| backoff.next(Kind::Tenant, &one)).collect();
        assert!(!backoff.is_first(Kind::Tenant, &one) && backoff.is_first(Kind::Tenant, &other));
        assert!(pauses[0] >= FIRST && pauses[0] <= 2 * FIRST, "{pauses:?}");
        assert!(pauses[5] > pauses[0], "{pauses:?}");
        assert!(pauses.iter().all(|pause| *pause <= 2 * LONGEST), "{pauses:?}");
        assert!(backoff.next(Kind::Tenant, &other) <= 2 * FIRST);
        backoff.forget(Kind::Tenant, &one);
        assert!(backoff.is_first(Kind::Tenant, &one));
        assert!(backoff.next(Kind::Tenant, &one) <= 2 * FIRST);
    }
}
