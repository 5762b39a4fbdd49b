//! User: a person or service in a tenant.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    AdoptionPolicy, Condition, DeletionPolicy, LastHandled, ObjectReference, StoreReference,
    shared::immutable, status::date_time,
};

/// Claims that have fields of their own or belong to the issuer (OpenID Connect Core, section 5.1).
pub const RESERVED_CLAIMS: [&str; 9] = [
    "sub",
    "iss",
    "aud",
    "exp",
    "email",
    "email_verified",
    "preferred_username",
    "given_name",
    "family_name",
];

/// A person or service in a tenant.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "keyreeve.dev",
    version = "v1alpha1",
    kind = "User",
    namespaced,
    shortname = "tusr",
    category = "keyreeve",
    status = "UserStatus",
    derive = "PartialEq",
    doc = "A person or service in a tenant.",
    selectable = ".spec.tenantRef.name",
    selectable = ".spec.username",
    selectable = ".spec.email",
    printcolumn(
        name = "Tenant",
        type_ = "string",
        json_path = ".status.tenantId",
        description = "The tenant id"
    ),
    printcolumn(
        name = "Username",
        type_ = "string",
        json_path = ".status.username",
        description = "The username in force"
    ),
    printcolumn(
        name = "Enabled",
        type_ = "boolean",
        json_path = ".status.enabled",
        description = "Whether the user can log in"
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
    validation = immutable("username"),
    validation = immutable("id"),
    validation = Rule::new("!has(self.emailVerified) || !self.emailVerified || has(self.email)")
        .message("emailVerified needs email").field_path(".emailVerified")
)]
pub struct UserSpec {
    /// The Tenant that the user belongs to. Immutable.
    pub tenant_ref: ObjectReference,
    /// The name to log in with: unique in the tenant. Immutable. Default: `metadata.name`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128), regex(pattern = r"^[^\p{Z}\p{Cc}]+$"))]
    pub username: Option<String>,
    /// The email address. Default: not managed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 254), regex(pattern = r"^[^@\p{Z}\p{Cc}]+@[^@\p{Z}\p{Cc}]+$"))]
    pub email: Option<String>,
    /// Whether the email address counts as verified; set when this value changes, not enforced after. Default: an address that is set does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email_verified: Option<bool>,
    /// The first name. Default: not managed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub first_name: Option<String>,
    /// The last name. Default: not managed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub last_name: Option<String>,
    /// Whether the user can log in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// The user's id, a UUID, for imports. Immutable. Default: made once, and kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 36, max = 36),
        regex(pattern = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")
    )]
    pub id: Option<String>,
    /// Claims of the user: any nested JSON, at most 100 names. Default: not managed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "claims")]
    pub claims: Option<BTreeMap<String, serde_json::Value>>,
    /// Accounts of the user at other identity providers. Default: not managed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub authentication_providers: Option<Vec<AuthenticationProvider>>,
    /// Where the password comes from. Default: not managed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<PasswordSource>,
    /// What the user must do at the next login; asked for once, when this value changes. Default: not managed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 5))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub required_actions: Option<Vec<RequiredAction>>,
    /// Roles of the same tenant that the user holds. Default: not managed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 100))]
    pub roles: Option<Vec<ObjectReference>>,
    /// What happens in the store when the User is deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion_policy: Option<DeletionPolicy>,
    /// What happens when the store already has such a user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adoption_policy: Option<AdoptionPolicy>,
}

/// An account of the user at another identity provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuthenticationProvider {
    /// The identity provider's name in the tenant.
    #[schemars(
        length(min = 1, max = 63),
        regex(pattern = "^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$")
    )]
    pub name: String,
    /// The user's id there.
    #[schemars(length(min = 1, max = 255))]
    pub user_id: String,
    /// The user's name there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub username: Option<String>,
}

/// Where a password comes from: exactly one of `secretKeyRef` and `generate`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.secretKeyRef) != has(self.generate)")
    .message("needs exactly one of secretKeyRef and generate"))]
pub struct PasswordSource {
    /// A Secret in the User's own Kubernetes namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_key_ref: Option<SecretKeyReference>,
    /// The operator makes a password that satisfies the tenant's policy, and a Secret that holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generate: Option<GeneratedPassword>,
    /// Whether the user must change the password at the next login.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temporary: Option<bool>,
}

/// A key in a Secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretKeyReference {
    /// The Secret's name.
    #[schemars(length(min = 1, max = 253), regex(pattern = "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    pub name: String,
    /// The key in the Secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = "^[-._a-zA-Z0-9]+$"))]
    pub key: Option<String>,
}

/// A password that the operator makes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GeneratedPassword {
    /// The name of the Secret that is made. Default: `<metadata.name>-password`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    pub secret_name: Option<String>,
    /// The key in the Secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = "^[-._a-zA-Z0-9]+$"))]
    pub key: Option<String>,
    /// The number of characters: 8 to 128, stretched or cut to what the policy asks for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 8, max = 128))]
    pub length: Option<u32>,
}

/// What a user must do at the next login.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[allow(missing_docs, reason = "the names say it")]
pub enum RequiredAction {
    UpdatePassword,
    VerifyEmail,
    UpdateProfile,
    ConfigureTotp,
    AcceptTerms,
}

/// What the operator says of a User.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct UserStatus {
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
    /// The username in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub username: Option<String>,
    /// The user's id in the store.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 36))]
    pub id: Option<String>,
    /// Whether the user can log in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// What the user can log in with: metadata, never a secret.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub credentials: Vec<Credential>,
    /// The roles that the user holds, directly and through composites.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 500))]
    pub roles: Vec<ResolvedRole>,
    /// The store that holds the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store: Option<StoreReference>,
    /// Values of annotations that were acted upon.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_handled: Option<LastHandled>,
}

/// Metadata of a credential, after the Users API document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Credential {
    /// The kind of credential: `password`.
    #[serde(rename = "type")]
    #[schemars(length(max = 63))]
    pub type_: String,
    /// The algorithm that protects it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub algorithm: Option<String>,
    /// When it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "date_time")]
    pub created_at: Option<Time>,
}

/// A role that a user holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResolvedRole {
    /// The role's name in the store.
    #[schemars(length(max = 253))]
    pub name: String,
    /// The identity Namespace that it is in, if it is in one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub namespace: Option<String>,
    /// The granted role through which the user holds it, if it is not granted itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 510))]
    pub through: Option<String>,
}

/// The one open field: any JSON under any name but the reserved ones.
fn claims(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    // Declared only so that the rule can see them: CEL knows no field that the schema does not.
    let reserved: serde_json::Map<_, _> = RESERVED_CLAIMS
        .into_iter()
        .map(|claim| {
            (claim.into(), serde_json::json!({"type": "string", "maxLength": 64, "description": "Reserved: it has a field or an issuer of its own."}))
        })
        .collect();
    let rule = RESERVED_CLAIMS.map(|claim| format!("!has(self.{claim})")).join(" && ");
    schemars::json_schema!({
        "type": "object",
        "maxProperties": 100,
        "x-kubernetes-preserve-unknown-fields": true,
        "x-kubernetes-map-type": "atomic",
        "properties": reserved,
        "x-kubernetes-validations": [{
            "rule": rule,
            "message": format!("{} have fields or issuers of their own", RESERVED_CLAIMS.join(", ")),
        }],
    })
}
