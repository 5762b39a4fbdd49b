//! Checks an object against its CRD as the API server would: the structural
//! schema here, the CEL rules by the library that kube-rs uses.
//!
//! Controllers call it before they act, because an object may be older than its
//! schema; commands that read manifests from files will call it too.

use std::{
    collections::{BTreeMap, HashMap},
    sync::LazyLock,
};

use kube_cel::{CompiledSchema, compile_schema};
use regex::Regex;
use serde_json::{Map, Value, json};

use super::schema;

/// One thing that is wrong with an object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}{}{message}", if path.is_empty() { "" } else { ": " })]
pub struct Violation {
    /// The field, such as `spec.settings.ttl.session`; empty for the object as a whole.
    pub path: String,
    /// What is wrong with it.
    pub message: String,
}

/// The schema of one kind, ready to check objects against.
struct Checker {
    schema: Value,
    compiled: CompiledSchema,
    patterns: Patterns,
}

/// Every pattern of a schema, compiled once: compiling costs a hundred times what matching does.
type Patterns = HashMap<String, Regex>;

static CHECKERS: LazyLock<BTreeMap<String, Checker>> = LazyLock::new(|| {
    let crds = schema::crds().unwrap_or_default();
    crds.into_iter()
        .filter_map(|crd| {
            let version = crd.spec.versions.into_iter().next()?;
            let mut schema = serde_json::to_value(version.schema?.open_api_v3_schema?).ok()?;
            let mut patterns = Patterns::new();
            prepare(&mut schema, &mut patterns);
            let compiled = compile_schema(&schema);
            Some((crd.spec.names.kind, Checker { schema, compiled, patterns }))
        })
        .collect()
});

/// Makes the schemas ready, which takes a while; otherwise the first check does.
pub fn warm_up() {
    LazyLock::force(&CHECKERS);
}

/// Makes a schema ready for the walk and for kube-cel.
fn prepare(schema: &mut Value, patterns: &mut Patterns) {
    let Some(object) = schema.as_object_mut() else { return };
    take_rules_of_names(object);
    take_rules_of_texts(object);
    escape_names(object);
    for pattern in [object.get("pattern"), object.get(NAMES).and_then(|names| names.get("pattern"))]
    {
        if let Some(pattern) = pattern.and_then(Value::as_str)
            && let Ok(regex) = Regex::new(pattern)
        {
            patterns.insert(pattern.to_owned(), regex);
        }
    }
    if let Some(properties) = object.get_mut("properties").and_then(Value::as_object_mut) {
        properties.values_mut().for_each(|child| prepare(child, patterns));
    }
    for key in ["items", "additionalProperties"] {
        if let Some(child) = object.get_mut(key) {
            prepare(child, patterns);
        }
    }
}

/// JSON Schema's keyword for the names in a map. Kubernetes has it not and takes a rule.
const NAMES: &str = "propertyNames";

/// The rule that all names in a map match a pattern is judged here: kube-cel compiles the pattern
/// anew for each of the names, which takes seconds for a large object.
fn take_rules_of_names(schema: &mut Map<String, Value>) {
    let Some(Value::Array(rules)) = schema.get_mut("x-kubernetes-validations") else { return };
    let mut taken = None;
    rules.retain(|rule| {
        let pattern = rule.get("rule").and_then(Value::as_str).and_then(|rule| {
            rule.strip_prefix("self.all(name, name.matches('")?.strip_suffix("'))")
        });
        if let Some(pattern) = pattern {
            taken = Some(json!({"pattern": pattern, "message": rule.get("message")}));
        }
        pattern.is_none()
    });
    if let Some(taken) = taken {
        schema.insert(NAMES.into(), taken);
    }
}

/// What a text is told that does not match its pattern, where the schema has it in words.
const IN_WORDS: &str = "in words";

/// The rule that a text matches a pattern is judged here, for the same reason: a Role may have 10,000 paths.
fn take_rules_of_texts(schema: &mut Map<String, Value>) {
    let Some(Value::Array(rules)) = schema.get_mut("x-kubernetes-validations") else { return };
    let Some(index) = rules.iter().position(|rule| schema::pattern_of_rule(rule).is_some()) else {
        return;
    };
    let rule = rules.remove(index);
    if let Some(pattern) = schema::pattern_of_rule(&rule) {
        schema.insert("pattern".into(), pattern.into());
        schema.insert(IN_WORDS.into(), rule.get("message").cloned().unwrap_or_default());
    }
}

/// kube-cel 0.8 escapes `_` in the names of fields as `__`, Kubernetes leaves a single one as it
/// is: rules speak of such fields as kube-cel calls them.
fn escape_names(schema: &mut Map<String, Value>) {
    let Some(Value::Object(properties)) = schema.get("properties") else { return };
    let names: Vec<_> = properties.keys().filter(|name| name.contains('_')).cloned().collect();
    let Some(Value::Array(rules)) = schema.get_mut("x-kubernetes-validations") else { return };
    for rule in rules.iter_mut().filter_map(|rule| rule.get_mut("rule")) {
        if let Some(text) = rule.as_str() {
            *rule = names
                .iter()
                .fold(text.to_owned(), |text, name| {
                    text.replace(
                        &format!("self.{name}"),
                        &format!("self.{}", name.replace('_', "__")),
                    )
                })
                .into();
        }
    }
}

/// What is wrong with an object of this kind: with `old`, as an update of it.
///
/// As in the API server, a field that is null counts as one that is not there, and CEL rules are
/// judged only once the structure is right. Stricter in one thing: an integer may not be written
/// `10.0`. The server takes that where no rule looks at it, but our types do not read it.
#[must_use]
pub fn check(kind: &str, object: &Value, old: Option<&Value>) -> Vec<Violation> {
    let Some(checker) = CHECKERS.get(kind) else {
        return vec![Violation { path: "kind".into(), message: format!("{kind} is not known") }];
    };
    let object = without_nulls(&checker.schema, object);
    let mut walk = Walk { patterns: &checker.patterns, violations: Vec::new() };
    walk.value(&checker.schema, &object, "");
    let mut violations = walk.violations;
    if violations.is_empty()
        && let Err(errors) = kube_cel::validate_compiled(&checker.compiled, &object, old)
    {
        violations.extend(errors.as_slice().iter().map(|error| Violation {
            path: error.field_path.trim_start_matches('.').to_owned(),
            message: error.message.clone(),
        }));
    }
    violations
}

/// The object without nulls in fields that the schema knows. What is open stays as it is.
fn without_nulls(schema: &Value, value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .iter()
            .filter_map(|(name, value)| match child(schema, name) {
                Some(_) if value.is_null() => None,
                Some(schema) => Some((name.clone(), without_nulls(schema, value))),
                None => Some((name.clone(), value.clone())),
            })
            .collect(),
        Value::Array(items) => match schema.get("items") {
            Some(schema) => items.iter().map(|item| without_nulls(schema, item)).collect(),
            None => value.clone(),
        },
        _ => value.clone(),
    }
}

/// The schema of a field of an object, if it has one.
fn child<'a>(schema: &'a Value, name: &str) -> Option<&'a Value> {
    schema
        .get("properties")
        .and_then(|properties| properties.get(name))
        .or_else(|| schema.get("additionalProperties"))
}

/// A walk through an object beside its schema.
struct Walk<'a> {
    patterns: &'a Patterns,
    violations: Vec<Violation>,
}

impl Walk<'_> {
    fn violate(&mut self, path: &str, message: impl Into<String>) {
        let path = path.trim_start_matches('.').to_owned();
        self.violations.push(Violation { path, message: message.into() });
    }

    fn value(&mut self, schema: &Value, value: &Value, path: &str) {
        let Some(type_) = schema.get("type").and_then(Value::as_str) else { return };
        let fits = match value {
            Value::Object(_) => type_ == "object",
            Value::Array(_) => type_ == "array",
            Value::String(_) => type_ == "string",
            Value::Bool(_) => type_ == "boolean",
            Value::Number(number) => type_ == "integer" && number.is_i64(),
            Value::Null => false,
        };
        if !fits {
            return self.violate(path, format!("must be of type {type_}"));
        }
        if let Some(allowed) = schema.get("enum").and_then(Value::as_array)
            && !allowed.contains(value)
        {
            let allowed: Vec<_> = allowed.iter().map(Value::to_string).collect();
            self.violate(path, format!("must be one of {}", allowed.join(", ")));
        }
        match value {
            Value::String(text) => self.string(schema, text, path),
            Value::Number(number) => {
                let number = number.as_i64().unwrap_or_default();
                self.bounds(schema, ["minimum", "maximum"], number, "must be", path);
            }
            Value::Array(items) => self.list(schema, items, path),
            Value::Object(fields) => self.object(schema, fields, path),
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn string(&mut self, schema: &Value, text: &str, path: &str) {
        let count = length(text.chars().count());
        let what = "the number of characters must be";
        self.bounds(schema, ["minLength", "maxLength"], count, what, path);
        if let Some(pattern) = schema.get("pattern").and_then(Value::as_str)
            && !self.matches(schema, text)
        {
            let in_words = schema.get(IN_WORDS).and_then(Value::as_str);
            let message = in_words.map_or_else(|| format!("must match '{pattern}'"), Into::into);
            self.violate(path, message);
        }
        if schema.get("format").and_then(Value::as_str) == Some("date-time")
            && text.parse::<jiff::Timestamp>().is_err()
        {
            let message = "must be a time as RFC 3339 writes it, such as 2027-01-31T12:00:00Z";
            self.violate(path, message);
        }
    }

    /// Whether a text matches the pattern of a schema; one that could not be compiled it never does.
    fn matches(&self, schema: &Value, text: &str) -> bool {
        schema
            .get("pattern")
            .and_then(Value::as_str)
            .and_then(|pattern| self.patterns.get(pattern))
            .is_some_and(|regex| regex.is_match(text))
    }

    fn list(&mut self, schema: &Value, items: &[Value], path: &str) {
        let what = "the number of items must be";
        self.bounds(schema, ["minItems", "maxItems"], length(items.len()), what, path);
        if let Some(schema) = schema.get("items") {
            for (index, item) in items.iter().enumerate() {
                self.value(schema, item, &format!("{path}[{index}]"));
            }
        }
        let keys = schema.get("x-kubernetes-list-map-keys").and_then(Value::as_array);
        let identity = |item: &Value| -> Value {
            match keys {
                Some(keys) => {
                    keys.iter().filter_map(|key| item.get(key.as_str()?)).cloned().collect()
                }
                None => item.clone(),
            }
        };
        if schema.get("x-kubernetes-list-type") == Some(&"atomic".into()) {
            return;
        }
        let identities: Vec<_> = items.iter().map(identity).collect();
        for (index, identity) in identities.iter().enumerate() {
            if identities[..index].contains(identity) {
                self.violate(&format!("{path}[{index}]"), "stands in the list twice");
            }
        }
    }

    fn object(&mut self, schema: &Value, fields: &Map<String, Value>, path: &str) {
        let what = "the number of names must be";
        let count = length(fields.len());
        self.bounds(schema, ["minProperties", "maxProperties"], count, what, path);
        for required in schema.get("required").and_then(Value::as_array).into_iter().flatten() {
            if let Some(name) = required.as_str()
                && !fields.contains_key(name)
            {
                self.violate(&format!("{path}.{name}"), "is required");
            }
        }
        if let Some(names) = schema.get(NAMES)
            && !fields.keys().all(|name| self.matches(names, name))
        {
            let message = names.get("message").and_then(Value::as_str).unwrap_or_default();
            self.violate(path, message);
        }
        let open = schema.get("x-kubernetes-preserve-unknown-fields") == Some(&Value::Bool(true));
        for (name, value) in fields {
            let field_path = format!("{path}.{name}");
            if let Some(schema) = child(schema, name) {
                self.value(schema, value, &field_path);
            } else if !open && !path.is_empty() {
                // The root also has apiVersion, kind and metadata, which are not ours to check.
                self.violate(&field_path, "is not a field");
            }
        }
    }

    fn bounds(
        &mut self,
        schema: &Value,
        [min, max]: [&str; 2],
        number: i64,
        what: &str,
        path: &str,
    ) {
        #[allow(clippy::cast_possible_truncation, reason = "bounds are whole and small")]
        let bound = |key| schema.get(key).and_then(Value::as_f64).map(|bound| bound as i64);
        if let Some(min) = bound(min)
            && number < min
        {
            self.violate(path, format!("{what} at least {min}"));
        }
        if let Some(max) = bound(max)
            && number > max
        {
            self.violate(path, format!("{what} at most {max}"));
        }
    }
}

fn length(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}
