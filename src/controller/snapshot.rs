//! An object as it was read, with the parts of it that the driver looks at.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Resource;
use serde::Serialize;
use serde_json::{Map, Value};

use super::conditions;
use crate::{
    api::{Condition, RECONCILE_ANNOTATION},
    policy::{Problem, Reason},
};

/// An object as JSON, with the parts that the driver looks at.
pub struct Snapshot {
    /// The whole of it.
    pub object: Value,
    /// Its status.
    pub status: Map<String, Value>,
    /// Its conditions.
    pub conditions: Vec<Condition>,
    /// The generation of its spec.
    pub generation: i64,
    /// Its version, on which a write is conditional.
    pub resource_version: Option<String>,
    reconcile_asked: Option<String>,
    /// What events refer to.
    pub reference: ObjectReference,
}

impl Snapshot {
    /// Takes it.
    pub fn of<K: Resource + Serialize>(object: &K, kind: &K::DynamicType) -> Result<Self, Problem> {
        let unreadable = |error: serde_json::Error| {
            Problem::terminal(
                Reason::InvalidObject,
                format!("the object cannot be written as JSON: {error}"),
            )
        };
        let reference = object.object_ref(kind);
        let meta = object.meta();
        let (generation, resource_version) =
            (meta.generation.unwrap_or(0), meta.resource_version.clone());
        let reconcile_asked = meta
            .annotations
            .as_ref()
            .and_then(|annotations| annotations.get(RECONCILE_ANNOTATION))
            .cloned();
        let object = serde_json::to_value(object).map_err(unreadable)?;
        let status = object.get("status").and_then(Value::as_object).cloned().unwrap_or_default();
        // Conditions that somebody broke are made anew.
        let conditions = status
            .get("conditions")
            .cloned()
            .and_then(|c| serde_json::from_value(c).ok())
            .unwrap_or_default();
        Ok(Self {
            object,
            status,
            conditions,
            generation,
            resource_version,
            reconcile_asked,
            reference,
        })
    }

    /// Whether status says that a store has the object.
    pub fn is_in_store(&self) -> bool {
        self.status.contains_key("store")
    }

    /// Whether it was Ready.
    pub fn is_ready(&self) -> bool {
        conditions::is_ready(&self.conditions)
    }
}

/// A value that is an object in JSON, such as a status, as one.
pub fn as_map(value: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(value) {
        Ok(Value::Object(map)) => map,
        _ => Map::new(),
    }
}

/// As many characters of a text as status holds: another hand may have written more.
pub fn as_status_holds(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

/// Puts conditions into a status.
pub fn put_conditions(
    status: &mut Map<String, Value>,
    conditions: &[Condition],
) -> Result<(), Problem> {
    let conditions = serde_json::to_value(conditions).map_err(|error| {
        Problem::terminal(
            Reason::InvalidObject,
            format!("the conditions cannot be written as JSON: {error}"),
        )
    })?;
    status.insert("conditions".into(), conditions);
    Ok(())
}

/// Puts the value of the annotation that asked for this reconcile into a status, beside those of other annotations.
pub fn put_last_handled(status: &mut Map<String, Value>, snapshot: &Snapshot) {
    let mut handled =
        status.get("lastHandled").and_then(Value::as_object).cloned().unwrap_or_default();
    match &snapshot.reconcile_asked {
        Some(asked) => handled.insert("reconcile".into(), asked.clone().into()),
        None => handled.remove("reconcile"),
    };
    if handled.is_empty() {
        status.remove("lastHandled");
    } else {
        status.insert("lastHandled".into(), Value::Object(handled));
    }
}
