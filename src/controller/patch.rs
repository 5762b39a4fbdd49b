//! The smallest change of status: an RFC 7386 merge patch from one document to another.

use serde_json::{Map, Value};

/// The merge patch that makes `new` out of `old`; none if they are equal.
#[must_use]
pub fn merge_patch(
    old: &Map<String, Value>,
    new: &Map<String, Value>,
) -> Option<Map<String, Value>> {
    let mut patch = Map::new();
    for (name, value) in new {
        match (old.get(name), value) {
            (Some(before), value) if before == value => {}
            (Some(Value::Object(before)), Value::Object(after)) => {
                if let Some(difference) = merge_patch(before, after) {
                    patch.insert(name.clone(), Value::Object(difference));
                }
            }
            _ => {
                patch.insert(name.clone(), value.clone());
            }
        }
    }
    for name in old.keys().filter(|name| !new.contains_key(*name)) {
        patch.insert(name.clone(), Value::Null);
    }
    (!patch.is_empty()).then_some(patch)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn says_only_what_differs() {
        for (old, new, patch) in [
            (json!({}), json!({}), None),
            (json!({"a": 1}), json!({"a": 1}), None),
            (json!({"a": 1}), json!({"a": 2, "b": [1]}), Some(json!({"a": 2, "b": [1]}))),
            (
                json!({"a": {"b": 1, "c": 2}}),
                json!({"a": {"b": 1}}),
                Some(json!({"a": {"c": null}})),
            ),
            (json!({"a": 1}), json!({}), Some(json!({"a": null}))),
            (json!({"a": [1, 2]}), json!({"a": [1]}), Some(json!({"a": [1]}))),
        ] {
            let patched = merge_patch(old.as_object().unwrap(), new.as_object().unwrap());
            assert_eq!(patched.map(Value::Object), patch, "{old} → {new}");
        }
    }
}
