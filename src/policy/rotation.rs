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

/// As many kids of revoked keys that made room are remembered.
const MAX_FORGOTTEN: usize = 64;

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
    asked_for: bool,
    at: Timestamp,
    longest_token: Duration,
}

/// Takes in what the store or status knows of a keystore and that itself does not, as after it was lost or
/// an older one was restored: nobody can sign with those keys any more, and what they signed must verify
/// until it expires. Answers their kids.
pub fn take_in(
    ledger: &mut Ledger,
    known: &[KeyRecord],
    schedule: Schedule,
    now: Timestamp,
) -> Vec<String> {
    let (mut lost, had) = (Vec::new(), ledger.keys.len());
    for key in &mut ledger.keys {
        let known = known.iter().find(|known| known.kid() == key.kid());
        let longest = known.map(|known| known.longest_token).unwrap_or_default();
        key.longest_token = key.longest_token.max(longest);
    }
    let missing: Vec<_> =
        known.iter().filter(|known| !ledger.knows(known.kid())).cloned().collect();
    for mut key in missing {
        // A key in waiting that a keystore does not have was withdrawn, and never signed.
        if key.is(KeyState::Standby) && had > 0 {
            continue;
        }
        if key.is_published() {
            key.longest_token = key.longest_token.max(schedule.longest_token);
            if !key.is(KeyState::Retired) {
                retire(&mut key, now);
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
        at_most(MAX_KEYS, ledger, schedule);
    }
    lost.retain(|kid| ledger.key(kid).is_some());
    lost
}

/// Decides what is to be done with a tenant's keys now.
#[must_use]
pub fn plan(ledger: &Ledger, inputs: &Inputs<'_>) -> Plan {
    let Inputs { schedule, now, .. } = *inputs;
    let mut after = ledger.clone();
    mend_times(&mut after.keys, now);
    after.keys.retain(|key| !key.is(KeyState::Retired) || key.leaves_at(schedule) > now);
    // Before another key takes over: tokens may live for so long by now.
    note_longest_token(&mut after.keys, schedule);
    publish(&mut after.keys, inputs);
    let mut asked_anew = is_asked_for(&after.keys);
    revoke(&mut after.keys, inputs.revoke, now);

    let (mut new, mut too_many, mut rotated) = (None, false, false);
    let new_key = |signs| NewKey {
        key_type: inputs.wanted,
        signs,
        asked_for: false,
        at: now,
        longest_token: schedule.longest_token,
    };
    let standby = find(&after.keys, KeyState::Standby);
    if let Some(active) = find(&after.keys, KeyState::Active) {
        match standby {
            Some(standby) if !inputs.wanted.is_of(&after.keys[standby].key.key) => {
                // It never signed, and is not wanted any more.
                after.keys.remove(standby);
            }
            Some(standby) if may_sign(&after.keys[standby], inputs) => {
                activate(&mut after.keys[standby], now);
                retire(&mut after.keys[active], now);
                rotated = true;
            }
            _ => {}
        }
    } else if inputs.first == FirstKey::Signs
        || after.keys.iter().any(|key| key.key.activated_at.is_some())
    {
        // The tenant's first, or that which signed was revoked or lost: there is no time to publish one.
        if let Some(standby) = standby {
            activate(&mut after.keys[standby], now);
            rotated = true;
        } else {
            at_most(MAX_KEYS - 1, &mut after, schedule);
            new = Some(new_key(true));
        }
    } else if let Some(standby) = standby {
        if may_sign(&after.keys[standby], inputs) {
            activate(&mut after.keys[standby], now);
            rotated = true;
        }
    } else {
        at_most(MAX_KEYS - 1, &mut after, schedule);
        new = Some(new_key(false));
    }

    let standby = find(&after.keys, KeyState::Standby);
    // A request that was carried out by a key that was withdrawn or revoked before it signed stands again.
    asked_anew &= standby.is_none() && !rotated;
    let asked = asked_anew || inputs.rotate.is_some() && inputs.rotate != ledger.rotate.as_deref();
    if let Some(active) = find(&after.keys, KeyState::Active)
        && standby.is_none()
    {
        let due = after.keys[active].followed_from(schedule).is_some_and(|due| due <= now);
        if due || asked && !rotated || !inputs.wanted.is_of(&after.keys[active].key.key) {
            if after.keys.len() < MAX_KEYS || make_room(&mut after) {
                new = Some(new_key(false));
            } else {
                too_many = true;
            }
        }
    }
    note_longest_token(&mut after.keys, schedule);
    if asked {
        // A key that is under way already is the rotation that was asked for.
        if let Some(standby) = standby {
            after.keys[standby].asked_for = true;
        }
        new = new.map(|new| NewKey { asked_for: !new.signs, ..new });
        if new.is_some() || standby.is_some() || rotated {
            after.rotate = inputs.rotate.map(ToOwned::to_owned).or(after.rotate);
        } else if asked_anew {
            after.rotate = None;
        }
    }
    Plan { ledger: after, new, too_many }
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
            asked_for: new.asked_for,
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
                if is_wrong(key.published_from()) {
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

/// A key in waiting that nobody could see is published from now on.
fn publish(keys: &mut [KeyRecord], inputs: &Inputs<'_>) {
    let now = stamp(inputs.now);
    for key in keys.iter_mut().filter(|key| key.is(KeyState::Standby)) {
        if !inputs.shown.contains(key.kid()) && now.0 > key.published_from() {
            key.published_at = Some(now.clone());
        }
    }
}

/// Whether a standby key may take over: it has been published for long enough.
fn may_sign(standby: &KeyRecord, inputs: &Inputs<'_>) -> bool {
    inputs.shown.contains(standby.kid()) && standby.signs_from(inputs.schedule) <= inputs.now
}

fn is_asked_for(keys: &[KeyRecord]) -> bool {
    keys.iter().any(|key| key.is(KeyState::Standby) && key.asked_for)
}

/// The key that signs remembers for how long its tokens may live.
pub fn note_longest_token(keys: &mut [KeyRecord], schedule: Schedule) {
    for key in keys.iter_mut().filter(|key| key.is(KeyState::Active)) {
        key.longest_token = key.longest_token.max(schedule.longest_token);
    }
}

fn activate(standby: &mut KeyRecord, now: Timestamp) {
    standby.key.state = KeyState::Active;
    standby.key.activated_at = Some(stamp(now));
    standby.asked_for = false;
}

fn retire(key: &mut KeyRecord, now: Timestamp) {
    key.key.state = KeyState::Retired;
    key.key.rotated_at = Some(stamp(now));
}

/// Lets keys go until there are at most so many: without one that signs, nobody can log in.
fn at_most(number: usize, ledger: &mut Ledger, schedule: Schedule) {
    while ledger.keys.len() > number {
        if !make_room(ledger) && !give_up_one(ledger, schedule) {
            return;
        }
    }
}

/// Lets the key go that was revoked first: it is in no JWKS, and has no private half. Its kid is
/// remembered. Answers whether there was one.
fn make_room(ledger: &mut Ledger) -> bool {
    let revoked_at = |key: &KeyRecord| key.key.revoked_at.as_ref().map(|at| at.0);
    let Some(key) = take_first(&mut ledger.keys, KeyState::Revoked, revoked_at) else {
        return false;
    };
    ledger.forgotten.push(key.kid().to_owned());
    let too_many = ledger.forgotten.len().saturating_sub(MAX_FORGOTTEN);
    ledger.forgotten.drain(..too_many);
    true
}

/// Gives up the retired key that would leave first. Answers whether there was one.
fn give_up_one(ledger: &mut Ledger, schedule: Schedule) -> bool {
    let leaves_at = |key: &KeyRecord| Some(key.leaves_at(schedule));
    take_first(&mut ledger.keys, KeyState::Retired, leaves_at).is_some()
}

fn take_first(
    keys: &mut Vec<KeyRecord>,
    state: KeyState,
    order: impl Fn(&KeyRecord) -> Option<Timestamp>,
) -> Option<KeyRecord> {
    let of_state = keys.iter().enumerate().filter(|(_, key)| key.is(state));
    let first = of_state.min_by_key(|(_, key)| order(key)).map(|(at, _)| at);
    first.map(|at| keys.remove(at))
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
