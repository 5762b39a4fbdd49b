//! How long the finalizers must be gone before nobody is left who would put them back. Pure.

use std::time::Duration;

use tokio::time::Instant;

/// How long none may be found where the operator is known to have stopped: what one of its last writes still
/// brings, comes within moments.
const STOPPED: Duration = Duration::from_secs(5);
/// And where that is not known: longer than it takes another replica to take over from one that is gone, the 15
/// seconds of the Lease and some for its first look.
const UNKNOWN: Duration = Duration::from_secs(25);
/// How long after the first round, which takes long with many objects, one that ends may still put some back.
const COMES_BACK: Duration = Duration::from_secs(10);

/// What comes after a look.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Next {
    /// None has been found for long enough.
    Done,
    /// It is looked at again.
    Again,
    /// Those that were found are taken off first.
    TakeOff,
    /// Somebody puts them back.
    ComesBack,
}

/// What was found until now.
#[derive(Debug)]
pub struct Absence {
    needed: Duration,
    /// Since when none has been found.
    since: Option<Instant>,
    /// When the first round ended, if there was one.
    first: Option<Instant>,
}

impl Absence {
    /// Of finalizers whose operator is known to have stopped, or is not.
    pub fn new(is_stopped: bool) -> Self {
        let needed = if is_stopped { STOPPED } else { UNKNOWN };
        Self { needed, since: None, first: None }
    }

    /// A look that began then, and has found some or none.
    pub fn seen(&mut self, any: bool, began: Instant) -> Next {
        if any {
            self.since = None;
            let is_late = self.first.is_some_and(|first| began > first + COMES_BACK);
            return if is_late { Next::ComesBack } else { Next::TakeOff };
        }
        let since = *self.since.get_or_insert(began);
        if began >= since + self.needed { Next::Done } else { Next::Again }
    }

    /// All that were found have been taken off.
    pub fn taken_off(&mut self, now: Instant) {
        self.first.get_or_insert(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes after each of these looks: when, in seconds, and whether any was found.
    fn all(is_stopped: bool, looks: &[(u64, bool)]) -> Vec<Next> {
        let start = Instant::now();
        let mut absence = Absence::new(is_stopped);
        let looks = looks.iter().map(|(seconds, any)| {
            let at = start + Duration::from_secs(*seconds);
            let next = absence.seen(*any, at);
            if next == Next::TakeOff {
                absence.taken_off(at);
            }
            next
        });
        looks.collect()
    }

    #[test]
    fn one_look_at_which_none_is_found_is_not_the_end() {
        use Next::{Again, Done, TakeOff};
        assert_eq!(
            all(true, &[(0, true), (1, false), (5, false), (6, false)]),
            [TakeOff, Again, Again, Done]
        );
        assert_eq!(all(true, &[(0, false), (5, false)]), [Again, Done]);
    }

    #[test]
    fn where_nobody_knows_whether_an_operator_runs_it_takes_longer_than_a_replica_to_take_over() {
        use Next::{Again, ComesBack, Done, TakeOff};
        assert_eq!(
            all(false, &[(0, true), (1, false), (25, false), (26, false)]),
            [TakeOff, Again, Again, Done]
        );
        assert_eq!(
            all(false, &[(0, true), (1, false), (18, true)]),
            [TakeOff, Again, ComesBack],
            "the replica that has taken over puts them back"
        );
    }

    #[test]
    fn what_comes_back_at_once_is_taken_off_again_and_the_span_begins_anew() {
        use Next::{Again, ComesBack, Done, TakeOff};
        assert_eq!(
            all(true, &[(0, true), (1, false), (3, true), (4, false), (8, false), (9, false)]),
            [TakeOff, Again, TakeOff, Again, Again, Done]
        );
        assert_eq!(all(true, &[(0, true), (10, true), (11, true)]), [TakeOff, TakeOff, ComesBack]);
    }
}
