//! What a keystore records of a tenant's keys, and the times that follow from it.
//!
//! What is to become of the keys is decided in [`super::rotation`].

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde::{Deserialize, Serialize};

use crate::api::{Algorithm, Duration, Jwk, Key, KeyState, KeystoreSpec, Settings, defaults};

/// As many keys as a keystore has room for, revoked ones included.
pub const MAX_KEYS: usize = 20;

/// What a keystore records, as `keys.json` in its Secret: every key, and what was asked for last.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    /// The keys, in the order in which they were made.
    pub keys: Vec<KeyRecord>,
    /// The value of the annotation `keyreeve.dev/rotate` that was carried out last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotate: Option<String>,
    /// The kids of keys that were revoked and then made room for others: never to return.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forgotten: Vec<String>,
}

/// A key as the keystore records it: what status shows, and what only its schedule needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyRecord {
    /// As status shows it.
    #[serde(flatten)]
    pub key: Key,
    /// Since when it is published, where that is not since it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published_at: Option<Time>,
    /// Whether it was made because somebody asked to rotate: of one that waits.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub asked_for: bool,
    /// The longest life of a token that it may have signed.
    #[serde(default)]
    pub longest_token: Duration,
}

/// An algorithm, with the size where it has several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyType {
    /// The algorithm.
    pub algorithm: Algorithm,
    /// The size of an RSA key in bits; without meaning for others.
    pub size: u32,
}

/// The durations in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// How long a key signs; empty: until something else ends it.
    pub rotation_period: Duration,
    /// How long a key is published before it signs.
    pub publish_before: Duration,
    /// How long a replaced key stays published: never less than `longest_token`.
    pub retain_for: Duration,
    /// The longest life of an access or ID token.
    pub longest_token: Duration,
}

impl KeyType {
    /// The type in force; what is not said is as in the built-in values.
    #[must_use]
    pub fn of(keystore: &KeystoreSpec) -> Self {
        Self {
            algorithm: keystore.algorithm.unwrap_or(defaults::KEY_ALGORITHM),
            size: keystore.key_size.unwrap_or(defaults::KEY_SIZE),
        }
    }

    /// Whether a key is of this type.
    #[must_use]
    pub fn is_of(self, jwk: &Jwk) -> bool {
        let size_of = |n: &String| n.len() * 3 / 4 * 8;
        jwk.alg == self.algorithm.as_str()
            && jwk.n.as_ref().is_none_or(|n| u32::try_from(size_of(n)) == Ok(self.size))
    }
}

impl Schedule {
    /// The durations in force. A replaced key is retained for as long as its tokens live, at least:
    /// access tokens, those of client credentials among them, and ID tokens.
    #[must_use]
    pub fn of(keystore: &KeystoreSpec, settings: &Settings) -> Self {
        let ttl = settings.ttl.clone().unwrap_or_default();
        let longest_token = [ttl.access_token, ttl.client_credentials, ttl.id_token]
            .into_iter()
            .flatten()
            .max()
            .unwrap_or_default();
        Self {
            rotation_period: keystore.rotation_period.unwrap_or(defaults::ROTATION_PERIOD),
            publish_before: keystore.publish_before.unwrap_or(defaults::PUBLISH_BEFORE),
            retain_for: keystore.retain_for.unwrap_or(defaults::RETAIN_FOR).max(longest_token),
            longest_token,
        }
    }

    /// When what is retained of a key that was replaced ends.
    #[must_use]
    pub fn ends(self, key: &Key) -> Timestamp {
        let rotated = key.rotated_at.as_ref().unwrap_or(&key.created_at);
        after(rotated.0, self.retain_for)
    }
}

impl KeyRecord {
    /// The key's id.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.key.key.kid
    }

    /// Whether it is in this state.
    #[must_use]
    pub fn is(&self, state: KeyState) -> bool {
        self.key.state == state
    }

    /// Whether it is in the JWKS.
    #[must_use]
    pub fn is_published(&self) -> bool {
        !self.is(KeyState::Revoked)
    }

    /// Whether its private half is needed: it signs, or will.
    #[must_use]
    pub fn needs_private_half(&self) -> bool {
        self.is(KeyState::Active) || self.is(KeyState::Standby)
    }

    /// When it may begin to sign: of one that waits.
    #[must_use]
    pub fn signs_from(&self, schedule: Schedule) -> Timestamp {
        after(self.published_from(), schedule.publish_before)
    }

    /// Since when it is published.
    pub(super) fn published_from(&self) -> Timestamp {
        self.published_at.as_ref().unwrap_or(&self.key.created_at).0
    }

    /// When it leaves the JWKS: of a retired one.
    #[must_use]
    pub fn leaves_at(&self, schedule: Schedule) -> Timestamp {
        let rotated = self.key.rotated_at.as_ref().unwrap_or(&self.key.created_at);
        after(rotated.0, self.longest_token).max(schedule.ends(&self.key))
    }

    /// When the key that takes over must be published: of an active one.
    pub(super) fn followed_from(&self, schedule: Schedule) -> Option<Timestamp> {
        if schedule.rotation_period.is_zero() {
            return None;
        }
        let ahead = schedule.rotation_period.as_secs()
            - schedule.publish_before.as_secs().min(schedule.rotation_period.as_secs());
        let since = self.key.activated_at.as_ref().unwrap_or(&self.key.created_at);
        Some(after(since.0, Duration::from_secs(ahead)))
    }
}

impl Ledger {
    /// The key that signs, if there is one.
    #[must_use]
    pub fn active(&self) -> Option<&KeyRecord> {
        self.keys.iter().find(|key| key.is(KeyState::Active))
    }

    /// Whether it knows of a key of this id, and be it that it was revoked.
    #[must_use]
    pub fn knows(&self, kid: &str) -> bool {
        self.key(kid).is_some() || self.forgotten.iter().any(|other| other == kid)
    }

    /// The key of this id.
    #[must_use]
    pub fn key(&self, kid: &str) -> Option<&KeyRecord> {
        self.keys.iter().find(|key| key.kid() == kid)
    }

    /// When there is something to do again, if nothing else changes.
    #[must_use]
    pub fn next_look(&self, schedule: Schedule, now: Timestamp) -> Option<Timestamp> {
        let followed = self.keys.iter().any(|key| key.is(KeyState::Standby));
        let at = |key: &KeyRecord| match key.key.state {
            KeyState::Standby => Some(key.signs_from(schedule)),
            KeyState::Active if followed => None,
            KeyState::Active => key.followed_from(schedule),
            KeyState::Retired => Some(key.leaves_at(schedule)),
            KeyState::Revoked => None,
        };
        self.keys.iter().filter_map(at).filter(|at| *at > now).min()
    }
}

/// A time so much later.
pub(super) fn after(time: Timestamp, duration: Duration) -> Timestamp {
    let seconds = i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
    time.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX)
}
