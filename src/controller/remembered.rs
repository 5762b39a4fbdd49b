//! What is remembered of objects from one reconcile to the next, and for one term alone: what an earlier term still
//! had under way when it ended puts nothing off in the next one, and silences nothing.

use std::sync::{Arc, PoisonError, RwLock};

use super::{backoff::Backoff, own_writes::OwnWrites};

/// What is remembered in one term.
#[derive(Clone, Debug, Default)]
pub struct Remembered {
    /// The pauses between tries.
    pub backoff: Arc<Backoff>,
    /// The versions that its own writes made.
    pub own_writes: Arc<OwnWrites>,
}

/// What is remembered in the term that there is, or was last.
#[derive(Clone, Debug, Default)]
pub struct OfTerm(Arc<RwLock<Remembered>>);

impl OfTerm {
    /// A term begins: nothing is remembered. Whoever has what was remembered before keeps that for itself.
    pub fn begin(&self) -> Remembered {
        let new = Remembered::default();
        // Nothing panics while it is held.
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = new.clone();
        new
    }

    /// What is remembered.
    pub fn now(&self) -> Remembered {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::controller::index::{Kind, ObjectId};

    #[test]
    fn what_a_term_leaves_under_way_reaches_the_next_one_neither_before_it_begins_nor_after() {
        let (terms, acme) = (OfTerm::default(), ObjectId::new("a", "acme"));
        let first = terms.begin();
        let late = |version: &str| {
            first.own_writes.remember(Kind::Tenant, &acme, Some(version.into()));
            (0..9).map(|_| first.backoff.next(Kind::Tenant, &acme)).max().unwrap()
        };
        assert!(late("7") > Duration::from_secs(15), "its pauses have grown");
        assert!(terms.now().own_writes.puts_off(Kind::Tenant, &acme, Some("6")));

        let second = terms.begin();
        for looked in [&second, &terms.now()] {
            assert!(!looked.own_writes.puts_off(Kind::Tenant, &acme, Some("6")));
            // A reconcile of the first term ends only now.
            late("8");
            assert!(!looked.own_writes.puts_off(Kind::Tenant, &acme, Some("6")));
            assert!(!looked.own_writes.take(Kind::Tenant, &acme, Some("8")), "it wakes");
        }
        assert!(second.backoff.next(Kind::Tenant, &acme) <= Duration::from_secs(1));

        // What the watch sees goes to the term that there is.
        second.own_writes.remember(Kind::Tenant, &acme, Some("9".into()));
        assert!(terms.now().own_writes.take(Kind::Tenant, &acme, Some("9")));
    }
}
