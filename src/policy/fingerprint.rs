//! What is to be done about a password in a Secret: whether its author wants a change.
//!
//! With each user the store keeps a fingerprint of the content that was last
//! applied. It tells whether the Secret has changed since, whatever the user has
//! done to the password meanwhile, and nobody learns a password from it who does
//! not have the key (`password::FingerprintKey` makes them).

use serde::{Deserialize, Serialize};

/// `<key id>:<hex HMAC>`: of one user's password, under one key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// Of a key's id, which has no `:`, and an HMAC under that key.
    #[must_use]
    pub fn new(key_id: &str, hmac: &[u8]) -> Self {
        Self(format!("{key_id}:{}", base16ct::lower::encode_string(hmac)))
    }

    /// Under which key it was made.
    #[must_use]
    pub fn key_id(&self) -> &str {
        self.0.split_once(':').map_or(&self.0, |(key_id, _)| key_id)
    }
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The Secret is as it was: the password is left alone, whatever the user did to it since.
    Nothing,
    /// The password is set, and the fingerprint recorded.
    Set,
    /// Whether the Secret has changed cannot be told: the fingerprint is recorded, the password
    /// left alone, and an Event says so.
    Record,
}

/// Decides by the fingerprint of the Secret as it is `now` and of the content `last` applied, if the
/// store has one. `is_new`: the user was made or adopted just now. `has_password`: the user has one
/// in the store.
#[must_use]
pub fn change(
    now: &Fingerprint,
    last: Option<&Fingerprint>,
    is_new: bool,
    has_password: bool,
) -> Change {
    match last {
        Some(last) if last == now => Change::Nothing,
        _ if is_new || !has_password => Change::Set,
        Some(last) if last.key_id() == now.key_id() => Change::Set,
        _ => Change::Record,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_names_its_key() {
        let made = Fingerprint::new("0a1b2c3d", &[0, 15, 160, 255]);
        assert_eq!(made.key_id(), "0a1b2c3d");
        let text = serde_json::to_string(&made).unwrap();
        assert_eq!(text, r#""0a1b2c3d:000fa0ff""#);
        assert_eq!(serde_json::from_str::<Fingerprint>(&text).unwrap(), made);
        // What another hand put there is under another key.
        assert_eq!(Fingerprint("garbage".into()).key_id(), "garbage");
    }

    #[test]
    fn whether_the_author_of_the_secret_wants_a_change() {
        let now = Fingerprint::new("key1", b"a");
        let (same, content, key) = (
            Some(Fingerprint::new("key1", b"a")),
            Some(Fingerprint::new("key1", b"b")),
            Some(Fingerprint::new("key2", b"a")),
        );
        for (last, is_new, has_password, expected) in [
            // "Same fingerprint: nothing is done, whatever the user did since."
            (&same, false, true, Change::Nothing),
            (&same, false, false, Change::Nothing),
            // A user that was made or adopted just now has no fingerprint of ours; if one was kept
            // all the same, this content has been applied.
            (&same, true, true, Change::Nothing),
            (&same, true, false, Change::Nothing),
            // "Another: the Secret's author wants a change, so it is set."
            (&content, false, true, Change::Set),
            (&content, false, false, Change::Set),
            (&content, true, true, Change::Set),
            (&content, true, false, Change::Set),
            // "None, on a user made or adopted just now: it is set."
            (&None, true, true, Change::Set),
            (&None, true, false, Change::Set),
            // "None otherwise [...]: nothing is set, the new one is recorded, an Event says so."
            (&None, false, true, Change::Record),
            // Without a password nothing can be overwritten: it is what the Secret is there for.
            (&None, false, false, Change::Set),
            // "or one under another key (rebuilt cluster)": the same as none.
            (&key, true, true, Change::Set),
            (&key, true, false, Change::Set),
            (&key, false, true, Change::Record),
            (&key, false, false, Change::Set),
        ] {
            assert_eq!(
                change(&now, last.as_ref(), is_new, has_password),
                expected,
                "{last:?}, new: {is_new}, has a password: {has_password}"
            );
        }
    }
}
