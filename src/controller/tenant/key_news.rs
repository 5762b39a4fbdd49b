//! What there is to tell of a tenant's keys: an event for each that went on in its life since status showed it.
//!
//! Told by what status shows, not by what this pass has written: what a pass that failed in the end did
//! is told by the next one.

use jiff::Timestamp;

use crate::{
    api::{Key, KeyState},
    controller::driver::Notice,
    policy::{
        Reason,
        ledger::{KeyRecord, Ledger, Schedule},
    },
};

/// What happened since status showed these keys. Of a tenant's first ones there is nothing to tell.
pub fn of(shown: &[Key], now_there: &Ledger, schedule: Schedule, now: Timestamp) -> Vec<Notice> {
    if shown.is_empty() {
        return Vec::new();
    }
    let gone = shown.iter().filter(|key| now_there.key(&key.key.kid).is_none());
    let gone = gone.filter_map(|key| went(key, now_there, schedule, now));
    let changed = now_there.keys.iter().filter_map(|key| {
        let was = shown.iter().find(|shown| shown.key.kid == key.kid()).map(|key| key.state);
        (was != Some(key.key.state)).then(|| came(key, was, shown, now_there, schedule))?
    });
    gone.chain(changed).collect()
}

fn came(
    key: &KeyRecord,
    was: Option<KeyState>,
    shown: &[Key],
    now_there: &Ledger,
    schedule: Schedule,
) -> Option<Notice> {
    let (kid, alg) = (key.kid(), &key.key.key.alg);
    match key.key.state {
        KeyState::Standby => Some(Notice::normal(
            Reason::KeyPublished,
            format!(
                "the {alg} key {kid} is published, and will sign from {}",
                key.signs_from(schedule)
            ),
        )),
        KeyState::Active => {
            let old = shown.iter().find(|key| key.state == KeyState::Active);
            let old = old.and_then(|old| now_there.key(&old.key.kid));
            let from = match old {
                Some(old) if old.is(KeyState::Retired) => {
                    format!("; {} stays published until {}", old.kid(), old.leaves_at(schedule))
                }
                _ => String::new(),
            };
            let ahead = if was.is_none() { ", without having been published ahead" } else { "" };
            Some(Notice::normal(
                Reason::KeyRotated,
                format!("the {alg} key {kid} takes over and signs{ahead}{from}"),
            ))
        }
        KeyState::Revoked => Some(revoked(kid)),
        // Told with the key that took over, or as lost.
        KeyState::Retired => None,
    }
}

fn went(key: &Key, now_there: &Ledger, schedule: Schedule, now: Timestamp) -> Option<Notice> {
    let kid = &key.key.kid;
    if now_there.knows(kid) {
        return (key.state != KeyState::Revoked).then(|| revoked(kid));
    }
    match key.state {
        KeyState::Retired if schedule.ends(key) > now => Some(Notice::warning(
            Reason::KeyRemoved,
            format!(
                "the key {kid} is given up before its time, to make room for one that signs: what it signed no longer verifies"
            ),
        )),
        KeyState::Retired => Some(Notice::normal(
            Reason::KeyRemoved,
            format!("the key {kid} is no longer published: what it signed has expired"),
        )),
        KeyState::Standby => Some(Notice::normal(
            Reason::KeyRemoved,
            format!(
                "the key {kid} was withdrawn before it signed: keys of another kind are wanted now"
            ),
        )),
        KeyState::Active | KeyState::Revoked => None,
    }
}

fn revoked(kid: &str) -> Notice {
    Notice::warning(
        Reason::KeyRevoked,
        format!(
            "the key {kid} is revoked: it is out of the JWKS for good, and what it signed no longer verifies"
        ),
    )
}
