//! TenantProfile: the platform's defaults, plan, limits and locks for tenants.

use std::borrow::Cow;

use kube::{CustomResource, KubeSchema};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::{
    AllowedFrom, Condition, KeystoreDefaults, LastHandled, PlanDetails, Settings, defaults,
};

/// The platform's defaults, plan, limits and locks for tenants.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "keyreeve.dev",
    version = "v1alpha1",
    kind = "TenantProfile",
    plural = "tenantprofiles",
    namespaced,
    shortname = "tprof",
    category = "keyreeve",
    status = "TenantProfileStatus",
    derive = "PartialEq",
    doc = "The platform's defaults, plan, limits and locks for tenants.",
    selectable = ".spec.plan",
    printcolumn(
        name = "Plan",
        type_ = "string",
        json_path = ".status.plan",
        description = "The plan in force"
    ),
    printcolumn(
        name = "Tenants",
        type_ = "integer",
        json_path = ".status.tenants",
        description = "Tenants that use it"
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
pub struct TenantProfileSpec {
    /// Settings of tenants that do not set them themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settings: Option<Settings>,
    /// Signing keys of tenants that do not say themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keystore: Option<KeystoreDefaults>,
    /// The name of the plan. Default: the profile's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 63),
        regex(pattern = "^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$")
    )]
    pub plan: Option<String>,
    /// Limits and features of the plan. Default: no limits, every feature.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan_details: Option<PlanDetails>,
    /// Paths that a tenant may not set; one locks all below it. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub locked: Option<Vec<SettingPath>>,
    /// From which other Kubernetes namespaces Tenants may use this profile. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub allowed_from: Option<Vec<AllowedFrom>>,
}

/// What the operator says of a TenantProfile.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct TenantProfileStatus {
    /// The generation of the spec that this status speaks of; -1 until the operator has seen it.
    #[serde(default)]
    pub observed_generation: i64,
    /// Ready, and while it holds Reconciling or Stalled; beside them what else is true now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// The plan in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub plan: Option<String>,
    /// Tenants that use the profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenants: Option<i64>,
    /// Values of annotations that were acted upon.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_handled: Option<LastHandled>,
}

/// The path of a setting, or of a group of them, such as `settings.ttl`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SettingPath(pub String);

impl JsonSchema for SettingPath {
    fn schema_name() -> Cow<'static, str> {
        "SettingPath".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "enum": defaults::lockable_paths()})
    }
}
