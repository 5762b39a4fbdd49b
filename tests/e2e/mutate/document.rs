//! Specs, changed at a path.

use keyreeve::api::validation;
use serde_json::{Value, json};

use super::fields::Field;
use crate::schema::samples::object;

/// What stands at a path.
pub fn get<'a>(spec: &'a Value, path: &str) -> Option<&'a Value> {
    spec.pointer(&format!("/{}", path.replace('.', "/")))
}

/// The spec with this value at a path; objects above it are made.
pub fn with(spec: &Value, path: &str, value: Value) -> Value {
    let mut spec = spec.clone();
    let mut place = &mut spec;
    for part in path.split('.') {
        place = match part.parse::<usize>() {
            Ok(index) => &mut place[index],
            Err(_) => &mut place[part],
        };
    }
    *place = value;
    spec
}

/// The spec without what stands at a path.
pub fn without(spec: &Value, path: &str) -> Value {
    let (parent, name) = path.rsplit_once('.').unwrap_or(("", path));
    let mut spec = spec.clone();
    let parent = if parent.is_empty() {
        Some(&mut spec)
    } else {
        spec.pointer_mut(&format!("/{}", parent.replace('.', "/")))
    };
    parent.unwrap().as_object_mut().unwrap().remove(name);
    spec
}

/// Sets every field that is not set yet; answers the paths for which no value was found.
pub fn fill(
    kind: &str,
    spec: &mut Value,
    fields: &[Field],
    skip: &dyn Fn(&str) -> bool,
) -> Vec<String> {
    let mut unset = Vec::new();
    for field in fields.iter().filter(|field| !skip(&field.path)) {
        if get(spec, &field.path).is_some() {
            continue;
        }
        let group = field.is_group.then(|| json!({}));
        let specs =
            group.iter().chain(&field.values).map(|value| with(spec, &field.path, value.clone()));
        match specs.into_iter().find(|spec| {
            validation::check(kind, &object(kind, "sample", (*spec).clone()), None).is_empty()
        }) {
            Some(filled) => *spec = filled,
            None => unset.push(field.path.clone()),
        }
    }
    unset
}
