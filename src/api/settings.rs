//! A tenant's settings, with the ranges of the PlusAuth tenant document
//! (`settings.*`) and `rememberMe` of the Digitanium list.
//!
//! The same type is set in a Tenant and in a TenantProfile. Every field is
//! optional: unset falls through from tenant to profile to built-in value.

use kube::{KubeSchema, core::Rule};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Duration, duration::between};

/// The rule that bcrypt takes what the password policy asks for, where one object states both.
fn bcrypt_takes_it() -> Rule {
    let password = "self.policies.password";
    let [min, lower, upper, number] = ["min", "lowerCase", "upperCase", "number"]
        .map(|name| format!("(has({password}.{name}) ? {password}.{name} : 0)"));
    Rule::new(format!(
        "!has(self.hashFunction) || self.hashFunction != 'bcrypt' || !has(self.policies) || !has({password}) || \
         ({min} <= 72 && {lower} + {upper} + {number} <= 72)"
    ))
    .message("min, and lowerCase + upperCase + number, must be at most 72 with hashFunction bcrypt, which takes 72 bytes of a password")
    .field_path(".policies.password")
}

/// Settings of a tenant.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = bcrypt_takes_it())]
pub struct Settings {
    /// Authentication context classes that clients may ask for, weakest first.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8), inner(length(min = 1, max = 64), regex(pattern = "^[!-~]+$")))]
    pub acr_values: Option<Vec<String>>,
    /// Whether a user is signed in at once after registration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_sign_in: Option<bool>,
    /// Whether error answers carry internal detail. For development only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expose_unsafe_errors: Option<bool>,
    /// Names of extra parameters that authorization requests may carry.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 64), regex(pattern = "^[!-~]+$")))]
    pub extra_params: Option<Vec<String>>,
    /// Scopes beyond the standard ones that clients may ask for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = 32),
        inner(length(min = 1, max = 64), regex(pattern = r"^[!#-\[\]-~]+$"))
    )]
    pub extra_scopes: Option<Vec<String>>,
    /// Whether users must verify their email address before they can sign in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub force_email_verification: Option<bool>,
    /// Whether the login page offers to reset a forgotten password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forgot_password_enabled: Option<bool>,
    /// The function that hashes passwords; `argon2` means argon2id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hash_function: Option<HashFunction>,
    /// Whether users may register themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub register_enabled: Option<bool>,
    /// Whether a user may stay logged in until the session expires.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remember_me: Option<bool>,
    /// The URL of the tenant's own login page.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512), regex(pattern = r"^(https?://[!-~]+)?$"))]
    pub tenant_login_url: Option<String>,
    /// Whether new users get a welcome email.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub welcome_emails_enabled: Option<bool>,
    /// The version of the identity provider's own API.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_version: Option<ApiVersion>,
    /// The name of the authentication strategy that is tried first.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), regex(pattern = "^[!-~]*$"))]
    pub default_strategy: Option<String>,
    /// The authenticator application.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authenticator: Option<Authenticator>,
    /// Client-initiated backchannel authentication.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ciba: Option<Ciba>,
    /// Variables for the tenant's own scripts, for what is not secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub environment_variables: Option<Vec<EnvironmentVariable>>,
    /// Rules for accounts and passwords.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policies: Option<Policies>,
    /// Lifetimes of what is issued.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Ttl>,
    /// Deletion of accounts by their owners.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_self_deletion: Option<UserSelfDeletion>,
}

/// The function that hashes passwords; `argon2` means argon2id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names are the functions'")]
pub enum HashFunction {
    Argon2,
    Bcrypt,
}

/// The version of the identity provider's own API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[allow(missing_docs, reason = "the name is the version")]
pub enum ApiVersion {
    #[serde(rename = "2021-07-04")]
    V20210704,
}

/// The authenticator application.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Authenticator {
    /// Whether the application logs out when the device's SIM card changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bind_sim: Option<bool>,
}

/// Client-initiated backchannel authentication (CIBA).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ciba {
    /// How a client learns of the result: `poll` asks for it, `ping` is told that it is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery_mode: Option<CibaDeliveryMode>,
    /// The endpoint that notifies the user's device.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512), regex(pattern = r"^(https?://[!-~]+)?$"))]
    pub notifier_endpoint: Option<String>,
}

/// How a client learns of the result: `poll` asks for it, `ping` is told that it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names are CIBA's")]
pub enum CibaDeliveryMode {
    Ping,
    Poll,
}

/// A variable for the tenant's own scripts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EnvironmentVariable {
    /// The variable's name.
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[A-Za-z_][A-Za-z0-9_]*$"))]
    pub name: String,
    /// The variable's value. It is not secret: whoever reads the Tenant or the store reads it.
    #[schemars(length(max = 4096), regex(pattern = r"^[\P{Cc}\n\t]*$"))]
    pub value: String,
}

/// Rules for accounts and passwords.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Policies {
    /// Blocking of an account after failed logins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_blocking: Option<AccountBlocking>,
    /// Blocking of an IP address after failed logins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub brute_force: Option<BruteForce>,
    /// What a password must be. Checked when a password is set; existing ones stay valid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<PasswordPolicy>,
}

/// Blocking of an account after failed logins.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccountBlocking {
    /// Whether users may unblock their accounts by a link in the notification email.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_user_unblock: Option<bool>,
    /// Failed logins after which the account is blocked: 5 to 250.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 5, max = 250))]
    pub allowed_attempts: Option<u32>,
    /// How long the account is blocked: `1m` to `175200h` (20 years).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = between("1m", "175200h"))]
    pub block_duration: Option<Duration>,
    /// Time without a failed login after which the count starts again: `1m` to `2160h`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = between("1m", "2160h"))]
    pub duration: Option<Duration>,
    /// Whether accounts are blocked at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Whether the user is told by email.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notification: Option<bool>,
    /// Whether a successful login starts the count again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reset_after_success: Option<bool>,
}

/// Blocking of an IP address after failed logins.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct BruteForce {
    /// Consecutive failed logins after which the address is blocked: 5 to 50.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 5, max = 50))]
    pub allowed_attempts: Option<u32>,
    /// How long the address is blocked: `1m` to `175200h` (20 years).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = between("1m", "175200h"))]
    pub block_duration: Option<Duration>,
    /// Time without a failed login after which the count starts again: `1m` to `2160h`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = between("1m", "2160h"))]
    pub duration: Option<Duration>,
    /// Whether addresses are blocked at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Whether the user is told by email.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notification: Option<bool>,
    /// IP addresses and CIDR ranges that are never blocked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = 32),
        inner(length(min = 2, max = 43), regex(pattern = r"^[^/\p{Cc}]*(/(0|[1-9][0-9]*))?$"))
    )]
    #[x_kube(validation = Rule::new("self.all(address, isIP(address) || isCIDR(address))")
        .message("must be IP addresses or CIDR ranges, such as 192.0.2.7 or 2001:db8::/32"))]
    pub white_list: Option<Vec<String>>,
}

/// The rule that a password policy which one object states can be satisfied.
fn satisfiable() -> Rule {
    Rule::new(
        "!has(self.max) || self.max == 0 || (self.max >= (has(self.min) ? self.min : 0) && self.max >= \
         (has(self.lowerCase) ? self.lowerCase : 0) + (has(self.upperCase) ? self.upperCase : 0) + \
         (has(self.number) ? self.number : 0) + \
         (has(self.customChars) && self.customChars != '' && \
         !(has(self.lowerCase) && self.lowerCase > 0 && self.customChars.matches('[a-z]')) && \
         !(has(self.upperCase) && self.upperCase > 0 && self.customChars.matches('[A-Z]')) && \
         !(has(self.number) && self.number > 0 && self.customChars.matches('[0-9]')) ? 1 : 0))",
    )
    .message("max must be at least min, and at least lowerCase + upperCase + number + 1 for customChars: no password could satisfy it")
    .field_path(".max")
}

/// What a password must be.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = satisfiable())]
pub struct PasswordPolicy {
    /// Characters of which at least one is needed, at most 64 and no control characters; `""` needs none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub custom_chars: Option<String>,
    /// How many of a user's last passwords, with the current one, may not be used again: 1 to 10; `0` is off.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 10))]
    pub history: Option<u32>,
    /// How many lower-case letters are needed: 0 to 32.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 32))]
    pub lower_case: Option<u32>,
    /// The greatest number of characters: up to 128; `0` is no limit of the tenant's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 128))]
    pub max: Option<u32>,
    /// The least number of characters: 0 to 128.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 128))]
    pub min: Option<u32>,
    /// How many digits are needed: 0 to 32.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 32))]
    pub number: Option<u32>,
    /// How many upper-case letters are needed: 0 to 32.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 32))]
    pub upper_case: Option<u32>,
}

/// Lifetimes of what is issued.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ttl {
    /// Access tokens: `30s` to `720h`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = between("30s", "720h"))]
    pub access_token: Option<Duration>,
    /// Authorization codes: `30s` to `24h`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = between("30s", "24h"))]
    pub authorization_code: Option<Duration>,
    /// Backchannel authentication requests: `30s` to `24h`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = between("30s", "24h"))]
    pub backchannel_authentication_request: Option<Duration>,
    /// Access tokens of client credentials: `30s` to `720h`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = between("30s", "720h"))]
    pub client_credentials: Option<Duration>,
    /// Device codes: `30s` to `24h`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = between("30s", "24h"))]
    pub device_code: Option<Duration>,
    /// ID tokens: `30s` to `8760h`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = between("30s", "8760h"))]
    pub id_token: Option<Duration>,
    /// Refresh tokens: `5m` to `4320h`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = between("5m", "4320h"))]
    pub refresh_token: Option<Duration>,
    /// Sessions: `10m` to `4320h`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = between("10m", "4320h"))]
    pub session: Option<Duration>,
}

/// Deletion of accounts by their owners.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UserSelfDeletion {
    /// Whether users may delete their own accounts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
}
