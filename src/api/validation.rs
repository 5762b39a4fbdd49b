//! Checks an object against its CRD as the API server would: the structural
//! schema here, the CEL rules by the library that kube-rs uses.
//!
//! Controllers call it before they act, because an object may be older than its
//! schema; commands that read manifests from files will call it too.

use std::{collections::BTreeMap, sync::LazyLock};

use kube_cel::{CompiledSchema, Validator, compile_schema};
use regex::Regex;
use serde_json::{Map, Value};

use super::schema;

/// One thing that is wrong with an object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct Violation {
    /// The field, such as `spec.settings.ttl.session`.
    pub path: String,
    /// What is wrong with it.
    pub message: String,
}

/// The schema of one kind, ready to check objects against.
struct Checker {
    schema: Value,
    compiled: CompiledSchema,
}

static CHECKERS: LazyLock<BTreeMap<String, Checker>> = LazyLock::new(|| {
    let crds = schema::crds().unwrap_or_default();
    crds.into_iter()
        .filter_map(|crd| {
            let version = crd.spec.versions.into_iter().next()?;
            let schema = serde_json::to_value(version.schema?.open_api_v3_schema?).ok()?;
            let compiled = compile_schema(&schema);
            Some((crd.spec.names.kind, Checker { schema, compiled }))
        })
        .collect()
});

/// Makes the schemas ready, which takes a while; otherwise the first check does.
pub fn prepare() {
    LazyLock::force(&CHECKERS);
}

/// What is wrong with an object of this kind: with `old`, as an update of it.
///
/// As in the API server, CEL rules are judged only once the structure is right.
#[must_use]
pub fn check(kind: &str, object: &Value, old: Option<&Value>) -> Vec<Violation> {
    let Some(checker) = CHECKERS.get(kind) else {
        return vec![Violation { path: "kind".into(), message: format!("{kind} is not known") }];
    };
    let mut violations = Vec::new();
    check_value(&checker.schema, object, "", &mut violations);
    if violations.is_empty()
        && let Err(errors) = Validator::new().validate_compiled(&checker.compiled, object, old)
    {
        violations.extend(errors.as_slice().iter().map(|error| Violation {
            path: error.field_path.trim_start_matches('.').to_owned(),
            message: error.message.clone(),
        }));
    }
    violations
}

fn check_value(schema: &Value, value: &Value, path: &str, violations: &mut Vec<Violation>) {
    let mut violate = |message: String| {
        violations.push(Violation { path: path.trim_start_matches('.').to_owned(), message });
    };
    let type_ = schema.get("type").and_then(Value::as_str);
    let fits = match (type_, value) {
        (Some("object"), Value::Object(_))
        | (Some("array"), Value::Array(_))
        | (Some("string"), Value::String(_))
        | (Some("boolean"), Value::Bool(_)) => true,
        (Some("integer"), Value::Number(number)) => number.is_i64(),
        (Some(_), _) => false,
        (None, _) => return,
    };
    if !fits {
        return violate(format!("must be of type {}", type_.unwrap_or_default()));
    }
    if let Some(allowed) = schema.get("enum").and_then(Value::as_array)
        && !allowed.contains(value)
    {
        let allowed: Vec<_> = allowed.iter().map(Value::to_string).collect();
        violate(format!("must be one of {}", allowed.join(", ")));
    }
    match value {
        Value::String(text) => check_string(schema, text, &mut violate),
        Value::Number(number) => {
            let number = number.as_i64().unwrap_or_default();
            check_bounds(schema, ["minimum", "maximum"], number, "must be", &mut violate);
        }
        Value::Array(items) => {
            check_bounds(
                schema,
                ["minItems", "maxItems"],
                length(items.len()),
                "the number of items must be",
                &mut violate,
            );
            check_list(schema, items, path, violations);
        }
        Value::Object(fields) => {
            check_bounds(
                schema,
                ["minProperties", "maxProperties"],
                length(fields.len()),
                "the number of names must be",
                &mut violate,
            );
            check_object(schema, fields, path, violations);
        }
        Value::Null | Value::Bool(_) => {}
    }
}

fn check_string(schema: &Value, text: &str, violate: &mut impl FnMut(String)) {
    check_bounds(
        schema,
        ["minLength", "maxLength"],
        length(text.chars().count()),
        "the number of characters must be",
        violate,
    );
    if let Some(pattern) = schema.get("pattern").and_then(Value::as_str)
        && !Regex::new(pattern).is_ok_and(|regex| regex.is_match(text))
    {
        violate(format!("must match '{pattern}'"));
    }
    if schema.get("format").and_then(Value::as_str) == Some("date-time")
        && text.parse::<jiff::Timestamp>().is_err()
    {
        violate("must be a time as RFC 3339 writes it, such as 2027-01-31T12:00:00Z".into());
    }
}

fn check_list(schema: &Value, items: &[Value], path: &str, violations: &mut Vec<Violation>) {
    if let Some(schema) = schema.get("items") {
        for (index, item) in items.iter().enumerate() {
            check_value(schema, item, &format!("{path}[{index}]"), violations);
        }
    }
    let identity = |item: &Value| match schema.get("x-kubernetes-list-type").and_then(Value::as_str)
    {
        Some("set") => Some(item.clone()),
        Some("map") => {
            let keys = schema.get("x-kubernetes-list-map-keys")?.as_array()?;
            Some(keys.iter().filter_map(|key| item.get(key.as_str()?)).cloned().collect())
        }
        _ => None,
    };
    for (index, item) in items.iter().enumerate() {
        if let Some(this) = identity(item)
            && items[..index].iter().any(|other| identity(other).as_ref() == Some(&this))
        {
            violations.push(Violation {
                path: format!("{path}[{index}]").trim_start_matches('.').to_owned(),
                message: "stands in the list twice".into(),
            });
        }
    }
}

fn check_object(
    schema: &Value,
    fields: &Map<String, Value>,
    path: &str,
    violations: &mut Vec<Violation>,
) {
    let properties = schema.get("properties").and_then(Value::as_object);
    for required in schema.get("required").and_then(Value::as_array).into_iter().flatten() {
        if let Some(name) = required.as_str()
            && !fields.contains_key(name)
        {
            violations.push(Violation {
                path: format!("{path}.{name}").trim_start_matches('.').to_owned(),
                message: "is required".into(),
            });
        }
    }
    let open = schema.get("x-kubernetes-preserve-unknown-fields") == Some(&Value::Bool(true));
    for (name, value) in fields {
        let field_path = format!("{path}.{name}");
        if let Some(schema) = properties.and_then(|properties| properties.get(name)) {
            check_value(schema, value, &field_path, violations);
        } else if let Some(schema) = schema.get("additionalProperties") {
            check_value(schema, value, &field_path, violations);
        } else if !open && properties.is_some() && !path.is_empty() {
            // The root also has apiVersion, kind and metadata, which are not ours to check.
            violations.push(Violation {
                path: field_path.trim_start_matches('.').to_owned(),
                message: "is not a field".into(),
            });
        }
    }
}

fn check_bounds(
    schema: &Value,
    [min, max]: [&str; 2],
    number: i64,
    what: &str,
    violate: &mut impl FnMut(String),
) {
    #[allow(clippy::cast_possible_truncation, reason = "bounds are whole and small")]
    let bound = |key| schema.get(key).and_then(Value::as_f64).map(|bound| bound as i64);
    if let Some(min) = bound(min)
        && number < min
    {
        violate(format!("{what} at least {min}"));
    }
    if let Some(max) = bound(max)
        && number > max
    {
        violate(format!("{what} at most {max}"));
    }
}

fn length(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}
