//! Every setting, with values that stand for all that it may have: the documentation says of each what the stores
//! do with it, and the conformance suite tries it on each of them.

use serde_json::{Value, json};

use crate::api::{
    Algorithm::{self, ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512},
    defaults, paths,
};

const ALGORITHMS: [Algorithm; 9] = [RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA];

/// The paths with one value each; a path comes as often as it has values, one after the other.
pub(crate) fn settings() -> Vec<(String, Value)> {
    let mut settings = Vec::new();
    if let Value::Object(document) = defaults::tenant_settings() {
        paths::for_each_leaf(&document, "", &mut |path, built_in| {
            settings.extend(
                values_of(path, built_in).into_iter().map(|value| (path.to_owned(), value)),
            );
        });
    }
    settings
}

/// Not the built-in one alone: what nobody set says nothing of what a store can do.
fn values_of(path: &str, built_in: &Value) -> Vec<Value> {
    match path {
        "settings.hashFunction" => vec![json!("argon2"), json!("bcrypt")],
        "settings.ciba.deliveryMode" => vec![json!("poll"), json!("ping")],
        "settings.apiVersion" => vec![built_in.clone()],
        "settings.environmentVariables" => vec![json!([{"name": "A", "value": "x"}])],
        "keystore.algorithm" => ALGORITHMS.map(|algorithm| json!(algorithm.as_str())).into(),
        "keystore.rotationPeriod" => vec![json!("720h")],
        _ => match built_in {
            Value::Bool(_) => vec![json!(true), json!(false)],
            Value::Array(_) => vec![json!(["x"])],
            Value::Number(number) => vec![json!(number.as_u64().unwrap_or_default() + 1)],
            Value::String(text) if text.is_empty() => vec![json!("x")],
            _ => vec![json!("7m")],
        },
    }
}
