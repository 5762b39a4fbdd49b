//! What the tenant document says stands in the schema: ranges, and built-in values.

use super::*;

/// Ranges of the PlusAuth tenant document, below `spec` of a Tenant: integers as they are,
/// durations in seconds, strings by length.
///
/// Where a minimum is not the document's, its "off" (`0`, `""`) is a value of its own here.
const INTEGERS: [(&str, i64, i64); 9] = [
    ("settings.policies.accountBlocking.allowedAttempts", 5, 250),
    ("settings.policies.bruteForce.allowedAttempts", 5, 50),
    ("settings.policies.password.history", 0, 10), // 1 to 10, 0 is off
    ("settings.policies.password.lowerCase", 0, 32),
    ("settings.policies.password.max", 0, 128), // up to 128, 0 is off
    ("settings.policies.password.min", 0, 128), // no maximum, but more than max can never be
    ("settings.policies.password.number", 0, 32),
    ("settings.policies.password.upperCase", 0, 32),
    ("settings.policies.password.customChars", 0, 64), // 1 to 64, "" is off
];
const DURATIONS: [(&str, u64, u64); 12] = [
    ("settings.policies.accountBlocking.blockDuration", 60, 630_720_000),
    ("settings.policies.accountBlocking.duration", 60, 7_776_000),
    ("settings.policies.bruteForce.blockDuration", 60, 630_720_000),
    ("settings.policies.bruteForce.duration", 60, 7_776_000),
    ("settings.ttl.accessToken", 30, 2_592_000),
    ("settings.ttl.authorizationCode", 30, 86_400),
    ("settings.ttl.backchannelAuthenticationRequest", 30, 86_400),
    ("settings.ttl.clientCredentials", 30, 2_592_000),
    ("settings.ttl.deviceCode", 30, 86_400),
    ("settings.ttl.idToken", 30, 31_536_000),
    ("settings.ttl.refreshToken", 300, 15_552_000),
    ("settings.ttl.session", 600, 15_552_000),
];

#[test]
fn ranges_are_those_of_the_tenant_document() {
    for kind in [kind("Tenant"), kind("TenantProfile")] {
        for (path, min, max) in INTEGERS {
            let schema = kind.at(&format!("spec.{path}"));
            let [lower, upper] = match schema["type"].as_str() {
                Some("integer") => ["minimum", "maximum"],
                _ => ["minLength", "maxLength"],
            };
            assert_eq!(bound(schema, lower).unwrap_or(0), min, "{path}");
            assert_eq!(bound(schema, upper), Some(max), "{path}");
        }
        for (path, min, max) in DURATIONS {
            let [min, max] = [min, max].map(Duration::from_secs);
            let rules = &kind.at(&format!("spec.{path}"))["x-kubernetes-validations"];
            assert_eq!(
                rules[0]["rule"],
                format!(
                    "duration(self) >= duration('{min}') && duration(self) <= duration('{max}')"
                ),
                "{path}"
            );
            assert_eq!(rules[0]["message"], format!("must be between {min} and {max}"), "{path}");
        }
    }
    let tenant = kind("Tenant");
    let id = tenant.at("spec.tenantId");
    assert_eq!((id["minLength"].as_u64(), id["maxLength"].as_u64()), (Some(3), Some(48)));
    let enums = |path: &str| tenant.at(path)["enum"].clone();
    assert_eq!(enums("spec.settings.hashFunction"), json!(["argon2", "bcrypt"]));
    assert_eq!(enums("spec.settings.apiVersion"), json!(["2021-07-04"]));
    assert_eq!(enums("spec.settings.ciba.deliveryMode"), json!(["ping", "poll"]));
}

#[test]
fn every_duration_and_bounded_number_of_the_tenant_document_is_in_the_tables() {
    let tenant = kind("Tenant");
    let mut listed: BTreeSet<_> = INTEGERS.iter().map(|row| row.0).collect();
    listed.extend(DURATIONS.iter().map(|row| row.0));
    for (path, schema) in tenant.parts() {
        let Some(path) = path.strip_prefix("Tenant.spec.").filter(|path| path.starts_with("set"))
        else {
            continue;
        };
        let is_duration =
            schema["pattern"].as_str().is_some_and(|pattern| pattern.contains("[0-9]{1,6}h"));
        if is_duration || schema["type"] == "integer" {
            assert!(listed.contains(path), "{path}");
        }
    }
}

#[test]
fn built_in_values_stand_in_the_descriptions() {
    for kind in [kind("Tenant"), kind("TenantProfile")] {
        for (path, value) in leaves(&defaults::tenant_settings()) {
            let text = kind.at(&format!("spec.{path}"))["description"].as_str().unwrap().to_owned();
            let value = match value {
                Value::String(text) if !text.is_empty() => text,
                Value::String(_) | Value::Array(_) => "empty".into(),
                value => value.to_string(),
            };
            assert!(text.ends_with(&format!(" Default: {value}.")), "{path}: {text}");
        }
    }
    for kind in kinds() {
        for (path, _) in leaves(&defaults::spec(&kind.name)) {
            let schema = kind.at(&format!("spec.{path}"));
            // A profile has neither policy: it is not in the store.
            if schema.is_null() {
                assert!(kind.name == "TenantProfile" && path.ends_with("Policy"), "{path}");
                continue;
            }
            let text = schema["description"].as_str().unwrap();
            assert_eq!(text.matches("Default: ").count(), 1, "{path}: {text}");
        }
    }
}

/// What is never set is the person's own: a built-in value would take it away.
#[test]
fn what_a_person_may_fill_in_has_no_default() {
    let user = kind("User");
    let fields = ["email", "firstName", "lastName", "claims", "authenticationProviders"];
    for field in fields.into_iter().chain(["password", "requiredActions", "roles"]) {
        let text = user.at(&format!("spec.{field}"))["description"].as_str().unwrap().to_owned();
        assert!(text.ends_with(" Default: not managed."), "{field}: {text}");
    }
}

#[test]
fn every_setting_has_a_built_in_value() {
    for kind in [kind("Tenant"), kind("TenantProfile")] {
        let mut fields = schema_leaves(kind.at("spec.settings"), "settings");
        fields.extend(schema_leaves(kind.at("spec.keystore"), "keystore"));
        // An order, not a setting: it is nothing to inherit.
        assert_eq!(fields.remove("keystore.revoke"), kind.name == "Tenant");
        let built_in = leaves(&defaults::tenant_settings());
        let built_in: BTreeSet<_> = built_in.into_iter().map(|(path, _)| path).collect();
        assert_eq!(fields, built_in, "{}", kind.name);
    }
}

#[test]
fn what_can_be_locked_is_every_setting_and_every_group_of_them() {
    let profile = kind("TenantProfile");
    let mut paths = BTreeSet::new();
    for (path, _) in leaves(&defaults::tenant_settings()) {
        let parts: Vec<_> = path.split('.').collect();
        paths.extend((1..=parts.len()).map(|length| parts[..length].join(".")));
    }
    let locked = profile.at("spec.locked");
    let offered: Vec<_> =
        locked["items"]["enum"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(offered, paths.iter().collect::<Vec<_>>());
    assert_eq!(offered, defaults::lockable_paths());
    assert!(offered.len() <= usize::try_from(locked["maxItems"].as_u64().unwrap()).unwrap());
}
