//! Tenant: one isolated identity realm with its users, roles, keys and policies.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    AdoptionPolicy, Condition, DeletionPolicy, Key, KeystoreSpec, LastHandled, ObjectReference,
    PlanDetails, Settings, StoreReference, TenantAllowedFrom, shared::immutable, status::date_time,
};

/// One isolated identity realm: its users, roles, keys and policies.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "keyreeve.dev",
    version = "v1alpha1",
    kind = "Tenant",
    namespaced,
    shortname = "tnt",
    category = "keyreeve",
    status = "TenantStatus",
    derive = "PartialEq",
    doc = "One isolated identity realm: its users, roles, keys and policies.",
    selectable = ".spec.tenantId",
    selectable = ".spec.profileRef.name",
    printcolumn(name = "Tenant-Id", type_ = "string", json_path = ".status.tenantId", description = "The tenant id in force"),
    printcolumn(name = "Type", type_ = "string", json_path = ".status.type", description = "What kind of tenant it is"),
    printcolumn(name = "Enabled", type_ = "boolean", json_path = ".status.enabled", description = "Whether people can log in"),
    printcolumn(name = "Plan", type_ = "string", json_path = ".status.effective.subscription.plan", description = "The plan in force"),
    printcolumn(name = "Users", type_ = "integer", json_path = ".status.userCount", description = "Users in the tenant"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status", description = "Whether the declared state is reached"),
    printcolumn(name = "Status", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason", description = "Why"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Region", type_ = "string", priority = 1, json_path = ".status.region", description = "Where it lives"),
    printcolumn(name = "Remember-Me", type_ = "boolean", priority = 1, json_path = ".status.effective.settings.rememberMe", description = "Whether users may stay logged in"),
    printcolumn(name = "Reset-Password", type_ = "boolean", priority = 1, json_path = ".status.effective.settings.forgotPasswordEnabled", description = "Whether users may reset their password"),
    printcolumn(name = "Registration", type_ = "boolean", priority = 1, json_path = ".status.effective.settings.registerEnabled", description = "Whether users may register"),
    printcolumn(name = "Admin", type_ = "string", priority = 1, json_path = ".status.adminUsername", description = "An administrator"),
    validation = Rule::new("has(self.spec.tenantId) || self.metadata.name.matches('^[a-z0-9][-a-z0-9]{1,46}[a-z0-9]$')")
        .message("metadata.name is the tenant id unless spec.tenantId is set, so it must be a DNS label of 3 to 48 characters: set spec.tenantId or choose another name"),
    validation = Rule::new("has(self.spec.tenantId) || self.metadata.name != 'master'")
        .message("metadata.name is the tenant id unless spec.tenantId is set, and 'master' is reserved"),
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = immutable("tenantId"))]
pub struct TenantSpec {
    /// The tenant's identifier in the store: a DNS label of 3 to 48 characters, not `master`. Immutable. Default: `metadata.name`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 3, max = 48), regex(pattern = "^[a-z0-9][-a-z0-9]*[a-z0-9]$"))]
    #[x_kube(validation = Rule::new("self != 'master'").message("'master' is reserved"))]
    pub tenant_id: Option<String>,
    /// The tenant's name for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub display_name: Option<String>,
    /// What kind of tenant it is, in the platform's own words.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 63),
        regex(pattern = "^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$")
    )]
    pub type_: Option<String>,
    /// Where the tenant lives, in the platform's own words, such as `tr-1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 63),
        regex(pattern = "^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$")
    )]
    pub region: Option<String>,
    /// The tenant's DNS domain.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 253),
        regex(
            pattern = r"^[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?(\.[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?)*$"
        )
    )]
    pub domain: Option<String>,
    /// Whether people can log in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// The organisation behind the tenant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization: Option<Organization>,
    /// The TenantProfile whose defaults, plan and locks hold. Default: the operator's `--default-profile`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile_ref: Option<ObjectReference>,
    /// From which other Kubernetes namespaces Users, Roles and Namespaces may refer to this Tenant. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub allowed_from: Option<Vec<TenantAllowedFrom>>,
    /// Settings; what is unset comes from the profile, then from the built-in values.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settings: Option<Settings>,
    /// When the subscription runs. The plan and its limits stand in the profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription: Option<Subscription>,
    /// Signing keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keystore: Option<KeystoreSpec>,
    /// What happens in the store when the Tenant is deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion_policy: Option<DeletionPolicy>,
    /// What happens when the store already has such a tenant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adoption_policy: Option<AdoptionPolicy>,
}

/// The organisation behind a tenant, after the Interstellio tenant document.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Organization {
    /// The organisation's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub name: Option<String>,
    /// The name under which it is registered.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub legal_name: Option<String>,
    /// Its number in the register.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub registration_number: Option<String>,
    /// Its VAT number.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub vat_number: Option<String>,
    /// The number of an identity document.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub id_number: Option<String>,
    /// The kind of that document.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub id_type: Option<String>,
    /// The postal address, at most four lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4), inner(length(max = 255)))]
    pub address_lines: Option<Vec<String>>,
    /// The postal code.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub postal_code: Option<String>,
    /// The state or province.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub state: Option<String>,
    /// The country.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub country: Option<String>,
    /// An email address of the organisation.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 254), regex(pattern = r"^[^@\p{Z}\p{Cc}]+@[^@\p{Z}\p{Cc}]+$"))]
    pub email: Option<String>,
    /// Telephone numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phones: Option<Phones>,
}

/// Telephone numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Phones {
    /// At the office.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub office: Option<String>,
    /// Mobile.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub mobile: Option<String>,
    /// At home.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub home: Option<String>,
}

/// When a tenant's subscription runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.issuedAt) || !has(self.expiresAt) || self.issuedAt < self.expiresAt")
    .message("expiresAt must be after issuedAt").field_path(".expiresAt"))]
pub struct Subscription {
    /// When it was issued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "date_time")]
    pub issued_at: Option<Time>,
    /// When it ends: from then on the tenant is suspended, with its data kept. Default: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "date_time")]
    pub expires_at: Option<Time>,
    /// Notes of the platform, at most 32. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "metadata")]
    pub metadata: Option<BTreeMap<String, String>>,
}

/// What the operator says of a Tenant.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct TenantStatus {
    /// The generation of the spec that this status speaks of; -1 until the operator has seen it.
    #[serde(default)]
    pub observed_generation: i64,
    /// Ready, and while it holds Reconciling or Stalled; beside them what else is true now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// The tenant id in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 48))]
    pub tenant_id: Option<String>,
    /// A short id for people to read out: twelve base-32 characters of SHA-256 of the tenant id.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 14))]
    pub short_id: Option<String>,
    /// What kind of tenant it is.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub type_: Option<String>,
    /// Where it lives.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub region: Option<String>,
    /// Whether people can log in: enabled and not suspended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// The signing keys, public halves only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub keystore: Vec<Key>,
    /// Users in the tenant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_count: Option<i64>,
    /// The first administrator by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub admin_username: Option<String>,
    /// What is in force, and where it comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effective: Option<Effective>,
    /// Settings that the store carries but does not enforce.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 128), inner(length(max = 128)))]
    pub unenforced: Vec<String>,
    /// Settings of this Tenant that a lock of its profile overrides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 128), inner(length(max = 128)))]
    pub overridden: Vec<String>,
    /// The store that holds the tenant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store: Option<StoreReference>,
    /// Values of annotations that were acted upon.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_handled: Option<LastHandled>,
}

/// What is in force in a tenant, and where it comes from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Effective {
    /// Every setting in force, but `environmentVariables`, whose names stand beside it.
    pub settings: Settings,
    /// The names of the environment variables in force.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(max = 63)))]
    pub environment_variables: Vec<String>,
    /// The subscription in force.
    pub subscription: EffectiveSubscription,
    /// How signing keys are made and replaced.
    pub keystore: KeystoreSpec,
    /// Where each setting comes from; one without source has its built-in value.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "sources")]
    pub sources: BTreeMap<String, Source>,
}

/// The subscription in force.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EffectiveSubscription {
    /// The plan, as the profile names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub plan: Option<String>,
    /// What the plan allows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan_details: Option<PlanDetails>,
    /// When it was issued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "date_time")]
    pub issued_at: Option<Time>,
    /// When it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "date_time")]
    pub expires_at: Option<Time>,
    /// The names of the platform's notes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(max = 63)))]
    pub metadata: Vec<String>,
}

/// Where a value comes from.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub enum Source {
    /// The Tenant.
    Tenant,
    /// The TenantProfile.
    Profile,
    /// The store: as found in an adopted tenant, or where the store has a way of its own.
    Store,
}

/// Notes of the platform: an atomic map.
fn metadata(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "object",
        "maxProperties": 32,
        "additionalProperties": {"type": "string", "maxLength": 1024},
        "x-kubernetes-map-type": "atomic",
        "x-kubernetes-validations": [{
            "rule": "self.all(name, name.matches('^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$'))",
            "message": "names are 1 to 63 letters, digits, '-', '_' or '.', beginning and ending with a letter or digit",
        }],
    })
}

/// Where each setting comes from, by path.
fn sources(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "object",
        "maxProperties": 128,
        "additionalProperties": {"type": "string", "enum": ["Tenant", "Profile", "Store"]},
    })
}
