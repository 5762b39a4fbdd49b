//! What Keycloak can do with which setting.

use serde_json::{Map, Value};

use super::settings::{NATIVES, as_seconds};
use crate::{api::paths::is_at_or_below, policy::Support};

/// What Keycloak does with a setting of this value (docs/stores-keycloak.md has the table).
pub(super) fn of(path: &str, value: &Value) -> Support {
    match path {
        "keystore.algorithm" => {
            // No provider of Keycloak's imports an elliptic key.
            let is_rsa =
                value.as_str().is_some_and(|name| name.starts_with("RS") || name.starts_with("PS"));
            if is_rsa {
                Support::Enforced
            } else {
                Support::Unsupported { own: Some("RS256".into()) }
            }
        }
        // The operator itself does it.
        _ if is_at_or_below(path, "keystore") => Support::Enforced,
        // What a found realm's policy says of it stays, as long as nobody sets it.
        "settings.hashFunction" if value.is_object() => {
            Support::Unsupported { own: Some(value.clone()) }
        }
        "settings.hashFunction" if value != "argon2" => {
            Support::Unsupported { own: Some("argon2".into()) }
        }
        // It is in discovery, and tokens name what was reached by it; what a level takes is a matter of the realm's
        // flows, which are others'.
        "settings.acrValues" => nothing_or_carried(value),
        // A login always resets the count.
        "settings.policies.accountBlocking.resetAfterSuccess" if *value == Value::Bool(true) => {
            Support::Enforced
        }
        _ if NATIVES.iter().any(|native| native.path == path) => Support::Enforced,
        // What Keycloak has not is off there.
        "settings.policies.accountBlocking.allowUserUnblock"
        | "settings.policies.accountBlocking.notification"
        | "settings.policies.accountBlocking.resetAfterSuccess"
        | "settings.policies.bruteForce.enabled"
        | "settings.policies.bruteForce.notification" => switched_off(path, value),
        _ => nothing_or_carried(value),
    }
}

/// The settings that Keycloak cuts short because of others: no refresh token lives longer than its session.
pub(super) fn in_part(settings: &Map<String, Value>) -> Vec<&'static str> {
    let lives = |name: &str| as_seconds(settings.get("ttl")?.get(name)?);
    match (lives("refreshToken"), lives("session")) {
        (Some(token), Some(session)) if token > session => vec!["settings.ttl.refreshToken"],
        _ => Vec::new(),
    }
}

/// Whoever asks for it is told that it is only carried; where nobody asked, Keycloak's way is in force.
fn switched_off(path: &str, value: &Value) -> Support {
    let own = path.ends_with("resetAfterSuccess");
    if *value == Value::Bool(own) {
        Support::Enforced
    } else {
        Support::Unsupported { own: Some(own.into()) }
    }
}

/// A value that asks for nothing is done by doing nothing.
fn nothing_or_carried(value: &Value) -> Support {
    let nothing = match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    };
    if nothing { Support::Enforced } else { Support::Unsupported { own: Some(value.clone()) } }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        api::{TenantSpec, defaults},
        policy::{Reason, effective},
    };

    fn decide(spec: Value) -> Result<effective::Document, crate::policy::Problem> {
        let tenant: TenantSpec = serde_json::from_value(spec).unwrap();
        effective::decide(effective::Inputs {
            tenant: &tenant,
            profile: None,
            found: None,
            support: &of,
        })
    }

    #[test]
    fn the_smallest_tenant_is_done_wholly() {
        let document = decide(json!({})).unwrap();
        assert_eq!(document.unenforced, [""; 0]);
        assert_eq!(document.settings["policies"]["bruteForce"]["enabled"], false);
        assert_eq!(document.settings["policies"]["password"]["min"], 12);
        assert!(
            defaults::tenant_settings()["settings"]["policies"]["bruteForce"]["enabled"] == true
        );
    }

    #[test]
    fn a_refresh_token_that_outlives_its_session_is_named_where_somebody_sets_it() {
        for (ttl, named) in [
            (json!({"refreshToken": "20h"}), true),
            (json!({"refreshToken": "600m"}), false),
            (json!({"refreshToken": "2h", "session": "1h"}), true),
            (json!({"session": "1h"}), false),
        ] {
            let document = decide(json!({"settings": {"ttl": ttl}})).unwrap();
            let in_part = in_part(&document.settings);
            let document = document.with_unenforced(&in_part);
            let is_named = document.unenforced == ["settings.ttl.refreshToken"];
            assert_eq!(is_named, named, "{ttl}: {:?}", document.unenforced);
        }
    }

    #[test]
    fn how_a_found_realm_hashes_passwords_stays_until_somebody_says_how() {
        let fields = json!({"passwordPolicy.hashAlgorithm": "pbkdf2-sha512", "passwordPolicy.hashIterations": "210000"});
        let settings = Map::from_iter([("hashFunction".to_owned(), fields.clone())]);
        for (spec, is) in [
            (json!({}), fields.clone()),
            (json!({"settings": {"hashFunction": "argon2"}}), json!("argon2")),
        ] {
            let document = effective::decide(effective::Inputs {
                tenant: &serde_json::from_value(spec).unwrap(),
                profile: None,
                found: Some(effective::Found {
                    settings: &settings,
                    keystore: &Map::new(),
                    ever_set: &std::collections::BTreeSet::new(),
                }),
                support: &of,
            });
            assert_eq!(document.unwrap().settings["hashFunction"], is);
        }
    }

    #[test]
    fn what_is_asked_for_in_vain_is_said() {
        let document = decide(json!({"settings": {
            "hashFunction": "bcrypt", "autoSignIn": true, "rememberMe": true,
            "policies": {"bruteForce": {"enabled": true}, "accountBlocking": {"resetAfterSuccess": false}},
            "ttl": {"idToken": "1m", "accessToken": "1m"},
        }}))
        .unwrap();
        assert_eq!(
            document.unenforced,
            [
                "settings.autoSignIn",
                "settings.hashFunction",
                "settings.policies.accountBlocking.resetAfterSuccess",
                "settings.policies.bruteForce.enabled",
                "settings.ttl.idToken",
            ]
        );
        assert_eq!(document.unenforced_protection().len(), 2);
        let problem = decide(json!({"keystore": {"algorithm": "ES256"}})).unwrap_err();
        assert_eq!(problem.reason, Reason::UnsupportedByStore);
        assert!(decide(json!({"keystore": {"algorithm": "PS256"}})).is_ok());
    }
}
