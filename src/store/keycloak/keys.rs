//! A tenant's signing keys as key providers of its realm.
//!
//! The id of a key's component is made from its kid, so that no crash makes a second one; its
//! priority is the time it was made, so that the younger of two active keys signs and no two are
//! alike. Keys that we did not make are never touched: they are of other ids.

use std::collections::BTreeMap;

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::{
    api::KeyState,
    store::{Error, SigningKey},
};

/// What components that hold keys are.
pub(super) const PROVIDER: &str = "org.keycloak.keys.KeyProvider";

/// A key that a realm has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HeldKey {
    pub component: String,
    pub kid: String,
    pub priority: i64,
    pub status: String,
    pub algorithm: String,
    /// Whether the key is the one that the kid names.
    pub is_meant: bool,
}

/// What is to be done so that a realm has the keys that it shall have, in this order.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Plan<'a> {
    /// Components to delete first: another hand put other keys into them.
    pub replace: Vec<String>,
    /// Keys to make, or to put right; the one that signs comes first.
    pub write: Vec<(&'a SigningKey, bool)>,
    /// Components of keys that are revoked, or no longer known.
    pub delete: Vec<String>,
}

impl Plan<'_> {
    pub(super) fn is_empty(&self) -> bool {
        self.replace.is_empty() && self.write.is_empty() && self.delete.is_empty()
    }
}

/// The keys that Keycloak tells of.
pub(super) fn held(keys: &Value) -> Vec<HeldKey> {
    let text = |key: &Value, name: &str| key[name].as_str().unwrap_or_default().to_owned();
    let keys = keys["keys"].as_array().map(Vec::as_slice).unwrap_or_default();
    keys.iter()
        .map(|key| HeldKey {
            component: text(key, "providerId"),
            kid: text(key, "kid"),
            priority: key["providerPriority"].as_i64().unwrap_or_default(),
            status: text(key, "status"),
            algorithm: text(key, "algorithm"),
            is_meant: STANDARD
                .decode(text(key, "publicKey"))
                .is_ok_and(|der| thumbprint(&der) == Some(text(key, "kid"))),
        })
        .collect()
}

/// The kids of our keys that a realm has, with the keys that were meant.
pub(super) fn ours(realm: &str, held: &[HeldKey]) -> Vec<String> {
    let is_ours = |key: &&HeldKey| key.is_meant && key.component == component_id(realm, &key.kid);
    held.iter().filter(is_ours).map(|key| key.kid.clone()).collect()
}

/// Whether the realm's keys are those that were applied last, by what is remembered of them.
pub(super) fn are_as_applied(
    realm: &str,
    applied: &BTreeMap<String, String>,
    held: &[HeldKey],
) -> bool {
    applied.iter().all(|(kid, remembered)| {
        let id = component_id(realm, kid);
        let found = held.iter().find(|key| key.component == id);
        found.is_some_and(|found| {
            found.is_meant && *remembered == remember(found.status.as_str(), found.priority)
        })
    })
}

/// What is remembered of each key that is applied, in a realm that had these before.
pub(super) fn remembered(
    realm: &str,
    keys: &[SigningKey],
    held: &[HeldKey],
) -> BTreeMap<String, String> {
    let is_held = |key: &&SigningKey| {
        let id = component_id(realm, &key.public.kid);
        held.iter().any(|held| held.component == id)
    };
    let published = keys.iter().filter(|key| match key.state {
        KeyState::Active | KeyState::Standby => true,
        // One that somebody deleted stays gone, and is drift once.
        KeyState::Retired => is_held(key),
        KeyState::Revoked => false,
    });
    published
        .map(|key| (key.public.kid.clone(), remember(status(key.state), priority(key))))
        .collect()
}

fn remember(status: &str, priority: i64) -> String {
    format!("{status} {priority}")
}

/// The algorithm that the realm signs with by default: that of the key that signs.
pub(super) fn signs_with(keys: &[SigningKey]) -> Option<&str> {
    let active = keys.iter().find(|key| key.state == KeyState::Active)?;
    Some(&active.public.alg)
}

/// What is to be done.
///
/// # Errors
/// A key that signs, or will, is not there, and its private half was not given: it was there when
/// the caller looked.
pub(super) fn plan<'a>(
    realm: &str,
    wanted: &'a [SigningKey],
    applied: &BTreeMap<String, String>,
    held: &[HeldKey],
) -> Result<Plan<'a>, Error> {
    let mut plan = Plan::default();
    for key in wanted {
        let id = component_id(realm, &key.public.kid);
        let found = held.iter().find(|held| held.component == id);
        match (found, key.state) {
            (Some(_), KeyState::Revoked) => plan.delete.push(id),
            (None, KeyState::Revoked) => {}
            (Some(found), _) if !found.is_meant => match (&key.private, key.state) {
                (Some(_), _) => {
                    plan.replace.push(id);
                    plan.write.push((key, true));
                }
                // The right one is gone: better none than another.
                (None, KeyState::Retired) => plan.delete.push(id),
                (None, _) => return Err(Error::Raced),
            },
            (Some(found), state) => {
                let is_right = found.status == status(state)
                    && found.priority == priority(key)
                    && found.algorithm == key.public.alg;
                if !is_right {
                    plan.write.push((key, false));
                }
            }
            (None, _) if key.private.is_some() => plan.write.push((key, true)),
            // Its private half is gone, and with it the way to bring it back.
            (None, KeyState::Retired) => {}
            (None, _) => return Err(Error::Raced),
        }
    }
    let is_known = |kid: &&String| wanted.iter().any(|key| key.public.kid == **kid);
    for kid in applied.keys().filter(|kid| !is_known(kid)) {
        let id = component_id(realm, kid);
        if held.iter().any(|held| held.component == id) {
            plan.delete.push(id);
        }
    }
    plan.write.sort_by_key(|(key, _)| key.state != KeyState::Active);
    Ok(plan)
}

/// The component of a key; with its private half if it is new. Keycloak keeps what a change leaves out.
pub(super) fn component(realm: &str, key: &SigningKey, is_new: bool) -> Value {
    let mut config = json!({
        "priority": [priority(key).to_string()],
        "enabled": ["true"],
        "active": [(key.state == KeyState::Active).to_string()],
        "algorithm": [key.public.alg],
    });
    if is_new && let Some(private) = &key.private {
        config["privateKey"] = json!([private.as_str()]);
        // Keycloak's own would be another thumbprint. It takes one only now.
        config["kid"] = json!([key.public.kid]);
    }
    json!({
        "id": component_id(realm, &key.public.kid),
        "name": format!("keyreeve-{}", key.public.kid),
        "subType": "keyreeve",
        "providerId": "rsa",
        "config": config,
    })
}

/// The components of a new realm: with one of ours Keycloak makes none of its own, so the two that
/// it needs beside it are asked for.
pub(super) fn components(realm: &str, keys: &[SigningKey]) -> Value {
    let published =
        keys.iter().filter(|key| key.state != KeyState::Revoked && key.private.is_some());
    let mut components: Vec<Value> = published.map(|key| component(realm, key, true)).collect();
    for (name, id, algorithm) in [
        ("hmac-generated-hs512", "hmac-generated", Some("HS512")),
        ("aes-generated", "aes-generated", None),
    ] {
        let mut config = json!({"priority": ["100"]});
        if let Some(algorithm) = algorithm {
            config["algorithm"] = json!([algorithm]);
        }
        components.push(json!({"name": name, "providerId": id, "config": config}));
    }
    components.into()
}

/// Unique in all of Keycloak, and always the same.
pub(super) fn component_id(realm: &str, kid: &str) -> String {
    let hash = Sha256::digest(format!("{realm}\n{kid}"));
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid().to_string()
}

fn priority(key: &SigningKey) -> i64 {
    key.created_at.as_second()
}

const fn status(state: KeyState) -> &'static str {
    match state {
        KeyState::Active => "ACTIVE",
        KeyState::Standby | KeyState::Retired => "PASSIVE",
        KeyState::Revoked => "DISABLED",
    }
}

/// The RFC 7638 thumbprint of an RSA key in DER: by it a kid tells whether its key is there. Keycloak keeps
/// the kid when another hand puts another key under it.
fn thumbprint(der: &[u8]) -> Option<String> {
    /// The public exponent that all keys of ours have, 65537, as it ends the key (RFC 8017, A.1.1).
    const EXPONENT: [u8; 5] = [2, 3, 1, 0, 1];
    let rest = der.strip_suffix(&EXPONENT)?;
    // The modulus before it: an integer, with a zero in front because its first bit is set.
    let modulus = [256_usize, 384, 512].into_iter().find_map(|length| {
        let (before, modulus) = rest.split_at_checked(rest.len().checked_sub(length)?)?;
        let [high, low] = u16::try_from(length + 1).ok()?.to_be_bytes();
        before.ends_with(&[2, 0x82, high, low, 0]).then_some(modulus)
    })?;
    let members = json!({"e": "AQAB", "kty": "RSA", "n": URL_SAFE_NO_PAD.encode(modulus)});
    Some(URL_SAFE_NO_PAD.encode(Sha256::digest(members.to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        api::{Algorithm, Jwk},
        keystore::{PrivateKey, jwk},
        policy::ledger::KeyType,
    };

    fn key(kid: &str, state: KeyState, second: i64, private: bool) -> SigningKey {
        SigningKey {
            public: Jwk {
                kty: "RSA".into(),
                use_: "sig".into(),
                alg: "RS256".into(),
                kid: kid.into(),
                n: Some(URL_SAFE_NO_PAD.encode(kid)),
                e: Some("AQAB".into()),
                crv: None,
                x: None,
                y: None,
            },
            state,
            created_at: jiff::Timestamp::from_second(second).unwrap(),
            private: private.then(|| "pem".to_owned().into()),
        }
    }

    fn held(kid: &str, status: &str, priority: i64) -> HeldKey {
        HeldKey {
            component: component_id("acme", kid),
            kid: kid.into(),
            priority,
            status: status.into(),
            algorithm: "RS256".into(),
            is_meant: true,
        }
    }

    #[test]
    fn the_new_key_signs_before_the_old_one_stops() {
        let wanted = [
            key("old", KeyState::Retired, 1, false),
            key("new", KeyState::Active, 2, false),
            key("next", KeyState::Standby, 3, true),
            key("bad", KeyState::Revoked, 0, false),
        ];
        let found = [
            held("old", "ACTIVE", 1),
            held("new", "PASSIVE", 2),
            held("bad", "ACTIVE", 0),
            held("forgotten", "PASSIVE", -1),
            HeldKey { component: "theirs".into(), ..held("theirs", "ACTIVE", 100) },
        ];
        let applied = BTreeMap::from([("forgotten".into(), String::new())]);
        let plan = plan("acme", &wanted, &applied, &found).unwrap();
        let order: Vec<_> =
            plan.write.iter().map(|(key, new)| (key.public.kid.as_str(), *new)).collect();
        assert_eq!(order, [("new", false), ("old", false), ("next", true)]);
        assert_eq!(plan.delete, ["bad", "forgotten"].map(|kid| component_id("acme", kid)));
        assert!(plan.replace.is_empty());
        assert_eq!(signs_with(&wanted), Some("RS256"));
    }

    #[test]
    fn nothing_is_done_where_nothing_differs() {
        let wanted = [
            key("a", KeyState::Active, 5, false),
            key("b", KeyState::Retired, 4, false),
            key("gone", KeyState::Retired, 3, false),
        ];
        let found = [held("a", "ACTIVE", 5), held("b", "PASSIVE", 4)];
        assert!(plan("acme", &wanted, &BTreeMap::new(), &found).unwrap().is_empty());
        let known = remembered("acme", &wanted, &found);
        assert!(are_as_applied("acme", &known, &found));
        assert_eq!(ours("acme", &found), ["a", "b"]);
        // Of one that is gone it is told once.
        assert!(!are_as_applied("acme", &known, &found[..1]));
        let known = remembered("acme", &wanted, &found[..1]);
        assert!(are_as_applied("acme", &known, &found[..1]));
    }

    #[test]
    fn another_key_under_our_name_is_replaced() {
        let found = [HeldKey { is_meant: false, ..held("a", "ACTIVE", 5) }];
        let wanted = [key("a", KeyState::Active, 5, true)];
        let plan = plan("acme", &wanted, &BTreeMap::new(), &found).unwrap();
        assert_eq!((plan.replace.len(), plan.write.len()), (1, 1));
        assert!(ours("acme", &found).is_empty(), "so that its private half is given");
    }

    #[test]
    fn a_kid_tells_its_key() {
        for size in [2048, 3072] {
            let key_type = KeyType { algorithm: Algorithm::RS256, size };
            let key = PrivateKey::generate(key_type).unwrap();
            let pem = jwk::public_pem(key.jwk()).unwrap();
            let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
            let told = json!({"keys": [
                {"kid": key.jwk().kid, "publicKey": base64}, {"kid": "x", "publicKey": base64}, {"kid": "y"},
            ]});
            let is_meant: Vec<_> = super::held(&told).iter().map(|key| key.is_meant).collect();
            assert_eq!(is_meant, [true, false, false]);
        }
    }

    #[test]
    fn a_key_that_is_gone_is_asked_for() {
        let wanted = [key("a", KeyState::Active, 5, false)];
        assert!(matches!(plan("acme", &wanted, &BTreeMap::new(), &[]), Err(Error::Raced)));
    }
}
