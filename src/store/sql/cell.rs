//! What one column of one row holds, and reading it leniently: a row that
//! another hand wrote must never stop the operator, so what cannot be read
//! counts as empty and is noted.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::table::Form;

/// What a column holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    Null,
    Text(String),
    Flag(bool),
    /// Something that the schema does not provide for, such as a BLOB.
    Odd,
}

impl Cell {
    /// A text, or NULL.
    pub(super) fn option(text: Option<&str>) -> Self {
        text.map_or(Self::Null, |text| Self::Text(text.into()))
    }

    /// A value as canonical JSON.
    pub(super) fn json(value: &impl Serialize) -> Self {
        Self::Text(canonical(value))
    }

    /// The text, if it is one.
    pub(super) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The JSON, if it is some.
    pub(super) fn as_json(&self) -> Option<Value> {
        serde_json::from_str(self.as_text()?).ok()
    }

    /// What a digest covers: nothing for what is empty, so that a column that a
    /// later schema adds leaves the digests of old rows as they are.
    pub(super) fn digested(&self, form: Form) -> Option<Value> {
        match self {
            Self::Null | Self::Flag(false) => None,
            Self::Text(text) if form == Form::Json && matches!(text.as_str(), "{}" | "[]") => None,
            Self::Text(text) => Some(Value::String(text.clone())),
            Self::Flag(true) => Some(Value::Bool(true)),
            Self::Odd => Some(Value::Null),
        }
    }
}

/// JSON with sorted keys and no spaces: equal values give equal text.
pub(super) fn canonical(value: &impl Serialize) -> String {
    // Neither fails: all that comes here has string keys.
    let mut value = serde_json::to_value(value).unwrap_or_default();
    value.sort_all_objects();
    value.to_string()
}

/// Reads cells one after the other, in the order of the table's columns.
pub(super) struct Reader<'a> {
    cells: std::slice::Iter<'a, Cell>,
    odd: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn new(cells: &'a [Cell]) -> Self {
        Self { cells: cells.iter(), odd: false }
    }

    /// Whether something could not be read.
    pub(super) fn odd(&self) -> bool {
        self.odd
    }

    pub(super) fn text(&mut self) -> String {
        let text = self.next().as_text().map(Into::into);
        self.noted(text)
    }

    pub(super) fn option(&mut self) -> Option<String> {
        match self.next() {
            Cell::Null => None,
            cell => {
                let text = cell.as_text().map(String::from);
                self.odd |= text.is_none();
                text
            }
        }
    }

    pub(super) fn flag(&mut self) -> bool {
        let flag = match self.next() {
            Cell::Flag(flag) => Some(*flag),
            _ => None,
        };
        self.noted(flag)
    }

    pub(super) fn json<T: DeserializeOwned + Default>(&mut self) -> T {
        let value = self.next().as_text().and_then(|text| serde_json::from_str(text).ok());
        self.noted(value)
    }

    /// JSON, or nothing where there is NULL.
    pub(super) fn optional_json<T: DeserializeOwned + Default>(&mut self) -> Option<T> {
        match self.cells.as_slice().first() {
            None | Some(Cell::Null) => {
                self.next();
                None
            }
            Some(_) => Some(self.json()),
        }
    }

    fn next(&mut self) -> &'a Cell {
        self.cells.next().unwrap_or(&Cell::Null)
    }

    fn noted<T: Default>(&mut self, value: Option<T>) -> T {
        self.odd |= value.is_none();
        value.unwrap_or_default()
    }
}
