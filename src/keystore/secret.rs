//! What is in a keystore's Secret, and what must hold for it to be whole.
//!
//! `keys.json` (the ledger: every key with its state and times), `active` (the kid
//! that signs) and `<kid>.pem` (PKCS#8) for each key that signs or will. An
//! annotation carries the mark: whose it is.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::core::ObjectMeta;
use serde_json::{Value, json};

use super::{
    generate::{PrivateKey, kid_of},
    jwk,
};
use crate::{
    api::KeyState,
    policy::{
        claim::Mark,
        ledger::{KeyRecord, Ledger, MAX_KEYS},
    },
};

/// The Secret's type, which nobody can change.
pub const KIND: &str = "keyreeve.dev/keystore";
const MARK: &str = "keyreeve.dev/mark";
/// `kubectl apply` keeps a copy of all that it applied in it, private halves included, for good.
const COPY: &str = "kubectl.kubernetes.io/last-applied-configuration";
const LEDGER: &str = "keys.json";
const ACTIVE: &str = "active";
const PREFIX: &str = "keystore-";

/// The Secret of a tenant.
#[must_use]
pub fn name(tenant_id: &str) -> String {
    format!("{PREFIX}{tenant_id}")
}

/// The tenant of a Secret.
#[must_use]
pub fn tenant_of(name: &str) -> Option<&str> {
    name.strip_prefix(PREFIX)
}

/// What is wrong with a Secret: another hand has made or edited it. Never says what is in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// Of another type.
    #[error("it is of the type {0}")]
    Type(String),
    /// An entry is not there.
    #[error("{0} is missing")]
    Missing(String),
    /// An entry is there that none of the keys needs.
    #[error("nothing of ours is called {0}")]
    Unexpected(String),
    /// The ledger is none.
    #[error("keys.json cannot be read (line {line}, column {column})")]
    Ledger {
        /// Where.
        line: usize,
        /// Where there.
        column: usize,
    },
    /// The ledger cannot be true.
    #[error("keys.json {0}")]
    Untrue(String),
    /// Two entries do not fit together.
    #[error("{0} is not that of keys.json")]
    Differs(String),
}

/// How to mark a Secret that has lost its mark.
pub(super) fn how_to_mark(mark: &Mark) -> String {
    format!("{MARK}='{}'", as_json(mark))
}

/// Whose it is.
pub(super) fn mark(meta: &ObjectMeta) -> Option<Mark> {
    serde_json::from_str(meta.annotations.as_ref()?.get(MARK)?).ok()
}

/// Whether there is a copy of what it once held in an annotation.
pub(super) fn has_copy(meta: &ObjectMeta) -> bool {
    meta.annotations.as_ref().is_some_and(|annotations| annotations.contains_key(COPY))
}

/// Reads a Secret's content, if it is whole: every key that needs a private half has that very one.
pub(super) fn read(secret: &Secret) -> Result<Ledger, Damage> {
    let type_ = secret.type_.as_deref().unwrap_or_default();
    if type_ != KIND {
        return Err(Damage::Type(type_.into()));
    }
    let nothing = BTreeMap::new();
    let data = secret.data.as_ref().unwrap_or(&nothing);
    let ledger = entry(data, LEDGER)?;
    let ledger: Ledger = serde_json::from_slice(ledger)
        .map_err(|error| Damage::Ledger { line: error.line(), column: error.column() })?;
    check(&ledger)?;
    let active = ledger.active().map_or("", KeyRecord::kid);
    if entry(data, ACTIVE)? != active.as_bytes() {
        return Err(Damage::Differs(ACTIVE.into()));
    }
    let mut expected = BTreeSet::from([LEDGER.to_owned(), ACTIVE.to_owned()]);
    for key in ledger.keys.iter().filter(|key| key.needs_private_half()) {
        let name = pem_name(key.kid());
        let pem = std::str::from_utf8(entry(data, &name)?).ok();
        if pem.and_then(|pem| kid_of(pem, &key.key.key.alg)).as_deref() != Some(key.kid()) {
            return Err(Damage::Differs(name));
        }
        expected.insert(name);
    }
    match data.keys().find(|name| !expected.contains(*name)) {
        Some(other) => Err(Damage::Unexpected(other.clone())),
        None => Ok(ledger),
    }
}

/// Whether a ledger is one that the operator could have written.
fn check(ledger: &Ledger) -> Result<(), Damage> {
    let untrue = |what: String| Err(Damage::Untrue(what));
    let count = |state| ledger.keys.iter().filter(|key| key.is(state)).count();
    let (active, standby) = (count(KeyState::Active), count(KeyState::Standby));
    if ledger.keys.len() > MAX_KEYS {
        return untrue(format!("has {} keys, more than {MAX_KEYS}", ledger.keys.len()));
    }
    if active > 1 || standby > 1 || active + standby == 0 {
        return untrue(format!("has {active} Active and {standby} Standby keys"));
    }
    let mut kids = BTreeSet::new();
    for key in &ledger.keys {
        if !jwk::is_whole(&key.key.key) {
            return untrue("has a key that is not as the operator makes them".into());
        }
        if !kids.insert(key.kid()) {
            return untrue(format!("has the key {} twice", key.kid()));
        }
    }
    Ok(())
}

/// A new Secret.
pub(super) fn new(tenant_id: &str, mark: &Mark, ledger: &Ledger, key: &PrivateKey) -> Secret {
    let labels =
        [("app.kubernetes.io/managed-by", "keyreeve"), ("keyreeve.dev/tenant-id", tenant_id)];
    Secret {
        metadata: ObjectMeta {
            name: Some(name(tenant_id)),
            annotations: Some(BTreeMap::from([(MARK.to_owned(), as_json(mark))])),
            labels: Some(labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into()),
            ..ObjectMeta::default()
        },
        type_: Some(KIND.into()),
        data: Some(BTreeMap::from([
            (LEDGER.to_owned(), ByteString(as_json(ledger).into_bytes())),
            (ACTIVE.to_owned(), ByteString(active(ledger).as_bytes().to_vec())),
            (pem_name(&key.jwk().kid), ByteString(key.pem().as_bytes().to_vec())),
        ])),
        ..Secret::default()
    }
}

/// The merge patch that makes a Secret with `before` one with `after`: what is not needed any more goes.
pub(super) fn patch(
    version: &str,
    mark: &Mark,
    before: &Ledger,
    after: &Ledger,
    key: Option<&PrivateKey>,
) -> Value {
    let mut text = json!({ LEDGER: as_json(after), ACTIVE: active(after) });
    if let Some(key) = key {
        text[pem_name(&key.jwk().kid)] = key.pem().into();
    }
    let needed = |kid: &str| after.key(kid).is_some_and(KeyRecord::needs_private_half);
    let gone: serde_json::Map<_, _> = before
        .keys
        .iter()
        .filter(|key| key.needs_private_half() && !needed(key.kid()))
        .map(|key| (pem_name(key.kid()), Value::Null))
        .collect();
    json!({
        "metadata": {"resourceVersion": version, "annotations": {MARK: as_json(mark), COPY: null}},
        "stringData": text,
        "data": gone,
    })
}

fn active(ledger: &Ledger) -> &str {
    ledger.active().map_or("", KeyRecord::kid)
}

fn as_json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

pub(super) fn pem_name(kid: &str) -> String {
    format!("{kid}.pem")
}

fn entry<'a>(data: &'a BTreeMap<String, ByteString>, name: &str) -> Result<&'a [u8], Damage> {
    data.get(name).map(|value| value.0.as_slice()).ok_or_else(|| Damage::Missing(name.into()))
}

#[cfg(test)]
#[path = "secret_tests.rs"]
mod tests;
