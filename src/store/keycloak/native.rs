//! The parts of a state that Keycloak has fields of its own for.
//!
//! A part of what was applied counts as unchanged while the fields are as it makes them; so a value
//! is observed as it was written (`90m`, not `1h30m`), and one that Keycloak holds in another way
//! (an email address in lower case) does not differ from itself. Where the fields are otherwise,
//! another hand was there, and they are read. Fields that no one value makes are read as the object
//! of their names and values, which makes exactly them.

use serde_json::{Map, Value};

use crate::api::paths::{insert, look_up};

/// Fields of an object in Keycloak by name, all on one level.
pub(super) type Fields = Map<String, Value>;

/// What Keycloak takes of fields, beside the rest of a document.
type Bound = fn(Vec<Value>, &Map<String, Value>) -> Vec<Value>;

/// One part of a state.
pub(super) struct Native {
    /// Where it stands in the document.
    pub path: &'static str,
    /// The fields that hold it.
    pub fields: &'static [&'static str],
    /// What the fields are for a value, in a document; none for a value that they cannot hold.
    pub write: fn(&Value, &Map<String, Value>) -> Option<Vec<Value>>,
    /// The value that the fields say.
    pub read: fn(&[Value]) -> Value,
    /// What Keycloak takes of the fields, if that may be less than is wanted.
    pub bound: Option<Bound>,
}

/// A part that is written and read in a way of its own.
pub(super) const fn native(
    path: &'static str,
    fields: &'static [&'static str],
    write: fn(&Value, &Map<String, Value>) -> Option<Vec<Value>>,
    read: fn(&[Value]) -> Value,
) -> Native {
    Native { path, fields, write, read, bound: None }
}

/// A text in one field.
pub(super) const fn text(path: &'static str, fields: &'static [&'static str]) -> Native {
    native(path, fields, write_text, read_text)
}

/// A flag in one field.
pub(super) const fn flag(path: &'static str, fields: &'static [&'static str]) -> Native {
    native(path, fields, write_flag, read_flag)
}

impl Native {
    fn have(&self, fields: &Fields) -> Vec<Value> {
        self.fields.iter().map(|field| fields.get(*field).cloned().unwrap_or_default()).collect()
    }

    fn want(&self, value: &Value, document: &Map<String, Value>) -> Option<Vec<Value>> {
        let raw = value
            .as_object()
            .and_then(|raw| self.fields.iter().map(|field| raw.get(*field).cloned()).collect());
        let want = raw.or_else(|| (self.write)(value, document))?;
        Some(match self.bound {
            Some(bound) => bound(want, document),
            None => want,
        })
    }

    fn is_as_applied(&self, document: &Map<String, Value>, have: &[Value]) -> bool {
        let Some(value) = look_up(document, self.path) else { return true };
        self.want(value, document).is_none_or(|want| all_same(&want, have))
    }

    /// The value that makes these fields.
    fn exactly(&self, document: &Map<String, Value>, have: &[Value]) -> Value {
        let value = (self.read)(have);
        if self.want(&value, document).is_some_and(|want| all_same(&want, have)) {
            return value;
        }
        let raw = self.fields.iter().map(|field| (*field).to_owned()).zip(have.iter().cloned());
        Value::Object(raw.collect())
    }
}

/// A document with what the fields say, where that is not what the document makes of them. Of what
/// was never applied by us all of it is read.
pub(super) fn overlay(
    natives: &[Native],
    document: &mut Map<String, Value>,
    fields: &Fields,
    is_ours: bool,
) {
    let applied = document.clone();
    for native in natives {
        let have = native.have(fields);
        if !is_ours || !native.is_as_applied(&applied, &have) {
            let value = native.exactly(&applied, &have);
            insert(document, native.path, value);
        }
    }
}

/// The fields that are not as a document wants them.
pub(super) fn changes(
    natives: &[Native],
    document: &Map<String, Value>,
    fields: &Fields,
) -> Fields {
    let mut changes = Fields::new();
    for native in natives {
        let wanted = look_up(document, native.path).and_then(|value| native.want(value, document));
        let Some(wanted) = wanted else { continue };
        for ((field, want), have) in native.fields.iter().zip(wanted).zip(native.have(fields)) {
            if !same(&want, &have) {
                changes.insert((*field).to_owned(), want);
            }
        }
    }
    changes
}

fn all_same(a: &[Value], b: &[Value]) -> bool {
    a.iter().zip(b).all(|(a, b)| same(a, b))
}

/// Keycloak does not tell an empty text from none.
fn same(a: &Value, b: &Value) -> bool {
    let empty = |value: &Value| value.is_null() || value.as_str() == Some("");
    a == b || (empty(a) && empty(b))
}

#[allow(clippy::unnecessary_wraps, reason = "it is one of those that a `Native` has")]
/// A text of at most 255 characters, as Keycloak's columns hold it; the whole of it is carried.
fn write_text(value: &Value, _: &Map<String, Value>) -> Option<Vec<Value>> {
    let text = value.as_str().unwrap_or_default();
    // Java's characters: those beyond the first plane count twice.
    let mut units = 0;
    let fits = text.chars().take_while(|character| {
        units += character.len_utf16();
        units <= 255
    });
    Some(vec![Value::String(fits.collect())])
}

/// A text; an empty one is none.
pub(super) fn read_text(fields: &[Value]) -> Value {
    let text = fields.first().and_then(Value::as_str).filter(|text| !text.is_empty());
    text.map_or(Value::Null, Into::into)
}

fn write_flag(value: &Value, _: &Map<String, Value>) -> Option<Vec<Value>> {
    Some(vec![Value::Bool(value.as_bool()?)])
}

fn read_flag(fields: &[Value]) -> Value {
    Value::Bool(fields.first().and_then(Value::as_bool).unwrap_or(false))
}
