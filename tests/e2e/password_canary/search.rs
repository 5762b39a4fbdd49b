//! The search through all that was collected.

use std::fs;

use serde_json::{Value, json};

use super::Canary;
use crate::support::Traces;

/// Searches for each password, hash and fingerprint, and shows that each would be found.
pub fn nothing_is_found(canary: &Canary) {
    let mut passwords = Traces::default();
    for secret in &canary.secret {
        passwords.look_for("a password", secret);
    }
    let mut hashes = Traces::default();
    for hash in &canary.hashes {
        // What stands before the last `$` or `:` is no secret, but for the salt.
        for part in hash.split(['$', ':']).filter(|part| part.len() >= 22) {
            hashes.look_for("a hash or fingerprint", part.as_bytes());
        }
    }
    for (from, text) in &canary.told {
        for traces in [&passwords, &hashes] {
            if let Some(found) = traces.find(text) {
                panic!("{from} has {found}");
            }
        }
    }
    let mut stored = Vec::new();
    for file in fs::read_dir(canary.space.folder()).unwrap().map(|file| file.unwrap().path()) {
        if file.to_string_lossy().contains("store.db") {
            stored.extend(fs::read(&file).unwrap());
        }
    }
    if let Some(found) = passwords.find(&stored) {
        panic!("the store has {found}");
    }

    // And it is all of what is meant: there were hashes of both kinds and fingerprints, the log is that of every
    // level, the events are there; and each would be found.
    let begins = |begin: &str| canary.hashes.iter().filter(|hash| hash.starts_with(begin)).count();
    assert!(begins("$argon2id$") >= 5 && begins("$2b$") >= 3, "{}", canary.hashes.len());
    assert!(canary.hashes.iter().filter(|hash| hash.contains(':')).count() >= 5);
    for hash in &canary.hashes {
        assert!(hashes.find(json!([hash]).to_string().as_bytes()).is_some(), "{hash}");
    }
    for secret in &canary.secret {
        let as_secret: Value =
            json!({"data": {"password": k8s_openapi::ByteString(secret.clone())}});
        for text in
            [secret.clone(), as_secret.to_string().into_bytes(), format!("{secret:?}").into_bytes()]
        {
            assert!(passwords.find(&text).is_some());
        }
    }
    let text = |wanted: &str| {
        let texts = canary.told.iter().filter(|(from, _)| from == wanted);
        texts.map(|(_, text)| String::from_utf8_lossy(text)).collect::<String>()
    };
    assert!(text("the log").contains("TRACE") && text("/metrics").contains("controller=\"user\""));
    assert!(text("cmdline").contains("--store") && text("environ").contains("KUBECONFIG"));
    for reason in ["PasswordSet", "PasswordRejected", "StoreUnavailable", "Removed"] {
        assert!(text("events").contains(reason), "{reason}");
    }
}
