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
