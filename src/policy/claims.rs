//! Claims: what their schema, which lets any JSON through, cannot say of them.

use std::{collections::BTreeMap, fmt::Write};

use serde_json::Value;

use crate::api::{RESERVED_CLAIMS, validation::Violation};

/// The most bytes of all claims together, as one JSON object without white space, in UTF-8.
pub const MAX_SIZE: usize = 32 * 1024;

/// The greatest depth of a claim. A number, a text, `true`, `false`, and an empty list or object have depth 1;
/// any other list or object has one more than the deepest value in it.
pub const MAX_DEPTH: usize = 8;

/// Of a name in a path, no more than this many characters are shown.
const SHOWN: usize = 40;

/// Checks that no claim has a reserved name, that none holds null, that none is deeper than [`MAX_DEPTH`], and
/// that all together have no more than [`MAX_SIZE`].
///
/// # Errors
/// Each reserved name, the first null, the first value that is too deep, and the size.
pub fn check(claims: &BTreeMap<String, Value>) -> Result<(), Vec<Violation>> {
    let mut violations: Vec<_> = claims.keys().filter_map(|name| reserved(name)).collect();
    let mut found = Found::default();
    for (name, value) in claims {
        found.look_at(value, &Path { above: None, step: Step::Name(name) }, 1);
    }
    let is_too_deep = found.too_deep.is_some();
    violations.extend(found.null.map(|path| Violation {
        path,
        message: "must not be null: take it out, or give it a value".into(),
    }));
    violations.extend(found.too_deep.map(|path| Violation {
        path,
        message: format!("must not be there: a claim has at most {MAX_DEPTH} levels"),
    }));
    // What is too deep is not written: that goes down by recursion.
    if !is_too_deep {
        let size = serde_json::to_vec(claims).map_or(usize::MAX, |json| json.len());
        if size > MAX_SIZE {
            violations.push(Violation {
                path: "spec.claims".into(),
                message: format!(
                    "must have at most {MAX_SIZE} bytes as JSON, and has {size}: shorten them"
                ),
            });
        }
    }
    if violations.is_empty() { Ok(()) } else { Err(violations) }
}

/// What is wrong with the name of a claim, and where it belongs instead.
fn reserved(name: &str) -> Option<Violation> {
    if !RESERVED_CLAIMS.contains(&name) {
        return None;
    }
    let field = match name {
        "email" => Some("spec.email"),
        "email_verified" => Some("spec.emailVerified"),
        "preferred_username" => Some("spec.username"),
        "given_name" => Some("spec.firstName"),
        "family_name" => Some("spec.lastName"),
        _ => None,
    };
    let message = match field {
        Some(field) => format!("is reserved: it is made of {field}, set that instead"),
        None => "is reserved: the issuer of a token sets it, take it out".into(),
    };
    let path = Path { above: None, step: Step::Name(name) }.in_words();
    Some(Violation { path, message })
}

/// The paths of the first null and of the first value that is too deep.
#[derive(Default)]
struct Found {
    null: Option<String>,
    too_deep: Option<String>,
}

impl Found {
    /// Goes down no further than one level beyond [`MAX_DEPTH`], however deep the value is.
    fn look_at(&mut self, value: &Value, path: &Path<'_>, depth: usize) {
        if depth > MAX_DEPTH {
            self.too_deep.get_or_insert_with(|| path.in_words());
            return;
        }
        match value {
            Value::Null => {
                self.null.get_or_insert_with(|| path.in_words());
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.look_at(item, &path.then(Step::Index(index)), depth + 1);
                }
            }
            Value::Object(fields) => {
                for (name, field) in fields {
                    self.look_at(field, &path.then(Step::Name(name)), depth + 1);
                }
            }
            Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
}

/// The way to a value, written out only for one that is wrong.
struct Path<'a> {
    above: Option<&'a Path<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Name(&'a str),
    Index(usize),
}

impl<'a> Path<'a> {
    fn then(&'a self, step: Step<'a>) -> Path<'a> {
        Path { above: Some(self), step }
    }

    /// Such as `spec.claims.address.lines[0]`; a name that is not plain is quoted: `spec.claims["a b"]`.
    fn in_words(&self) -> String {
        let mut words = self.above.map_or_else(|| "spec.claims".to_owned(), Path::in_words);
        // Writing to a String cannot fail.
        let _ = match self.step {
            Step::Index(index) => write!(words, "[{index}]"),
            Step::Name(name) if is_plain(name) => write!(words, ".{name}"),
            Step::Name(name) => {
                let shown: String = name.chars().take(SHOWN).collect();
                let more = if shown.len() < name.len() { "…" } else { "" };
                write!(words, "[{shown:?}{more}]")
            }
        };
        words
    }
}

fn is_plain(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    (1..=SHOWN).contains(&name.len()) && name.chars().all(is_plain)
}

#[cfg(test)]
#[path = "claims_tests.rs"]
mod tests;
