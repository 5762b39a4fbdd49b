//! A tenant's signing keys: how they are made and replaced, and their public halves.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{KubeSchema, core::Rule};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Duration,
    duration::{between, off_or_between},
    status::date_time,
};

/// The signing algorithm (RFC 7518, section 3.1; RFC 8037). A change rotates to a key of the new algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[allow(missing_docs, reason = "the names are the RFC's")]
pub enum Algorithm {
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    EdDSA,
}

impl Algorithm {
    /// The name that a JWK's `alg` and a JWS header carry.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RS256 => "RS256",
            Self::RS384 => "RS384",
            Self::RS512 => "RS512",
            Self::PS256 => "PS256",
            Self::PS384 => "PS384",
            Self::PS512 => "PS512",
            Self::ES256 => "ES256",
            Self::ES384 => "ES384",
            Self::EdDSA => "EdDSA",
        }
    }
}

/// The rule that what one object says of its keystore fits together.
fn publish_before_rotation() -> Rule {
    Rule::new(
        "!has(self.publishBefore) || !has(self.rotationPeriod) || duration(self.rotationPeriod) == duration('0s') \
         || duration(self.publishBefore) < duration(self.rotationPeriod)",
    )
    .message("publishBefore must be shorter than rotationPeriod")
    .field_path(".publishBefore")
}

/// The rule that a key size is not given for an algorithm that has one size.
fn key_size_is_for_rsa() -> Rule {
    Rule::new(
        "!has(self.keySize) || !has(self.algorithm) || self.algorithm.startsWith('RS') || self.algorithm.startsWith('PS')",
    )
    .message("keySize is for RSA (RS and PS) algorithms only")
    .field_path(".keySize")
}

/// How a tenant's signing keys are made and replaced, with the keys to revoke.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = publish_before_rotation(), validation = key_size_is_for_rsa())]
pub struct KeystoreSpec {
    /// The signing algorithm. A change rotates to a key of the new algorithm.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<Algorithm>,
    /// The size of RSA keys in bits: 2048, 3072 or 4096. Beside another algorithm of the same object it is refused; beside one that comes from elsewhere it has no effect. A change rotates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "key_size")]
    pub key_size: Option<u32>,
    /// How long a key signs before the next one takes over: at least `1h`; `0s` switches scheduled rotation off.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = off_or_between("1h", "87600h"))]
    pub rotation_period: Option<Duration>,
    /// How long a key is published before it signs: at least `5m`, and shorter than `rotationPeriod`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = between("5m", "8760h"))]
    pub publish_before: Option<Duration>,
    /// How long a replaced key stays published; never less than the longest access or ID token lives.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = between("0s", "87600h"))]
    pub retain_for: Option<Duration>,
    /// Key ids to revoke: each leaves the JWKS at once and never returns.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = 64),
        inner(length(min = 1, max = 128), regex(pattern = "^[A-Za-z0-9_-]+$"))
    )]
    pub revoke: Option<Vec<String>>,
}

/// How the signing keys of a profile's tenants are made and replaced.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = publish_before_rotation(), validation = key_size_is_for_rsa())]
pub struct KeystoreDefaults {
    /// The signing algorithm. A change rotates to a key of the new algorithm.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<Algorithm>,
    /// The size of RSA keys in bits: 2048, 3072 or 4096. Beside another algorithm of the same object it is refused; beside one that comes from elsewhere it has no effect. A change rotates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "key_size")]
    pub key_size: Option<u32>,
    /// How long a key signs before the next one takes over: at least `1h`; `0s` switches scheduled rotation off.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = off_or_between("1h", "87600h"))]
    pub rotation_period: Option<Duration>,
    /// How long a key is published before it signs: at least `5m`, and shorter than `rotationPeriod`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = between("5m", "8760h"))]
    pub publish_before: Option<Duration>,
    /// How long a replaced key stays published; never less than the longest access or ID token lives.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = between("0s", "87600h"))]
    pub retain_for: Option<Duration>,
}

/// A signing key, its public half only.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Key {
    /// The public JWK (RFC 7517).
    pub key: Jwk,
    /// Where the key is in its life.
    pub state: KeyState,
    /// When it was made.
    #[schemars(schema_with = "date_time")]
    pub created_at: Time,
    /// When it began to sign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "date_time")]
    pub activated_at: Option<Time>,
    /// When the next key took over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "date_time")]
    pub rotated_at: Option<Time>,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "date_time")]
    pub revoked_at: Option<Time>,
}

/// Where a key is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum KeyState {
    /// Published, does not sign yet.
    Standby,
    /// Signs.
    Active,
    /// Published, no longer signs.
    Retired,
    /// Out of the JWKS.
    Revoked,
}

/// A public JSON Web Key (RFC 7517, RFC 7518, RFC 8037).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Jwk {
    /// The key type: `RSA`, `EC` or `OKP`.
    #[schemars(length(max = 8))]
    pub kty: String,
    /// The use: `sig`.
    #[serde(rename = "use")]
    #[schemars(length(max = 8))]
    pub use_: String,
    /// The algorithm.
    #[schemars(length(max = 16))]
    pub alg: String,
    /// The key id: the RFC 7638 SHA-256 thumbprint.
    #[schemars(length(max = 128))]
    pub kid: String,
    /// The RSA modulus.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub n: Option<String>,
    /// The RSA public exponent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    pub e: Option<String>,
    /// The curve.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    pub crv: Option<String>,
    /// The x coordinate, or the public key of an OKP.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub x: Option<String>,
    /// The y coordinate.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub y: Option<String>,
}

/// RSA key sizes that are offered.
fn key_size(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({"type": "integer", "format": "int32", "enum": [2048, 3072, 4096]})
}
