//! The CRDs: what the derive makes, finished by the rules that hold for every schema.
//!
//! - no `nullable`, which the derive adds to every `Option`: a field is set or it is not there;
//! - no `default` but that of `status`, so that tools wait for the operator;
//! - "Default: …" in the description of a field that has a built-in value;
//! - integer formats that Kubernetes knows;
//! - one line per string, so that control characters are refused by default;
//! - `listType: atomic` where no other is given;
//! - a pattern that says little to people becomes a rule that says it in words;
//! - status checks nothing but sizes: it must always be possible to tell the truth.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use serde_json::{Map, Value, json};

use super::{Namespace, Role, Tenant, TenantProfile, User, defaults};

/// Strings without a pattern of their own hold no control characters.
const SINGLE_LINE: &str = r"^\P{Cc}*$";

/// How a rule begins that judges a text by a pattern: as a raw string, in which nothing is escaped.
const OF_TEXT: &str = "self.matches(r'";

/// Patterns of what people write most, and what the API server says of a text that does not match; of another
/// pattern it names the pattern.
const IN_WORDS: [(&str, &str); 3] = [
    (r"^[^\p{Z}\p{Cc}]+$", "must have no spaces and no control characters"),
    (
        r"^[^@\p{Z}\p{Cc}]+@[^@\p{Z}\p{Cc}]+$",
        "must be one email address, such as ada@example.com, without spaces",
    ),
    (
        r"^(/[^\p{Z}\p{Cc}*]*\*?|\*)$",
        "must begin with / and have no spaces, and * at its end if at all; or be * alone",
    ),
];

/// A schema that could not be finished: a fault of this program.
#[derive(Debug, thiserror::Error)]
#[error("the schema of {kind} cannot be generated: {source}")]
pub struct SchemaError {
    kind: String,
    source: serde_json::Error,
}

/// The CRDs of the five kinds, in the order of the documentation.
pub fn crds() -> Result<Vec<CustomResourceDefinition>, SchemaError> {
    [Tenant::crd(), TenantProfile::crd(), Namespace::crd(), Role::crd(), User::crd()]
        .into_iter()
        .map(|crd| {
            let kind = crd.spec.names.kind.clone();
            finish(crd, &kind).map_err(|source| SchemaError { kind, source })
        })
        .collect()
}

fn finish(
    crd: CustomResourceDefinition,
    kind: &str,
) -> Result<CustomResourceDefinition, serde_json::Error> {
    let mut crd = serde_json::to_value(crd)?;
    if let Some(versions) = crd.pointer_mut("/spec/versions").and_then(Value::as_array_mut) {
        for version in versions {
            if let Some(schema) = version.pointer_mut("/schema/openAPIV3Schema") {
                finish_root(schema, kind);
            }
        }
    }
    serde_json::from_value(crd)
}

fn finish_root(schema: &mut Value, kind: &str) {
    clean(schema);
    if let Some(spec) = schema.pointer_mut("/properties/spec") {
        describe(spec, "What the object shall be.");
        bound_strings(spec);
        say_in_words(spec);
        describe_defaults(spec, &defaults::spec(kind));
    }
    if let Some(status) = schema.pointer_mut("/properties/status") {
        describe(status, "What the operator says of the object.");
        only_sizes(status);
        if let Some(status) = status.as_object_mut() {
            status.insert("default".into(), json!({"observedGeneration": -1}));
        }
    }
}

/// What holds for every part of every schema.
fn clean(schema: &mut Value) {
    let Some(object) = schema.as_object_mut() else { return };
    object.remove("nullable");
    object.remove("default");
    if let Some(values) = object.get_mut("enum").and_then(Value::as_array_mut) {
        values.retain(|value| !value.is_null());
    }
    match object.get("format").and_then(Value::as_str) {
        Some("uint32" | "uint16" | "uint8") => {
            object.insert("format".into(), "int32".into());
            object.insert("minimum".into(), as_integer(object.get("minimum")).max(0).into());
            if let Some(maximum) = object.get("maximum") {
                object.insert("maximum".into(), as_integer(Some(maximum)).into());
            }
        }
        Some("uint64") => {
            object.insert("format".into(), "int64".into());
        }
        _ => {}
    }
    if object.get("type") == Some(&"array".into()) && !object.contains_key("x-kubernetes-list-type")
    {
        object.insert("x-kubernetes-list-type".into(), "atomic".into());
    }
    for_each_child(object, &mut clean);
}

/// The derive writes bounds as floating-point numbers.
#[allow(clippy::cast_possible_truncation, reason = "bounds are whole and small")]
fn as_integer(number: Option<&Value>) -> i64 {
    number.and_then(Value::as_f64).unwrap_or_default() as i64
}

fn bound_strings(schema: &mut Value) {
    let Some(object) = schema.as_object_mut() else { return };
    if object.get("type") == Some(&"string".into())
        && !["pattern", "enum", "format"].iter().any(|key| object.contains_key(*key))
    {
        object.insert("pattern".into(), SINGLE_LINE.into());
    }
    for_each_child(object, &mut bound_strings);
}

/// Has rules in the place of the patterns that are said [`IN_WORDS`].
fn say_in_words(schema: &mut Value) {
    let Some(object) = schema.as_object_mut() else { return };
    let pattern = object.get("pattern").and_then(Value::as_str);
    let known = IN_WORDS.iter().find(|(known, _)| pattern == Some(*known));
    if let Some((pattern, message)) = known {
        let rule = json!({"rule": format!("{OF_TEXT}{pattern}')"), "message": message});
        object.remove("pattern");
        object.insert("x-kubernetes-validations".into(), json!([rule]));
    }
    for_each_child(object, &mut say_in_words);
}

/// The pattern of a rule that judges a text by one and nothing else.
#[must_use]
pub fn pattern_of_rule(rule: &Value) -> Option<&str> {
    rule.get("rule")?.as_str()?.strip_prefix(OF_TEXT)?.strip_suffix("')")
}

/// Takes out of a status schema everything that could refuse a true status.
fn only_sizes(schema: &mut Value) {
    let Some(object) = schema.as_object_mut() else { return };
    for key in [
        "pattern",
        "enum",
        "minimum",
        "maximum",
        "minLength",
        "minItems",
        "minProperties",
        "x-kubernetes-validations",
    ] {
        object.remove(key);
    }
    if object.get("type") == Some(&"string".into()) && !object.contains_key("maxLength") {
        object.insert("maxLength".into(), 64.into());
    }
    for_each_child(object, &mut only_sizes);
}

fn for_each_child(object: &mut Map<String, Value>, visit: &mut impl FnMut(&mut Value)) {
    if let Some(properties) = object.get_mut("properties").and_then(Value::as_object_mut) {
        properties.values_mut().for_each(&mut *visit);
    }
    for key in ["items", "additionalProperties"] {
        if let Some(child) = object.get_mut(key) {
            visit(child);
        }
    }
}

fn describe(schema: &mut Value, text: &str) {
    if let Some(object) = schema.as_object_mut() {
        object.insert("description".into(), text.into());
    }
}

/// Appends "Default: …" to the description of every field that has a built-in value.
fn describe_defaults(schema: &mut Value, defaults: &Value) {
    let (Some(properties), Some(defaults)) =
        (schema.get_mut("properties").and_then(Value::as_object_mut), defaults.as_object())
    else {
        return;
    };
    for (name, default) in defaults {
        let Some(property) = properties.get_mut(name) else { continue };
        if default.is_object() {
            describe_defaults(property, default);
        } else {
            let text = property.get("description").and_then(Value::as_str).unwrap_or_default();
            let text = format!("{text} Default: {}.", in_words(default));
            describe(property, text.trim_start());
        }
    }
}

fn in_words(default: &Value) -> String {
    match default {
        Value::String(text) if text.is_empty() => "empty".into(),
        Value::Array(items) if items.is_empty() => "empty".into(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
#[path = "schema_tests.rs"]
mod tests;
