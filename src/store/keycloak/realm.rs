//! A tenant as a realm: from its representation to fields and back.

use serde_json::{Map, Value, json};

use super::{
    beside,
    document::{self, Attributes, Carried},
    native::{self, Fields},
    password_policy,
    settings::NATIVES,
};
use crate::store::TenantState;

/// Members of the state with an attribute of their own.
pub(super) const ALONE: &[&str] = &["keystore", "organization", "settings", "subscription"];

const ATTRIBUTES: &str = "attributes.";

/// Fields that Keycloak resets when a realm is written without them, as it does with some attributes.
const COMPANIONS: [&str; 6] = [
    "oauth2DeviceCodeLifespan",
    "oauth2DevicePollingInterval",
    "clientSessionIdleTimeout",
    "clientSessionMaxLifespan",
    "clientOfflineSessionIdleTimeout",
    "clientOfflineSessionMaxLifespan",
];

/// The fields of a representation, with its attributes and the rules of its password policy.
pub(super) fn fields(realm: &Value) -> Fields {
    let mut fields = realm.as_object().cloned().unwrap_or_default();
    if let Some(Value::Object(attributes)) = fields.remove("attributes") {
        let named = |(name, value)| (format!("{ATTRIBUTES}{name}"), value);
        fields.extend(attributes.into_iter().map(named));
    }
    if let Some(Value::String(policy)) = fields.get("passwordPolicy") {
        let rules = password_policy::fields(policy);
        fields.extend(rules);
    }
    fields
}

/// What our attributes say.
pub(super) fn carried(fields: &Fields) -> Carried {
    document::read(
        |name| Some(fields.get(&format!("{ATTRIBUTES}{name}"))?.as_str()?.to_owned()),
        ALONE,
    )
}

/// The state as it is, and whether that is what was applied.
pub(super) fn state(tenant: &str, fields: &Fields) -> (TenantState, bool) {
    let carried = carried(fields);
    let mut observed = carried.document.clone();
    native::overlay(NATIVES, &mut observed, fields, carried.is_ours());
    if !carried.is_ours()
        && let Some(algorithm) = fields.get("defaultSignatureAlgorithm")
        && algorithm.as_str().is_some_and(|algorithm| !algorithm.is_empty())
    {
        observed.insert("keystore".into(), json!({"algorithm": algorithm}));
    }
    let is_as_applied = carried.is_whole && observed == carried.document;
    let base = TenantState { tenant_id: tenant.into(), ..TenantState::default() };
    (document::state(&base, &observed), is_as_applied)
}

/// What is to be sent so that a realm becomes as wanted; none if it is. `extra` are fields beside those
/// of the state.
pub(super) fn changes(
    wanted: &Map<String, Value>,
    attributes: &Attributes,
    extra: &Fields,
    fields: &Fields,
) -> Option<Value> {
    let mut changes = native::changes(NATIVES, wanted, fields);
    for (name, value) in attributes {
        changes.insert(format!("{ATTRIBUTES}{name}"), value.clone().into());
    }
    changes.extend(extra.clone());
    changes.retain(|name, value| {
        let have = fields.get(name).unwrap_or(&Value::Null);
        let is_none = have.is_null() && value.as_str() == Some("");
        have != value && !is_none && !name.starts_with(beside::PREFIX)
    });
    (!changes.is_empty()).then(|| body(&changes, fields))
}

/// The body of a request that makes these changes and no others: with all attributes, for without them Keycloak
/// resets some (of CIBA, and of pushed authorization requests).
pub(super) fn body(changes: &Fields, fields: &Fields) -> Value {
    let mut body = Map::new();
    let mut all: Map<String, Value> = Map::new();
    for (name, value) in fields {
        if let Some(name) = name.strip_prefix(ATTRIBUTES) {
            all.insert(name.into(), value.clone());
        }
    }
    let mut rules = false;
    for (name, value) in changes {
        if let Some(name) = name.strip_prefix(ATTRIBUTES) {
            if value.is_null() || value.as_str() == Some("") {
                all.remove(name);
            } else {
                all.insert(name.into(), value.clone());
            }
        } else if name.starts_with(password_policy::PREFIX) {
            rules = true;
        } else {
            body.insert(name.clone(), value.clone());
        }
    }
    if rules {
        let policy = fields.get("passwordPolicy").and_then(Value::as_str).unwrap_or_default();
        body.insert("passwordPolicy".into(), password_policy::with(policy, changes).into());
    }
    body.insert("attributes".into(), all.into());
    for name in COMPANIONS {
        if let (Some(value), false) = (fields.get(name), body.contains_key(name)) {
            body.insert(name.into(), value.clone());
        }
    }
    body.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{State, conformance::samples};

    #[test]
    fn only_what_differs_is_sent_and_nothing_is_reset() {
        let State::Tenant(tenant) = samples::rich().remove(0) else { unreachable!() };
        let desired = samples::desired(State::Tenant(tenant.clone()));
        let wanted = document::document(&tenant);
        let attributes = document::attributes(&desired, &wanted, ALONE);
        let realm = json!({"realm": "acme", "notBefore": 7, "passwordPolicy": "notUsername() and digits(2)",
            "oauth2DeviceCodeLifespan": 600, "attributes": {"theirs": "x"}});
        let sent = changes(&wanted, &attributes, &Fields::new(), &fields(&realm)).unwrap();
        assert_eq!(sent["attributes"]["theirs"], "x");
        assert_eq!(sent["oauth2DeviceCodeLifespan"], 600);
        assert_eq!(sent["passwordPolicy"], "notUsername() and digits(2) and length(12)");
        assert!(sent.get("notBefore").is_none() && sent.get("realm").is_none());
        let algorithm = json!({"defaultSignatureAlgorithm": "RS512"});
        let sent_alone = body(algorithm.as_object().unwrap(), &fields(&realm));
        assert_eq!(
            sent_alone,
            json!({"defaultSignatureAlgorithm": "RS512", "oauth2DeviceCodeLifespan": 600,
                "attributes": {"theirs": "x"}})
        );
        // Once it is so, there is nothing to send, and it is observed as applied.
        let mut realm = realm.as_object().unwrap().clone();
        realm.extend(sent.as_object().unwrap().clone());
        let after = fields(&realm.into());
        assert_eq!(changes(&wanted, &attributes, &Fields::new(), &after), None);
        assert_eq!(state("acme", &after), (tenant, true));
    }
}
