//! The life of a tenant's signing keys: what is to be done with them now, and
//! when to look again (design: Standby → Active → Retired → gone, or Revoked).
//!
//! Pure: the keys as the keystore records them, what is wanted, and the time go
//! in; the keys as they shall be, and at most one key to be made, come out. Key
//! material is never seen here.
//!
//! Times are told in whole seconds, rounded up: a key is then never published
//! for less, nor retained for less, than was asked for.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::ledger::{KeyRecord, KeyType, Ledger, MAX_KEYS, Schedule};
use crate::api::{Duration, Jwk, Key, KeyState};

/// Clocks of two machines may differ by this much; a time stamp that is further in the
/// future was written under a clock that was wrong.
const SKEW: SignedDuration = SignedDuration::from_mins(5);

/// What the first key of a tenant does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstKey {
    /// It signs at once: nobody knows other keys of the tenant.
    Signs,
    /// It is published first, as any later one: the tenant was adopted, and signs with keys that we do not know.
    IsPublished,
}

/// What the plan depends on beside the keys.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// The keys to sign with.
    pub wanted: KeyType,
    /// The durations in force.
    pub schedule: Schedule,
    /// Kids to revoke.
    pub revoke: &'a [String],
    /// The value of the annotation `keyreeve.dev/rotate`.
    pub rotate: Option<&'a str>,
    /// What the tenant's first key does.
    pub first: FirstKey,
    /// The kids that status shows already. A key that nobody could see has not been published.
    pub shown: &'a BTreeSet<String>,
    /// The time.
    pub now: Timestamp,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The keystore as it shall be, but for the key that is still to be made.
    pub ledger: Ledger,
    /// A key to be made and added ([`Plan::with_key`]).
    pub new: Option<NewKey>,
    /// A rotation is due and waits until there is room for another key.
    pub too_many: bool,
}

/// A key to be made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NewKey {
    /// Of which type.
    pub key_type: KeyType,
    /// Whether it signs at once; else it is published first.
    pub signs: bool,
    at: Timestamp,
    longest_token: Duration,
}

/// Takes in keys that were published and that the keystore does not have, as after it was lost or an older
/// one was restored: nobody can sign with them any more, and what they signed must verify until it expires.
/// Answers their kids.
pub fn take_in(
    ledger: &mut Ledger,
    known: &[KeyRecord],
    schedule: Schedule,
    now: Timestamp,
) -> Vec<String> {
    let (mut lost, had) = (Vec::new(), ledger.keys.len());
    let missing: Vec<_> =
        known.iter().filter(|known| ledger.key(known.kid()).is_none()).cloned().collect();
    // A key in waiting that a keystore does not have was withdrawn, and never signed.
    let withdrawn = !ledger.keys.is_empty();
    for mut key in missing {
        if key.is(KeyState::Standby) && withdrawn {
            continue;
        }
        if key.is_published() {
            key.longest_token = key.longest_token.max(schedule.longest_token);
            if !key.is(KeyState::Retired) {
                key.key.state = KeyState::Retired;
                key.key.rotated_at = Some(stamp(now));
            }
            if key.leaves_at(schedule) <= now {
                continue;
            }
            lost.push(key.kid().to_owned());
        }
        ledger.keys.push(key);
    }
    if ledger.keys.len() > had {
        // Not otherwise: after a clock that was turned back, the order of the times is not that in
        // which the keys were made, and another order is another thing to write.
        ledger.keys.sort_by_key(|key| key.key.created_at.0);
        at_most(MAX_KEYS, &mut ledger.keys, schedule);
    }
    lost.retain(|kid| ledger.key(kid).is_some());
    lost
}

/// Decides what is to be done with a tenant's keys now.
#[must_use]
pub fn plan(ledger: &Ledger, inputs: &Inputs<'_>) -> Plan {
    let Inputs { schedule, now, .. } = *inputs;
    let mut keys = ledger.keys.clone();
    mend_times(&mut keys, now);
    keys.retain(|key| !key.is(KeyState::Retired) || key.leaves_at(schedule) > now);
    revoke(&mut keys, inputs.revoke, now);

    let asked = inputs.rotate.is_some() && inputs.rotate != ledger.rotate.as_deref();
    let new_key = |signs| NewKey {
        key_type: inputs.wanted,
        signs,
        at: now,
        longest_token: schedule.longest_token,
    };
    let (mut new, mut too_many, mut rotated) = (None, false, false);
    let standby = find(&keys, KeyState::Standby);
    if let Some(active) = find(&keys, KeyState::Active) {
        match standby {
            Some(standby) if !inputs.wanted.is_of(&keys[standby].key.key) => {
                // It never signed, and is not wanted any more.
                keys.remove(standby);
            }
            Some(standby) if may_sign(&mut keys[standby], inputs) => {
                activate(&mut keys, standby, now);
                retire(&mut keys[active], now);
                rotated = true;
            }
            _ => {}
        }
    } else if inputs.first == FirstKey::Signs
        || keys.iter().any(|key| key.key.activated_at.is_some())
    {
        // The tenant's first, or that which signed was revoked or lost: there is no time to publish one.
        if let Some(standby) = standby {
            activate(&mut keys, standby, now);
            rotated = true;
        } else {
            at_most(MAX_KEYS - 1, &mut keys, schedule);
            new = Some(new_key(true));
        }
    } else if let Some(standby) = standby {
        if may_sign(&mut keys[standby], inputs) {
            activate(&mut keys, standby, now);
        }
    } else {
        at_most(MAX_KEYS - 1, &mut keys, schedule);
        new = Some(new_key(false));
    }

    let waits = find(&keys, KeyState::Standby).is_some();
    if let Some(active) = find(&keys, KeyState::Active)
        && !waits
    {
        let due = keys[active].followed_from(schedule).is_some_and(|due| due <= now);
        if due || asked && !rotated || !inputs.wanted.is_of(&keys[active].key.key) {
            if keys.len() < MAX_KEYS || make_room(&mut keys) {
                new = Some(new_key(false));
            } else {
                too_many = true;
            }
        }
    }
    if let Some(active) = find(&keys, KeyState::Active) {
        let longest = &mut keys[active].longest_token;
        *longest = schedule.longest_token.max(*longest);
    }
    // A key that is under way already is the rotation that was asked for.
    let carried_out = asked && (new.is_some() || waits || rotated);
    let rotate =
        if carried_out { inputs.rotate.map(ToOwned::to_owned) } else { ledger.rotate.clone() };
    Plan { ledger: Ledger { keys, rotate }, new, too_many }
}

impl Plan {
    /// The keystore with the key that was made.
    #[must_use]
    pub fn with_key(mut self, new: NewKey, jwk: Jwk) -> Ledger {
        let at = stamp(new.at);
        self.ledger.keys.push(KeyRecord {
            key: Key {
                key: jwk,
                state: if new.signs { KeyState::Active } else { KeyState::Standby },
                created_at: at.clone(),
                activated_at: new.signs.then_some(at),
                rotated_at: None,
                revoked_at: None,
            },
            published_at: None,
            longest_token: if new.signs { new.longest_token } else { Duration::default() },
        });
        self.ledger
    }
}

/// Brings what lies in the future, as after a clock that was wrong, to now: else nothing would rotate until
/// then. What is retired is left alone: it stays published for longer, which harms nobody.
fn mend_times(keys: &mut [KeyRecord], now: Timestamp) {
    let is_wrong = |time: Timestamp| time > now.saturating_add(SKEW).unwrap_or(Timestamp::MAX);
    for key in keys {
        match key.key.state {
            KeyState::Standby => {
                if is_wrong(key.published_at.as_ref().unwrap_or(&key.key.created_at).0) {
                    key.published_at = Some(stamp(now));
                }
            }
            KeyState::Active => {
                if key.key.activated_at.as_ref().is_some_and(|at| is_wrong(at.0)) {
                    key.key.activated_at = Some(stamp(now));
                }
            }
            KeyState::Retired | KeyState::Revoked => {}
        }
    }
}

/// Takes these kids out of the JWKS, for good.
pub fn revoke(keys: &mut [KeyRecord], kids: &[String], now: Timestamp) {
    for key in keys.iter_mut().filter(|key| key.is_published()) {
        if kids.iter().any(|kid| kid == key.kid()) {
            key.key.state = KeyState::Revoked;
            key.key.revoked_at = Some(stamp(now));
        }
    }
}

/// Whether a standby key may take over: it has been published for long enough, and could be seen.
/// One that could not be seen is published from now on.
fn may_sign(standby: &mut KeyRecord, inputs: &Inputs<'_>) -> bool {
    if standby.signs_from(inputs.schedule) > inputs.now {
        return false;
    }
    let shown = inputs.shown.contains(standby.kid());
    if !shown {
        standby.published_at = Some(stamp(inputs.now));
    }
    shown
}

fn activate(keys: &mut [KeyRecord], standby: usize, now: Timestamp) {
    keys[standby].key.state = KeyState::Active;
    keys[standby].key.activated_at = Some(stamp(now));
}

fn retire(active: &mut KeyRecord, now: Timestamp) {
    active.key.state = KeyState::Retired;
    active.key.rotated_at = Some(stamp(now));
}

/// Lets keys go until there are at most so many: without one that signs, nobody can log in.
fn at_most(number: usize, keys: &mut Vec<KeyRecord>, schedule: Schedule) {
    while keys.len() > number && (make_room(keys) || give_up_one(keys, schedule)) {}
}

/// Forgets the key that was revoked first: it is in no JWKS, and has no private half. Answers whether there was one.
fn make_room(keys: &mut Vec<KeyRecord>) -> bool {
    forget_first(keys, KeyState::Revoked, |key| key.key.revoked_at.as_ref().map(|at| at.0))
}

/// Gives up the retired key that would leave first.
fn give_up_one(keys: &mut Vec<KeyRecord>, schedule: Schedule) -> bool {
    forget_first(keys, KeyState::Retired, |key| Some(key.leaves_at(schedule)))
}

fn forget_first(
    keys: &mut Vec<KeyRecord>,
    state: KeyState,
    order: impl Fn(&KeyRecord) -> Option<Timestamp>,
) -> bool {
    let of_state = keys.iter().enumerate().filter(|(_, key)| key.is(state));
    let first = of_state.min_by_key(|(_, key)| order(key)).map(|(at, _)| at);
    first.map(|at| keys.remove(at)).is_some()
}

fn find(keys: &[KeyRecord], state: KeyState) -> Option<usize> {
    keys.iter().position(|key| key.is(state))
}

/// A time stamp: the next whole second.
fn stamp(now: Timestamp) -> Time {
    let seconds = now.as_second() + i64::from(now.subsec_nanosecond() > 0);
    Time(Timestamp::from_second(seconds).unwrap_or(now))
}

#[cfg(test)]
#[path = "rotation_tests.rs"]
mod tests;
