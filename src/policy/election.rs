//! Who may lead: decided from what a Lease says, and since when this machine has seen it say so.
//!
//! As in client-go no clock is compared with another machine's: a candidate waits until the Lease has
//! stayed the same for its whole duration by the candidate's own monotonic clock. The times in a Lease
//! are for people.

use std::time::{Duration, Instant};

/// How long a leader's lease lasts: as long does another one wait after it was last renewed. The
/// durations are controller-runtime's.
pub const LEASE: Duration = Duration::from_secs(15);

/// How long a leader leads after the last renewal that it is sure of. What is left of the lease is for what
/// was under way.
pub const RENEW_DEADLINE: Duration = Duration::from_secs(10);

/// How often a leader renews its lease.
pub const RETRY: Duration = Duration::from_secs(2);

/// What of a Lease a decision hangs on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Who holds it, if anybody does.
    pub holder: Option<String>,
    /// How long it lasts after a renewal.
    pub duration: Duration,
    /// When it was renewed, by its holder's clock: only compared with itself.
    pub renewed: Option<String>,
    /// How often it went from one to another.
    pub transitions: i32,
}

/// A record, and since when it is known to say so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// What it says.
    pub record: Record,
    /// Since when, by this machine's monotonic clock.
    pub since: Instant,
}

/// What a candidate does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Takes the lease, on condition that it is as it was seen.
    Take,
    /// Looks again after this time at the latest.
    Wait(Duration),
}

impl Observed {
    /// The record as it was seen just now, after what was seen before.
    #[must_use]
    pub fn after(before: Option<Self>, record: Record, now: Instant) -> Self {
        match before {
            Some(before) if before.record == record => before,
            _ => Self { record, since: now },
        }
    }

    /// What a candidate of this name does. A lease that still bears its own name is one that it lost,
    /// or took without hearing of it: nobody else leads by it.
    #[must_use]
    pub fn next(&self, candidate: &str, now: Instant) -> Next {
        match &self.record.holder {
            None => Next::Take,
            Some(holder) if holder.is_empty() || holder == candidate => Next::Take,
            Some(_) => {
                let left = self.record.duration.saturating_sub(now.duration_since(self.since));
                if left.is_zero() { Next::Take } else { Next::Wait(left.min(RETRY)) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(holder: Option<&str>, renewed: &str) -> Record {
        Record {
            holder: holder.map(Into::into),
            duration: LEASE,
            renewed: Some(renewed.into()),
            transitions: 3,
        }
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_lease_that_nobody_holds_is_taken_at_once() {
        let now = Instant::now();
        for holder in [None, Some(""), Some("me")] {
            let seen = Observed::after(None, record(holder, "12:00"), now);
            assert_eq!(seen.next("me", now), Next::Take, "{holder:?}");
        }
    }

    #[test]
    fn a_lease_is_taken_when_it_has_not_changed_for_its_whole_duration() {
        let start = Instant::now();
        let seen = Observed::after(None, record(Some("other"), "12:00"), start);
        assert_eq!(seen.next("me", start), Next::Wait(RETRY));
        assert_eq!(seen.next("me", start + seconds(14)), Next::Wait(seconds(1)));
        assert_eq!(seen.next("me", start + LEASE), Next::Take);
        assert_eq!(seen.next("me", start + seconds(100)), Next::Take);
    }

    #[test]
    fn a_renewal_begins_the_wait_anew_and_a_look_at_the_same_does_not() {
        let start = Instant::now();
        let seen = Observed::after(None, record(Some("other"), "12:00"), start);
        let same = Observed::after(Some(seen), record(Some("other"), "12:00"), start + seconds(14));
        assert_eq!(same.next("me", start + LEASE), Next::Take);
        let renewed =
            Observed::after(Some(same), record(Some("other"), "12:02"), start + seconds(14));
        assert_eq!(renewed.next("me", start + LEASE), Next::Wait(RETRY));
        assert_eq!(renewed.next("me", start + seconds(29)), Next::Take);
    }

    /// A minute ahead, a minute behind, or no time at all: what counts is that it changes.
    #[test]
    fn what_time_the_holder_s_clock_shows_does_not_matter() {
        let start = Instant::now();
        for clock in ["11:59", "12:00", "12:01"] {
            let seen = Observed::after(None, record(Some("other"), clock), start);
            assert_eq!(seen.next("me", start + seconds(14)), Next::Wait(seconds(1)));
            assert_eq!(seen.next("me", start + LEASE), Next::Take);
        }
    }

    #[test]
    fn a_holder_s_own_duration_counts() {
        let now = Instant::now();
        let record = Record { duration: seconds(60), ..record(Some("other"), "12:00") };
        let seen = Observed::after(None, record, now);
        assert_eq!(seen.next("me", now + seconds(59)), Next::Wait(seconds(1)));
        assert_eq!(seen.next("me", now + seconds(60)), Next::Take);
    }

    /// The time between the end of a term and the end of its lease is what keeps two leaders apart.
    #[test]
    fn a_leader_stops_well_before_another_one_can_begin() {
        assert!(RENEW_DEADLINE + seconds(5) <= LEASE);
        assert!(RETRY * 3 < RENEW_DEADLINE, "more than one renewal may fail");
    }
}
