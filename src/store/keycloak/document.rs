//! What Keycloak has no field for: mark, memo and the state as it was applied, in attributes of ours.
//!
//! A state is one JSON object, its document. Members that others may want to read stand in an
//! attribute of their own, `keyreeve.<member>`, the rest in `keyreeve.state`; all are JSON in ASCII,
//! so that every database holds them and a character is a byte. `keyreeve.digest` tells whether
//! another hand changed them.

use std::{collections::BTreeMap, fmt::Write as _};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::{
    api::paths::for_each_difference,
    store::{Desired, Mark},
};

/// What all our attributes begin with.
pub(super) const PREFIX: &str = "keyreeve.";
/// On whatever carries a mark, so that it can be counted.
pub(super) const MANAGED: &str = "keyreeve.managed";

const MARK: &str = "keyreeve.mark";
const MEMO: &str = "keyreeve.memo";
const STATE: &str = "keyreeve.state";
const DIGEST: &str = "keyreeve.digest";

/// Members that say where something is: they are not repeated in attributes.
const KEYS: [&str; 4] = ["tenantId", "name", "role", "username"];

/// Our attributes by name; one that is to go is empty.
pub(super) type Attributes = BTreeMap<String, String>;

/// What our attributes say.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Carried {
    pub mark: Option<Mark>,
    pub memo: Value,
    /// The state as it was applied, as far as it can be read.
    pub document: Map<String, Value>,
    /// Whether the document is the one that was applied.
    pub is_whole: bool,
}

impl Carried {
    /// Whether the document is what we applied, as far as it goes: also where the mark was taken away since, and
    /// nothing else.
    pub(super) const fn is_ours(&self) -> bool {
        self.mark.is_some() || self.is_whole
    }
}

/// A state as a document, without what says where it is.
pub(super) fn document(state: &impl Serialize) -> Map<String, Value> {
    let Ok(Value::Object(mut document)) = serde_json::to_value(state) else { return Map::new() };
    document.retain(|name, _| !KEYS.contains(&name.as_str()));
    document
}

/// The state that a document says. What is missing or cannot be read is as in `base`.
pub(super) fn state<S: Serialize + DeserializeOwned + Clone>(
    base: &S,
    document: &Map<String, Value>,
) -> S {
    let Ok(Value::Object(mut whole)) = serde_json::to_value(base) else { return base.clone() };
    let read = |whole: &Map<String, Value>| serde_json::from_value(Value::Object(whole.clone()));
    let known: Vec<(&String, &Value)> =
        document.iter().filter(|(name, _)| !KEYS.contains(&name.as_str())).collect();
    let mut all = whole.clone();
    all.extend(known.iter().map(|(name, value)| ((*name).clone(), (*value).clone())));
    if let Ok(state) = read(&all) {
        return state;
    }
    for (name, value) in known {
        let before = whole.insert(name.clone(), value.clone());
        if read(&whole).is_err() {
            match before {
                Some(before) => whole.insert(name.clone(), before),
                None => whole.remove(name),
            };
        }
    }
    read(&whole).unwrap_or_else(|_| base.clone())
}

/// Our attributes for a state; the members in `alone` have one each.
pub(super) fn attributes(
    desired: &Desired,
    document: &Map<String, Value>,
    alone: &[&str],
) -> Attributes {
    let mut rest = document.clone();
    let mut attributes = Attributes::from([
        (MANAGED.into(), "true".into()),
        (MARK.into(), ascii(&desired.mark)),
        (MEMO.into(), if desired.memo.is_null() { String::new() } else { ascii(&desired.memo) }),
        (DIGEST.into(), digest(document)),
    ]);
    for name in alone {
        let value = rest.remove(*name).unwrap_or_default();
        attributes.insert(format!("{PREFIX}{name}"), ascii(&value));
    }
    attributes.insert(STATE.into(), ascii(&rest));
    attributes
}

/// Our attributes for a state that is neither the one before nor the one to come: one that was not applied as a whole.
pub(super) fn unsettled(document: &Map<String, Value>, alone: &[&str]) -> Attributes {
    let mut rest = document.clone();
    rest.retain(|name, _| !alone.contains(&name.as_str()));
    Attributes::from([(STATE.into(), ascii(&rest)), (DIGEST.into(), String::new())])
}

/// Reads our attributes.
pub(super) fn read(attribute: impl Fn(&str) -> Option<String>, alone: &[&str]) -> Carried {
    let json = |name: &str| serde_json::from_str::<Value>(&attribute(name)?).ok();
    let mut document = match json(STATE) {
        Some(Value::Object(document)) => document,
        _ => Map::new(),
    };
    for name in alone {
        if let Some(value) = json(&format!("{PREFIX}{name}")) {
            document.insert((*name).into(), value);
        }
    }
    Carried {
        mark: json(MARK).and_then(|mark| serde_json::from_value(mark).ok()),
        memo: json(MEMO).unwrap_or_default(),
        is_whole: attribute(DIGEST).as_deref() == Some(&digest(&document)),
        document,
    }
}

/// SHA-256 over a document; members are in the order of their names.
pub(super) fn digest(document: &Map<String, Value>) -> String {
    base16ct::lower::encode_string(&Sha256::digest(ascii(document)))
}

/// JSON whose other characters are escaped.
pub(super) fn ascii(value: &impl Serialize) -> String {
    let json = serde_json::to_string(value).unwrap_or_default();
    let mut ascii = String::with_capacity(json.len());
    for character in json.chars() {
        if character.is_ascii() {
            ascii.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                let _ = write!(ascii, "\\u{unit:04x}");
            }
        }
    }
    ascii
}

/// The values of an attribute whose values may only be so long.
pub(super) fn chunks(text: &str, longest: usize) -> Vec<String> {
    let mut chunks = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = (0..=longest.min(rest.len())).rev().find(|end| rest.is_char_boundary(*end));
        let (chunk, after) = rest.split_at(end.filter(|end| *end > 0).unwrap_or(rest.len()));
        chunks.push(chunk.to_owned());
        rest = after;
    }
    chunks
}

/// The fields in which two documents differ: column names; of objects the paths of the leaves.
pub(super) fn differences(a: &Map<String, Value>, b: &Map<String, Value>) -> Vec<String> {
    let mut fields = Vec::new();
    for name in a.keys().chain(b.keys().filter(|name| !a.contains_key(*name))) {
        let (a, b) = (a.get(name).unwrap_or(&Value::Null), b.get(name).unwrap_or(&Value::Null));
        if a == b {
            continue;
        }
        let (name, before) = (snake_case(name), fields.len());
        if let (Value::Object(a), Value::Object(b)) = (a, b) {
            for_each_difference(a, b, &name, &mut |path| fields.push(path));
        }
        if fields.len() == before {
            fields.push(name);
        }
    }
    fields
}

fn snake_case(name: &str) -> String {
    name.chars().fold(String::new(), |mut snake, character| {
        if character.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(character.to_ascii_lowercase());
        snake
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::store::{State, conformance::samples};

    #[test]
    fn attributes_say_what_was_applied() {
        for sample in samples::rich().into_iter().chain(samples::poor()) {
            let State::User(user) = &sample else { continue };
            let desired = Desired {
                memo: json!({"text": samples::TEXT}),
                ..samples::desired(sample.clone())
            };
            let whole = document(user);
            let attributes = attributes(&desired, &whole, &["claims"]);
            assert!(attributes.values().all(|value| value.is_ascii()));
            let carried = read(|name| attributes.get(name).cloned(), &["claims"]);
            assert_eq!(carried.document, whole);
            assert_eq!((carried.mark, carried.memo), (Some(desired.mark), desired.memo));
            assert!(carried.is_whole);
            let base = crate::store::UserState {
                tenant_id: user.tenant_id.clone(),
                username: user.username.clone(),
                ..Default::default()
            };
            assert_eq!(state(&base, &carried.document), *user);
        }
    }

    #[test]
    fn what_cannot_be_read_costs_nothing_else() {
        let base = crate::store::UserState::default();
        let damaged = json!({"firstName": 1, "lastName": "L", "claims": [], "username": "x"});
        let read = state(&base, damaged.as_object().unwrap());
        assert_eq!((read.first_name, read.last_name), (None, Some("L".into())));
        assert_eq!(read.username, "", "what says where it is comes from there");
    }

    #[test]
    fn chunks_are_put_together_again() {
        for text in ["", "a", "abcdefghij", "abcdefghijk", "ééééééééé"] {
            let chunks = chunks(text, 5);
            assert!(chunks.iter().all(|chunk| chunk.len() <= 5));
            assert_eq!(chunks.concat(), text);
        }
    }
}
