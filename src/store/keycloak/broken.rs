//! Writes over which something breaks in Keycloak: whether that will pass, or comes from what is written.
//!
//! Keycloak answers 500 to what its database cannot hold, and just so while its database is in trouble. What is
//! known to be too long is never sent. Of the rest it is taken that it comes from what is written when the same
//! breaks again and again, although what is there could be read each time, and others do not fare alike: their
//! writes were done meanwhile, or there were none for longer than a passing trouble. It is still tried again, as all that is refused: with each resync.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::store::Key;

/// How often the same breaks before it is taken to come from what is written: some ten seconds, with the
/// pauses between tries.
pub(super) const TRIES: u32 = 5;
/// What did not break for so long is forgotten: longer than a resync.
const MEMORY: Duration = Duration::from_hours(2);
/// What broke in this time is a sign of trouble in Keycloak: longer than the pause between two tries. One that breaks
/// alone must have done so for as long: it may be the only one written while Keycloak is in trouble.
const MOMENT: Duration = Duration::from_mins(2);

/// What broke, and what did not.
#[derive(Default)]
pub(super) struct Broken(Mutex<State>);

#[derive(Default)]
struct State {
    objects: HashMap<Key, Object>,
    /// When a write was done last.
    done: Option<Instant>,
}

/// One that broke.
struct Object {
    /// What was to be written.
    digest: String,
    tries: u32,
    first: Instant,
    last: Instant,
}

impl Broken {
    /// Something was written, or is no more to be.
    pub(super) fn done(&self, key: &Key, is_written: bool) {
        let mut state = self.lock();
        state.objects.remove(key);
        if is_written {
            state.done = Some(Instant::now());
        }
    }

    /// A write broke. Whether that is taken to come from what was to be written.
    pub(super) fn comes_from_it(&self, key: &Key, digest: String) -> bool {
        self.at(key, digest, Instant::now())
    }

    fn at(&self, key: &Key, digest: String, now: Instant) -> bool {
        let state = &mut *self.lock();
        let since = |at: Instant| now.duration_since(at);
        state.objects.retain(|_, object| since(object.last) < MEMORY);
        let alike =
            state.objects.iter().any(|(other, object)| other != key && since(object.last) < MOMENT);
        let object = state.objects.entry(key.clone()).or_insert_with(|| Object {
            digest: digest.clone(),
            tries: 0,
            first: now,
            last: now,
        });
        if object.digest != digest {
            *object = Object { digest, tries: 0, first: now, last: now };
        }
        object.tries += 1;
        object.last = now;
        let others_are_done = state.done.is_some_and(|at| at > object.first);
        let is_lasting = since(object.first) >= MOMENT;
        object.tries >= TRIES && (others_are_done || (!alike && is_lasting))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(tenant: &str) -> Key {
        Key::Tenant { tenant: tenant.into() }
    }

    /// How often it broke before it was taken to come from what is written; none if it never was.
    fn tries(broken: &Broken, tenant: &str) -> Option<u32> {
        (1..=3 * TRIES).find(|_| broken.comes_from_it(&key(tenant), "same".into()))
    }

    #[test]
    fn one_that_breaks_alone_is_refused_after_a_while() {
        let broken = Broken::default();
        let began = Instant::now();
        let breaks = |what: &str, at| broken.at(&key("acme"), what.into(), at);
        assert!((1..=3 * TRIES).all(|_| !breaks("same", began)), "it may pass");
        assert!(!breaks("same", began + MOMENT / 2));
        assert!(breaks("same", began + MOMENT));
        assert!(breaks("same", began + MOMENT), "and from then on at once");
        assert!(!breaks("another", began + MOMENT), "it was edited");
        assert!(!breaks("another", began + 2 * MOMENT), "not tried often enough");
    }

    #[test]
    fn one_that_breaks_while_others_are_done_is_refused_after_some_tries() {
        let broken = Broken::default();
        assert!(!broken.comes_from_it(&key("acme"), "same".into()));
        broken.done(&key("other"), true);
        assert_eq!(tries(&broken, "acme"), Some(TRIES - 1));
        broken.done(&key("acme"), true);
        assert_eq!(tries(&broken, "acme"), None, "it begins anew");
    }

    #[test]
    fn several_that_break_are_a_sign_of_trouble_unless_others_are_done() {
        let broken = Broken::default();
        assert!(!broken.comes_from_it(&key("other"), "x".into()));
        assert_eq!(tries(&broken, "acme"), None);
        broken.done(&key("third"), false);
        assert_eq!(tries(&broken, "acme"), None, "nothing was written");
        broken.done(&key("third"), true);
        assert_eq!(tries(&broken, "acme"), Some(1));
        assert!(!broken.comes_from_it(&key("other"), "x".into()), "not tried often enough");
        // Long ago it says nothing of now.
        let broken = Broken::default();
        let now = Instant::now();
        assert!(!broken.at(&key("other"), "x".into(), now));
        let later = |moments| now + moments * MOMENT;
        assert!((1..TRIES).all(|_| !broken.at(&key("acme"), "same".into(), later(2))));
        assert!(broken.at(&key("acme"), "same".into(), later(3)));
    }
}
