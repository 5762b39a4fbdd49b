//! Bodies of requests, wiped when they were sent: there are keys and hashes in some.

use std::io::{self, Write};

use hyper::body::Bytes;
use serde_json::Value;
use zeroize::{Zeroize as _, Zeroizing};

/// A JSON body that is wiped when it is dropped.
pub(super) fn of(value: &Value) -> Bytes {
    let mut length = Length(0);
    // Writing to these does not fail.
    let _ = serde_json::to_writer(&mut length, value);
    // Of its full size at once: what a growing one leaves behind is not wiped.
    let mut body = Zeroizing::new(Vec::with_capacity(length.0));
    let _ = serde_json::to_writer(&mut *body, value);
    Bytes::from_owner(body)
}

/// A value that is wiped when it is dropped.
pub(super) struct Secret(pub Value);

impl Drop for Secret {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(wipe),
        Value::Object(members) => members.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Counts what is written.
struct Length(usize);

impl Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_body_is_the_value_and_a_secret_leaves_nothing() {
        let value = json!({"a": ["\u{e9}\n", 1, null], "b": {"c": "secret"}});
        assert_eq!(of(&value), value.to_string());
        let mut secret = Secret(value);
        wipe(&mut secret.0);
        assert_eq!(secret.0, json!({"a": ["", 1, null], "b": {"c": ""}}));
    }
}
