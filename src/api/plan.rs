//! What a plan allows, after the PlusAuth tenant document (`subscription.plan_details`).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Limits and features of a plan. A limit that is absent is unlimited and `0` is off;
/// a feature that is absent is allowed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanDetails {
    /// Users that may be active in a month. Carried, not enforced.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000_000))]
    pub active_user: Option<u32>,
    /// Users that may hold an administrator role.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000_000))]
    pub administrators: Option<u32>,
    /// Whether a tenant may set `settings.ciba`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ciba: Option<bool>,
    /// Connections to other identity systems. Carried, not enforced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connections: Option<Connections>,
    /// Whether a tenant may set `keystore.algorithm` and `keystore.keySize`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom_algorithm: Option<bool>,
    /// Domains of its own that a tenant may have. Carried, not enforced.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000_000))]
    pub custom_domain: Option<u32>,
    /// Whether a tenant may set `settings.policies.password`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom_password_policy: Option<bool>,
    /// Whether a tenant may set `settings.ttl`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom_token_ttl: Option<bool>,
    /// Whether the financial-grade API profile is offered. Carried, not enforced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fapi: Option<bool>,
    /// Hooks that a tenant may have. Carried, not enforced.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000_000))]
    pub hooks: Option<u32>,
    /// Days that logs are kept. Carried, not enforced.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000_000))]
    pub log_retention: Option<u32>,
    /// Whether logs may be shipped elsewhere. Carried, not enforced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_shipping: Option<bool>,
    /// Whether logs are signed. Carried, not enforced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_signing: Option<bool>,
    /// Clients that a tenant may have. Carried, not enforced.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000_000))]
    pub max_clients: Option<u32>,
    /// Identity Namespaces that a tenant may have.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000_000))]
    pub max_namespaces: Option<u32>,
    /// Resource servers that a tenant may have. Carried, not enforced.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000_000))]
    pub max_resources: Option<u32>,
    /// Roles that a tenant may have.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000_000))]
    pub max_roles: Option<u32>,
    /// Tenants that a customer may have. Carried, not enforced.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000_000))]
    pub max_tenants: Option<u32>,
    /// Users that a tenant may have.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000_000))]
    pub max_users: Option<u32>,
    /// Multi-factor authentication. Carried, not enforced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mfa: Option<Mfa>,
    /// Whether a tenant may set `settings.policies.password.history`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_history: Option<bool>,
    /// Whether the tenant may have Roles and Namespaces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rbac_management: Option<bool>,
    /// Whether the tenant may have Users.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_management: Option<bool>,
}

/// How many connections of each kind a tenant may have. Carried, not enforced.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Connections {
    /// Connections to e-Devlet.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000_000))]
    pub e_devlet: Option<u32>,
    /// LDAP connections.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000_000))]
    pub ldap: Option<u32>,
    /// Passwordless connections.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000_000))]
    pub passwordless: Option<u32>,
    /// SAML connections.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000_000))]
    pub saml: Option<u32>,
    /// Social connections.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000_000))]
    pub social: Option<u32>,
}

/// Multi-factor authentication that a plan offers. Carried, not enforced.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Mfa {
    /// How many factors a user may have.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000_000))]
    pub limit: Option<u32>,
    /// Electronic signature.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub e_sign: Option<bool>,
    /// A code by email.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<bool>,
    /// Face verification.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fv: Option<bool>,
    /// One-time passwords.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub otp: Option<bool>,
    /// A push notification.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub push: Option<bool>,
    /// A code by SMS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sms: Option<bool>,
    /// WebAuthn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webauthn: Option<bool>,
}
