//! Walks over the generated CRDs: the rules that hold for every schema.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{
    super::{Duration, paths::for_each_leaf},
    *,
};

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

/// The schema of one kind, down to its `spec` and `status`.
struct Kind {
    name: String,
    crd: Value,
}

fn kinds() -> Vec<Kind> {
    let kinds: Vec<_> = crds()
        .unwrap()
        .into_iter()
        .map(|crd| Kind {
            name: crd.spec.names.kind.clone(),
            crd: serde_json::to_value(crd).unwrap(),
        })
        .collect();
    assert_eq!(kinds.len(), 5);
    kinds
}

fn kind(name: &str) -> Kind {
    kinds().into_iter().find(|kind| kind.name == name).unwrap()
}

impl Kind {
    fn root(&self) -> &Value {
        &self.crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    }

    /// The schema at a path below the root, such as `spec.settings.ttl`.
    fn at(&self, path: &str) -> &Value {
        path.split('.').fold(self.root(), |schema, name| &schema["properties"][name])
    }

    /// Every part of the schema with its path.
    fn parts(&self) -> Vec<(String, &Value)> {
        let mut parts = Vec::new();
        collect(self.root(), self.name.clone(), &mut parts);
        parts
    }
}

fn collect<'a>(schema: &'a Value, path: String, parts: &mut Vec<(String, &'a Value)>) {
    for (name, child) in schema["properties"].as_object().into_iter().flatten() {
        collect(child, format!("{path}.{name}"), parts);
    }
    for (key, suffix) in [("items", "[]"), ("additionalProperties", "{}")] {
        if let Some(child) = schema.get(key) {
            collect(child, format!("{path}{suffix}"), parts);
        }
    }
    parts.push((path, schema));
}

fn leaves(document: &Value) -> Vec<(String, Value)> {
    let mut leaves = Vec::new();
    for_each_leaf(document.as_object().unwrap(), "", &mut |path, value| {
        leaves.push((path.to_owned(), value.clone()));
    });
    leaves
}

/// The leaves of a schema, as [`for_each_leaf`] sees documents of it: lists are leaves.
fn schema_leaves(schema: &Value, path: &str) -> BTreeSet<String> {
    let Some(properties) = schema["properties"].as_object() else {
        return BTreeSet::from([path.to_owned()]);
    };
    properties
        .iter()
        .flat_map(|(name, child)| schema_leaves(child, &format!("{path}.{name}")))
        .collect()
}

/// A bound of a schema; the derive writes some of them as floating-point numbers.
#[allow(clippy::cast_possible_truncation, reason = "small and whole")]
fn bound(schema: &Value, key: &str) -> Option<i64> {
    schema[key].as_f64().map(|number| number as i64)
}

#[test]
fn the_one_default_is_that_of_status() {
    for kind in kinds() {
        let with_default: Vec<_> = kind
            .parts()
            .into_iter()
            .filter_map(|(path, schema)| Some((path, schema.get("default")?.clone())))
            .collect();
        let status = format!("{}.status", kind.name);
        assert_eq!(with_default, [(status, json!({"observedGeneration": -1}))]);
    }
}

#[test]
fn nothing_is_nullable() {
    for kind in kinds() {
        for (path, schema) in kind.parts() {
            assert!(schema.get("nullable").is_none(), "{path}");
        }
    }
}

#[test]
fn everything_has_a_type_and_a_bound() {
    for kind in kinds() {
        for (path, schema) in kind.parts() {
            let has = |key: &str| schema.get(key).is_some();
            let values = schema["enum"].as_array();
            assert!(values.is_none_or(|values| !values.contains(&Value::Null)), "{path}");
            let open = has("x-kubernetes-preserve-unknown-fields");
            assert_eq!(open, path == "User.spec.claims", "{path}");
            // These classes are ASCII's to Go and Unicode's to Rust.
            let rules = schema["x-kubernetes-validations"].as_array().into_iter().flatten();
            let patterns = [&schema["pattern"]].into_iter().chain(rules.map(|rule| &rule["rule"]));
            for pattern in patterns.filter_map(Value::as_str) {
                let doubtful = [r"\s", r"\S", r"\d", r"\D", r"\w", r"\W", r"\b", "(?i)"];
                assert!(!doubtful.iter().any(|class| pattern.contains(class)), "{path}: {pattern}");
            }
            match schema["type"].as_str().unwrap_or_default() {
                "string" => assert!(has("maxLength") || has("enum"), "{path}"),
                "array" => {
                    assert!(has("maxItems"), "{path}");
                    assert!(has("x-kubernetes-list-type"), "{path}");
                }
                "object" if has("additionalProperties") || open => {
                    assert!(has("maxProperties"), "{path}");
                }
                "object" => assert!(has("properties"), "{path}"),
                "integer" => {
                    let bounded = has("enum") || (has("minimum") && has("maximum"));
                    assert!(bounded || path.contains(".status."), "{path}");
                }
                "boolean" => {}
                other => panic!("{path} is of type {other:?}"),
            }
        }
    }
}

/// One rule judges such a text, by its pattern, and nothing of the pattern is said to people.
#[test]
fn what_people_write_most_is_refused_in_words() {
    for (kind, path, says) in [
        ("User", "spec.username", "must have no spaces"),
        ("User", "spec.email", "must be one email address"),
        ("Tenant", "spec.organization.email", "must be one email address"),
        ("Role", "spec.rules[].paths[]", "must begin with /"),
    ] {
        let (kind, place) = (self::kind(kind), path);
        let (_, schema) = kind.parts().into_iter().find(|(path, _)| path.ends_with(place)).unwrap();
        let rules = schema["x-kubernetes-validations"].as_array().unwrap();
        assert_eq!(rules.len(), 1, "{place}");
        assert!(pattern_of_rule(&rules[0]).is_some(), "{place}");
        assert!(rules[0]["message"].as_str().unwrap().starts_with(says), "{place}");
        assert_eq!(schema.get("pattern"), None, "{place}");
    }
}

/// Server-side apply of a CRD merges rules by their text.
#[test]
fn no_rule_stands_twice_in_one_place() {
    for kind in kinds() {
        for (path, schema) in kind.parts() {
            let rules = schema.get("x-kubernetes-validations").and_then(Value::as_array);
            let texts: Vec<_> =
                rules.into_iter().flatten().map(|rule| rule["rule"].to_string()).collect();
            let distinct: BTreeSet<_> = texts.iter().collect();
            assert_eq!(distinct.len(), texts.len(), "{} {path}", kind.name);
        }
    }
}

#[test]
fn every_field_is_described_in_a_sentence() {
    for kind in kinds() {
        for (path, schema) in kind.parts() {
            for (name, field) in schema["properties"].as_object().into_iter().flatten() {
                let text = field["description"].as_str().unwrap_or_default();
                assert!(text.len() > 5 && text.ends_with('.'), "{path}.{name}: {text:?}");
            }
        }
    }
}

#[test]
fn a_plain_kubectl_apply_takes_every_crd() {
    // It keeps the whole object in an annotation; all annotations together may have 256 KiB.
    for kind in kinds() {
        assert!(kind.crd.to_string().len() < 200_000, "{}", kind.name);
    }
}

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

#[test]
fn names_columns_and_selectable_fields_are_as_documented() {
    // Kind, short name, columns, columns of `-o wide`, selectable fields.
    let table = [
        (
            "Tenant",
            "tnt",
            "Tenant-Id Type Enabled Plan Users Ready Status Age",
            "Region Remember-Me Reset-Password Registration Admin",
            ".spec.tenantId .spec.profileRef.name",
        ),
        ("TenantProfile", "tprof", "Plan Tenants Ready Status Age", "", ".spec.plan"),
        ("Namespace", "tns", "Tenant Name Ready Status Age", "", ".spec.tenantRef.name .spec.name"),
        (
            "Role",
            "trole",
            "Tenant Name Namespace Ready Status Age",
            "",
            ".spec.tenantRef.name .spec.namespaceRef.name .spec.name",
        ),
        (
            "User",
            "tusr",
            "Tenant Username Enabled Ready Status Age",
            "",
            ".spec.tenantRef.name .spec.username .spec.email",
        ),
    ];
    let each = |list: &Value, key: &str| -> Vec<String> {
        let list = list.as_array().cloned().unwrap_or_default();
        list.iter().map(|item| item[key].as_str().unwrap().to_owned()).collect()
    };
    for (name, short, plain, wide, selectable) in table {
        let crd = kind(name).crd;
        let (names, version) = (&crd["spec"]["names"], &crd["spec"]["versions"][0]);
        assert_eq!(crd["spec"]["scope"], "Namespaced");
        assert_eq!(names["shortNames"], json!([short]));
        assert_eq!(names["categories"], json!(["keyreeve"]));
        let (wide_columns, columns): (Vec<_>, Vec<_>) =
            version["additionalPrinterColumns"].as_array().cloned().unwrap().into_iter().partition(
                |column| column["priority"].as_i64().is_some_and(|priority| priority > 0),
            );
        assert_eq!(each(&columns.into(), "name").join(" "), plain, "{name}");
        assert_eq!(each(&wide_columns.into(), "name").join(" "), wide, "{name}");
        assert_eq!(each(&version["selectableFields"], "jsonPath").join(" "), selectable, "{name}");
        assert_eq!(version["subresources"], json!({"status": {}}), "{name}");
    }
}

#[test]
fn columns_and_selectable_fields_show_fields_that_are_there() {
    for kind in kinds() {
        let version = &kind.crd["spec"]["versions"][0];
        let lists = [&version["additionalPrinterColumns"], &version["selectableFields"]];
        for column in lists.into_iter().filter_map(Value::as_array).flatten() {
            let path = column["jsonPath"].as_str().unwrap();
            if path.starts_with(".metadata.") || path.starts_with(".status.conditions[?") {
                continue;
            }
            let field = kind.at(path.trim_start_matches('.'));
            let type_ = column["type"].as_str().unwrap_or("string");
            assert_eq!(field["type"].as_str(), Some(type_), "{} {path}", kind.name);
        }
    }
}

#[test]
fn status_refuses_nothing_but_what_is_too_long() {
    for kind in kinds() {
        for (path, schema) in kind.parts() {
            if path.starts_with(&format!("{}.status.", kind.name)) {
                for key in ["pattern", "enum", "minimum", "minLength", "x-kubernetes-validations"] {
                    assert!(schema.get(key).is_none(), "{path} has {key}");
                }
            }
        }
    }
}

#[test]
fn a_status_has_room_for_whatever_a_spec_may_say() {
    let tenant = kind("Tenant");
    for group in ["settings", "keystore"] {
        let (spec, status) = (format!("spec.{group}"), format!("status.effective.{group}"));
        let mut parts = Vec::new();
        collect(tenant.at(&spec), group.to_owned(), &mut parts);
        let mut carried = Vec::new();
        collect(tenant.at(&status), group.to_owned(), &mut carried);
        for ((path, spec), (same, status)) in parts.into_iter().zip(carried) {
            assert_eq!(path, same);
            for key in ["maxLength", "maxItems"] {
                if let Some(bound) = spec[key].as_u64() {
                    assert!(status[key].as_u64().unwrap() >= bound, "{path}");
                }
            }
        }
    }
    for (list, most) in [("unenforced", 128), ("overridden", 128), ("effective.sources", 128)] {
        assert!(defaults::lockable_paths().len() <= most, "{list}");
    }
}

/// A value as long as its schema allows, whatever its characters.
fn longest(schema: &Value) -> Value {
    match schema["type"].as_str().unwrap() {
        "object" => schema["properties"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, child)| (name.clone(), longest(child)))
            .collect(),
        "array" => {
            let items = usize::try_from(schema["maxItems"].as_u64().unwrap()).unwrap();
            vec![longest(&schema["items"]); items].into()
        }
        "string" if schema.get("enum").is_some() => {
            let values = schema["enum"].as_array().unwrap().iter();
            values.max_by_key(|value| value.to_string().len()).unwrap().clone()
        }
        "string" => {
            let length = schema["maxLength"].as_u64().unwrap();
            "x".repeat(usize::try_from(length).unwrap()).into()
        }
        "boolean" => false.into(),
        _ => schema["maximum"].as_f64().map_or(json!(4096), |max| json!(max)),
    }
}

#[test]
fn the_largest_effective_status_has_at_most_16_kb() {
    let (tenant, profile) = (kind("Tenant"), kind("TenantProfile"));
    let names = |count: usize| vec!["x".repeat(63); count];
    let mut settings = longest(tenant.at("spec.settings"));
    // All but these characters are ASCII, by pattern or by rule.
    settings["policies"]["password"]["customChars"] = "𝒳".repeat(64).into();
    let variables = settings.as_object_mut().unwrap().remove("environmentVariables").unwrap();
    let mut keystore = longest(tenant.at("spec.keystore"));
    keystore.as_object_mut().unwrap().remove("revoke").unwrap();
    let time = "2026-11-22T02:53:02.123456789Z";
    let sources: Value = leaves(&defaults::tenant_settings())
        .into_iter()
        .map(|(path, _)| (path, json!("Profile")))
        .collect();
    let notes = tenant.at("spec.subscription.metadata")["maxProperties"].as_u64().unwrap();
    let effective = json!({
        "settings": settings,
        "environmentVariables": names(variables.as_array().unwrap().len()),
        "keystore": keystore,
        "sources": sources,
        "subscription": {
            "plan": "x".repeat(253),
            "planDetails": longest(profile.at("spec.planDetails")),
            "issuedAt": time,
            "expiresAt": time,
            "metadata": names(usize::try_from(notes).unwrap()),
        },
    });
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    for path in ["", ".subscription"] {
        let schema = tenant.at(&format!("status.effective{path}"));
        let built = effective.pointer(&path.replace('.', "/")).unwrap();
        assert_eq!(keys(built), keys(&schema["properties"]));
    }
    let sizes: Vec<_> = leaves(&effective)
        .into_iter()
        .map(|(path, value)| (value.to_string().len(), path))
        .filter(|(size, _)| *size > 500)
        .collect();
    let size = effective.to_string().len();
    assert!(size <= 16 * 1024, "{size} bytes: {sizes:#?}");
}
