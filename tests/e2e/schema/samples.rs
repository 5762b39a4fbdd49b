//! Values for schemas: the smallest that fits, texts of a given length, lists of a given size.

use keyreeve::api::schema::{crds, pattern_of_rule};
use regex::Regex;
use serde_json::{Value, json};

/// The five kinds with their plurals.
pub const KINDS: [(&str, &str); 5] = [
    ("Tenant", "tenants"),
    ("TenantProfile", "tenantprofiles"),
    ("Namespace", "namespaces"),
    ("Role", "roles"),
    ("User", "users"),
];

/// The schema of a kind's spec.
pub fn spec_schema(kind: &str) -> Value {
    let crd = crds().unwrap().into_iter().find(|crd| crd.spec.names.kind == kind).unwrap();
    let crd = serde_json::to_value(crd).unwrap();
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"].clone()
}

/// A whole object from its spec.
pub fn object(kind: &str, name: &str, spec: Value) -> Value {
    let mut object = json!({
        "apiVersion": "keyreeve.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": name},
    });
    object["spec"] = spec;
    object
}

/// A part of a schema: its path in an object, and how an object looks that has a value there.
pub struct Place<'a> {
    pub schema: &'a Value,
    /// As the API server names it, such as `spec.allowedFrom[0].kinds`.
    pub path: &'a str,
    pub is_required: bool,
    pub with: &'a dyn Fn(Value) -> Value,
}

/// Visits every part of a schema. What is around the part is the smallest that fits.
pub fn for_each_place(place: &Place<'_>, visit: &mut dyn FnMut(&Place<'_>)) {
    let Place { schema, path, with, .. } = place;
    visit(place);
    // No claim that the schema declares may be there.
    let properties = schema["properties"].as_object().filter(|_| !path.ends_with(".claims"));
    for (name, child) in properties.into_iter().flatten() {
        let with = |value| {
            let mut around = smallest(schema, path);
            match name.as_str() {
                // Exactly one of them.
                "secretKeyRef" => around = json!({}),
                "emailVerified" => around["email"] = "a@b".into(),
                _ => {}
            }
            around[name] = value;
            with(around)
        };
        let is_required =
            schema["required"].as_array().is_some_and(|all| all.contains(&json!(name)));
        let path = format!("{path}.{name}");
        for_each_place(&Place { schema: child, path: &path, is_required, with: &with }, visit);
    }
    if let Some(child) = schema.get("items") {
        let (path, with) = (format!("{path}[0]"), |value| with(json!([value])));
        for_each_place(
            &Place { schema: child, path: &path, is_required: true, with: &with },
            visit,
        );
    }
    if let Some(child) = schema.get("additionalProperties") {
        let (path, with) = (format!("{path}.a"), |value| with(json!({"a": value})));
        for_each_place(
            &Place { schema: child, path: &path, is_required: false, with: &with },
            visit,
        );
    }
}

/// The smallest value that fits: of an object, what is required.
pub fn smallest(schema: &Value, path: &str) -> Value {
    // What rules ask for.
    if path.ends_with("allowedFrom[0]") {
        return json!({"matchNames": ["a"]});
    }
    if path == "spec.password" {
        return json!({"generate": {}});
    }
    if let Some(value) = schema.pointer("/enum/0") {
        return value.clone();
    }
    match schema["type"].as_str().unwrap() {
        "object" => {
            let mut object: serde_json::Map<_, _> = schema["required"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|name| {
                    let name = name.as_str().unwrap();
                    let child = &schema["properties"][name];
                    (name.to_owned(), smallest(child, &format!("{path}.{name}")))
                })
                .collect();
            if schema["minProperties"].as_u64().is_some() {
                object.insert("a".into(), "a".into());
            }
            object.into()
        }
        "array" => list(schema, path, number(schema, "minItems").unwrap_or(0)).unwrap(),
        "string" => (number(schema, "minLength").unwrap_or(0)..64)
            .find_map(|length| text(schema, path, length))
            .unwrap()
            .into(),
        "boolean" => true.into(),
        _ => number(schema, "minimum").unwrap().into(),
    }
}

/// A bound of a schema; the derive writes some of them as floating-point numbers.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small and whole")]
pub fn number(schema: &Value, key: &str) -> Option<usize> {
    schema[key].as_f64().map(|number| number as usize)
}

/// The pattern of a text, which may stand in a rule; of one that has none, what matches anything.
pub fn pattern(schema: &Value) -> &str {
    let rule = schema.pointer("/x-kubernetes-validations/0").and_then(pattern_of_rule);
    schema["pattern"].as_str().or(rule).unwrap_or_default()
}

/// A text of so many characters that fits, if there is one.
pub fn text(schema: &Value, path: &str, length: usize) -> Option<String> {
    let fixed: &[&str] = &[
        "1h",
        "000001h0000000m0000s",
        "2026-11-22T02:53:02Z",
        "0c3fad74-a8df-4a2d-8e75-f2d356b413ba",
    ];
    let fixed = match path {
        path if path.contains(".whiteList[") => {
            &["::", "2001:0db8:0000:0000:0000:0000:0000:0001/128"]
        }
        _ => fixed,
    };
    let filled = ["", "/", "a@", "https://"].into_iter().filter_map(|beginning| {
        let rest = length.checked_sub(beginning.len())?;
        Some(format!("{beginning}{}", "a".repeat(rest)))
    });
    let fixed = fixed.iter().filter(|text| text.len() == length).map(|text| (*text).to_owned());
    let pattern = Regex::new(pattern(schema)).unwrap();
    let is_special = schema.get("format").is_some() || path.contains(".whiteList[");
    let filled = filled.filter(|_| !is_special);
    fixed.chain(filled).find(|text| pattern.is_match(text))
}

/// A list of so many items that fits, if there is one.
pub fn list(schema: &Value, path: &str, length: usize) -> Option<Value> {
    let items = &schema["items"];
    let one = smallest(items, &format!("{path}[0]"));
    match schema["x-kubernetes-list-type"].as_str().unwrap() {
        "atomic" => Some(vec![one; length].into()),
        "set" => Some(items["enum"].as_array().unwrap().get(..length)?.to_vec().into()),
        _ => {
            let key = schema.pointer("/x-kubernetes-list-map-keys/0").unwrap().as_str().unwrap();
            let numbered = |number| {
                let mut item = one.clone();
                item[key] = format!("a{number}").into();
                item
            };
            Some((0..length).map(numbered).collect())
        }
    }
}

/// The largest value that fits.
pub fn largest(schema: &Value, path: &str) -> Value {
    if schema.get("enum").is_some() {
        return smallest(schema, path);
    }
    match schema["type"].as_str().unwrap() {
        "object" if schema.get("additionalProperties").is_some() => {
            let value = largest(&schema["additionalProperties"], path);
            let length = number(schema, "maxProperties").unwrap();
            (0..length).map(|number| (format!("a{number}"), value.clone())).collect()
        }
        "object" if path == "spec.claims" => {
            json!({"address": {"lines": ["a", "b"], "codes": [1, -2.5, null, true]}})
        }
        "object" => {
            let mut object: Value = schema["properties"]
                .as_object()
                .unwrap()
                .iter()
                .map(|(name, child)| (name.clone(), largest(child, &format!("{path}.{name}"))))
                .collect();
            // What rules ask for.
            match path {
                "spec.password" => drop(object.as_object_mut().unwrap().remove("secretKeyRef")),
                "spec.keystore" => object["rotationPeriod"] = "720h".into(),
                "spec.subscription" => object["issuedAt"] = "2020-01-01T00:00:00Z".into(),
                _ => {}
            }
            object
        }
        "array" => {
            let length = number(schema, "maxItems").unwrap();
            let (items, one) = (&schema["items"], largest(&schema["items"], &format!("{path}[0]")));
            match schema["x-kubernetes-list-type"].as_str().unwrap() {
                "atomic" => vec![one; length].into(),
                "set" => items["enum"].clone(),
                _ => {
                    let mut list = list(schema, path, length).unwrap();
                    for item in list.as_array_mut().unwrap() {
                        let mut whole = one.clone();
                        whole["name"] = item["name"].clone();
                        *item = whole;
                    }
                    list
                }
            }
        }
        "string" => (0..=number(schema, "maxLength").unwrap())
            .rev()
            .find_map(|length| text(schema, path, length))
            .unwrap()
            .into(),
        "boolean" => true.into(),
        _ => number(schema, "maximum").unwrap().into(),
    }
}
