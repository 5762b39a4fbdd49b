//! The parts of status that all kinds share.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One aspect of the object's state, in the form of Kubernetes' `metav1.Condition`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// The aspect, in CamelCase.
    #[serde(rename = "type")]
    #[schemars(length(max = 316))]
    pub type_: String,
    /// `True`, `False` or `Unknown`.
    #[schemars(length(max = 7))]
    pub status: String,
    /// Why, as one CamelCase word that programs can rely on.
    #[schemars(length(max = 1024))]
    pub reason: String,
    /// Why, for people: what, where, and what to do next.
    #[schemars(length(max = 32768))]
    pub message: String,
    /// The generation of the spec that this condition speaks of.
    pub observed_generation: i64,
    /// When `status` last changed.
    #[schemars(schema_with = "date_time")]
    pub last_transition_time: Time,
}

/// The store that holds the object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StoreReference {
    /// The kind of store: `sqlite`, `postgres` or `keycloak`.
    #[schemars(length(max = 63))]
    pub kind: String,
    /// The store's own identity, made with it: another one is another store.
    #[schemars(length(max = 253))]
    pub id: String,
}

/// Values of annotations that were acted upon.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LastHandled {
    /// The value of `keyreeve.dev/reconcile` that was last handled.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 262_144))]
    pub reconcile: Option<String>,
    /// The value of `keyreeve.dev/rotate` that was last handled.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 262_144))]
    pub rotate: Option<String>,
}

/// A point in time, as RFC 3339 writes it.
///
/// In a spec, narrower than the API server's own check, which lets pass what programs do not
/// read: an offset of 25 hours, a comma before the fraction, years that overflow.
pub(super) fn date_time(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "string",
        "format": "date-time",
        "maxLength": 64,
        "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-5][0-9]([.][0-9]{1,9})?(Z|[-+]([01][0-9]|2[0-3]):[0-5][0-9])$",
        "x-kubernetes-validations": [{
            "rule": "self < timestamp('9999-01-01T00:00:00Z')",
            "message": "must be before the year 9999: leave it out if there is no such date",
        }],
    })
}
