//! When a tenant's signing key is replaced next, as its status says.

use jiff::{SignedDuration, Timestamp};

use super::ledger::after;
use crate::api::{Key, KeyState, KeystoreSpec, defaults};

/// A rotation may be late by this much before anybody should look: the operator may have been restarted.
const GRACE: SignedDuration = SignedDuration::from_hours(1);

/// When a tenant's signing key is replaced next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NextRotation {
    /// It should have been more than an hour ago.
    Overdue,
    /// Within a day.
    Day,
    /// Within a week.
    Week,
    /// Later.
    Later,
    /// Never by itself: the tenant's `keystore.rotationPeriod` is 0s.
    Never,
}

impl NextRotation {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Overdue, Self::Day, Self::Week, Self::Later, Self::Never];

    /// Of a tenant with these keys, by the durations in force; none if none of them signs.
    #[must_use]
    pub fn of(keys: &[Key], keystore: &KeystoreSpec, now: Timestamp) -> Option<Self> {
        let in_state = |state| keys.iter().find(|key| key.state == state);
        let active = in_state(KeyState::Active)?;
        let period = keystore.rotation_period.unwrap_or(defaults::ROTATION_PERIOD);
        let due = if let Some(standby) = in_state(KeyState::Standby) {
            let publish_before = keystore.publish_before.unwrap_or(defaults::PUBLISH_BEFORE);
            after(standby.created_at.0, publish_before)
        } else if period.is_zero() {
            return Some(Self::Never);
        } else {
            after(active.activated_at.as_ref().unwrap_or(&active.created_at).0, period)
        };
        let left = due.duration_since(now);
        Some(if left < -GRACE {
            Self::Overdue
        } else if left <= SignedDuration::from_hours(24) {
            Self::Day
        } else if left <= SignedDuration::from_hours(7 * 24) {
            Self::Week
        } else {
            Self::Later
        })
    }

    /// The metric's label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Overdue => "overdue",
            Self::Day => "day",
            Self::Week => "week",
            Self::Later => "later",
            Self::Never => "never",
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A key that was made, and began to sign, so many hours after the day began.
    fn key(state: &str, hours: i64) -> Key {
        let at: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let at = at + SignedDuration::from_hours(hours);
        serde_json::from_value(json!({
            "key": {"kty": "OKP", "use": "sig", "alg": "EdDSA", "kid": state, "crv": "Ed25519", "x": ""},
            "state": state, "createdAt": at, "activatedAt": (state == "Active").then_some(at),
        }))
        .unwrap()
    }

    #[test]
    fn it_is_the_end_of_the_period_or_when_the_key_in_waiting_may_sign() {
        let keystore: KeystoreSpec =
            serde_json::from_value(json!({"rotationPeriod": "240h", "publishBefore": "24h"}))
                .unwrap();
        let off: KeystoreSpec = serde_json::from_value(json!({"rotationPeriod": "0s"})).unwrap();
        let now: Timestamp = "2026-01-11T00:00:00Z".parse().unwrap();
        for (keys, keystore, next) in [
            (vec![], &keystore, None),
            (vec![key("Standby", 0)], &keystore, None),
            (vec![key("Active", -2)], &keystore, Some(NextRotation::Overdue)),
            (vec![key("Active", -1)], &keystore, Some(NextRotation::Day)),
            (vec![key("Active", 24)], &keystore, Some(NextRotation::Day)),
            (vec![key("Active", 25)], &keystore, Some(NextRotation::Week)),
            (vec![key("Active", 169)], &keystore, Some(NextRotation::Later)),
            (vec![key("Active", 0)], &off, Some(NextRotation::Never)),
            // Asked for, or late: it goes by the key that waits.
            (vec![key("Active", 239), key("Standby", 239)], &keystore, Some(NextRotation::Day)),
            (vec![key("Active", -99), key("Standby", 239)], &keystore, Some(NextRotation::Day)),
            (vec![key("Active", 0), key("Standby", 200)], &off, Some(NextRotation::Overdue)),
        ] {
            assert_eq!(NextRotation::of(&keys, keystore, now), next, "{keys:?}");
        }
    }
}
