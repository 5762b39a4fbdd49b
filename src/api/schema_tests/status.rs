//! Status has room for whatever is to be said.

use super::*;

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
