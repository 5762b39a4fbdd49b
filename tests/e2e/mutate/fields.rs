//! The fields of a kind, from its schema, with values to put there.

use regex::Regex;
use serde_json::{Map, Value, json};

use crate::schema::samples::{number, pattern};

/// What references point to.
pub struct Targets {
    /// Two objects by `metadata.name`, whatever their kind.
    pub names: [String; 2],
    /// Their Kubernetes namespace.
    pub namespace: String,
}

/// A part of a spec.
pub struct Field {
    /// Names and numbers with dots between them, such as `rules.0.methods`.
    pub path: String,
    /// What may stand there, the likeliest first; whether it fits with what is around it is to be seen.
    pub values: Vec<Value>,
    /// Whether its parent is complete without it.
    pub goes: bool,
    /// Whether it has fields of its own.
    pub is_group: bool,
}

impl Field {
    pub fn is_in_list_or_map(&self) -> bool {
        self.path.split('.').any(|part| part == "0" || part == KEY)
    }
}

/// The one name in maps whose names are free.
const KEY: &str = "alpha";

/// Texts of every form that a pattern asks for; of each form two or more.
const TEXTS: [&str; 24] = [
    "alpha",
    "beta",
    "/alpha",
    "/beta",
    "https://alpha.example",
    "https://beta.example",
    "alpha@acme.example",
    "beta@acme.example",
    // Far from each other and from the built-in ones, for the many that must be shorter than another.
    "1000h",
    "1100h",
    "1200h",
    "20h",
    "21h",
    "20m",
    "21m",
    // Of two that must follow each other, the name of the later comes first.
    "2031-01-01T00:00:00Z",
    "2032-01-01T00:00:00Z",
    "2020-01-01T00:00:00Z",
    "2021-01-01T00:00:00Z",
    "192.0.2.7",
    "2001:db8::/32",
    "0c3fad74-a8df-4a2d-8e75-f2d356b413ba",
    "6f1c1f0e-0b1a-4c57-9d5c-2f0f6a1f9a11",
    "*",
];

/// Every part of a spec, parents before their children.
pub fn fields(spec: &Value, targets: &Targets) -> Vec<Field> {
    let mut fields = Vec::new();
    children(spec, "", targets, &mut fields);
    fields
}

fn children(schema: &Value, path: &str, targets: &Targets, fields: &mut Vec<Field>) {
    let mut child = |schema: &Value, name: &str, values: Vec<Value>, goes: bool| {
        let path = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        let is_group = properties(schema).is_some();
        fields.push(Field { path: path.clone(), values, goes, is_group });
        children(schema, &path, targets, fields);
    };
    for (name, property) in properties(schema).into_iter().flatten() {
        let values = match name.as_str() {
            "name" if is_reference(schema) => {
                targets.names.each_ref().map(|name| json!(name)).into()
            }
            "namespace" if is_reference(schema) => vec![json!(targets.namespace)],
            _ => values(property, targets),
        };
        let required = schema["required"].as_array();
        child(property, name, values, required.is_none_or(|all| !all.contains(&json!(name))));
    }
    if let Some(items) = schema.get("items") {
        child(items, "0", values(items, targets), false);
    }
    if let Some(entries) = schema.get("additionalProperties") {
        child(entries, KEY, values(entries, targets), true);
    }
}

/// The fields that an object has by its schema; an open one has none.
fn properties(schema: &Value) -> Option<&Map<String, Value>> {
    let is_open = schema["x-kubernetes-preserve-unknown-fields"] == true;
    schema["properties"].as_object().filter(|_| !is_open)
}

/// Whether it refers to an object of ours.
fn is_reference(schema: &Value) -> bool {
    properties(schema).is_some_and(|properties| properties.keys().eq(["name", "namespace"]))
}

fn values(schema: &Value, targets: &Targets) -> Vec<Value> {
    if let Some(values) = schema["enum"].as_array() {
        return values.clone();
    }
    match schema["type"].as_str().unwrap() {
        "boolean" => vec![true.into(), false.into()],
        "integer" => {
            let least = number(schema, "minimum").unwrap();
            vec![least.into(), (least + 1).into()]
        }
        "string" => texts(schema),
        "array" => {
            let items = values(&schema["items"], targets);
            let both = items.iter().take(2).cloned().collect();
            items.into_iter().map(|item| json!([item])).chain([both, json!([])]).collect()
        }
        _ => objects(schema, targets),
    }
}

fn texts(schema: &Value) -> Vec<Value> {
    let pattern = Regex::new(pattern(schema)).unwrap();
    let lengths = number(schema, "minLength").unwrap_or(0)..=number(schema, "maxLength").unwrap();
    let fits = |text: &&str| lengths.contains(&text.len()) && pattern.is_match(text);
    TEXTS.into_iter().filter(fits).map(Value::from).collect()
}

fn objects(schema: &Value, targets: &Targets) -> Vec<Value> {
    if is_reference(schema) {
        return targets.names.each_ref().map(|name| json!({"name": name})).into();
    }
    if let Some(entries) = schema.get("additionalProperties") {
        let entries = values(entries, targets).into_iter().take(2);
        return entries.map(|value| json!({KEY: value})).chain([json!({})]).collect();
    }
    let Some(properties) = properties(schema) else {
        return vec![json!({KEY: 1}), json!({KEY: {"beta": [1, "two"]}}), json!({})];
    };
    let all: Map<String, Value> = properties
        .iter()
        .map(|(name, property)| (name.clone(), values(property, targets).into()))
        .collect();
    let required = |number: usize| -> Map<String, Value> {
        let names = schema["required"].as_array().into_iter().flatten();
        let names = names.map(|name| name.as_str().unwrap().to_owned());
        names.map(|name| (name.clone(), all[&name][number].clone())).collect()
    };
    let with_one_more =
        all.iter().filter(|(_, values)| values[0] != Value::Null).map(|(name, values)| {
            let mut object = required(0);
            object.insert(name.clone(), values[0].clone());
            Value::Object(object)
        });
    [required(0).into(), required(1).into()].into_iter().chain(with_one_more).collect()
}
