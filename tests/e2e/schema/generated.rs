//! Cases that follow from the schemas: for each part, what just fits and what just does not.

use serde_json::{Value, json};

use super::{
    samples::{KINDS, Place, for_each_place, list, number, object, smallest, spec_schema, text},
    server::{Case, Expect},
};

/// Visits every part of every kind's spec.
pub fn for_each_part(visit: &mut dyn FnMut(&Place<'_>)) {
    for (kind, _) in KINDS {
        let schema = spec_schema(kind);
        let with = |spec| object(kind, "sample", spec);
        let place = Place { schema: &schema, path: "spec", is_required: true, with: &with };
        for_each_place(&place, visit);
    }
}

/// What a message about a part names: of an item or entry, at least the list or map.
fn named(path: &str) -> &str {
    path.trim_end_matches("[0]").trim_end_matches(".a")
}

/// Bounds, enums and patterns.
pub fn bounds(place: &Place<'_>) -> Vec<Case> {
    let Place { schema, path, with, .. } = place;
    let mut cases = Vec::new();
    let mut accepted = |what: String, value| {
        cases.push(Case::accepted(format!("{path}: {what}"), with(value)));
    };
    let mut wrong: Vec<(String, Value)> = Vec::new();
    if let Some(values) = schema["enum"].as_array() {
        for value in values {
            accepted(format!("{value}"), value.clone());
        }
        wrong.extend(
            [json!(""), json!("nonsense"), json!(7)].map(|value| ("not one".into(), value)),
        );
        if let Some(value) = values[0].as_str() {
            wrong.push(("blank before it".into(), format!(" {value}").into()));
        }
    } else {
        match schema["type"].as_str().unwrap() {
            "integer" => {
                for (key, beyond) in [("minimum", -1_i64), ("maximum", 1)] {
                    let bound = i64::try_from(number(schema, key).unwrap()).unwrap();
                    accepted(key.into(), bound.into());
                    wrong.push((format!("beyond its {key}"), (bound + beyond).into()));
                }
                wrong.push(("a fraction".into(), 7.5.into()));
                wrong.push(("enormous".into(), 1e19.into()));
            }
            "string" => {
                let min = number(schema, "minLength").unwrap_or(0);
                let max = number(schema, "maxLength").unwrap();
                for length in [min, max] {
                    if let Some(text) = text(schema, path, length) {
                        accepted(format!("{length} characters"), text.into());
                    }
                }
                if let Some(less) = min.checked_sub(1) {
                    wrong.push(("too short".into(), "a".repeat(less).into()));
                }
                wrong.push((
                    "too long".into(),
                    text(schema, path, max + 1).unwrap_or_else(|| "a".repeat(max + 1)).into(),
                ));
            }
            "array" => {
                let min = number(schema, "minItems").unwrap_or(0);
                let max = number(schema, "maxItems").unwrap();
                for length in [min, max] {
                    if let Some(list) = list(schema, path, length) {
                        accepted(format!("{length} items"), list);
                    }
                }
                if let Some(less) = min.checked_sub(1) {
                    wrong.push(("too few".into(), list(schema, path, less).unwrap()));
                }
                // Of a set, more than there are values cannot be: one stands there twice.
                let many = list(schema, path, max + 1)
                    .unwrap_or_else(|| vec![smallest(&schema["items"], ""); max + 1].into());
                wrong.push(("too many".into(), many));
                if schema["x-kubernetes-list-type"] != "atomic" {
                    let one = smallest(&schema["items"], "");
                    wrong.push(("one twice".into(), json!([one, one])));
                }
            }
            "object" => object_bounds(place, &mut accepted, &mut wrong),
            _ => {}
        }
    }
    cases.extend(
        wrong.into_iter().map(|(what, value)| {
            Case::refused(format!("{path}: {what}"), named(path), with(value))
        }),
    );
    cases
}

fn object_bounds(
    Place { schema, path, .. }: &Place<'_>,
    accepted: &mut dyn FnMut(String, Value),
    wrong: &mut Vec<(String, Value)>,
) {
    let is_map = schema.get("additionalProperties").is_some() || path.ends_with(".claims");
    let map = |length: usize| -> Value {
        (0..length).map(|number| (format!("a{number}"), json!("a"))).collect()
    };
    if is_map {
        let min = number(schema, "minProperties").unwrap_or(0);
        let max = number(schema, "maxProperties").unwrap();
        accepted(format!("{min} names"), map(min));
        accepted(format!("{max} names"), map(max));
        wrong.push(("too many names".into(), map(max + 1)));
        if min > 0 {
            wrong.push(("no names".into(), map(0)));
        }
        return;
    }
    accepted("the smallest".into(), smallest(schema, path));
    let mut unknown = smallest(schema, path);
    unknown["nonsense"] = 1.into();
    wrong.push(("an unknown field".into(), unknown));
    for required in schema["required"].as_array().into_iter().flatten() {
        let mut without = smallest(schema, path);
        without.as_object_mut().unwrap().remove(required.as_str().unwrap());
        wrong.push((format!("without {required}"), without));
    }
}

/// A value of every other type.
pub fn types(place: &Place<'_>) -> Vec<Case> {
    let Place { schema, path, with, .. } = place;
    [
        ("boolean", json!(true)),
        ("integer", json!(7)),
        ("number", json!(7.5)),
        ("string", json!("text")),
        ("array", json!([])),
        ("object", json!({})),
    ]
    .into_iter()
    .filter(|(type_, _)| schema["type"] != *type_)
    .map(|(type_, value)| Case::refused(format!("{path}: of type {type_}"), path, with(value)))
    .collect()
}

/// Null: a field that is null is not there; in a list null is refused.
pub fn null(place: &Place<'_>) -> Case {
    /// What is refused when it is not there, as the rules are.
    const NEEDED: [&str; 4] = [".generate", ".secretKeyRef", ".matchNames", ".matchLabels.a"];
    let Place { path, is_required, with, .. } = place;
    let what = format!("{path}: null");
    match NEEDED.iter().find_map(|name| path.strip_suffix(name)) {
        Some(around) => Case::refused(what, around, with(Value::Null)),
        None if *is_required => Case::refused(what, path, with(Value::Null)),
        None => Case::accepted(what, with(Value::Null)),
    }
}

/// Texts that software stumbles over.
const ODD_TEXTS: [&str; 22] = [
    "\u{0}",
    "\u{7}",
    "\u{1b}[31m",
    "a\nb",
    "a\n",
    "\r",
    "\t",
    "\u{7f}",
    "\u{85}",
    " ",
    " a ",
    "😀",
    "👩‍👩‍👧‍👦",
    "e\u{301}",
    "عربى",
    "\u{202e}abc",
    "\u{2028}",
    "\u{feff}a",
    "\u{fffd}",
    "İıß",
    "<script>&\"'\\",
    "１２",
];

/// Odd texts alone, and within what would fit.
pub fn odd_texts(place: &Place<'_>) -> Vec<Case> {
    let Place { schema, path, with, .. } = place;
    if schema["type"] != "string" {
        return Vec::new();
    }
    let fitting = smallest(schema, path);
    ODD_TEXTS
        .into_iter()
        .flat_map(|odd| [odd.to_owned(), format!("{}{odd}", fitting.as_str().unwrap())])
        .map(|text| Case {
            what: format!("{path}: {text:?}"),
            object: with(text.into()),
            old: None,
            expect: Expect::Either(named(path).into()),
        })
        .collect()
}
