//! Which fields of a realm hold which settings of a tenant.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{
    beside,
    native::{Native, flag, native, read_text, text},
    password_policy::{characters_of, pattern_of},
};
use crate::api::{Duration, paths::look_up};

type Document = Map<String, Value>;

/// What a realm has fields for.
pub(super) const NATIVES: &[Native] = &[
    text("displayName", &["displayName"]),
    flag("enabled", &["enabled"]),
    flag("settings.forceEmailVerification", &["verifyEmail"]),
    flag("settings.forgotPasswordEnabled", &["resetPasswordAllowed"]),
    flag("settings.registerEnabled", &["registrationAllowed"]),
    flag("settings.rememberMe", &["rememberMe"]),
    flag("settings.userSelfDeletion.enabled", &[beside::SELF_DELETION]),
    native(
        "settings.extraScopes",
        &[beside::SCOPES],
        |value, _| {
            let names = value.as_array()?.iter().filter_map(Value::as_str);
            let names: BTreeSet<&str> = names.collect();
            Some(vec![names.into_iter().collect()])
        },
        |fields| fields[0].as_array().cloned().unwrap_or_default().into(),
    ),
    native(
        "settings.hashFunction",
        // The iterations of another function would be those of argon2: a login would take minutes.
        &["passwordPolicy.hashAlgorithm", "passwordPolicy.hashIterations"],
        // Argon2 is what Keycloak takes where its policy says nothing, and bcrypt it has not.
        |_, _| Some(vec![Value::Null; 2]),
        |_| "argon2".into(),
    ),
    native("settings.acrValues", &["attributes.acr.loa.map"], write_levels, read_levels),
    native(
        "settings.ciba.deliveryMode",
        &["attributes.cibaBackchannelTokenDeliveryMode"],
        |value, _| Some(vec![value.as_str()?.into()]),
        read_text,
    ),
    flag("settings.policies.accountBlocking.enabled", &["bruteForceProtected"]),
    number("settings.policies.accountBlocking.allowedAttempts", &["failureFactor"]),
    seconds("settings.policies.accountBlocking.duration", &["maxDeltaTimeSeconds"]),
    native(
        "settings.policies.accountBlocking.blockDuration",
        &[
            "waitIncrementSeconds",
            "maxFailureWaitSeconds",
            // Two failures in quick succession would lock an account out otherwise.
            "quickLoginCheckMilliSeconds",
            // It would take away `enabled`, which is not a lock-out's to take.
            "permanentLockout",
        ],
        |value, _| {
            let seconds = as_seconds(value)?;
            Some(vec![seconds.into(), seconds.into(), 0.into(), false.into()])
        },
        |fields| read_seconds(&fields[..1]),
    ),
    rule("settings.policies.password.min", &["passwordPolicy.length"]),
    rule("settings.policies.password.max", &["passwordPolicy.maxLength"]),
    rule("settings.policies.password.lowerCase", &["passwordPolicy.lowerCase"]),
    rule("settings.policies.password.upperCase", &["passwordPolicy.upperCase"]),
    rule("settings.policies.password.number", &["passwordPolicy.digits"]),
    rule("settings.policies.password.history", &["passwordPolicy.passwordHistory"]),
    native(
        "settings.policies.password.customChars",
        &["passwordPolicy.regexPattern"],
        |value, _| {
            let characters = value.as_str()?;
            let none = characters.is_empty();
            Some(vec![if none { Value::Null } else { pattern_of(characters).into() }])
        },
        |fields| {
            let pattern = fields[0].as_str().unwrap_or_default();
            characters_of(pattern).unwrap_or_default().into()
        },
    ),
    seconds("settings.ttl.accessToken", &["accessTokenLifespan"]),
    seconds("settings.ttl.authorizationCode", &["accessCodeLifespan"]),
    seconds("settings.ttl.deviceCode", &["oauth2DeviceCodeLifespan"]),
    native(
        "settings.ttl.session",
        &["ssoSessionIdleTimeout", "ssoSessionMaxLifespan"],
        |value, _| as_seconds(value).map(|seconds| vec![seconds.into(); 2]),
        read_seconds,
    ),
    Native {
        // What was found stays as long as the session has room for it.
        bound: Some(within_session),
        ..native(
            "settings.ttl.refreshToken",
            &["clientSessionIdleTimeout", "clientSessionMaxLifespan"],
            |value, _| as_seconds(value).map(|seconds| vec![seconds.into(); 2]),
            read_seconds,
        )
    },
    native(
        "settings.ttl.backchannelAuthenticationRequest",
        &["attributes.cibaExpiresIn"],
        |value, _| Some(vec![as_seconds(value)?.to_string().into()]),
        |fields| {
            let seconds = fields[0].as_str().and_then(|text| text.parse().ok());
            seconds.map_or(Value::Null, of_seconds)
        },
    ),
];

const fn number(path: &'static str, fields: &'static [&'static str]) -> Native {
    native(path, fields, |value, _| Some(vec![value.as_u64()?.into()]), |fields| fields[0].clone())
}

const fn seconds(path: &'static str, fields: &'static [&'static str]) -> Native {
    native(path, fields, |value, _| Some(vec![as_seconds(value)?.into()]), read_seconds)
}

/// A rule of the password policy that counts; 0 is none.
const fn rule(path: &'static str, fields: &'static [&'static str]) -> Native {
    native(
        path,
        fields,
        |value, _| {
            let number = value.as_u64()?;
            Some(vec![if number == 0 { Value::Null } else { number.to_string().into() }])
        },
        |fields| {
            let number = fields[0].as_str().and_then(|text| text.parse::<u64>().ok());
            number.unwrap_or_default().into()
        },
    )
}

pub(super) fn as_seconds(value: &Value) -> Option<u64> {
    Some(value.as_str()?.parse::<Duration>().ok()?.as_secs())
}

fn of_seconds(seconds: u64) -> Value {
    Duration::from_secs(seconds).to_string().into()
}

/// The last of the fields says it: a session has an idle time before its longest one.
fn read_seconds(fields: &[Value]) -> Value {
    let last = fields.iter().rev().find_map(Value::as_u64);
    last.map_or(Value::Null, of_seconds)
}

/// Keycloak refuses a client's session that is longer than the user's.
fn within_session(fields: Vec<Value>, document: &Document) -> Vec<Value> {
    let session = look_up(document, "settings.ttl.session");
    let longest = |field: &str| {
        let found = session.and_then(|session| session.get(field)).and_then(Value::as_u64);
        session.and_then(as_seconds).or(found).unwrap_or(u64::MAX)
    };
    let longest = ["ssoSessionIdleTimeout", "ssoSessionMaxLifespan"].map(longest);
    let within = |(field, longest): (Value, u64)| match field.as_u64() {
        Some(seconds) => seconds.min(longest).into(),
        None => field,
    };
    fields.into_iter().zip(longest).map(within).collect()
}

/// The levels of authentication that clients may ask for: a map from value to level, weakest first.
fn write_levels(value: &Value, _: &Document) -> Option<Vec<Value>> {
    let values = value.as_array()?.iter().filter_map(Value::as_str).zip(1..);
    let levels: Map<String, Value> =
        values.map(|(value, level)| (value.to_owned(), json!(level))).collect();
    let none = levels.is_empty();
    Some(vec![if none { Value::Null } else { Value::Object(levels).to_string().into() }])
}

fn read_levels(fields: &[Value]) -> Value {
    let text = fields[0].as_str().unwrap_or_default();
    let levels: Map<String, Value> = serde_json::from_str(text).unwrap_or_default();
    let mut levels: Vec<(Option<i64>, String)> = levels
        .into_iter()
        .map(|(value, level)| {
            let text = level.as_str().and_then(|level| level.parse().ok());
            (level.as_i64().or(text), value)
        })
        .collect();
    levels.sort();
    levels.into_iter().map(|(_, value)| value).collect::<Vec<_>>().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        api::defaults,
        store::keycloak::native::{self, Fields},
    };

    fn built_in() -> Document {
        let Value::Object(mut document) = defaults::tenant_settings() else { unreachable!() };
        document.insert("enabled".into(), true.into());
        document.insert("displayName".into(), "Acme".into());
        document
    }

    #[test]
    fn every_setting_comes_back_from_its_fields() {
        let document = built_in();
        let fields = native::changes(NATIVES, &document, &Fields::new());
        assert_eq!(fields["waitIncrementSeconds"], 900);
        assert_eq!(fields["ssoSessionMaxLifespan"], 36000);
        assert_eq!(fields["attributes.cibaExpiresIn"], "120");
        assert_eq!(fields["passwordPolicy.length"], "12");
        assert!(native::changes(NATIVES, &document, &fields).is_empty());
        // Of what we never made, all that the fields say.
        let mut found = Document::new();
        native::overlay(NATIVES, &mut found, &fields, false);
        for native in NATIVES {
            assert_eq!(
                look_up(&found, native.path),
                look_up(&document, native.path),
                "{}",
                native.path
            );
        }
    }

    #[test]
    fn a_value_stays_as_it_was_written() {
        let mut document = json!({"settings": {"ttl": {"session": "600m", "refreshToken": "20h"}}});
        let document = document.as_object_mut().unwrap();
        let fields = native::changes(NATIVES, document, &Fields::new());
        assert_eq!(fields["clientSessionMaxLifespan"], 36000, "no longer than the session");
        let before = document.clone();
        native::overlay(NATIVES, document, &fields, true);
        assert_eq!(*document, before);
        let mut other = fields.clone();
        other.insert("ssoSessionIdleTimeout".into(), 60.into());
        native::overlay(NATIVES, document, &other, true);
        assert_eq!(
            look_up(document, "settings.ttl.session"),
            Some(&json!({"ssoSessionIdleTimeout": 60, "ssoSessionMaxLifespan": 36000}))
        );
        // Which is what makes these fields, where it is to stay as found.
        let kept = native::changes(NATIVES, document, &other);
        assert_eq!(kept, *json!({"clientSessionIdleTimeout": 60}).as_object().unwrap());
        assert_eq!(native::changes(NATIVES, &before, &other)["ssoSessionIdleTimeout"], 36000);
    }

    #[test]
    fn what_was_found_of_a_clients_session_goes_no_further_than_a_session_that_is_shortened() {
        let found = json!({"clientSessionIdleTimeout": 900, "clientSessionMaxLifespan": 7200});
        let fields = |session: &str| {
            let document =
                json!({"settings": {"ttl": {"session": session, "refreshToken": found}}});
            native::changes(NATIVES, document.as_object().unwrap(), &Fields::new())
        };
        let (long, short) = (fields("10h"), fields("30m"));
        assert_eq!(
            (&long["clientSessionIdleTimeout"], &long["clientSessionMaxLifespan"]),
            (&json!(900), &json!(7200))
        );
        assert_eq!(
            (&short["clientSessionIdleTimeout"], &short["clientSessionMaxLifespan"]),
            (&json!(900), &json!(1800))
        );
    }
}
