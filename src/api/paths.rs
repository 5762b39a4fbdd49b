//! Paths into documents of the form of the specs, such as `settings.ttl.session`.

use serde_json::{Map, Value};

/// Calls `visit` for every leaf below `value` with its path, such as `settings.ttl.session`.
/// Lists are leaves: one is inherited or set as a whole.
pub fn for_each_leaf(
    value: &Map<String, Value>,
    prefix: &str,
    visit: &mut impl FnMut(&str, &Value),
) {
    for (name, child) in value {
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        match child {
            Value::Object(children) => for_each_leaf(children, &path, visit),
            leaf => visit(&path, leaf),
        }
    }
}

/// Calls `visit` with the path of each leaf in which two documents differ. What stands on one side alone and has
/// leaves is told by them.
pub fn for_each_difference(
    one: &Map<String, Value>,
    other: &Map<String, Value>,
    prefix: &str,
    visit: &mut impl FnMut(String),
) {
    let none = Map::new();
    let names = one.keys().chain(other.keys().filter(|name| !one.contains_key(*name)));
    for name in names.filter(|name| one.get(*name) != other.get(*name)) {
        let path = format!("{prefix}.{name}");
        match (one.get(name), other.get(name)) {
            (Some(Value::Object(one)), Some(Value::Object(other))) => {
                for_each_difference(one, other, &path, visit);
            }
            (Some(Value::Object(some)), None) | (None, Some(Value::Object(some)))
                if !some.is_empty() =>
            {
                for_each_difference(some, &none, &path, visit);
            }
            _ => visit(path),
        }
    }
}

/// Whether `path` is `group` or stands below it.
#[must_use]
pub fn is_at_or_below(path: &str, group: &str) -> bool {
    path.strip_prefix(group).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// What stands at `path`.
#[must_use]
pub fn look_up<'a>(document: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    let (first, rest) = path.split_once('.').unwrap_or((path, ""));
    let value = document.get(first)?;
    if rest.is_empty() { Some(value) } else { look_up(value.as_object()?, rest) }
}

/// Puts a value at `path`, and makes the groups above it.
pub fn insert(document: &mut Map<String, Value>, path: &str, value: Value) {
    match path.split_once('.') {
        None => {
            document.insert(path.to_owned(), value);
        }
        Some((first, rest)) => {
            let child = document.entry(first).or_insert(Value::Null);
            if !child.is_object() {
                *child = Value::Object(Map::new());
            }
            if let Some(child) = child.as_object_mut() {
                insert(child, rest, value);
            }
        }
    }
}

/// Takes away what stands at `path`.
pub fn remove(document: &mut Map<String, Value>, path: &str) {
    match path.split_once('.') {
        None => {
            document.remove(path);
        }
        Some((first, rest)) => {
            if let Some(child) = document.get_mut(first).and_then(Value::as_object_mut) {
                remove(child, rest);
            }
        }
    }
}
