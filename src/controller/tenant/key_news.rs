//! What there is to tell when a keystore has changed: one event for each key that went on in its life.

use crate::{
    api::KeyState,
    controller::driver::Notice,
    policy::{
        Reason,
        ledger::{KeyRecord, Ledger, Schedule},
    },
};

/// What happened between two states of a keystore.
pub fn of(before: &Ledger, after: &Ledger, schedule: Schedule) -> Vec<Notice> {
    let gone = before.keys.iter().filter(|key| after.key(key.kid()).is_none()).filter_map(removed);
    let changed = after.keys.iter().filter_map(|key| {
        let was = before.key(key.kid()).map(|key| key.key.state);
        (was != Some(key.key.state)).then(|| told(key, was, before, after, schedule))?
    });
    gone.chain(changed).collect()
}

fn told(
    key: &KeyRecord,
    was: Option<KeyState>,
    before: &Ledger,
    after: &Ledger,
    schedule: Schedule,
) -> Option<Notice> {
    let kid = key.kid();
    match key.key.state {
        KeyState::Standby => Some(Notice::normal(
            Reason::KeyPublished,
            format!(
                "the {} key {kid} is published, and will sign from {}",
                key.key.key.alg,
                key.signs_from(schedule)
            ),
        )),
        KeyState::Active => {
            let old = before.active().and_then(|old| after.key(old.kid()));
            let (why, old) = match old {
                Some(old) if old.is(KeyState::Retired) => (
                    "takes over",
                    format!("; {} stays published until {}", old.kid(), old.leaves_at(schedule)),
                ),
                Some(_) => ("takes over from one that was revoked", String::new()),
                None => ("takes over", String::new()),
            };
            let ahead = if was.is_none() { ", without having been published ahead" } else { "" };
            Some(Notice::normal(
                Reason::KeyRotated,
                format!("the {} key {kid} {why} and signs{ahead}{old}", key.key.key.alg),
            ))
        }
        KeyState::Revoked => Some(Notice::warning(
            Reason::KeyRevoked,
            format!(
                "the key {kid} is revoked: it is out of the JWKS for good, and what it signed no longer verifies"
            ),
        )),
        // Told with the key that took over, or as lost.
        KeyState::Retired => None,
    }
}

fn removed(key: &KeyRecord) -> Option<Notice> {
    let kid = key.kid();
    let message = match key.key.state {
        KeyState::Retired => {
            format!("the key {kid} is no longer published: what it signed has expired")
        }
        KeyState::Standby => format!(
            "the key {kid} was withdrawn before it signed: keys of another kind are wanted now"
        ),
        // Only the memory of a revoked one is given up.
        KeyState::Active | KeyState::Revoked => return None,
    };
    Some(Notice::normal(Reason::KeyRemoved, message))
}
