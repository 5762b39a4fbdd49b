//! Namespace: a partition inside a tenant in which roles are granted.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::{
    AdoptionPolicy, AllowedFrom, Condition, DeletionPolicy, LastHandled, ObjectReference,
    StoreReference, shared::immutable,
};

/// A partition inside a tenant in which roles are granted.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "keyreeve.dev",
    version = "v1alpha1",
    kind = "Namespace",
    namespaced,
    shortname = "tns",
    category = "keyreeve",
    status = "NamespaceStatus",
    derive = "PartialEq",
    doc = "A partition inside a tenant in which roles are granted. Not a Kubernetes namespace.",
    selectable = ".spec.tenantRef.name",
    selectable = ".spec.name",
    printcolumn(
        name = "Tenant",
        type_ = "string",
        json_path = ".status.tenantId",
        description = "The tenant id"
    ),
    printcolumn(
        name = "Name",
        type_ = "string",
        json_path = ".status.name",
        description = "The name in force"
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status",
        description = "Whether the declared state is reached"
    ),
    printcolumn(
        name = "Status",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason",
        description = "Why"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = immutable("tenantRef"), validation = immutable("name"))]
pub struct NamespaceSpec {
    /// The Tenant that it belongs to. Immutable.
    pub tenant_ref: ObjectReference,
    /// What it is called in the store: unique in the tenant. Immutable. Default: `metadata.name`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: Option<String>,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub description: Option<String>,
    /// From which other Kubernetes namespaces Roles may be placed in it. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub allowed_from: Option<Vec<AllowedFrom>>,
    /// What happens in the store when the Namespace is deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion_policy: Option<DeletionPolicy>,
    /// What happens when the store already has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adoption_policy: Option<AdoptionPolicy>,
}

/// What the operator says of a Namespace.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct NamespaceStatus {
    /// The generation of the spec that this status speaks of; -1 until the operator has seen it.
    #[serde(default)]
    pub observed_generation: i64,
    /// Ready, and while it holds Reconciling or Stalled; beside them what else is true now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// The tenant id.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 48))]
    pub tenant_id: Option<String>,
    /// The name in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub name: Option<String>,
    /// The store that holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store: Option<StoreReference>,
    /// Values of annotations that were acted upon.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_handled: Option<LastHandled>,
}
