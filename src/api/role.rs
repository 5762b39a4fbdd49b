//! Role: a named set of access rules, tenant-wide or in one identity Namespace.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    AdoptionPolicy, AllowedFrom, Condition, DeletionPolicy, LastHandled, ObjectReference,
    StoreReference, shared::immutable,
};

/// A named set of access rules, tenant-wide or in one identity Namespace.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "keyreeve.dev",
    version = "v1alpha1",
    kind = "Role",
    namespaced,
    shortname = "trole",
    category = "keyreeve",
    status = "RoleStatus",
    derive = "PartialEq",
    doc = "A named set of access rules in a tenant, tenant-wide or in one identity Namespace. Not a role of Kubernetes RBAC.",
    selectable = ".spec.tenantRef.name",
    selectable = ".spec.namespaceRef.name",
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
        name = "Namespace",
        type_ = "string",
        json_path = ".status.namespace",
        description = "The identity Namespace, if it is in one"
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
#[x_kube(
    validation = immutable("tenantRef"),
    validation = immutable("name"),
    validation = immutable("namespaceRef")
)]
pub struct RoleSpec {
    /// The Tenant that it belongs to. Immutable.
    pub tenant_ref: ObjectReference,
    /// The identity Namespace that it is in. Immutable. Default: none, it is tenant-wide.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace_ref: Option<ObjectReference>,
    /// What it is called in the store: unique in the tenant and identity Namespace. Immutable. Default: `metadata.name`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 128),
        regex(pattern = "^[A-Za-z0-9]([-A-Za-z0-9_.:]*[A-Za-z0-9])?$")
    )]
    pub name: Option<String>,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub description: Option<String>,
    /// What it allows: data for resource servers, which every store carries and none enforces. Default: nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 100))]
    pub rules: Option<Vec<AccessRule>>,
    /// Roles of the same tenant that it contains: whoever holds it holds them. Default: not managed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 100))]
    pub composites: Option<Vec<ObjectReference>>,
    /// Whether its holders, direct or through composites, count as administrators.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub administrator: Option<bool>,
    /// From which other Kubernetes namespaces Users may be granted it and Roles may contain it. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub allowed_from: Option<Vec<AllowedFrom>>,
    /// What happens in the store when the Role is deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion_policy: Option<DeletionPolicy>,
    /// What happens when the store already has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adoption_policy: Option<AdoptionPolicy>,
}

/// What a role allows: these methods on these paths.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccessRule {
    /// Paths, each exact or, with a closing `*`, everything that begins so.
    #[schemars(
        length(min = 1, max = 100),
        inner(length(min = 1, max = 250), regex(pattern = r"^(/[^\p{Z}\p{Cc}*]*\*?|\*)$"))
    )]
    pub paths: Vec<String>,
    /// HTTP methods; `*` is all of them.
    #[schemars(length(min = 1, max = 8))]
    pub methods: Vec<Method>,
}

/// An HTTP method, or all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
#[allow(missing_docs, reason = "the names are HTTP's")]
pub enum Method {
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
    Options,
    #[serde(rename = "*")]
    Any,
}

/// A role, as the store calls it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StoredRole {
    /// The role's name.
    #[schemars(length(max = 253))]
    pub name: String,
    /// The identity Namespace that it is in, if it is in one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub namespace: Option<String>,
}

/// What the operator says of a Role.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct RoleStatus {
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
    /// The identity Namespace that it is in, as the store calls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub namespace: Option<String>,
    /// The name in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub name: Option<String>,
    /// The Roles that it contains in the store, as far as Roles manage them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub composites: Vec<StoredRole>,
    /// The store that holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store: Option<StoreReference>,
    /// Values of annotations that were acted upon.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_handled: Option<LastHandled>,
}
